/* clutch train: a net, data, devices, a run folder; the epochs, and what is told of them. */
#include "session.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- metrics ----------------------------------------------------------------------------------------------------- */

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

/* A row a module; with those that train on devices of their own go what they waited for, and how good the gradient at
 * the cut above is. */
static json_t *modules_json(const struct session *c, const struct train_epoch *e)
{
    json_t *all = json_array();
    for (int k = 0; k < e->modules; k++) {
        const struct train_module_epoch *m = &e->module[k];
        struct train_module facts = train_module_at(c->train, k);
        json_t *one = json_pack("{s:o, s:o, s:f}", "device", json_foreign(facts.device), "busy", number(m->busy),
                                "stale_steps", m->stale_steps);
        json_t *more = json_pack("{s:I, s:I, s:I, s:f, s:f, s:f}", "stale_most", (json_int_t)m->stale_most, "updates",
                                 (json_int_t)m->updates, "targets", (json_int_t)m->targets, "wait_input", m->wait_input,
                                 "wait_space", m->wait_space, "wait_gradient", m->wait_gradient);
        if (e->modules > 1 && json_object_update(one, more) != 0) { /* which takes no NULL */
            json_decref(one);
            one = NULL;
        }
        json_decref(more);
        if (facts.spec) {
            json_put(&one, "cosine", number(c->alignment[k].cosine));
            json_put(&one, "norm_ratio", number(c->alignment[k].norm_ratio));
        }
        json_push(&all, one);
    }
    return all;
}

static json_t *metrics_json(const struct session *c, const struct train_epoch *e, const struct train_result *test,
                            const struct train_result *validation)
{
    json_t *one = json_pack("{s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "epoch", e->epoch, "step",
                            (json_int_t)e->step, "seconds", train_seconds(c->train), "train_loss", e->train.loss,
                            "train_accuracy", e->train.accuracy, "test_loss", test->loss, "test_accuracy",
                            test->accuracy,
                            "samples_per_second", (double)e->train.samples / e->seconds, "learning_rate", e->rate);
    if (validation->samples) {
        json_put(&one, "validation_loss", number(validation->loss));
        json_put(&one, "validation_accuracy", json_real(validation->accuracy));
    }
    json_put(&one, "modules", modules_json(c, e));
    return one;
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

static enum st metrics_line(const struct session *c, const struct train_epoch *e, const struct train_result *test,
                            const struct train_result *validation, struct text *out)
{
    enum st s = ST_OK;
    json_t *one = metrics_json(c, e, test, validation);
    TRY(json_check(one));
    TRY(json_line(one, out));
out:
    json_decref(one);
    return s;
}

/* An epoch is over: what it came to is measured, kept, and only then told. */
static enum st end_epoch(struct session *c, const struct train_epoch *e)
{
    enum st s = ST_OK;
    struct train_result test, validation = {0};
    struct text line = {0};
    TRY(train_evaluate(c->train, TRAIN_TEST, &test));
    if (c->set->validation.n)
        TRY(train_evaluate(c->train, TRAIN_VALIDATION, &validation));
    TRY(train_probe(c->train, c->alignment));
    const struct train_result *held = validation.samples ? &validation : &test;
    TRY(metrics_line(c, e, &test, &validation, &line));
    TRY(session_save(c, line.s, held->accuracy));
    if (c->json) {
        output_lines(line.s);
        output("\n");
    } else {
        progress_epoch(&c->progress, e, held);
        progress_modules(e, c->alignment);
    }
    TRY(drawer_epoch(c->drawer, c->train, session_finished(c)));
    if (session_finished(c) && !c->json)
        output("test accuracy %.4f, loss %.4f after %d epoch%s and %.1f s of training\n", test.accuracy, test.loss,
               e->epoch, plural((uint64_t)e->epoch), train_seconds(c->train));
out:
    text_free(&line);
    return s;
}

/* The next change of the run that is repeated; NULL: there is none. */
static const struct run_change *next_change(const struct session *c)
{
    return c->changes_made < c->repeated.change_count ? &c->repeated.change[c->changes_made] : NULL;
}

static enum st make_changes(struct session *c)
{
    enum st s = ST_OK;
    for (const struct run_change *change; (change = next_change(c)) && change->step <= train_steps_done(c->train);) {
        TRY(run_facts_change(c->folder, &c->facts, change));
        c->changes_made++;
    }
out:
    return s;
}

static void show_progress(void *user, const struct train_epoch *sofar, uint64_t done, uint64_t of)
{
    struct session *c = user;
    progress_step(&c->progress, sofar, done, of);
}

static bool wants_pause(void *user, uint64_t step)
{
    const struct session *c = user;
    const struct run_change *change = next_change(c);
    return interrupted() || clock_ns() >= c->save_at_ns || (change && change->step == step + 1);
}

/* The rest of an epoch, or as much of it as there is until something is to be done in between. */
static enum st some_steps(struct session *c)
{
    enum st s = ST_OK;
    struct train_epoch e;
    struct train_watch watch = {.progress = show_progress, .pause = wants_pause, .user = c};
    TRY(make_changes(c));
    TRY(train_epoch_run(c->train, &watch, &e));
    TRY(make_changes(c)); /* there may be more epochs than this one then */
    TRY(e.whole ? end_epoch(c, &e) : session_save(c, NULL, 0));
out:
    return s == ST_NUMERIC ? session_restore(c) : s;
}

/* A word as a shell takes it; one that needs quotes and has quotes itself is left as it is. */
static const char *quoted(const char *word, char *out, size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,=@%";
    bool as_it_is = strspn(word, plain) == strlen(word) || strchr(word, '\'') || strlen(word) + 3 > size;
    snprintf(out, size, as_it_is ? "%s" : "'%s'", word);
    return out;
}

static enum st tell_interrupted(const struct session *c)
{
    char folder[PATH_MAX];
    int epochs = c->facts.options.epochs;
    return st_fail(ST_INTERRUPTED, "interrupted by %s after step %llu (%d of %d epoch%s %s done), and saved; go "
                   "on with: clutch train --resume %s", interrupt_name(interrupted()),
                   (unsigned long long)train_steps_done(c->train), train_epochs_done(c->train),
                   epochs, plural((uint64_t)epochs), epochs == 1 ? "is" : "are",
                   quoted(c->folder, folder, sizeof folder));
}

static enum st train_all(struct session *c)
{
    enum st s = ST_OK;
    progress_open(&c->progress, c->facts.options.epochs, train_epochs_done(c->train), c->json);
    progress_head(&c->progress, c->set->validation.n > 0, train_module_count(c->train));
    session_set_next_save(c);
    interrupt_catch();
    while (!session_finished(c)) {
        TRY(some_steps(c));
        c->progress.epochs = c->facts.options.epochs;
        if (interrupted() && !session_finished(c))
            TRY(tell_interrupted(c));
    }
out:
    return s;
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static void tell_finished(const struct session *c)
{
    const struct run_facts *f = &c->facts;
    char page[PATH_MAX];
    if (f->draw_every != 0 && store_path(c->folder, "index.html", page, sizeof page) == ST_OK && !file_exists(page))
        drawer_page(c->folder, c->done, c->json); /* the run was killed behind its last checkpoint */
    if (c->json)
        return;
    if (c->done < f->options.epochs)
        output("finished: %s ended after %d of %d epochs, %d behind its best (epoch %d); --patience with more goes "
               "on\n", c->folder, c->done, f->options.epochs, c->done - c->best_epoch, c->best_epoch);
    else
        output("finished: %s has its %d epoch%s; --epochs with more goes on\n", c->folder, c->done,
               plural((uint64_t)c->done));
}

static enum st finish(struct session *c)
{
    enum st s = ST_OK;
    int done = train_epochs_done(c->train);
    if (train_module_count(c->train) > 1)
        TRY(trace_write(c->train, c->folder));
    if (!c->json && done < c->facts.options.epochs)
        output("no better for %d epoch%s: the run ends (--patience)\n", done - c->best_epoch,
               plural((uint64_t)(done - c->best_epoch)));
    if (!c->json && c->best_epoch && c->best_epoch < done)
        output("best: epoch %d, %s accuracy %.4f (model-best.safetensors)\n", c->best_epoch,
               c->set->validation.n ? "validation" : "test", c->best_accuracy);
    drawer_finish(c->drawer, c->json);
    c->drawer = NULL;
    if (!c->json)
        output("run folder: %s\n", c->folder);
out:
    return s;
}

static enum st run(int argc, char **argv)
{
    enum st s = ST_OK;
    struct wishes w;
    struct session c = {0};
    bool help = false, finished = false;
    TRY(wishes_read(argc, argv, &w, &help));
    if (help)
        return ST_OK;
    c.json = w.json;
    s = w.resume ? session_resume(&c, &w, &finished) : w.repeat ? session_repeat(&c, &w) : session_start(&c, &w);
    if (s != ST_OK && c.run)
        store_run_abandon(c.run);
    TRY(s);
    if (finished) {
        tell_finished(&c);
        goto out;
    }
    TRY(drawer_open(c.folder, &c.facts, c.train, c.facts.draw_every, &c.drawer));
    TRY(train_all(&c));
    TRY(finish(&c));
out:
    session_close(&c);
    return s;
}

const struct command cmd_train = {.name = "train", .summary = "train a net on data", .run = run};
