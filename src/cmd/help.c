/* clutch help, clutch version: what the program says of itself, all from the tables of commands and their options. */
#include "help.h"

#include <stdio.h>
#include <string.h>

void usage_show(struct text *out)
{
    text_add(out, "clutch trains neural networks on OpenCL devices.\n\n");
    for (size_t i = 0; commands[i]; i++)
        text_add(out, "  clutch %-9s %s\n", commands[i]->name, commands[i]->summary);
    text_add(out, "\n`clutch help COMMAND` explains a command and lists its options.\n");
}

static enum st print_usage(void)
{
    struct text text = {0};
    usage_show(&text);
    return output_text(ST_OK, &text);
}

enum st each_option_list(void (*visit)(void *user, const struct arg_list *list), void *user)
{
    enum st s = ST_OK;
    args_visit(visit, user);
    for (size_t i = 0; commands[i] && s == ST_OK; i++)
        s = commands[i]->run(0, NULL);
    args_visit(NULL, NULL);
    return s;
}

static void print_help(void *unused, const struct arg_list *list)
{
    (void)unused;
    args_help(list);
}

static enum st explain(const char *name)
{
    const struct command *command;
    enum st s = command_find(name, &command);
    if (s != ST_OK)
        return s;
    args_visit(print_help, NULL);
    s = command->run(0, NULL);
    args_visit(NULL, NULL);
    return s;
}

static enum st help(int argc, char **argv)
{
    enum st s = ST_OK;
    const char *positional[2] = {0}, *shell = NULL;
    bool man = false;
    const struct arg args[] = {
        {"--man", ARG_FLAG, &man, NULL, "print the manual page: `clutch help --man | man -l -`"},
        {"--completion", ARG_TEXT, &shell, "bash|zsh|fish", "print what completes commands and options in a shell"},
    };
    struct arg_list list = {.usage = "help [COMMAND] [options]", .args = args, .n = COUNT_OF(args), .most = 1,
                            .positional = positional};
    TRY(args_parse(&list, argc, argv));
    if (list.help)
        return ST_OK;
    TRY(man ? print_man() : shell ? print_completion(shell) : positional[0] ? explain(positional[0]) : print_usage());
out:
    return s;
}

static enum st version(int argc, char **argv)
{
    const char *none[1];
    struct arg_list list = {.usage = "version", .positional = none};
    enum st s = args_parse(&list, argc, argv);
    if (s == ST_OK && !list.help)
        output("clutch %s\n", cmd_version());
    return s;
}

const struct command cmd_help = {.name = "help", .summary = "what a command does, and its options", .run = help};
const struct command cmd_tell_version = {.name = "version", .summary = "which version this is", .run = version};
