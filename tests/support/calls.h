/*
 * Every function of mx, each with every activation it takes, on numbers that are the same in each run. What a call
 * writes lies where no other call writes, so that all of it can be looked at in the end; most of it is read by the
 * calls behind it.
 */
#ifndef CLUTCH_TESTS_CALLS_H
#define CLUTCH_TESTS_CALLS_H

#include "mx.h"

struct calls;

/* Its buffers, and scratch for `m`; until device_done(). */
struct calls *calls_open(struct mx *m);
/* All numbers as they were in the beginning. WAITS. */
void calls_reset(struct calls *c);
/* Calls all; a test fails where one does. Enqueues only. */
void calls_run(struct calls *c, struct mx *m);
/* Ends that: what the numbers are now, host memory until device_done(), and how many. WAITS. */
const uint32_t *calls_results(struct calls *c, size_t *n);
const char *calls_name(const struct calls *c, size_t at); /* of the call that wrote number `at` */

#endif
