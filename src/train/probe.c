/*
 * How good the gradients at the cuts are: one batch goes forward through all modules and the true gradient back, in
 * this thread, and each coupling is asked for its guess on the way. Nothing is learned, running moments stay as they
 * are.
 */
#include "team.h"

#include <math.h>

struct probe {
    struct team *team;
    int rows;
    uint32_t *labels;     /* (rows) */
    float *h, *guess, *g; /* (rows, widest cut): what goes up, what a coupling says, the true gradient */
};

static enum st read_tensor(struct worker *w, struct mx_tensor t, float *out)
{
    return ocl_read(w->queue, t.buf, 4 * t.off, 4 * (size_t)t.rows * (size_t)t.cols, out);
}

static enum st write_tensor(struct worker *w, struct mx_tensor t, const float *in)
{
    enum st s = ocl_write(w->queue, t.buf, 4 * t.off, 4 * (size_t)t.rows * (size_t)t.cols, in);
    return s != ST_OK ? s : ocl_wait(w->queue);
}

static struct nn_pass probe_pass(const struct probe *p)
{
    return (struct nn_pass){.rows = p->rows, .training = true, .keep_state = true,
                            .seed = p->team->train->options->seed, .step = (uint32_t)p->team->train->step};
}

static enum st probe_forward(struct probe *p, struct worker *w)
{
    enum st s = ST_OK;
    struct nn_pass pass = probe_pass(p);
    struct mx_tensor y, x = worker_x(w, 0, p->rows);
    if (w->index == 0) {
        TRY(feed_batch(&w->feed[TRAIN_TRAINING], 0, p->rows, w->scale, x, w->labels[0]));
        TRY(ocl_read(w->queue, w->labels[0], 0, (size_t)p->rows * sizeof *p->labels, p->labels));
    } else {
        TRY(write_tensor(w, x, p->h));
        TRY(ocl_write(w->queue, w->labels[0], 0, (size_t)p->rows * sizeof *p->labels, p->labels));
    }
    TRY(nn_module_forward(w->module, &pass, x, &y));
    if (w->to_above)
        TRY(read_tensor(w, y, p->h));
    else
        TRY(w->net->loss->measure(w->mx, y, w->labels[0], nn_module_delta(w->module, p->rows),
                                  mx_view(w->per_row, 0, 2, p->rows)));
out:
    return s;
}

static struct train_alignment compare(const float *guess, const float *g, size_t n)
{
    double product = 0, guess2 = 0, g2 = 0;
    for (size_t i = 0; i < n; i++) {
        product += (double)guess[i] * g[i];
        guess2 += (double)guess[i] * guess[i];
        g2 += (double)g[i] * g[i];
    }
    return (struct train_alignment){.cosine = guess2 > 0 && g2 > 0 ? product / sqrt(guess2 * g2) : NAN,
                                    .norm_ratio = g2 > 0 ? sqrt(guess2 / g2) : NAN};
}

static enum st probe_cut(struct probe *p, struct worker *w, struct train_alignment *out)
{
    enum st s = ST_OK;
    struct mx_tensor delta = nn_module_delta(w->module, p->rows), h = nn_module_output(w->module, p->rows);
    *out = (struct train_alignment){NAN, NAN};
    if (w->coupling) {
        TRY(sg_guess(w->coupling, h, w->labels[0], delta));
        TRY(read_tensor(w, delta, p->guess));
        *out = compare(p->guess, p->g, (size_t)p->rows * (size_t)delta.cols);
    } else if (sg_waits(w->spec)) {
        *out = (struct train_alignment){1, 1};
    }
    TRY(write_tensor(w, delta, p->g));
out:
    return s;
}

/* The true gradient at the worker's top stands in its place; that at its input goes to p->g. */
static enum st probe_backward(struct probe *p, struct worker *w)
{
    enum st s = ST_OK;
    struct nn_pass pass = probe_pass(p);
    struct mx_tensor dx;
    TRY(nn_module_backward(w->module, &pass, worker_x(w, 0, p->rows), &dx));
    TRY(read_tensor(w, dx, p->g));
out:
    return s;
}

static size_t widest_cut(const struct team *team)
{
    size_t most = 1;
    for (int k = 0; k + 1 < team->n; k++)
        if ((size_t)team->worker[k].net->classes > most)
            most = (size_t)team->worker[k].net->classes;
    return most;
}

enum st team_probe(struct team *team, struct train_alignment *out)
{
    enum st s = ST_OK;
    const struct train *t = team->train;
    uint32_t n = t->set->train.n;
    struct probe p = {.team = team, .rows = n < (uint32_t)team->rows_max ? (int)n : team->rows_max};
    size_t each = (size_t)p.rows * widest_cut(team);
    TRY(NEW(p.labels, (size_t)p.rows));
    TRY(NEW(p.h, each));
    TRY(NEW(p.guess, each));
    TRY(NEW(p.g, each));
    for (int k = 0; k < team->n; k++)
        TRY(probe_forward(&p, &team->worker[k]));
    for (int k = team->n - 1; k > 0; k--) {
        TRY(probe_backward(&p, &team->worker[k]));
        TRY(probe_cut(&p, &team->worker[k - 1], &out[k - 1]));
    }
out:
    for (int k = 0; s != ST_OK && k < team->n; k++)
        (void)!ocl_wait(team->worker[k].queue); /* nothing may read what is freed */
    mem_free(p.labels);
    mem_free(p.h);
    mem_free(p.guess);
    mem_free(p.g);
    return s;
}
