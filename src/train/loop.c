/*
 * The loop, readable aloud: gather a batch, forward, loss, backward, optimiser step. Losses stay on the device and are
 * read every WINDOW steps.
 */
#include "team.h"

#include <math.h>

static struct mx_tensor batch_x(const struct train *t, int rows)
{
    return mx_view(t->x, 0, rows, nn_size(t->net->input));
}

/* Forward and loss of one batch of `split`; its results go to the next place of the meter, the gradient to the module.
 * */
static enum st enqueue_forward(struct train *t, enum train_split split, uint32_t first, int rows,
                               const struct nn_pass *pass)
{
    enum st s = ST_OK;
    struct mx_tensor y, x = batch_x(t, rows), per_row = mx_view(t->per_row, 0, 2, rows);
    TRY(feed_batch(&t->feed[split], first, rows, t->scale, x, t->labels));
    TRY(nn_module_forward(t->module, pass, x, &y));
    TRY(t->net->loss->measure(t->mx, y, t->labels, nn_module_delta(t->module, rows), per_row));
    TRY(mx_row_sum(t->mx, per_row, mx_view(t->meter_buf, 2 * (size_t)t->pending, 1, 2)));
    t->pending++;
out:
    return s;
}

static enum st step(struct train *t)
{
    enum st s = ST_OK;
    uint64_t first = t->step_in_epoch * (uint64_t)t->batch, left = t->feed[TRAIN_TRAINING].split->n - first;
    int rows = left < (uint64_t)t->batch ? (int)left : t->batch;
    struct nn_pass pass = {.rows = rows, .training = true, .seed = t->options->seed, .step = (uint32_t)t->step};
    double rate = train_rate(t->options, t->step, (uint64_t)t->options->epochs * t->steps_per_epoch,
                             t->steps_per_epoch);
    TRY(enqueue_forward(t, TRAIN_TRAINING, (uint32_t)first, rows, &pass));
    TRY(nn_module_backward(t->module, &pass, batch_x(t, rows), NULL));
    struct nn_update update = train_update(t->options, rate, t->step + 1);
    TRY(t->optimizer->step(t->mx, t->module, &update));
    t->step++;
    t->step_in_epoch++;
    t->watched_steps++;
out:
    return s;
}

static enum st enqueue_step(struct train *t)
{
    ocl_chain_begin(t->queue);
    return ocl_chain_end(t->queue, step(t));
}

/* Waits, and adds the results of the pending batches of `samples` samples in all to `sum` (sums, not means yet). */
static enum st collect(struct train *t, struct train_result *sum)
{
    enum st s = ST_OK;
    int n = t->pending;
    t->pending = 0;
    TRY(ocl_read(t->queue, t->meter_buf, 0, 2 * (size_t)n * sizeof *t->meter, t->meter));
    t->collected_ns = clock_ns();
    struct ocl_times times = ocl_trace_read(t->queue, t->listen);
    t->listened = times.launches;
    if (times.launches > 0) {
        t->traced++;
        t->traced_ns += times.busy_ns;
    }
    for (int i = 0; i < n; i++) {
        sum->loss += t->meter[2 * i];
        sum->accuracy += t->meter[2 * i + 1];
    }
out:
    return s;
}

enum st train_check_finite(const struct train *t, double loss, uint64_t step)
{
    if (isfinite(loss))
        return ST_OK;
    if (!t->options)
        return st_fail(ST_NUMERIC, "the loss is not finite: the weights are too large, or no numbers");
    return st_fail(ST_NUMERIC, "the loss is not finite any more by step %llu: take a smaller --lr than %g, or a "
                   "--warmup%s", (unsigned long long)step, t->options->lr,
                   t->epoch ? "; epochs saved before are good" : "");
}

enum st train_check_losses(const struct train *t, double loss, uint64_t steps)
{
    double guess = t->net->loss->guess(t->net->classes), mean = loss / (double)(steps * (uint64_t)t->batch);
    bool enough = steps >= WINDOW / 2 || steps >= t->steps_per_epoch;
    if (!enough || !isfinite(loss) || mean <= TRAIN_ABSURD * guess)
        return train_check_finite(t, loss, t->step - t->step_in_epoch + steps);
    return st_fail(ST_NUMERIC, "the loss is %.4g on average over the %llu step%s of this epoch, more than %d times "
                   "that of a net that only guesses (%.2f): take a smaller --lr than %g, or a --warmup%s", mean,
                   (unsigned long long)steps, plural(steps), TRAIN_ABSURD, guess, t->options->lr,
                   t->epoch ? "; epochs saved before are good" : "");
}

/* One step is timed by the device in each window: in its middle, or at the end of an epoch shorter than that. */
static enum st run_step(struct train *t)
{
    bool timed = !t->listen && (t->pending == WINDOW / 2 || t->step_in_epoch + 1 == t->steps_per_epoch);
    enum st s = ST_OK;
    if (timed)
        TRY(ocl_trace_begin(t->queue, OCL_TRACE_LAUNCHES));
    TRY(enqueue_step(t));
    if (timed)
        TRY(ocl_trace_end(t->queue));
out:
    return s;
}

enum st train_begin_epoch(struct train *t)
{
    enum st s = ST_OK;
    if (t->step_in_epoch == 0) {
        t->sum = (struct train_result){0};
        t->epoch_ns = t->watched_ns = t->watched_steps = t->traced = t->traced_ns = 0;
        if (t->team)
            team_begin_counts(t->team);
    }
    if (t->ordered == t->epoch + 1)
        return ST_OK;
    TRY(t->team ? team_shuffle(t->team, t->options->seed, (uint32_t)t->epoch)
                : feed_shuffle(&t->feed[TRAIN_TRAINING], t->options->seed, (uint32_t)t->epoch));
    t->ordered = t->epoch + 1;
out:
    return s;
}

void train_end_steps(struct train *t)
{
    if (t->step_in_epoch < t->steps_per_epoch)
        return;
    t->step_in_epoch = 0;
    t->epoch++;
    t->ns_before += t->epoch_ns;
    t->epoch_ns = 0;
}

struct train_clock train_clock_start(void)
{
    return (struct train_clock){.ns = clock_ns(), .compiling_ns = ocl_compiling_ns()};
}

uint64_t train_clock_between(struct train_clock since, struct train_clock now)
{
    uint64_t ns = now.ns - since.ns, compiling_ns = now.compiling_ns - since.compiling_ns;
    return compiling_ns < ns ? ns - compiling_ns : 0;
}

void train_clock_take(struct train *t, struct train_clock *since, struct train_clock now)
{
    uint64_t ns = train_clock_between(*since, now);
    *since = now;
    t->epoch_ns += ns;
    t->watched_ns += ns;
}

void train_fill_epoch(const struct train *t, struct train_epoch *out)
{
    double watched_ns = (double)t->watched_ns;
    uint64_t samples = t->step_in_epoch * (uint64_t)t->batch, all = t->set->train.n;
    *out = (struct train_epoch){.epoch = t->epoch + 1, .whole = t->step_in_epoch == t->steps_per_epoch,
                                .step = t->step, .seconds = (double)t->epoch_ns * 1e-9, .modules = 1};
    out->train.samples = samples < all ? samples : all;
    out->train.loss = t->sum.loss / (double)out->train.samples;
    out->train.accuracy = t->sum.accuracy / (double)out->train.samples;
    out->rate = train_rate(t->options, t->step - 1, (uint64_t)t->options->epochs * t->steps_per_epoch,
                           t->steps_per_epoch);
    out->module[0] = (struct train_module_epoch){.busy = NAN, .updates = t->step_in_epoch};
    if (t->traced)
        out->module[0].busy = fmin(1, (double)t->traced_ns / (double)t->traced * (double)t->watched_steps / watched_ns);
}

static bool asked_to_pause(const struct train *t, const struct train_watch *watch)
{
    return watch && watch->pause && watch->pause(watch->user, t->step);
}

enum st train_epoch_run(struct train *t, const struct train_watch *watch, struct train_epoch *out)
{
    enum st s = ST_OK;
    struct train_clock since = train_clock_start();
    TRY(train_begin_epoch(t));
    if (t->team)
        return team_epoch(t->team, watch, out);
    for (bool last = false; !last;) {
        last = asked_to_pause(t, watch) || t->step_in_epoch + 1 == t->steps_per_epoch;
        TRY(run_step(t));
        if (t->pending < WINDOW && !last)
            continue;
        TRY(collect(t, &t->sum));
        train_clock_take(t, &since, train_clock_start());
        train_fill_epoch(t, out);
        TRY(train_check_losses(t, t->sum.loss, t->step_in_epoch));
        if (watch && watch->progress)
            watch->progress(watch->user, out, t->step_in_epoch, t->steps_per_epoch);
    }
    train_end_steps(t);
out:
    return s;
}

/* Losses of steps [first, first + n) of the epoch, from sums over their samples to means. */
static void means_of_losses(const struct train *t, uint64_t first, int n, double *losses)
{
    uint64_t all = t->set->train.n, batch = (uint64_t)t->batch;
    for (int i = 0; i < n; i++) {
        uint64_t left = all - (first + (uint64_t)i) * batch;
        losses[i] /= (double)(left < batch ? left : batch);
    }
}

static enum st team_steps(struct train *t, int n, double *losses)
{
    enum st s = ST_OK;
    for (int done = 0, some; done < n; done += some) {
        TRY(train_begin_epoch(t));
        uint64_t first = t->step_in_epoch, left = t->steps_per_epoch - first;
        some = left < (uint64_t)(n - done) ? (int)left : n - done;
        TRY(team_run(t->team, TRAIN_TRAINING, true, first, (uint64_t)some, losses + done, NULL));
        means_of_losses(t, first, some, losses + done);
        train_end_steps(t);
    }
out:
    return s;
}

enum st train_steps(struct train *t, int n, double *losses)
{
    enum st s = ST_OK;
    if (t->team)
        return team_steps(t, n, losses);
    for (int done = 0; done < n;) {
        TRY(train_begin_epoch(t));
        TRY(run_step(t));
        if (t->pending < WINDOW && t->step_in_epoch < t->steps_per_epoch && done + t->pending < n)
            continue;
        int count = t->pending;
        TRY(collect(t, &t->sum));
        for (int i = 0; i < count; i++)
            losses[done + i] = t->meter[2 * i];
        means_of_losses(t, t->step_in_epoch - (uint64_t)count, count, losses + done);
        done += count;
        train_end_steps(t);
    }
out:
    return s;
}

int train_epochs_done(const struct train *t)
{
    return t->epoch;
}

uint64_t train_steps_done(const struct train *t)
{
    return t->step;
}

uint64_t train_steps_per_epoch(const struct train *t)
{
    return t->steps_per_epoch;
}

double train_seconds(const struct train *t)
{
    return (double)(t->ns_before + t->epoch_ns) * 1e-9;
}

enum st train_init(struct train *t)
{
    enum st s = ST_OK;
    t->step = t->step_in_epoch = t->ns_before = t->epoch_ns = 0;
    t->epoch = t->ordered = 0;
    if (t->team)
        return team_init(t->team);
    for (int i = 0; i < t->optimizer->slots; i++) {
        struct mx_tensor slot = nn_module_slot(t->module, i);
        TRY(ocl_zero(t->queue, slot.buf, slot.off * sizeof(float), (size_t)slot.cols * sizeof(float)));
    }
    TRY(nn_module_init(t->module, t->options->seed));
out:
    return s;
}

void train_chain_at_once(struct train *t)
{
    if (!t->team)
        ocl_chain_at_once(t->queue);
    for (int k = 0; t->team && k < t->team->n; k++)
        ocl_chain_at_once(t->team->worker[k].queue);
}

/* ---- without training -------------------------------------------------------------------------------------------- */

enum st train_evaluate(struct train *t, enum train_split split, struct train_result *out)
{
    enum st s = ST_OK;
    struct train_result sum = {0};
    uint32_t n = t->set ? split_of(t->set, (int)split)->n : 0;
    if (n > 0 && t->team)
        return team_evaluate(t->team, split, out);
    if (n == 0 || !t->feed[split].split)
        TRY(st_fail(ST_INPUT, "nothing to evaluate: the split has no samples"));
    for (uint32_t first = 0; first < n;) {
        int rows = n - first < (uint32_t)t->batch ? (int)(n - first) : t->batch;
        TRY(enqueue_forward(t, split, first, rows, &(struct nn_pass){.rows = rows}));
        first += (uint32_t)rows;
        if (t->pending == WINDOW || first == n)
            TRY(collect(t, &sum));
    }
    TRY(train_check_finite(t, sum.loss, t->step));
    *out = (struct train_result){.loss = sum.loss / n, .accuracy = sum.accuracy / n, .samples = n};
out:
    return s;
}

/* From a batch's outputs to what is asked for. */
static enum st finish(struct train *t, const struct mx_activation *phi, struct mx_tensor y)
{
    if (!phi)
        return t->net->loss->probabilities ? t->net->loss->probabilities(t->mx, y) : ST_OK;
    return phi->kind == MX_IDENTITY ? ST_OK : mx_act(t->mx, *phi, y, y);
}

enum st train_outputs(struct train *t, const struct data_split *pictures, const struct mx_activation *phi, float *out)
{
    enum st s = ST_OK;
    int channels = (int)(ocl_buf_bytes(t->scale) / (2 * sizeof(float))), size = nn_size(t->net->input);
    struct feed feed = {0};
    TRY(feed_open(t->mx, pictures, channels, size / channels, t->batch, false, false, &feed));
    for (uint32_t first = 0; first < pictures->n;) {
        struct mx_tensor y;
        int rows = pictures->n - first < (uint32_t)t->batch ? (int)(pictures->n - first) : t->batch;
        struct nn_pass pass = {.rows = rows};
        TRY(feed_batch(&feed, first, rows, t->scale, batch_x(t, rows), t->labels));
        TRY(nn_module_forward(t->module, &pass, batch_x(t, rows), &y));
        TRY(finish(t, phi, y));
        TRY(ocl_read(t->queue, y.buf, y.off * sizeof(float), (size_t)rows * (size_t)y.cols * sizeof(float),
                     out + (size_t)first * (size_t)y.cols));
        first += (uint32_t)rows;
    }
out:
    if (s != ST_OK)
        (void)!ocl_wait(t->queue); /* nothing may read the feed any more */
    feed_close(&feed);
    return s;
}

enum st train_predict(struct train *t, const struct data_split *pictures, float *out)
{
    return train_outputs(t, pictures, NULL, out);
}
