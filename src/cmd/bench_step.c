/* clutch bench step: where the time of a training step goes, kernel by kernel. */
#include "bench.h"

#include <stdio.h>

enum { SAMPLES = 12800, TIMED_STEPS = 50 };

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

static enum st kernel_row(const struct bench *b, const struct train_kernel *k, const struct train_profile *p,
                          const struct peaks *peak)
{
    double of_peak = k->flops > 0 ? k->flops / k->ns * 1e9 / peak->flops : k->bytes / k->ns * 1e9 / peak->bytes;
    double rate = k->flops > 0 ? k->flops / k->ns : k->bytes / k->ns;
    if (b->json)
        return bench_row(b, json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:f}", "bench", "step", "kernel", k->name,
                                      "launches", k->launches, "us", k->ns * 1e-3, "gflops", k->flops / k->ns,
                                      "gbytes", k->bytes / k->ns, "of_peak", of_peak));
    printf("%-22s %8.1f %9.1f %6.1f %% %9.1f %-8s %4.0f %%\n", k->name, k->launches, k->ns * 1e-3,
           100 * k->ns / p->wall_ns, rate, k->flops > 0 ? "GFLOP/s" : "GB/s", 100 * of_peak);
    return ST_OK;
}

static enum st print_profile(const struct bench *b, const struct train_profile *p, const struct peaks *peak)
{
    enum st s = ST_OK;
    double launches = 0, ns = 0;
    if (!b->json)
        printf("%-22s %8s %9s %8s %18s %6s\n", "kernel", "launches", "us", "of step", "", "of peak");
    for (int i = 0; i < p->kernel_count; i++) {
        launches += p->kernel[i].launches;
        ns += p->kernel[i].ns;
        TRY(kernel_row(b, &p->kernel[i], p, peak));
    }
    if (b->json)
        return bench_row(b, json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "bench", "step_total", "launches",
                                      launches, "kernels_us", ns * 1e-3, "wall_us_best", p->wall_ns * 1e-3,
                                      "wall_us_median", p->median_ns * 1e-3, "samples_per_second_best",
                                      b->batch / p->wall_ns * 1e9, "peak_gflops", peak->flops * 1e-9, "peak_gbytes",
                                      peak->bytes * 1e-9));
    printf("%-22s %8.1f %9.1f %6.1f %%\n", "all kernels", launches, ns * 1e-3, 100 * ns / p->wall_ns);
    printf("step: %.1f us (median %.1f), %.0f samples/s; peak %.1f GFLOP/s, %.1f GB/s\n", p->wall_ns * 1e-3,
           p->median_ns * 1e-3, b->batch / p->wall_ns * 1e9, peak->flops * 1e-9, peak->bytes * 1e-9);
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
    struct peaks peak;
    snprintf(o.optimizer, sizeof o.optimizer, "%s", b->optimizer);
    o.batch = b->batch;
    TRY(nn_net_open(b->net, &net));
    TRY(make_set(net, b->batch, &set));
    data_moments(&set, scaling.mean, scaling.deviation);
    TRY(tune_at_first_use(b->device, b->no_tune));
    TRY(train_open(b->device, net, &o, &set, &scaling, b->batch, NULL, &t));
    TRY(train_init(t));
    TRY(measure_peaks(b->mx, &peak));
    TRY(train_profile_run(t, TIMED_STEPS, &profile));
    TRY(print_profile(b, &profile, &peak));
out:
    train_close(t);
    mem_free(set.train.pixels);
    mem_free(set.train.labels);
    nn_net_free(net);
    return s;
}
