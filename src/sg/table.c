/* The table of couplings, and their words. */
#include "inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct sg_kind *const kinds[] = {&sg_csg, &sg_sg, &sg_local, &sg_predsim, &sg_exact, &sg_none};

const struct sg_kind *sg_kind_at(int i)
{
    return i >= 0 && (size_t)i < COUNT_OF(kinds) ? kinds[i] : NULL;
}

const char *sg_kind_name(const struct sg_kind *kind)
{
    return kind->name;
}

const char *sg_kind_help(const struct sg_kind *kind)
{
    return kind->help;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

enum { NUMBER_MAX = 32 };

/* In as few digits as give the same number again. */
static const char *show_number(char out[NUMBER_MAX], double v)
{
    double again;
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(out, NUMBER_MAX, "%.*g", digits, v);
        if (parse_f64(out, &again) && again == v)
            break;
    }
    return out;
}

static const char *kind_name(const void *unused, size_t i)
{
    (void)unused;
    return i < COUNT_OF(kinds) ? kinds[i]->name : NULL;
}

static enum st unknown_kind(const char *word)
{
    char unknown[SHOW_UNKNOWN_MAX];
    return st_fail(ST_INPUT, "%s", show_unknown(unknown, sizeof unknown, "coupling", word, kind_name, NULL));
}

static const char *option_key(const void *options, size_t i)
{
    return i < SG_OPTIONS_MAX ? ((const struct nn_option *)options)[i].key : NULL;
}

static enum st unknown_option(const struct sg_kind *kind, const char *word)
{
    char unknown[SHOW_UNKNOWN_MAX];
    return st_fail(ST_INPUT, "%s: %s", kind->name,
                   show_unknown(unknown, sizeof unknown, "option", word, option_key, kind->options));
}

static enum st take_option(struct sg_spec *spec, char *word, bool given[SG_OPTIONS_MAX])
{
    const struct sg_kind *kind = spec->kind;
    char *value = strchr(word, '=');
    if (!value)
        return st_fail(ST_INPUT, "%s: '%s' is no option: options are key=value", kind->name, word);
    *value++ = '\0';
    for (int i = 0; i < SG_OPTIONS_MAX && kind->options[i].key; i++) {
        const struct nn_option *o = &kind->options[i];
        double v;
        char least[NUMBER_MAX], most[NUMBER_MAX];
        if (strcmp(o->key, word) != 0)
            continue;
        if (!parse_f64(value, &v) || v < o->least || v > o->most || (o->whole && v != floor(v)))
            return st_fail(ST_INPUT, "%s: %s is '%s', must be a%s number from %s to %s", kind->name, o->key, value,
                           o->whole ? " whole" : "", show_number(least, o->least), show_number(most, o->most));
        if (given[i])
            return st_fail(ST_INPUT, "%s: %s is given twice", kind->name, o->key);
        given[i] = true;
        spec->option[i] = v;
        return ST_OK;
    }
    return unknown_option(kind, word);
}

static enum st find_kind(const char *word, const struct sg_kind **out)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i]->name, word) == 0) {
            *out = kinds[i];
            return ST_OK;
        }
    return unknown_kind(word);
}

enum st sg_spec_parse(const char *words, struct sg_spec *out)
{
    enum st s = ST_OK;
    char text[512], *at = text, *word;
    bool given[SG_OPTIONS_MAX] = {false};
    *out = (struct sg_spec){.kind = &sg_csg};
    if (snprintf(text, sizeof text, "%s", words) >= (int)sizeof text)
        return st_fail(ST_INPUT, "a coupling of more than %zu characters", sizeof text - 1);
    for (int n = 0;; n++) {
        at += strspn(at, " \t");
        if (n == 1 || !*at) /* the kind is known */
            for (int i = 0; i < SG_OPTIONS_MAX && out->kind->options[i].key; i++)
                if (!given[i])
                    out->option[i] = out->kind->options[i].otherwise;
        if (!*at)
            break;
        word = at;
        at += strcspn(at, " \t");
        if (*at)
            *at++ = '\0';
        if (n == 0)
            TRY(find_kind(word, &out->kind));
        else
            TRY(take_option(out, word, given));
    }
out:
    return s;
}

const char *sg_spec_show(const struct sg_spec *spec, char *out, size_t size)
{
    char number[NUMBER_MAX];
    int used = snprintf(out, size, "%s", spec->kind->name);
    for (int i = 0; i < SG_OPTIONS_MAX && spec->kind->options[i].key && used > 0 && (size_t)used < size; i++)
        if (spec->option[i] != spec->kind->options[i].otherwise)
            used += snprintf(out + used, size - (size_t)used, " %s=%s", spec->kind->options[i].key,
                             show_number(number, spec->option[i]));
    return out;
}

double option_of(const struct sg_spec *spec, const char *key, double otherwise)
{
    for (int i = 0; i < SG_OPTIONS_MAX && spec->kind->options[i].key; i++)
        if (strcmp(spec->kind->options[i].key, key) == 0)
            return spec->option[i];
    return otherwise;
}

/* ---- what a coupling is like ------------------------------------------------------------------------------------- */

bool sg_waits(const struct sg_spec *spec)
{
    return spec->kind->waits || option_of(spec, "lambda", 0) > 0;
}

bool sg_wants_targets(const struct sg_spec *spec)
{
    return spec->kind->targets;
}

bool sg_frozen(const struct sg_spec *spec)
{
    return spec->kind->frozen;
}

bool sg_net_wanted(const struct sg_spec *spec)
{
    return spec->kind->net != NULL;
}

int sg_batch_min(const struct sg_spec *spec)
{
    return option_of(spec, "hidden", 0) > 0 ? 2 : 1; /* hidden layers come with batch norm */
}

int sg_micro_batches(const struct sg_spec *spec)
{
    return (int)option_of(spec, "micro", 1);
}

double sg_update_probability(const struct sg_spec *spec)
{
    return option_of(spec, "p", 1);
}
