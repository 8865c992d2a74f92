/* mx: a tuning file is written whole, or not at all: each point at which that may fail, in a child of its own. No
 * device. */
#include "support/check.h"

#include "mx.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES_MAX = 1 << 16, POINTS_MAX = 3000, ENOUGH = 20, SAVED = 0, REFUSED = 1 };

static char path[PATH_MAX]; /* of the tuning file */

/* Saves what was made up, so that the file has rows of all kinds. */
static enum st save(void)
{
    enum st s = ST_OK;
    struct mx_tuning *t = NULL;
    const struct ocl_facts facts = {.kind = OCL_CPU, .name = "made up", .platform_name = "none", .vector_width = 8,
                                    .compute_units = 2};
    TRY(mx_tuning_open(&facts, true, true, "test", &t));
    for (int k = 1; k <= 3; k++)
        TRY(mx_tuning_add_product(t, (struct mx_product){k == 2, k == 3, 10, 20, k}));
    TRY(mx_tuning_add_candidates(t, NULL));
    for (int c = 0; c < 4; c++)
        for (int p = c; p < 3; p++)
            mx_tuning_record(t, c, p, 100 * (c + 1));
    mx_tuning_refuse(t, 3, "it is wrong");
    mx_tuning_choose(t);
    TRY(mx_tuning_save(t, true));
out:
    mx_tuning_free(t);
    return s;
}

/* The parent passes no fault point, for a process asks once which one fails: none of the doors of base. */

/* What the file holds, but for its date; "" where there is none. */
static void contents(char text[BYTES_MAX])
{
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, BYTES_MAX - 1, file) : 0;
    text[n] = '\0';
    if (!file)
        return;
    fclose(file);
    char *date = strstr(text, "\"date\": \"");
    assert_non_null(date);
    memset(date, ' ', strcspn(date, "\n"));
}

/* As the first child left it. */
static void find_path(void)
{
    const char *folder = in_folder("clutch/tune");
    const struct dirent *entry;
    DIR *files = opendir(folder);
    assert_non_null(files);
    while ((entry = readdir(files)))
        if (strstr(entry->d_name, ".json"))
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    closedir(files);
    assert_true(path[0]);
}

static int save_in_child(int fault)
{
    char number[16];
    int status = 0;
    pid_t id = fork();
    if (id == 0) {
        snprintf(number, sizeof number, "%d", fault);
        if (setenv("CLUTCH_FAULT", number, 1) != 0)
            _exit(126);
        _exit(save() == ST_OK ? SAVED : st_message()[0] ? REFUSED : 125);
    }
    assert_true(id > 0 && waitpid(id, &status, 0) == id && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_whole_or_not_at_all(void **state)
{
    (void)state;
    static char want[BYTES_MAX], got[BYTES_MAX];
    int refused = 0, n = 1;
    assert_int_equal(setenv("XDG_CONFIG_HOME", check_folder(), 1), 0);
    assert_int_equal(save_in_child(0), SAVED);
    find_path();
    contents(want);
    for (int saved = 0; n < POINTS_MAX && saved < ENOUGH; n++) { /* some may fail and be done without */
        unlink(path);
        int code = save_in_child(n);
        saved = code == SAVED ? saved + 1 : 0;
        contents(got);
        if (code > REFUSED || (code == SAVED && !got[0]) || (got[0] && strcmp(got, want) != 0))
            fail_msg("fault %d: exit code %d, the file holds '%s'", n, code, got);
        refused += code == REFUSED;
    }
    print_message("%d of %d fault points refuse it\n", refused, n - 1);
    assert_in_range(refused, 30, POINTS_MAX); /* those of the rows among them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_or_not_at_all),
    };
    return cmocka_run_group_tests_name("faults in tuning files", tests, NULL, NULL);
}
