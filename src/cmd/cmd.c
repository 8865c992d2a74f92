/* The table of commands, and the place where errors become a line and an exit code. */
#include "inside.h"

#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {&cmd_devices, &cmd_train,   &cmd_eval,  &cmd_predict, &cmd_draw,
                                               &cmd_plan,    &cmd_compare, &cmd_bench, &cmd_tune};

static void print_note(const char *line)
{
    fprintf(stderr, "clutch: %s\n", line);
}

static void print_usage(FILE *to)
{
    fprintf(to, "clutch trains neural networks on OpenCL devices.\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(to, "  clutch %-9s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to, "\n`clutch COMMAND --help` lists a command's options; `clutch --version` tells the version.\n");
}

static int unknown_command(const char *name)
{
    fprintf(stderr, "clutch: unknown command '%s'; known:", name);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(stderr, " %s", commands[i]->name);
    fprintf(stderr, "\n");
    return 2;
}

int cmd_main(int argc, char **argv)
{
    note_to(print_note);
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("clutch %s\n", cmd_version());
        return 0;
    }
    const struct command *command = NULL;
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i]->name, argv[1]) == 0)
            command = commands[i];
    if (!command)
        return unknown_command(argv[1]);
    enum st s = command->run(argc - 2, argv + 2);
    if (s == ST_OK && (fflush(stdout) != 0 || ferror(stdout)))
        s = st_fail(ST_SYSTEM, "cannot write to standard output");
    if (s == ST_OK)
        return 0;
    fprintf(stderr, "clutch %s: %s\n", command->name, st_message());
    return s == ST_INPUT ? 2 : s == ST_INTERRUPTED ? 128 + interrupted() : 1;
}
