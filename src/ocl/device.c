/* Opened devices (a context each), sub-devices, and buffers. */
#include "inside.h"

#include <stdio.h>

static enum st open_part(struct ocl_device *d, const struct ocl_pick *pick)
{
    enum st s = ST_OK;
    cl_device_id *ids = NULL;
    cl_uint n = 0, units = d->facts.compute_units / (cl_uint)pick->parts;
    const cl_device_partition_property how[] = {CL_DEVICE_PARTITION_EQUALLY, (cl_device_partition_property)units, 0};
    cl_device_id whole = d->id;
    TRY(ocl_check(OCL_CALL(clCreateSubDevices(whole, how, 0, NULL, &n)), "clCreateSubDevices", d));
    if (n < (cl_uint)pick->parts)
        TRY(st_fail(ST_DEVICE, "device %s was split into %u parts, not %d", d->label, n, pick->parts));
    TRY(NEW(ids, n));
    TRY(ocl_check(OCL_CALL(clCreateSubDevices(whole, how, n, ids, NULL)), "clCreateSubDevices", d));
    d->id = ids[pick->part];
    d->facts.compute_units = units;
    if (pick->emulation.slowness == 0) /* they share it, whatever each is told to have */
        d->facts.memory_bytes /= (uint64_t)pick->parts;
    d->facts.parts_max = 1;
    for (cl_uint i = 0; i < n; i++)
        if (i != (cl_uint)pick->part)
            clReleaseDevice(ids[i]);
out:
    mem_free(ids);
    return s;
}

enum st ocl_device_open(const struct ocl_world *w, const struct ocl_pick *pick, struct ocl_device **out)
{
    enum st s = ST_OK;
    struct ocl_device *d = NULL;
    cl_int code = CL_OUT_OF_RESOURCES;
    TRY(NEW(d, 1));
    d->facts = w->facts[pick->device];
    d->id = w->device_id[pick->device];
    const struct ocl_facts *f = &d->facts;
    snprintf(d->platform_version, sizeof d->platform_version, "%s", w->platform[f->platform].version);
    if (pick->parts > 1)
        snprintf(d->label, sizeof d->label, "%d:%d/%d#%d %s", f->platform, f->index, pick->parts, pick->part, f->name);
    else
        snprintf(d->label, sizeof d->label, "%d:%d %s", f->platform, f->index, f->name);
    if (!f->available)
        TRY(st_fail(ST_INPUT, "device %s is not available now", d->label));
    if (!f->compiler)
        TRY(st_fail(ST_INPUT, "device %s has no compiler for OpenCL C", d->label));
    if (pick->parts > 1)
        TRY(open_part(d, pick));
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM,
                                                (cl_context_properties)w->platform_id[f->platform], 0};
    if (!fault_here())
        d->context = clCreateContext(properties, 1, &d->id, NULL, NULL, &code);
    TRY(ocl_check(code, "clCreateContext", d));
    TRY(monitor_open(&d->linking));
    TRY(monitor_open(&d->checking));
    *out = d;
    d = NULL;
out:
    ocl_device_close(d);
    return s;
}

void ocl_device_close(struct ocl_device *d)
{
    if (!d)
        return;
    chain_parts_free(d);
    ocl_programs_free(d);
    monitor_close(d->linking);
    monitor_close(d->checking);
    if (d->context)
        clReleaseContext(d->context);
    /* a part is small and never released: PoCL 3.1's threads look at it even after clFinish, and would crash */
    mem_free(d);
}

const struct ocl_facts *ocl_device_facts(const struct ocl_device *d)
{
    return &d->facts;
}

void *ocl_device_native(const struct ocl_device *d)
{
    return d->id;
}

const char *ocl_device_label(const struct ocl_device *d)
{
    return d->label;
}

uint64_t ocl_device_bytes(const struct ocl_device *d)
{
    return d->bytes;
}

uint64_t ocl_memory_usable(const struct ocl_facts *f)
{
    return f->memory_bytes - f->memory_bytes / 10;
}

static bool memory_fits(const struct ocl_facts *f, uint64_t bytes)
{
    return !f->memory_bytes || bytes <= ocl_memory_usable(f);
}

static bool buffer_fits(const struct ocl_facts *f, uint64_t bytes)
{
    return !f->buffer_bytes_max || bytes <= f->buffer_bytes_max;
}

bool ocl_fits(const struct ocl_facts *f, uint64_t total, uint64_t largest)
{
    return memory_fits(f, total) && buffer_fits(f, largest);
}

enum st ocl_check_fits(const struct ocl_device *d, uint64_t total, uint64_t largest, const char *who,
                       const char *advice)
{
    const struct ocl_facts *f = &d->facts;
    char need[32], usable[32], all[32];
    if (!memory_fits(f, total))
        return st_fail(ST_INPUT, "%s needs %s on device %s, where %s of %s may be used (a tenth stays free): %s", who,
                       show_bytes(need, sizeof need, total), d->label,
                       show_bytes(usable, sizeof usable, ocl_memory_usable(f)),
                       show_bytes(all, sizeof all, f->memory_bytes), advice);
    if (buffer_fits(f, largest))
        return ST_OK;
    return st_fail(ST_INPUT, "%s needs a buffer of %s on device %s, where one holds %s at most: %s", who,
                   show_bytes(need, sizeof need, largest), d->label,
                   show_bytes(all, sizeof all, f->buffer_bytes_max), advice);
}

enum st ocl_buf_create(struct ocl_device *d, size_t bytes, struct ocl_buf **out)
{
    enum st s = ST_OK;
    struct ocl_buf *b = NULL;
    cl_int code = CL_OUT_OF_RESOURCES;
    char want[32], limit[32];
    if (!buffer_fits(&d->facts, bytes))
        TRY(st_fail(ST_DEVICE, "device %s: a buffer of %s asked, %s is the most one may hold", d->label,
                    show_bytes(want, sizeof want, bytes), show_bytes(limit, sizeof limit, d->facts.buffer_bytes_max)));
    TRY(NEW(b, 1));
    b->device = d;
    b->bytes = bytes ? bytes : 4; /* OpenCL knows no empty buffer */
    if (!fault_here())
        b->handle = clCreateBuffer(d->context, CL_MEM_READ_WRITE, b->bytes, NULL, &code);
    TRY(ocl_check(code, "clCreateBuffer", d));
    d->bytes += b->bytes;
    OCL_COUNT(buffers);
    *out = b;
    b = NULL;
out:
    mem_free(b);
    return s;
}

void ocl_buf_free(struct ocl_buf *b)
{
    if (!b)
        return;
    b->device->bytes -= b->bytes;
    clReleaseMemObject(b->handle);
    mem_free(b);
}

size_t ocl_buf_bytes(const struct ocl_buf *b)
{
    return b->bytes;
}

void *ocl_buf_native(const struct ocl_buf *b)
{
    return b->handle;
}

enum st ocl_pinned_open(struct ocl_queue *q, size_t bytes, struct ocl_pinned **out)
{
    enum st s = ST_OK;
    struct ocl_pinned *p = NULL;
    cl_int code = CL_OUT_OF_RESOURCES;
    TRY(NEW(p, 1));
    p->queue = q;
    if (!fault_here())
        p->handle = clCreateBuffer(q->device->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes ? bytes : 4,
                                   NULL, &code);
    TRY(ocl_check(code, "clCreateBuffer", q->device));
    OCL_COUNT(buffers);
    code = CL_OUT_OF_RESOURCES;
    if (!fault_here())
        p->data = clEnqueueMapBuffer(q->handle, p->handle, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, bytes ? bytes : 4, 0,
                                     NULL, NULL, &code);
    TRY(ocl_check(code, "clEnqueueMapBuffer", q->device));
    *out = p;
    p = NULL;
out:
    ocl_pinned_free(p);
    return s;
}

void *ocl_pinned_data(const struct ocl_pinned *p)
{
    return p->data;
}

void ocl_pinned_free(struct ocl_pinned *p)
{
    if (!p)
        return;
    if (p->data && clEnqueueUnmapMemObject(p->queue->handle, p->handle, p->data, 0, NULL, NULL) == CL_SUCCESS)
        clFinish(p->queue->handle);
    if (p->handle)
        clReleaseMemObject(p->handle);
    mem_free(p);
}
