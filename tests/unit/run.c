/* store: run folders. */
#include "support/check.h"

#include "store.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int open_at_start;

static void put(const char *folder, const char *file)
{
    char path[PATH_MAX];
    OK(store_path(folder, file, path, sizeof path));
    OK(file_write(path, "old", 3));
}

static bool has(const char *folder, const char *file)
{
    char path[PATH_MAX];
    OK(store_path(folder, file, path, sizeof path));
    return file_exists(path);
}

static void test_run_keeps_metrics(void **state)
{
    (void)state;
    struct store_run *run;
    char *text;
    size_t len;
    OK(store_run_create(in_folder("a/run"), "unused", false, &run));
    assert_string_equal(store_run_path(run), in_folder("a/run"));
    assert_true(dir_exists(in_folder("a/run/pictures")));
    OK(store_run_metrics(run, "{\"epoch\":1}"));
    OK(file_read(in_folder("a/run/metrics.jsonl"), 100, &text, &len)); /* there before the run is closed */
    assert_string_equal(text, "{\"epoch\":1}\n");
    mem_free(text);
    uint64_t before = mem_count();
    OK(store_run_metrics(run, "{\"epoch\":2}"));
    assert_int_equal(mem_count(), before);
    OK(file_read(in_folder("a/run/metrics.jsonl"), 100, &text, &len));
    assert_string_equal(text, "{\"epoch\":1}\n{\"epoch\":2}\n");
    mem_free(text);
    store_run_abandon(run); /* too late: something was written */
    assert_true(has(in_folder("a/run"), "metrics.jsonl"));
    store_run_free(run);
    OK(store_run_open(in_folder("a/run"), &run)); /* goes on behind what is there */
    OK(store_run_metrics(run, "{\"epoch\":3}"));
    store_run_abandon(run); /* takes back nothing it did not make */
    store_run_free(run);
    OK(file_read(in_folder("a/run/metrics.jsonl"), 100, &text, &len));
    assert_string_equal(text, "{\"epoch\":1}\n{\"epoch\":2}\n{\"epoch\":3}\n");
    mem_free(text);
    assert_true(has(in_folder("a/run"), "metrics.jsonl"));
    FAILS(ST_INPUT, "cannot make folder", store_run_open(in_folder("a/run/metrics.jsonl"), &run));
    store_run_free(NULL);
    store_run_abandon(NULL);
}

/* What a run writes, in order of names, and some of what it does not. */
static const char *const goes[] = {
    "metrics.jsonl", "model.safetensors", "model-best.safetensors", "checkpoint.safetensors",
    "checkpoint-00003.safetensors", "couplings.safetensors", "trace.json", "index.html",
    "snapshots/epoch-00012.safetensors", "snapshots/epoch-123456.safetensors", "pictures/curves.png",
    "pictures/weights-00-0.weight.png", "pictures/weights-change-01-3.weight.png", "pictures/inputs-02.png",
    "pictures/coupling-motion-00-cut0.net0.0.weight.png", "pictures/confusion.csv", "pictures/inputs.safetensors"};
static const char *const stays[] = {
    "notes.txt", "my.safetensors", "checkpoints.safetensors", "pictures/mine.png", "pictures/.png",
    "pictures/weights.png", "pictures/weights-x0-a.png", "pictures/a.csv", "pictures/my.safetensors", "snapshots/mine",
    "snapshots/epoch-1.safetensors", "snapshots/epoch-00012.safetensors.bak", "other/curves.png"};
static const char run_json[] = "{\"clutch\": \"1\", \"net\": {}}";

static void put_bytes(const char *folder, const char *file, const char *text)
{
    char path[PATH_MAX];
    OK(store_path(folder, file, path, sizeof path));
    OK(file_write(path, text, strlen(text)));
}

static void put_all(const char *path)
{
    char sub[PATH_MAX];
    static const char *const folder[] = {"pictures", "snapshots", "other"};
    for (size_t i = 0; i < COUNT_OF(folder); i++) {
        OK(store_path(path, folder[i], sub, sizeof sub));
        OK(dir_make(sub));
    }
    for (size_t i = 0; i < COUNT_OF(goes); i++)
        put(path, goes[i]);
    for (size_t i = 0; i < COUNT_OF(stays); i++)
        put(path, stays[i]);
}

static void check_all(const char *path, bool gone)
{
    for (size_t i = 0; i < COUNT_OF(goes); i++)
        if (has(path, goes[i]) == gone)
            fail_msg("%s is %s", goes[i], gone ? "there" : "gone");
    for (size_t i = 0; i < COUNT_OF(stays); i++)
        if (!has(path, stays[i]))
            fail_msg("%s is gone", stays[i]);
}

static void test_run_overwrites_only_when_forced(void **state)
{
    (void)state;
    struct store_run *run;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", in_folder("forced/"));
    put_all(path);
    put_bytes(path, "run.json", run_json);
    FAILS(ST_INPUT, "forced/ is not empty; --force overwrites it, or choose another with --out",
          store_run_create(path, "unused", false, &run));
    check_all(path, false);
    OK(store_run_check(path, true));
    check_all(path, false);
    OK(store_run_create(path, "unused", true, &run));
    check_all(path, true);
    assert_true(has(path, "run.json")); /* until it is replaced: a run killed now can be forced again */
    store_run_abandon(run);
    store_run_free(run);
    check_all(path, true);
}

static void test_force_is_for_runs_only(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "{", "[]", "{}", "\"clutch\"", "{\"clutch\": 1}", "{\"Clutch\": \"1\"}"};
    struct store_run *run;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", in_folder("strange"));
    put_all(path);
    FAILS(ST_INPUT, "strange is not empty and holds no run", store_run_create(path, "unused", true, &run));
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        put_bytes(path, "run.json", bad[i]);
        FAILS(ST_INPUT, "strange is not empty and holds no run", store_run_check(path, true));
        FAILS(ST_INPUT, "strange is not empty and holds no run", store_run_create(path, "unused", true, &run));
        check_all(path, false);
    }
    put_bytes(check_folder(), "elsewhere.json", run_json);
    OK(file_remove(in_folder("strange/run.json")));
    assert_int_equal(symlink("../elsewhere.json", in_folder("strange/run.json")), 0);
    FAILS(ST_INPUT, "strange is not empty and holds no run", store_run_create(path, "unused", true, &run));
    check_all(path, false);
    assert_false(has(path, ".clutch-lock"));
}

/* What a run leaves that is killed before run.json is no reason to refuse the next. */
static void test_run_killed_at_its_start(void **state)
{
    (void)state;
    struct store_run *run;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", in_folder("killed"));
    OK(dir_make(in_folder("killed/pictures")));
    OK(dir_make(in_folder("killed/snapshots")));
    put(path, ".clutch-lock");
    put(path, ".clutch-0123456789abcdef.part");
    put(path, "pictures/.clutch-00000000000000ff.part");
    OK(store_run_check(path, false));
    assert_true(has(path, ".clutch-0123456789abcdef.part"));
    OK(store_run_create(path, "unused", false, &run));
    assert_false(has(path, ".clutch-0123456789abcdef.part"));
    assert_false(has(path, "pictures/.clutch-00000000000000ff.part"));
    store_run_free(run);
    assert_false(has(path, ".clutch-lock"));
    put(path, "pictures/x");
    FAILS(ST_INPUT, "killed is not empty", store_run_check(path, false));
}

static void test_run_is_one_process_s(void **state)
{
    (void)state;
    struct store_run *run, *other;
    char words[64];
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", in_folder("locked"));
    OK(store_run_create(path, "unused", false, &run));
    put_bytes(path, "run.json", run_json);
    snprintf(words, sizeof words, "locked is in use: clutch, process %ld, writes into it", (long)getpid());
    FAILS(ST_INPUT, words, store_run_open(path, &other));
    FAILS(ST_INPUT, words, store_run_check(path, true));
    FAILS(ST_INPUT, words, store_run_create(path, "unused", true, &other));
    assert_int_equal(symlink("locked", in_folder("other-name")), 0);
    FAILS(ST_INPUT, "other-name is in use", store_run_create(in_folder("other-name"), "unused", true, &other));
    OK(store_run_metrics(run, "{}")); /* the one that has it has lost nothing */
    store_run_free(run);
    OK(store_run_check(path, true));
    OK(store_run_open(path, &other));
    store_run_free(other);
    assert_true(has(path, "metrics.jsonl"));
}

static void test_run_follows_no_links(void **state)
{
    (void)state;
    struct store_run *run;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", in_folder("linked"));
    OK(dir_make(path));
    OK(dir_make(in_folder("elsewhere")));
    put(in_folder("elsewhere"), "curves.png");
    put(in_folder("elsewhere"), "metrics.jsonl");
    put_bytes(path, "run.json", run_json);
    assert_int_equal(symlink("../elsewhere", in_folder("linked/pictures")), 0);
    FAILS(ST_INPUT, "linked/pictures is a link", store_run_check(path, true));
    FAILS(ST_INPUT, "linked/pictures is a link", store_run_create(path, "unused", true, &run));
    FAILS(ST_INPUT, "linked/pictures is a link", store_run_open(path, &run));
    OK(file_remove(in_folder("linked/pictures")));
    assert_int_equal(symlink("../elsewhere/metrics.jsonl", in_folder("linked/metrics.jsonl")), 0);
    OK(store_run_open(path, &run));
    FAILS(ST_SYSTEM, "metrics.jsonl: it is a link, which is not followed", store_run_metrics(run, "{}"));
    FAILS(ST_SYSTEM, "metrics.jsonl: it is a link, which is not followed", store_run_metrics_keep(run, 1));
    /* a link that comes later is not followed either */
    assert_int_equal(rmdir(in_folder("linked/pictures")), 0);
    assert_int_equal(symlink("../elsewhere", in_folder("linked/pictures")), 0);
    FAILS(ST_SYSTEM, "pictures is a link, which is not followed",
          file_write(in_folder("linked/pictures/curves.png"), "x", 1));
    FAILS(ST_SYSTEM, "pictures is a link, which is not followed", file_remove(in_folder("linked/pictures/curves.png")));
    FAILS(ST_SYSTEM, "pictures is a link, which is not followed", dir_make(in_folder("linked/pictures/more")));
    FAILS(ST_SYSTEM, "leads out of its folder", file_write(in_folder("linked/../elsewhere/x"), "x", 1));
    store_run_free(run);
    OK(file_remove(in_folder("linked/pictures")));
    OK(store_run_create(path, "unused", true, &run)); /* removes the link to the metrics */
    OK(store_run_metrics(run, "{}"));
    store_run_free(run);
    assert_true(file_kind(in_folder("linked/metrics.jsonl")) == FILE_REGULAR);
    assert_true(has(in_folder("elsewhere"), "curves.png") && has(in_folder("elsewhere"), "metrics.jsonl"));
    assert_false(has(in_folder("elsewhere"), "x"));
    /* a folder that the user names through links is resolved once */
    assert_int_equal(symlink("elsewhere", in_folder("by-link")), 0);
    OK(store_run_open(in_folder("by-link"), &run));
    assert_int_equal(unlink(in_folder("by-link")), 0);
    assert_int_equal(symlink("linked", in_folder("by-link")), 0);
    OK(file_write(in_folder("by-link/pictures/late.png"), "x", 1));
    assert_true(has(in_folder("elsewhere"), "pictures/late.png"));
    store_run_free(run);
}

static void test_metrics_are_cut(void **state)
{
    (void)state;
    struct store_run *run;
    char *text;
    size_t len;
    OK(store_run_create(in_folder("cut"), "unused", false, &run));
    OK(store_run_metrics_keep(run, 0));
    assert_false(has(in_folder("cut"), "metrics.jsonl"));
    FAILS(ST_SYSTEM, "metrics.jsonl", store_run_metrics_keep(run, 1));
    put_bytes(in_folder("cut"), "metrics.jsonl", "{\"epoch\":1}\n{\"epoch\":2}\n{\"epo");
    OK(store_run_metrics(run, "{\"epoch\":3}")); /* not behind half a line */
    OK(file_read(in_folder("cut/metrics.jsonl"), 100, &text, &len));
    assert_string_equal(text, "{\"epoch\":1}\n{\"epoch\":2}\n{\"epoch\":3}\n");
    mem_free(text);
    FAILS(ST_INPUT, "cut/metrics.jsonl has 36 bytes, but must have 37 or more", store_run_metrics_keep(run, 37));
    OK(store_run_metrics_keep(run, 36));
    OK(store_run_metrics_keep(run, 12));
    OK(file_read(in_folder("cut/metrics.jsonl"), 100, &text, &len));
    assert_string_equal(text, "{\"epoch\":1}\n");
    mem_free(text);
    store_run_free(run);
}

static void test_run_abandoned_leaves_no_trace(void **state)
{
    (void)state;
    struct store_run *run;
    OK(store_run_create(in_folder("deep/er/run/"), "unused", false, &run));
    assert_true(dir_exists(in_folder("deep/er/run/pictures")));
    store_run_abandon(run);
    store_run_free(run);
    assert_false(dir_exists(in_folder("deep")));
    OK(dir_make(in_folder("empty-run"))); /* made by the user: used, and kept */
    OK(store_run_create(in_folder("empty-run"), "unused", false, &run));
    store_run_abandon(run);
    store_run_free(run);
    assert_true(dir_exists(in_folder("empty-run")));
    assert_false(dir_exists(in_folder("empty-run/pictures")));
}

static void test_run_folder_that_cannot_be(void **state)
{
    (void)state;
    struct store_run *run;
    char longest[PATH_MAX + 10];
    OK(file_write(in_folder("file"), "x", 1));
    FAILS(ST_INPUT, "/file is a file, not a folder", store_run_create(in_folder("file"), "unused", true, &run));
    FAILS(ST_INPUT, "/file is a file, not a folder", store_run_create(in_folder("file/run"), "unused", false, &run));
    assert_int_equal(symlink("nowhere", in_folder("lost")), 0);
    FAILS(ST_INPUT, "/lost is a link that leads nowhere", store_run_check(in_folder("lost/run"), false));
    FAILS(ST_INPUT, "/proc/run", store_run_create("/proc/run", "unused", false, &run));
    FAILS(ST_INPUT, "empty name", store_run_create("", "unused", false, &run));
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    FAILS(ST_INPUT, "too long", store_run_create(longest, "unused", false, &run));
    longest[300] = '\0'; /* longer than a name, shorter than a path; the parent is made, and taken back */
    char path[PATH_MAX];
    OK(store_path(in_folder("parent"), longest, path, sizeof path));
    FAILS(ST_INPUT, "too long", store_run_create(path, "unused", false, &run));
    assert_false(dir_exists(in_folder("parent")));
    OK(dir_make(in_folder("odd")));
    put_bytes(in_folder("odd"), "run.json", run_json);
    put(in_folder("odd"), "pictures"); /* a file where the folder should be */
    FAILS(ST_INPUT, "odd/pictures is a file", store_run_create(in_folder("odd"), "unused", true, &run));
    FAILS(ST_INPUT, "too long", store_path("folder", "file", path, 11));
    OK(store_path("folder", "file", path, 12));
    assert_string_equal(path, "folder/file");
    OK(store_path("folder/", "file", path, 12));
    assert_string_equal(path, "folder/file");
}

static void test_run_takes_the_first_free_number(void **state)
{
    (void)state;
    char before[PATH_MAX];
    struct store_run *first, *second, *third, *none;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(check_folder()), 0);
    OK(store_run_create(NULL, "mlp", false, &first));
    OK(store_run_create(NULL, "mlp", false, &second));
    assert_string_equal(store_run_path(first), "runs/mlp-001");
    assert_string_equal(store_run_path(second), "runs/mlp-002");
    store_run_abandon(first);
    assert_false(dir_exists("runs/mlp-001"));
    OK(store_run_create(NULL, "mlp", false, &third));
    assert_string_equal(store_run_path(third), "runs/mlp-001");
    assert_true(dir_exists("runs/mlp-001/pictures"));
    FAILS(ST_INPUT, "runs/no/such-001: No such", store_run_create(NULL, "no/such", false, &none));
    store_run_abandon(third);
    store_run_abandon(second);
    assert_true(dir_exists("runs")); /* the second and third did not make it */
    store_run_free(first);
    store_run_free(second);
    store_run_free(third);
    assert_int_equal(rmdir("runs"), 0);
    OK(file_write("runs", "x", 1));
    FAILS(ST_INPUT, "runs: File exists", store_run_create(NULL, "mlp", false, &first));
    assert_int_equal(unlink("runs"), 0);
    OK(store_run_create(NULL, "mlp", false, &first));
    store_run_abandon(first);
    store_run_free(first);
    assert_false(dir_exists("runs"));
    assert_int_equal(chdir(before), 0);
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
        cmocka_unit_test(test_run_keeps_metrics),
        cmocka_unit_test(test_run_overwrites_only_when_forced),
        cmocka_unit_test(test_force_is_for_runs_only),
        cmocka_unit_test(test_run_killed_at_its_start),
        cmocka_unit_test(test_run_is_one_process_s),
        cmocka_unit_test(test_run_follows_no_links),
        cmocka_unit_test(test_metrics_are_cut),
        cmocka_unit_test(test_run_abandoned_leaves_no_trace),
        cmocka_unit_test(test_run_folder_that_cannot_be),
        cmocka_unit_test(test_run_takes_the_first_free_number),
        cmocka_unit_test(test_files_are_closed),
    };
    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
