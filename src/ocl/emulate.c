/*
 * Emulated devices: a discrete-event simulation whose pieces of work are done for real. Exactly one thread has the turn
 * at any time; it gives it up where its clock moved and where it has to wait, and the one furthest behind gets it.
 */
#include "inside.h"

struct ocl_emulator {
    struct monitor *lock; /* guards what follows, and in struct ocl_emulated: next, waits, woken, stuck */
    struct ocl_emulated *first, *turn; /* those of the run; whose turn it is, NULL before the first */
    uint64_t latest_ns;
};

enum st ocl_emulator_open(struct ocl_emulator **out)
{
    struct ocl_emulator *e = mem_alloc(1, sizeof *e);
    enum st s = e ? monitor_open(&e->lock) : ST_MEMORY;
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
    monitor_close(e->lock);
    mem_free(e);
}

uint64_t ocl_emulator_now(struct ocl_emulator *e)
{
    monitor_enter(e->lock);
    uint64_t ns = e->latest_ns;
    monitor_leave(e->lock);
    return ns;
}

enum st ocl_emulated_open(struct ocl_emulator *shared, double slowness, struct ocl_emulated *e)
{
    *e = (struct ocl_emulated){.shared = shared, .slowness = slowness};
    return monitor_open(&e->mine);
}

void ocl_emulated_close(struct ocl_emulated *e)
{
    monitor_close(e->mine);
    *e = (struct ocl_emulated){0};
}

/* ---- turns ------------------------------------------------------------------------------------------------------- */

static struct ocl_emulated *furthest_behind(struct ocl_emulator *shared)
{
    struct ocl_emulated *found = NULL;
    for (struct ocl_emulated *e = shared->first; e; e = e->next)
        if (!e->waits && (!found || e->now_ns < found->now_ns))
            found = e;
    return found;
}

/* With the lock held. Where all wait for each other, which is a mistake, the first one is told. */
static void give_turn(struct ocl_emulator *shared)
{
    struct ocl_emulated *e = furthest_behind(shared);
    if (!e && shared->first) {
        e = shared->first;
        e->waits = false;
        e->stuck = true;
    }
    shared->turn = e;
    if (!e)
        return;
    monitor_enter(e->mine);
    e->has_turn = true;
    monitor_wake(e->mine);
    monitor_leave(e->mine);
}

static void await_turn(struct ocl_emulated *e)
{
    monitor_enter(e->mine);
    while (!e->has_turn)
        monitor_wait(e->mine);
    e->has_turn = false;
    monitor_leave(e->mine);
}

static void note_now(struct ocl_emulated *e)
{
    if (e->shared->latest_ns < e->now_ns)
        e->shared->latest_ns = e->now_ns;
}

void ocl_emulated_join(struct ocl_emulated *e)
{
    struct ocl_emulated **at;
    if (!e->shared)
        return;
    monitor_enter(e->shared->lock);
    for (at = &e->shared->first; *at; at = &(*at)->next) /* behind the others, so that equals go on in that order */
        continue;
    *at = e;
    e->next = NULL;
    e->waits = e->woken = e->stuck = e->has_turn = false;
    e->now_ns = e->shared->latest_ns;
    monitor_leave(e->shared->lock);
}

void ocl_emulated_leave(struct ocl_emulated *e)
{
    struct ocl_emulated **at;
    if (!e->shared)
        return;
    monitor_enter(e->shared->lock);
    note_now(e);
    for (at = &e->shared->first; *at && *at != e; at = &(*at)->next)
        continue;
    if (*at)
        *at = e->next;
    if (e->shared->turn == e || !e->shared->turn)
        give_turn(e->shared);
    monitor_leave(e->shared->lock);
}

void ocl_emulated_turn(struct ocl_emulated *e)
{
    if (!e->shared)
        return;
    monitor_enter(e->shared->lock);
    note_now(e);
    if (e->shared->turn == e || !e->shared->turn)
        give_turn(e->shared);
    monitor_leave(e->shared->lock);
    await_turn(e);
}

bool ocl_emulated_wait(struct ocl_emulated *e)
{
    monitor_enter(e->shared->lock);
    bool woken = e->woken;
    e->woken = false;
    if (!woken) {
        e->waits = true;
        note_now(e);
        give_turn(e->shared);
    }
    monitor_leave(e->shared->lock);
    if (!woken)
        await_turn(e);
    return !e->stuck;
}

void ocl_emulated_wake(struct ocl_emulated *e)
{
    if (!e->shared)
        return;
    monitor_enter(e->shared->lock);
    e->woken = !e->waits;
    e->waits = false;
    monitor_leave(e->shared->lock);
}

/* ---- work -------------------------------------------------------------------------------------------------------- */

static bool takes_cpu_time(struct ocl_queue *q)
{
    return q->device->facts.kind == OCL_CPU;
}

enum st ocl_emulate_begin(struct ocl_emulated *e, struct ocl_queue *q)
{
    if (!e->shared)
        return ST_OK;
    bool cpu = takes_cpu_time(q);
    enum st s = cpu ? ST_OK : ocl_trace_begin(q, OCL_TRACE_LAUNCHES);
    e->compiling_ns = cpu ? ocl_compiling_device_ns() : ocl_compiling_ns();
    e->began_ns = cpu ? clock_device_ns() : clock_ns();
    return s;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* The work has been waited for. */
static uint64_t time_of_work(const struct ocl_emulated *e, struct ocl_queue *q)
{
    if (takes_cpu_time(q)) {
        uint64_t compiling = ocl_compiling_device_ns() - e->compiling_ns;
        return less(clock_device_ns() - e->began_ns, compiling) / q->device->facts.compute_units;
    }
    struct ocl_times times = ocl_trace_read(q, NULL);
    return times.launches >= 0 ? times.busy_ns
                               : less(clock_ns() - e->began_ns, ocl_compiling_ns() - e->compiling_ns);
}

enum st ocl_emulate_end(struct ocl_emulated *e, struct ocl_queue *q)
{
    enum st s = ST_OK;
    if (!e->shared)
        return ST_OK;
    if (!takes_cpu_time(q))
        TRY(ocl_trace_end(q));
    TRY(ocl_wait(q));
    uint64_t real = time_of_work(e, q), slow = (uint64_t)((double)real * e->slowness);
    e->start_ns = e->now_ns;
    e->now_ns += slow;
    e->work_ns += real;
    e->busy_ns += slow;
    ocl_emulated_turn(e);
out:
    return s;
}
