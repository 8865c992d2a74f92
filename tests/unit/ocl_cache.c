/* ocl: what is said of compiling and of the cache, whom the cache is believed, and how long it all takes. */
#include "support/mark.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void launch(struct ocl_kernel *k, int n)
{
    for (int i = 0; i < n; i++)
        OK(ocl_run(k, (size_t[2]){4, 1}, (size_t[2]){4, 1},
                   OCL_ARGS(ocl_u(4), ocl_u(1), ocl_f(10), ocl_b(buf), ocl_b(NULL))));
}

/* Opens the device anew, as another process would; says whether the kernel was compiled. */
static bool get_compiles(const char *options)
{
    struct ocl_kernel *k;
    uint64_t before = ocl_counts().compiled;
    open_device();
    OK(ocl_kernel_get(queue, "mark", "mark", options, &k));
    return ocl_counts().compiled > before;
}

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

static void check_said(const char *words)
{
    char want[PATH_ROOM * 4];
    const struct ocl_facts *f = ocl_facts_at(sources_world(), sources_device());
    snprintf(want, sizeof want, "compiling kernels for %d:%d %s%s\n", f->platform, f->index, f->name, words);
    assert_string_equal(sources_notes(), want);
}

static void test_the_user_is_told_once(void **state)
{
    (void)state;
    char words[PATH_ROOM * 2];
    struct ocl_kernel *k;
    snprintf(words, sizeof words, ", once: they are kept in %s/clutch", cache);
    assert_true(get_compiles("-DEXTRA=7"));
    check_said(words);
    OK(ocl_kernel_get(queue, "mark", "mark", "-DEXTRA=8", &k));
    open_device();
    OK(ocl_kernel_get(queue, "mark", "mark", "-DEXTRA=9", &k));
    check_said(words);
    sources_end();
    sources_begin();
    sources_put("common.cl", "#define BASE (5000000u)\n");
    assert_true(get_compiles("-DEXTRA=7")); /* as another process would */
    assert_string_equal(sources_notes(), "");
    if (ocl_device_facts(device)->parts_max < 2)
        return;
    open_pick(&(struct ocl_pick){.device = sources_device(), .part = 1, .parts = 2});
    OK(ocl_kernel_get(queue, "mark", "mark", "-DEXTRA=10", &k)); /* parts are of the whole */
    assert_string_equal(sources_notes(), "");
}

/* What others could have written is not run, and is not written over. */
static void test_a_cache_of_others(void **state)
{
    (void)state;
    char path[PATH_ROOM * 2], folder[PATH_ROOM * 2], words[PATH_ROOM * 4];
    assert_true(get_compiles("-DEXTRA=7"));
    assert_int_equal(cache_files(path, sizeof path), 1);
    assert_int_equal(chmod(path, 0662), 0);
    sources_end();
    sources_begin();
    assert_true(get_compiles("-DEXTRA=7"));
    snprintf(words, sizeof words, "%s is not used, for others can write to it (mode 0662); ", path);
    assert_ptr_equal(strstr(sources_notes(), words), sources_notes());
    assert_false(get_compiles("-DEXTRA=7")); /* a new file took its place */
    snprintf(folder, sizeof folder, "%s/clutch", cache);
    assert_int_equal(chmod(folder, 0777), 0);
    for (int i = 0; i < 2; i++)
        assert_true(get_compiles("-DEXTRA=7"));
    snprintf(words, sizeof words, "%s is not used, for others can write to it (mode 0777); ", folder);
    const char *said = strstr(sources_notes(), words);
    assert_non_null(said);
    assert_null(strstr(said + strlen(words), " is not used"));
    assert_null(strstr(said, "kept"));
}

/* Below a file there can be no folder; and a user may have neither of the two variables. */
static void test_a_cache_that_cannot_be_written(void **state)
{
    (void)state;
    char below[2 * PATH_ROOM], words[4 * PATH_ROOM], *home = getenv("HOME"), *kept = NULL;
    snprintf(below, sizeof below, "%s/file", check_folder());
    OK(file_write(below, "x", 1));
    snprintf(below, sizeof below, "%s/file/cache", check_folder());
    setenv("XDG_CACHE_HOME", below, 1);
    snprintf(words, sizeof words, ", which cannot be kept: %s/clutch cannot be written", below);
    for (int i = 0; i < 2; i++) {
        sources_end();
        sources_begin();
        assert_true(get_compiles("-DEXTRA=7"));
        check_said(words);
    }
    if (home) {
        kept = mem_alloc(strlen(home) + 1, 1);
        assert_non_null(kept);
        strcpy(kept, home);
    }
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    sources_end();
    sources_begin();
    assert_true(get_compiles("-DEXTRA=7"));
    check_said(", which cannot be kept: neither XDG_CACHE_HOME nor HOME is a path");
    if (kept)
        setenv("HOME", kept, 1);
    mem_free(kept);
}

/* Compiling counts wherever it comes: from source, from the cache, at the first launch; nothing else does. */
static void test_time_of_compiling(void **state)
{
    (void)state;
    struct ocl_kernel *k;
    for (uint64_t compiled = 0; compiled < 2; compiled++) {
        open_device();
        uint64_t before = ocl_counts().compiled, t0 = ocl_compiling_ns(), began = clock_ns();
        OK(ocl_kernel_get(queue, "mark", "mark", "-DEXTRA=7", &k));
        assert_int_equal(ocl_counts().compiled - before, 1 - compiled);
        uint64_t t1 = ocl_compiling_ns();
        OK(ocl_buf_create(device, 16, &buf));
        launch(k, 1);
        uint64_t t2 = ocl_compiling_ns();
        assert_true(t0 < t1 && t1 < t2 && t2 - t0 <= clock_ns() - began);
        OK(ocl_kernel_get(queue, "mark", "mark", "-DEXTRA=7", &k));
        launch(k, 5);
        OK(ocl_wait(queue));
        assert_int_equal(ocl_compiling_ns(), t2);
    }
}

/* Several at once are counted once, and the time goes on until the last has ended. */
static void test_time_of_compiling_is_that_of_the_clock(void **state)
{
    (void)state;
    uint64_t t0 = ocl_compiling_ns(), began = clock_ns(), t;
    ocl_compiling_begin();
    ocl_compiling_begin();
    for (t = ocl_compiling_ns(); t == t0; t = ocl_compiling_ns())
        ; /* it is counted while it lasts */
    ocl_compiling_end();
    for (uint64_t more = t; more == t; more = ocl_compiling_ns())
        ;
    ocl_compiling_end();
    t = ocl_compiling_ns();
    assert_true(t - t0 <= clock_ns() - began);
    assert_int_equal(ocl_compiling_ns(), t);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, prepare, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_user_is_told_once),
        TEST(test_a_cache_of_others),
        TEST(test_a_cache_that_cannot_be_written),
        TEST(test_time_of_compiling),
        TEST(test_time_of_compiling_is_that_of_the_clock),
    };
    return cmocka_run_group_tests_name("ocl_cache", tests, sources_setup, sources_teardown);
}
