/* ocl: emulated devices: how their time is counted, and that they take turns on the real one. No speed is judged. */
#include "support/check.h"
#include "support/device.h"

#include <stdatomic.h>

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

static void pass_time(uint64_t ns)
{
    clock_sleep_until(clock_ns() + ns);
}

enum { PIECES = 5 };
static const uint64_t piece_ns = 2000000;

/* Each piece of work begins where the last one ended, takes the real time times the slowness, and is waited for. */
static void test_time_of_a_device(void **state)
{
    (void)state;
    struct ocl_emulated e = {.shared = emulator, .slowness = 4, .free_ns = clock_ns()};
    for (int i = 0; i < PIECES; i++) {
        uint64_t busy = e.busy_ns, work = e.work_ns, free = e.free_ns, late = e.late_ns;
        ocl_emulate_begin(&e);
        assert_true(e.inside && e.start_ns == free);
        pass_time(piece_ns);
        OK(ocl_emulate_end(&e, device_queue()));
        assert_false(e.inside);
        work = e.work_ns - work;
        busy = e.busy_ns - busy;
        assert_true(work >= piece_ns);
        assert_true(busy == 4 * work); /* both far below 2^53 */
        assert_true(e.free_ns == free + busy + (e.late_ns - late));
        assert_true(clock_ns() >= e.free_ns);
    }
}

/* What comes later than the device is free starts then; where the real device began too late, that is counted. */
static void test_waiting_and_being_late(void **state)
{
    (void)state;
    uint64_t now = clock_ns();
    struct ocl_emulated e = {.shared = emulator, .slowness = 2, .free_ns = now, .ready_ns = now + 1000};
    pass_time(2000); /* the message is there */
    ocl_emulate_begin(&e);
    assert_true(e.start_ns == now + 1000);
    OK(ocl_emulate_end(&e, device_queue()));
    assert_true(e.free_ns == now + 1000 + e.busy_ns + e.late_ns);
    struct ocl_emulated behind = {.shared = emulator, .slowness = 1, .free_ns = clock_ns() - piece_ns};
    uint64_t free = behind.free_ns;
    ocl_emulate_begin(&behind); /* could have begun at free_ns, and does only now */
    OK(ocl_emulate_end(&behind, device_queue()));
    assert_true(behind.late_ns >= piece_ns);
    assert_true(behind.free_ns == free + behind.busy_ns + behind.late_ns);
    assert_true(behind.busy_ns == behind.work_ns);
}

static void test_real_devices_are_left_alone(void **state)
{
    (void)state;
    struct ocl_emulated real = {0};
    struct ocl_counts before = ocl_counts();
    ocl_emulate_begin(&real);
    OK(ocl_emulate_end(&real, device_queue()));
    ocl_emulate_drop(&real);
    assert_true(real.busy_ns == 0 && real.free_ns == 0 && ocl_counts().waits == before.waits);
    ocl_emulator_close(NULL);
}

/* ---- turns ------------------------------------------------------------------------------------------------------- */

struct worker {
    struct ocl_emulated e;
    struct ocl_queue *queue;
    bool good;
};

static _Atomic int inside, most;

static void work(void *user)
{
    struct worker *w = user;
    w->good = true;
    for (int i = 0; i < 20 && w->good; i++) {
        ocl_emulate_begin(&w->e);
        int n = atomic_fetch_add(&inside, 1) + 1, seen = atomic_load(&most);
        while (n > seen && !atomic_compare_exchange_weak(&most, &seen, n))
            continue;
        pass_time(200000); /* the other would come in, if it could */
        atomic_fetch_sub(&inside, 1);
        w->good = ocl_emulate_end(&w->e, w->queue) == ST_OK;
    }
}

static void test_two_threads_take_turns(void **state)
{
    (void)state;
    struct worker w[2] = {0};
    struct thread *t[2];
    atomic_store(&most, 0);
    for (int i = 0; i < 2; i++) {
        OK(ocl_queue_open(ocl_queue_device(device_queue()), &w[i].queue));
        w[i].e = (struct ocl_emulated){.shared = emulator, .slowness = 2, .free_ns = clock_ns()};
    }
    for (int i = 0; i < 2; i++)
        OK(thread_start(work, &w[i], &t[i]));
    for (int i = 0; i < 2; i++) {
        thread_join(t[i]);
        ocl_queue_close(w[i].queue);
        assert_true(w[i].good);
        assert_true(w[i].e.work_ns >= 20 * 200000);
        assert_true(w[i].e.busy_ns <= 2 * w[i].e.work_ns && w[i].e.busy_ns + 20 >= 2 * w[i].e.work_ns);
    }
    assert_int_equal(atomic_load(&most), 1);
}

/* After a failure within a piece of work, another one gets the device: else this test hangs. */
static void test_dropping(void **state)
{
    (void)state;
    struct ocl_emulated a = {.shared = emulator, .slowness = 2}, b = {.shared = emulator, .slowness = 1};
    ocl_emulate_begin(&a);
    ocl_emulate_drop(&a);
    assert_false(a.inside);
    ocl_emulate_begin(&b);
    ocl_emulate_drop(&a); /* holds nothing: takes nothing from the other */
    assert_true(b.inside);
    OK(ocl_emulate_end(&b, device_queue()));
    assert_true(a.busy_ns == 0 && a.work_ns == 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_emulator, close_emulator)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_time_of_a_device),
        TEST(test_waiting_and_being_late),
        TEST(test_real_devices_are_left_alone),
        TEST(test_two_threads_take_turns),
        TEST(test_dropping),
    };
    return cmocka_run_group_tests_name("emulate", tests, device_open, device_close);
}
