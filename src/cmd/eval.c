/* clutch eval: loss and accuracy of what a run learned. */
#include "inside.h"

#include <limits.h>
#include <stdio.h>

/* A trained net opened for anything but training. */
static enum st evaluate(const struct run_facts *f, const char *folder, const char *word, struct ocl_device *device,
                        struct train_result *result, char *data_name, size_t size)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    struct nn_net *net = NULL;
    struct data_set *set = NULL;
    struct train *t = NULL;
    TRY(run_facts_net(folder, f, &net));
    TRY(data_open(word, f->options.seed, &set));
    TRY(train_open(device, net, NULL, set, &f->scaling, f->options.batch, NULL, &t));
    TRY(store_path(folder, "model.safetensors", path, sizeof path));
    TRY(train_load(t, path));
    TRY(train_evaluate(t, TRAIN_TEST, result));
    snprintf(data_name, size, "%s", set->name);
out:
    train_close(t);
    data_free(set);
    nn_net_free(net);
    return s;
}

static enum st print_json(const char *folder, const char *data, const struct train_result *r)
{
    json_t *one = json_pack("{s:s, s:s, s:I, s:f, s:f}", "run", folder, "data", data, "samples", (json_int_t)r->samples,
                            "test_loss", r->loss, "test_accuracy", r->accuracy);
    return json_print(one);
}

static enum st run(int argc, char **argv)
{
    enum st s = ST_OK;
    const char *positional[2] = {0}, *data = NULL, *devices = NULL;
    bool json = false;
    struct run_facts facts = {0};
    struct device_hold hold = {0};
    struct train_result result;
    char name[DATA_NAME_MAX];
    const struct arg args[] = {
        {"--data", ARG_TEXT, &data, "DATA",
         "other data than the run's: fashion-mnist, mnist, digits, or a folder of IDX files or PNGs"},
        {"--devices", ARG_TEXT, &devices, "SPEC", "the device; default: the best one"},
        {"--json", ARG_FLAG, &json, NULL, "as JSON"},
    };
    struct arg_list list = {.usage = "eval RUN [--data DATA] [options]", .args = args, .n = COUNT_OF(args), .least = 1,
                            .most = 1, .positional = positional};
    TRY(args_parse(&list, argc, argv));
    if (list.help)
        return ST_OK;
    TRY(run_facts_read(positional[0], &facts));
    TRY(device_open(devices, &hold));
    TRY(evaluate(&facts, positional[0], data ? data : facts.data, hold.device, &result, name, sizeof name));
    if (json)
        TRY(print_json(positional[0], name, &result));
    else
        output("%s on the test set of %s: accuracy %.4f, loss %.4f (%llu samples)\n", positional[0], name,
               result.accuracy, result.loss, (unsigned long long)result.samples);
out:
    device_close(&hold);
    run_facts_free(&facts);
    return s;
}

const struct command cmd_eval = {.name = "eval", .summary = "accuracy and loss of what a run learned", .run = run};
