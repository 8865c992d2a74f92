/* What the files of this floor share; nobody else includes it. */
#ifndef CLUTCH_OCL_INSIDE_H
#define CLUTCH_OCL_INSIDE_H

#include "ocl.h"

#include <CL/cl.h>
#include <stdatomic.h>

struct ocl_world {
    int platform_count, device_count;
    struct ocl_platform_facts *platform; /* (platform_count) */
    struct ocl_facts *facts;             /* (device_count) */
    cl_platform_id *platform_id;         /* (platform_count) */
    cl_device_id *device_id;             /* (device_count) */
};

struct ocl_program {
    struct ocl_program *next;
    cl_program handle;
    char *file, *options; /* behind this struct, one allocation */
};

struct ocl_device {
    struct ocl_facts facts;
    char label[320];
    char platform_version[128];
    cl_device_id id;
    cl_context context;
    struct ocl_program *programs;
    uint64_t bytes; /* in buffers; the thread that opened the device writes and reads */
    bool told_compiling;
};

struct ocl_buf {
    struct ocl_device *device;
    cl_mem handle;
    size_t bytes;
};

struct ocl_pinned {
    struct ocl_queue *queue;
    cl_mem handle;
    void *data;
};

struct ocl_kernel {
    struct ocl_kernel *next;
    struct ocl_queue *queue;
    cl_kernel handle;
    size_t group_max;
    const struct ocl_program *program;
    char name[64];
};

struct ocl_queue {
    struct ocl_device *device;
    cl_command_queue handle;
    struct ocl_kernel *kernels;
    bool profiled, tracing;
    int64_t clock_offset_ns; /* host clock less device clock */
    int events; /* of the trace, at most OCL_TRACE_MAX */
    cl_event event[OCL_TRACE_MAX];
    struct ocl_launch launch[OCL_TRACE_MAX]; /* of each event; ns is filled when read */
    double flops, bytes;                     /* of the next launch */
};

/* Counters of ocl_counts(): any thread adds; tests and reports read. */
struct ocl_counters {
    _Atomic uint64_t buffers, programs, kernels, launches, writes, reads, waits;
};
extern struct ocl_counters ocl_counters;

#define OCL_COUNT(field) atomic_fetch_add_explicit(&ocl_counters.field, 1, memory_order_relaxed)

/* The code of an OpenCL call; a fault point makes it CL_OUT_OF_RESOURCES without calling. */
#define OCL_CALL(call) (fault_here() ? CL_OUT_OF_RESOURCES : (call))

/* TRY(ocl_check(OCL_CALL(clX(...)), "clX", device)) */
#define ocl_check(code, what, device) ocl_check_at(__FILE__, __LINE__, (code), (what), (device))
MUST_USE enum st ocl_check_at(const char *file, int line, cl_int code, const char *what, const struct ocl_device *d);

MUST_USE enum st ocl_program_get(struct ocl_device *d, const char *file, const char *options,
                                 const struct ocl_program **out);
void ocl_programs_free(struct ocl_device *d);

#endif
