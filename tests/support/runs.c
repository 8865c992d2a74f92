/* Nets on the test's device with views of the digits. */
#include "runs.h"

#include "check.h"
#include "device.h"
#include "store.h"

#include <limits.h>
#include <string.h>

enum { RUNS_MAX = 8 };

static struct data_set *digits; /* the views borrow from it */
static struct run runs[RUNS_MAX];
static int run_n;

int runs_setup(void **state)
{
    OK(data_open("digits", 1, &digits));
    return device_open(state);
}

int runs_teardown(void **state)
{
    data_free(digits);
    return device_close(state);
}

int runs_drop(void **state)
{
    for (int i = 0; i < run_n; i++) {
        train_close(runs[i].train);
        nn_net_free(runs[i].net);
    }
    memset(runs, 0, sizeof runs);
    run_n = 0;
    return device_drop(state);
}

struct run *run_plan(const char *net, uint32_t n)
{
    assert_true(run_n < RUNS_MAX);
    struct run *r = &runs[run_n++];
    r->set = *digits;
    r->set.train.n = n;
    r->set.test.n = 500;
    r->options = train_defaults();
    r->options.epochs = 4;
    r->options.batch = 32;
    OK(nn_net_open(net, &r->net));
    r->scaling.channels = r->set.c;
    data_moments(&r->set, r->scaling.mean, r->scaling.deviation);
    return r;
}

enum st run_open(struct run *r)
{
    return train_open(ocl_queue_device(device_queue()), r->net, &r->options, &r->set, &r->scaling, r->options.batch,
                      NULL, &r->train);
}

struct train *run_start(struct run *r)
{
    OK(run_open(r));
    OK(train_init(r->train));
    return r->train;
}

struct train *run_new(const char *net, uint32_t n)
{
    return run_start(run_plan(net, n));
}

struct train_epoch run_epochs(struct train *t, int n)
{
    struct train_epoch e = {0};
    for (int i = 0; i < n; i++)
        OK(train_epoch_run(t, NULL, &e));
    return e;
}

const char *in_folder(const char *file)
{
    static char path[PATH_MAX];
    OK(store_path(check_folder(), file, path, sizeof path));
    return path;
}

/* A checkpoint holds all that a run consists of. Caller frees. */
static char *bits_of(struct train *t, size_t *len)
{
    char *bits;
    OK(train_save_checkpoint(t, in_folder("bits")));
    OK(file_read(in_folder("bits"), 1 << 24, &bits, len));
    return bits;
}

bool same_bits(struct train *a, struct train *b)
{
    size_t a_len, b_len;
    char *a_bits = bits_of(a, &a_len), *b_bits = bits_of(b, &b_len);
    bool same = a_len == b_len && memcmp(a_bits, b_bits, a_len) == 0;
    mem_free(a_bits);
    mem_free(b_bits);
    return same;
}
