/* What a person sees while a run trains: a line that rewrites itself on a terminal, plain lines elsewhere; or JSON. */
#include "progress.h"

#include "inside.h"

#include <math.h>
#include <stdio.h>

void progress_open(struct progress *p, int epochs, int done, bool json)
{
    *p = (struct progress){.epochs = epochs, .first = done, .json = json};
    p->start_ns = clock_ns();
}

static void show_time(char *out, size_t size, double seconds)
{
    long s = lround(seconds);
    if (s < 100)
        snprintf(out, size, "%ld s", s);
    else if (s < 6000)
        snprintf(out, size, "%ld min", (s + 30) / 60);
    else
        snprintf(out, size, "%ld h %02ld min", s / 3600, s / 60 % 60);
}

/* From the wall time so far, evaluation included: `share` of an epoch is done behind those in `epochs_done`. */
static void time_left(const struct progress *p, double epochs_done, char *out, size_t size)
{
    double done = epochs_done - p->first, left = p->epochs - epochs_done;
    double seconds = (double)(clock_ns() - p->start_ns) * 1e-9;
    show_time(out, size, done > 0 ? seconds / done * left : 0);
}

void progress_step(void *user, const struct train_epoch *e, uint64_t done, uint64_t of)
{
    const struct progress *p = user;
    char left[32];
    if (p->json || !terminal_rewrites())
        return;
    double share = (double)done / (double)of;
    time_left(p, e->epoch - 1 + share, left, sizeof left);
    status_line("%3d/%-3d %3.0f %%   loss %.4f   accuracy %.4f   %.0f samples/s   %s left", e->epoch, p->epochs,
                100 * share, e->train.loss, e->train.accuracy, (double)e->train.samples / e->seconds, left);
}

void progress_head(const struct progress *p, bool validation, int modules)
{
    if (!p->json)
        output("  epoch  train loss  accuracy  %s loss  accuracy  samples/s%s\n", validation ? " valid" : "  test",
               modules == 1 ? "  busy" : "");
}

void progress_epoch(const struct progress *p, const struct train_epoch *e, const struct train_result *held)
{
    char left[32], busy[16] = "";
    time_left(p, e->epoch, left, sizeof left);
    if (e->modules == 1) /* several have a line each */
        snprintf(busy, sizeof busy, isfinite(e->module[0].busy) ? "  %3.0f %%" : "      -", 100 * e->module[0].busy);
    output("%3d/%-3d  %10.4f  %8.4f  %11.4f  %8.4f  %9.0f%s%s%s%s\n", e->epoch, p->epochs, e->train.loss,
           e->train.accuracy, held->loss, held->accuracy, (double)e->train.samples / e->seconds, busy,
           e->epoch < p->epochs ? "   " : "", e->epoch < p->epochs ? left : "", e->epoch < p->epochs ? " left" : "");
    fflush(stdout);
}

void progress_modules(const struct train_epoch *e, const struct train_alignment *cut)
{
    for (int k = 0; k < e->modules && e->modules > 1; k++) {
        const struct train_module_epoch *m = &e->module[k];
        output("         module %d:", k);
        if (isfinite(m->busy))
            output(" busy %3.0f %%", 100 * m->busy);
        if (m->targets)
            output(", targets %.1f steps late", m->stale_steps);
        if (k + 1 < e->modules && isfinite(cut[k].cosine))
            output(", gradient at the cut: cosine %.2f, norm %.2f of the true one", cut[k].cosine, cut[k].norm_ratio);
        output("\n");
    }
    fflush(stdout);
}
