/* Mailboxes: order, bounds, emulated links, and two threads with random small pieces of work between calls. */
#include "support/check.h"
#include "support/device.h"

#include "sg.h"

#include <string.h>

enum { ROWS = 8, COLS = 5, MESSAGES = 10000, CAPACITY = 3 };

static const struct sg_link no_link = {0};
static const uint64_t hour = 3600000000000u; /* far enough away for a time that does not come in a test */
static struct ocl_emulated sender, receiver;  /* clocks without an emulator: each has its turn whenever it likes */

static struct sg_mailbox *box;
static struct thread *helper;

static void open_box(int capacity, bool labels, struct sg_link link)
{
    OK(sg_mailbox_open(device_queue(), capacity, ROWS, COLS, labels, link, &box));
}

static void open_emulated_box(int capacity, bool labels, struct sg_link link)
{
    open_box(capacity, labels, link);
    sender.now_ns = receiver.now_ns = 1000;
    sg_mailbox_emulate(box, &sender, &receiver);
}

static void close_box(void)
{
    if (box)
        sg_mailbox_stop(box); /* where a test failed, its thread may still wait */
    thread_join(helper);
    helper = NULL;
    sg_mailbox_close(box);
    box = NULL;
}

static int drop(void **state)
{
    close_box();
    return device_drop(state);
}

static void send_step(uint64_t step, int rows, uint64_t *ready_ns)
{
    struct sg_message *m;
    OK(sg_mailbox_claim(box, false, &m));
    assert_non_null(m);
    m->step = step;
    m->rows = rows;
    sg_mailbox_send(box, m);
    if (ready_ns)
        *ready_ns = m->ready_ns; /* nobody else takes it here */
}

static struct sg_message *take(bool wait)
{
    struct sg_message *m;
    OK(sg_mailbox_take(box, wait, &m));
    return m;
}

/* ---- one thread -------------------------------------------------------------------------------------------------- */

static void test_order_and_bounds(void **state)
{
    (void)state;
    struct sg_message *m, *held[CAPACITY];
    open_box(CAPACITY, true, no_link);
    assert_null(take(false));
    for (int turn = 0; turn < 3; turn++) {
        uint64_t from = (uint64_t)turn * CAPACITY;
        for (uint64_t i = 0; i < CAPACITY; i++)
            send_step(from + i, (int)i, NULL);
        OK(sg_mailbox_claim(box, false, &m));
        assert_null(m);
        for (uint64_t i = 0; i < CAPACITY; i++) {
            held[i] = take(i % 2 == 0);
            assert_non_null(held[i]);
            assert_int_equal(held[i]->step, from + i);
            assert_int_equal(held[i]->rows, i);
        }
        assert_null(take(false));
        OK(sg_mailbox_claim(box, false, &m));
        assert_null(m); /* taken is not free yet */
        for (int i = 0; i < CAPACITY; i++)
            sg_mailbox_release(box, held[i]);
        struct sg_mailbox_counts counts = sg_mailbox_counts(box);
        assert_int_equal(counts.sent, from + CAPACITY);
        assert_int_equal(counts.taken, from + CAPACITY);
        assert_int_equal(counts.most, CAPACITY);
    }
}

static void test_what_is_claimed_is_not_there_yet(void **state)
{
    (void)state;
    struct sg_message *a, *b;
    open_box(2, false, no_link);
    OK(sg_mailbox_claim(box, true, &a));
    OK(sg_mailbox_claim(box, true, &b));
    assert_ptr_not_equal(a, b);
    assert_null(take(false));
    assert_null(a->labels);
    a->rows = b->rows = ROWS;
    a->step = 1;
    b->step = 2;
    sg_mailbox_send(box, a);
    assert_int_equal(take(true)->step, 1);
    assert_null(take(false));
    sg_mailbox_send(box, b);
    assert_int_equal(take(true)->step, 2);
    assert_int_equal(sg_mailbox_counts(box).most, 1);
}

/* All rows of all messages are memory of their own. */
static void test_rooms_do_not_overlap(void **state)
{
    (void)state;
    struct sg_message *m;
    open_box(CAPACITY, true, no_link);
    for (int i = 0; i < CAPACITY; i++) {
        OK(sg_mailbox_claim(box, false, &m));
        m->rows = ROWS;
        for (int k = 0; k < ROWS * COLS; k++)
            m->data[k] = (float)(1000 * i + k);
        for (int k = 0; k < ROWS; k++)
            m->labels[k] = (uint32_t)(1000 * i + k);
        sg_mailbox_send(box, m);
    }
    for (int i = 0; i < CAPACITY; i++) {
        m = take(true);
        for (int k = 0; k < ROWS * COLS; k++)
            assert_true(m->data[k] == (float)(1000 * i + k));
        for (int k = 0; k < ROWS; k++)
            assert_int_equal(m->labels[k], 1000 * i + k);
    }
}

/* ---- emulated ends and links ------------------------------------------------------------------------------------- */

static uint64_t send_at(uint64_t now_ns, uint64_t step, int rows)
{
    uint64_t ready;
    sender.now_ns = now_ns;
    send_step(step, rows, &ready);
    return ready;
}

static void test_link_takes_time(void **state)
{
    (void)state;
    /* 4 rows of 5 floats: 80 bytes, 160 ns */
    const struct sg_link link = {.latency_ns = 1000, .bytes_per_ns = 0.5};
    const uint64_t now = hour;
    open_emulated_box(8, false, link);
    assert_int_equal(send_at(now, 0, 4), now + 160 + 1000);
    /* the link is busy until now + 160; latencies overlap */
    assert_int_equal(send_at(now + 10, 1, 4), now + 320 + 1000);
    /* nothing to carry, but behind what is */
    assert_int_equal(send_at(now + 20, 2, 0), now + 320 + 1000);
    assert_int_equal(send_at(now + 5000, 3, 8), now + 5000 + 320 + 1000); /* idle meanwhile */
}

static void test_link_carries_labels(void **state)
{
    (void)state;
    open_emulated_box(2, true, (struct sg_link){.bytes_per_ns = 0.5});
    assert_int_equal(send_at(hour, 0, 4), hour + 160 + 32); /* 4 labels more: 16 bytes */
}

static void test_link_with_latency_alone(void **state)
{
    (void)state;
    open_emulated_box(2, false, (struct sg_link){.latency_ns = 500});
    assert_int_equal(send_at(hour, 0, 8), hour + 500);
    assert_int_equal(send_at(hour + 1, 1, 8), hour + 501);
}

static void test_sent_now(void **state)
{
    (void)state;
    uint64_t ready, before = clock_ns();
    open_box(2, false, (struct sg_link){.latency_ns = (double)hour});
    send_step(0, 8, &ready);
    assert_in_range(ready, before + hour, clock_ns() + hour);
}

/* Real time: a millisecond is waited for, an hour is not. */
static void test_message_on_its_way_is_not_there(void **state)
{
    (void)state;
    uint64_t ready;
    open_box(4, false, (struct sg_link){.latency_ns = 1000000});
    send_step(0, 1, &ready);
    struct sg_message *m = take(true);
    assert_true(clock_ns() >= ready);
    sg_mailbox_release(box, m);
    close_box();
    open_box(4, false, (struct sg_link){.latency_ns = (double)hour});
    send_step(0, 1, NULL);
    assert_null(take(false));
    struct sg_mailbox_counts counts = sg_mailbox_counts(box);
    assert_int_equal(counts.sent, 1);
    assert_int_equal(counts.taken, 0);
}

/* Emulated time: a message is there once the receiver's clock has come to it, and waiting moves the clock. */
static void test_receivers_clock(void **state)
{
    (void)state;
    open_emulated_box(4, false, (struct sg_link){.latency_ns = (double)hour});
    assert_int_equal(send_at(5000, 0, 1), hour + 5000);
    send_at(7000, 1, 1);
    assert_null(take(false));
    receiver.now_ns = hour + 4999;
    assert_null(take(false));
    receiver.now_ns = hour + 5000;
    assert_int_equal(take(false)->step, 0);
    assert_null(take(false));
    assert_int_equal(take(true)->step, 1);
    assert_int_equal(receiver.now_ns, hour + 7000);
}

/* And room is there once the sender's clock has come to when the receiver made it. */
static void test_senders_clock(void **state)
{
    (void)state;
    struct sg_message *m, *again;
    open_emulated_box(1, false, no_link);
    send_at(5000, 0, 1);
    receiver.now_ns = 9000;
    m = take(false);
    sg_mailbox_release(box, m);
    OK(sg_mailbox_claim(box, false, &again));
    assert_null(again);
    OK(sg_mailbox_claim(box, true, &again));
    assert_ptr_equal(again, m);
    assert_int_equal(sender.now_ns, 9000);
}

/* ---- two threads ------------------------------------------------------------------------------------------------- */

static float value(uint64_t step, int i)
{
    return (float)((step * 131 + (uint64_t)i * 7919) % 65521);
}

/* A random small piece of work, which the compiler must not leave out. */
static void work(struct rng *r)
{
    volatile uint32_t sum = 0;
    for (uint32_t n = rng_below(r, 8) ? rng_below(r, 100) : rng_below(r, 5000); n > 0; n--)
        sum = sum + n;
}

struct sender {
    enum st status;
    int sent, refused; /* refused: full, without waiting */
};

/* Steps are odd numbers, so that neither a count nor a place would do. */
static void send_all(void *user)
{
    struct sender *s = user;
    struct rng r;
    rng_init(&r, 7, 1);
    while (s->sent < MESSAGES && s->status == ST_OK) {
        struct sg_message *m;
        work(&r);
        bool wait = rng_below(&r, 4) > 0;
        s->status = sg_mailbox_claim(box, wait, &m);
        if (!m) {
            if (wait && s->status == ST_OK)
                s->status = ST_INTERNAL; /* it had to wait */
            s->refused++;
            continue;
        }
        work(&r);
        m->step = 2 * (uint64_t)s->sent++ + 1;
        m->rows = (int)rng_below(&r, ROWS + 1);
        for (int i = 0; i < m->rows * COLS; i++)
            m->data[i] = value(m->step, i);
        for (int i = 0; i < m->rows; i++)
            m->labels[i] = (uint32_t)(m->step + (uint64_t)i);
        sg_mailbox_send(box, m);
    }
    if (s->status != ST_OK)
        sg_mailbox_stop(box); /* so that the receiver does not wait for more */
}

static void check_message(const struct sg_message *m, int index)
{
    assert_int_equal(m->step, 2 * index + 1);
    assert_in_range(m->rows, 0, ROWS);
    for (int i = 0; i < m->rows * COLS; i++)
        if (m->data[i] != value(m->step, i))
            fail_msg("message %d, element %d is %g", index, i, (double)m->data[i]);
    for (int i = 0; i < m->rows; i++)
        assert_int_equal(m->labels[i], m->step + (uint64_t)i);
}

static void test_a_sender_and_a_receiver(void **state)
{
    (void)state;
    static struct sender s; /* its thread may outlive a test that failed, until the teardown */
    s = (struct sender){0};
    struct sg_message *held[CAPACITY];
    struct rng r;
    int taken = 0, released = 0, empty = 0;
    rng_init(&r, 7, 2);
    open_box(CAPACITY, true, no_link);
    OK(thread_start(send_all, &s, &helper));
    while (taken < MESSAGES) {
        work(&r);
        bool wait = rng_below(&r, 4) > 0;
        struct sg_message *m = take(wait);
        assert_true(m || !wait);
        if (m) {
            held[taken % CAPACITY] = m;
            check_message(m, taken++);
        } else {
            empty++;
        }
        work(&r);
        /* keeps up to two; what it keeps stays as it is */
        while (released < taken && (taken - released == CAPACITY || rng_below(&r, 3) > 0)) {
            check_message(held[released % CAPACITY], released);
            sg_mailbox_release(box, held[released++ % CAPACITY]);
        }
    }
    thread_join(helper);
    helper = NULL;
    assert_int_equal(s.status, ST_OK);
    struct sg_mailbox_counts counts = sg_mailbox_counts(box);
    assert_int_equal(counts.sent, MESSAGES);
    assert_int_equal(counts.taken, MESSAGES);
    assert_in_range(counts.most, 1, CAPACITY);
    print_message("most %d of %d, full %d times, empty %d times\n", counts.most, CAPACITY, s.refused, empty);
}

/* ---- from device to device --------------------------------------------------------------------------------------- */

enum { TRANSFERS = 500 };

/* A queue of its own in a thread of its own, and a buffer that its messages come from. */
struct device_sender {
    struct ocl_queue *queue;
    struct ocl_buf *buf;
    enum st status;
};

static void send_from_device(void *user)
{
    struct device_sender *d = user;
    enum st s = ST_OK;
    float values[ROWS * COLS];
    for (uint64_t step = 0; step < TRANSFERS; step++) {
        struct sg_message *m;
        struct ocl_event read;
        for (int i = 0; i < ROWS * COLS; i++)
            values[i] = value(step, i);
        TRY(ocl_write(d->queue, d->buf, 0, sizeof values, values));
        TRY(sg_mailbox_claim(box, true, &m));
        TRY(ocl_read_start(d->queue, d->buf, 0, sizeof values, m->data, &read));
        TRY(ocl_flush(d->queue));
        TRY(ocl_event_wait(&read));
        m->step = step;
        m->rows = ROWS;
        sg_mailbox_send(box, m);
    }
out:
    d->status = s;
    if (s != ST_OK)
        sg_mailbox_stop(box);
}

static void test_from_queue_to_queue(void **state)
{
    (void)state;
    static struct device_sender d;
    d = (struct device_sender){0};
    struct ocl_buf *in = device_bytes(NULL, ROWS * COLS * sizeof(float));
    d.buf = device_bytes(NULL, ROWS * COLS * sizeof(float));
    OK(ocl_queue_open(ocl_queue_device(device_queue()), &d.queue));
    OK(sg_mailbox_open(d.queue, 2, ROWS, COLS, false, no_link, &box));
    OK(thread_start(send_from_device, &d, &helper));
    for (uint64_t step = 0; step < TRANSFERS; step++) {
        struct sg_message *m = take(true);
        struct ocl_event write;
        float got[ROWS * COLS];
        OK(ocl_write_start(device_queue(), in, 0, sizeof got, m->data, &write));
        OK(ocl_flush(device_queue()));
        OK(ocl_event_wait(&write));
        assert_int_equal(m->step, step);
        sg_mailbox_release(box, m);
        device_read(in, sizeof got, got);
        for (int i = 0; i < ROWS * COLS; i++)
            assert_true(got[i] == value(step, i));
    }
    close_box();
    assert_int_equal(d.status, ST_OK);
    ocl_queue_close(d.queue);
}

/* ---- stopping ---------------------------------------------------------------------------------------------------- */

struct blocked {
    struct monitor *monitor;
    bool begun; /* under the monitor */
    bool claims;
    enum st status;
    struct sg_message *got;
};

static void block(void *user)
{
    struct blocked *b = user;
    monitor_enter(b->monitor);
    b->begun = true;
    monitor_wake(b->monitor);
    monitor_leave(b->monitor);
    b->status = b->claims ? sg_mailbox_claim(box, true, &b->got) : sg_mailbox_take(box, true, &b->got);
}

/* Whether the call has begun to wait when the mailbox is stopped, or comes to it afterwards, is chance: many turns see
 * both. A wait without end shows as one. */
static void check_stopped(struct blocked b, struct sg_link link, void (*prepare)(void))
{
    for (int turn = 0; turn < 100; turn++) {
        struct rng r;
        rng_init(&r, 7, 3 + (uint64_t)turn);
        open_box(1, false, link);
        prepare();
        b.begun = false;
        b.got = NULL;
        b.status = ST_OK;
        OK(thread_start(block, &b, &helper));
        monitor_enter(b.monitor);
        while (!b.begun)
            monitor_wait(b.monitor);
        monitor_leave(b.monitor);
        for (int i = 0; i < turn % 10; i++)
            work(&r);
        sg_mailbox_stop(box);
        thread_join(helper);
        helper = NULL;
        assert_int_equal(b.status, ST_STOPPED);
        assert_null(b.got);
        for (int wait = 0; wait < 2; wait++) {
            assert_int_equal(sg_mailbox_claim(box, wait, &b.got), ST_STOPPED);
            assert_null(b.got);
            assert_int_equal(sg_mailbox_take(box, wait, &b.got), ST_STOPPED);
            assert_null(b.got);
        }
        close_box();
    }
    monitor_close(b.monitor);
}

static void leave_empty(void)
{
}

static void fill(void)
{
    send_step(0, 1, NULL);
}

static void test_stop_wakes_a_claim(void **state)
{
    (void)state;
    struct blocked b = {.claims = true};
    OK(monitor_open(&b.monitor));
    check_stopped(b, no_link, fill);
}

static void test_stop_wakes_a_take(void **state)
{
    (void)state;
    struct blocked b = {.claims = false};
    OK(monitor_open(&b.monitor));
    check_stopped(b, no_link, leave_empty);
}

static void test_stop_wakes_a_take_of_what_is_on_its_way(void **state)
{
    (void)state;
    struct blocked b = {.claims = false};
    OK(monitor_open(&b.monitor));
    check_stopped(b, (struct sg_link){.latency_ns = (double)hour}, fill);
}

#define TEST(f) cmocka_unit_test_teardown(f, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order_and_bounds),
        TEST(test_what_is_claimed_is_not_there_yet),
        TEST(test_rooms_do_not_overlap),
        TEST(test_link_takes_time),
        TEST(test_link_carries_labels),
        TEST(test_link_with_latency_alone),
        TEST(test_sent_now),
        TEST(test_message_on_its_way_is_not_there),
        TEST(test_receivers_clock),
        TEST(test_senders_clock),
        TEST(test_a_sender_and_a_receiver),
        TEST(test_from_queue_to_queue),
        TEST(test_stop_wakes_a_claim),
        TEST(test_stop_wakes_a_take),
        TEST(test_stop_wakes_a_take_of_what_is_on_its_way),
    };
    return cmocka_run_group_tests_name("mailbox", tests, device_open, device_close);
}
