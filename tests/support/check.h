/* What every test file includes: cmocka, and comparisons that NaN fails. */
#ifndef CLUTCH_TESTS_CHECK_H
#define CLUTCH_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base.h"

/* The call succeeds; else the test fails with its message. */
#define OK(call)                                                                      \
    do {                                                                              \
        if ((call) != ST_OK)                                                          \
            fail_msg("%s failed: %s (%s)", #call, st_message(), st_where());          \
    } while (0)

/* The call fails with this code, and its message holds these words. */
#define FAILS(code, words, call) check_fails((code), (words), (call), #call, __FILE__, __LINE__)
void check_fails(enum st code, const char *words, enum st got, const char *call, const char *file, int line);

/* |got - want| <= absolute + relative * |want| for each of n values, and none of them NaN. */
void check_close(const char *what, const float *got, const double *want, size_t n, double absolute, double relative);

/* A folder of its own for this test program's files, made at the first call and removed when the program ends. */
const char *check_folder(void);
/* Path of a file in it; good for seven more calls. */
const char *in_folder(const char *name);

/* How many files this process has open: at the end as many as at the start, where each was closed. */
int check_open_files(void);

#endif
