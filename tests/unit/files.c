/* base: the file door. Each step of writing is killed and made to fail; what is no file; links; temporary files. */
#include "support/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_at_start;

enum { STEPS_MAX = 100 };

/* ---- every step, killed and failing: in children, for a process asks its environment once ------------------------ */

/* Without the door, so that this process passes none of its points. */
static void put(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* "" where there is none. It has to be text: a byte too many, of zero, is seen. */
static const char *get(const char *name)
{
    static char text[2][256];
    static int turn;
    char *out = text[turn = !turn];
    FILE *file = fopen(in_folder(name), "r");
    size_t n = file ? fread(out, 1, sizeof text[0] - 1, file) : 0;
    out[n] = '\0';
    if (file)
        fclose(file);
    assert_int_equal(strlen(out), n);
    return out;
}

static int parts_in(const char *name)
{
    int n = 0;
    const struct dirent *entry;
    DIR *folder = opendir(in_folder(name));
    while (folder && (entry = readdir(folder)))
        n += strncmp(entry->d_name, ".clutch-", 8) == 0;
    if (folder)
        closedir(folder);
    return n;
}

/* Exit code of a child that does `act` at a number of CLUTCH_KILL or CLUTCH_FAULT: 0 or 1; 137: it was killed. */
static int child(const char *variable, int number, enum st (*act)(void))
{
    char word[16];
    int status = 0;
    pid_t id = fork();
    if (id == 0) {
        snprintf(word, sizeof word, "%d", number);
        if (setenv(variable, word, 1) != 0)
            _exit(126);
        _exit(act() == ST_OK ? 0 : st_message()[0] ? 1 : 125);
    }
    assert_true(id > 0 && waitpid(id, &status, 0) == id);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Of which the first line is written, so that what reads too far is seen. */
static const char new_text[] = "the new text\nand this is not written\n";
enum { NEW_LEN = 13 };

static enum st replace(void)
{
    return file_write(in_folder("steps/file"), new_text, NEW_LEN);
}

static enum st append(void)
{
    return file_append(in_folder("steps/file"), new_text, NEW_LEN);
}

static enum st cut(void)
{
    return file_cut(in_folder("steps/file"), 4);
}

static enum st second_name(void)
{
    return file_link(in_folder("steps/file"), in_folder("steps/second"));
}

static enum st remove_it(void)
{
    return file_remove(in_folder("steps/file"));
}

static enum st clear(void)
{
    dir_clear(in_folder("steps"));
    return replace(); /* leaves nothing of its own */
}

/* A way of writing from `old` to `new` in file `name`; `torn` is what else a kill may leave. */
static const struct way {
    const char *what;
    enum st (*act)(void);
    const char *name, *old, *new, *torn;
    int kills; /* points to be killed at */
} ways[] = {
    {"replace", replace, "steps/file", "old\n", "the new text\n", NULL, 9},
    {"append", append, "steps/file", "old\n", "old\nthe new text\n", "old\nthe ne", 5},
    {"append behind half a line", append, "steps/file", "old\nhal", "old\nthe new text\n", "old\nthe ne", 7},
    {"cut", cut, "steps/file", "old\nmore\n", "old\n", NULL, 4},
    {"second name", second_name, "steps/second", "other\n", "old\n", NULL, 7},
    {"remove", remove_it, "steps/file", "old\n", "", NULL, 2},
};

static void prepare(const struct way *w)
{
    char command[PATH_MAX + 32];
    snprintf(command, sizeof command, "rm -rf '%s'", in_folder("steps"));
    assert_int_equal(system(command), 0);
    assert_int_equal(mkdir(in_folder("steps"), 0777), 0);
    put("steps/file", "old\n");
    put(w->name, w->old);
}

static bool is_whole(const struct way *w, const char *text)
{
    return strcmp(text, w->old) == 0 || strcmp(text, w->new) == 0 || (strcmp(text, "old\n") == 0 && w->torn);
}

static void walk_kills(const struct way *w)
{
    int n = 1, code = 0;
    for (; n < STEPS_MAX; n++) {
        prepare(w);
        code = child("CLUTCH_KILL", n, w->act);
        const char *text = get(w->name);
        if (code == 0)
            break;
        if (code != 128 + 9 || !(is_whole(w, text) || (w->torn && strcmp(text, w->torn) == 0)))
            fail_msg("%s, killed at %d: exit code %d, the file is '%s'", w->what, n, code, text);
        if (strcmp(text, w->new) != 0) /* then the next one does it */
            assert_int_equal(child("CLUTCH_KILL", 0, w->act), 0);
        assert_string_equal(get(w->name), w->new);
        assert_int_equal(child("CLUTCH_KILL", 0, clear), 0);
        assert_int_equal(parts_in("steps"), 0);
        if (w->act == second_name)
            assert_string_equal(get("steps/second"), "old\n");
    }
    assert_string_equal(get(w->name), w->new);
    assert_int_equal(parts_in("steps"), 0);
    if (n != w->kills + 1)
        fail_msg("%s has %d kill points, not %d", w->what, n - 1, w->kills);
}

static void walk_faults(const struct way *w)
{
    int n = 1, code = 1, failed = 0;
    for (; n < STEPS_MAX && failed < n; n++) {
        prepare(w);
        code = child("CLUTCH_FAULT", n, w->act);
        const char *text = get(w->name);
        if (code > 1 || parts_in("steps") || !is_whole(w, text) || (code == 0 && strcmp(text, w->new) != 0))
            fail_msg("%s, fault %d: exit code %d, the file is '%s'", w->what, n, code, text);
        failed += code == 1;
        if (code == 0 && n > 12)
            break;
    }
    if (failed < 2 && w->act != remove_it)
        fail_msg("%s failed %d times only", w->what, failed);
}

static void test_every_step_of_writing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        walk_kills(&ways[i]);
        walk_faults(&ways[i]);
    }
}

static void test_kill_points_are_told(void **state)
{
    (void)state;
    prepare(&ways[0]);
    assert_int_equal(chdir(check_folder()), 0);
    assert_int_equal(child("CLUTCH_KILL_LOG", 0, replace), 0); /* a file called 0 */
    FILE *log = fopen("0", "r");
    char line[PATH_MAX], want[PATH_MAX];
    static const char *const step[] = {"before write", "amid write", "after write", "before fsync", "after fsync",
                                       "before rename", "after rename", "before fsync", "after fsync"};
    assert_non_null(log);
    for (size_t i = 0; i < COUNT_OF(step); i++) {
        snprintf(want, sizeof want, "%zu %s %s\n", i + 1, step[i], in_folder("steps/file"));
        assert_non_null(fgets(line, sizeof line, log));
        assert_string_equal(line, want);
    }
    assert_null(fgets(line, sizeof line, log));
    fclose(log);
}

/* ---- what is no file --------------------------------------------------------------------------------------------- */

static void check_no_file(const char *path, const char *kind)
{
    char words[PATH_MAX + 64], *data, head[4];
    size_t len;
    uint64_t size;
    int fd;
    snprintf(words, sizeof words, "cannot read %s: it is %s, not a file", path, kind);
    FAILS(ST_INPUT, words, file_read(path, 100, &data, &len));
    FAILS(ST_INPUT, words, file_read_start(path, head, sizeof head, &len));
    FAILS(ST_INPUT, words, file_open(path, 100, &fd, &size));
}

static void test_what_is_no_file(void **state)
{
    (void)state;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(name.sun_path, sizeof name.sun_path, "%s", in_folder("socket"));
    assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_int_equal(symlink("fifo", in_folder("to-fifo")), 0);
    check_no_file(in_folder("fifo"), "a FIFO");
    check_no_file(in_folder("to-fifo"), "a FIFO");
    check_no_file(in_folder("socket"), "a socket");
    check_no_file("/dev/zero", "a device");
    check_no_file(check_folder(), "a folder");
    FAILS(ST_SYSTEM, "fifo", file_append(in_folder("fifo"), "x\n", 2)); /* nobody reads it */
    int reader = open(in_folder("fifo"), O_RDONLY | O_NONBLOCK);
    FAILS(ST_SYSTEM, "fifo: it is a FIFO, not a file", file_append(in_folder("fifo"), "x\n", 2));
    FAILS(ST_SYSTEM, "fifo: it is a FIFO, not a file", file_cut(in_folder("fifo"), 1));
    close(reader);
    close(fd);
    OK(file_write(in_folder("fifo"), "a file now", 10)); /* takes its place */
    assert_string_equal(get("fifo"), "a file now");
    FAILS(ST_SYSTEM, "folder", file_write(in_folder("folder/"), "", 0));
}

static void test_starts_of_files(void **state)
{
    (void)state;
    char head[4];
    size_t got;
    put("long", "12345");
    put("short", "12");
    OK(file_read_start(in_folder("long"), head, sizeof head, &got));
    assert_true(got == 4 && memcmp(head, "1234", 4) == 0);
    OK(file_read_start(in_folder("short"), head, sizeof head, &got));
    assert_int_equal(got, 2);
}

/* ---- links and names --------------------------------------------------------------------------------------------- */

static void test_links(void **state)
{
    (void)state;
    put("target", "precious\n");
    assert_int_equal(symlink("target", in_folder("link")), 0);
    FAILS(ST_SYSTEM, "link: it is a link, which is not followed", file_append(in_folder("link"), "x\n", 2));
    FAILS(ST_SYSTEM, "link: it is a link, which is not followed", file_cut(in_folder("link"), 0));
    FAILS(ST_SYSTEM, "link: it is a link, which is not followed", file_link(in_folder("link"), in_folder("other")));
    assert_true(file_kind(in_folder("link")) == FILE_LINK);
    OK(file_write(in_folder("link"), "new", 3));
    assert_true(file_kind(in_folder("link")) == FILE_REGULAR);
    assert_int_equal(unlink(in_folder("link")), 0);
    assert_int_equal(symlink("target", in_folder("link")), 0);
    OK(file_remove(in_folder("link")));
    OK(file_remove(in_folder("link")));
    assert_true(file_kind(in_folder("link")) == FILE_NONE);
    assert_string_equal(get("target"), "precious\n");
}

/* A second name stays as it is when the first is written anew, and may be given again. */
static void test_second_names(void **state)
{
    (void)state;
    OK(file_write(in_folder("first"), "1", 1));
    OK(file_link(in_folder("first"), in_folder("second")));
    OK(file_link(in_folder("first"), in_folder("second")));
    OK(file_write(in_folder("first"), "2", 1));
    assert_string_equal(get("second"), "1");
    OK(file_link(in_folder("first"), in_folder("second")));
    assert_string_equal(get("second"), "2");
    assert_int_equal(parts_in(""), 0);
    FAILS(ST_SYSTEM, "none", file_link(in_folder("none"), in_folder("second")));
    assert_string_equal(get("second"), "2");
}

static void test_temporary_files_of_others_stay(void **state)
{
    (void)state;
    static const char *const stay[] = {"parts/.clutch-0123456789abcde.part", "parts/.clutch-0123456789abcdeg.part",
                                       "parts/.clutch-0123456789abcdef", "parts/x.part",
                                       "parts/.clutch-0123456789abcdef.part.png"};
    OK(dir_make(in_folder("parts")));
    for (size_t i = 0; i < COUNT_OF(stay); i++)
        put(stay[i], "");
    put("parts/.clutch-0123456789abcdef.part", "stale");
    put("parts/.clutch-fedcba9876543210.part", "being written");
    put("precious", "precious");
    assert_int_equal(symlink("../precious", in_folder("parts/.clutch-1111111111111111.part")), 0);
    int writer = open(in_folder("parts/.clutch-fedcba9876543210.part"), O_RDONLY);
    assert_int_equal(flock(writer, LOCK_EX), 0);
    dir_clear(in_folder("parts"));
    assert_false(file_exists(in_folder("parts/.clutch-0123456789abcdef.part")));
    assert_true(file_exists(in_folder("parts/.clutch-fedcba9876543210.part")));
    close(writer);
    dir_clear(in_folder("parts"));
    assert_false(file_exists(in_folder("parts/.clutch-fedcba9876543210.part")));
    for (size_t i = 0; i < COUNT_OF(stay); i++)
        assert_true(file_exists(in_folder(stay[i])));
    assert_string_equal(get("precious"), "precious");
    dir_clear(in_folder("nowhere"));
}

/* In a child: two folders with something in them, after one that could not be made. */
static void make_temporary(void)
{
    char one[PATH_MAX], two[PATH_MAX], path[PATH_MAX + 16];
    struct stat info;
    if (setenv("TMPDIR", in_folder("nowhere"), 1) != 0 || dir_temporary(one, sizeof one) != ST_SYSTEM ||
        !strstr(st_message(), "cannot make folder") || setenv("TMPDIR", in_folder("temporary"), 1) != 0 ||
        dir_temporary(one, sizeof one) != ST_OK || dir_temporary(two, sizeof two) != ST_OK)
        _exit(1);
    if (strncmp(one, in_folder("temporary/"), strlen(in_folder("temporary/"))) != 0 || strcmp(one, two) == 0 ||
        stat(two, &info) != 0 || !S_ISDIR(info.st_mode) || (info.st_mode & 0777) != 0700 ||
        dir_temporary(path, strlen(one)) != ST_SYSTEM || !strstr(st_message(), "TMPDIR is too long"))
        _exit(2);
    snprintf(path, sizeof path, "%s/folder", one);
    if (mkdir(path, 0777) != 0)
        _exit(3);
    snprintf(path, sizeof path, "%s/folder/link", one);
    if (symlink("../../../precious", path) != 0)
        _exit(4);
    exit(0);
}

static void test_temporary_folders(void **state)
{
    (void)state;
    int status = 0;
    put("precious", "precious");
    assert_int_equal(mkdir(in_folder("temporary"), 0777), 0);
    fflush(NULL); /* else the child tells all once more */
    pid_t id = fork();
    if (id == 0)
        make_temporary();
    assert_true(id > 0 && waitpid(id, &status, 0) == id);
    assert_int_equal(status, 0);
    assert_int_equal(rmdir(in_folder("temporary")), 0); /* nothing is left in it */
    assert_string_equal(get("precious"), "precious");
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
        cmocka_unit_test(test_every_step_of_writing), /* first: this process must not have passed a fault point */
        cmocka_unit_test(test_kill_points_are_told),
        cmocka_unit_test(test_what_is_no_file),
        cmocka_unit_test(test_starts_of_files),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_second_names),
        cmocka_unit_test(test_temporary_files_of_others_stay),
        cmocka_unit_test(test_temporary_folders),
        cmocka_unit_test(test_files_are_closed),
    };
    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
