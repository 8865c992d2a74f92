/* Fault points: CLUTCH_FAULT=N makes the N-th fallible call of the process fail (the idea is curl's torture test).
 * Kill points: CLUTCH_KILL=N ends the process at the N-th, as a loss of power would. */
#include "base.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t number_of(const char *variable)
{
    const char *word = getenv(variable);
    int64_t n = 0;
    return word && parse_i64(word, &n) && n > 0 ? n : 0;
}

bool fault_here(void)
{
    static _Atomic int64_t left = -1; /* calls until the failure; -1: not asked yet, 0: none will come */
    int64_t now = atomic_load(&left);
    if (now == 0)
        return false;
    if (now < 0) {
        atomic_compare_exchange_strong(&left, &now, number_of("CLUTCH_FAULT"));
        now = atomic_load(&left);
    }
    while (now > 0)
        if (atomic_compare_exchange_weak(&left, &now, now - 1))
            return now == 1;
    return false;
}

bool kill_points(void)
{
    static _Atomic int wanted = -1; /* -1: not asked yet */
    int now = atomic_load(&wanted);
    if (now < 0) {
        now = number_of("CLUTCH_KILL") > 0 || getenv("CLUTCH_KILL_LOG");
        atomic_store(&wanted, now);
    }
    return now > 0;
}

void kill_here(const char *what, const char *path)
{
    static _Atomic int64_t passed;
    if (!kill_points())
        return;
    int64_t number = atomic_fetch_add(&passed, 1) + 1;
    const char *log = getenv("CLUTCH_KILL_LOG");
    int fd = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    if (fd >= 0) {
        dprintf(fd, "%lld %s %s\n", (long long)number, what, path);
        close(fd);
    }
    if (number == number_of("CLUTCH_KILL"))
        kill(getpid(), SIGKILL);
}
