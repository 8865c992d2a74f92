#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void check_fails(enum st code, const char *words, enum st got, const char *call, const char *file, int line)
{
    if (got != code || !strstr(st_message(), words)) {
        print_error("%s:%d: %s gave status %d, wanted %d with \"%s\" in the message: %s\n", file, line, call, (int)got,
                    (int)code, words, st_message());
        fail();
    }
}

void check_close(const char *what, const float *got, const double *want, size_t n, double absolute, double relative)
{
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)got[i] - want[i]);
        if (!(difference <= absolute + relative * fabs(want[i])))
            fail_msg("%s: element %zu of %zu is %.9g, wanted %.9g", what, i, n, (double)got[i], want[i]);
    }
}

static char folder[64];
static pid_t maker; /* its children leave it */

static void remove_folder(void)
{
    char command[sizeof folder + 16];
    if (getpid() != maker)
        return;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "cannot remove %s\n", folder);
}

const char *check_folder(void)
{
    if (!folder[0]) {
        strcpy(folder, "/tmp/clutch-test-XXXXXX");
        if (!mkdtemp(folder))
            fail_msg("cannot make %s", folder);
        maker = getpid();
        atexit(remove_folder);
    }
    return folder;
}

const char *in_folder(const char *name)
{
    static char path[8][PATH_MAX];
    static int turn;
    turn = (turn + 1) % 8;
    if (snprintf(path[turn], sizeof path[turn], "%s/%s", check_folder(), name) >= PATH_MAX)
        fail_msg("path too long: %s", name);
    return path[turn];
}

int check_open_files(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}
