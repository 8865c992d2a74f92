/* What a device can do at most: multiply-adds without memory. (Its memory's speed is that of mx_act's copy.) */
#include "inside.h"

enum { CHAINS = 12 }; /* as in cl/peak.cl */

enum st mx_fma_chains(struct mx *m, uint32_t loops, float a, float b, struct mx_tensor out)
{
    struct ocl_kernel *k;
    size_t n = mx_size(out);
    enum st s = mx_kernel(m, K_FMA_CHAINS, MX_IDENTITY, &k);
    if (s != ST_OK)
        return s;
    ocl_trace_work(m->queue, mx_fma_flops(m, loops, out), 0);
    /* on a CPU a group is a thread's piece of work: one work-item each lets few of them fill all cores */
    bool cpu = mx_on_cpu(m);
    return ocl_run(k, (size_t[2]){n, 1}, (size_t[2]){cpu ? 1 : m->group, 1},
                   OCL_ARGS(ocl_u(n), ocl_u(loops), ocl_f(a), ocl_f(b), MX_ARG(out)));
}

double mx_fma_flops(const struct mx *m, uint32_t loops, struct mx_tensor out)
{
    return 2.0 * CHAINS * m->vec * (double)loops * (double)mx_size(out);
}
