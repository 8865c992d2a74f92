/*
 * The program with its N-th fallible call failing (CLUTCH_FAULT=N), for N that grow until a run ends before its N-th:
 * each run must end with an error and its one line, or well, and leave files that can be read.
 *
 * CLUTCH is the program; the test is skipped without it. N grows by one where it matters most and by some percent
 * elsewhere; CLUTCH_WALK=all takes every N, for a build with sanitizers.
 */
#include "support/check.h"
#include "support/tensors.h"

#include "train.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRAIN "train 'input 1x6x6; dense 8; batchnorm; relu; dropout 0.2; dense 4; loss softmax' --data data " \
              "--batch 20 --epochs 2 --draw-every 0 --out "
#define DRAWN "train 'input 1x6x6; dense 8; batchnorm; relu; dropout 0.2; dense 4; loss softmax' --data data " \
              "--batch 20 --epochs 2 --out "

#define MODULES "train 'input 1x6x6; on %s; dense 8; batchnorm; relu; cut csg; on %s; dense 4; loss softmax' --data " \
                "data --batch 20 --epochs 2 --draw-every 0 --lockstep --devices %s --out %s"

enum { EPOCHS = 2, TENSORS = 9, EARLY = 40, SECONDS_MAX = 60, FILE_BYTES_MAX = 1 << 24 };
enum { FAULTS_MAX = 1 << 22, LEAST = 1000 }; /* where the number of calls is not known: at most, at least */

static const char *const run_files[] = {"run.json", "metrics.jsonl", "model.safetensors", "checkpoint.safetensors"};

/* Paths below the test's folder; good for eight more calls. */
static const char *at(const char *folder, const char *file)
{
    static char path[8][PATH_MAX];
    static int next;
    char *out = path[next = (next + 1) % 8];
    if (snprintf(out, PATH_MAX, "%s/%s%s%s", check_folder(), folder, file[0] ? "/" : "", file) >= PATH_MAX)
        fail_msg("path too long: %s", file);
    return out;
}

static char *read_text(const char *path)
{
    char *text;
    size_t len;
    OK(file_read(path, FILE_BYTES_MAX, &text, &len));
    return text;
}

/* ---- what the program works on ----------------------------------------------------------------------------------- */

static void write_split(const char *part, uint8_t n)
{
    uint8_t pictures[16 + 40 * 36] = {0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 6, 0, 0, 0, 6};
    uint8_t labels[8 + 40] = {0, 0, 8, 1, 0, 0, 0, n};
    char name[64];
    struct rng r;
    rng_init(&r, 1, n);
    for (int i = 0; i < n * 36; i++)
        pictures[16 + i] = (uint8_t)rng_below(&r, 256);
    for (int i = 0; i < n; i++)
        labels[8 + i] = (uint8_t)(i % 4);
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", part);
    OK(file_write(at("data", name), pictures, 16 + (size_t)n * 36));
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", part);
    OK(file_write(at("data", name), labels, 8 + (size_t)n));
}

static void write_pictures(void)
{
    struct store_picture p;
    char name[64];
    OK(store_picture_new(6, 6, 1, &p));
    OK(store_png_write(at("picture.png", ""), &p, NULL, 0));
    for (int i = 0; i < 4 * 6; i++) { /* four classes of six */
        snprintf(name, sizeof name, "pngs/%d", i % 4);
        OK(dir_make(at(name, "")));
        snprintf(name, sizeof name, "pngs/%d/%d.png", i % 4, i);
        OK(store_png_write(at(name, ""), &p, NULL, 0));
    }
    store_picture_free(&p);
}

static void remove_folder(const char *folder)
{
    char command[PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", at(folder, ""));
    if (system(command) != 0)
        fail_msg("cannot remove %s", folder);
}

static void copy_run(const char *from, const char *to)
{
    OK(dir_make(at(to, "pictures")));
    for (size_t i = 0; i < COUNT_OF(run_files); i++) {
        char *bytes;
        size_t len;
        if (!file_exists(at(from, run_files[i])))
            continue;
        OK(file_read(at(from, run_files[i]), FILE_BYTES_MAX, &bytes, &len));
        OK(file_write(at(to, run_files[i]), bytes, len));
        mem_free(bytes);
    }
}

/* One program less in the cache of kernels, so that a run compiles and saves it. */
static void thin_cache(void)
{
    char least[NAME_MAX + 1] = "";
    const struct dirent *entry;
    DIR *cache = opendir(at("cache/clutch", ""));
    while (cache && (entry = readdir(cache)))
        if (entry->d_name[0] != '.' && (!least[0] || strcmp(entry->d_name, least) < 0))
            snprintf(least, sizeof least, "%s", entry->d_name);
    if (cache)
        closedir(cache);
    if (least[0] && unlink(at("cache/clutch", least)) != 0)
        fail_msg("cannot remove %s", least);
}

/* ---- one run of the program -------------------------------------------------------------------------------------- */

static void become_clutch(long fault, const char *line)
{
    char number[32], command[512];
    snprintf(number, sizeof number, "%ld", fault);
    snprintf(command, sizeof command, "exec \"$CLUTCH\" %s", line);
    if (setenv("CLUTCH_FAULT", number, 1) != 0 || setenv("XDG_CACHE_HOME", at("cache", ""), 1) != 0 ||
        setenv("XDG_CONFIG_HOME", at("config", ""), 1) != 0 ||
        chdir(check_folder()) != 0 || !freopen("out", "w", stdout) || !freopen("err", "w", stderr))
        _exit(126);
    alarm(SECONDS_MAX); /* a hang ends by a signal, which fails the test */
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

/* Runs it with the arguments of `line` and fault point number `fault`, 0 for none; returns its exit code. */
static int run_clutch(long fault, const char *line)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        become_clutch(fault, line);
    if (child < 0 || waitpid(child, &status, 0) != child)
        fail_msg("cannot run %s", getenv("CLUTCH"));
    char *text = read_text(at("err", ""));
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 2)
        fail_msg("fault %ld: status %#x: %s", fault, (unsigned)status, text);
    bool ours = true;
    const char *last = "";
    for (const char *one = text; *one; one += strcspn(one, "\n"), one += *one == '\n') {
        ours = ours && strncmp(one, "clutch", 6) == 0;
        last = one;
    }
    char start[64];
    snprintf(start, sizeof start, "clutch %.*s: ", (int)strcspn(line, " "), line);
    if (!ours || strstr(text, "CL_SUCCESS") || (WEXITSTATUS(status) != 0) != (strncmp(last, start, strlen(start)) == 0))
        fail_msg("fault %ld: exit code %d with on stderr: %s", fault, WEXITSTATUS(status), text);
    mem_free(text);
    return WEXITSTATUS(status);
}

/* ---- what it leaves ---------------------------------------------------------------------------------------------- */

static void check_no_parts(long fault, const char *folder)
{
    const struct dirent *entry;
    DIR *files = opendir(at(folder, ""));
    while (files && (entry = readdir(files)))
        if (strncmp(entry->d_name, ".clutch-", 8) == 0) /* the lock, or half a file */
            fail_msg("fault %ld leaves %s in %s", fault, entry->d_name, folder);
    if (files)
        closedir(files);
}

static bool loads(const char *path, int least)
{
    struct store_file *file = NULL;
    if (!file_exists(path))
        return false;
    OK(store_tensors_open(path, &file));
    assert_true(store_tensors_count(file) >= least);
    store_tensors_close(file);
    return true;
}

/* Lines of metrics.jsonl, each a whole one. */
static int metrics_lines(const char *folder)
{
    int n = 0;
    if (!file_exists(at(folder, "metrics.jsonl")))
        return 0;
    char *text = read_text(at(folder, "metrics.jsonl"));
    for (char *line = text, *end; *line; line = end + 1, n++) {
        end = strchr(line, '\n');
        if (!end || line[0] != '{' || end[-1] != '}')
            fail_msg("half a line in metrics.jsonl: %s", line);
    }
    mem_free(text);
    return n;
}

/* What is in a run folder is whole, and metrics.jsonl tells of the epochs of the checkpoint, and of one more at most,
 * which a resumed run cuts off. */
static void check_run(long fault, const char *folder, int code)
{
    int lines = metrics_lines(folder);
    bool model = loads(at(folder, "model.safetensors"), TENSORS);
    bool checkpoint = loads(at(folder, "checkpoint.safetensors"), TENSORS + 2);
    check_no_parts(fault, folder);
    check_no_parts(fault, at(folder, "pictures") + strlen(check_folder()) + 1);
    check_no_parts(fault, "cache/clutch");
    int64_t epochs = 0, steps;
    if (checkpoint)
        OK(train_checkpoint_look(at(folder, "checkpoint.safetensors"), &epochs, &steps));
    if (lines < epochs || lines > epochs + 1 || (model && !checkpoint) || (code == 0 && (!model || lines > epochs)))
        fail_msg("fault %ld: %d epochs are told, the checkpoint is of %lld", fault, lines, (long long)epochs);
    if (dir_exists(at(folder, "")) && !file_exists(at(folder, "run.json")))
        fail_msg("fault %ld leaves a folder without run.json", fault);
    if (code == 0 && lines != EPOCHS)
        fail_msg("fault %ld: the run ended well, but is not complete", fault);
}

static bool same_file(const char *a, const char *b)
{
    char *left, *right;
    size_t left_len, right_len;
    OK(file_read(a, FILE_BYTES_MAX, &left, &left_len));
    OK(file_read(b, FILE_BYTES_MAX, &right, &right_len));
    bool same = left_len == right_len && memcmp(left, right, left_len) == 0;
    mem_free(left);
    mem_free(right);
    return same;
}

/* ---- walks ------------------------------------------------------------------------------------------------------- */

static long after(long n, long percent)
{
    const char *walk = getenv("CLUTCH_WALK");
    return walk && strcmp(walk, "all") == 0 ? n + 1 : n + 1 + n * percent / 100;
}

static long first_folder, last_fault; /* found by the first walk: when the run folder is made, and the end */

static int setup(void **state)
{
    (void)state;
    if (!getenv("CLUTCH"))
        return 0;
    OK(dir_make(at("data", "")));
    write_split("train", 40);
    write_split("t10k", 20);
    write_pictures();
    assert_int_equal(run_clutch(0, TRAIN "whole"), 0);
    check_run(0, "whole", 0);
    return 0;
}

static void need_clutch(void)
{
    if (!getenv("CLUTCH")) {
        print_message("CLUTCH, the path of the program, is not set\n");
        skip();
    }
}

static void test_fresh_run(void **state)
{
    (void)state;
    bool half = false;
    int code = 1;
    need_clutch();
    /* Device facts and the cache may fail and be done without; nothing can behind the first epoch. From the run folder
     * on every N counts: few of them are writes to a file. */
    for (long n = 1; code != 0 || !half; n = after(n, n < EARLY || first_folder ? 0 : 4)) {
        remove_folder("run");
        thin_cache();
        code = run_clutch(n, TRAIN "run");
        check_run(n, "run", code);
        if (!first_folder && code != 0 && dir_exists(at("run", "")))
            first_folder = n;
        if (!half && code != 0 && metrics_lines("run") == 1 && file_exists(at("run", "checkpoint.safetensors"))) {
            copy_run("run", "half");
            half = true;
        }
        last_fault = n;
    }
    for (size_t i = 2; i < COUNT_OF(run_files); i++) /* the weights, the checkpoint */
        if (!same_tensors(at("run", run_files[i]), at("whole", run_files[i])))
            fail_msg("fault %ld changes %s without a word", last_fault, run_files[i]);
    print_message("%ld fault points at most, the run folder is made by %ld\n", last_fault, first_folder);
}

/* Steps in chains: what fails while one is built is done without. */
static void test_chained_run(void **state)
{
    (void)state;
    long most = last_fault + last_fault / 4; /* a chain has some more */
    need_clutch();
    setenv("CLUTCH_CHAIN", "on", 1);
    for (long n = first_folder; n <= most; n = after(n, 3)) {
        remove_folder("run");
        thin_cache();
        int code = run_clutch(n, TRAIN "run");
        check_run(n, "run", code);
        for (size_t i = 2; code == 0 && i < COUNT_OF(run_files); i++)
            assert_true(same_tensors(at("run", run_files[i]), at("whole", run_files[i])));
    }
    unsetenv("CLUTCH_CHAIN");
}

static void test_run_over_an_old_one(void **state)
{
    (void)state;
    need_clutch();
    for (long n = 1; n <= last_fault; n = after(n, n < first_folder ? 12 : 4)) {
        remove_folder("run");
        copy_run("whole", "run");
        thin_cache();
        int code = run_clutch(n, TRAIN "run --seed 2 --force");
        if (file_exists(at("run", "run.json")) && same_file(at("run", "run.json"), at("whole", "run.json"))) {
            /* it had not begun, or no more than to remove the old run, whose run.json goes last, by being replaced */
            for (size_t i = 0; i < COUNT_OF(run_files); i++)
                assert_true(!file_exists(at("run", run_files[i])) ||
                            same_file(at("run", run_files[i]), at("whole", run_files[i])));
            assert_true(code != 0);
        }
        check_no_parts(n, "run");
        if (metrics_lines("run") > 0)
            check_run(n, "run", code);
        assert_true(code != 0 || metrics_lines("run") == EPOCHS);
    }
}

static void test_resumed_run(void **state)
{
    (void)state;
    need_clutch();
    for (long n = 1; n <= last_fault; n = after(n, 20)) {
        remove_folder("run");
        copy_run("half", "run");
        int code = run_clutch(n, "train --resume run");
        assert_true(metrics_lines("run") >= 1);
        check_run(n, "run", code);
    }
}

/* A command that only reads the run: where it ends well, each line of its output starts like this. */
static void walk_reader(const char *line, const char *start)
{
    need_clutch();
    for (long n = 1; n <= last_fault; n = after(n, 20)) {
        int code = run_clutch(n, line);
        char *out = read_text(at("out", ""));
        for (const char *one = out; code == 0 && (one == out || *one); one += strcspn(one, "\n") + 1)
            if (strncmp(one, start, strlen(start)) != 0 || !strchr(one, '\n'))
                fail_msg("fault %ld: the output is %s", n, out);
        mem_free(out);
    }
    check_run(0, "whole", 0);
}

/* ---- walks through what has threads or measures: the N-th call is not always the same one ------------------------ */

/* trace.json comes last, and whole. */
static void check_trace(long fault, const char *folder, int code)
{
    if (!file_exists(at(folder, "trace.json"))) {
        if (code == 0)
            fail_msg("fault %ld: the run ended well, but has no trace", fault);
        return;
    }
    char *text = read_text(at(folder, "trace.json"));
    size_t len = strlen(text);
    if (metrics_lines(folder) != EPOCHS || strncmp(text, "{\"traceEvents\":[{", 17) != 0 || text[len - 1] != '}')
        fail_msg("fault %ld leaves half a trace of %zu bytes", fault, len);
    mem_free(text);
}

/* Every run ends, and with a word where it failed; epochs that it tells of are there. Behind the device's facts,
 * without which products may be computed otherwise, what ends well has the bits of an undisturbed run. `first` and
 * `second` are where the two modules are. */
static void walk_modules(const char *first, const char *second, const char *devices)
{
    char undisturbed[512], line[512];
    bool begun = false, half = false;
    int code = 1;
    need_clutch();
    snprintf(undisturbed, sizeof undisturbed, MODULES, first, second, devices, "parts");
    snprintf(line, sizeof line, MODULES, first, second, devices, "run");
    remove_folder("parts");
    assert_int_equal(run_clutch(0, undisturbed), 0);
    check_run(0, "parts", 0);
    check_trace(0, "parts", 0);
    long n = 1;
    for (; code != 0 || !half; n = after(n, n < EARLY ? 10 : 4)) {
        assert_true(n < FAULTS_MAX);
        remove_folder("run");
        code = run_clutch(n, line);
        check_run(n, "run", code);
        check_trace(n, "run", code);
        if (code == 0 && !loads(at("run", "couplings.safetensors"), 2))
            fail_msg("fault %ld: the run ended well, but its couplings are missing", n);
        begun = begun || (code != 0 && dir_exists(at("run", "")));
        if (code == 0 && begun && !same_file(at("run", "model.safetensors"), at("parts", "model.safetensors")))
            fail_msg("fault %ld changes the weights without a word", n);
        half = half || (code != 0 && metrics_lines("run") == 1);
    }
    print_message("fewer than %ld fault points\n", n);
}

static void test_modules_on_one_device(void **state)
{
    (void)state;
    walk_modules("cpu", "cpu", "cpu");
}

static void test_modules_on_emulated_devices(void **state)
{
    (void)state;
    walk_modules("virtual:0", "virtual:1", "virtual:2@2+latency=20");
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

enum { QUIET = 4 }; /* runs in a row that had nothing to tell: the walk is at its end */

static bool told_nothing(int code)
{
    char *text = read_text(at("err", ""));
    bool nothing = code == 0 && text[0] == '\0';
    mem_free(text);
    return nothing;
}

static void check_drawn(long fault, const char *folder)
{
    char part[2][64];
    snprintf(part[0], sizeof part[0], "%s/pictures", folder);
    snprintf(part[1], sizeof part[1], "%s/snapshots", folder);
    check_no_parts(fault, folder);
    check_no_parts(fault, part[0]);
    check_no_parts(fault, part[1]);
}

/* A run is whole without its pictures: where drawing fails, a note tells, and training goes on. */
static void test_drawing_while_training(void **state)
{
    (void)state;
    int quiet = 0;
    need_clutch();
    for (long n = first_folder; quiet < QUIET; n = after(n, 6)) {
        assert_true(n < FAULTS_MAX);
        remove_folder("run");
        int code = run_clutch(n, DRAWN "run");
        check_run(n, "run", code);
        check_drawn(n, "run");
        if (code == 0 && !same_file(at("run", "model.safetensors"), at("whole", "model.safetensors")))
            fail_msg("fault %ld changes the weights without a word", n);
        quiet = told_nothing(code) ? quiet + 1 : 0;
        if (quiet && !file_exists(at("run", "index.html")))
            fail_msg("fault %ld: no page, and no word about it", n);
    }
}

static void test_drawing(void **state)
{
    (void)state;
    int quiet = 0;
    need_clutch();
    remove_folder("run");
    assert_int_equal(run_clutch(0, DRAWN "run"), 0);
    for (long n = 1; quiet < QUIET || n < LEAST; n = after(n, 8)) {
        assert_true(n < FAULTS_MAX);
        remove_folder("drawn");
        int code = run_clutch(n, "draw run --units 2 --out drawn");
        check_drawn(n, "drawn");
        if (code == 0 && !file_exists(at("drawn", "index.html")))
            fail_msg("fault %ld: draw ended well without a page", n);
        quiet = told_nothing(code) ? quiet + 1 : 0;
    }
}

/* A command that prints one line of JSON where it ends well, and writes no run: until N is well behind the last call
 * whose failure was not survived. Times decide how many calls there are, so N grows fast. */
static void walk_measuring(const char *line, const char *start, long percent, void (*check)(long fault, int code))
{
    int code = 1;
    long n = 1, met = 0;
    need_clutch();
    for (; code != 0 || n < 2 * met || n < LEAST; n = n + 1 + n * percent / 100) {
        assert_true(n < FAULTS_MAX);
        code = run_clutch(n, line);
        met = code != 0 ? n : met;
        char *out = read_text(at("out", ""));
        if (code == 0 && (strncmp(out, start, strlen(start)) != 0 || strcmp(out + strlen(out) - 2, "}\n") != 0))
            fail_msg("fault %ld: the output is %s", n, out);
        mem_free(out);
        if (check)
            check(n, code);
    }
    print_message("the last call that failed was number %ld\n", met);
}

static void test_compare(void **state)
{
    (void)state;
    walk_measuring("compare 'input 1x6x6; dense 8; relu; cut; dense 4; loss softmax' --data data --batch 20 --epochs 1 "
                   "--devices virtual:2@1 --couplings csg --json", "{\"net\":", 25, NULL);
}

/* What is in the folder of tuning files is whole, and the next start has no complaint of it. */
static void check_tuning(long fault, int code)
{
    int files = 0;
    const struct dirent *entry;
    char name[PATH_MAX];
    assert_int_equal(run_clutch(0, "devices --json"), 0);
    char *text = read_text(at("err", ""));
    if (text[0])
        fail_msg("fault %ld spoils the tuning file: %s", fault, text);
    mem_free(text);
    check_no_parts(fault, "config/clutch/tune");
    DIR *folder = opendir(at("config/clutch/tune", ""));
    while (folder && (entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "config/clutch/tune/%.200s", entry->d_name);
        text = read_text(at(name, ""));
        if (text[0] != '{' || !strchr("}\n", text[strlen(text) - 1]))
            fail_msg("fault %ld leaves half a file: %s", fault, text);
        mem_free(text);
        files++;
    }
    if (folder)
        closedir(folder);
    if (code == 0 && files != 1)
        fail_msg("fault %ld: tuned, but there are %d files", fault, files);
    remove_folder("config");
}

static void test_tune(void **state)
{
    (void)state;
    walk_measuring("tune --devices cpu --quick --seconds 1 --provider plain --json", "{\"device\":", 60, check_tuning);
}

static void test_plan(void **state)
{
    (void)state;
    walk_reader("plan 'input 1x6x6; dense 8; relu; dense 4; loss softmax' --devices virtual:2@2 --json", "{\"net\":");
}

static void test_eval(void **state)
{
    (void)state;
    walk_reader("eval whole --json",
                "{\"run\":\"whole\",\"data\":\"data\",\"split\":\"test\",\"samples\":20,\"test_loss\":");
}

static void test_eval_on_folders(void **state)
{
    (void)state;
    walk_reader("eval whole --data pngs --json",
                "{\"run\":\"whole\",\"data\":\"pngs\",\"split\":\"test\",\"samples\":4,\"test_loss\":");
}

static void test_predict(void **state)
{
    (void)state;
    walk_reader("predict whole picture.png picture.png", "picture.png: ");
    walk_reader("predict whole pngs/3", "pngs/3/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fresh_run), cmocka_unit_test(test_chained_run),
        cmocka_unit_test(test_run_over_an_old_one), cmocka_unit_test(test_resumed_run), cmocka_unit_test(test_eval),
        cmocka_unit_test(test_eval_on_folders), cmocka_unit_test(test_predict), cmocka_unit_test(test_plan),
        cmocka_unit_test(test_modules_on_one_device), cmocka_unit_test(test_modules_on_emulated_devices),
        cmocka_unit_test(test_drawing_while_training), cmocka_unit_test(test_drawing),
        cmocka_unit_test(test_compare), cmocka_unit_test(test_tune),
    };
    return cmocka_run_group_tests_name("faults", tests, setup, NULL);
}
