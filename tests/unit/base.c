/* base: status, arena, text, numbers, Philox against its published vectors, files. */
#include "support/check.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_at_start;

static void test_status_keeps_message_and_context(void **state)
{
    (void)state;
    enum st s = st_fail(ST_INPUT, "cannot open %s", "x.net");
    s = st_context(s, "reading %d", 7);
    assert_int_equal(s, ST_INPUT);
    assert_string_equal(st_message(), "reading 7: cannot open x.net");
    assert_non_null(strstr(st_where(), "tests/unit/base.c:"));
    assert_int_equal(st_context(ST_OK, "untouched"), ST_OK);
}

static void test_philox_matches_published_vectors(void **state)
{
    (void)state; /* known answers of the Random123 distribution for philox4x32 with 10 rounds */
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } row[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        uint32_t got[4];
        philox4x32(row[i].counter, row[i].key, got);
        assert_memory_equal(got, row[i].want, sizeof got);
    }
}

static void test_random_streams(void **state)
{
    (void)state;
    struct rng a, b;
    rng_init(&a, 1, 0);
    rng_init(&b, 1, 1);
    assert_int_not_equal(rng_u32(&a), rng_u32(&b));
    double sum = 0, squares = 0;
    enum { N = 20000 };
    for (int i = 0; i < N; i++) {
        double v = rng_normal(&a);
        sum += v;
        squares += v * v;
    }
    /* five standard errors of mean (1/sqrt N) and variance (sqrt(2/N)) */
    assert_true(sum / N > -0.036 && sum / N < 0.036);
    assert_true(squares / N > 0.95 && squares / N < 1.05);
    uint32_t items[100];
    bool seen[100] = {false};
    for (uint32_t i = 0; i < 100; i++)
        items[i] = i;
    rng_shuffle(&a, items, 100);
    for (int i = 0; i < 100; i++)
        seen[items[i]] = true;
    for (int i = 0; i < 100; i++)
        assert_true(seen[i]);
    for (int i = 0; i < 1000; i++)
        assert_true(rng_below(&b, 7) < 7);
}

static void test_numbers_are_whole_words(void **state)
{
    (void)state;
    int64_t i;
    double d;
    assert_true(parse_i64("-12", &i) && i == -12);
    assert_true(parse_f64("1e-3", &d) && d == 1e-3);
    static const char *const bad[] = {"", " 1", "1 ", "+1", "1x", "99999999999999999999", "0x"};
    for (size_t k = 0; k < COUNT_OF(bad); k++)
        assert_false(parse_i64(bad[k], &i));
    static const char *const bad_real[] = {"", "nan", "inf", "1e999", "0x1p3", "1,5", " 1", "1 "};
    for (size_t k = 0; k < COUNT_OF(bad_real); k++)
        assert_false(parse_f64(bad_real[k], &d));
}

static void test_text_and_arena_grow(void **state)
{
    (void)state;
    struct text t = {0};
    for (int i = 0; i < 1000; i++)
        text_add(&t, "%d,", i);
    OK(text_status(&t));
    assert_int_equal(t.len, strlen(t.s));
    assert_int_equal(t.len, 3890);
    text_free(&t);
    struct arena a = {0};
    for (int i = 0; i < 100; i++) {
        double *p = arena_alloc(&a, 1000, sizeof *p);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        p[999] = i;
    }
    assert_string_equal(arena_copy(&a, "cutting", 3), "cut");
    arena_free(&a);
    assert_null(mem_alloc(SIZE_MAX / 2, 4));
    assert_non_null(strstr(st_message(), "out of memory"));
}

static void test_files(void **state)
{
    (void)state;
    char path[256], *data = NULL;
    size_t len;
    snprintf(path, sizeof path, "%s/a/b/c", check_folder());
    OK(dir_make(path));
    OK(dir_make(path)); /* again is fine */
    assert_true(dir_exists(path));
    FAILS(ST_INPUT, "it is a folder, not a file", file_read(path, 100, &data, &len));
    strcat(path, "/f");
    FAILS(ST_INPUT, "cannot open", file_read(path, 100, &data, &len));
    OK(file_write(path, "one", 3));
    OK(file_write(path, "one two", 7));
    OK(file_read(path, 100, &data, &len));
    assert_int_equal(len, 7);
    assert_string_equal(data, "one two");
    mem_free(data);
    FAILS(ST_INPUT, "more than the 6 allowed", file_read(path, 6, &data, &len));
    strcat(path, "/below-a-file");
    FAILS(ST_SYSTEM, "cannot write", file_write(path, "x", 1));
    FAILS(ST_SYSTEM, "cannot make folder", dir_make(path));
}

/* Who has the old file open goes on reading it, whole: the new one is another, put in its place. */
static void test_old_file_stays_whole_for_who_reads_it(void **state)
{
    (void)state;
    char path[256], got[16];
    struct stat old, new;
    snprintf(path, sizeof path, "%s/read", check_folder());
    OK(file_write(path, "the old one", 11));
    FILE *reader = fopen(path, "rb");
    assert_non_null(reader);
    assert_int_equal(stat(path, &old), 0);
    OK(file_write(path, "new", 3));
    assert_int_equal(fread(got, 1, sizeof got, reader), 11);
    assert_memory_equal(got, "the old one", 11);
    assert_int_equal(fclose(reader), 0);
    assert_int_equal(stat(path, &new), 0);
    assert_int_equal(new.st_size, 3);
    assert_true(new.st_ino != old.st_ino);
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

struct lines {
    int n;
    char line[4][1100];
};

static void keep(void *user, const char *line)
{
    struct lines *l = user;
    if (l->n < 4)
        snprintf(l->line[l->n], sizeof l->line[0], "%s", line);
    l->n++;
}

static struct process_end run_shell(const char *script, uint64_t timeout_ns, struct lines *l)
{
    char sh[] = "/bin/sh", c[] = "-c", text[256];
    char *argv[] = {sh, c, text, NULL};
    struct process_end end;
    snprintf(text, sizeof text, "%s", script);
    memset(l, 0, sizeof *l);
    OK(process_run(argv, timeout_ns, keep, l, &end));
    return end;
}

static void test_processes(void **state)
{
    (void)state;
    struct lines l;
    struct process_end end = run_shell("echo one; echo; echo two >&2; printf three; exit 7", UINT64_MAX, &l);
    assert_true(end.how == PROCESS_EXITED && end.code == 7 && l.n == 3); /* empty lines are none */
    assert_string_equal(l.line[0], "one");
    assert_string_equal(l.line[1], "two");
    assert_string_equal(l.line[2], "three");
    end = run_shell("cat; kill -SEGV $$", UINT64_MAX, &l); /* there is nothing to read */
    assert_true(end.how == PROCESS_SIGNALLED && end.code == SIGSEGV && l.n == 0);
    end = run_shell("exec sleep 1000", 1, &l);
    assert_int_equal(end.how, PROCESS_TIMED_OUT);
    end = run_shell("printf %3000s x", UINT64_MAX, &l); /* in pieces */
    assert_true(end.how == PROCESS_EXITED && l.n == 3);
    char none[] = "/nowhere/program";
    char *argv[] = {none, NULL};
    FAILS(ST_SYSTEM, "cannot start /nowhere/program: ", process_run(argv, UINT64_MAX, keep, &l, &end));
}

static const struct {
    int number;
    const char *name;
} caught_ones[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}};

/* Nobody ignores one of them: what a shell starts in the background has SIGINT ignored, and under nohup SIGHUP. */
static void heed_all(void)
{
    for (size_t i = 0; i < COUNT_OF(caught_ones); i++)
        assert_true(signal(caught_ones[i].number, SIG_DFL) != SIG_ERR);
}

/* In a child: `first` is caught, `ignored` passed over before and behind it, `second` ends the child. */
static void interrupt_child(int first, int ignored, int second)
{
    heed_all();
    if (ignored)
        signal(ignored, SIG_IGN);
    interrupt_catch();
    if (ignored && (raise(ignored) != 0 || interrupted() != 0))
        _exit(1);
    if (raise(first) != 0 || interrupted() != first)
        _exit(2);
    if (ignored && (raise(ignored) != 0 || interrupted() != first))
        _exit(3);
    raise(second);
    _exit(4);
}

static void test_caught_and_ignored_signals(void **state)
{
    (void)state;
    enum { N = COUNT_OF(caught_ones) };
    for (size_t i = 0; i < N * N * (N + 1); i++) {
        int first = caught_ones[i % N].number, second = caught_ones[i / N % N].number, status = 0;
        int ignored = i / N / N < N ? caught_ones[i / N / N].number : 0;
        if (ignored == first || ignored == second)
            continue;
        pid_t id = fork();
        if (id == 0)
            interrupt_child(first, ignored, second);
        assert_true(id > 0 && waitpid(id, &status, 0) == id);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != second)
            fail_msg("signals %d, %d ignored, %d: status %#x", first, ignored, second, (unsigned)status);
    }
    for (size_t i = 0; i < N; i++)
        assert_string_equal(interrupt_name(caught_ones[i].number), caught_ones[i].name);
    assert_string_equal(interrupt_name(SIGSEGV), "a signal");
}

/* The last test: an interrupt stays caught. */
static void test_interrupts(void **state)
{
    (void)state;
    struct lines l;
    heed_all();
    interrupt_catch();
    assert_false(interrupted());
    assert_int_equal(raise(SIGINT), 0);
    assert_true(interrupted());
    struct process_end end = run_shell("exec sleep 1000", UINT64_MAX, &l);
    assert_int_equal(end.how, PROCESS_INTERRUPTED);
}

/* dir_list_all() finds these, in this order. */
static void check_list(const char *path, const char *ending, const char *const *want, size_t want_n)
{
    struct arena arena = {0};
    char **name;
    size_t n = 77;
    OK(dir_list_all(path, ending, &arena, &name, &n));
    assert_int_equal(n, want_n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(name[i], want[i]);
    arena_free(&arena);
}

static void test_folders_are_listed(void **state)
{
    (void)state;
    char path[128], file[192];
    struct arena arena = {0};
    static const char *const files[] = {"b.json", "a.json", ".hidden.json", "c.txt", ".json", "ab.json", "B.JSON"};
    static const char *const folders[] = {"z", "10", "9", ".git", "folder.json"};
    static const char *const want_files[] = {"B.JSON", "a.json", "ab.json", "b.json", "link.json", "lost.json"};
    static const char *const want_folders[] = {"10", "9", "folder.json", "link", "z"};
    snprintf(path, sizeof path, "%s/list", check_folder());
    check_list(path, ".json", NULL, 0);
    OK(dir_make(path));
    check_list(path, ".json", NULL, 0);
    check_list(path, NULL, NULL, 0);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(file, sizeof file, "%s/%s", path, files[i]);
        OK(file_write(file, "", 0));
    }
    check_list(file, ".json", NULL, 0); /* a file is no folder */
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        snprintf(file, sizeof file, "%s/%s", path, folders[i]);
        OK(dir_make(file));
    }
    snprintf(file, sizeof file, "%s/link.json", path);
    assert_int_equal(symlink("a.json", file), 0);
    snprintf(file, sizeof file, "%s/lost.json", path); /* it leads nowhere: who opens it will tell */
    assert_int_equal(symlink("nowhere", file), 0);
    snprintf(file, sizeof file, "%s/link", path);
    assert_int_equal(symlink("z", file), 0);
    check_list(path, ".json", want_files, COUNT_OF(want_files));
    check_list(path, NULL, want_folders, COUNT_OF(want_folders));
    char long_path[5000];
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    char **name;
    size_t n;
    FAILS(ST_INPUT, "cannot open folder xxx", dir_list_all(long_path, NULL, &arena, &name, &n));
    arena_free(&arena);
}

/* Sorted as a whole, however many there are and in whatever order they come. */
static void test_a_long_list(void **state)
{
    (void)state;
    enum { N = 3000 };
    char path[128], file[192];
    struct arena arena = {0};
    char **name;
    size_t n;
    snprintf(path, sizeof path, "%s/many", check_folder());
    OK(dir_make(path));
    for (int i = 0; i < N; i++) {
        snprintf(file, sizeof file, "%s/%05d.x", path, i * 1367 % N);
        OK(file_write(file, "", 0));
    }
    OK(dir_list_all(path, ".x", &arena, &name, &n));
    assert_int_equal(n, N);
    for (int i = 0; i < N; i++) {
        snprintf(file, sizeof file, "%05d.x", i);
        assert_string_equal(name[i], file);
    }
    char *few[3];
    int got;
    OK(dir_list(path, ".x", 3, &arena, few, &got));
    assert_int_equal(got, 3);
    assert_string_equal(few[2], "00002.x");
    OK(dir_list(check_folder(), ".x", 3, &arena, few, &got));
    assert_int_equal(got, 0);
    arena_free(&arena);
}

/* Behind all that open any. */
static void test_files_are_closed(void **state)
{
    (void)state;
    assert_int_equal(check_open_files(), open_at_start);
}

int main(void)
{
    open_at_start = check_open_files();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_keeps_message_and_context),
        cmocka_unit_test(test_philox_matches_published_vectors),
        cmocka_unit_test(test_random_streams),
        cmocka_unit_test(test_numbers_are_whole_words),
        cmocka_unit_test(test_text_and_arena_grow),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_old_file_stays_whole_for_who_reads_it),
        cmocka_unit_test(test_folders_are_listed),
        cmocka_unit_test(test_a_long_list),
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_caught_and_ignored_signals),
        cmocka_unit_test(test_files_are_closed),
        cmocka_unit_test(test_interrupts),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
