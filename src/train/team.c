/* A run of all workers: their threads, what they report, how they end. */
#include "team.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WATCH_NS = 200000000 }; /* between two looks at how far a run is */

/* ---- micro-batches ----------------------------------------------------------------------------------------------- */

int team_micro(const struct team *team, int rows)
{
    int most = rows / team->batch_min;
    return most < 1 ? 1 : most < team->micro ? most : team->micro;
}

int team_micro_rows(int rows, int micro, int m, int *first)
{
    *first = (int)((int64_t)rows * m / micro);
    return (int)((int64_t)rows * (m + 1) / micro) - *first;
}

uint64_t team_samples(const struct team *team)
{
    return split_of(team->train->set, (int)team->split)->n;
}

/* ---- from workers ------------------------------------------------------------------------------------------------ */

static void stop_mailboxes(struct team *team)
{
    for (int k = 0; k < team->n; k++) {
        if (team->worker[k].to_above)
            sg_mailbox_stop(team->worker[k].to_above);
        if (team->worker[k].to_below)
            sg_mailbox_stop(team->worker[k].to_below);
    }
}

void team_fail(struct team *team, const struct worker *w, enum st s)
{
    if (s == ST_STOPPED)
        return; /* somebody else has told why */
    monitor_enter(team->changed);
    if (team->failed == ST_OK) {
        team->failed = s;
        snprintf(team->message, sizeof team->message, "module %d on %s: %s", w->index, w->place->label, st_message());
    }
    monitor_leave(team->changed);
    stop_mailboxes(team);
}

void team_report(struct team *team, const struct train_result *sum, uint64_t steps_done)
{
    monitor_enter(team->changed);
    team->sum = *sum;
    team->done = steps_done;
    monitor_leave(team->changed);
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

void team_begin_counts(struct team *team)
{
    for (int k = 0; k < team->n; k++) {
        struct worker *w = &team->worker[k];
        w->epoch_updates = w->targets = w->stale_sum = w->stale_most = 0;
    }
    team_watch_anew(team);
}

void team_watch_anew(struct team *team)
{
    for (int k = 0; k < team->n; k++) {
        struct worker *w = &team->worker[k];
        w->traced_steps = w->traced_ns = 0;
        memset(w->wait_ns, 0, sizeof w->wait_ns);
        w->busy_ns_before = w->emulated.busy_ns;
    }
}

/* Of the run: real, or the latest of its emulated devices. */
static struct train_clock clock_of(const struct team *team)
{
    return team->emulator ? (struct train_clock){.ns = ocl_emulator_now(team->emulator)} : train_clock_start();
}

/* With the monitor held: what is done so far, as an epoch that is not over. */
static void watch_run(struct team *team, struct train_clock *since)
{
    struct train_epoch sofar;
    uint64_t done = team->done;
    if (done == 0)
        return;
    struct train now = *team->train; /* workers read t->step; only this copy moves on */
    now.sum = team->sum;
    now.step += done;
    now.step_in_epoch += done;
    monitor_leave(team->changed);
    train_clock_take(&now, since, clock_of(team));
    team->train->epoch_ns = now.epoch_ns; /* of these no worker knows */
    team->train->watched_ns = now.watched_ns;
    train_fill_epoch(&now, &sofar);
    team->watch->progress(team->watch->user, &sofar, done, team->steps);
    monitor_enter(team->changed);
}

static void wait_for_workers(struct team *team, struct train_clock *since)
{
    bool watched = team->watch && team->watch->progress;
    monitor_enter(team->changed);
    while (team->running > 0)
        if (watched) {
            monitor_wait_until(team->changed, clock_ns() + WATCH_NS);
            if (team->running > 0)
                watch_run(team, since);
        } else {
            monitor_wait(team->changed);
        }
    monitor_leave(team->changed);
}

/* A run that went well leaves nothing on its way. */
static enum st check_mailboxes(const struct team *team)
{
    for (int k = 0; k < team->n; k++) {
        struct sg_mailbox *const box[] = {team->worker[k].to_above, team->worker[k].to_below};
        for (size_t i = 0; i < COUNT_OF(box); i++) {
            struct sg_mailbox_counts n = box[i] ? sg_mailbox_counts(box[i]) : (struct sg_mailbox_counts){0};
            if (n.sent != n.taken)
                return st_fail(ST_INTERNAL, "module %d sent %llu messages, %llu were taken", k,
                               (unsigned long long)n.sent, (unsigned long long)n.taken);
        }
    }
    return ST_OK;
}

static void begin_run(struct team *team, enum train_split split, bool training, uint64_t first, uint64_t steps,
                      double *losses, const struct train_watch *watch)
{
    team->split = split;
    team->training = training;
    team->first = first;
    team->steps = steps;
    team->end = first + steps;
    team->watch = watch;
    team->losses = losses;
    team->sum = training ? team->train->sum : (struct train_result){0};
    team->worker[team->n - 1].sum = team->sum;
    team->done = 0;
    team->failed = ST_OK;
    team->running = team->n;
    for (int k = 0; k < team->n; k++)
        ocl_emulated_join(&team->worker[k].emulated);
    for (uint64_t i = 0; losses && i < steps; i++)
        losses[i] = 0;
}

/* The steps of a run, and the time it took, become the train's. */
static void count_run(struct team *team, struct train_clock *since)
{
    struct train *t = team->train;
    uint64_t steps = team->end - team->first;
    train_clock_take(t, since, clock_of(team));
    t->sum = team->sum;
    t->step += steps;
    t->step_in_epoch += steps;
    t->watched_steps += steps;
}

enum st team_run(struct team *team, enum train_split split, bool training, uint64_t first, uint64_t steps,
                 double *losses, const struct train_watch *watch)
{
    enum st s = ST_OK;
    struct train_clock since = clock_of(team);
    begin_run(team, split, training, first, steps, losses, watch);
    for (int k = 0; k < team->n && s == ST_OK; k++) {
        s = thread_start(worker_run, &team->worker[k], &team->worker[k].thread);
        if (s != ST_OK) {
            stop_mailboxes(team); /* those that run end; the others never began */
            for (int i = k; i < team->n; i++)
                ocl_emulated_leave(&team->worker[i].emulated);
            monitor_enter(team->changed);
            team->running -= team->n - k;
            monitor_leave(team->changed);
        }
    }
    wait_for_workers(team, &since);
    for (int k = 0; k < team->n; k++) {
        thread_join(team->worker[k].thread);
        team->worker[k].thread = NULL;
    }
    if (s == ST_OK && team->failed != ST_OK)
        s = st_fail(team->failed, "%s", team->message);
    if (s == ST_OK && training)
        count_run(team, &since);
    return s == ST_OK ? check_mailboxes(team) : s;
}

/* ---- epochs ------------------------------------------------------------------------------------------------------ */

/* Shares are of the time that was watched. */
static struct train_module_epoch module_epoch(const struct worker *w)
{
    const struct train *t = w->team->train;
    double ns = (double)t->watched_ns;
    struct train_module_epoch e = {.busy = NAN, .updates = w->epoch_updates, .targets = w->targets,
                                   .stale_most = w->stale_most};
    if (w->targets)
        e.stale_steps = (double)w->stale_sum / (double)w->targets;
    if (w->emulated.shared) {
        e.busy = fmin(1, (double)(w->emulated.busy_ns - w->busy_ns_before) / ns);
    } else if (w->traced_steps) {
        e.busy = fmin(1, (double)w->traced_ns / (double)w->traced_steps * (double)t->watched_steps / ns);
    }
    e.wait_input = fmin(1, (double)w->wait_ns[WAIT_INPUT] / ns);
    e.wait_space = fmin(1, (double)w->wait_ns[WAIT_SPACE] / ns);
    e.wait_gradient = fmin(1, (double)w->wait_ns[WAIT_GRADIENT] / ns);
    return e;
}

enum st team_epoch(struct team *team, const struct train_watch *watch, struct train_epoch *out)
{
    enum st s = ST_OK;
    struct train *t = team->train;
    TRY(team_run(team, TRAIN_TRAINING, true, t->step_in_epoch, t->steps_per_epoch - t->step_in_epoch, NULL, watch));
    train_fill_epoch(t, out);
    out->modules = team->n;
    for (int k = 0; k < team->n; k++)
        out->module[k] = module_epoch(&team->worker[k]);
    train_end_steps(t);
out:
    return s;
}

enum st team_shuffle(struct team *team, uint64_t seed, uint32_t epoch)
{
    return feed_shuffle(&team->worker[0].feed[TRAIN_TRAINING], seed, epoch);
}

enum st team_evaluate(struct team *team, enum train_split split, struct train_result *out)
{
    enum st s = ST_OK;
    uint64_t n = split_of(team->train->set, (int)split)->n, batch = (uint64_t)team->train->batch;
    TRY(team_run(team, split, false, 0, (n + batch - 1) / batch, NULL, NULL));
    *out = (struct train_result){.loss = team->sum.loss / (double)n, .accuracy = team->sum.accuracy / (double)n,
                                 .samples = n};
out:
    return s;
}

/* ---- spans ------------------------------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
    const struct train_span *x = a, *y = b;
    return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

enum st train_spans(struct train *t, const struct train_span **spans, int *n)
{
    enum st s = ST_OK;
    size_t count = 0;
    *spans = NULL;
    *n = 0;
    if (!t->team)
        return ST_OK;
    for (int k = 0; k < t->team->n; k++)
        count += (size_t)t->team->worker[k].spans;
    mem_free(t->team->all_spans);
    TRY(NEW(t->team->all_spans, count));
    for (int k = 0, at = 0; k < t->team->n; k++) {
        const struct worker *w = &t->team->worker[k];
        memcpy(t->team->all_spans + at, w->span, (size_t)w->spans * sizeof *w->span);
        qsort(t->team->all_spans + at, (size_t)w->spans, sizeof *w->span, by_start);
        at += w->spans;
    }
    *spans = t->team->all_spans;
    *n = (int)count;
out:
    return s;
}

enum st train_probe(struct train *t, struct train_alignment out[PLAN_MODULES_MAX])
{
    return t->team ? team_probe(t->team, out) : ST_OK;
}
