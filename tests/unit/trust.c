/* base: which files and folders are believed. */
#include "support/check.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_at_start;

static char folder[200], path[256], link_path[256], said[4096];

static void keep(const char *line)
{
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", line);
}

/* A folder with a file of the user's own, made under a umask that takes nothing away. */
static int prepare(void **state)
{
    (void)state;
    static int n;
    mode_t before = umask(0);
    snprintf(folder, sizeof folder, "%s/%d/cache", check_folder(), n++);
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(link_path, sizeof link_path, "%s/link", folder);
    said[0] = '\0';
    note_to(keep);
    OK(trust_write(path, "text", 4, true));
    umask(before);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    note_to(NULL);
    return 0;
}

static void check_read(const char *from)
{
    char *data;
    size_t len;
    OK(trust_read(from, 10, &data, &len));
    assert_int_equal(len, 4);
    assert_string_equal(data, "text");
    mem_free(data);
}

static void check_refused(const char *words)
{
    char *data;
    size_t len;
    FAILS(ST_INPUT, words, trust_read(path, 10, &data, &len));
}

static unsigned mode_of(const char *what)
{
    struct stat info;
    assert_int_equal(stat(what, &info), 0);
    return info.st_mode & 07777;
}

static void test_what_is_made_is_the_users_alone(void **state)
{
    (void)state;
    check_read(path);
    assert_true(trust_folder(folder));
    OK(trust_make(folder));
    OK(trust_write(path, "text", 4, true));
    assert_int_equal(mode_of(folder), 0700);
    assert_int_equal(mode_of(path), 0600);
    assert_string_equal(said, "");
}

static void test_files_that_others_can_write(void **state)
{
    (void)state;
    static const mode_t modes[] = {0620, 0602, 0666, 0664};
    char want[700];
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        snprintf(want, sizeof want, "%s is not used, for others can write to it (mode %04o); remove it, or, if what it "
                 "holds is yours: chmod go-w %s", path, (unsigned)modes[i], path);
        check_refused(want);
    }
    assert_int_equal(chmod(path, 0444), 0); /* to read it is nobody's harm */
    check_read(path);
}

static void test_folders_that_others_can_write(void **state)
{
    (void)state;
    static const mode_t modes[] = {0720, 0702, 0777, 01777, 0775};
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        assert_int_equal(chmod(folder, modes[i]), 0);
        check_refused("cache is not used, for others can write to it (mode ");
        FAILS(ST_INPUT, "for others can write to it", trust_make(folder));
        FAILS(ST_INPUT, "for others can write to it", trust_write(path, "", 0, true));
        said[0] = '\0';
        for (int k = 0; k < 3; k++)
            assert_false(trust_folder(folder));
        const char *end = strchr(said, '\n');
        assert_true(end && !end[1] && strstr(said, "remove it, or, if what it holds is yours: chmod go-w "));
    }
    assert_int_equal(chmod(folder, 0755), 0);
    check_read(path);
}

static void test_what_belongs_to_another(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip(); /* only root can give a file away */
    assert_int_equal(chown(path, 12345, 0), 0);
    check_refused("file is not used, for it belongs to user 12345, who is not the one that runs this (0)");
    assert_int_equal(symlink(path, link_path), 0); /* a link of one's own to it */
    char *data;
    size_t len;
    FAILS(ST_INPUT, "belongs to user 12345", trust_read(link_path, 10, &data, &len));
    assert_int_equal(chown(path, 0, 0), 0);
    check_read(link_path);
    assert_int_equal(chown(folder, 12345, 0), 0);
    check_refused("cache is not used, for it belongs to user 12345");
    assert_false(trust_folder(folder));
    /* what is root's may be used by everybody */
    assert_int_equal(chown(folder, 0, 0), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(chmod(check_folder(), 0755), 0);
    assert_int_equal(seteuid(12345), 0);
    enum st s = trust_read(path, 10, &data, &len);
    assert_int_equal(seteuid(0), 0);
    OK(s);
    mem_free(data);
}

static void test_what_is_not_there(void **state)
{
    (void)state;
    assert_int_equal(unlink(path), 0);
    check_refused("cannot open ");
    assert_int_equal(mkdir(path, 0700), 0);
    check_refused("file: it is a folder, not a file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* and nobody waits for who writes into it */
    check_refused("file: it is a FIFO, not a file");
    OK(trust_write(path, "four and more", 13, true));
    check_refused("13 bytes, more than the 10 allowed");
    assert_false(trust_folder(path));
    FAILS(ST_SYSTEM, "cannot make folder", trust_make(path));
    strcat(path, "/below-a-file");
    FAILS(ST_SYSTEM, "cannot make folder", trust_write(path, "", 0, true));
    assert_false(trust_folder(path));
    assert_string_equal(said, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, prepare, drop)

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
        TEST(test_what_is_made_is_the_users_alone), TEST(test_files_that_others_can_write),
        TEST(test_folders_that_others_can_write), TEST(test_what_belongs_to_another), TEST(test_what_is_not_there),
        TEST(test_files_are_closed),
    };
    return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
