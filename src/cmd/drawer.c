/*
 * Drawing while a run trains: a thread of its own takes copies of the weights from a queue, keeps them in snapshots/,
 * and draws the latest, so that training waits for nothing but the copying. What goes wrong here is told at the end and
 * is no failure of training.
 */
#include "pictures.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum {
    FRAMES = 20,
    FRAME_BYTES_MAX = 64 << 20, /* of a frame, to be kept unasked; and of all that wait */
    QUEUE_LEAST = 2, QUEUE_MAX = 64,
};

struct frame {
    struct train_matrices weights;
    int epoch;
    bool last; /* of the run: drawer_finish draws it with all else */
};

struct drawer {
    struct thread *thread;
    struct monitor *monitor; /* guards what follows; whoever changes it wakes the other */
    struct frame queue[QUEUE_MAX];
    int waiting, most;       /* frames in the queue: there are, and there may be */
    bool closing;
    int kept, skipped, lost; /* frames: done, left out, and failed */
    char problem[512];       /* the first that went wrong */
    const char *folder;
    const struct run_facts *facts;
    int every; /* epochs */
    int epoch; /* the last one that it was told of */
};

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static enum st keep(const struct drawer *d, const struct frame *f)
{
    enum st s = ST_OK;
    char name[64], path[PATH_MAX];
    snapshot_name(f->epoch, name, sizeof name);
    TRY(store_path(d->folder, name, path, sizeof path));
    TRY(store_tensors_write(path, f->weights.tensor, f->weights.n, NULL));
out:
    return s;
}

static bool behind(struct drawer *d)
{
    monitor_enter(d->monitor);
    bool more = d->waiting > 0;
    monitor_leave(d->monitor);
    return more;
}

/* Pictures show the latest weights: those of a frame that others wait behind would be drawn over at once. */
static enum st keep_and_draw(struct drawer *d, const struct frame *f)
{
    enum st s = ST_OK;
    struct drawing drawing;
    int own = f->weights.own;
    drawing_of_run(d->folder, d->folder, d->facts, f->epoch, &drawing);
    TRY(keep(d, f));
    if (f->last || behind(d))
        goto out;
    TRY(draw_weights(&drawing, &owner_net, f->weights.tensor, own));
    TRY(draw_weights(&drawing, &owner_couplings, f->weights.tensor + own, f->weights.n - own));
out:
    drawing_close(&drawing);
    return s;
}

static void work(void *user)
{
    struct drawer *d = user;
    monitor_enter(d->monitor);
    for (;;) {
        while (d->waiting == 0 && !d->closing)
            monitor_wait(d->monitor);
        if (d->waiting == 0)
            break;
        struct frame f = d->queue[0];
        d->waiting--;
        memmove(d->queue, d->queue + 1, (size_t)d->waiting * sizeof *d->queue);
        monitor_wake(d->monitor);
        monitor_leave(d->monitor);
        enum st s = keep_and_draw(d, &f);
        train_matrices_free(&f.weights);
        monitor_enter(d->monitor);
        d->kept += s == ST_OK;
        d->lost += s != ST_OK;
        if (s != ST_OK && !d->problem[0])
            snprintf(d->problem, sizeof d->problem, "%s", st_message());
    }
    monitor_leave(d->monitor);
}

/* ---- its owner --------------------------------------------------------------------------------------------------- */

/* `must`: not to be left out. */
static enum st take(struct drawer *d, struct train *t, bool must, bool last)
{
    enum st s = ST_OK;
    int epoch = train_epochs_done(t);
    struct frame f = {.epoch = epoch, .last = last};
    monitor_enter(d->monitor);
    while (must && d->waiting == d->most)
        monitor_wait(d->monitor);
    bool room = d->waiting < d->most;
    d->skipped += !room;
    monitor_leave(d->monitor);
    if (!room)
        return ST_OK;
    TRY(train_matrices_read(t, &f.weights));
    monitor_enter(d->monitor); /* only the thread takes from the queue: there is room still */
    d->queue[d->waiting++] = f;
    monitor_wake(d->monitor);
    monitor_leave(d->monitor);
out:
    return s;
}

enum st drawer_open(const char *folder, const struct run_facts *f, struct train *t, int every, struct drawer **out)
{
    enum st s = ST_OK;
    struct drawer *d = NULL;
    char path[PATH_MAX];
    int epochs = f->options.epochs;
    uint64_t bytes = train_matrices_bytes(t), fit = FRAME_BYTES_MAX / (bytes + 1);
    bool large = bytes > FRAME_BYTES_MAX;
    *out = NULL;
    if (every == 0)
        return ST_OK;
    TRY(NEW(d, 1));
    d->folder = folder;
    d->facts = f;
    d->most = fit < QUEUE_LEAST ? QUEUE_LEAST : fit > QUEUE_MAX ? QUEUE_MAX : (int)fit;
    d->every = every > 0 ? every : large ? epochs : (epochs + FRAMES - 1) / FRAMES;
    TRY(store_path(folder, "snapshots", path, sizeof path));
    if (dir_make(path) != ST_OK) /* then the frames cannot be written either, which is told at the end */
        snprintf(d->problem, sizeof d->problem, "%s", st_message());
    TRY(monitor_open(&d->monitor));
    TRY(thread_start(work, d, &d->thread));
    if (train_epochs_done(t) == 0)
        TRY(take(d, t, true, false));
    *out = d;
    d = NULL;
out:
    drawer_close(d);
    return s;
}

enum st drawer_epoch(struct drawer *d, struct train *t, bool last)
{
    if (!d)
        return ST_OK;
    int epoch = train_epochs_done(t);
    d->epoch = epoch;
    return last || epoch % d->every == 0 ? take(d, t, last, last) : ST_OK;
}

static void stop(struct drawer *d)
{
    monitor_enter(d->monitor);
    d->closing = true;
    monitor_wake(d->monitor);
    monitor_leave(d->monitor);
    thread_join(d->thread);
    d->thread = NULL;
}

void drawer_close(struct drawer *d)
{
    if (!d)
        return;
    if (d->thread)
        stop(d);
    int all = d->skipped + d->kept + d->lost;
    if (d->skipped)
        note("%d of %d frame%s of weights %s left out: training was faster than they were written", d->skipped, all,
             plural((uint64_t)all), all == 1 ? "was" : "were");
    if (d->lost)
        note("%d of %d frame%s of weights %s not kept or drawn; the first: %s", d->lost, all, plural((uint64_t)all),
             all == 1 ? "was" : "were", d->problem);
    monitor_close(d->monitor);
    mem_free(d);
}

static enum st draw_rest(const char *folder, const struct run_facts *f, int epoch, bool quiet)
{
    enum st s = ST_OK;
    struct drawing drawing;
    drawing_of_run(folder, folder, f, epoch, &drawing);
    TRY(draw_run(&drawing, NULL, 0));
    TRY(draw_page(&drawing));
    if (!quiet)
        output("pictures: %d on one page, %s/index.html; `clutch draw %s` adds what the net makes of the test set\n",
               drawing.n, folder, folder);
out:
    drawing_close(&drawing);
    return s;
}

void drawer_page(const char *folder, int epoch, bool quiet)
{
    enum st s = ST_OK;
    struct run_facts f = {0};
    TRY(run_facts_read(folder, &f)); /* as it was written, which is what the page shows */
    TRY(draw_rest(folder, &f, epoch, quiet));
out:
    if (s != ST_OK)
        note("pictures were not drawn: %s", st_message());
    run_facts_free(&f);
}

void drawer_finish(struct drawer *d, bool quiet)
{
    if (!d)
        return;
    const char *folder = d->folder;
    int epoch = d->epoch;
    drawer_close(d);
    drawer_page(folder, epoch, quiet);
}
