/* The manual page, in roff, from the tables of commands and options. */
#include "help.h"

#include <stdio.h>
#include <string.h>

/* Text as roff takes it: no backslash, hyphen or dot at the start of a line means anything but itself. */
static void add_roff(struct text *out, const char *s, size_t len)
{
    if (len && (*s == '.' || *s == '\''))
        text_add(out, "\\&");
    for (; len; s++, len--) {
        if (*s == '\\')
            text_add(out, "\\e");
        else if (*s == '-')
            text_add(out, "\\-");
        else
            text_add_bytes(out, s, 1);
    }
}

/* Lines of an explanation, each a paragraph. */
static void add_lines(struct text *out, const char *lines)
{
    while (*lines) {
        size_t blanks = strspn(lines, " "), len = strcspn(lines, "\n");
        text_add(out, ".PP\n");
        add_roff(out, lines + blanks, len - blanks);
        text_add(out, "\n");
        lines += len + (lines[len] != '\0');
    }
}

static void add_command(void *user, const struct arg_list *l)
{
    struct text *out = user;
    int name = (int)strcspn(l->usage, " \n");
    text_add(out, ".SS clutch %.*s\n", name, l->usage);
    for (size_t i = 0; commands[i]; i++)
        if (strncmp(commands[i]->name, l->usage, (size_t)name) == 0 && !commands[i]->name[name])
            text_add(out, "%s:\n", commands[i]->summary);
    text_add(out, ".nf\n");
    for (const char *line = l->usage; *line;) {
        size_t blanks = strspn(line, " "), len = strcspn(line, "\n");
        text_add(out, blanks ? "" : "clutch ");
        add_roff(out, line + blanks, len - blanks);
        text_add(out, "\n");
        line += len + (line[len] != '\0');
    }
    text_add(out, ".fi\n");
    if (l->about)
        add_lines(out, l->about);
    for (int i = 0; i < l->n; i++) {
        const struct arg *a = &l->args[i];
        text_add(out, ".TP\n.B ");
        add_roff(out, a->name, strlen(a->name));
        if (a->value) {
            text_add(out, " \\fI");
            add_roff(out, a->value, strlen(a->value));
            text_add(out, "\\fR");
        }
        text_add(out, "\n");
        add_roff(out, a->help, strlen(a->help));
        text_add(out, "\n");
    }
}

enum st print_man(void)
{
    static const char ends[] =
        ".SH EXIT STATUS\n0: good. 2: wrong usage or bad input, which the line on stderr names. 1: anything else.\n"
        ".SH ENVIRONMENT\n"
        ".TP\n.B XDG_CACHE_HOME\nCompiled kernels are kept in its folder clutch (~/.cache).\n"
        ".TP\n.B XDG_CONFIG_HOME\nWhat was measured of devices is kept in its folder clutch/tune (~/.config).\n"
        ".TP\n.B XDG_DATA_HOME\nData sets are looked for in its folder clutch (~/.local/share).\n"
        ".TP\n.B CLUTCH_TUNE\n\"off\": nothing is measured at the first use of a device.\n"
        ".TP\n.B COLUMNS\nHow wide help is where the output is no terminal (80).\n"
        ".SH FILES\nA run folder holds run.json, metrics.jsonl, model.safetensors, checkpoint.safetensors, pictures/ "
        "and index.html.\n";
    struct text out = {0};
    text_add(&out, ".TH CLUTCH 1 \"\" \"clutch %s\" \"User commands\"\n.SH NAME\nclutch \\- trains neural networks on "
             "OpenCL devices\n.SH SYNOPSIS\n.B clutch\n.I COMMAND\n[arguments and options, in any order]\n"
             ".SH COMMANDS\n", cmd_version());
    enum st s = each_option_list(add_command, &out);
    text_add(&out, "%s", ends);
    return output_text(s, &out);
}
