/*
 * openblas M N K: the products of `clutch bench gemm --shape MxNxK` by OpenBLAS, as the same lines of JSON.
 *
 * Formula, forms and data are those of clutch's: C = op(A) op(B) row by row, beta 0, values in [-1, 1). So is the rule
 * of measuring (src/cmd/measure.c): the first call is not timed, the second says how many fill a window, then nine
 * windows. Before all that OpenBLAS multiplies for WARM seconds, because clutch measures the peak first and so comes
 * warm.
 */
#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WINDOWS = 9, SIDE_MAX = 16384, PROBES = 64 };
static const double WINDOW = 0.02, WARM = 0.5; /* seconds */

struct product {
    int M, N, K;
    bool trans_a, trans_b;
    const float *a, *b;
    float *c;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run(const struct product *p)
{
    cblas_sgemm(CblasRowMajor, p->trans_a ? CblasTrans : CblasNoTrans, p->trans_b ? CblasTrans : CblasNoTrans, p->M,
                p->N, p->K, 1, p->a, p->trans_a ? p->M : p->K, p->b, p->trans_b ? p->K : p->N, 0, p->c, p->N);
}

static double seconds_of(const struct product *p, int calls)
{
    double start = now();
    for (int i = 0; i < calls; i++)
        run(p);
    return now() - start;
}

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Right first, then timed: some elements against sums in double precision; each product of two values below 1 adds a
 * rounding of 2^-23 at most. */
static bool is_right(const struct product *p)
{
    uint32_t state = 7;
    for (int i = 0; i < PROBES; i++) {
        int m = (int)(draw(&state) % (uint32_t)p->M), n = (int)(draw(&state) % (uint32_t)p->N);
        double sum = 0;
        for (int k = 0; k < p->K; k++) {
            size_t at_a = p->trans_a ? (size_t)k * (size_t)p->M + (size_t)m : (size_t)m * (size_t)p->K + (size_t)k;
            size_t at_b = p->trans_b ? (size_t)n * (size_t)p->K + (size_t)k : (size_t)k * (size_t)p->N + (size_t)n;
            sum += (double)p->a[at_a] * (double)p->b[at_b];
        }
        if (!(fabs((double)p->c[(size_t)m * (size_t)p->N + (size_t)n] - sum) <= 0x1p-23 * p->K))
            return false;
    }
    return true;
}

static bool bench(const struct product *p, const char *form)
{
    double took[WINDOWS], flops = 2.0 * p->M * p->N * p->K;
    run(p);
    if (!is_right(p)) {
        fprintf(stderr, "openblas: wrong at %dx%dx%d %s\n", p->M, p->N, p->K, form);
        return false;
    }
    double once = seconds_of(p, 1);
    int calls = once > 0 && WINDOW / once < 100000 ? (int)(WINDOW / once) + 1 : 100000;
    for (int i = 0; i < WINDOWS; i++) {
        double mine = seconds_of(p, calls) / calls;
        int at = i; /* sorted as they come */
        for (; at > 0 && took[at - 1] > mine; at--)
            took[at] = took[at - 1];
        took[at] = mine;
    }
    printf("{\"bench\":\"gemm\",\"provider\":\"openblas\",\"form\":\"%s\",\"M\":%d,\"N\":%d,\"K\":%d,"
           "\"gflops_best\":%.9g,\"gflops_median\":%.9g,\"openblas\":\"%s\"}\n", form, p->M, p->N, p->K,
           flops / took[0] * 1e-9, flops / took[WINDOWS / 2] * 1e-9, openblas_get_config());
    return true;
}

static float *random_floats(size_t n)
{
    uint32_t state = 1;
    float *values = malloc(n * sizeof *values);
    for (size_t i = 0; values && i < n; i++)
        values[i] = (float)draw(&state) * 0x1p-23f - 1; /* 24 bits */
    return values;
}

static int side(const char *word)
{
    char *end;
    long v = strtol(word, &end, 10);
    return end != word && *end == '\0' && v >= 1 && v <= SIDE_MAX ? (int)v : 0;
}

int main(int argc, char **argv)
{
    int M = argc == 4 ? side(argv[1]) : 0, N = argc == 4 ? side(argv[2]) : 0, K = argc == 4 ? side(argv[3]) : 0;
    if (!M || !N || !K) {
        fprintf(stderr, "usage: openblas M N K, each from 1 to %d\n", SIDE_MAX);
        return 2;
    }
    size_t a = (size_t)M * (size_t)K, b = (size_t)K * (size_t)N;
    float *in = random_floats(a + b), *out = malloc((size_t)M * (size_t)N * sizeof *out);
    bool good = in && out;
    if (!good)
        fprintf(stderr, "openblas: out of memory\n");
    static const char *const forms[] = {"NN", "NT", "TN"};
    struct product p = {.M = M, .N = N, .K = K, .a = in, .b = in + a, .c = out};
    for (double start = now(); good && now() - start < WARM;)
        run(&p);
    for (int i = 0; good && i < 3; i++) {
        p.trans_b = i == 1;
        p.trans_a = i == 2;
        good = bench(&p, forms[i]);
    }
    free(in);
    free(out);
    return good ? 0 : 1;
}
