/* ocl: chains in the cache of programs. Chains that differ in nothing but a kernel's source are not taken for each
 * other. */
#include "support/check.h"
#include "support/sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 500 };

static int prepare(void **state)
{
    (void)state;
    sources_begin();
    sources_copy("chain.cl");
    sources_copy("chain_check.cl");
    sources_copy("common.cl");
    return 0;
}

static int drop(void **state)
{
    (void)state;
    sources_end();
    unsetenv("CLUTCH_CHAIN");
    return 0;
}

/* What four launches make of zeros, with or without chains, on a device that was opened anew. */
static uint32_t run_four(const char *chain, const char *source)
{
    uint32_t y;
    struct ocl_device *device;
    struct ocl_queue *queue;
    struct ocl_buf *buf;
    struct ocl_kernel *kernel;
    sources_put("grow.cl", source);
    setenv("CLUTCH_CHAIN", chain, 1);
    OK(ocl_device_open(sources_world(), &(struct ocl_pick){.device = sources_device(), .parts = 1}, &device));
    OK(ocl_queue_open(device, &queue));
    OK(ocl_buf_create(device, N * sizeof y, &buf));
    OK(ocl_zero(queue, buf, 0, N * sizeof y));
    OK(ocl_kernel_get(queue, "grow", "grow", "", &kernel));
    ocl_kernel_chains(kernel);
    ocl_chain_begin(queue);
    for (int i = 0; i < 4; i++)
        OK(ocl_run(kernel, (size_t[2]){N, 1}, (size_t[2]){64, 1}, OCL_ARGS(ocl_u(N), ocl_b(buf))));
    OK(ocl_chain_end(queue, ST_OK));
    OK(ocl_read(queue, buf, 4, sizeof y, &y));
    ocl_queue_close(queue);
    ocl_buf_free(buf);
    ocl_device_close(device);
    return y;
}

#define STEP(by) \
    "kernel void grow(uint n, global uint *x)\n{\n    if (get_global_id(0) < n)\n" \
    "        x[get_global_id(0)] += " #by ";\n}\n"

static void test_sources_apart(void **state)
{
    (void)state;
    assert_int_equal(run_four("off", STEP(3)), 12);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(run_four("on", STEP(3)), 12);
        assert_int_equal(run_four("on", STEP(9)), 36);
    }
    if (strstr(sources_notes(), "one by one"))
        fail_msg("%s", sources_notes());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sources_apart, prepare, drop),
    };
    return cmocka_run_group_tests_name("chains in the cache", tests, sources_setup, sources_teardown);
}
