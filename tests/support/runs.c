/* Nets on the test's device with views of the digits. */
#include "runs.h"

#include "check.h"
#include "device.h"
#include "store.h"

#include <stdio.h>
#include <string.h>

enum { RUNS_MAX = 16 };

static struct data_set *digits; /* the views borrow from it */
static struct run runs[RUNS_MAX];
static int run_n;
static struct arena taken; /* numbers of a test */
static struct ocl_world *world; /* of the halves */
static struct ocl_device *half[2];
static struct plan_device place[PLACES];

int runs_setup(void **state)
{
    OK(data_open("digits", 1, &digits));
    return device_open(state);
}

int runs_teardown(void **state)
{
    ocl_device_close(half[0]);
    ocl_device_close(half[1]);
    ocl_world_close(world);
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
    arena_free(&taken);
    taken = (struct arena){0};
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

/* A checkpoint holds all that a run consists of, and how long it took, which is no part of it. */
static struct text bits_of(struct train *t)
{
    struct text bits = {0};
    struct store_file *file;
    OK(train_save_checkpoint(t, in_folder("bits")));
    OK(store_tensors_open(in_folder("bits"), &file));
    for (int i = 0; i < store_tensors_count(file); i++) {
        const struct store_tensor *one = store_tensors_at(file, i);
        size_t count = 1;
        if (strstr(one->name, "nanoseconds"))
            continue;
        text_add(&bits, "%s", one->name);
        for (int k = 0; k < one->rank; k++)
            count *= (size_t)one->shape[k];
        text_add_bytes(&bits, one->data, count * (one->type == STORE_I64 ? 8 : 4));
    }
    store_tensors_close(file);
    OK(text_status(&bits));
    return bits;
}

static int slots_of(struct train *t)
{
    for (int i = 0; i < run_n; i++)
        if (runs[i].train == t)
            return nn_optimizer_find(runs[i].options.optimizer)->slots;
    return 1;
}

/* One tensor of both, in one part of their memory. */
static bool same_tensor(struct train *a, struct train *b, int i, const struct nn_param *p, enum nn_part part, int slot)
{
    float *x = mem_alloc(p->count, sizeof *x), *y = mem_alloc(p->count, sizeof *y);
    assert_true(x && y);
    OK(train_read(a, i, part, slot, x));
    OK(train_read(b, i, part, slot, y));
    bool same = memcmp(x, y, p->count * sizeof *x) == 0;
    mem_free(x);
    mem_free(y);
    return same;
}

/* A checkpoint of modules has counts of each, so that it never equals that of the loop. */
static bool same_net(struct train *a, struct train *b)
{
    const struct nn_net *net = NULL;
    for (int i = 0; i < run_n; i++)
        if (runs[i].train == a)
            net = runs[i].net;
    assert_non_null(net);
    bool same = train_epochs_done(a) == train_epochs_done(b) && train_steps_done(a) == train_steps_done(b);
    for (int i = 0; i < nn_tensor_count(net); i++) {
        struct nn_tensor t = nn_tensor_at(net, i);
        same = same && same_tensor(a, b, i, t.param, t.is_state ? NN_STATE : NN_PARAM, 0);
        for (int slot = 0; !t.is_state && slot < 2; slot++)
            same = same && same_tensor(a, b, i, t.param, NN_SLOT, slot % slots_of(a));
    }
    return same;
}

bool same_bits(struct train *a, struct train *b)
{
    struct text a_bits = bits_of(a), b_bits = bits_of(b);
    bool same = a_bits.len == b_bits.len ? memcmp(a_bits.s, b_bits.s, a_bits.len) == 0 : same_net(a, b);
    text_free(&a_bits);
    text_free(&b_bits);
    return same;
}

/* ---- in modules -------------------------------------------------------------------------------------------------- */

static void name_place(int i, struct ocl_device *d)
{
    place[i] = (struct plan_device){.device = d};
    snprintf(place[i].label, sizeof place[i].label, "%s", ocl_device_label(d));
}

static void open_halves(void)
{
    const struct ocl_facts *f = ocl_device_facts(ocl_queue_device(device_queue()));
    struct ocl_pick *picks = NULL;
    char word[64];
    int n = 0;
    if (f->parts_max < 2)
        return;
    OK(ocl_world_open(&world));
    snprintf(word, sizeof word, "%d:%d/2", f->platform, f->index);
    OK(ocl_pick_devices(world, word, &picks, &n));
    assert_int_equal(n, 2);
    for (int i = 0; i < 2; i++)
        OK(ocl_device_open(world, &picks[i], &half[i]));
    mem_free(picks);
}

const struct plan_device *places(void)
{
    struct ocl_device *whole = ocl_queue_device(device_queue());
    if (!half[0])
        open_halves();
    name_place(PLACE_WHOLE, whole);
    for (int i = 0; i < 2; i++)
        name_place(PLACE_HALF + i, half[i] ? half[i] : whole);
    return place;
}

struct train_placement team_placement(const struct run *r, int queue, bool lockstep)
{
    struct train_placement p = {.device = places(), .device_count = PLACES, .lockstep = lockstep, .queue = queue};
    OK(train_couplings(r->net, NULL, p.coupling));
    return p;
}

struct train *team_start(struct run *r, const struct train_placement *p)
{
    OK(train_open_modules(p, r->net, &r->options, &r->set, &r->scaling, NULL, &r->train));
    OK(train_init(r->train));
    return r->train;
}

struct run *team_new(const char *net, uint32_t n, int queue, bool lockstep)
{
    struct run *r = run_plan(net, n);
    struct train_placement p = team_placement(r, queue, lockstep);
    team_start(r, &p);
    return r;
}

static struct numbers numbers_new(size_t n)
{
    struct numbers out = {.at = arena_alloc(&taken, n, sizeof(float)), .n = n};
    assert_non_null(out.at);
    return out;
}

static size_t net_floats(const struct nn_net *net, int slots)
{
    size_t n = 0;
    for (int i = 0; i < nn_tensor_count(net); i++) {
        struct nn_tensor t = nn_tensor_at(net, i);
        n += t.param->count * (t.is_state ? 1u : 1u + (unsigned)slots);
    }
    return n;
}

static float *read_module(struct nn_module *m, const struct nn_net *net, int slots, float *at)
{
    for (int i = 0; i < nn_tensor_count(net); i++) {
        struct nn_tensor t = nn_tensor_at(net, i);
        for (int k = -1; k < (t.is_state ? 0 : slots); k++, at += t.param->count)
            OK(nn_module_read(m, i, k >= 0 ? NN_SLOT : t.is_state ? NN_STATE : NN_PARAM, k < 0 ? 0 : k, at));
    }
    return at;
}

static float *read_net(struct run *r, int slots, float *at)
{
    for (int i = 0; i < nn_tensor_count(r->net); i++) {
        struct nn_tensor t = nn_tensor_at(r->net, i);
        for (int k = -1; k < (t.is_state ? 0 : slots); k++, at += t.param->count)
            OK(train_read(r->train, i, k >= 0 ? NN_SLOT : t.is_state ? NN_STATE : NN_PARAM, k < 0 ? 0 : k, at));
    }
    return at;
}

static size_t state_floats(const struct sg_coupling *c)
{
    int rows, cols;
    sg_state_shape(c, &rows, &cols);
    return (size_t)rows * (size_t)cols;
}

struct numbers numbers_of(struct run *r, bool couplings)
{
    int slots = nn_optimizer_find(r->options.optimizer)->slots;
    int cuts = couplings ? train_module_count(r->train) - 1 : 0;
    size_t n = net_floats(r->net, slots);
    for (int k = 0; k < cuts; k++) {
        struct sg_coupling *c = train_module_at(r->train, k).coupling;
        for (int i = 0; c && i < sg_net_count(c); i++)
            n += net_floats(sg_net(c, i), sg_net_slots(c, i));
        n += c ? state_floats(c) : 0;
    }
    struct numbers all = numbers_new(n);
    float *at = read_net(r, slots, all.at);
    for (int k = 0; k < cuts; k++) {
        struct sg_coupling *c = train_module_at(r->train, k).coupling;
        for (int i = 0; c && i < sg_net_count(c); i++)
            at = read_module(sg_module(c, i), sg_net(c, i), sg_net_slots(c, i), at);
        if (c) {
            OK(sg_state_read(c, at));
            at += state_floats(c);
        }
    }
    assert_true(at == all.at + n);
    return all;
}

bool same_numbers(struct numbers a, struct numbers b)
{
    return a.n == b.n && memcmp(a.at, b.at, a.n * sizeof *a.at) == 0;
}

static struct numbers params_of(struct nn_module *m, struct ocl_queue *q)
{
    struct mx_tensor all = nn_module_params(m);
    struct numbers out = numbers_new((size_t)all.cols);
    OK(ocl_read(q, all.buf, 4 * all.off, 4 * out.n, out.at));
    return out;
}

struct numbers params_of_module(struct run *r, int k)
{
    struct train_module m = train_module_at(r->train, k);
    return params_of(m.module, mx_queue(m.mx));
}

struct numbers params_of_coupling(struct run *r, int k, int i)
{
    struct train_module m = train_module_at(r->train, k);
    return params_of(sg_module(m.coupling, i), mx_queue(m.mx));
}
