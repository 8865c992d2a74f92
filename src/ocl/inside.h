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
    char problem[1024];
};

struct ocl_program {
    struct ocl_program *next;
    cl_program handle;
    char *file, *options; /* behind this struct, one allocation */
};

/* A kernel as a function, compiled, for the programs of chains. */
struct chain_part {
    struct chain_part *next;
    const struct ocl_program *of;
    char name[64]; /* of the kernel */
    cl_program handle;
};

struct ocl_device {
    struct ocl_facts facts;
    char label[320];
    char platform_version[128];
    cl_device_id id;
    cl_context context;
    struct ocl_program *programs;
    struct monitor *linking;  /* held while a chain's program is made: the next one may be the same, or share parts */
    struct chain_part *parts; /* read and written with it held */
    _Atomic uint64_t bytes; /* in buffers; this and the next: any thread's queue may begin a chain */
    atomic_bool told_compiling;
    struct monitor *checking; /* held while it is found out whether chains are right here: the next two */
    bool checked, right;
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
    bool launched, chains;
    const struct ocl_program *program;
    char name[64];
};

struct chain; /* launches that are gathered to be one: chain.c */

struct ocl_queue {
    struct ocl_device *device;
    struct chain *chain; /* NULL: none were yet */
    int sections;        /* begun so far, as far as that matters */
    cl_command_queue handle;
    struct ocl_kernel *kernels;
    bool checking; /* chains are shown right with it */
    bool profiled, tracing, apart; /* apart: each kernel is launched, and traced, alone */
    int64_t clock_offset_ns; /* host clock less device clock */
    int events; /* of the trace, at most OCL_TRACE_MAX */
    cl_event event[OCL_TRACE_MAX];
    struct ocl_launch launch[OCL_TRACE_MAX]; /* of each event; ns is filled when read */
    double flops, bytes;                     /* of the next launch */
};

/* Counters of ocl_counts(): any thread adds; tests and reports read. */
struct ocl_counters {
    _Atomic uint64_t buffers, programs, kernels, compiled, launches, writes, reads, waits;
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

/* What a program is made from, and its binary on disk, by a key that holds all of that: */
MUST_USE enum st ocl_source_add(const char *file, struct text *source);
void ocl_program_key(const struct ocl_device *d, const char *options, const char *source, struct text *key);
cl_program ocl_cache_load(struct ocl_device *d, const struct text *key, const char *options); /* NULL: not there */
void ocl_cache_save(cl_program handle, const struct text *key);
void ocl_note_build_log(const struct ocl_device *d, cl_program handle, const char *file, const char *options);
void ocl_note_compiling(struct ocl_device *d); /* once a device */

/* Before the platforms are asked: a note where drivers are likely to get too little memory; and PoCL, which has no
 * device where it cannot write its cache, is pointed to ours, or to a folder of this process, where it would be so. */
void diagnose_memory(void);
void diagnose_pocl_cache(void);
/* Why a platform has no device; why there is none at all, or what to do. */
void diagnose_platform(const char *name, char *out, size_t size);
void diagnose_world(const struct ocl_world *w, char *out, size_t size);

/* One launch. Drivers may compile a part of a kernel at its first one, which is therefore waited for, and is counted as
 * compiling. */
cl_int ocl_enqueue(struct ocl_queue *q, cl_kernel handle, const char *name, const size_t global[2],
                   const size_t local[2], bool *launched);
/* One launch, now: ocl_run() without a chain. */
MUST_USE enum st ocl_launch_now(struct ocl_kernel *k, const size_t items[2], const size_t group[2],
                                const struct ocl_arg *args, int n);

/* ---- chains: chain.c, chain_program.c ---- */

/* The last two keep the arguments of a chain below the kilobyte that OpenCL grants every kernel. */
enum { CHAIN_OPS_MAX = 256, CHAIN_KINDS_MAX = 48, CHAIN_BUFS_MAX = 64, CHAIN_PATCHES_MAX = 60 };

/* Takes a launch into the chain; what does not fit goes to the device first. */
MUST_USE enum st chain_add(struct ocl_kernel *k, const size_t items[2], const size_t group[2],
                           const struct ocl_arg *args, int n);
/* To the device with what was gathered; before any other command. */
MUST_USE enum st chain_flush(struct ocl_queue *q);
/* Behind a read that waited: the device has nothing to do, and tells whether chains got all its cores. Where they did
 * not, the next ones are short, so that what a core misses is little. */
MUST_USE enum st chain_waited(struct ocl_queue *q);
void chain_free(struct chain *c); /* accepts NULL */
bool chain_was_used(const struct chain *c); /* and nothing kept it from that; accepts NULL */
/* Whether chains give on this device what single launches give, which is tried before the first: chain_check.c. */
bool chain_is_right(struct ocl_device *d);

/* The program of a chain of such kernels with `bufs` buffers. Caller releases. */
MUST_USE enum st chain_program(struct ocl_device *d, struct ocl_kernel *const *kinds, int n, int bufs,
                               cl_program *out);
void chain_parts_free(struct ocl_device *d);

#endif
