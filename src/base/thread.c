/* Threads and monitors: the only door to pthread. */
#include "base.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

struct thread {
    pthread_t id;
    void (*run)(void *user);
    void *user;
    struct thread *next; /* of those running; this and the rest: under `running` */
    clockid_t clock;     /* its CPU time */
    bool works_for_device;
};

static struct {
    pthread_mutex_t lock;
    struct thread *first;
    uint64_t ended_ns; /* CPU time of threads that have ended and did not work for a device */
    bool has_main;
    clockid_t main;
} running = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local struct thread *self; /* NULL: the main thread, or one that a library started */

struct monitor {
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static uint64_t read_clock(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *start(void *arg)
{
    struct thread *t = arg, **at = &running.first;
    self = t;
    pthread_mutex_lock(&running.lock);
    if (pthread_getcpuclockid(pthread_self(), &t->clock) == 0) {
        t->next = running.first;
        running.first = t;
    }
    pthread_mutex_unlock(&running.lock);
    t->run(t->user);
    pthread_mutex_lock(&running.lock);
    while (*at && *at != t)
        at = &(*at)->next;
    if (*at) {
        *at = t->next;
        running.ended_ns += t->works_for_device ? 0 : read_clock(t->clock);
    }
    pthread_mutex_unlock(&running.lock);
    return NULL;
}

/* Whoever starts the first thread and was not started here is the main one. */
static void note_main(void)
{
    pthread_mutex_lock(&running.lock);
    if (!self && !running.has_main)
        running.has_main = pthread_getcpuclockid(pthread_self(), &running.main) == 0;
    pthread_mutex_unlock(&running.lock);
}

void thread_works_for_device(void)
{
    pthread_mutex_lock(&running.lock);
    if (self)
        self->works_for_device = true;
    pthread_mutex_unlock(&running.lock);
}

uint64_t clock_device_ns(void)
{
    pthread_mutex_lock(&running.lock);
    uint64_t ns = read_clock(CLOCK_PROCESS_CPUTIME_ID), others = running.ended_ns;
    if (running.has_main)
        others += read_clock(running.main);
    for (const struct thread *t = running.first; t; t = t->next)
        others += t->works_for_device ? 0 : read_clock(t->clock);
    pthread_mutex_unlock(&running.lock);
    /* what the process's clock counts of a thread that is running may be behind that one's own clock */
    return UINT64_MAX / 2 + ns - others;
}

enum st thread_start(void (*run)(void *user), void *user, struct thread **out)
{
    struct thread *t = mem_alloc(1, sizeof *t);
    if (!t)
        return ST_MEMORY;
    note_main();
    t->run = run;
    t->user = user;
    int code = fault_here() ? EAGAIN : pthread_create(&t->id, NULL, start, t);
    if (code != 0) {
        mem_free(t);
        return st_fail(ST_SYSTEM, "cannot start a thread: %s", strerror(code));
    }
    *out = t;
    return ST_OK;
}

void thread_join(struct thread *t)
{
    if (!t)
        return;
    pthread_join(t->id, NULL);
    mem_free(t);
}

enum st monitor_open(struct monitor **out)
{
    struct monitor *m = mem_alloc(1, sizeof *m);
    pthread_condattr_t attributes;
    if (!m)
        return ST_MEMORY;
    /* with default attributes none of these fails on Linux; the condition counts on the clock that clock_ns() reads */
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&m->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = m;
    return ST_OK;
}

void monitor_close(struct monitor *m)
{
    if (!m)
        return;
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    mem_free(m);
}

void monitor_enter(struct monitor *m)
{
    pthread_mutex_lock(&m->lock);
}

void monitor_leave(struct monitor *m)
{
    pthread_mutex_unlock(&m->lock);
}

void monitor_wait(struct monitor *m)
{
    pthread_cond_wait(&m->changed, &m->lock);
}

static struct timespec moment(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
}

void monitor_wait_until(struct monitor *m, uint64_t ns)
{
    struct timespec t = moment(ns);
    pthread_cond_timedwait(&m->changed, &m->lock, &t);
}

void monitor_wake(struct monitor *m)
{
    pthread_cond_broadcast(&m->changed);
}

void clock_sleep_until(uint64_t ns)
{
    struct timespec t = moment(ns);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        continue;
}
