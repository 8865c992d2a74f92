/* ocl: devices and their parts, buffers, transfers, launches, counters and times, programs and their cache. */
#include "support/mark.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ocl_pick *picks;
static int picked;

static int drop_all(void **state)
{
    mem_free(picks);
    picks = NULL;
    return drop(state);
}

/* Builds or loads `mark`, runs it over 37 x 3 items, and checks what it wrote. */
static void check_mark(size_t group)
{
    enum { COLS = 37, ROWS = 3, GUARD = 64 };
    uint32_t got[COLS * ROWS + GUARD];
    struct ocl_kernel *k;
    ocl_buf_free(buf);
    buf = NULL;
    OK(ocl_buf_create(device, sizeof got, &buf));
    OK(ocl_zero(queue, buf, 0, sizeof got));
    OK(ocl_kernel_get(queue, "mark", "mark", "-DEXTRA=7", &k));
    OK(ocl_run(k, (size_t[2]){COLS, ROWS}, (size_t[2]){group, 2},
               OCL_ARGS(ocl_u(COLS), ocl_u(ROWS), ocl_f(10), ocl_b(buf), ocl_b(NULL)))); /* (int)(10 * 0.1f) is 1 */
    OK(ocl_read(queue, buf, 0, sizeof got, got));
    for (uint32_t r = 0; r < ROWS; r++)
        for (uint32_t c = 0; c < COLS; c++)
            assert_int_equal(got[r * COLS + c], c + 1000 * r + 700000 + 5000000);
    for (int i = 0; i < GUARD; i++)
        assert_int_equal(got[COLS * ROWS + i], 0);
}

/* ---- devices ----------------------------------------------------------------------------------------------------- */

static void test_error_names(void **state)
{
    (void)state;
    assert_string_equal(ocl_error_name(0), "CL_SUCCESS");
    assert_string_equal(ocl_error_name(-5), "CL_OUT_OF_RESOURCES");
    assert_string_equal(ocl_error_name(-11), "CL_BUILD_PROGRAM_FAILURE");
    assert_string_equal(ocl_error_name(-68), "CL_INVALID_DEVICE_PARTITION_COUNT");
    assert_string_equal(ocl_error_name(-1001), "CL_PLATFORM_NOT_FOUND_KHR");
    assert_string_equal(ocl_error_name(77), "unknown code");
}

static void test_label(void **state)
{
    (void)state;
    char want[400];
    const struct ocl_facts *f = ocl_facts_at(sources_world(), sources_device());
    open_device();
    snprintf(want, sizeof want, "%d:%d %s", f->platform, f->index, f->name);
    assert_string_equal(ocl_device_label(device), want);
    assert_string_equal(ocl_device_facts(device)->name, f->name);
    assert_ptr_equal(ocl_queue_device(queue), device);
    ocl_device_close(NULL);
    ocl_queue_close(NULL);
    ocl_buf_free(NULL);
    ocl_world_close(NULL);
}

static void test_sub_devices(void **state)
{
    (void)state;
    char spec[64], want[400];
    const struct ocl_facts *f = ocl_facts_at(sources_world(), sources_device());
    if (f->parts_max < 2)
        skip();
    snprintf(spec, sizeof spec, "%d:%d/2,%d:%d", f->platform, f->index, f->platform, f->index);
    OK(ocl_pick_devices(sources_world(), spec, &picks, &picked));
    assert_int_equal(picked, 2); /* the whole device behind its parts would be there twice */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(picks[i].device, sources_device());
        assert_int_equal(picks[i].part, i);
        assert_int_equal(picks[i].parts, 2);
        open_pick(&picks[i]);
        snprintf(want, sizeof want, "%d:%d/2#%d %s", f->platform, f->index, i, f->name);
        assert_string_equal(ocl_device_label(device), want);
        assert_int_equal(ocl_device_facts(device)->compute_units, f->compute_units / 2);
        assert_int_equal(ocl_device_facts(device)->parts_max, 1);
        check_mark(16);
    }
}

/* A driver's own threads may be behind with a part that was closed. */
static void test_sub_devices_come_and_go(void **state)
{
    (void)state;
    const struct ocl_facts *f = ocl_facts_at(sources_world(), sources_device());
    if (f->parts_max < 2)
        skip();
    for (int i = 0; i < 500; i++) {
        uint32_t value = 1;
        open_pick(&(struct ocl_pick){.device = sources_device(), .part = i % 2, .parts = 2});
        OK(ocl_buf_create(device, sizeof value, &buf));
        OK(ocl_zero(queue, buf, 0, sizeof value));
        OK(ocl_read(queue, buf, 0, sizeof value, &value));
        assert_int_equal(value, 0);
    }
}

/* ---- buffers and transfers --------------------------------------------------------------------------------------- */

static void test_buffers(void **state)
{
    (void)state;
    char want[32], limit[32], message[400];
    struct ocl_buf *other = NULL;
    open_device();
    uint64_t most = ocl_device_facts(device)->buffer_bytes_max;
    assert_int_equal(ocl_device_bytes(device), 0);
    OK(ocl_buf_create(device, 100, &buf));
    assert_int_equal(ocl_buf_bytes(buf), 100);
    OK(ocl_buf_create(device, 0, &other)); /* OpenCL knows no empty buffer */
    assert_int_equal(ocl_device_bytes(device), 104);
    ocl_buf_free(other);
    assert_int_equal(ocl_device_bytes(device), 100);
    if (most == 0 || most >= SIZE_MAX)
        skip();
    snprintf(message, sizeof message, "device %s: a buffer of %s asked, %s is the most one may hold",
             ocl_device_label(device), show_bytes(want, sizeof want, most + 1), show_bytes(limit, sizeof limit, most));
    FAILS(ST_DEVICE, message, ocl_buf_create(device, (size_t)most + 1, &other));
    assert_int_equal(ocl_device_bytes(device), 100);
}

static void test_what_fits(void **state)
{
    (void)state;
    struct ocl_facts f = {.memory_bytes = 1000, .buffer_bytes_max = 500};
    assert_int_equal(ocl_memory_usable(&f), 900);
    assert_true(ocl_fits(&f, 900, 500));
    assert_false(ocl_fits(&f, 901, 1));
    assert_false(ocl_fits(&f, 501, 501));
    f.buffer_bytes_max = 0; /* not told */
    assert_true(ocl_fits(&f, 900, 900));
    f.memory_bytes = 0;
    assert_true(ocl_fits(&f, UINT64_MAX, UINT64_MAX));
}

static void test_transfers(void **state)
{
    (void)state;
    static const char in[17] = "abcdefghijklmnop";
    char out[17] = "";
    open_device();
    OK(ocl_buf_create(device, 16, &buf));
    OK(ocl_write(queue, buf, 0, 16, in));
    OK(ocl_write(queue, buf, 12, 2, "XY"));
    OK(ocl_zero(queue, buf, 4, 4));
    OK(ocl_flush(queue));
    OK(ocl_wait(queue));
    OK(ocl_read(queue, buf, 0, 16, out));
    assert_memory_equal(out, "abcd\0\0\0\0ijklXYop", 16);
    OK(ocl_read(queue, buf, 13, 1, out));
    assert_memory_equal(out, "Ybcd", 4);
}

static void test_transfers_out_of_range(void **state)
{
    (void)state;
    static const struct {
        size_t offset, bytes;
        const char *message;
    } wrong[] = {
        {0, 20, "transfer of 20 bytes at 0 in a buffer of 16"}, {4, 16, "transfer of 16 bytes at 4 in a buffer of 16"},
        {17, 0, "transfer of 0 bytes at 17"},                   {SIZE_MAX - 3, 4, "transfer of 4 bytes at "},
        {4, SIZE_MAX, "in a buffer of 16"},
    };
    char bytes[32] = "";
    open_device();
    OK(ocl_buf_create(device, 16, &buf));
    struct ocl_counts before = ocl_counts();
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        size_t offset = wrong[i].offset, n = wrong[i].bytes;
        FAILS(ST_INTERNAL, wrong[i].message, ocl_write(queue, buf, offset, n, bytes));
        FAILS(ST_INTERNAL, wrong[i].message, ocl_read(queue, buf, offset, n, bytes));
        FAILS(ST_INTERNAL, wrong[i].message, ocl_zero(queue, buf, offset, n));
    }
    /* nothing at the very end is in range, and nothing is done */
    OK(ocl_write(queue, buf, 16, 0, NULL));
    OK(ocl_read(queue, buf, 16, 0, NULL));
    OK(ocl_zero(queue, buf, 16, 0));
    struct ocl_counts after = ocl_counts();
    assert_memory_equal(&before, &after, sizeof before);
}

/* ---- launches ---------------------------------------------------------------------------------------------------- */

static void test_launches_cover_all_items(void **state)
{
    (void)state;
    open_device();
    check_mark(16);
    check_mark(1);
    /* more than a group may have: it is made smaller */
    check_mark(8 * ocl_device_facts(device)->work_group_max);
}

static void test_zero_items_are_no_launch(void **state)
{
    (void)state;
    static const size_t items[][2] = {{0, 1}, {1, 0}, {0, 0}};
    struct ocl_kernel *k;
    open_device();
    OK(ocl_kernel_get(queue, "mark", "mark", "-DEXTRA=7", &k));
    uint64_t before = ocl_counts().launches;
    for (size_t i = 0; i < COUNT_OF(items); i++)
        OK(ocl_run(k, items[i], (size_t[2]){16, 1}, OCL_ARGS(ocl_u(0))));
    assert_int_equal(ocl_counts().launches, before);
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    struct ocl_kernel *k;
    const size_t one[2] = {1, 1};
    open_device();
    OK(ocl_buf_create(device, 16, &buf));
    OK(ocl_kernel_get(queue, "mark", "mark", "-DEXTRA=7", &k));
    FAILS(ST_DEVICE, "kernel mark: clEnqueueNDRangeKernel failed: CL_INVALID_KERNEL_ARGS (-52) on device ",
          ocl_run(k, one, one, OCL_ARGS(ocl_u(0))));
    FAILS(ST_DEVICE, "kernel mark, argument 5: clSetKernelArg failed: CL_INVALID_ARG_INDEX (-49) on device ",
          ocl_run(k, one, one, OCL_ARGS(ocl_u(0), ocl_u(0), ocl_f(0), ocl_b(buf), ocl_b(buf), ocl_u(0))));
}

static void test_counters(void **state)
{
    (void)state;
    struct ocl_kernel *first, *again, *other;
    open_device();
    struct ocl_counts a = ocl_counts();
    check_mark(16); /* a buffer, a program, a kernel, a zeroing, a launch, a read */
    struct ocl_counts b = ocl_counts();
    assert_int_equal(b.buffers - a.buffers, 1);
    assert_int_equal(b.programs - a.programs, 1);
    assert_int_equal(b.kernels - a.kernels, 1);
    assert_int_equal(b.writes - a.writes, 1);
    assert_int_equal(b.launches - a.launches, 1);
    assert_int_equal(b.waits - a.waits, 1);
    OK(ocl_kernel_get(queue, "mark", "mark", "-DEXTRA=7", &first));
    OK(ocl_kernel_get(queue, "mark", "mark", "-DEXTRA=7", &again));
    assert_ptr_equal(first, again);
    assert_int_equal(ocl_counts().kernels, b.kernels);
    OK(ocl_kernel_get(queue, "mark", "mark", "-DEXTRA=8", &other));
    assert_ptr_not_equal(first, other);
    assert_int_equal(ocl_counts().programs - b.programs, 1);
    assert_int_equal(ocl_counts().kernels - b.kernels, 1);
}

static void launch(struct ocl_kernel *k, int n)
{
    for (int i = 0; i < n; i++)
        OK(ocl_run(k, (size_t[2]){4, 1}, (size_t[2]){4, 1},
                   OCL_ARGS(ocl_u(4), ocl_u(1), ocl_f(10), ocl_b(buf), ocl_b(NULL))));
}

static void test_trace(void **state)
{
    (void)state;
    struct ocl_kernel *k;
    open_device();
    OK(ocl_buf_create(device, 16, &buf));
    OK(ocl_kernel_get(queue, "mark", "mark", "-DEXTRA=7", &k));
    launch(k, 1);
    static struct ocl_launch each[OCL_TRACE_MAX];
    OK(ocl_trace_begin(queue, OCL_TRACE_LAUNCHES));
    launch(k, 2);
    ocl_trace_work(queue, 5, 16);
    launch(k, 1);
    OK(ocl_trace_end(queue));
    launch(k, 2);
    OK(ocl_wait(queue));
    struct ocl_times t = ocl_trace_read(queue, each);
    if (t.launches == -1)
        skip(); /* the device does not tell */
    assert_int_equal(t.launches, 3);
    assert_true(t.busy_ns > 0);
    assert_int_equal(each[0].ns + each[1].ns + each[2].ns, t.busy_ns);
    assert_int_equal(each[0].gap_ns, 0);
    assert_string_equal(each[2].name, "mark");
    assert_true(each[1].flops == 0 && each[1].bytes == 0 && each[2].flops == 5 && each[2].bytes == 16);
    t = ocl_trace_read(queue, NULL); /* read once */
    assert_int_equal(t.launches, 0);
    assert_int_equal(t.busy_ns, 0);
    OK(ocl_trace_begin(queue, OCL_TRACE_LAUNCHES));
    launch(k, OCL_TRACE_MAX + 10);
    OK(ocl_trace_end(queue));
    OK(ocl_wait(queue));
    t = ocl_trace_read(queue, NULL);
    assert_int_equal(t.launches, OCL_TRACE_MAX);
    assert_true(t.busy_ns > 0);
}

/* ---- programs ---------------------------------------------------------------------------------------------------- */

/* Files in the cache; `path` is one of them. */
static int cache_files(char *path, size_t size)
{
    char folder[PATH_ROOM + 16];
    int n = 0;
    snprintf(folder, sizeof folder, "%s/clutch", cache);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;)
        if (strstr(entry->d_name, ".bin")) {
            n++;
            snprintf(path, size, "%s/%.100s", folder, entry->d_name);
        }
    if (dir)
        closedir(dir);
    return n;
}

static void test_a_program_that_does_not_compile(void **state)
{
    (void)state;
    char path[PATH_ROOM * 2];
    struct ocl_kernel *k;
    open_device();
    sources_put("broken.cl", "kernel void broken(global float *x)\n{\n    x[0] = no_such_name;\n}\n");
    FAILS(ST_DEVICE, "broken.cl with -cl-std=CL1.2 -DA=1: clBuildProgram failed: CL_BUILD_PROGRAM_FAILURE (-11) on ",
          ocl_kernel_get(queue, "broken", "broken", "-DA=1", &k));
    assert_non_null(strstr(st_message(), ocl_device_label(device)));
    assert_non_null(strstr(sources_notes(), "build log of broken.cl with -cl-std=CL1.2 -DA=1 on "));
    assert_non_null(strstr(sources_notes(), "no_such_name"));
    assert_int_equal(cache_files(path, sizeof path), 0);
    sources_put("broken.cl", "kernel void broken(global float *x)\n{\n    x[0] = 1;\n}\n");
    OK(ocl_kernel_get(queue, "broken", "broken", "-DA=1", &k)); /* mended */
}

static void test_programs_and_kernels_that_are_not_there(void **state)
{
    (void)state;
    char options[600];
    struct ocl_kernel *k;
    open_device();
    memset(options, ' ', sizeof options - 1);
    options[sizeof options - 1] = '\0';
    FAILS(ST_DEVICE, "kernel nothing of mark.cl: clCreateKernel failed: CL_INVALID_KERNEL_NAME (-46) on device ",
          ocl_kernel_get(queue, "mark", "nothing", "-DEXTRA=7", &k));
    FAILS(ST_INPUT, "CL_DIR: cannot open ", ocl_kernel_get(queue, "nothing", "nothing", "", &k));
    FAILS(ST_INTERNAL, "build options of mark.cl are too long", ocl_kernel_get(queue, "mark", "mark", options, &k));
    check_mark(16); /* no failure is kept */
    unsetenv("CL_DIR");
    FAILS(ST_INTERNAL, "no kernel file mark.cl in the program", ocl_kernel_get(queue, "mark", "mark", "", &k));
    OK(ocl_kernel_get(queue, "activation", "act_forward", "-DVEC=1", &k)); /* of the program itself */
}

/* Whether it compiles, or the cache has it. What is said of it is for the user, once for a device and cache. */
static void check_compiles(bool compiles)
{
    uint64_t before = ocl_counts().compiled;
    sources_end(); /* what was noted so far */
    sources_begin();
    open_device();
    check_mark(16);
    assert_int_equal(ocl_counts().compiled - before, compiles);
    const char *said = sources_notes(), *end = strchr(said, '\n');
    assert_true(!said[0] || (compiles && strstr(said, "compiling kernels for ") == said && end && !end[1]));
}

static void test_cache(void **state)
{
    (void)state;
    char path[PATH_ROOM * 2];
    struct ocl_kernel *k;
    check_compiles(true);
    assert_int_equal(cache_files(path, sizeof path), 1);
    check_compiles(false);
    uint64_t before = ocl_counts().compiled;
    OK(ocl_kernel_get(queue, "mark", "mark", "-DEXTRA=8", &k)); /* other options, another program */
    assert_int_equal(ocl_counts().compiled - before, 1);
    assert_int_equal(cache_files(path, sizeof path), 2);
    sources_put("common.cl", "#define BASE (5000000u)\n"); /* other source */
    check_compiles(true);
    assert_int_equal(cache_files(path, sizeof path), 3);
    check_compiles(false);
}

/* What is left of the file: its first `keep` bytes, with those from `from` on changed, `changed` of them. */
static void damage(const char *path, const char *good, size_t keep, size_t from, size_t changed)
{
    char *bytes = mem_alloc(keep + 1, 1);
    assert_non_null(bytes);
    memcpy(bytes, good, keep);
    for (size_t i = from; i < from + changed && i < keep; i++)
        bytes[i] = (char)~bytes[i];
    enum st s = file_write(path, bytes, keep);
    mem_free(bytes);
    OK(s);
    check_compiles(true);
    check_compiles(false); /* it was put right */
}

static void test_a_damaged_cache_is_built_anew(void **state)
{
    (void)state;
    char path[PATH_ROOM * 2], *good;
    size_t len;
    check_compiles(true);
    assert_int_equal(cache_files(path, sizeof path), 1);
    OK(file_read(path, 1 << 28, &good, &len));
    size_t key = strlen(good) + 1;
    assert_true(key > sizeof mark_cl && len > key + 100);
    damage(path, good, 0, 0, 0);
    damage(path, good, key / 2, 0, 0);
    damage(path, good, key, 0, 0);
    damage(path, good, key + 4, 0, 0);
    damage(path, good, key + (len - key) / 2, 0, 0);
    damage(path, good, len - 1, 0, 0);
    damage(path, good, len, 0, len);
    damage(path, good, len, key / 2, 1); /* another program's key */
    damage(path, good, len, key - 1, 1);
    damage(path, good, len, key, 1);
    damage(path, good, len, key + 8, 16);
    damage(path, good, len, key + (len - key) / 2, 1);
    damage(path, good, len, len - 1, 1);
    mem_free(good);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, prepare, drop_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_error_names),
        TEST(test_label),
        TEST(test_sub_devices),
        TEST(test_sub_devices_come_and_go),
        TEST(test_buffers),
        TEST(test_what_fits),
        TEST(test_transfers),
        TEST(test_transfers_out_of_range),
        TEST(test_launches_cover_all_items),
        TEST(test_zero_items_are_no_launch),
        TEST(test_wrong_arguments),
        TEST(test_counters),
        TEST(test_trace),
        TEST(test_a_program_that_does_not_compile),
        TEST(test_programs_and_kernels_that_are_not_there),
        TEST(test_cache),
        TEST(test_a_damaged_cache_is_built_anew),
    };
    return cmocka_run_group_tests_name("ocl", tests, sources_setup, sources_teardown);
}
