/* Queues, kernels, launches, transfers, counters, and times from the device's own profiling. */
#include "inside.h"

#include <stdio.h>
#include <string.h>

struct ocl_counters ocl_counters;

struct ocl_counts ocl_counts(void)
{
#define GET(field) .field = atomic_load_explicit(&ocl_counters.field, memory_order_relaxed)
    return (struct ocl_counts){GET(buffers), GET(programs), GET(kernels), GET(compiled), GET(launches),
                               GET(writes), GET(reads), GET(waits)};
#undef GET
}

/* The device's clock against the host's, from a marker that ends about now; they may be one and the same. */
static void compare_clocks(struct ocl_queue *q)
{
    cl_event e = NULL;
    cl_ulong end = 0;
    if (q->profiled && clEnqueueMarkerWithWaitList(q->handle, 0, NULL, &e) == CL_SUCCESS) {
        if (clWaitForEvents(1, &e) == CL_SUCCESS &&
            clGetEventProfilingInfo(e, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) == CL_SUCCESS && end)
            q->clock_offset_ns = (int64_t)clock_ns() - (int64_t)end;
        clReleaseEvent(e);
    }
}

enum st ocl_queue_open(struct ocl_device *d, struct ocl_queue **out)
{
    enum st s = ST_OK;
    struct ocl_queue *q = NULL;
    cl_int code = CL_OUT_OF_RESOURCES;
    TRY(NEW(q, 1));
    q->device = d;
    if (!fault_here()) {
        q->handle = clCreateCommandQueue(d->context, d->id, CL_QUEUE_PROFILING_ENABLE, &code);
        q->profiled = code == CL_SUCCESS;
        if (!q->profiled) /* a device may know no profiling */
            q->handle = clCreateCommandQueue(d->context, d->id, 0, &code);
    }
    TRY(ocl_check(code, "clCreateCommandQueue", d));
    compare_clocks(q);
    *out = q;
    q = NULL;
out:
    ocl_queue_close(q);
    return s;
}

static void forget_events(struct ocl_queue *q)
{
    for (int i = 0; i < q->events; i++)
        if (q->event[i])
            clReleaseEvent(q->event[i]);
    q->events = 0;
}

void ocl_queue_close(struct ocl_queue *q)
{
    if (!q)
        return;
    if (q->handle)
        clFinish(q->handle);
    forget_events(q);
    chain_free(q->chain);
    while (q->kernels) {
        struct ocl_kernel *next = q->kernels->next;
        clReleaseKernel(q->kernels->handle);
        mem_free(q->kernels);
        q->kernels = next;
    }
    if (q->handle)
        clReleaseCommandQueue(q->handle);
    mem_free(q);
}

struct ocl_device *ocl_queue_device(const struct ocl_queue *q)
{
    return q->device;
}

enum st ocl_queue_native(struct ocl_queue *q, void **out)
{
    *out = q->handle;
    return chain_flush(q);
}

/* ---- transfers --------------------------------------------------------------------------------------------------- */

/* Before a transfer: its range, and launches that were gathered go first. */
static enum st begin_transfer(struct ocl_queue *q, const struct ocl_buf *b, size_t offset, size_t bytes)
{
    if (offset > b->bytes || bytes > b->bytes - offset)
        return st_fail(ST_INTERNAL, "transfer of %zu bytes at %zu in a buffer of %zu", bytes, offset, b->bytes);
    return chain_flush(q);
}

enum st ocl_write(struct ocl_queue *q, struct ocl_buf *b, size_t offset, size_t bytes, const void *src)
{
    enum st s = begin_transfer(q, b, offset, bytes);
    if (s != ST_OK || bytes == 0)
        return s;
    OCL_COUNT(writes);
    return ocl_check(OCL_CALL(clEnqueueWriteBuffer(q->handle, b->handle, CL_FALSE, offset, bytes, src, 0, NULL, NULL)),
                     "clEnqueueWriteBuffer", q->device);
}

enum st ocl_read(struct ocl_queue *q, struct ocl_buf *b, size_t offset, size_t bytes, void *dst)
{
    enum st s = begin_transfer(q, b, offset, bytes);
    if (s != ST_OK || bytes == 0)
        return s;
    OCL_COUNT(waits);
    s = ocl_check(OCL_CALL(clEnqueueReadBuffer(q->handle, b->handle, CL_TRUE, offset, bytes, dst, 0, NULL, NULL)),
                  "clEnqueueReadBuffer", q->device);
    return s != ST_OK ? s : chain_waited(q);
}

enum st ocl_zero(struct ocl_queue *q, struct ocl_buf *b, size_t offset, size_t bytes)
{
    static const cl_uint zero = 0;
    enum st s = begin_transfer(q, b, offset, bytes);
    if (s != ST_OK || bytes == 0)
        return s;
    OCL_COUNT(writes);
    return ocl_check(OCL_CALL(clEnqueueFillBuffer(q->handle, b->handle, &zero, sizeof zero, offset, bytes, 0, NULL,
                     NULL)), "clEnqueueFillBuffer", q->device);
}

enum st ocl_wait(struct ocl_queue *q)
{
    enum st s = chain_flush(q);
    OCL_COUNT(waits);
    cl_int code = clFinish(q->handle);
    if (fault_here()) /* behind the wait: after a failed one nothing runs any more, so callers free what they sent */
        code = CL_OUT_OF_RESOURCES;
    return s != ST_OK ? s : ocl_check(code, "clFinish", q->device);
}

enum st ocl_flush(struct ocl_queue *q)
{
    enum st s = chain_flush(q);
    return s != ST_OK ? s : ocl_check(OCL_CALL(clFlush(q->handle)), "clFlush", q->device);
}

static cl_event *event_of(struct ocl_queue *q, struct ocl_event *e)
{
    *e = (struct ocl_event){.queue = q};
    return (cl_event *)&e->handle;
}

enum st ocl_write_start(struct ocl_queue *q, struct ocl_buf *b, size_t offset, size_t bytes, const void *src,
                        struct ocl_event *e)
{
    enum st s = begin_transfer(q, b, offset, bytes);
    if (s != ST_OK)
        return s;
    OCL_COUNT(writes);
    return ocl_check(OCL_CALL(clEnqueueWriteBuffer(q->handle, b->handle, CL_FALSE, offset, bytes, src, 0, NULL,
                                                   event_of(q, e))), "clEnqueueWriteBuffer", q->device);
}

enum st ocl_read_start(struct ocl_queue *q, struct ocl_buf *b, size_t offset, size_t bytes, void *dst,
                       struct ocl_event *e)
{
    enum st s = begin_transfer(q, b, offset, bytes);
    if (s != ST_OK)
        return s;
    OCL_COUNT(reads);
    return ocl_check(OCL_CALL(clEnqueueReadBuffer(q->handle, b->handle, CL_FALSE, offset, bytes, dst, 0, NULL,
                                                  event_of(q, e))), "clEnqueueReadBuffer", q->device);
}

enum st ocl_event_wait(struct ocl_event *e)
{
    if (!e->handle)
        return ST_OK;
    cl_event handle = e->handle;
    OCL_COUNT(waits);
    cl_int code = clWaitForEvents(1, &handle);
    clReleaseEvent(handle);
    e->handle = NULL;
    if (fault_here()) /* behind the wait, as in ocl_wait() */
        code = CL_OUT_OF_RESOURCES;
    return ocl_check(code, "clWaitForEvents", e->queue->device);
}

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

enum st ocl_kernel_get(struct ocl_queue *q, const char *file, const char *name, const char *options,
                       struct ocl_kernel **out)
{
    enum st s = ST_OK;
    struct ocl_kernel *k = NULL;
    cl_int code = CL_OUT_OF_RESOURCES;
    const struct ocl_program *program;
    TRY(ocl_program_get(q->device, file, options, &program));
    for (struct ocl_kernel *known = q->kernels; known; known = known->next)
        if (known->program == program && strcmp(known->name, name) == 0) {
            *out = known;
            return ST_OK;
        }
    TRY(NEW(k, 1));
    k->queue = q;
    k->program = program;
    snprintf(k->name, sizeof k->name, "%s", name);
    ocl_compiling_begin();
    if (!fault_here())
        k->handle = clCreateKernel(program->handle, name, &code);
    ocl_compiling_end();
    TRY(st_context(ocl_check(code, "clCreateKernel", q->device), "kernel %s of %s.cl", name, file));
    if (clGetKernelWorkGroupInfo(k->handle, q->device->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof k->group_max,
                                 &k->group_max, NULL) != CL_SUCCESS || k->group_max == 0)
        k->group_max = q->device->facts.work_group_max;
    OCL_COUNT(kernels);
    k->next = q->kernels;
    q->kernels = k;
    *out = k;
    k = NULL;
out:
    mem_free(k);
    return s;
}

void ocl_kernel_chains(struct ocl_kernel *k)
{
    k->chains = true;
}

static cl_int set_arg(cl_kernel kernel, cl_uint i, const struct ocl_arg *arg)
{
    switch (arg->kind) {
    case OCL_ARG_BUF: {
        cl_mem handle = arg->is.buf ? arg->is.buf->handle : NULL;
        return clSetKernelArg(kernel, i, sizeof handle, &handle);
    }
    case OCL_ARG_STRUCT:
        return clSetKernelArg(kernel, i, arg->bytes, arg->is.data);
    case OCL_ARG_U32:
        return clSetKernelArg(kernel, i, sizeof arg->is.u32, &arg->is.u32);
    case OCL_ARG_F32:
        return clSetKernelArg(kernel, i, sizeof arg->is.f32, &arg->is.f32);
    }
    return CL_INVALID_ARG_VALUE;
}

enum st ocl_run(struct ocl_kernel *k, const size_t items[2], const size_t group[2], const struct ocl_arg *args, int n)
{
    if (items[0] == 0 || items[1] == 0)
        return ST_OK;
    if (k->chains && ocl_chain_open(k->queue))
        return chain_add(k, items, group, args, n);
    enum st s = chain_flush(k->queue);
    return s != ST_OK ? s : ocl_launch_now(k, items, group, args, n);
}

static cl_int enqueue(struct ocl_queue *q, cl_kernel handle, const char *name, const size_t global[2],
                      const size_t local[2])
{
    return OCL_CALL(clEnqueueNDRangeKernel(q->handle, handle, 2, NULL, global, local, 0, NULL,
                                           (cl_event *)ocl_trace_slot(q, name)));
}

cl_int ocl_enqueue(struct ocl_queue *q, cl_kernel handle, const char *name, const size_t global[2],
                   const size_t local[2], bool *launched)
{
    OCL_COUNT(launches);
    if (*launched)
        return enqueue(q, handle, name, global, local);
    clFinish(q->handle); /* from here to its end nothing but what it takes, compiling nearly all of it */
    ocl_compiling_begin();
    cl_int code = enqueue(q, handle, name, global, local);
    clFinish(q->handle);
    ocl_compiling_end();
    *launched = true;
    return code;
}

enum st ocl_launch_now(struct ocl_kernel *k, const size_t items[2], const size_t group[2], const struct ocl_arg *args,
                       int n)
{
    struct ocl_queue *q = k->queue;
    for (int i = 0; i < n; i++) {
        cl_int code = set_arg(k->handle, (cl_uint)i, &args[i]);
        if (code != CL_SUCCESS)
            return st_context(ocl_check(code, "clSetKernelArg", q->device), "kernel %s, argument %d", k->name, i);
    }
    size_t local[2] = {group[0], group[1]}, global[2];
    while (local[0] * local[1] > k->group_max)
        if (local[1] > 1)
            local[1] = (local[1] + 1) / 2;
        else
            local[0] = (local[0] + 1) / 2;
    for (int i = 0; i < 2; i++)
        global[i] = (items[i] + local[i] - 1) / local[i] * local[i];
    cl_int code = ocl_enqueue(q, k->handle, k->name, global, local, &k->launched);
    return st_context(ocl_check(code, "clEnqueueNDRangeKernel", q->device), "kernel %s", k->name);
}

/* ---- times ------------------------------------------------------------------------------------------------------- */

enum st ocl_trace_begin(struct ocl_queue *q, enum ocl_trace what)
{
    enum st s = chain_flush(q);
    forget_events(q);
    q->tracing = q->profiled;
    q->apart = what == OCL_TRACE_KERNELS;
    return s;
}

enum st ocl_trace_end(struct ocl_queue *q)
{
    enum st s = chain_flush(q);
    q->tracing = q->apart = false;
    return s;
}

void ocl_trace_work(struct ocl_queue *q, double flops, double bytes)
{
    q->flops = flops;
    q->bytes = bytes;
}

void **ocl_trace_slot(struct ocl_queue *q, const char *name)
{
    if (!q->tracing || q->events == OCL_TRACE_MAX)
        return NULL;
    q->launch[q->events] = (struct ocl_launch){.name = name, .flops = q->flops, .bytes = q->bytes};
    q->flops = q->bytes = 0;
    q->event[q->events] = NULL;
    return (void **)&q->event[q->events++];
}

struct ocl_times ocl_trace_read(struct ocl_queue *q, struct ocl_launch each[OCL_TRACE_MAX])
{
    struct ocl_times t = {.launches = q->profiled ? q->events : -1};
    cl_ulong end_before = 0;
    for (int i = 0; i < q->events; i++) {
        cl_ulong start = 0, end = 0;
        cl_event e = q->event[i];
        if (!e || clGetEventProfilingInfo(e, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL) != CL_SUCCESS ||
            clGetEventProfilingInfo(e, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) != CL_SUCCESS) {
            t.launches = -1;
            break;
        }
        if (start < end_before) /* time that two launches share counts once */
            start = end_before;
        q->launch[i].start_ns = (uint64_t)((int64_t)start + q->clock_offset_ns);
        q->launch[i].gap_ns = i > 0 ? start - end_before : 0;
        q->launch[i].ns = end > start ? end - start : 0;
        t.busy_ns += q->launch[i].ns;
        if (each)
            each[i] = q->launch[i];
        end_before = end > end_before ? end : end_before;
    }
    forget_events(q);
    return t;
}
