/* clutch bench step: where the time of a training step goes, kernel by kernel, beside what it would have to be. */
#include "bench.h"

#include <stdio.h>

enum { SAMPLES = 12800, TRACED_WINDOWS = 9 };

/* Random pictures of the net's shape: what they show does not change how long a step takes. */
static enum st make_set(const struct nn_net *net, int batch, struct data_set *set)
{
    enum st s = ST_OK;
    struct rng r;
    size_t size = (size_t)nn_size(net->input);
    uint32_t n = batch > SAMPLES ? (uint32_t)batch : SAMPLES;
    rng_init(&r, 1, 0);
    *set = (struct data_set){.name = "random", .c = net->input.c, .h = net->input.h, .w = net->input.w,
                             .classes = net->classes};
    if (set->h == 1 && set->w == 1) { /* a vector is a picture of one row */
        set->w = set->c;
        set->c = 1;
    }
    set->train.n = n - n % (uint32_t)batch; /* no smaller batch at the end */
    TRY(NEW(set->train.pixels, set->train.n * size));
    TRY(NEW(set->train.labels, set->train.n));
    for (size_t i = 0; i < set->train.n * size; i++)
        set->train.pixels[i] = (uint8_t)rng_u32(&r);
    for (size_t i = 0; i < set->train.n; i++)
        set->train.labels[i] = (uint8_t)rng_below(&r, (uint32_t)(net->classes < 256 ? net->classes : 256));
out:
    return s;
}

/* What a device was measured to do at best. */
struct best {
    struct peaks peak;
    double launch; /* seconds of one launch among many in a row */
};

/* Nanoseconds that a kernel without products to compute cannot do without: its bytes copied, its launches made. */
static double bound_ns(const struct train_kernel *k, const struct best *best)
{
    return 1e9 * (k->bytes / best->peak.bytes + k->launches * best->launch);
}

static enum st kernel_row(const struct bench *b, const struct train_kernel *k, const struct train_profile *p,
                          const struct best *best)
{
    bool flops = k->flops > 0;
    double rate = k->ns > 0 ? (flops ? k->flops : k->bytes) / k->ns : 0; /* GFLOP/s, GB/s */
    double of_peak = rate * 1e9 / (flops ? best->peak.flops : best->peak.bytes), x_bound = k->ns / bound_ns(k, best);
    if (b->json)
        return bench_row(b, json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:o}", "bench", "step", "kernel",
                                      k->name, "launches", k->launches, "us", k->ns * 1e-3, "of_step",
                                      k->ns / p->traced_ns, "gflops", flops ? rate : 0, "gbytes",
                                      k->ns > 0 ? k->bytes / k->ns : 0, "of_peak", of_peak, "x_bound",
                                      flops ? json_null() : json_real(x_bound)));
    output("%-22s %8.1f %9.1f %6.1f %% %9.1f %-7s %6.0f %%", k->name, k->launches, k->ns * 1e-3,
           100 * k->ns / p->traced_ns, rate, flops ? "GFLOP/s" : "GB/s", 100 * of_peak);
    if (flops)
        output("\n");
    else
        output(" %8.1f\n", x_bound);
    return ST_OK;
}

/* Sums over kernels: of all, and of those that have no floating-point work worth counting. */
struct sums {
    double launches, ns, other_ns, other_bound_ns;
};

static struct sums sum_up(const struct train_profile *p, const struct best *best)
{
    struct sums sum = {0};
    for (int i = 0; i < p->kernel_count; i++) {
        const struct train_kernel *k = &p->kernel[i];
        sum.launches += k->launches;
        sum.ns += k->ns;
        sum.other_ns += k->flops > 0 ? 0 : k->ns;
        sum.other_bound_ns += k->flops > 0 ? 0 : bound_ns(k, best);
    }
    return sum;
}

static enum st total_row(const struct bench *b, const struct train_profile *p, const struct best *best,
                         const struct sums *sum)
{
    json_t *row = json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:i}", "bench", "step_total", "launches",
                            sum->launches, "kernels_us", sum->ns * 1e-3, "between_us", p->between_ns * 1e-3,
                            "outside_us", p->outside_ns * 1e-3, "traced_us", p->traced_ns * 1e-3, "accounted",
                            (sum->ns + p->between_ns) / p->traced_ns, "traced_steps", p->steps);
    json_t *more = json_pack("{s:o, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "net", json_foreign(b->net),
                             "other_us", sum->other_ns * 1e-3, "other_bound_us", sum->other_bound_ns * 1e-3,
                             "launch_us", best->launch * 1e6, "peak_gflops", best->peak.flops * 1e-9, "peak_gbytes",
                             best->peak.bytes * 1e-9, "wall_us_best", p->wall_ns * 1e-3, "wall_us_median",
                             p->median_ns * 1e-3, "samples_per_second_best", b->batch / p->wall_ns * 1e9,
                             "wall_launches", p->launches);
    bool whole = row && more && json_object_update(row, more) == 0;
    json_decref(more);
    if (!whole) {
        json_decref(row);
        row = NULL; /* which bench_row takes for what it is, no memory */
    }
    return bench_row(b, row);
}

static void print_part(const char *name, double ns, const struct train_profile *p)
{
    output("%-22s %8s %9.1f %6.1f %%\n", name, "", ns * 1e-3, 100 * ns / p->traced_ns);
}

static void print_totals(const struct bench *b, const struct train_profile *p, const struct best *best,
                         const struct sums *sum)
{
    output("%-22s %8.1f %9.1f %6.1f %%\n", "all kernels", sum->launches, sum->ns * 1e-3, 100 * sum->ns / p->traced_ns);
    print_part("between kernels", p->between_ns, p);
    print_part("before and after", p->outside_ns, p);
    print_part("step, kernel by kernel", p->traced_ns, p);
    output("\naccounted for: %.1f %% (kernels and between); without products: %.1f us, %.1f x their bound of %.1f us\n",
           100 * (sum->ns + p->between_ns) / p->traced_ns, sum->other_ns * 1e-3, sum->other_ns / sum->other_bound_ns,
           sum->other_bound_ns * 1e-3);
    output("step, as it trains: %.1f us (median %.1f), %.0f samples/s, %.*f launches a step\n", p->wall_ns * 1e-3,
           p->median_ns * 1e-3, b->batch / p->wall_ns * 1e9, p->launches < 1 ? 2 : 0, p->launches);
    output("measured: peak %.1f GFLOP/s, copy %.1f GB/s, a launch in a row %.2f us\n", best->peak.flops * 1e-9,
           best->peak.bytes * 1e-9, best->launch * 1e6);
    output("\nKernels: launched one by one, the mean step of the best traced window of %d steps.\n"
           "of peak: of the measured GFLOP/s, or GB/s; above 100 %% where caches are faster than memory, or by noise.\n"
           "x bound: time over bytes / copy + launches x one launch; caches can take it below 1.\n"
           "between kernels: the device from one launch's end to the next one's start; before and after: the rest.\n",
           p->steps);
}

static enum st print_profile(const struct bench *b, const struct train_profile *p, const struct best *best)
{
    enum st s = ST_OK;
    struct sums sum = sum_up(p, best);
    if (!b->json)
        output("net: %s (batch %d, %s)\n%-22s %8s %9s %8s %17s %8s %8s\n", b->net, b->batch, b->optimizer, "kernel",
               "launches", "us", "of step", "", "of peak", "x bound");
    for (int i = 0; i < p->kernel_count; i++)
        TRY(kernel_row(b, &p->kernel[i], p, best));
    if (b->json)
        return total_row(b, p, best, &sum);
    print_totals(b, p, best, &sum);
out:
    return s;
}

enum st bench_step(struct bench *b)
{
    enum st s = ST_OK;
    struct nn_net *net = NULL;
    struct data_set set = {0};
    struct train *t = NULL;
    struct train_options o = train_defaults();
    struct train_scaling scaling;
    struct train_profile profile;
    struct best best;
    struct measured launch, waited;
    snprintf(o.optimizer, sizeof o.optimizer, "%s", b->optimizer);
    o.batch = b->batch;
    TRY(net_open(b->net, &net));
    TRY(make_set(net, b->batch, &set));
    scaling.channels = set.c;
    data_moments(&set, scaling.mean, scaling.deviation);
    TRY(tune_at_first_use(b->device, b->no_tune));
    TRY(train_open(b->device, net, &o, &set, &scaling, b->batch, NULL, &t));
    TRY(train_init(t));
    TRY(measure_peaks(b->mx, &best.peak));
    TRY(measure_launch(b->mx, &launch, &waited));
    best.launch = launch.best;
    TRY(train_profile_run(t, TRACED_WINDOWS, &profile));
    TRY(print_profile(b, &profile, &best));
out:
    train_close(t);
    mem_free(set.train.pixels);
    mem_free(set.train.labels);
    nn_net_free(net);
    return s;
}
