/*
 * Mailboxes: a ring of messages in pinned host memory between one sender and one receiver. Each message goes free ->
 * claimed -> sent -> taken -> free, always in order, so that four counters say where all are. A full mailbox holds the
 * sender back, an empty one the receiver; nothing is ever dropped.
 */
#include "inside.h"

struct sg_mailbox {
    struct monitor *changed;         /* guards all below but the messages' contents */
    uint64_t claimed, sent, taken, released;
    bool stopped;
    int most;
    /* set at opening */
    int capacity;
    struct sg_link link;
    size_t cols;
    struct sg_message *message;      /* (capacity); who has one, by the counters, writes and reads it */
    struct ocl_pinned *data, *labels;
    uint64_t link_free_ns;           /* the sender's: when the emulated link has sent what it was given */
    struct ocl_emulated *from, *to;  /* whose clocks the two ends go by; NULL: real time */
};

enum st sg_mailbox_open(struct ocl_queue *sender, int capacity, int rows, int n, bool labels, struct sg_link link,
                        struct sg_mailbox **out)
{
    enum st s = ST_OK;
    struct sg_mailbox *m = NULL;
    size_t each = (size_t)rows * (size_t)n, count = (size_t)capacity;
    TRY(NEW(m, 1));
    m->capacity = capacity;
    m->link = link;
    m->cols = (size_t)n;
    TRY(monitor_open(&m->changed));
    TRY(NEW(m->message, count));
    TRY(ocl_pinned_open(sender, count * each * sizeof(float), &m->data));
    if (labels)
        TRY(ocl_pinned_open(sender, count * (size_t)rows * sizeof(uint32_t), &m->labels));
    for (size_t i = 0; i < count; i++) {
        m->message[i].data = (float *)ocl_pinned_data(m->data) + i * each;
        if (labels)
            m->message[i].labels = (uint32_t *)ocl_pinned_data(m->labels) + i * (size_t)rows;
    }
    *out = m;
    m = NULL;
out:
    sg_mailbox_close(m);
    return s;
}

void sg_mailbox_close(struct sg_mailbox *m)
{
    if (!m)
        return;
    ocl_pinned_free(m->data);
    ocl_pinned_free(m->labels);
    mem_free(m->message);
    monitor_close(m->changed);
    mem_free(m);
}

void sg_mailbox_emulate(struct sg_mailbox *m, struct ocl_emulated *from, struct ocl_emulated *to)
{
    m->from = from;
    m->to = to;
}

/* ---- waiting, in real time or in that of an emulation; all with the monitor held --------------------------------- */

static uint64_t now_of(const struct ocl_emulated *end)
{
    return end ? end->now_ns : clock_ns();
}

static enum st wait_for_change(struct sg_mailbox *m, struct ocl_emulated *end)
{
    if (!end) {
        monitor_wait(m->changed);
        return ST_OK;
    }
    monitor_leave(m->changed);
    bool others_go_on = ocl_emulated_wait(end);
    monitor_enter(m->changed);
    if (others_go_on || m->stopped)
        return ST_OK;
    return st_fail(ST_INTERNAL, "emulated devices wait for each other, and none can go on");
}

static void wait_until(struct sg_mailbox *m, struct ocl_emulated *end, uint64_t ns)
{
    if (!end) {
        monitor_wait_until(m->changed, ns);
        return;
    }
    monitor_leave(m->changed);
    end->now_ns = ns;
    ocl_emulated_turn(end);
    monitor_enter(m->changed);
}

static void tell(struct sg_mailbox *m, struct ocl_emulated *end)
{
    monitor_wake(m->changed);
    if (end)
        ocl_emulated_wake(end);
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static struct sg_message *at(struct sg_mailbox *m, uint64_t i)
{
    return &m->message[i % (uint64_t)m->capacity];
}

enum st sg_mailbox_claim(struct sg_mailbox *m, bool wait, struct sg_message **out)
{
    enum st s = ST_OK;
    *out = NULL;
    monitor_enter(m->changed);
    while (!m->stopped && s == ST_OK) {
        bool full = m->claimed - m->released == (uint64_t)m->capacity;
        if (!full && at(m, m->claimed)->ready_ns <= now_of(m->from)) {
            *out = at(m, m->claimed++);
            break;
        }
        if (!wait)
            break;
        if (full)
            s = wait_for_change(m, m->from);
        else
            wait_until(m, m->from, at(m, m->claimed)->ready_ns);
    }
    if (m->stopped)
        s = ST_STOPPED;
    monitor_leave(m->changed);
    return s;
}

void sg_mailbox_send(struct sg_mailbox *m, struct sg_message *message)
{
    double bytes = 4.0 * message->rows * (double)(m->cols + (m->labels ? 1 : 0));
    uint64_t now = now_of(m->from);
    if (m->link.bytes_per_ns > 0) {
        if (m->link_free_ns < now)
            m->link_free_ns = now;
        m->link_free_ns += (uint64_t)(bytes / m->link.bytes_per_ns);
        now = m->link_free_ns;
    }
    message->ready_ns = now + (uint64_t)m->link.latency_ns;
    monitor_enter(m->changed);
    m->sent++;
    if ((int)(m->sent - m->taken) > m->most)
        m->most = (int)(m->sent - m->taken);
    tell(m, m->to);
    monitor_leave(m->changed);
}

enum st sg_mailbox_take(struct sg_mailbox *m, bool wait, struct sg_message **out)
{
    enum st s = ST_OK;
    *out = NULL;
    monitor_enter(m->changed);
    while (!m->stopped && s == ST_OK) {
        bool empty = m->taken == m->sent;
        if (!empty && at(m, m->taken)->ready_ns <= now_of(m->to)) {
            *out = at(m, m->taken++);
            break;
        }
        if (!wait)
            break;
        if (empty)
            s = wait_for_change(m, m->to);
        else
            wait_until(m, m->to, at(m, m->taken)->ready_ns);
    }
    if (m->stopped)
        s = ST_STOPPED;
    monitor_leave(m->changed);
    return s;
}

void sg_mailbox_release(struct sg_mailbox *m, struct sg_message *message)
{
    message->ready_ns = now_of(m->to); /* for the sender again */
    monitor_enter(m->changed);
    m->released++;
    tell(m, m->from);
    monitor_leave(m->changed);
}

void sg_mailbox_stop(struct sg_mailbox *m)
{
    monitor_enter(m->changed);
    m->stopped = true;
    tell(m, m->from);
    tell(m, m->to);
    monitor_leave(m->changed);
}

struct sg_mailbox_counts sg_mailbox_counts(struct sg_mailbox *m)
{
    monitor_enter(m->changed);
    struct sg_mailbox_counts counts = {.sent = m->sent, .taken = m->taken, .most = m->most};
    monitor_leave(m->changed);
    return counts;
}
