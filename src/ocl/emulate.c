/* Emulated devices: work is done on a real device they share, one at a time, and the rest of its time is waited. */
#include "inside.h"

struct ocl_emulator {
    struct monitor *turn;
    bool taken; /* under `turn` */
};

enum st ocl_emulator_open(struct ocl_emulator **out)
{
    struct ocl_emulator *e = mem_alloc(1, sizeof *e);
    enum st s = e ? monitor_open(&e->turn) : ST_MEMORY;
    if (s == ST_OK)
        *out = e;
    else
        mem_free(e);
    return s;
}

void ocl_emulator_close(struct ocl_emulator *e)
{
    if (!e)
        return;
    monitor_close(e->turn);
    mem_free(e);
}

void ocl_emulate_begin(struct ocl_emulated *e)
{
    if (!e->shared)
        return;
    e->compiling_ns = ocl_compiling_ns();
    monitor_enter(e->shared->turn);
    while (e->shared->taken)
        monitor_wait(e->shared->turn);
    e->shared->taken = true;
    monitor_leave(e->shared->turn);
    e->inside = true;
    e->start_ns = e->ready_ns > e->free_ns ? e->ready_ns : e->free_ns;
    e->entered_ns = clock_ns();
    e->own_compiling_ns = ocl_compiling_own_ns();
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

void ocl_emulate_drop(struct ocl_emulated *e)
{
    if (!e->inside)
        return;
    e->inside = false;
    monitor_enter(e->shared->turn);
    e->shared->taken = false;
    monitor_wake(e->shared->turn);
    monitor_leave(e->shared->turn);
}

enum st ocl_emulate_end(struct ocl_emulated *e, struct ocl_queue *q)
{
    if (!e->shared)
        return ST_OK;
    enum st s = ocl_wait(q);
    /* a device that compiles is no slower for it, and none is late because a thread was compiling */
    uint64_t now = clock_ns(), compiling = ocl_compiling_ns();
    uint64_t real = less(now - e->entered_ns, ocl_compiling_own_ns() - e->own_compiling_ns);
    ocl_emulate_drop(e);
    /* counted from when the work could start, so that the waking up of threads is no time of the device */
    uint64_t slow = (uint64_t)((double)real * e->slowness), end = e->start_ns + slow;
    e->work_ns += real;
    e->busy_ns += slow;
    if (now > end) {
        e->late_ns += less(now - end, compiling - e->compiling_ns);
        end = now;
    }
    e->free_ns = end;
    clock_sleep_until(end);
    return s;
}
