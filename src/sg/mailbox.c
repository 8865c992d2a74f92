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

static struct sg_message *at(struct sg_mailbox *m, uint64_t i)
{
    return &m->message[i % (uint64_t)m->capacity];
}

enum st sg_mailbox_claim(struct sg_mailbox *m, bool wait, struct sg_message **out)
{
    *out = NULL;
    monitor_enter(m->changed);
    while (wait && !m->stopped && m->claimed - m->released == (uint64_t)m->capacity)
        monitor_wait(m->changed);
    bool stopped = m->stopped;
    if (!stopped && m->claimed - m->released < (uint64_t)m->capacity)
        *out = at(m, m->claimed++);
    monitor_leave(m->changed);
    return stopped ? ST_STOPPED : ST_OK;
}

void sg_mailbox_send(struct sg_mailbox *m, struct sg_message *message, uint64_t now_ns)
{
    double bytes = 4.0 * message->rows * (double)(m->cols + (m->labels ? 1 : 0));
    uint64_t now = now_ns ? now_ns : clock_ns();
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
    monitor_wake(m->changed);
    monitor_leave(m->changed);
}

enum st sg_mailbox_take(struct sg_mailbox *m, bool wait, struct sg_message **out)
{
    *out = NULL;
    monitor_enter(m->changed);
    while (!m->stopped) {
        if (m->taken == m->sent) {
            if (!wait)
                break;
            monitor_wait(m->changed);
        } else if (at(m, m->taken)->ready_ns > clock_ns()) {
            if (!wait)
                break;
            monitor_wait_until(m->changed, at(m, m->taken)->ready_ns);
        } else {
            *out = at(m, m->taken++);
            break;
        }
    }
    bool stopped = m->stopped;
    monitor_leave(m->changed);
    return stopped ? ST_STOPPED : ST_OK;
}

void sg_mailbox_release(struct sg_mailbox *m, struct sg_message *message)
{
    (void)message; /* in order, so the counter says which */
    monitor_enter(m->changed);
    m->released++;
    monitor_wake(m->changed);
    monitor_leave(m->changed);
}

void sg_mailbox_stop(struct sg_mailbox *m)
{
    monitor_enter(m->changed);
    m->stopped = true;
    monitor_wake(m->changed);
    monitor_leave(m->changed);
}

struct sg_mailbox_counts sg_mailbox_counts(struct sg_mailbox *m)
{
    monitor_enter(m->changed);
    struct sg_mailbox_counts counts = {.sent = m->sent, .taken = m->taken, .most = m->most};
    monitor_leave(m->changed);
    return counts;
}
