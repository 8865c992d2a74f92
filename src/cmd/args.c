/* Command-line options from a table: parsing, checking, and the help text. */
#include "inside.h"

#include <stdio.h>
#include <string.h>

static void print_help(const struct arg_list *l)
{
    printf("usage: clutch %s\n", l->usage);
    for (int i = 0; i < l->n; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", l->args[i].name, l->args[i].value ? l->args[i].value : "");
        printf("  %-24s %s\n", left, l->args[i].help);
    }
}

static enum st unknown(const struct arg_list *l, const char *word)
{
    struct text names = {0};
    for (int i = 0; i < l->n; i++)
        text_add(&names, " %s", l->args[i].name);
    enum st s = st_fail(ST_INPUT, "unknown option '%s'; known:%s", word, names.s && !names.failed ? names.s : " none");
    text_free(&names);
    return s;
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
        l->given |= (uint32_t)1 << k;
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

enum st args_parse(struct arg_list *l, int argc, char **argv)
{
    int n = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(l);
            l->help = true;
            return ST_OK;
        }
        if (argv[i][0] == '-' && argv[i][1]) {
            enum st s = take_option(l, argc, argv, &i);
            if (s != ST_OK)
                return s;
        } else if (n == l->most) {
            return st_fail(ST_INPUT, "too many arguments at '%s'; usage: clutch %s", argv[i], l->usage);
        } else {
            l->positional[n++] = argv[i];
        }
    }
    if (n < l->least)
        return st_fail(ST_INPUT, "too few arguments; usage: clutch %s", l->usage);
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
