/*
 * ocl: what a chain holds: so many launches, kinds of kernels, words of arguments, buffers. As much is one launch; with
 * one more the chain goes to the device first, and another one begins. The results are always the same.
 */
#include "support/check.h"
#include "support/sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CHAIN_*_MAX of src/ocl/inside.h; words: WORDS_MAX of src/ocl/chain.c less the one that counts the kernels. */
enum { OPS = 256, KINDS = 48, BUFS = 64, WORDS = 8191 };
enum { WORDS_BEFORE = 5, WORDS_MOST = 244, N = 64 };

/* What is in buffers becomes other numbers, by all that was done before. Each has a file, of which few are compiled. */
static const char one_cl[] =
    "kernel void one(global uint *x)\n"
    "{\n"
    "    uint i = get_global_id(0);\n"
    "    if (i < 64)\n"
    "        x[i] = x[i] * 31 + KIND + i;\n"
    "}\n";
static const char four_cl[] =
    "kernel void four(global uint *a, global uint *b, global uint *c, global uint *d)\n"
    "{\n"
    "    uint i = get_global_id(0);\n"
    "    if (i < 64) {\n"
    "        a[i] += 1 + 31 * d[(i + 1) % 64];\n"
    "        b[i] += 2 + a[i];\n"
    "        c[i] += 3 + b[i];\n"
    "    }\n"
    "}\n";
static const char words_cl[] =
    "struct many { uint word[KIND]; };\n"
    "kernel void words(struct many m, global uint *x)\n"
    "{\n"
    "    uint i = get_global_id(0), sum = 0;\n"
    "    if (i >= 64)\n"
    "        return;\n"
    "    for (uint k = 0; k < KIND; k++)\n"
    "        sum = sum * 31 + m.word[k];\n"
    "    x[i] = x[i] * 7 + sum + i;\n"
    "}\n";

static struct ocl_device *device;
static struct ocl_queue *queue;
static struct ocl_buf *buf[BUFS + 4];

static int prepare(void **state)
{
    (void)state;
    sources_begin();
    sources_copy("chain.cl");
    sources_copy("chain_check.cl");
    sources_copy("common.cl");
    sources_put("one.cl", one_cl);
    sources_put("four.cl", four_cl);
    sources_put("words.cl", words_cl);
    OK(ocl_device_open(sources_world(), &(struct ocl_pick){.device = sources_device(), .parts = 1}, &device));
    OK(ocl_queue_open(device, &queue));
    for (size_t b = 0; b < COUNT_OF(buf); b++)
        OK(ocl_buf_create(device, N * sizeof(uint32_t), &buf[b]));
    return 0;
}

static int drop(void **state)
{
    (void)state;
    for (size_t b = 0; b < COUNT_OF(buf); b++) {
        ocl_buf_free(buf[b]);
        buf[b] = NULL;
    }
    ocl_queue_close(queue);
    ocl_device_close(device);
    queue = NULL;
    device = NULL;
    sources_end();
    unsetenv("CLUTCH_CHAIN");
    return 0;
}

static void run_kernel(const char *name, int kind, const struct ocl_arg *args, int n)
{
    struct ocl_kernel *k;
    char options[32];
    snprintf(options, sizeof options, "-DKIND=%d", kind);
    OK(ocl_kernel_get(queue, name, name, options, &k));
    ocl_kernel_chains(k);
    OK(ocl_run(k, (size_t[2]){N, 1}, (size_t[2]){16, 1}, args, n));
}

/* All buffers from zero on, with `n` of what `fill` adds; their hash, and the launches that came of it. */
static uint64_t run_filled(const char *chain, void (*fill)(int n), int n, int *launches)
{
    static uint32_t some[N];
    uint64_t hash = HASH_START;
    setenv("CLUTCH_CHAIN", chain, 1);
    for (size_t b = 0; b < COUNT_OF(buf); b++)
        OK(ocl_zero(queue, buf[b], 0, sizeof some));
    ocl_chain_begin(queue);
    uint64_t before = ocl_counts().launches;
    fill(n);
    OK(ocl_chain_end(queue, ST_OK));
    OK(ocl_wait(queue));
    *launches = (int)(ocl_counts().launches - before);
    for (size_t b = 0; b < COUNT_OF(buf); b++) {
        OK(ocl_read(queue, buf[b], 0, sizeof some, some));
        hash = hash_bytes(hash, (const char *)some, sizeof some);
    }
    return hash;
}

/* `n` become `want` launches. */
static void check_filled(void (*fill)(int n), int n, int want)
{
    int alone, chained;
    uint64_t hash = run_filled("off", fill, n, &alone);
    if (run_filled("on", fill, n, &chained) != hash)
        fail_msg("%d: other results in a chain", n);
    if (ocl_has_chains(device) && chained != want)
        fail_msg("%d: %d launches, wanted %d", n, chained, want);
}

static void fill_ops(int n)
{
    for (int i = 0; i < n; i++)
        run_kernel("one", 0, OCL_ARGS(ocl_b(buf[0])));
}

static void test_launches(void **state)
{
    (void)state;
    check_filled(fill_ops, OPS, 1);
    check_filled(fill_ops, OPS + 1, 2);
    check_filled(fill_ops, 2 * OPS, 2);
}

static void fill_kinds(int n)
{
    for (int i = 0; i < n; i++)
        run_kernel("one", i, OCL_ARGS(ocl_b(buf[i % 2])));
}

static void test_kinds(void **state)
{
    (void)state;
    check_filled(fill_kinds, KINDS, 1);
    check_filled(fill_kinds, KINDS + 1, 2);
}

/* Each takes four buffers that no other one has. */
static void fill_bufs(int n)
{
    for (int i = 0; i < n; i++)
        run_kernel("four", 0, OCL_ARGS(ocl_b(buf[4 * i]), ocl_b(buf[4 * i + 1]), ocl_b(buf[4 * i + 2]),
                                       ocl_b(buf[4 * i + 3])));
}

static void test_buffers(void **state)
{
    (void)state;
    check_filled(fill_bufs, BUFS / 4, 1);
    check_filled(fill_bufs, BUFS / 4 + 1, 2);
}

/* Kernels with so many words in the list, together, in structs. */
static void fill_words(int n)
{
    enum { EACH = 209 };
    static uint32_t word[WORDS_MOST];
    for (uint32_t i = 0; i < COUNT_OF(word); i++)
        word[i] = i * 2654435761u;
    while (n > 0) {
        int all = n < 2 * EACH - WORDS_BEFORE ? n : EACH, many = all - WORDS_BEFORE - 1; /* 1: the buffer */
        assert_in_range(many, 1, COUNT_OF(word));
        run_kernel("words", many, OCL_ARGS(ocl_s(word, (size_t)many * sizeof *word), ocl_b(buf[0])));
        n -= all;
    }
}

static void test_words(void **state)
{
    (void)state;
    check_filled(fill_words, WORDS, 1);
    check_filled(fill_words, WORDS + 1, 2);
}

/* What no chain can hold is launched alone, between chains. Only some devices take such arguments. */
static void test_more_words_than_any_chain_holds(void **state)
{
    (void)state;
    enum { LARGE = 3 * WORDS };
    static uint32_t word[LARGE], got[2][N];
    for (uint32_t i = 0; i < LARGE; i++)
        word[i] = i * 2654435761u;
    for (int turn = 0; turn < 2; turn++) {
        struct ocl_kernel *k;
        char options[32];
        setenv("CLUTCH_CHAIN", turn ? "on" : "off", 1);
        OK(ocl_zero(queue, buf[0], 0, sizeof got[0]));
        snprintf(options, sizeof options, "-DKIND=%d", LARGE);
        if (ocl_kernel_get(queue, "words", "words", options, &k) != ST_OK)
            skip();
        ocl_kernel_chains(k);
        ocl_chain_begin(queue);
        fill_ops(2);
        if (ocl_run(k, (size_t[2]){N, 1}, (size_t[2]){16, 1},
                    OCL_ARGS(ocl_s(word, sizeof word), ocl_b(buf[0]))) != ST_OK)
            skip();
        fill_ops(2);
        OK(ocl_chain_end(queue, ST_OK));
        OK(ocl_read(queue, buf[0], 0, sizeof got[turn], got[turn]));
    }
    assert_memory_equal(got[0], got[1], sizeof got[0]);
    if (strstr(sources_notes(), "one by one")) /* and chains go on */
        fail_msg("%s", sources_notes());
}

#define LIMIT_TEST(f) cmocka_unit_test_setup_teardown(f, prepare, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMIT_TEST(test_launches),
        LIMIT_TEST(test_kinds),
        LIMIT_TEST(test_buffers),
        LIMIT_TEST(test_words),
        LIMIT_TEST(test_more_words_than_any_chain_holds),
    };
    return cmocka_run_group_tests_name("limits of chains", tests, sources_setup, sources_teardown);
}
