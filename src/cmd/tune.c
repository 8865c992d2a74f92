/*
 * clutch tune: what computes products fastest on a device, by measurement.
 *
 * Each candidate is compiled, checked and timed in a process of its own, so that a compiler that hangs and a driver
 * that crashes cost a candidate, and what a library keeps for its process ends with it. That process is this program
 * again, as `clutch tune --candidate N OPTIONS`, with N a candidate's number, or -1 for the device's peak: it numbers
 * products and candidates from the same options and file, and prints "product P GFLOPS", "refused REASON" or "peak
 * GFLOPS".
 */
#include "tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char refused_word[] = "refused ", product_word[] = "product ", peak_word[] = "peak ";

/* ---- the list, the same in parent and child ---------------------------------------------------------------------- */

/* The three products of each dense layer, as a step at that batch has them. */
static enum st add_net(const struct tune *w, struct mx_tuning *t)
{
    enum st s = ST_OK;
    struct nn_net *net = NULL;
    int batch = (int)w->batch;
    if (!w->net)
        return ST_OK;
    TRY(net_open(w->net, &net));
    for (int i = 0; i < net->layer_count; i++) {
        const struct nn_layer *l = &net->layer[i];
        int in = nn_size(l->in), out = nn_size(l->out);
        if (strcmp(l->kind->name, "dense") != 0)
            continue;
        TRY(mx_tuning_add_product(t, (struct mx_product){false, true, batch, out, in}));
        TRY(mx_tuning_add_product(t, (struct mx_product){true, false, out, in, batch}));
        if (i > 0)
            TRY(mx_tuning_add_product(t, (struct mx_product){false, false, batch, in, out}));
    }
out:
    nn_net_free(net);
    return s;
}

static enum st open_tuning(const struct tune *w, const struct ocl_facts *f, bool fresh, struct mx_tuning **out)
{
    enum st s = ST_OK;
    struct mx_tuning *t = NULL;
    TRY(mx_tuning_open(f, w->quick, fresh, cmd_version(), &t));
    TRY(mx_tuning_add_products(t));
    TRY(add_net(w, t));
    TRY(mx_tuning_add_candidates(t, w->provider));
    TRY(mx_tuning_resume(t));
    *out = t;
    t = NULL;
out:
    mx_tuning_free(t);
    return s;
}

/* ---- child ------------------------------------------------------------------------------------------------------- */

static void tell_product(void *user, int product, double gflops)
{
    (void)user;
    output("%s%d %.6g\n", product_word, product, gflops);
    fflush(stdout);
}

static enum st run_child(const struct tune *w, int64_t c)
{
    enum st s = ST_OK;
    struct device_hold hold = {0};
    struct ocl_queue *q = NULL;
    struct mx_tuning *t = NULL;
    TRY(device_open(w->devices, &hold));
    TRY(ocl_queue_open(hold.device, &q));
    TRY(open_tuning(w, ocl_device_facts(hold.device), false, &t));
    if (c < 0) {
        TRY(mx_tuning_measure_peak(t, q));
        output("%s%.6g\n", peak_word, mx_tuning_peak(t));
        goto out;
    }
    if (c >= mx_tuning_candidates(t))
        TRY(st_fail(ST_INPUT, "--candidate is %lld, must be below %d", (long long)c, mx_tuning_candidates(t)));
    TRY(mx_tuning_measure(t, (int)c, q, UINT64_MAX, tell_product, NULL));
    if (mx_tuning_refused(t, (int)c))
        output("%s%s\n", refused_word, mx_tuning_refused(t, (int)c));
out:
    mx_tuning_free(t);
    ocl_queue_close(q);
    device_close(&hold);
    return s;
}

/* ---- parent ------------------------------------------------------------------------------------------------------ */

/* What a child says. */
struct heard {
    struct mx_tuning *t;
    int candidate;
    bool refused, measured;
    char last[512]; /* words that are none of ours: of a failing driver, or our own error line */
};

static void hear(void *user, const char *line)
{
    struct heard *h = user;
    double v;
    if (strncmp(line, peak_word, strlen(peak_word)) == 0 && parse_f64(line + strlen(peak_word), &v)) {
        mx_tuning_record_peak(h->t, v);
    } else if (strncmp(line, product_word, strlen(product_word)) == 0 && h->candidate >= 0) {
        char number[16];
        const char *rest = line + strlen(product_word);
        int64_t product;
        size_t n = strcspn(rest, " ");
        snprintf(number, sizeof number, "%.*s", (int)n, rest);
        if (parse_i64(number, &product) && rest[n] && parse_f64(rest + n + 1, &v) && product >= 0 &&
            product < mx_tuning_products(h->t)) {
            mx_tuning_record(h->t, h->candidate, (int)product, v);
            h->measured = true;
        }
    } else if (strncmp(line, refused_word, strlen(refused_word)) == 0 && h->candidate >= 0) {
        mx_tuning_refuse(h->t, h->candidate, line + strlen(refused_word));
        h->refused = true;
    } else {
        snprintf(h->last, sizeof h->last, "%s", line);
    }
}

static void refuse_ended(struct heard *h, const struct process_end *end, int64_t timeout)
{
    char why[600];
    if (h->refused || end->how == PROCESS_INTERRUPTED || (end->how == PROCESS_EXITED && end->code == 0))
        return;
    if (end->how == PROCESS_TIMED_OUT && h->measured) { /* it is right, and too slow for the rest */
        for (int p = 0; p < mx_tuning_products(h->t); p++)
            if (isnan(mx_tuning_gflops(h->t, h->candidate, p)))
                mx_tuning_record(h->t, h->candidate, p, 0);
        return;
    }
    if (end->how == PROCESS_TIMED_OUT)
        snprintf(why, sizeof why, "took more than %lld s", (long long)timeout);
    else if (end->how == PROCESS_SIGNALLED)
        snprintf(why, sizeof why, "the driver crashed: signal %d", end->code);
    else
        snprintf(why, sizeof why, "%s", h->last[0] ? h->last : "the process that tried it failed");
    if (h->candidate >= 0)
        mx_tuning_refuse(h->t, h->candidate, why);
    else
        note("the device's peak is not known: %s", why);
}

/* One candidate in a process of its own. */
static enum st run_apart(const struct tune *w, struct mx_tuning *t, const char *device, int c)
{
    struct heard h = {.t = t, .candidate = c};
    struct process_end end;
    char program[] = "/proc/self/exe", number[16], batch[16];
    char *argv[16];
    int n = 0;
    snprintf(number, sizeof number, "%d", c);
    snprintf(batch, sizeof batch, "%lld", (long long)w->batch);
    const char *const words[] = {program, "tune", "--candidate", number, "--devices", device, "--batch", batch,
                                 w->provider ? "--provider" : NULL, w->provider, w->net ? "--net" : NULL, w->net,
                                 w->quick ? "--quick" : NULL};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (words[i])
            memcpy(&argv[n++], &words[i], sizeof *argv); /* execve() wants pointers to what it does not write */
    argv[n] = NULL;
    enum st s = process_run(argv, (uint64_t)w->timeout * 1000000000u, hear, &h, &end);
    if (s == ST_OK)
        refuse_ended(&h, &end, w->timeout);
    return s;
}

static bool out_of_time(const struct tune *w)
{
    return interrupted() || (w->seconds > 0 && (double)(clock_ns() - w->start_ns) * 1e-9 >= w->seconds);
}

/* All that is not measured yet, saved after each. */
static enum st tune_device(const struct tune *w, struct mx_tuning *t, const char *device, bool *complete)
{
    enum st s = ST_OK;
    int n = mx_tuning_candidates(t);
    TRY(mx_tuning_save(t, false)); /* the children go by it, and what cannot be written is known now */
    if (!(mx_tuning_peak(t) > 0) && !out_of_time(w))
        TRY(run_apart(w, t, device, -1));
    for (int c = 0; c < n; c++) {
        if (mx_tuning_done(t, c))
            continue;
        if (out_of_time(w))
            break;
        tune_show_start(w, t, c);
        TRY(run_apart(w, t, device, c));
        if (interrupted())
            break;
        mx_tuning_choose(t);
        TRY(mx_tuning_save(t, false));
        tune_show_candidate(w, t, c);
    }
    *complete = true;
    for (int c = 0; c < n; c++)
        *complete = *complete && mx_tuning_done(t, c);
    mx_tuning_choose(t);
    TRY(mx_tuning_save(t, *complete && !w->provider));
out:
    return s;
}

/* The facts of one part of a device that is split. */
static struct ocl_facts facts_of(const struct ocl_world *world, const struct ocl_pick *pick, char *name, size_t size)
{
    struct ocl_facts f = *ocl_facts_at(world, pick->device);
    snprintf(name, size, "%d:%d", f.platform, f.index);
    if (pick->parts > 1) {
        size_t n = strlen(name);
        snprintf(name + n, size - n, "/%d", pick->parts);
        f.compute_units /= (uint32_t)pick->parts;
        f.parts_max = 1;
    }
    return f;
}

static enum st tune_pick(const struct tune *w, const struct ocl_world *world, const struct ocl_pick *pick)
{
    enum st s = ST_OK;
    char device[32];
    bool complete = false;
    struct mx_tuning *t = NULL;
    struct ocl_facts f = facts_of(world, pick, device, sizeof device);
    uint64_t start = clock_ns();
    if (!f.available || !f.compiler) {
        note("device %s %s is left out: it is not available or has no compiler", device, f.name);
        return ST_OK;
    }
    TRY(open_tuning(w, &f, w->fresh, &t));
    tune_show_device(w, t, &f, device);
    TRY(tune_device(w, t, device, &complete));
    TRY(tune_show_result(w, t, device, complete, (double)(clock_ns() - start) * 1e-9));
out:
    mx_tuning_free(t);
    return s;
}

static enum st tune_all(const struct tune *w)
{
    enum st s = ST_OK;
    struct ocl_world *world = NULL;
    struct ocl_pick *picks = NULL;
    int n = 0;
    TRY(ocl_world_open(&world));
    TRY(ocl_pick_devices(world, w->devices, &picks, &n));
    interrupt_catch();
    for (int i = 0; i < n && !interrupted(); i++)
        if (picks[i].part == 0) /* all parts are alike */
            TRY(tune_pick(w, world, &picks[i]));
    if (interrupted())
        TRY(st_fail(ST_INTERRUPTED, "interrupted by %s: what was measured is kept, and the next start goes on",
                    interrupt_name(interrupted())));
out:
    mem_free(picks);
    ocl_world_close(world);
    return s;
}

/* ---- the command line -------------------------------------------------------------------------------------------- */

/* Takes the hidden option off the front: it is for this program alone. */
static enum st take_candidate(int *argc, char ***argv, bool *child, int64_t *candidate)
{
    *child = *argc >= 2 && strcmp((*argv)[0], "--candidate") == 0;
    if (!*child)
        return ST_OK;
    if (!parse_i64((*argv)[1], candidate))
        return st_fail(ST_INPUT, "--candidate is '%s', must be a whole number", (*argv)[1]);
    *argc -= 2;
    *argv += 2;
    return ST_OK;
}

static enum st run(int argc, char **argv)
{
    enum st s = ST_OK;
    struct tune w = {.batch = 128, .timeout = 60, .start_ns = clock_ns()};
    int64_t seconds = 0, candidate = 0;
    bool child;
    const char *none[1];
    const struct arg args[] = {
        {"--devices", ARG_TEXT, &w.devices, "SPEC", "the devices; default: the best one"},
        {"--quick", ARG_FLAG, &w.quick, NULL, "only what needs no trying, in seconds"},
        {"--seconds", ARG_WHOLE, &seconds, "N", "stop after about so long; the next start goes on (0: when done)"},
        {"--timeout", ARG_WHOLE, &w.timeout, "N", "seconds a candidate may take to compile and run (60)"},
        {"--provider", ARG_TEXT, &w.provider, "NAME", "try that one alone: plain, clblast or tile (all)"},
        {"--net", ARG_TEXT, &w.net, "NET", "also measure the products of this net: a file, or the net itself"},
        {"--batch", ARG_WHOLE, &w.batch, "B", "of the net: samples a step (128)"},
        {"--fresh", ARG_FLAG, &w.fresh, NULL, "measure anew what is known"},
        {"--json", ARG_FLAG, &w.json, NULL, "as JSON, a line a device"},
    };
    struct arg_list list = {.usage = "tune [options]", .args = args, .n = COUNT_OF(args), .positional = none};
    TRY(take_candidate(&argc, &argv, &child, &candidate));
    TRY(args_parse(&list, argc, argv));
    if (list.help)
        return ST_OK;
    TRY(args_check("--batch", w.batch, 1, 65536));
    TRY(args_check("--seconds", seconds, 0, 1000000));
    TRY(args_check("--timeout", w.timeout, 1, 3600));
    const struct arg_effect effects[] = {{"--batch", !w.net && !child, "it is of --net, which is not given"},
                                         {"--timeout", w.quick, "--quick tries nothing in a process of its own"}};
    TRY(args_check_effects(&list, effects, COUNT_OF(effects)));
    w.seconds = (double)seconds;
    TRY(child ? run_child(&w, candidate) : tune_all(&w));
out:
    return s;
}

const struct command cmd_tune = {.name = "tune", .summary = "measure what computes products fastest", .run = run};
