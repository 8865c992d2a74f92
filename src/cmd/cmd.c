/* The table of commands, and the place where errors become a line and an exit code. */
#include "inside.h"

#include <stdio.h>
#include <string.h>

const struct command *const commands[] = {&cmd_devices, &cmd_train,   &cmd_eval,  &cmd_predict, &cmd_draw, &cmd_plan,
                                          &cmd_compare, &cmd_bench,   &cmd_tune,  &cmd_help,    &cmd_tell_version,
                                          NULL};

static void print_note(const char *line)
{
    complain("clutch", line);
}

static const char *command_name(const void *unused, size_t i)
{
    (void)unused;
    return commands[i] ? commands[i]->name : NULL;
}

static const struct command *find(const char *name)
{
    static const char *const other[][2] = {{"--help", "help"}, {"-h", "help"}, {"--version", "version"},
                                           {"-V", "version"}};
    for (size_t i = 0; i < COUNT_OF(other); i++)
        if (strcmp(other[i][0], name) == 0)
            name = other[i][1];
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

enum st command_find(const char *name, const struct command **out)
{
    char unknown[SHOW_UNKNOWN_MAX];
    *out = find(name);
    return *out ? ST_OK
                : st_fail(ST_INPUT, "%s", show_unknown(unknown, sizeof unknown, "command", name, command_name, NULL));
}

/* What stands first is no command; one that stands behind it was meant to stand there. */
static enum st no_command(int argc, char **argv)
{
    const struct command *command;
    for (int i = 2; i < argc; i++)
        if (argv[i][0] != '-' && find(argv[i]))
            return st_fail(ST_INPUT, "'%s' is no command; the command comes first: clutch %s %s ...", argv[1], argv[i],
                           argv[1]);
    return command_find(argv[1], &command);
}

int cmd_main(int argc, char **argv)
{
    terminal_open();
    note_to(print_note);
    if (argc < 2) {
        struct text usage = {0};
        usage_show(&usage);
        complain_lines(usage.failed ? "clutch: no command\n" : usage.s);
        text_free(&usage);
        return 2;
    }
    char who[32] = "clutch";
    const struct command *command = find(argv[1]);
    enum st s = command ? command->run(argc - 2, argv + 2) : no_command(argc, argv);
    if (command)
        snprintf(who, sizeof who, "clutch %s", command->name);
    if (s == ST_OK && (fflush(stdout) != 0 || ferror(stdout)))
        s = st_fail(ST_SYSTEM, "cannot write to standard output");
    if (s == ST_OK)
        return 0;
    complain(who, st_message());
    return s == ST_INPUT ? 2 : s == ST_INTERRUPTED ? 128 + interrupted() : 1;
}
