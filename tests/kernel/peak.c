/* The chains of multiply-adds that measure a device's peak really do the work they are credited with. */
#include "support/check.h"
#include "support/device.h"

#include "ref/ref.h"

static void test_chains(void **state)
{
    (void)state;
    static const int sizes[] = {1, 5, 33};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct pair out = pair_new(1, sizes[i]);
        int loops = 3 + (int)i;
        OK(mx_fma_chains(device_mx(), (uint32_t)loops, 0.5f, 0.75f, out.t));
        int width = (int)(mx_fma_flops(device_mx(), (uint32_t)loops, out.t) / (2.0 * 12 * loops * sizes[i]));
        assert_true(width >= 1 && width <= 16);
        ref_fma_chains((size_t)sizes[i], width, (uint32_t)loops, 0.5, 0.75, out.ref);
        pair_close("chains", out, 0, (12 + 2 * loops + width) * ROUND); /* a rounding an operation at most */
        device_done();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {DEVICE_TEST(test_chains)};
    return cmocka_run_group_tests_name("peak", tests, device_open, device_close);
}
