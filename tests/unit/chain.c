/*
 * ocl: chains. Whatever is gathered gives what it gives launched one by one, to the bit. Kernels here read elements
 * that other work-items of the kernel before have written, so that one that starts too early is seen.
 */
#include "support/check.h"
#include "support/mix.h"
#include "support/sources.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFS = 6, N = 5000, KERNELS = 5, SOURCE_MAX = 1 << 16 };

static struct ocl_device *device;
static struct ocl_queue *queue;
static struct ocl_buf *buf[BUFS];
static struct ocl_kernel *kernel[KERNELS];

static int prepare(void **state)
{
    (void)state;
    setenv("CLUTCH_CHAIN", "on", 1);
    sources_begin();
    sources_put("common.cl", common_cl);
    sources_put("mix.cl", mix_cl);
    sources_copy("chain.cl");
    sources_copy("chain_check.cl");
    return 0;
}

static void close_device(void)
{
    for (int i = 0; i < BUFS; i++) {
        ocl_buf_free(buf[i]);
        buf[i] = NULL;
    }
    ocl_queue_close(queue);
    ocl_device_close(device);
    queue = NULL;
    device = NULL;
}

static int drop(void **state)
{
    (void)state;
    close_device();
    sources_end();
    unsetenv("CLUTCH_CHAIN");
    return 0;
}

static void open_device(void)
{
    uint32_t start[N];
    close_device();
    OK(ocl_device_open(sources_world(), &(struct ocl_pick){.device = sources_device(), .parts = 1}, &device));
    OK(ocl_queue_open(device, &queue));
    for (uint32_t i = 0; i < N; i++)
        start[i] = i * 2654435761u;
    for (int b = 0; b < BUFS; b++) {
        OK(ocl_buf_create(device, sizeof start, &buf[b]));
        OK(ocl_write(queue, buf[b], 0, sizeof start, start));
    }
    OK(ocl_kernel_get(queue, "mix", "blur", "-DFACTOR=1", &kernel[0]));
    OK(ocl_kernel_get(queue, "mix", "blur", "-DFACTOR=2", &kernel[1]));
    OK(ocl_kernel_get(queue, "mix", "square", "-DFACTOR=1", &kernel[2]));
    OK(ocl_kernel_get(queue, "mix", "last", "-DFACTOR=1", &kernel[3]));
    OK(ocl_kernel_get(queue, "mix", "halve", "-DFACTOR=1", &kernel[4]));
    for (int k = 0; k < KERNELS; k++)
        ocl_kernel_chains(kernel[k]);
    struct ocl_queue *other; /* by which it is shown that chains are right, if it was not yet */
    OK(ocl_queue_open(device, &other));
    ocl_chain_begin(other);
    OK(ocl_chain_end(other, ST_OK));
    ocl_queue_close(other);
    OK(ocl_wait(queue));
}

/* ---- sequences --------------------------------------------------------------------------------------------------- */

static void run_mix(int which, uint32_t n, uint32_t a, int x, int y)
{
    OK(ocl_run(kernel[which], (size_t[2]){n, 1}, (size_t[2]){64, 1},
               OCL_ARGS(ocl_u(n), ocl_u(a), ocl_f(10), ocl_b(buf[x]), ocl_b(buf[y]))));
}

/* One launch; its kind, sizes, buffers and numbers come from the stream. */
static void run_some(struct rng *r)
{
    uint32_t n = 1 + rng_below(r, rng_below(r, 2) ? N : 60), rows = 1 + rng_below(r, 40), cols = 1 + rng_below(r, 100);
    int x = (int)rng_below(r, BUFS), y = (int)rng_below(r, BUFS - 1);
    struct three t = {1 + rng_below(r, 50), rng_u32(r), (float)rng_below(r, N)};
    y += y >= x;
    switch (rng_below(r, 4)) {
    case 0:
    case 1:
        run_mix((int)rng_below(r, 2), n, rng_u32(r), x, y);
        return;
    case 2:
        OK(ocl_run(kernel[2], (size_t[2]){cols, rows}, (size_t[2]){8, 2},
                   OCL_ARGS(ocl_u(cols), ocl_u(rows), ocl_b(buf[x]), ocl_b(rng_below(r, 2) ? buf[y] : NULL))));
        return;
    default:
        OK(ocl_run(kernel[3], (size_t[2]){rng_below(r, 3), 1}, (size_t[2]){1, 1},
                   OCL_ARGS(ocl_s(&t, sizeof t), ocl_b(buf[x]), ocl_b(buf[y]))));
    }
}

/* Sections of random lengths, with transfers between and within them; a hash of all that was read. */
static uint64_t run_sections(uint64_t seed, int sections, uint32_t length)
{
    uint64_t hash = HASH_START;
    static uint32_t some[N];
    struct rng r;
    rng_init(&r, seed, 0);
    for (int i = 0; i < sections; i++) {
        ocl_chain_begin(queue);
        for (uint32_t left = rng_below(&r, length); left > 0; left--)
            run_some(&r);
        if (rng_below(&r, 8) == 0) {
            OK(ocl_read(queue, buf[rng_below(&r, BUFS)], 0, sizeof some, some));
            hash = hash_bytes(hash, (const char *)some, sizeof some);
        }
        for (uint32_t left = rng_below(&r, 5); left > 0; left--)
            run_some(&r);
        OK(ocl_chain_end(queue, ST_OK));
        if (rng_below(&r, 8) == 0)
            OK(ocl_zero(queue, buf[rng_below(&r, BUFS)], 0, 400));
        if (rng_below(&r, 8) == 0)
            run_some(&r); /* alone, behind what may be held back */
    }
    for (int b = 0; b < BUFS; b++) {
        OK(ocl_read(queue, buf[b], 0, sizeof some, some));
        hash = hash_bytes(hash, (const char *)some, sizeof some);
    }
    return hash;
}

static void check_same(uint64_t seed, int sections, uint32_t length)
{
    uint64_t want;
    setenv("CLUTCH_CHAIN", "off", 1);
    open_device();
    want = run_sections(seed, sections, length);
    setenv("CLUTCH_CHAIN", "on", 1);
    open_device();
    if (run_sections(seed, sections, length) != want)
        fail_msg("seed %llu: other results in a chain", (unsigned long long)seed);
}

static void test_same_results(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++)
        check_same(seed, 60, 12);
    assert_null(strstr(sources_notes(), "one by one"));
}

/* Numbers on both sides of the smallest normal one, halved twice on a device that was opened anew. */
static void halve_twice(const char *chain, float out[N])
{
    setenv("CLUTCH_CHAIN", chain, 1);
    open_device();
    for (int i = 0; i < N; i++)
        out[i] = ldexpf(1 + (float)i / N, i % 40 - 145);
    OK(ocl_write(queue, buf[0], 0, N * sizeof *out, out));
    ocl_chain_begin(queue);
    for (int i = 0; i < 2; i++)
        OK(ocl_run(kernel[4], (size_t[2]){N, 1}, (size_t[2]){64, 1}, OCL_ARGS(ocl_u(N), ocl_b(buf[0]))));
    OK(ocl_chain_end(queue, ST_OK));
    OK(ocl_read(queue, buf[0], 0, N * sizeof *out, out));
}

/* Whether a device makes zero of numbers that are no normal ones is its choice, but the same for all programs, and for
 * those from the cache. */
static void test_numbers_too_small(void **state)
{
    (void)state;
    static float first[N], other[N];
    static const char *const turns[] = {"off", "on", "on"};
    halve_twice("off", first);
    for (size_t i = 0; i < COUNT_OF(turns); i++) {
        halve_twice(turns[i], other);
        for (int k = 0; k < N; k++)
            if (memcmp(&first[k], &other[k], sizeof *first) != 0)
                fail_msg("turn %zu, number %d: %.9g, in the first one %.9g", i, k, (double)other[k], (double)first[k]);
    }
}

static void test_more_than_a_chain_takes(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 103; seed++)
        check_same(seed, 4, 1500);
}

/* A ring of more buffers than a chain holds, each read and written by two kernels. */
static uint64_t run_ring(void)
{
    enum { RING = 150, LONG = 200 };
    static uint32_t some[LONG];
    struct ocl_buf *ring[RING];
    uint64_t hash = HASH_START;
    for (uint32_t b = 0; b < RING; b++) {
        OK(ocl_buf_create(device, sizeof some, &ring[b]));
        for (uint32_t i = 0; i < LONG; i++)
            some[i] = i * 31 + b;
        OK(ocl_write(queue, ring[b], 0, sizeof some, some));
        OK(ocl_wait(queue));
    }
    ocl_chain_begin(queue);
    for (uint32_t b = 0; b < RING; b++)
        OK(ocl_run(kernel[b % 2], (size_t[2]){LONG, 1}, (size_t[2]){64, 1},
                   OCL_ARGS(ocl_u(LONG), ocl_u(b), ocl_f(10), ocl_b(ring[b]), ocl_b(ring[(b + 1) % RING]))));
    OK(ocl_chain_end(queue, ST_OK));
    for (int b = 0; b < RING; b++) {
        OK(ocl_read(queue, ring[b], 0, sizeof some, some));
        hash = hash_bytes(hash, (const char *)some, sizeof some);
        ocl_buf_free(ring[b]);
    }
    return hash;
}

static void test_more_buffers_than_a_chain_holds(void **state)
{
    (void)state;
    setenv("CLUTCH_CHAIN", "off", 1);
    open_device();
    uint64_t want = run_ring();
    setenv("CLUTCH_CHAIN", "on", 1);
    open_device();
    uint64_t before = ocl_counts().launches;
    assert_true(run_ring() == want);
    assert_in_range(ocl_counts().launches - before, ocl_has_chains(device) ? 3 : 150, ocl_has_chains(device) ? 4 : 150);
}

/* The same section again and again, with few numbers that change, and at times with many. */
static uint64_t run_steps(int steps)
{
    static uint32_t all[N];
    for (int i = 0; i < steps; i++) {
        ocl_chain_begin(queue);
        for (int k = 0; k < 20; k++)
            run_mix(k % 2, i % 10 == 9 ? N - 1 - (uint32_t)k : N, k == 3 ? (uint32_t)i : 5, k % BUFS, (k + 1) % BUFS);
        OK(ocl_chain_end(queue, ST_OK));
    }
    OK(ocl_read(queue, buf[0], 0, sizeof all, all));
    return hash_bytes(HASH_START, (const char *)all, sizeof all);
}

static void test_lists_that_change(void **state)
{
    (void)state;
    setenv("CLUTCH_CHAIN", "off", 1);
    open_device();
    uint64_t want = run_steps(100);
    setenv("CLUTCH_CHAIN", "on", 1);
    open_device();
    assert_true(run_steps(100) == want);
}

/* Buffers are freed and made anew between launches, which use some of them only. */
static uint64_t run_with_new_buffers(int rounds)
{
    uint64_t hash = HASH_START;
    uint32_t some[60];
    struct rng r;
    rng_init(&r, 7, 0);
    for (int i = 0; i < rounds; i++) {
        uint32_t used = 2 + rng_below(&r, BUFS - 1);
        ocl_chain_begin(queue);
        for (uint32_t b = 0; b < 2 * used; b++)
            run_mix((int)(b % 2), N, b, (int)(b % used), (int)((b + 1) % used));
        OK(ocl_chain_end(queue, ST_OK));
        int b = (int)rng_below(&r, BUFS);
        OK(ocl_read(queue, buf[b], 0, sizeof some, some));
        hash = hash_bytes(hash, (const char *)some, sizeof some);
        ocl_buf_free(buf[b]);
        buf[b] = NULL;
        OK(ocl_buf_create(device, N * sizeof(uint32_t), &buf[b]));
        OK(ocl_zero(queue, buf[b], 0, N * sizeof(uint32_t)));
    }
    return hash;
}

static void test_buffers_come_and_go(void **state)
{
    (void)state;
    setenv("CLUTCH_CHAIN", "off", 1);
    open_device();
    uint64_t want = run_with_new_buffers(60);
    setenv("CLUTCH_CHAIN", "on", 1);
    open_device();
    assert_true(run_with_new_buffers(60) == want);
}

/* ---- what goes to the device, and when --------------------------------------------------------------------------- */

static uint64_t launches_of(int sections)
{
    uint64_t before = ocl_counts().launches;
    for (int i = 0; i < sections; i++) {
        ocl_chain_begin(queue);
        run_mix(0, N, 1, 0, 1);
        run_mix(0, N, 1, 1, 2);
        run_mix(1, N, 1, 2, 0);
        OK(ocl_chain_end(queue, ST_OK));
    }
    OK(ocl_flush(queue));
    return ocl_counts().launches - before;
}

static void test_sections_become_launches(void **state)
{
    (void)state;
    uint32_t word;
    open_device();
    if (!ocl_has_chains(device))
        skip();
    assert_int_equal(launches_of(1), 1);
    for (int i = 0; i < 3; i++) {
        struct ocl_counts before = ocl_counts();
        OK(ocl_read(queue, buf[0], 0, sizeof word, &word));
        assert_int_equal(ocl_counts().waits - before.waits, 1);
        assert_in_range(launches_of(16), 2, 16);
        assert_int_equal(ocl_counts().programs, before.programs);
    }
    setenv("CLUTCH_CHAIN", "off", 1);
    assert_int_equal(launches_of(10), 30);
    unsetenv("CLUTCH_CHAIN"); /* the first 100 sections */
    assert_int_equal(launches_of(100), 300);
    assert_in_range(launches_of(100), 1, 100);
}

static void test_traces(void **state)
{
    (void)state;
    static struct ocl_launch each[OCL_TRACE_MAX];
    open_device();
    if (!ocl_has_chains(device))
        skip();
    OK(ocl_trace_begin(queue, OCL_TRACE_KERNELS));
    assert_int_equal(launches_of(10), 30);
    OK(ocl_trace_end(queue));
    OK(ocl_wait(queue));
    struct ocl_times t = ocl_trace_read(queue, NULL);
    assert_true(t.launches == 30 || t.launches == -1);
    OK(ocl_trace_begin(queue, OCL_TRACE_LAUNCHES));
    int launches = (int)launches_of(10);
    OK(ocl_trace_end(queue));
    OK(ocl_wait(queue));
    t = ocl_trace_read(queue, each);
    assert_true(t.launches == launches || t.launches == -1);
    assert_true(t.launches == -1 || (strcmp(each[0].name, "chain") == 0 && t.busy_ns > 0));
}

/* What is held back when a trace begins is not a part of it. */
static void test_trace_begins_behind(void **state)
{
    (void)state;
    uint32_t word;
    open_device();
    OK(ocl_read(queue, buf[0], 0, sizeof word, &word));
    for (int i = 0; i < 2; i++) {
        ocl_chain_begin(queue);
        run_mix(0, N, 1, 0, 1);
        OK(ocl_chain_end(queue, ST_OK));
    }
    OK(ocl_trace_begin(queue, OCL_TRACE_KERNELS));
    run_mix(0, N, 1, 0, 1);
    OK(ocl_trace_end(queue));
    OK(ocl_wait(queue));
    struct ocl_times t = ocl_trace_read(queue, NULL);
    assert_true(t.launches == 1 || t.launches == -1);
}

static void test_a_failed_section_is_dropped(void **state)
{
    (void)state;
    static uint32_t before[N], after[N];
    open_device();
    if (!ocl_has_chains(device))
        skip();
    OK(ocl_read(queue, buf[1], 0, sizeof before, before));
    ocl_chain_begin(queue);
    assert_true(ocl_chain_open(queue));
    run_mix(0, N, 1, 0, 1);
    assert_int_equal(ocl_chain_end(queue, ST_NUMERIC), ST_NUMERIC);
    assert_false(ocl_chain_open(queue));
    OK(ocl_read(queue, buf[1], 0, sizeof after, after));
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(launches_of(1), 1); /* and it goes on */
}

/* A chain.cl in which `from` is `to`, with all the patience in the world. */
static void put_changed_chain(const char *from, const char *to)
{
    char *good, changed[SOURCE_MAX];
    size_t len;
    OK(file_read("cl/chain.cl", SOURCE_MAX, &good, &len));
    char *at = strstr(good, from), *ticks = strstr(good, "500000");
    assert_non_null(at);
    assert_non_null(ticks);
    memcpy(ticks, "9e15f ", 6); /* whatever else this machine does, no work-item leaves for it */
    int n = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    mem_free(good);
    assert_in_range(n, 1, sizeof changed - 1);
    sources_put("chain.cl", changed);
}

/* A work-item leaves where its core does something else. Where that is often so, chains become short, so that what a
 * core misses is little; and long again when it is over. */
static void test_chains_get_short_where_cores_are_busy(void **state)
{
    (void)state;
    static const char entry[] = "    const uint turn_size = OPS_MAX * 2 * APART;\n";
    char busy[256];
    uint32_t word;
    /* says so of the first 20 launches, while a word that nothing else uses counts on */
    snprintf(busy, sizeof busy, "%s    if (get_global_id(0) == 0 && list[8191]++ < 20)\n"
             "        atomic_add(state + 2 * turn_size, 5);\n", entry);
    put_changed_chain(entry, busy);
    open_device();
    if (!ocl_has_chains(device))
        skip();
    assert_in_range(launches_of(16), 5, 6); /* nothing was asked yet: 1, 2, 4, 8 sections, and what is left */
    OK(ocl_read(queue, buf[0], 0, sizeof word, &word));
    assert_int_equal(launches_of(16), 16);
    OK(ocl_read(queue, buf[0], 0, sizeof word, &word));
    assert_int_equal(launches_of(4), 4); /* it was busy all the same, and is no more */
    static const int most[] = {2, 4, 8, 8};
    for (size_t i = 0; i < COUNT_OF(most); i++) {
        int launches = 0;
        OK(ocl_read(queue, buf[0], 0, sizeof word, &word));
        for (int sections = 0, due = 1; sections < 16; due = 2 * due < most[i] ? 2 * due : most[i], launches++)
            sections += due;
        assert_int_equal(launches_of(16), launches);
    }
}

/* What has not said that chains may take it is launched alone, between chains. */
static void test_a_kernel_that_chains_may_not_take(void **state)
{
    (void)state;
    static const char turn[] =
        "kernel void turn(global uint *x, global uint *y)\n"
        "{\n"
        "    local uint all[64];\n"
        "    all[get_local_id(0)] = x[get_global_id(0)];\n"
        "    barrier(CLK_LOCAL_MEM_FENCE);\n"
        "    y[get_global_id(0)] = all[get_local_size(0) - 1 - get_local_id(0)];\n"
        "}\n";
    struct ocl_kernel *k;
    uint32_t in[64], out[64];
    sources_put("turn.cl", turn);
    open_device();
    for (uint32_t i = 0; i < 64; i++)
        in[i] = 7 * i + 1;
    OK(ocl_write(queue, buf[0], 0, sizeof in, in));
    OK(ocl_kernel_get(queue, "turn", "turn", "", &k));
    uint64_t before = ocl_counts().launches;
    ocl_chain_begin(queue);
    run_mix(0, 64, 1, 0, 1);
    run_mix(0, 64, 1, 1, 2);
    for (int i = 0; i < 2; i++)
        OK(ocl_run(k, (size_t[2]){64, 1}, (size_t[2]){64, 1}, OCL_ARGS(ocl_b(buf[3 * i]), ocl_b(buf[3]))));
    run_mix(0, 64, 1, 3, 4);
    run_mix(0, 64, 1, 4, 5);
    OK(ocl_chain_end(queue, ST_OK));
    OK(ocl_read(queue, buf[3], 0, sizeof out, out));
    assert_memory_equal(in, out, sizeof in); /* there and back */
    assert_int_equal(ocl_counts().launches - before, ocl_has_chains(device) ? 4 : 6);
    assert_null(strstr(sources_notes(), "one by one"));
}

/* ---- shown right first ------------------------------------------------------------------------------------------- */

/* Chains that would be wrong in one way or other are never used, which is known to the next process, too. */
static void test_wrong_chains_are_not_used(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } change[] = {
        {"op < list[0]", "op + 1 < list[0]"},                         /* the last kernel is left out */
        {"i < patch.n; i++", "i + 1 < patch.n; i++"},                 /* a number is that of the launch before */
        {"run(o[0], first, end,", "run(o[0], first + (end == all), end,"}, /* a work-item is missing */
    };
    setenv("CLUTCH_CHAIN", "off", 1);
    open_device();
    if (!ocl_has_chains(device))
        skip();
    uint64_t want = run_steps(20);
    setenv("CLUTCH_CHAIN", "on", 1);
    char *cache = getenv("XDG_CACHE_HOME"), kept[512] = "";
    snprintf(kept, sizeof kept, "%s", cache ? cache : "");
    setenv("XDG_CACHE_HOME", check_folder(), 1); /* what was found out by another test program does not count */
    for (size_t i = 0; i < COUNT_OF(change); i++) {
        uint64_t bytes[2];
        put_changed_chain(change[i].from, change[i].to);
        for (int process = 0; process < 2; process++) {
            sources_end();
            sources_begin();
            open_device();
            uint64_t launches = ocl_counts().launches;
            assert_true(run_steps(20) == want);
            if (ocl_counts().launches - launches != 20 * 20)
                fail_msg("change %zu, process %d was not seen", i, process);
            const char *said = strstr(sources_notes(), "chains of kernels give other results than single launches on ");
            if (!said || strstr(said + 1, "chains of kernels"))
                fail_msg("change %zu, process %d: %s", i, process, sources_notes());
            bytes[process] = ocl_device_bytes(device);
            if (process == 1) { /* nothing is tried again; and what was tried left nothing */
                assert_int_equal(bytes[0], bytes[1]);
                uint64_t before = ocl_counts().programs;
                open_device();
                assert_int_equal(ocl_counts().programs - before, 2);
            }
        }
    }
    if (cache)
        setenv("XDG_CACHE_HOME", kept, 1);
    else
        unsetenv("XDG_CACHE_HOME");
}

/* ---- what may go wrong ------------------------------------------------------------------------------------------- */

static void test_without_the_program(void **state)
{
    (void)state;
    static const char broken[] = "kernel void chain(global int *x) { no }\n";
    setenv("CLUTCH_CHAIN", "off", 1);
    open_device();
    uint64_t want = run_steps(20);
    setenv("CLUTCH_CHAIN", "on", 1);
    sources_put("chain.cl", broken);
    open_device();
    assert_true(run_steps(20) == want);
    if (!ocl_has_chains(device))
        return;
    const char *said = strstr(sources_notes(), "its kernels are launched one by one");
    assert_non_null(said);
    assert_null(strstr(said + 1, "its kernels are launched one by one")); /* once */
}

static void test_a_kernel_it_cannot_take(void **state)
{
    (void)state;
    static const char odd[] = "__kernel void odd(global uint *x) { x[get_global_id(0)] += 1; }\n";
    struct ocl_kernel *k;
    uint32_t got[2];
    sources_put("odd.cl", odd);
    open_device();
    OK(ocl_zero(queue, buf[0], 0, sizeof got));
    OK(ocl_kernel_get(queue, "odd", "odd", "", &k));
    ocl_kernel_chains(k);
    ocl_chain_begin(queue);
    for (int i = 0; i < 5; i++)
        OK(ocl_run(k, (size_t[2]){2, 1}, (size_t[2]){1, 1}, OCL_ARGS(ocl_b(buf[0]))));
    OK(ocl_chain_end(queue, ST_OK));
    OK(ocl_read(queue, buf[0], 0, sizeof got, got));
    assert_int_equal(got[0], 5);
    assert_int_equal(got[1], 5);
    if (ocl_has_chains(device))
        assert_non_null(strstr(sources_notes(), "no kernel odd for a chain"));
}

#define CHAIN_TEST(f) cmocka_unit_test_setup_teardown(f, prepare, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHAIN_TEST(test_same_results),
        CHAIN_TEST(test_numbers_too_small),
        CHAIN_TEST(test_more_than_a_chain_takes),
        CHAIN_TEST(test_wrong_chains_are_not_used),
        CHAIN_TEST(test_more_buffers_than_a_chain_holds),
        CHAIN_TEST(test_chains_get_short_where_cores_are_busy),
        CHAIN_TEST(test_a_kernel_that_chains_may_not_take),
        CHAIN_TEST(test_lists_that_change),
        CHAIN_TEST(test_buffers_come_and_go),
        CHAIN_TEST(test_sections_become_launches),
        CHAIN_TEST(test_traces),
        CHAIN_TEST(test_trace_begins_behind),
        CHAIN_TEST(test_a_failed_section_is_dropped),
        CHAIN_TEST(test_without_the_program),
        CHAIN_TEST(test_a_kernel_it_cannot_take),
    };
    return cmocka_run_group_tests_name("chain", tests, sources_setup, sources_teardown);
}
