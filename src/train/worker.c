/*
 * A worker: one module, its device, its thread. A step: take the input (from the data, or from the module below), go
 * forward, hand the output up, get the gradient at the top (the loss's, the coupling's guess, or the true one from
 * above), go backward, hand the gradient at the input down where it is wanted, update. Commands are enqueued ahead of
 * the device; a message goes on its way when the transfer that fills it has ended, which is an errand until then.
 */
#include "team.h"

#include <string.h>

/* ---- errands ----------------------------------------------------------------------------------------------------- */

/* Does all errands up to number `until`, in their order, each when its transfer has ended. */
static enum st run_errands(struct worker *w, uint64_t until)
{
    enum st s = ST_OK;
    if (w->errands_done < until)
        TRY(ocl_flush(w->queue));
    while (w->errands_done < until) {
        struct errand *e = &w->errand[w->errands_done % ERRANDS_MAX];
        TRY(ocl_event_wait(&e->event));
        w->errands_done++;
        if (e->send)
            sg_mailbox_send(e->box, e->message);
        else
            sg_mailbox_release(e->box, e->message);
    }
out:
    return s;
}

/* Another errand, whose transfer is to be started with *event; NULL: there is none to wait for. */
static enum st next_errand(struct worker *w, struct sg_mailbox *box, struct sg_message *message, bool send,
                           struct ocl_event **event)
{
    enum st s = ST_OK;
    if (w->errands - w->errands_done == ERRANDS_MAX)
        TRY(run_errands(w, w->errands_done + 1));
    struct errand *e = &w->errand[w->errands++ % ERRANDS_MAX];
    *e = (struct errand){.box = box, .message = message, .send = send};
    if (event)
        *event = &e->event;
out:
    return s;
}

/* After a failure: messages stay where they are, but nothing may be under way any more. */
static void drop_errands(struct worker *w)
{
    (void)!ocl_wait(w->queue);
    for (; w->errands_done < w->errands; w->errands_done++)
        (void)!ocl_event_wait(&w->errand[w->errands_done % ERRANDS_MAX].event);
}

/* ---- waiting for others ------------------------------------------------------------------------------------------ */

static struct train_clock clock_of(const struct worker *w)
{
    return w->emulated.shared ? (struct train_clock){.ns = w->emulated.now_ns} : train_clock_start();
}

static void note_wait(struct worker *w, enum wait_for what, struct train_clock since)
{
    static const char *const name[] = {[WAIT_INPUT] = "wait for input", [WAIT_SPACE] = "wait for the module above",
                                       [WAIT_GRADIENT] = "wait for the gradient"};
    struct train_clock now = clock_of(w);
    w->wait_ns[what] += train_clock_between(since, now);
    worker_span(w, name[what], true, since.ns, now.ns);
}

/* The next message; nothing of ours is held back while we wait for it. */
static enum st take(struct worker *w, struct sg_mailbox *box, enum wait_for what, struct sg_message **out)
{
    enum st s = ST_OK;
    TRY(sg_mailbox_take(box, false, out));
    if (!*out) {
        TRY(run_errands(w, w->errands));
        struct train_clock start = clock_of(w);
        TRY(sg_mailbox_take(box, true, out));
        note_wait(w, what, start);
    }
out:
    return s;
}

/* A message to fill for the module above, which may be behind. */
static enum st claim_up(struct worker *w, struct sg_message **out)
{
    enum st s = ST_OK;
    TRY(sg_mailbox_claim(w->to_above, false, out));
    if (!*out) {
        TRY(run_errands(w, w->errands));
        struct train_clock start = clock_of(w);
        TRY(sg_mailbox_claim(w->to_above, true, out));
        note_wait(w, WAIT_SPACE, start);
    }
out:
    return s;
}

/* ---- pieces of work on the device, which move an emulated one's clock -------------------------------------------- */

static enum st begin_work(struct worker *w)
{
    return ocl_emulate_begin(&w->emulated, w->queue);
}

static enum st end_work(struct worker *w, const char *name)
{
    struct ocl_emulated *e = &w->emulated;
    if (!e->shared)
        return ST_OK;
    enum st s = ocl_emulate_end(e, w->queue);
    worker_span(w, name, false, e->start_ns, e->now_ns);
    return s != ST_OK ? s : run_errands(w, w->errands);
}

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

struct mx_tensor worker_x(const struct worker *w, int set, int rows)
{
    size_t each = (size_t)w->team->rows_max * (size_t)nn_size(w->net->input);
    return mx_view(w->x, (size_t)set * each, rows, nn_size(w->net->input));
}

static uint32_t *labels_of(const struct worker *w, int set)
{
    return w->host_labels + (size_t)set * (size_t)w->team->rows_max;
}

static struct sg_learning learning(const struct worker *w)
{
    const struct train *t = w->team->train;
    const struct train_options *o = t->options;
    double rate = train_rate(o, w->step, (uint64_t)o->epochs * t->steps_per_epoch, t->steps_per_epoch);
    return (struct sg_learning){.share = rate / o->lr, .step = w->step};
}

static enum st feed_input(struct worker *w, uint32_t first, int rows, int set)
{
    struct feed *f = &w->feed[w->team->split];
    const struct data_split *split = f->split;
    if (w->to_above)
        for (int r = 0; r < rows; r++) {
            uint32_t at = first + (uint32_t)r;
            labels_of(w, set)[r] = split->labels[f->host_order ? f->host_order[at] : at];
        }
    return feed_batch(f, first, rows, w->scale, worker_x(w, set, rows), w->labels[set]);
}

static enum st check_message(const struct worker *w, const struct sg_message *m, int rows)
{
    if (m->step == w->step && (m->rows == rows || m->rows == 0))
        return ST_OK;
    return st_fail(ST_INTERNAL, "a message of step %llu with %d rows came where %llu with %d was due",
                   (unsigned long long)m->step, m->rows, (unsigned long long)w->step, rows);
}

static enum st receive_input(struct worker *w, struct sg_message *m, int rows, int set)
{
    enum st s = ST_OK;
    struct mx_tensor x = worker_x(w, set, rows);
    struct ocl_event *event;
    TRY(check_message(w, m, rows));
    memcpy(labels_of(w, set), m->labels, (size_t)rows * sizeof *m->labels);
    TRY(ocl_write(w->queue, x.buf, 4 * x.off, 4 * (size_t)rows * (size_t)x.cols, m->data));
    TRY(next_errand(w, w->from_below, m, false, &event));
    TRY(ocl_write_start(w->queue, w->labels[set], 0, 4 * (size_t)rows, m->labels, event));
out:
    return s;
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

static struct nn_pass pass_of(const struct worker *w, int rows, int set)
{
    return (struct nn_pass){.rows = rows, .training = w->team->training, .seed = w->team->train->options->seed,
                            .step = (uint32_t)w->step, .micro = (uint32_t)set, .set = set};
}

/* Waits, and adds up the losses that gathered on the device, in whole steps. */
static enum st collect(struct worker *w)
{
    enum st s = ST_OK;
    const struct team *team = w->team;
    uint64_t end = w->meter_step[w->pending - 1] + 1; /* step of the epoch */
    TRY(ocl_read(w->queue, w->meter_buf, 0, 2 * (size_t)w->pending * sizeof *w->meter, w->meter));
    for (int i = 0; i < w->pending; i++) {
        w->sum.loss += w->meter[2 * i];
        w->sum.accuracy += w->meter[2 * i + 1];
        if (team->losses)
            team->losses[w->meter_step[i] - team->first] += w->meter[2 * i];
    }
    w->pending = 0;
    TRY(team->training ? train_check_losses(team->train, w->sum.loss, end)
                       : train_check_finite(team->train, w->sum.loss, w->step));
    team_report(w->team, &w->sum, end - team->first);
out:
    return s;
}

static enum st measure_loss(struct worker *w, struct mx_tensor y, int rows, int set)
{
    enum st s = ST_OK;
    struct mx_tensor per_row = mx_view(w->per_row, 0, 2, rows);
    TRY(w->net->loss->measure(w->mx, y, w->labels[set], nn_module_delta(w->module, rows), per_row));
    TRY(mx_row_sum(w->mx, per_row, mx_view(w->meter_buf, 2 * (size_t)w->pending, 1, 2)));
    w->meter_step[w->pending++] = w->step_in_epoch;
out:
    return s;
}

static enum st send_up(struct worker *w, struct sg_message *m, struct mx_tensor y, int rows, int set)
{
    enum st s = ST_OK;
    struct ocl_event *event;
    m->step = w->step;
    m->rows = rows;
    memcpy(m->labels, labels_of(w, set), (size_t)rows * sizeof *m->labels);
    w->sent_up += w->team->training; /* for nothing comes back else */
    TRY(next_errand(w, w->to_above, m, true, &event));
    TRY(ocl_read_start(w->queue, y.buf, 4 * y.off, 4 * (size_t)rows * (size_t)y.cols, m->data, event));
out:
    return s;
}

static enum st forward(struct worker *w, uint32_t first, int rows, int set)
{
    enum st s = ST_OK;
    struct nn_pass pass = pass_of(w, rows, set);
    struct sg_message *in = NULL, *up = NULL;
    struct mx_tensor y;
    if (w->from_below)
        TRY(take(w, w->from_below, WAIT_INPUT, &in));
    if (w->to_above)
        TRY(claim_up(w, &up));
    TRY(begin_work(w));
    if (in)
        TRY(receive_input(w, in, rows, set));
    else
        TRY(feed_input(w, first, rows, set));
    TRY(nn_module_forward(w->module, &pass, worker_x(w, set, rows), &y));
    if (up)
        TRY(send_up(w, up, y, rows, set));
    else
        TRY(measure_loss(w, y, rows, set));
    TRY(end_work(w, "forward"));
out:
    return s;
}

/* ---- backward ---------------------------------------------------------------------------------------------------- */

/* The module below learns that nothing comes of this step. */
static enum st send_nothing_down(struct worker *w)
{
    enum st s = ST_OK;
    struct sg_message *m;
    if (!w->to_below)
        return ST_OK;
    TRY(sg_mailbox_claim(w->to_below, false, &m));
    if (!m)
        TRY(st_fail(ST_INTERNAL, "the mailbox to the module below is full"));
    m->step = w->step;
    m->rows = 0;
    TRY(next_errand(w, w->to_below, m, true, NULL));
out:
    return s;
}

static enum st send_down(struct worker *w, struct mx_tensor dx, int rows)
{
    enum st s = ST_OK;
    struct sg_message *m;
    struct ocl_event *event;
    TRY(sg_mailbox_claim(w->to_below, false, &m));
    if (!m)
        TRY(st_fail(ST_INTERNAL, "the mailbox to the module below is full"));
    m->step = w->step;
    m->rows = rows;
    TRY(next_errand(w, w->to_below, m, true, &event));
    TRY(ocl_read_start(w->queue, dx.buf, 4 * dx.off, 4 * (size_t)rows * (size_t)dx.cols, m->data, event));
out:
    return s;
}

/* Puts a gradient from above where it is needed, and gives its message back when that is done. */
static enum st receive_gradient(struct worker *w, struct sg_message *m, struct mx_tensor where)
{
    enum st s = ST_OK;
    struct ocl_event *event;
    w->targets_taken++;
    TRY(next_errand(w, w->from_above, m, false, &event));
    TRY(ocl_write_start(w->queue, where.buf, 4 * where.off, 4 * (size_t)m->rows * (size_t)where.cols, m->data, event));
out:
    return s;
}

static enum st release_nothing(struct worker *w, struct sg_message *m)
{
    w->targets_taken++;
    return next_errand(w, w->from_above, m, false, NULL);
}

static struct mx_tensor target_view(const struct worker *w, int rows)
{
    return mx_view(w->target, 0, rows, w->net->classes);
}

/* A target of an earlier step, or of this one, has come. */
static enum st learn(struct worker *w, struct sg_message *m)
{
    enum st s = ST_OK;
    struct sg_learning l = learning(w);
    uint64_t stale = w->step > m->step ? w->step - m->step : 0;
    int rows = m->rows;
    if (rows == 0) {
        TRY(sg_learn(w->coupling, &l, (struct mx_tensor){0}));
        return release_nothing(w, m);
    }
    w->targets++;
    w->stale_sum += stale;
    w->stale_most = stale > w->stale_most ? stale : w->stale_most;
    TRY(begin_work(w));
    TRY(receive_gradient(w, m, target_view(w, rows)));
    TRY(sg_learn(w->coupling, &l, target_view(w, rows)));
    TRY(end_work(w, "learn the gradient"));
out:
    return s;
}

/* The targets that are there; waits for all but the newest `leave`. */
static enum st learn_targets(struct worker *w, uint64_t leave)
{
    enum st s = ST_OK;
    if (!w->coupling || !w->from_above || sg_waits(w->spec))
        return ST_OK;
    while (w->targets_taken < w->sent_up) {
        struct sg_message *m = NULL;
        if (w->sent_up - w->targets_taken > leave)
            TRY(take(w, w->from_above, WAIT_GRADIENT, &m));
        else
            TRY(sg_mailbox_take(w->from_above, false, &m));
        if (!m)
            break;
        TRY(learn(w, m));
    }
out:
    return s;
}

/* What the coupling says without help from above, which is the gradient at the module's top if it is not mixed with the
 * true one. */
static enum st guess(struct worker *w, int rows, int set, bool update)
{
    struct sg_learning l = learning(w);
    struct mx_tensor h = nn_module_output(w->module, rows);
    if (w->coupling && update)
        return sg_gradient(w->coupling, &l, h, w->labels[set], nn_module_delta(w->module, rows));
    if (w->coupling && w->from_above) /* to learn from the target all the same */
        return sg_gradient(w->coupling, &l, h, w->labels[set], (struct mx_tensor){0});
    return ST_OK;
}

/* Puts the true gradient `m` to the module's top, or mixes it in; *update false where there is none in this step. */
static enum st use_gradient(struct worker *w, struct sg_message *m, int rows, bool *update)
{
    enum st s = ST_OK;
    struct sg_learning l = learning(w);
    struct mx_tensor delta = nn_module_delta(w->module, rows);
    *update = *update && m->rows > 0;
    if (w->coupling && m->rows == 0)
        TRY(sg_learn(w->coupling, &l, (struct mx_tensor){0}));
    if (m->rows == 0)
        return release_nothing(w, m);
    if (!w->coupling)
        return receive_gradient(w, m, delta);
    TRY(receive_gradient(w, m, target_view(w, rows)));
    TRY(sg_mix(w->coupling, target_view(w, rows), delta));
    TRY(sg_learn(w->coupling, &l, target_view(w, rows)));
    w->targets++;
out:
    return s;
}

/* Sums gradients over micro-batches, each with its share of the rows; the last one leaves the sum in their place. */
static enum st sum_gradients(struct worker *w, double share, bool first, bool last)
{
    struct mx_tensor grads = nn_module_grads(w->module);
    if (first && last)
        return ST_OK;
    struct mx_tensor sum = mx_view(w->sum_grads, 0, 1, grads.cols);
    if (last)
        return mx_blend(w->mx, 1, sum, (float)share, grads);
    return mx_blend(w->mx, (float)share, grads, first ? 0 : 1, sum);
}

/* The work of backward() that follows once the gradient is there. */
static enum st go_back(struct worker *w, int rows, int all_rows, int m, int micro, bool update)
{
    enum st s = ST_OK;
    struct nn_pass pass = pass_of(w, rows, m);
    struct mx_tensor dx;
    if (!update)
        return send_nothing_down(w);
    TRY(nn_module_backward(w->module, &pass, worker_x(w, m, rows), w->to_below ? &dx : NULL));
    TRY(sum_gradients(w, (double)rows / all_rows, m == 0, m == micro - 1));
    if (w->to_below)
        TRY(send_down(w, dx, rows));
out:
    return s;
}

/* Micro-batch m of `micro`; *update false where the module has no gradient in this step. No device is held while its
 * thread waits for another's. */
static enum st backward(struct worker *w, int rows, int all_rows, int m, int micro, bool *update)
{
    enum st s = ST_OK;
    struct sg_message *true_gradient = NULL;
    *update = *update && !(w->spec && sg_frozen(w->spec));
    if (w->spec && sg_waits(w->spec)) {
        if (w->coupling) {
            TRY(begin_work(w));
            TRY(guess(w, rows, m, *update));
            TRY(end_work(w, "guess the gradient"));
        }
        TRY(take(w, w->from_above, WAIT_GRADIENT, &true_gradient));
        TRY(check_message(w, true_gradient, rows));
        TRY(begin_work(w));
        TRY(use_gradient(w, true_gradient, rows, update));
    } else {
        TRY(begin_work(w));
        TRY(guess(w, rows, m, *update));
    }
    TRY(go_back(w, rows, all_rows, m, micro, *update));
    TRY(end_work(w, "backward"));
out:
    return s;
}

static enum st update_module(struct worker *w)
{
    enum st s = ST_OK;
    const struct train *t = w->team->train;
    double rate = t->options->lr * learning(w).share;
    struct nn_update u = train_update(t->options, rate, ++w->updates);
    w->epoch_updates++;
    TRY(begin_work(w));
    TRY(t->optimizer->step(w->mx, w->module, &u));
    TRY(end_work(w, "update"));
out:
    return s;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

/* Whether this step updates the module: with a coupling's probability, from the seed, module and step alone. */
static bool updates_now(const struct worker *w)
{
    struct rng r;
    double p = w->spec ? sg_update_probability(w->spec) : 1;
    if (p >= 1)
        return true;
    rng_init(&r, w->team->train->options->seed, ((uint64_t)(1u + (unsigned)w->index) << 48) + w->step);
    return rng_unit(&r) < p;
}

/* A batch forward and, while training, backward: the last module goes back at once, the others when all micro-batches
 * are on their way. */
static enum st pass_batch(struct worker *w, uint64_t first, int rows)
{
    enum st s = ST_OK;
    bool training = w->team->training, update = training && updates_now(w);
    int micro = team_micro(w->team, rows), offset;
    if (w->pending + micro > WINDOW)
        TRY(collect(w));
    for (int m = 0; m < micro; m++) {
        int mine = team_micro_rows(rows, micro, m, &offset);
        TRY(forward(w, (uint32_t)first + (uint32_t)offset, mine, m));
        if (training && !w->to_above)
            TRY(backward(w, mine, rows, m, micro, &update));
    }
    for (int m = 0; training && w->to_above && m < micro; m++)
        TRY(backward(w, team_micro_rows(rows, micro, m, &offset), rows, m, micro, &update));
    if (update)
        TRY(update_module(w));
out:
    return s;
}

/* Whether the step under way is the run's last. Of a module above the lowest only once the step's input has come. */
static bool is_last(const struct worker *w)
{
    return w->step_in_epoch + 1 == w->team->end;
}

/* The lowest module's thread may end the run, behind the step that it is about to begin. */
static void ask_for_pause(struct worker *w)
{
    struct team *team = w->team;
    if (!w->from_below && team->watch && team->watch->pause && team->watch->pause(team->watch->user, w->step))
        team->end = w->step_in_epoch + 1;
}

static enum st run_step(struct worker *w)
{
    enum st s = ST_OK;
    const struct team *team = w->team;
    ask_for_pause(w);
    uint64_t before = w->errands, batch = (uint64_t)team->train->batch, first = w->step_in_epoch * batch;
    uint64_t left = team_samples(team) - first, ring = (uint64_t)team->ring;
    TRY(window_before_step(w));
    if (team->training)
        TRY(learn_targets(w, ring - 1)); /* there is room for this step's */
    if (team->training) /* an evaluation is too short for chains of its own to pay */
        ocl_chain_begin(w->queue);
    TRY(ocl_chain_end(w->queue, pass_batch(w, first, left < batch ? (int)left : (int)batch)));
    /* one step stays under way behind us, so that the device has work while the next one is prepared; but what the
     * module above waits for leaves as soon as it is there */
    TRY(ocl_flush(w->queue));
    uint64_t until = before;
    for (uint64_t i = before; i < w->errands; i++)
        if (i >= w->errands_done && w->errand[i % ERRANDS_MAX].box == w->to_above)
            until = i + 1;
    TRY(run_errands(w, until));
    if (team->training)
        TRY(learn_targets(w, team->placement.lockstep || is_last(w) ? 0 : ring));
    TRY(window_after_step(w, is_last(w)));
out:
    return s;
}

static enum st work(struct worker *w)
{
    enum st s = ST_OK;
    const struct team *team = w->team;
    thread_works_for_device();
    ocl_emulated_turn(&w->emulated);
    for (uint64_t i = 0; team->first + i < team->end; i++) {
        w->step_in_epoch = team->first + i;
        w->step = team->train->step + i;
        TRY(run_step(w));
    }
    if (w->pending)
        TRY(collect(w));
    TRY(run_errands(w, w->errands));
    TRY(ocl_wait(w->queue));
out:
    return s;
}

void worker_run(void *user)
{
    struct worker *w = user;
    enum st s = work(w);
    if (s != ST_OK) {
        team_fail(w->team, w, s);
        drop_errands(w);
    }
    ocl_emulated_leave(&w->emulated);
    monitor_enter(w->team->changed);
    w->team->running--;
    monitor_wake(w->team->changed);
    monitor_leave(w->team->changed);
}
