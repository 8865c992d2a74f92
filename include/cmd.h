/*
 * cmd: the commands, one file each and a row in a table. The only floor that prints to stdout or decides an exit code.
 */
#ifndef CLUTCH_CMD_H
#define CLUTCH_CMD_H

/* Runs the command line; returns the exit code: 0 good, 2 wrong usage or bad input, 128 + the signal where one
 * ended it, 1 anything else. */
int cmd_main(int argc, char **argv);

#endif
