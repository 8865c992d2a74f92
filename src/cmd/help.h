/* What the program says of itself: help, manual page and completions share these; nobody else includes this. */
#ifndef CLUTCH_CMD_HELP_H
#define CLUTCH_CMD_HELP_H

#include "inside.h"

/* The option list of each command in turn. */
MUST_USE enum st each_option_list(void (*visit)(void *user, const struct arg_list *list), void *user);

MUST_USE enum st print_man(void);
MUST_USE enum st print_completion(const char *shell); /* ST_INPUT names the shells there are */

#endif
