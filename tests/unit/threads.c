/* base: threads, monitors and sleeping. Times are only ever checked to be not too early. */
#include "support/check.h"

#include <stdlib.h>
#include <string.h>

struct counter {
    struct monitor *monitor;
    int turn, done[2]; /* under `monitor` */
};

struct player {
    struct counter *c;
    int me;
};

enum { TURNS = 200 };
static const uint64_t short_ns = 20000000, long_ns = 600000000000;

static void play(void *user)
{
    const struct player *p = user;
    monitor_enter(p->c->monitor);
    for (int i = 0; i < TURNS; i++) {
        while (p->c->turn != p->me)
            monitor_wait(p->c->monitor);
        p->c->turn = 1 - p->me;
        p->c->done[p->me]++;
        monitor_wake(p->c->monitor);
    }
    monitor_leave(p->c->monitor);
}

static void test_two_threads_take_turns(void **state)
{
    (void)state;
    struct counter c = {0};
    struct player player[2] = {{&c, 0}, {&c, 1}};
    struct thread *t[2];
    OK(monitor_open(&c.monitor));
    for (int i = 0; i < 2; i++)
        OK(thread_start(play, &player[i], &t[i]));
    for (int i = 0; i < 2; i++)
        thread_join(t[i]);
    assert_int_equal(c.done[0], TURNS);
    assert_int_equal(c.done[1], TURNS);
    assert_int_equal(c.turn, 0);
    monitor_close(c.monitor);
    monitor_close(NULL);
    thread_join(NULL);
}

static void enter(void *user)
{
    struct counter *c = user;
    monitor_enter(c->monitor);
    c->turn = 1;
    monitor_leave(c->monitor);
}

/* Who is within keeps others out, until it leaves; a wait lets them in. */
static void test_one_at_a_time(void **state)
{
    (void)state;
    struct counter c = {0};
    struct thread *t;
    OK(monitor_open(&c.monitor));
    monitor_enter(c.monitor);
    OK(thread_start(enter, &c, &t));
    clock_sleep_until(clock_ns() + short_ns); /* the other would come in, if it could */
    assert_int_equal(c.turn, 0);
    while (c.turn == 0)
        monitor_wait_until(c.monitor, clock_ns() + short_ns / 20);
    monitor_leave(c.monitor);
    thread_join(t);
    monitor_close(c.monitor);
}

static void test_a_wait_ends_at_its_time(void **state)
{
    (void)state;
    struct monitor *m;
    OK(monitor_open(&m));
    monitor_enter(m);
    uint64_t start = clock_ns(), end = start + short_ns;
    monitor_wait_until(m, start); /* is past, and so returns */
    int rounds = 0; /* one, and few more are allowed; very many where time is taken on another clock, and so is past */
    for (; clock_ns() < end; rounds++)
        monitor_wait_until(m, end);
    assert_in_range(rounds, 0, 100);
    monitor_leave(m);
    monitor_close(m);
    end = clock_ns() + short_ns;
    clock_sleep_until(start); /* is past, and so returns */
    clock_sleep_until(end);
    assert_true(clock_ns() >= end);
}

static void turn_once(void *user)
{
    struct counter *c = user;
    monitor_enter(c->monitor);
    c->turn = 1;
    monitor_wake(c->monitor);
    monitor_leave(c->monitor);
}

/* Hangs, where being woken does not end the wait. */
static void test_a_wait_ends_when_woken(void **state)
{
    (void)state;
    struct counter c = {0};
    struct thread *t;
    uint64_t end = clock_ns() + long_ns;
    OK(monitor_open(&c.monitor));
    monitor_enter(c.monitor); /* so that the other comes no sooner than the wait */
    OK(thread_start(turn_once, &c, &t));
    while (c.turn == 0 && clock_ns() < end)
        monitor_wait_until(c.monitor, end);
    assert_true(clock_ns() < end);
    monitor_leave(c.monitor);
    thread_join(t);
    monitor_close(c.monitor);
}

/* Each thread has its own record of the last failure. */
static void fail_apart(void *user)
{
    bool *good = user;
    bool clean = st_message()[0] == '\0';
    *good = st_fail(ST_INPUT, "theirs") == ST_INPUT && clean && strcmp(st_message(), "theirs") == 0;
}

static void test_failures_of_threads_are_apart(void **state)
{
    (void)state;
    struct thread *t;
    bool good = false;
    assert_int_equal(st_fail(ST_DEVICE, "ours"), ST_DEVICE);
    OK(thread_start(fail_apart, &good, &t));
    thread_join(t);
    assert_true(good);
    assert_string_equal(st_message(), "ours");
}

static void never(void *user)
{
    *(bool *)user = true;
}

/* The first test: fault points are counted from the start of the program. */
static void test_faults(void **state)
{
    (void)state;
    struct thread *t = NULL;
    struct monitor *m = NULL;
    bool ran = false;
    assert_int_equal(setenv("CLUTCH_FAULT", "2", 1), 0);
    FAILS(ST_SYSTEM, "cannot start a thread: ", thread_start(never, &ran, &t)); /* memory is the first */
    assert_null(t);
    assert_false(ran);
    OK(monitor_open(&m));
    monitor_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_two_threads_take_turns),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_a_wait_ends_at_its_time),
        cmocka_unit_test(test_a_wait_ends_when_woken),
        cmocka_unit_test(test_failures_of_threads_are_apart),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
