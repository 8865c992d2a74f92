/* Command-line options from a table: parsing, checking, and the help text. */
#include "inside.h"

#include <stdio.h>
#include <string.h>

const char schedule_help[] = "of the rate: falls as a cosine to 0; to a tenth after half of the steps and a hundredth "
                             "after three quarters; stays (cosine)";

enum { HELP_AT = 26, HELP_WIDTH_MAX = 100 };

static void (*visitor)(void *user, const struct arg_list *list);
static void *visitor_user;

void args_visit(void (*visit)(void *user, const struct arg_list *list), void *user)
{
    visitor = visit;
    visitor_user = user;
}

/* ---- help -------------------------------------------------------------------------------------------------------- */

/* Words in lines of `width` columns, each but the first line from column `indent`; the first goes on at `at`. */
static void print_wrapped(const char *words, int at, int indent, int width)
{
    int column = at;
    for (const char *word = words; *word;) {
        size_t len = strcspn(word, " ");
        if (column > indent && column + 1 + (int)len > width) {
            output("\n%*s", indent, "");
            column = indent;
        } else if (word != words) {
            output(" ");
            column++;
        }
        output("%.*s", (int)len, word);
        column += (int)len;
        word += len;
        word += strspn(word, " ");
    }
    output("\n");
}

void args_help(const struct arg_list *l)
{
    int width = terminal_width() < HELP_WIDTH_MAX ? terminal_width() : HELP_WIDTH_MAX;
    int at = width >= 2 * HELP_AT ? HELP_AT : 6; /* a narrow one has no room for two columns */
    output("usage: clutch ");
    output_lines(l->usage);
    output("\n");
    for (const char *line = l->about; line && *line; line += *line == '\n') {
        char words[512];
        size_t len = strcspn(line, "\n"), blanks = strspn(line, " ");
        snprintf(words, sizeof words, "%.*s", (int)(len - blanks), line + blanks);
        output("%*s", (int)blanks, "");
        print_wrapped(words, (int)blanks, blanks ? (int)blanks + 8 : 0, width);
        line += len;
    }
    for (int i = 0; i < l->n; i++) {
        const struct arg *a = &l->args[i];
        int column = 2 + (int)strlen(a->name) + (a->value ? 1 + (int)strlen(a->value) : 0);
        output("  %s%s%s", a->name, a->value ? " " : "", a->value ? a->value : "");
        if (column + 2 > at)
            output("\n%*s", at, "");
        else
            output("%*s", at - column, "");
        print_wrapped(a->help, at, at, width);
    }
}

bool args_positional(const struct arg_list *l, int i, char *out, size_t size)
{
    const char *word = l->usage + strcspn(l->usage, " \n");
    for (;; i--) {
        word += strspn(word, " ");
        size_t len = strcspn(word, " \n");
        if (!len || *word == '[' || *word == '-' || *word == '(')
            return false;
        if (i == 0) {
            snprintf(out, size, "%.*s", (int)len, word);
            return true;
        }
        word += len;
    }
}

/* ---- parsing ----------------------------------------------------------------------------------------------------- */

static const char *option_name(const void *of, size_t i)
{
    const struct arg_list *l = of;
    return i < (size_t)l->n ? l->args[i].name : NULL;
}

static enum st unknown(const struct arg_list *l, const char *word)
{
    char text[SHOW_UNKNOWN_MAX];
    return st_fail(ST_INPUT, "%s", show_unknown(text, sizeof text, "option", word, option_name, l));
}

static enum st take_value(const struct arg *a, const char *value)
{
    switch (a->type) {
    case ARG_FLAG:
        *(bool *)a->out = true;
        return ST_OK;
    case ARG_TEXT:
        *(const char **)a->out = value;
        return ST_OK;
    case ARG_WHOLE:
        if (!parse_i64(value, a->out))
            return st_fail(ST_INPUT, "%s is '%s', must be a whole number", a->name, value);
        return ST_OK;
    case ARG_REAL:
        if (!parse_f64(value, a->out))
            return st_fail(ST_INPUT, "%s is '%s', must be a number", a->name, value);
        return ST_OK;
    }
    return st_fail(ST_INTERNAL, "option %s has no type", a->name);
}

/* argv[*i] is an option; moves *i to the last word it takes. */
static enum st take_option(struct arg_list *l, int argc, char **argv, int *i)
{
    const char *word = argv[*i], *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    for (int k = 0; k < l->n; k++) {
        const struct arg *a = &l->args[k];
        if (strlen(a->name) != len || strncmp(a->name, word, len) != 0)
            continue;
        l->given |= (uint64_t)1 << k;
        if (a->type == ARG_FLAG)
            return equals ? st_fail(ST_INPUT, "%s takes no value", a->name) : take_value(a, NULL);
        if (equals)
            return take_value(a, equals + 1);
        if (*i + 1 == argc)
            return st_fail(ST_INPUT, "%s needs a value: %s", a->name, a->value);
        return take_value(a, argv[++*i]);
    }
    return unknown(l, word);
}

/* A usage of several lines has the first, which is the common one, in a message. */
static enum st wrong_count(const struct arg_list *l, int n, const char *surplus)
{
    char missing[64];
    int usage = (int)strcspn(l->usage, "\n");
    if (surplus)
        return st_fail(ST_INPUT, "too many arguments at '%s'; usage: clutch %.*s", surplus, usage, l->usage);
    if (!args_positional(l, n, missing, sizeof missing))
        return st_fail(ST_INPUT, "too few arguments; usage: clutch %.*s", usage, l->usage);
    return st_fail(ST_INPUT, "%s is missing; usage: clutch %.*s", missing, usage, l->usage);
}

enum st args_parse(struct arg_list *l, int argc, char **argv)
{
    int n = 0;
    if (visitor) {
        visitor(visitor_user, l);
        l->help = true;
        return ST_OK;
    }
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            args_help(l);
            l->help = true;
            return ST_OK;
        }
        if (argv[i][0] == '-' && argv[i][1]) {
            enum st s = take_option(l, argc, argv, &i);
            if (s != ST_OK)
                return s;
        } else if (n == l->most) {
            return wrong_count(l, n, argv[i]);
        } else {
            l->positional[n++] = argv[i];
        }
    }
    if (n < l->least)
        return wrong_count(l, n, NULL);
    l->positional[n] = NULL;
    return ST_OK;
}

enum st args_check(const char *name, int64_t v, int64_t least, int64_t most)
{
    if (v >= least && v <= most)
        return ST_OK;
    return st_fail(ST_INPUT, "%s is %lld, must be from %lld to %lld", name, (long long)v, (long long)least,
                   (long long)most);
}

/* ---- options without effect -------------------------------------------------------------------------------------- */

bool args_given(const struct arg_list *l, const char *name)
{
    for (int k = 0; k < l->n; k++)
        if ((l->given >> k & 1) && strcmp(l->args[k].name, name) == 0)
            return true;
    return false;
}

enum st args_check_effects(const struct arg_list *l, const struct arg_effect *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].useless && args_given(l, rows[i].name))
            return st_fail(ST_INPUT, "%s has no effect here: %s", rows[i].name, rows[i].why);
    return ST_OK;
}

enum st args_check_optimizer(const struct arg_list *l, const struct train_options *o)
{
    for (int k = 0; k < l->n; k++)
        if ((l->given >> k & 1) && !train_heeds(o, l->args[k].name + strspn(l->args[k].name, "-")))
            return st_fail(ST_INPUT, "%s has no effect here: --optimizer %s does not take it", l->args[k].name,
                           o->optimizer);
    return ST_OK;
}
