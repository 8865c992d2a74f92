/* Options of a training run, their limits, and learning-rate schedules. */
#include "inside.h"

#include <math.h>
#include <string.h>

static double constant(double done)
{
    (void)done;
    return 1;
}

static double cosine(double done)
{
    /* Loshchilov and Hutter, arXiv 1608.03983, without restarts */
    return 0.5 * (1 + cos(3.14159265358979323846 * done));
}

static double steps(double done)
{
    return done < 0.5 ? 1 : done < 0.75 ? 0.1 : 0.01;
}

/* A schedule: the share of the rate left when the share `done` of all steps behind the warm-up is done. */
static const struct {
    const char *name;
    double (*share)(double done);
} schedules[] = {{"cosine", cosine}, {"step", steps}, {"none", constant}};

const char *train_optimizer_name(int i)
{
    const struct nn_optimizer *o = nn_optimizer_at(i);
    return o ? o->name : NULL;
}

static bool takes(const struct nn_optimizer *o, const char *option)
{
    for (size_t i = 0; o && i < COUNT_OF(o->takes) && o->takes[i]; i++)
        if (strcmp(o->takes[i], option) == 0)
            return true;
    return false;
}

bool train_heeds(const struct train_options *o, const char *option)
{
    bool special = false;
    for (int i = 0; nn_optimizer_at(i); i++)
        special = special || takes(nn_optimizer_at(i), option);
    return !special || takes(nn_optimizer_find(o->optimizer), option);
}

void train_options_show(const struct train_options *o, struct text *out)
{
    const struct nn_optimizer *optimizer = nn_optimizer_find(o->optimizer);
    text_add(out, "%s", o->optimizer);
    if (optimizer && optimizer->fixed)
        text_add(out, ", %s", optimizer->fixed);
    if (train_heeds(o, "momentum"))
        text_add(out, ", momentum %g%s", o->momentum, train_heeds(o, "nesterov") && o->nesterov ? " (nesterov)" : "");
    text_add(out, ", weight decay %g, rate %g (%s", o->weight_decay, o->lr, o->schedule);
    if (o->warmup > 0)
        text_add(out, " behind a warm-up of %g epoch%s", o->warmup, o->warmup == 1 ? "" : "s");
    text_add(out, "), batch %d, %d epoch%s", o->batch, o->epochs, plural((uint64_t)o->epochs));
}

struct nn_update train_update(const struct train_options *o, double rate, uint64_t t)
{
    return (struct nn_update){.rate = rate, .momentum = o->momentum, .weight_decay = o->weight_decay,
                              .nesterov = o->nesterov, .t = t};
}

const char *train_schedule_name(int i)
{
    return i >= 0 && (size_t)i < COUNT_OF(schedules) ? schedules[i].name : NULL;
}

struct train_options train_defaults(void)
{
    return (struct train_options){.epochs = 10, .batch = 128, .optimizer = "adam", .schedule = "cosine", .lr = 1e-3,
                                  .momentum = 0.9, .seed = 1};
}

double train_rate(const struct train_options *o, uint64_t step, uint64_t all, uint64_t steps_per_epoch)
{
    double warmup = o->warmup * (double)steps_per_epoch;
    if ((double)step < warmup)
        return o->lr * (double)(step + 1) / (floor(warmup) + 1);
    double done = (double)all > warmup ? ((double)step - warmup) / ((double)all - warmup) : 0;
    for (size_t i = 0; i < COUNT_OF(schedules); i++)
        if (strcmp(schedules[i].name, o->schedule) == 0)
            return o->lr * schedules[i].share(done);
    return o->lr; /* train_check_options() knows no other name */
}

static const char *optimizer_name(const void *unused, size_t i)
{
    (void)unused;
    return train_optimizer_name((int)i);
}

static const char *schedule_name(const void *unused, size_t i)
{
    (void)unused;
    return train_schedule_name((int)i);
}

static enum st check_name(const char *option, const char *name, show_name *known)
{
    char unknown[SHOW_UNKNOWN_MAX];
    for (size_t i = 0; known(NULL, i); i++)
        if (strcmp(known(NULL, i), name) == 0)
            return ST_OK;
    return st_fail(ST_INPUT, "%s", show_unknown(unknown, sizeof unknown, option, name, known, NULL));
}

static enum st check_number(const char *what, double v, double least, double most)
{
    if (!(v >= least && v <= most))
        return st_fail(ST_INPUT, "--%s is %g, must be from %g to %g", what, v, least, most);
    return ST_OK;
}

enum st train_check_options(const struct train_options *o)
{
    enum st s = ST_OK;
    TRY(check_name("--optimizer", o->optimizer, optimizer_name));
    TRY(check_name("--schedule", o->schedule, schedule_name));
    TRY(check_number("epochs", o->epochs, 1, 100000));
    TRY(check_number("batch", o->batch, 1, 65536));
    TRY(check_number("lr", o->lr, 1e-12, 1e3));
    TRY(check_number("momentum", o->momentum, 0, 0.9999));
    TRY(check_number("weight-decay", o->weight_decay, 0, 1));
    TRY(check_number("warmup", o->warmup, 0, o->epochs));
    if (o->nesterov && o->momentum == 0)
        TRY(st_fail(ST_INPUT, "--nesterov needs a --momentum above 0"));
out:
    return s;
}
