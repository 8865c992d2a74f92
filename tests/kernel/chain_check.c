/* The kernel that chains are shown right with. */
#include "ref/ref.h"
#include "support/check.h"
#include "support/device.h"

static void test_chain_check(void **state)
{
    (void)state;
    enum { N = 300 };
    float x[N], y[N];
    double dx[N], want[N];
    struct ocl_queue *q = device_queue();
    struct ocl_buf *in, *out;
    struct ocl_kernel *k;
    for (int i = 0; i < N; i++)
        dx[i] = x[i] = (float)i * 0.25f - 7;
    OK(ocl_buf_create(ocl_queue_device(q), sizeof x, &in));
    OK(ocl_buf_create(ocl_queue_device(q), sizeof y, &out));
    OK(ocl_kernel_get(q, "chain_check", "chain_check", "", &k));
    OK(ocl_write(q, in, 0, sizeof x, x));
    OK(ocl_run(k, (size_t[2]){N, 1}, (size_t[2]){16, 1},
               OCL_ARGS(ocl_u(N), ocl_u(7), ocl_f(2.5), ocl_b(in), ocl_b(out))));
    OK(ocl_read(q, out, 0, sizeof y, y));
    ref_chain_check(N, 7, 2.5, dx, want);
    check_close("chain_check", y, want, N, 1e-6, 4e-6); /* some roundings, and a root that may be off by 3 of them */
    ocl_buf_free(in);
    ocl_buf_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_chain_check)};
    return cmocka_run_group_tests_name("chain_check", tests, device_open, device_close);
}
