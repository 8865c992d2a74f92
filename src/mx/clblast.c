/* GEMM provider `clblast`: the only file that sees clblast_c.h. CLBlast gets its scratch from us, so it creates no
 * buffer. */
#include "inside.h"

#include <clblast_c.h>

static CLBlastTranspose transpose(bool yes)
{
    return yes ? CLBlastTransposeYes : CLBlastTransposeNo;
}

static enum st check(struct mx *m, CLBlastStatusCode code, const char *what)
{
    if (code == CLBlastSuccess)
        return ST_OK;
    return st_fail(ST_DEVICE, "%s failed: %s (%d) on device %s", what,
                   (int)code > -1024 ? ocl_error_name((int)code) : "see CLBlast's status codes", (int)code,
                   ocl_device_label(ocl_queue_device(m->queue)));
}

/* CLBlast 1.5.3 compiles a routine at its first use. One tiny product of the form from this thread, before any step,
 * takes both its time and its race between threads out of the way. */
static enum st prepare(struct mx *m, struct gemm_how *how, const struct gemm_call *g)
{
    enum st s = ST_OK;
    struct ocl_buf *buf = NULL;
    TRY(ocl_buf_create(ocl_queue_device(m->queue), 64 * sizeof(float), &buf));
    TRY(ocl_zero(m->queue, buf, 0, 64 * sizeof(float)));
    struct mx_tensor t = mx_view(buf, 0, 2, 2);
    TRY(gemm_clblast.run(m, how, &(struct gemm_call){.trans_a = g->trans_a, .trans_b = g->trans_b, .M = 2, .N = 2,
                                                     .K = 2, .alpha = 1, .a = t, .b = t,
                                                     .c = mx_view(buf, 32, 2, 2)}));
    TRY(ocl_wait(m->queue));
out:
    ocl_buf_free(buf);
    return s;
}

static enum st scratch(struct mx *m, const struct gemm_how *how, const struct gemm_call *g, size_t *floats)
{
    (void)how;
    cl_command_queue queue = ocl_queue_native(m->queue);
    size_t bytes = 0;
    /* offset 1: a matrix at an offset needs a copy where one at 0 would not, and views lie anywhere */
    CLBlastStatusCode code = CLBlastSGemmTempBufferSize(
        CLBlastLayoutRowMajor, transpose(g->trans_a), transpose(g->trans_b), (size_t)g->M, (size_t)g->N, (size_t)g->K,
        1, (size_t)g->a.ld, 1, (size_t)g->b.ld, 1, (size_t)g->c.ld, &queue, &bytes);
    *floats = (bytes + sizeof(float) - 1) / sizeof(float);
    return check(m, code, "CLBlastSGemmTempBufferSize");
}

static enum st run(struct mx *m, struct gemm_how *how, const struct gemm_call *g)
{
    (void)how;
    cl_command_queue queue = ocl_queue_native(m->queue);
    if (fault_here())
        return check(m, CLBlastOpenCLOutOfResources, "CLBlastSgemmWithTempBuffer");
    CLBlastStatusCode code = CLBlastSgemmWithTempBuffer(
        CLBlastLayoutRowMajor, transpose(g->trans_a), transpose(g->trans_b), (size_t)g->M, (size_t)g->N, (size_t)g->K,
        g->alpha, ocl_buf_native(g->a.buf), g->a.off, (size_t)g->a.ld, ocl_buf_native(g->b.buf), g->b.off,
        (size_t)g->b.ld, g->beta, ocl_buf_native(g->c.buf), g->c.off, (size_t)g->c.ld, &queue,
        (cl_event *)ocl_trace_slot(m->queue, "clblast gemm"), m->scratch ? ocl_buf_native(m->scratch) : NULL);
    return check(m, code, "CLBlastSgemmWithTempBuffer");
}

const struct gemm_provider gemm_clblast = {.name = "clblast", .prepare = prepare, .scratch = scratch, .run = run};
