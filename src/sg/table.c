/* The table of couplings, and their words. */
#include "inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of kinds with the same name the first is the default; the first of all is what a coupling is that nobody named. */
static const struct sg_kind *const kinds[] = {&sg_csg_ls,  &sg_csg_adam, &sg_sg_ls,     &sg_sg_adam,
                                              &sg_local,   &sg_predsim,  &sg_vir,       &sg_classmean,
                                              &sg_fixed,   &sg_exact,    &sg_none};

const struct sg_kind *sg_kind_at(int i)
{
    return i >= 0 && (size_t)i < COUNT_OF(kinds) ? kinds[i] : NULL;
}

const char *sg_kind_name(const struct sg_kind *kind)
{
    return kind->name;
}

const char *sg_kind_solver(const struct sg_kind *kind)
{
    return kind->solver;
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

/* The first row of each name; NULL behind the last. */
static const char *kind_name(const void *unused, size_t i)
{
    (void)unused;
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        bool first = k == 0 || strcmp(kinds[k]->name, kinds[k - 1]->name) != 0;
        if (first && i-- == 0)
            return kinds[k]->name;
    }
    return NULL;
}

static enum st unknown_kind(const char *word)
{
    char unknown[SHOW_UNKNOWN_MAX];
    return st_fail(ST_INPUT, "%s", show_unknown(unknown, sizeof unknown, "coupling", word, kind_name, NULL));
}

static const char *option_key(const void *kind, size_t i)
{
    const struct sg_kind *k = kind;
    if (k->solver && i-- == 0)
        return "solver";
    return i < SG_OPTIONS_MAX ? k->options[i].key : NULL;
}

/* "csg", or "csg solver=adam" where that is not the first of its name. */
static const char *show_kind(char out[NUMBER_MAX], const struct sg_kind *kind)
{
    size_t i = 0;
    while (strcmp(kinds[i]->name, kind->name) != 0)
        i++;
    bool first = kinds[i] == kind;
    snprintf(out, NUMBER_MAX, "%s%s%s", kind->name, first ? "" : " solver=", first ? "" : kind->solver);
    return out;
}

/* Another solver that has the option, or NULL. */
static const struct sg_kind *other_with(const struct sg_kind *kind, const char *key)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        for (int o = 0; strcmp(kinds[i]->name, kind->name) == 0 && o < SG_OPTIONS_MAX && kinds[i]->options[o].key; o++)
            if (strcmp(kinds[i]->options[o].key, key) == 0)
                return kinds[i];
    return NULL;
}

static enum st unknown_option(const struct sg_kind *kind, const char *word)
{
    char unknown[SHOW_UNKNOWN_MAX], words[NUMBER_MAX];
    const struct sg_kind *has = other_with(kind, word);
    if (has)
        return st_fail(ST_INPUT, "%s has no %s: '%s solver=%s' has it", show_kind(words, kind), word, kind->name,
                       has->solver);
    return st_fail(ST_INPUT, "%s: %s", show_kind(words, kind),
                   show_unknown(unknown, sizeof unknown, "option", word, option_key, kind));
}

/* One word in two: key and value. */
struct pair {
    char *key, *value;
};

static enum st take_option(struct sg_spec *spec, const struct pair *word, bool given[SG_OPTIONS_MAX])
{
    const struct sg_kind *kind = spec->kind;
    for (int i = 0; i < SG_OPTIONS_MAX && kind->options[i].key; i++) {
        const struct nn_option *o = &kind->options[i];
        double v;
        char least[NUMBER_MAX], most[NUMBER_MAX];
        if (strcmp(o->key, word->key) != 0)
            continue;
        if (!parse_f64(word->value, &v) || v < o->least || v > o->most || (o->whole && v != floor(v)))
            return st_fail(ST_INPUT, "%s: %s is '%s', must be a%s number from %s to %s", kind->name, o->key,
                           word->value, o->whole ? " whole" : "", show_number(least, o->least),
                           show_number(most, o->most));
        if (given[i])
            return st_fail(ST_INPUT, "%s: %s is given twice", kind->name, o->key);
        given[i] = true;
        spec->option[i] = v;
        return ST_OK;
    }
    return unknown_option(kind, word->key);
}

/* The kind of that name, and solver where it is given. */
static enum st find_kind(const char *name, const char *solver, const struct sg_kind **out)
{
    char solvers[64] = "";
    bool known = false;
    for (size_t i = 0, used = 0; i < COUNT_OF(kinds); i++) {
        *out = kinds[i];
        if (strcmp(kinds[i]->name, name) != 0)
            continue;
        if (!solver || (kinds[i]->solver && strcmp(kinds[i]->solver, solver) == 0))
            return ST_OK;
        if (kinds[i]->solver)
            used += (size_t)snprintf(solvers + used, sizeof solvers - used, "%s%s", used ? " or " : "",
                                     kinds[i]->solver);
        known = true;
        if (!kinds[i]->solver)
            return unknown_option(kinds[i], "solver");
    }
    return known ? st_fail(ST_INPUT, "%s: solver is '%s', must be %s", name, solver, solvers) : unknown_kind(name);
}

/* Parts `text` at blanks: the first word, and key=value in all others. */
enum { WORDS_MAX = 2 * SG_OPTIONS_MAX };
static enum st split_words(char *text, char **name, struct pair word[WORDS_MAX], int *n)
{
    *n = 0;
    *name = NULL;
    for (char *at = text; *(at += strspn(at, " \t"));) {
        char *from = at;
        at += strcspn(at, " \t");
        if (*at)
            *at++ = '\0';
        if (!*name) {
            *name = from;
            continue;
        }
        if (*n == WORDS_MAX)
            return st_fail(ST_INPUT, "a coupling of more than %d options", WORDS_MAX);
        word[*n] = (struct pair){.key = from, .value = strchr(from, '=')};
        if (word[*n].value)
            *word[*n].value++ = '\0';
        ++*n;
    }
    return ST_OK;
}

/* What was given must have an effect. */
static enum st check_needs(const struct sg_spec *spec, const bool given[SG_OPTIONS_MAX])
{
    const struct nn_option *o = spec->kind->options;
    for (int i = 0; i < SG_OPTIONS_MAX && o[i].key; i++)
        if (given[i] && o[i].needs && option_of(spec, o[i].needs, 0) == 0)
            return st_fail(ST_INPUT, "%s: %s has no effect with %s=0", spec->kind->name, o[i].key, o[i].needs);
    for (int i = 0; i < SG_OPTIONS_MAX && o[i].key; i++)
        if (given[i] && o[i].bars && option_of(spec, o[i].bars, 0) > 0)
            return st_fail(ST_INPUT, "%s: %s has no effect with %s=1", spec->kind->name, o[i].key, o[i].bars);
    return ST_OK;
}

enum st sg_spec_parse(const char *words, struct sg_spec *out)
{
    enum st s = ST_OK;
    char text[512], *name;
    const char *solver = NULL;
    struct pair word[WORDS_MAX];
    bool given[SG_OPTIONS_MAX] = {false};
    int n;
    *out = (struct sg_spec){.kind = kinds[0]};
    if (snprintf(text, sizeof text, "%s", words) >= (int)sizeof text)
        return st_fail(ST_INPUT, "a coupling of more than %zu characters", sizeof text - 1);
    TRY(split_words(text, &name, word, &n));
    for (int i = 0; i < n; i++)
        if (strcmp(word[i].key, "solver") == 0 && word[i].value) {
            if (solver)
                TRY(st_fail(ST_INPUT, "%s: solver is given twice", name));
            solver = word[i].value;
        }
    if (name)
        TRY(find_kind(name, solver, &out->kind));
    for (int i = 0; i < SG_OPTIONS_MAX && out->kind->options[i].key; i++)
        out->option[i] = out->kind->options[i].otherwise;
    for (int i = 0; i < n; i++) {
        if (!word[i].value)
            TRY(st_fail(ST_INPUT, "%s: '%s' is no option: options are key=value", name, word[i].key));
        if (strcmp(word[i].key, "solver") != 0)
            TRY(take_option(out, &word[i], given));
    }
    TRY(check_needs(out, given));
out:
    return s;
}

const char *sg_spec_show(const struct sg_spec *spec, char *out, size_t size)
{
    char number[NUMBER_MAX];
    int used = snprintf(out, size, "%s", show_kind(number, spec->kind));
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

bool stays(const struct sg_spec *spec)
{
    return spec->kind->constant || option_of(spec, "frozen", 0) > 0;
}

bool sg_wants_targets(const struct sg_spec *spec)
{
    return spec->kind->targets && !stays(spec);
}

bool sg_frozen(const struct sg_spec *spec)
{
    return spec->kind->frozen;
}

bool sg_net_wanted(const struct sg_spec *spec)
{
    return spec->kind->gradient != NULL;
}

int sg_batch_min(const struct sg_spec *spec)
{
    if (option_of(spec, "hidden", 0) > 0)
        return 2; /* hidden layers come with batch norm */
    return stays(spec) || spec->kind->batch_min == 0 ? 1 : spec->kind->batch_min;
}

int sg_micro_batches(const struct sg_spec *spec)
{
    return (int)option_of(spec, "micro", 1);
}

double sg_update_probability(const struct sg_spec *spec)
{
    return option_of(spec, "p", 1);
}
