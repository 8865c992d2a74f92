/*
 * A run in modules whose N-th fallible call fails (CLUTCH_FAULT=N), for N all over the run: wherever it is, in a
 * module's thread or not, the run ends, with a message that says where and which call, and all can be closed.
 *
 * The program runs itself, as its variable tells: fault points are counted from a process's start.
 */
#include "support/check.h"
#include "support/device.h"
#include "support/runs.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS_MAX = 60, KINDS = 4, FIRST = 300 };

#define CHILD "CLUTCH_TEST_TEAM" /* which of the runs the process is to make */

/* ---- the process that fails -------------------------------------------------------------------------------------- */

/* How far a child came: what it exits with. */
enum stage { STAGE_WELL = 10, STAGE_OPENING, STAGE_RUNNING, STAGE_ODD };

static const char *const nets[KINDS] = {
    "input 1x28x28; dense 8; relu; cut csg; dense 8; relu; cut csg solver=adam hidden=1 p=0.5; dense 10; loss softmax",
    "input 1x28x28; dense 8; relu; cut exact micro=2; dense 8; tanh; cut exact micro=2; dense 10; loss softmax",
    "input 1x28x28; dense 8; relu; cut local; dense 8; relu; cut csg lambda=0.5; dense 10; loss softmax",
    "input 1x28x28; dense 8; relu; cut vir; dense 8; relu; cut classmean p=0.5; dense 10; loss softmax",
};

enum { SAMPLES = 160, TEST_SAMPLES = 100, PIXELS = 784 };

struct child {
    struct data_set set; /* of noise */
    struct ocl_world *world;
    struct ocl_device *device;
    struct nn_net *net;
    struct plan_device place[3];
    struct train *train;
};

static void draw_noise(struct data_set *set)
{
    static uint8_t pixels[SAMPLES * PIXELS], labels[SAMPLES];
    struct rng r;
    rng_init(&r, 1, 0);
    for (int i = 0; i < SAMPLES * PIXELS; i++)
        pixels[i] = (uint8_t)rng_below(&r, 256);
    for (int i = 0; i < SAMPLES; i++)
        labels[i] = (uint8_t)(i % 10);
    *set = (struct data_set){.name = "noise", .c = 1, .h = 28, .w = 28, .classes = 10,
                             .train = {.n = SAMPLES, .pixels = pixels, .labels = labels},
                             .test = {.n = TEST_SAMPLES, .pixels = pixels, .labels = labels}};
}

static enum st open_child(struct child *c, int kind, const struct train_options *o)
{
    enum st s = ST_OK;
    struct ocl_pick *picks = NULL;
    int n;
    struct train_scaling scaling = {.channels = 1, .mean = {0.1}, .deviation = {0.3}};
    struct train_placement p = {.device = c->place, .device_count = 3, .queue = 2, .lockstep = kind == 2};
    draw_noise(&c->set);
    TRY(ocl_world_open(&c->world));
    TRY(ocl_pick_devices(c->world, getenv("CLUTCH_TEST_DEVICE"), &picks, &n));
    TRY(ocl_device_open(c->world, &picks[0], &c->device));
    TRY(nn_net_open(nets[kind], &c->net));
    TRY(train_couplings(c->net, NULL, p.coupling));
    for (int i = 0; i < 3; i++) {
        c->place[i] = (struct plan_device){.device = c->device};
        if (kind == 2 && i > 0)
            c->place[i].emulation = (struct ocl_emulation){.slowness = 1.5, .latency_ns = 1e5, .number = i - 1};
        snprintf(c->place[i].label, sizeof c->place[i].label, "place %d", i);
        p.on[i] = i;
    }
    TRY(train_open_modules(&p, c->net, o, &c->set, &scaling, NULL, &c->train));
    TRY(train_init(c->train));
out:
    mem_free(picks);
    return s;
}

static enum st run_child(struct child *c)
{
    enum st s = ST_OK;
    struct train_epoch e;
    struct train_result result;
    for (int epoch = 0; epoch < 2; epoch++) {
        TRY(train_epoch_run(c->train, NULL, &e));
        TRY(train_evaluate(c->train, TRAIN_TEST, &result));
    }
out:
    return s;
}

/* Module 0, 1 or 2, each on its own place, and a call that fault points stand for; or a thread that did not start. */
static bool says_where(const char *message)
{
    int module = -1, where = -1, len = 0;
    if (sscanf(message, "module %d on place %d: %n", &module, &where, &len) == 2 && len > 0)
        return module == where && module >= 0 && module < 3 &&
               (strstr(message, ": cl") || strstr(message, " cl") || strstr(message, "memory"));
    return strstr(message, "cannot start a thread") || strstr(message, "memory") || strstr(message, " cl") ||
           strncmp(message, "cl", 2) == 0;
}

static int child_main(int kind)
{
    struct child c = {0};
    struct train_options o = train_defaults();
    o.epochs = 2;
    o.batch = 16;
    enum stage stage = STAGE_OPENING;
    enum st s = open_child(&c, kind, &o);
    if (s == ST_OK) {
        stage = STAGE_RUNNING;
        s = run_child(&c);
    }
    if (s == ST_OK)
        stage = STAGE_WELL;
    else if (s == ST_STOPPED || !says_where(st_message()))
        stage = STAGE_ODD;
    fprintf(stderr, "status %d, %s\n", (int)s, s == ST_OK ? "well" : st_message());
    train_close(c.train);
    nn_net_free(c.net);
    ocl_device_close(c.device);
    ocl_world_close(c.world);
    return (int)stage;
}

/* ---- the process that looks on ----------------------------------------------------------------------------------- */

static enum stage run_with_fault(int kind, long fault)
{
    char number[32], which[32], self[PATH_MAX] = "";
    int status = 0;
    snprintf(number, sizeof number, "%ld", fault);
    snprintf(which, sizeof which, "%d", kind);
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        fail_msg("no way to run myself: %s", strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (setenv("CLUTCH_FAULT", number, 1) != 0 || setenv(CHILD, which, 1) != 0 ||
            chdir(check_folder()) != 0 || !freopen("err", "w", stderr))
            _exit(126);
        alarm(SECONDS_MAX); /* a hang ends by a signal, which fails the test */
        execl(self, self, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        fail_msg("cannot run %s", self);
    if (!WIFEXITED(status) || WEXITSTATUS(status) < STAGE_WELL || WEXITSTATUS(status) >= STAGE_ODD) {
        char path[PATH_MAX], *text;
        size_t len;
        snprintf(path, sizeof path, "%s/err", check_folder());
        OK(file_read(path, 1 << 20, &text, &len));
        fail_msg("run %d, fault %ld: status %#x: %s", kind, fault, (unsigned)status, text);
    }
    return (enum stage)WEXITSTATUS(status);
}

/* Early ones are device facts and the kernels' cache, which can be done without, and what is made before the run.
 * Threads count in turns, so the same N is another call each time. */
static void test_a_module_that_fails_ends_the_run(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        int stages[STAGE_ODD] = {0};
        assert_int_equal(run_with_fault(kind, 0), STAGE_WELL);
        long n = FIRST;
        for (int well = 0; well < 3; n += 1 + n / 14) { /* three in a row: the run has no more of them */
            enum stage stage = run_with_fault(kind, n);
            stages[stage]++;
            well = stage == STAGE_WELL ? well + 1 : 0;
        }
        print_message("run %d: fault points up to %ld, %d failed in opening and %d in running\n", kind, n,
                      stages[STAGE_OPENING], stages[STAGE_RUNNING]);
        assert_true(stages[STAGE_RUNNING] >= 10);
    }
}

int main(void)
{
    const char *kind = getenv(CHILD);
    if (kind)
        return child_main(atoi(kind));
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_module_that_fails_ends_the_run)};
    return cmocka_run_group_tests_name("faults in modules", tests, NULL, NULL);
}
