/* ocl: emulated devices: how their time is counted, and in which order their threads go on. */
#include "support/check.h"
#include "support/device.h"

#include <string.h>

static struct ocl_emulator *emulator;

static int open_emulator(void **state)
{
    (void)state;
    OK(ocl_emulator_open(&emulator));
    return 0;
}

static int close_emulator(void **state)
{
    (void)state;
    ocl_emulator_close(emulator);
    emulator = NULL;
    return 0;
}

/* ---- one device, in a thread of its own -------------------------------------------------------------------------- */

enum { PIECES = 5 };
static const uint64_t piece_ns = 20000000;

struct alone {
    struct ocl_emulated e;
    struct ocl_queue *queue;
    void (*work)(struct ocl_queue *q);
    uint64_t start_ns[PIECES], now_ns[PIECES], busy_ns[PIECES], work_ns[PIECES];
    bool good;
};

static void run_alone(void *user)
{
    struct alone *a = user;
    thread_works_for_device();
    ocl_emulated_turn(&a->e);
    a->good = true;
    for (int i = 0; i < PIECES && a->good; i++) {
        a->good = ocl_emulate_begin(&a->e, a->queue) == ST_OK;
        a->work(a->queue);
        a->good = a->good && ocl_emulate_end(&a->e, a->queue) == ST_OK;
        a->start_ns[i] = a->e.start_ns;
        a->now_ns[i] = a->e.now_ns;
        a->busy_ns[i] = a->e.busy_ns;
        a->work_ns[i] = a->e.work_ns;
    }
    ocl_emulated_leave(&a->e);
}

static void alone(struct alone *a, double slowness)
{
    struct thread *t;
    a->queue = device_queue();
    OK(ocl_emulated_open(emulator, slowness, &a->e));
    ocl_emulated_join(&a->e);
    OK(thread_start(run_alone, a, &t));
    thread_join(t);
    ocl_emulated_close(&a->e);
    assert_true(a->good);
}

static void compute(struct ocl_queue *q)
{
    (void)q;
    for (uint64_t start = clock_device_ns(); clock_device_ns() < start + piece_ns;)
        continue;
}

/* As a thread stands still that a busy machine puts off. */
static void stand_still(struct ocl_queue *q)
{
    (void)q;
    clock_sleep_until(clock_ns() + piece_ns);
}

static bool on_a_cpu(void)
{
    return ocl_device_facts(ocl_queue_device(device_queue()))->kind == OCL_CPU;
}

/* Each piece of work begins where the last one ended, and takes what it took on the real device, times the slowness. */
static void test_time_of_a_device(void **state)
{
    (void)state;
    struct alone a = {.work = compute};
    alone(&a, 4);
    uint64_t units = ocl_device_facts(ocl_queue_device(device_queue()))->compute_units;
    for (int i = 0; i < PIECES; i++) {
        uint64_t before = i ? a.now_ns[i - 1] : a.start_ns[0];
        uint64_t work = a.work_ns[i] - (i ? a.work_ns[i - 1] : 0), busy = a.busy_ns[i] - (i ? a.busy_ns[i - 1] : 0);
        assert_true(a.start_ns[i] == before && a.now_ns[i] == before + busy);
        assert_true(busy == 4 * work); /* both far below 2^53 */
        if (on_a_cpu())
            assert_true(work * units + units >= piece_ns);
    }
    assert_true(ocl_emulator_now(emulator) == a.now_ns[PIECES - 1]);
}

/* Time in which nothing is computed is no time of the device, whatever a clock on the wall says. */
static void test_standing_still_takes_no_time(void **state)
{
    (void)state;
    struct alone a = {.work = stand_still};
    if (!on_a_cpu())
        skip();
    alone(&a, 1);
    assert_true(a.work_ns[PIECES - 1] < PIECES * piece_ns / 2);
}

static void test_real_devices_are_left_alone(void **state)
{
    (void)state;
    struct ocl_emulated real = {0};
    struct ocl_counts before = ocl_counts();
    ocl_emulated_join(&real);
    ocl_emulated_turn(&real);
    OK(ocl_emulate_begin(&real, device_queue()));
    OK(ocl_emulate_end(&real, device_queue()));
    ocl_emulated_wake(&real);
    ocl_emulated_leave(&real);
    ocl_emulated_close(&real);
    assert_true(real.busy_ns == 0 && real.now_ns == 0 && ocl_counts().waits == before.waits);
    ocl_emulator_close(NULL);
}

/* ---- turns ------------------------------------------------------------------------------------------------------- */

enum { THREADS = 5, STEPS = 400 };

struct member {
    struct ocl_emulated e;
    int index;
    bool stuck;
};

/* Written by whoever has the turn. */
static struct {
    uint64_t now_ns[THREADS * STEPS];
    int n, inside;
    bool two_at_once;
    struct member *first, *last; /* of a chain of threads that wake each other */
} seen;

static void see(const struct member *m)
{
    seen.two_at_once = seen.two_at_once || seen.inside++ > 0;
    seen.now_ns[seen.n++] = m->e.now_ns;
    seen.inside--;
}

/* Clocks that move by chance: what threads see of them comes in order. */
static void walk(void *user)
{
    struct member *m = user;
    struct rng r;
    rng_init(&r, 5, (uint64_t)m->index);
    ocl_emulated_turn(&m->e);
    for (int i = 0; i < STEPS; i++) {
        see(m);
        m->e.now_ns += rng_below(&r, 1000);
        ocl_emulated_turn(&m->e);
    }
    ocl_emulated_leave(&m->e);
}

/* Each waits until the one before it wakes it, and tells that one's clock by its own. */
static void pass_on(void *user)
{
    struct member *m = user, *next = m == seen.last ? seen.first : m + 1;
    ocl_emulated_turn(&m->e);
    for (int i = 0; i < STEPS && !m->stuck; i++) {
        if (m != seen.first || i > 0)
            m->stuck = !ocl_emulated_wait(&m->e);
        m->e.now_ns = ocl_emulator_now(emulator) + 10;
        ocl_emulated_turn(&m->e);
        see(m);
        ocl_emulated_wake(&next->e);
    }
    ocl_emulated_leave(&m->e);
}

static void wait_for_nobody(void *user)
{
    struct member *m = user;
    ocl_emulated_turn(&m->e);
    m->stuck = !ocl_emulated_wait(&m->e);
    ocl_emulated_leave(&m->e);
}

static void run_members(struct member m[THREADS], void (*run)(void *user))
{
    struct thread *t[THREADS];
    memset(&seen, 0, sizeof seen);
    seen.first = &m[0];
    seen.last = &m[THREADS - 1];
    for (int i = 0; i < THREADS; i++) {
        m[i] = (struct member){.index = i};
        OK(ocl_emulated_open(emulator, 1, &m[i].e));
    }
    for (int i = 0; i < THREADS; i++)
        ocl_emulated_join(&m[i].e);
    for (int i = 0; i < THREADS; i++)
        OK(thread_start(run, &m[i], &t[i]));
    for (int i = 0; i < THREADS; i++)
        thread_join(t[i]);
    for (int i = 0; i < THREADS; i++)
        ocl_emulated_close(&m[i].e);
    assert_false(seen.two_at_once);
}

static void test_who_is_furthest_behind_goes_on(void **state)
{
    (void)state;
    struct member m[THREADS];
    run_members(m, walk);
    assert_int_equal(seen.n, THREADS * STEPS);
    for (int i = 1; i < seen.n; i++)
        assert_true(seen.now_ns[i] >= seen.now_ns[i - 1]);
}

static void test_waiting_and_waking(void **state)
{
    (void)state;
    struct member m[THREADS];
    run_members(m, pass_on);
    assert_int_equal(seen.n, THREADS * STEPS);
    for (int i = 0; i < seen.n; i++)
        assert_int_equal(seen.now_ns[i], 10 * (i + 1));
    for (int i = 0; i < THREADS; i++)
        assert_false(m[i].stuck);
}

/* All wait and none is left to wake another: they are told, where threads would stand still for ever. */
static void test_nobody_can_go_on(void **state)
{
    (void)state;
    struct member m[THREADS];
    run_members(m, wait_for_nobody);
    for (int i = 0; i < THREADS; i++)
        assert_true(m[i].stuck);
}

/* One of those that joined leaves without ever having run, as where its thread cannot be started. */
static void test_leaving_before_the_start(void **state)
{
    (void)state;
    struct alone a = {.work = compute};
    struct ocl_emulated gone;
    OK(ocl_emulated_open(emulator, 1, &gone));
    ocl_emulated_join(&gone);
    ocl_emulated_leave(&gone);
    alone(&a, 1);
    ocl_emulated_close(&gone);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_emulator, close_emulator)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_time_of_a_device),
        TEST(test_standing_still_takes_no_time),
        TEST(test_real_devices_are_left_alone),
        TEST(test_who_is_furthest_behind_goes_on),
        TEST(test_waiting_and_waking),
        TEST(test_nobody_can_go_on),
        TEST(test_leaving_before_the_start),
    };
    return cmocka_run_group_tests_name("emulate", tests, device_open, device_close);
}
