/* GEMM provider `clblast`: the only file that sees clblast_c.h. CLBlast gets its scratch from us, so it creates no
 * buffer. */
#include "inside.h"

#include <clblast_c.h>

/* Of the kernel "Xgemm", all of them, and the side from which on products take it rather than the one for small
 * products (the routine's XGEMM_MIN_INDIRECT_SIZE). MWG 0: the library's own, which it has for many devices. */
enum { MWG, NWG, KWG, MDIMC, NDIMC, MDIMA, NDIMB, KWI, VWM, VWN, STRM, STRN, SA, SB, GEMMK, KREG, INDIRECT, PARAMS };

/* values as in CLBlast's own tuner, src/tuning/kernels/xgemm.hpp */
static const struct gemm_param params[] = {
    {"MWG", 5, {0, 16, 32, 64, 128}}, {"NWG", 5, {0, 16, 32, 64, 128}}, {"KWG", 4, {0, 1, 16, 32}},
    {"MDIMC", 4, {0, 8, 16, 32}},     {"NDIMC", 4, {0, 8, 16, 32}},     {"MDIMA", 4, {0, 8, 16, 32}},
    {"NDIMB", 4, {0, 8, 16, 32}},     {"KWI", 3, {0, 1, 2}},            {"VWM", 5, {0, 1, 2, 4, 8}},
    {"VWN", 5, {0, 1, 2, 4, 8}},      {"STRM", 2, {0, 1}},              {"STRN", 2, {0, 1}},
    {"SA", 2, {0, 1}},                {"SB", 2, {0, 1}},                {"GEMMK", 2, {0, 1}},
    {"KREG", 5, {0, 1, 2, 4, 8}},     {"XGEMM_MIN_INDIRECT_SIZE", 4, {0, 64, 256, 1024}}, {0}};

/* in the order above; measured to be good on more than one GPU */
static const int known[][GEMM_PARAMS_MAX] = {
    {[INDIRECT] = 64},
    {128, 64, 32, 8, 16, 16, 32, 2, 8, 2, 0, 0, 1, 1, 0, 1, 64},
    {64, 64, 16, 8, 8, 8, 8, 2, 4, 4, 0, 0, 1, 1, 0, 1, 64},
    {64, 64, 32, 16, 16, 16, 16, 2, 4, 4, 0, 0, 1, 1, 0, 1, 64},
    {64, 64, 32, 16, 16, 16, 16, 2, 2, 2, 0, 0, 1, 1, 0, 1, 64},
    {128, 128, 16, 16, 16, 16, 16, 2, 4, 4, 0, 0, 1, 1, 0, 1, 64},
    {128, 128, 32, 16, 16, 16, 16, 2, 4, 2, 0, 0, 1, 1, 0, 1, 64},
    {128, 128, 16, 16, 8, 16, 8, 2, 4, 4, 0, 0, 1, 1, 0, 1, 64},
    {64, 64, 32, 8, 8, 8, 8, 2, 2, 2, 0, 0, 1, 1, 0, 1, 64},
    {32, 32, 16, 8, 8, 8, 8, 2, 2, 2, 0, 0, 1, 1, 0, 1, 64},
};

/* A side of the tile is dealt out to work-items in vectors, without a rest: when computing (by `c`) and when loading
 * (by `l`). */
static bool deals(int side, int c, int l, int vector)
{
    return side % (c * vector) == 0 && side % (l * vector) == 0;
}

/* The rules of CLBlast's kernels: src/kernels/level3/xgemm_part1.opencl and its tuner's constraints. */
static const char *refuse(const struct ocl_facts *f, const int *p)
{
    if (p[MWG] == 0) {
        for (int i = 0; i < INDIRECT; i++)
            if (p[i])
                return "MWG 0 stands for the library's own parameters, and others are given";
        return NULL;
    }
    for (int i = 0; i < PARAMS; i++)
        if (!p[i] && i != STRM && i != STRN && i != SA && i != SB && i != GEMMK && i != INDIRECT)
            return "a parameter is 0 or missing";
    int items = p[MDIMC] * p[NDIMC];
    if (!deals(p[MWG], p[MDIMC], p[MDIMA], p[VWM]))
        return "MWG is no multiple of MDIMC * VWM and MDIMA * VWM";
    if (!deals(p[NWG], p[NDIMC], p[NDIMB], p[VWN]))
        return "NWG is no multiple of NDIMC * VWN and NDIMB * VWN";
    if (p[KWG] % p[KWI])
        return "KWG is no multiple of KWI";
    if (items % p[MDIMA] || items % p[NDIMB])
        return "MDIMC * NDIMC is no multiple of MDIMA and NDIMB";
    if ((size_t)items > f->work_group_max)
        return "work-groups of MDIMC * NDIMC are larger than the device's";
    if (p[GEMMK] == 0) {
        if (p[KWG] % (items / p[MDIMA]) || p[KWG] % (items / p[NDIMB]))
            return "KWG is no multiple of MDIMC * NDIMC / MDIMA and MDIMC * NDIMC / NDIMB";
        if (p[KREG] != 1)
            return "KREG is not 1 with GEMMK 0";
        if (sizeof(float) * (size_t)(p[KWG] * (p[SA] * p[MWG] + p[SB] * p[NWG])) > f->local_bytes)
            return "the tiles of SA and SB are larger than the device's local memory";
        return NULL;
    }
    if (p[MWG] != p[NWG]) /* CLBlast 1.5.3 and 1.6 compute wrong values then */
        return "GEMMK is 1 and MWG is not NWG";
    if (p[MDIMA] != p[MDIMC] || p[NDIMB] != p[NDIMC] || p[SA] || p[SB] || p[STRM] || p[STRN] || p[KREG] % p[VWN])
        return "GEMMK is 1, which wants MDIMA = MDIMC, NDIMB = NDIMC, no SA SB STRM STRN, KREG a multiple of VWN";
    return NULL;
}

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

/* The library keeps them per device for the whole process. */
static enum st set(struct mx *m, const struct gemm_how *how)
{
    enum st s = ST_OK;
    const char *name[PARAMS];
    size_t value[PARAMS];
    cl_device_id device = ocl_device_native(ocl_queue_device(m->queue));
    for (int i = 0; i < PARAMS; i++) {
        name[i] = params[i].name;
        value[i] = (size_t)how->param[i];
    }
    if (how->param[MWG])
        TRY(check(m, CLBlastOverrideParameters(device, "Xgemm", CLBlastPrecisionSingle, INDIRECT, name, value),
                  "CLBlastOverrideParameters"));
    if (how->param[INDIRECT])
        TRY(check(m, CLBlastOverrideParameters(device, "GemmRoutine", CLBlastPrecisionSingle, 1, name + INDIRECT,
                                               value + INDIRECT), "CLBlastOverrideParameters"));
out:
    return s;
}

/* CLBlast 1.5.3 compiles a routine at its first use. One tiny product of the form from this thread, before any step,
 * takes both its time and its race between threads out of the way. */
static enum st prepare(struct mx *m, struct gemm_how *how, const struct gemm_call *g)
{
    enum st s = ST_OK;
    struct ocl_buf *buf = NULL;
    ocl_compiling_begin();
    TRY(ocl_buf_create(ocl_queue_device(m->queue), 64 * sizeof(float), &buf));
    TRY(ocl_zero(m->queue, buf, 0, 64 * sizeof(float)));
    struct mx_tensor t = mx_view(buf, 0, 2, 2);
    TRY(gemm_clblast.run(m, how, &(struct gemm_call){.trans_a = g->trans_a, .trans_b = g->trans_b, .M = 2, .N = 2,
                                                     .K = 2, .alpha = 1, .a = t, .b = t,
                                                     .c = mx_view(buf, 32, 2, 2)}));
    TRY(ocl_wait(m->queue));
out:
    ocl_compiling_end();
    ocl_buf_free(buf);
    return s;
}

static enum st scratch(struct mx *m, const struct gemm_how *how, const struct gemm_call *g, size_t *floats)
{
    (void)how;
    void *native;
    size_t bytes = 0;
    enum st s = ocl_queue_native(m->queue, &native);
    cl_command_queue queue = native;
    if (s != ST_OK)
        return s;
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
    void *native;
    enum st s = ocl_queue_native(m->queue, &native);
    cl_command_queue queue = native;
    if (s != ST_OK)
        return s;
    if (fault_here())
        return check(m, CLBlastOpenCLOutOfResources, "CLBlastSgemmWithTempBuffer");
    CLBlastStatusCode code = CLBlastSgemmWithTempBuffer(
        CLBlastLayoutRowMajor, transpose(g->trans_a), transpose(g->trans_b), (size_t)g->M, (size_t)g->N, (size_t)g->K,
        g->alpha, ocl_buf_native(g->a.buf), g->a.off, (size_t)g->a.ld, ocl_buf_native(g->b.buf), g->b.off,
        (size_t)g->b.ld, g->beta, ocl_buf_native(g->c.buf), g->c.off, (size_t)g->c.ld, &queue,
        (cl_event *)ocl_trace_slot(m->queue, "clblast gemm"), m->scratch ? ocl_buf_native(m->scratch) : NULL);
    return check(m, code, "CLBlastSgemmWithTempBuffer");
}

const struct gemm_provider gemm_clblast = {
    .name = "clblast", .params = params, .prepare = prepare, .scratch = scratch, .run = run, .known = known,
    .known_count = COUNT_OF(known), .refuse = refuse, .set = set};
