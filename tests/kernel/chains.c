/* Every kernel gives the same bits in a chain as launched alone. prepare.c fails where calls.c lacks one. */
#include "support/calls.h"
#include "support/check.h"
#include "support/device.h"

#include <stdlib.h>
#include <string.h>

/* All calls as one section on a queue of their own; what they gave, and how many launches they were. */
static const uint32_t *run_section(struct calls *c, struct mx *m, const char *chain, size_t *n, int *launches)
{
    struct ocl_queue *q = mx_queue(m);
    setenv("CLUTCH_CHAIN", chain, 1);
    calls_reset(c);
    ocl_chain_begin(q);
    uint64_t before = ocl_counts().launches;
    calls_run(c, m);
    OK(ocl_chain_end(q, ST_OK));
    OK(ocl_wait(q));
    *launches = (int)(ocl_counts().launches - before);
    unsetenv("CLUTCH_CHAIN");
    return calls_results(c, n);
}

static void check_provider(const char *provider)
{
    struct ocl_queue *q;
    struct mx *m;
    size_t n;
    int alone, chained;
    OK(ocl_queue_open(ocl_queue_device(device_queue()), &q));
    OK(mx_open(q, provider, &m));
    struct calls *c = calls_open(m);
    const uint32_t *want = run_section(c, m, "off", &n, &alone), *got = run_section(c, m, "on", &n, &chained);
    for (size_t i = 0; i < n; i++)
        if (got[i] != want[i])
            fail_msg("%s: in a chain word %zu is %08x, alone %08x, of %s", provider, i, got[i], want[i],
                     calls_name(c, i));
    if (chained > alone / 10) /* a chain ends where it has as many kinds of kernels as it holds */
        fail_msg("%s: %d launches with chains, %d without", provider, chained, alone);
    device_done();
    mx_close(m);
    ocl_queue_close(q);
}

static void test_same_bits(void **state)
{
    (void)state;
    if (!ocl_has_chains(ocl_queue_device(device_queue())))
        skip();
    for (int i = 0; mx_gemm_provider(i); i++)
        if (strcmp(mx_gemm_provider(i), "clblast") != 0) /* a library's own kernels are launched alone */
            check_provider(mx_gemm_provider(i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_same_bits),
    };
    return cmocka_run_group_tests_name("chains", tests, device_open, device_close);
}
