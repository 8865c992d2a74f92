/* ocl: what devices are here, and the grammar that chooses among them. */
#include "support/check.h"

#include "ocl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct ocl_world *world;
static struct ocl_pick *picks;
static int picked;

static int open_world(void **state)
{
    (void)state;
    OK(ocl_world_open(&world));
    assert_true(ocl_device_count(world) > 0); /* the tests want one */
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    ocl_world_close(world);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    mem_free(picks);
    picks = NULL;
    return 0;
}

static void test_facts(void **state)
{
    (void)state;
    int devices = 0;
    assert_true(ocl_platform_count(world) > 0);
    for (int p = 0; p < ocl_platform_count(world); p++) {
        const struct ocl_platform_facts *f = ocl_platform_at(world, p);
        assert_true(f->name[0] && f->version[0]);
        assert_int_equal(f->device_count > 0, !f->problem[0]);
        for (int i = 0; i < f->device_count; i++, devices++) {
            const struct ocl_facts *d = ocl_facts_at(world, devices);
            assert_int_equal(d->platform, p);
            assert_int_equal(d->index, i);
            assert_true(d->name[0] && d->compute_units > 0 && d->vector_width > 0 && d->parts_max > 0);
            assert_true(d->memory_bytes >= d->buffer_bytes_max && d->work_group_max > 0);
        }
    }
    assert_int_equal(ocl_device_count(world), devices);
    assert_string_equal(ocl_kind_name(OCL_CPU), "CPU");
    assert_string_equal(ocl_kind_name(OCL_ACCEL), "accelerator");
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

static void choose(const char *spec)
{
    mem_free(picks);
    picks = NULL;
    OK(ocl_pick_devices(world, spec, &picks, &picked));
}

static void check_pick(int i, int of_device, int part, int parts)
{
    assert_true(i < picked);
    assert_int_equal(picks[i].device, of_device);
    assert_int_equal(picks[i].part, part);
    assert_int_equal(picks[i].parts, parts);
}

/* All devices from the first, or in the order that puts `first` before the others. */
static void check_all(int first)
{
    int n = 0;
    assert_int_equal(picked, ocl_device_count(world));
    if (first >= 0)
        check_pick(n++, first, 0, 1);
    for (int i = 0; i < ocl_device_count(world); i++)
        if (i != first)
            check_pick(n++, i, 0, 1);
}

static void test_choosing_by_number_and_name(void **state)
{
    (void)state;
    char spec[600];
    for (int i = 0; i < ocl_device_count(world); i++) {
        const struct ocl_facts *f = ocl_facts_at(world, i);
        snprintf(spec, sizeof spec, "%d:%d", f->platform, f->index);
        choose(spec);
        assert_int_equal(picked, 1);
        check_pick(0, i, 0, 1);
        strcat(spec, "/1,all,all");
        choose(spec);
        check_all(i);
        /* its name without the first letter, in the other case; other devices may hold it too */
        snprintf(spec, sizeof spec, "%s", f->name + 1);
        for (char *c = spec; *c; c++)
            *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        if (strchr(spec, ','))
            continue;
        choose(spec);
        bool found = false;
        for (int k = 0; k < picked; k++)
            found = found || picks[k].device == i;
        assert_true(found);
    }
    choose("all");
    check_all(-1);
}

static void test_choosing_by_type(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        enum ocl_kind kind;
    } types[] = {{"gpu", OCL_GPU}, {"accel", OCL_ACCEL}, {"cpu", OCL_CPU}};
    int best = -1;
    for (size_t t = 0; t < COUNT_OF(types); t++) {
        int want[64], n = 0;
        for (int i = 0; i < ocl_device_count(world) && n < 64; i++)
            if (ocl_facts_at(world, i)->kind == types[t].kind)
                want[n++] = i;
        if (n == 0) {
            FAILS(ST_INPUT, "no device '", ocl_pick_devices(world, types[t].spec, &picks, &picked));
            continue;
        }
        choose(types[t].spec);
        assert_int_equal(picked, n);
        for (int k = 0; k < n; k++) {
            const struct ocl_facts *f = ocl_facts_at(world, want[k]);
            check_pick(k, want[k], 0, 1);
            best = best < 0 && f->available && f->compiler ? want[k] : best;
        }
    }
    static const char *const nothing_said[] = {NULL, ""};
    for (int i = 0; i < 2; i++) {
        choose(nothing_said[i]);
        assert_int_equal(picked, 1);
        if (best >= 0)
            check_pick(0, best, 0, 1);
    }
}

static void test_wrong_choices(void **state)
{
    (void)state;
    char long_name[400], too_many[64], here[600];
    const struct ocl_facts *f = ocl_facts_at(world, 0);
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    snprintf(too_many, sizeof too_many, "%d:%d/1024", f->platform, f->index);
    snprintf(here, sizeof here, "no device '9999:0'; here are: %d:%d %s", f->platform, f->index, f->name);
    const struct {
        const char *spec, *message;
    } wrong[] = {
        {",", "empty device name: separate devices with single commas"},
        {"all,", "empty device name"},
        {"all,,all", "empty device name"},
        {long_name, "device name too long: 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...'"},
        {"/2", "no device before '/' in '/2'"},
        {"all,/2,all", "no device before '/' in '/2'"},
        {"all/0", "cannot split 'all/0' into 0 parts: 1 to 1024 are allowed"},
        {"all/-1", "cannot split 'all/-1' into -1 parts"},
        {"all/1025", "cannot split 'all/1025' into 1025 parts"},
        {too_many, "cannot be split into 1024 parts: "},
        {"9999:0", here},
        {"9999:0", "; or say gpu, cpu, accel, all"},
        {"0:", "no device '0:'"},
        {"all,No Such Name", "no device 'No Such Name'"},
        {"No/Such", "no device 'No/Such'"}, /* a slash that splits nothing is part of the name */
        {"No/Such/2", "no device 'No/Such'"},
        {"all/x", "no device 'all/x'"},
        {"all/", "no device 'all/'"},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        FAILS(ST_INPUT, wrong[i].message, ocl_pick_devices(world, wrong[i].spec, &picks, &picked));
        assert_null(picks);
        assert_int_equal(picked, 0);
    }
}

/* ---- emulated devices -------------------------------------------------------------------------------------------- */

static void check_emulated(int i, int number, double slowness, double latency_ns, double bytes_per_ns)
{
    assert_true(i < picked);
    /* all share the first real device, or the first core of it */
    const struct ocl_facts *f = ocl_facts_at(world, 0);
    bool cores = f->kind == OCL_CPU && f->parts_max > 1 && f->parts_max == f->compute_units;
    check_pick(i, 0, 0, cores ? (int)f->parts_max : 1);
    assert_int_equal(picks[i].emulation.number, number);
    assert_true(picks[i].emulation.slowness == slowness);
    assert_true(fabs(picks[i].emulation.latency_ns - latency_ns) <= 1e-9 * latency_ns);
    assert_true(fabs(picks[i].emulation.bytes_per_ns - bytes_per_ns) <= 1e-9 * bytes_per_ns);
}

static void test_emulated(void **state)
{
    (void)state;
    choose("virtual:3@8");
    assert_int_equal(picked, 3);
    for (int i = 0; i < 3; i++)
        check_emulated(i, i, 8, 0, 0);
    choose("virtual:2@1.5:4");
    assert_int_equal(picked, 2);
    check_emulated(0, 0, 1.5, 0, 0);
    check_emulated(1, 1, 4, 0, 0);
    choose("virtual:1@2+latency=100");
    check_emulated(0, 0, 2, 100e3, 0);
    choose("virtual:2@2:3+bandwidth=500+latency=0.5");
    check_emulated(0, 0, 2, 500, 0.5);
    check_emulated(1, 1, 3, 500, 0.5);
    choose("virtual:64@1000000");
    assert_int_equal(picked, 64);
    check_emulated(63, 63, 1e6, 0, 0);
    /* beside real ones, in the order written; the one they share too */
    char spec[64];
    const struct ocl_facts *f = ocl_facts_at(world, 0);
    snprintf(spec, sizeof spec, "virtual:1@2,%d:%d", f->platform, f->index);
    choose(spec);
    assert_int_equal(picked, 2);
    check_emulated(0, 0, 2, 0, 0);
    check_pick(1, 0, 0, 1);
    assert_true(picks[1].emulation.slowness == 0);
}

static void test_wrong_emulated(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "virtual:", "virtual:4", "virtual:@8", "virtual:4@", "virtual:0@8", "virtual:65@8", "virtual:-1@8",
        "virtual:1.5@8", "virtual:x@8", "virtual:2@0.9", "virtual:2@0", "virtual:2@1000001", "virtual:2@nan",
        "virtual:2@8x", "virtual:3@1:2", "virtual:2@1:2:3", "virtual:2@1:", "virtual:2@1@2", "virtual:2@8+",
        "virtual:2@8+latency", "virtual:2@8+latency=", "virtual:2@8+latency=-1", "virtual:2@8+latency=1e8",
        "virtual:2@8+bandwidth=0", "virtual:2@8+speed=1", "virtual:2@8latency=1", "virtual:2@8/2",
    };
    char message[400], word[700] = "virtual:1@1";
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        snprintf(message, sizeof message, "'%s' describes no emulated devices: virtual:N@S stands for N of them (1 to "
                 "64), each S times slower (1 to 1e6), or virtual:N@S1:...:SN; +latency=US and "
                 "+bandwidth=MB may follow", wrong[i]);
        if (ocl_pick_devices(world, wrong[i], &picks, &picked) != ST_INPUT)
            fail_msg("taken: %s", wrong[i]);
        assert_string_equal(st_message(), message);
        assert_null(picks);
    }
    FAILS(ST_INPUT, "emulated devices are described twice, once is all that is allowed",
          ocl_pick_devices(world, "virtual:1@2,virtual:1@3", &picks, &picked));
    memset(word + strlen(word), '0', sizeof word - 1 - strlen(word));
    FAILS(ST_INPUT, "'virtual:1@100000000000000000000000000000' describes no emulated devices",
          ocl_pick_devices(world, word, &picks, &picked));
    FAILS(ST_INPUT, "no device 'virtual'", ocl_pick_devices(world, "virtual", &picks, &picked));
}

#define TEST(f) cmocka_unit_test_teardown(f, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_facts),
        TEST(test_choosing_by_number_and_name),
        TEST(test_choosing_by_type),
        TEST(test_wrong_choices),
        TEST(test_emulated),
        TEST(test_wrong_emulated),
    };
    return cmocka_run_group_tests_name("pick", tests, open_world, close_world);
}
