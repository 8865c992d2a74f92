/* How long the process was compiling: the union of what its threads did, by a count of those that are at it; and,
 * in CPU time, each thread by itself. */
#include "inside.h"

static struct {
    atomic_flag held; /* for a few instructions at a time */
    int threads;      /* compiling now; this and the rest: with it held */
    uint64_t since_ns, before_ns;
} now = {.held = ATOMIC_FLAG_INIT};

static _Thread_local struct {
    int depth;
    uint64_t since_ns, before_ns;
} own;

static void hold(void)
{
    while (atomic_flag_test_and_set_explicit(&now.held, memory_order_acquire))
        ;
}

static void let_go(void)
{
    atomic_flag_clear_explicit(&now.held, memory_order_release);
}

void ocl_compiling_begin(void)
{
    hold();
    if (now.threads++ == 0)
        now.since_ns = clock_ns();
    let_go();
    if (own.depth++ == 0)
        own.since_ns = clock_device_ns();
}

void ocl_compiling_end(void)
{
    if (--own.depth == 0)
        own.before_ns += clock_device_ns() - own.since_ns;
    hold();
    if (--now.threads == 0)
        now.before_ns += clock_ns() - now.since_ns;
    let_go();
}

uint64_t ocl_compiling_ns(void)
{
    hold();
    uint64_t ns = now.before_ns + (now.threads > 0 ? clock_ns() - now.since_ns : 0);
    let_go();
    return ns;
}

uint64_t ocl_compiling_device_ns(void)
{
    return own.before_ns;
}
