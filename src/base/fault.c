/* Fault points: CLUTCH_FAULT=N makes the N-th fallible call of the process fail (the idea is curl's torture test). */
#include "base.h"

#include <stdatomic.h>
#include <stdlib.h>

bool fault_here(void)
{
    static _Atomic int64_t left = -1; /* calls until the failure; -1: not asked yet, 0: none will come */
    int64_t now = atomic_load(&left);
    if (now == 0)
        return false;
    if (now < 0) {
        const char *word = getenv("CLUTCH_FAULT");
        int64_t n = 0;
        if (!word || !parse_i64(word, &n) || n < 0)
            n = 0;
        atomic_compare_exchange_strong(&left, &now, n);
        now = atomic_load(&left);
    }
    while (now > 0)
        if (atomic_compare_exchange_weak(&left, &now, now - 1))
            return now == 1;
    return false;
}
