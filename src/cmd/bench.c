/* clutch bench: the table of benches and their options; for people and, with --json, a line a row for scripts. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum st (*run)(struct bench *b);
} benches[] = {{"peak", bench_peak}, {"gemm", bench_gemm}, {"step", bench_step}, {"launch", bench_launch}};

enum st bench_row(const struct bench *b, json_t *row)
{
    json_object_set_new(row, "device", json_string(ocl_device_label(b->device)));
    json_object_set_new(row, "driver", json_string(ocl_device_facts(b->device)->driver));
    json_object_set_new(row, "clutch", json_string(cmd_version()));
    return json_print(row);
}

static enum st run_named(struct bench *b, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(benches); i++)
        if (strcmp(benches[i].name, name) == 0)
            return benches[i].run(b);
    return st_fail(ST_INPUT, "unknown bench '%s'; known: peak, gemm, step, launch", name);
}

static enum st run(int argc, char **argv)
{
    enum st s = ST_OK;
    struct device_hold hold = {0};
    struct ocl_queue *queue = NULL;
    struct bench b = {.optimizer = "adam"};
    const char *positional[3] = {0}, *devices = NULL;
    int64_t batch = 128;
    const struct arg args[] = {
        {"--devices", ARG_TEXT, &devices, "SPEC", "the device; default: the best one"},
        {"--batch", ARG_WHOLE, &batch, "B", "of step: samples (128)"},
        {"--optimizer", ARG_TEXT, &b.optimizer, "NAME", "of step: adam, adamw or sgd (adam)"},
        {"--shape", ARG_TEXT, &b.shape, "MxNxK", "of gemm: one shape (a list of them)"},
        {"--provider", ARG_TEXT, &b.provider, "NAME", "of gemm: plain, clblast or tile, \"tile kc=272\" (all)"},
        {"--no-tune", ARG_FLAG, &b.no_tune, NULL, "of step: do not measure products on a device that is not tuned"},
        {"--json", ARG_FLAG, &b.json, NULL, "as JSON, a line a row"},
    };
    struct arg_list list = {.usage = "bench peak|gemm|step|launch [NET] [options]   (NET: of step)", .args = args,
                            .n = COUNT_OF(args), .least = 1, .most = 2, .positional = positional};
    TRY(args_parse(&list, argc, argv));
    if (list.help)
        return ST_OK;
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
        printf("%s\n", ocl_device_label(b.device));
    TRY(run_named(&b, positional[0]));
out:
    mx_close(b.mx);
    ocl_queue_close(queue);
    device_close(&hold);
    return s;
}

const struct command cmd_bench = {.name = "bench", .summary = "how fast a device is", .run = run};
