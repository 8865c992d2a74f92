/* clutch bench: the table of benches and their options; for people and, with --json, a line a row for scripts. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum st (*run)(struct bench *b);
    const char *takes[4]; /* of the options that not all take; NET is one */
} benches[] = {{.name = "peak", .run = bench_peak},
               {.name = "gemm", .run = bench_gemm, .takes = {"--shape", "--provider"}},
               {.name = "step", .run = bench_step, .takes = {"NET", "--batch", "--optimizer", "--no-tune"}},
               {.name = "launch", .run = bench_launch}};

static const char *bench_name(const void *unused, size_t i)
{
    (void)unused;
    return i < COUNT_OF(benches) ? benches[i].name : NULL;
}

static bool takes(size_t bench, const char *option)
{
    for (size_t i = 0; i < COUNT_OF(benches[bench].takes) && benches[bench].takes[i]; i++)
        if (strcmp(benches[bench].takes[i], option) == 0)
            return true;
    return false;
}

/* Refuses what is of other benches alone. */
static enum st check_effect(size_t bench, const char *option)
{
    for (size_t i = 0; i < COUNT_OF(benches); i++)
        if (takes(i, option) && !takes(bench, option))
            return st_fail(ST_INPUT, "%s has no effect here: it is of `clutch bench %s`", option, benches[i].name);
    return ST_OK;
}

static enum st find_bench(const char *name, const struct arg_list *l, size_t *out)
{
    enum st s = ST_OK;
    char text[SHOW_UNKNOWN_MAX];
    for (*out = 0; *out < COUNT_OF(benches) && strcmp(benches[*out].name, name) != 0;)
        ++*out;
    if (*out == COUNT_OF(benches))
        TRY(st_fail(ST_INPUT, "%s", show_unknown(text, sizeof text, "bench", name, bench_name, NULL)));
    for (int k = 0; k < l->n; k++)
        if (l->given >> k & 1)
            TRY(check_effect(*out, l->args[k].name));
    if (l->positional[1])
        TRY(check_effect(*out, "NET"));
out:
    return s;
}

enum st bench_row(const struct bench *b, json_t *row)
{
    json_put(&row, "device", json_foreign(ocl_device_label(b->device)));
    json_put(&row, "driver", json_foreign(ocl_device_facts(b->device)->driver));
    json_put(&row, "clutch", json_string(cmd_version()));
    return json_print(row);
}

static const char about[] =
    "  peak: how many multiply-adds a second the device does at most, in registers, and how many bytes a second it "
    "copies; other benches are held against these.\n"
    "  gemm: matrix products by every provider, checked against the plain kernels and then timed; with the share of "
    "the peak.\n"
    "  step: where the time of a training step of NET goes, kernel by kernel (without NET: three dense layers, 256 "
    "units wide, for pictures of 28 x 28).\n"
    "  launch: what one kernel launch costs, in a row and waited for.\n"
    "A share above 100 % of peak is real: the peak is itself measured, so it varies by a few percent, and copies that "
    "fit the caches are faster than memory.\n";

static enum st run(int argc, char **argv)
{
    enum st s = ST_OK;
    struct device_hold hold = {0};
    struct ocl_queue *queue = NULL;
    struct bench b = {.optimizer = "adam"};
    const char *positional[3] = {0}, *devices = NULL;
    int64_t batch = 128;
    size_t bench = 0;
    const struct arg args[] = {
        {"--devices", ARG_TEXT, &devices, "SPEC", "the device (the best one)"},
        {"--batch", ARG_WHOLE, &batch, "B", "of step: samples (128)"},
        {"--optimizer", ARG_TEXT, &b.optimizer, "adam|adamw|sgd", "of step: how weights are updated (adam)"},
        {"--shape", ARG_TEXT, &b.shape, "MxNxK", "of gemm: one shape (a list of them)"},
        {"--provider", ARG_TEXT, &b.provider, "NAME", "of gemm: plain, clblast or tile, \"tile kc=272\" (all)"},
        {"--no-tune", ARG_FLAG, &b.no_tune, NULL, "of step: do not measure products on a device that is not tuned"},
        {"--json", ARG_FLAG, &b.json, NULL, "as JSON, a line a row"},
    };
    struct arg_list list = {.usage = "bench peak|gemm|step|launch [NET] [options]   (NET: of step)", .args = args,
                            .n = COUNT_OF(args), .least = 1, .most = 2, .positional = positional, .about = about};
    TRY(args_parse(&list, argc, argv));
    if (list.help)
        return ST_OK;
    TRY(find_bench(positional[0], &list, &bench));
    TRY(args_check("--batch", batch, 1, 65536));
    b.batch = (int)batch;
    b.net = positional[1] ? positional[1] : "input 1x28x28; dense 256; relu; dense 256; relu; dense 10; loss softmax";
    TRY(device_open(devices, &hold));
    b.device = hold.device;
    TRY(ocl_queue_open(b.device, &queue));
    if (b.provider) { /* known, before anything is measured */
        TRY(mx_open(queue, b.provider, &b.mx));
        mx_close(b.mx);
        b.mx = NULL;
    }
    TRY(mx_open(queue, "plain", &b.mx));
    if (!b.json)
        output("%s\n", ocl_device_label(b.device));
    TRY(benches[bench].run(&b));
out:
    mx_close(b.mx);
    ocl_queue_close(queue);
    device_close(&hold);
    return s;
}

const struct command cmd_bench = {.name = "bench", .summary = "how fast a device is", .run = run};
