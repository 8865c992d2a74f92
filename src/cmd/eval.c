/* clutch eval: loss and accuracy of what a run learned. */
#include "inside.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* What --split says, as training left it: TRAIN_TRAINING without what was held out. The last one: all of it. */
static const struct {
    const char *name, *phrase;
} splits[] = {[TRAIN_TRAINING] = {"train", "training set"},
              [TRAIN_VALIDATION] = {"validation", "validation set"},
              [TRAIN_TEST] = {"test", "test set"},
              {"all", "samples"}};
enum { ALL = COUNT_OF(splits) - 1 };

static const char *split_name(const void *of, size_t i)
{
    (void)of;
    return i < COUNT_OF(splits) ? splits[i].name : NULL;
}

static enum st find_split(const char *word, int *out)
{
    char text[SHOW_UNKNOWN_MAX];
    for (*out = 0; *out < (int)COUNT_OF(splits); ++*out)
        if (strcmp(splits[*out].name, word) == 0)
            return ST_OK;
    return st_fail(ST_INPUT, "%s", show_unknown(text, sizeof text, "--split", word, split_name, NULL));
}

/* What is evaluated: a run's net on data. */
struct subject {
    const struct run_facts *facts;
    const char *folder;
    bool best; /* its best model, not its last */
    struct ocl_device *device;
    struct nn_net *net;
    struct data_set *set;
};

/* One part of the data, as the test set of a net that is not to be trained. */
static enum st evaluate_part(const struct subject *u, const struct data_split *part, struct train_result *out)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    struct data_set set = *u->set; /* borrows the samples */
    struct train *t = NULL;
    set.train = set.validation = (struct data_split){0};
    set.test = *part;
    TRY(train_open(u->device, u->net, NULL, &set, &u->facts->scaling, u->facts->options.batch, NULL, &t));
    TRY(model_path(u->folder, u->best, path));
    TRY(train_load(t, path));
    TRY(train_evaluate(t, TRAIN_TEST, out));
out:
    train_close(t);
    return s;
}

/* Means over the samples of one split, or of all that have any. */
static enum st evaluate(const struct subject *u, int split, struct train_result *out)
{
    enum st s = ST_OK;
    const struct data_split *part[] = {[TRAIN_TRAINING] = &u->set->train, [TRAIN_VALIDATION] = &u->set->validation,
                                       [TRAIN_TEST] = &u->set->test};
    *out = (struct train_result){0};
    for (int k = 0; k < ALL; k++) {
        struct train_result one;
        if ((split != ALL && split != k) || !part[k]->n)
            continue;
        TRY(evaluate_part(u, part[k], &one));
        uint64_t samples = out->samples + one.samples;
        double share = (double)one.samples / (double)samples; /* 1 where it is alone: the same bits */
        out->loss += share * (one.loss - out->loss);
        out->accuracy += share * (one.accuracy - out->accuracy);
        out->samples = samples;
    }
    if (!out->samples)
        TRY(st_fail(ST_INPUT, "--split %s: %s has no samples for that", splits[split].name, u->set->name));
out:
    return s;
}

/* `word`: other data than the run's, or NULL. What the run held out is held out again; of other data, nothing is. */
static enum st open_subject(struct subject *u, const char *word, int split)
{
    enum st s = ST_OK;
    const struct run_facts *f = u->facts;
    TRY(run_facts_net(u->folder, f, &u->net));
    TRY(data_open(word ? word : run_facts_data(f), f->options.seed, &u->set));
    if (!word && split != TRAIN_TEST) /* whose samples stay what they are */
        TRY(data_hold_out(u->set, f->limit, f->validation, f->options.seed));
out:
    return s;
}

static enum st print_json(const char *folder, const char *data, int split, const struct train_result *r)
{
    char loss[32], accuracy[32];
    snprintf(loss, sizeof loss, "%s_loss", splits[split].name);
    snprintf(accuracy, sizeof accuracy, "%s_accuracy", splits[split].name);
    json_t *one = json_pack("{s:o, s:o, s:s, s:I, s:f, s:f}", "run", json_foreign(folder), "data", json_foreign(data),
                            "split", splits[split].name, "samples", (json_int_t)r->samples, loss, r->loss, accuracy,
                            r->accuracy);
    return json_print(one);
}

static enum st run(int argc, char **argv)
{
    enum st s = ST_OK;
    const char *positional[2] = {0}, *data = NULL, *devices = NULL, *word = "test";
    int split;
    bool json = false;
    struct run_facts facts = {0};
    struct device_hold hold = {0};
    struct train_result result;
    struct subject subject = {.facts = &facts};
    const struct arg args[] = {
        {"--data", ARG_TEXT, &data, "DATA",
         "other data than the run's: fashion-mnist, mnist, digits, or a folder of IDX files or PNGs"},
        {"--split", ARG_TEXT, &word, "WHICH",
         "of which samples: train, validation (those held out of the run's data), test, or all of them (test)"},
        {"--best", ARG_FLAG, &subject.best, NULL, "the weights of the best epoch, not of the last one"},
        {"--devices", ARG_TEXT, &devices, "SPEC", "the device; default: the best one"},
        {"--json", ARG_FLAG, &json, NULL, "as JSON"},
    };
    struct arg_list list = {.usage = "eval RUN [--data DATA] [options]", .args = args, .n = COUNT_OF(args), .least = 1,
                            .most = 1, .positional = positional};
    TRY(args_parse(&list, argc, argv));
    if (list.help)
        return ST_OK;
    TRY(find_split(word, &split));
    TRY(run_facts_read(positional[0], &facts));
    TRY(device_open(devices, &hold));
    subject.device = hold.device;
    subject.folder = positional[0];
    TRY(open_subject(&subject, data, split));
    TRY(evaluate(&subject, split, &result));
    if (json)
        TRY(print_json(positional[0], subject.set->name, split, &result));
    else
        output("%s on the %s of %s: accuracy %.4f, loss %.4f (%llu sample%s)\n", positional[0], splits[split].phrase,
               subject.set->name, result.accuracy, result.loss, (unsigned long long)result.samples,
               plural(result.samples));
out:
    data_free(subject.set);
    nn_net_free(subject.net);
    device_close(&hold);
    run_facts_free(&facts);
    return s;
}

const struct command cmd_eval = {.name = "eval", .summary = "accuracy and loss of what a run learned", .run = run};
