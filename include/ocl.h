/*
 * ocl: devices, queues, programs with a cache, kernels, buffers. The only floor that sees CL/cl.h. OpenCL 1.2 core is
 * enough. Stands on base.
 *
 * Every failure is ST_DEVICE and names the OpenCL call, its code and the device; choosing a device that is not there is
 * ST_INPUT. Nothing here waits for a device unless its comment says so.
 */
#ifndef CLUTCH_OCL_H
#define CLUTCH_OCL_H

#include "base.h"

/* ---- what is here ---------------------------------------------------------------------------------------------- */

enum ocl_kind { OCL_CPU, OCL_GPU, OCL_ACCEL, OCL_OTHER };

struct ocl_facts {
    int platform, index; /* as clinfo numbers them */
    enum ocl_kind kind;
    char name[256], vendor[128], driver[128], version[128];
    char platform_name[128], platform_version[128];
    uint32_t compute_units, clock_mhz;
    uint32_t vector_width;      /* native float vector width, at least 1 */
    uint32_t parts_max;         /* sub-devices it can be split into equally; 1: cannot be split */
    uint64_t memory_bytes;      /* global memory */
    uint64_t buffer_bytes_max;  /* largest single buffer */
    uint64_t local_bytes;
    size_t work_group_max;
    bool available, compiler;   /* usable now; can compile from source */
};

struct ocl_platform_facts {
    char name[128], vendor[128], version[128];
    int device_count;
    char problem[256]; /* why it has no devices; "" where it has some */
};

struct ocl_world; /* all platforms and devices, asked once */

/* A system without any platform gives an empty world, not a failure. Caller closes, after all devices. */
MUST_USE enum st ocl_world_open(struct ocl_world **out);
void ocl_world_close(struct ocl_world *w); /* accepts NULL */
/* Without a device: the likely cause, or what to do, as a part of a sentence; else "". */
const char *ocl_world_problem(const struct ocl_world *w);
int ocl_platform_count(const struct ocl_world *w);
const struct ocl_platform_facts *ocl_platform_at(const struct ocl_world *w, int i);
int ocl_device_count(const struct ocl_world *w);
const struct ocl_facts *ocl_facts_at(const struct ocl_world *w, int i);
const char *ocl_kind_name(enum ocl_kind kind); /* "CPU", "GPU", "accelerator", "other" */

/* How much of a device's memory may be used: a tenth stays free for the driver and for whoever else uses it. */
uint64_t ocl_memory_usable(const struct ocl_facts *f);
/* Whether a device may hold `total` bytes, `largest` of them in one buffer. What it does not tell counts as enough. */
bool ocl_fits(const struct ocl_facts *f, uint64_t total, uint64_t largest);

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

/* A device that is only acted: `number` of several that share a real one, or a core of a CPU that can be split, each
 * `slowness` times slower than that, with links of such a latency and bandwidth between them. */
struct ocl_emulation {
    double slowness; /* 1 or more; 0: a real device */
    double latency_ns, bytes_per_ns; /* of a link; bandwidth 0: no limit */
    int number;
};

struct ocl_pick {
    int device;       /* index for ocl_facts_at */
    int part, parts;  /* part 0..parts-1 of an equal split; parts 1: the whole device */
    struct ocl_emulation emulation;
};

/*
 * The device grammar: items separated by commas; an item is P:D, `gpu`, `cpu`, `accel`, `all`, or a fragment of a
 * device's name (any case); `/K` behind it splits each device it means into K equal sub-devices. NULL or "" means the
 * best single device: the first GPU, else accelerator, else CPU. `*picks` (freed by the caller with mem_free) keeps the
 * order written and holds no device twice. ST_INPUT names the item and what is there.
 *
 * `virtual:N@S` means N emulated devices that share the first real one, each S times slower than it, or than one core
 * of it where it is a CPU that can be split into cores; `virtual:N@S1:...:SN`
 * gives each its own slowness. `+latency=US` (microseconds) and `+bandwidth=MB` (megabytes a second) behind it describe
 * the links between them.
 */
MUST_USE enum st ocl_pick_devices(const struct ocl_world *w, const char *spec, struct ocl_pick **picks, int *n);

/* ---- devices ----------------------------------------------------------------------------------------------------- */

struct ocl_device; /* a context with one device (or sub-device) and the programs built for it */

/* Caller closes, after its queues. The world must outlive it. */
MUST_USE enum st ocl_device_open(const struct ocl_world *w, const struct ocl_pick *pick, struct ocl_device **out);
void ocl_device_close(struct ocl_device *d); /* accepts NULL */
const struct ocl_facts *ocl_device_facts(const struct ocl_device *d); /* of a sub-device: with its own compute units */
const char *ocl_device_label(const struct ocl_device *d);             /* "0:0 NAME" or "0:0/2#1 NAME" */
uint64_t ocl_device_bytes(const struct ocl_device *d);                /* in buffers now */

/* ST_INPUT where it does not, with the figures: "WHO needs ... on device LABEL, ...: ADVICE". */
MUST_USE enum st ocl_check_fits(const struct ocl_device *d, uint64_t total, uint64_t largest, const char *who,
                                const char *advice);

/* ---- buffers ----------------------------------------------------------------------------------------------------- */

struct ocl_buf;

/* Device memory, contents undefined. More than one buffer may hold is ST_DEVICE with the figures. */
MUST_USE enum st ocl_buf_create(struct ocl_device *d, size_t bytes, struct ocl_buf **out);
void ocl_buf_free(struct ocl_buf *b); /* accepts NULL; the queues that use it must have been waited for */
size_t ocl_buf_bytes(const struct ocl_buf *b);

/* ---- queues: in order, one per worker; a queue and what is made from it belong to one thread --------------------- */

struct ocl_queue;

MUST_USE enum st ocl_queue_open(struct ocl_device *d, struct ocl_queue **out);
void ocl_queue_close(struct ocl_queue *q); /* accepts NULL; waits, then frees its kernels */
struct ocl_device *ocl_queue_device(const struct ocl_queue *q);

/* Enqueue; `src` must stay untouched until the queue was waited for. Bytes and offsets in bytes. */
MUST_USE enum st ocl_write(struct ocl_queue *q, struct ocl_buf *b, size_t offset, size_t bytes, const void *src);
MUST_USE enum st ocl_read(struct ocl_queue *q, struct ocl_buf *b, size_t offset, size_t bytes, void *dst); /* WAITS */
MUST_USE enum st ocl_zero(struct ocl_queue *q, struct ocl_buf *b, size_t offset, size_t bytes); /* multiples of 4 */
MUST_USE enum st ocl_wait(struct ocl_queue *q);  /* WAITS for all enqueued so far */
MUST_USE enum st ocl_flush(struct ocl_queue *q); /* hands over to the device without waiting */

/* The end of a transfer that was started. {0}: none, and nothing to wait for. */
struct ocl_event {
    void *handle;
    struct ocl_queue *queue;
};
/* As ocl_write and ocl_read, but neither waits: host memory is whole, and free again, behind ocl_event_wait(). */
MUST_USE enum st ocl_write_start(struct ocl_queue *q, struct ocl_buf *b, size_t offset, size_t bytes, const void *src,
                                 struct ocl_event *e);
MUST_USE enum st ocl_read_start(struct ocl_queue *q, struct ocl_buf *b, size_t offset, size_t bytes, void *dst,
                                struct ocl_event *e);
/* WAITS for it and what was enqueued before it, once it was flushed; gives the event back. */
MUST_USE enum st ocl_event_wait(struct ocl_event *e);

/* Host memory that the device's transfers reach fastest (pinned, where the driver knows such). Caller frees, before the
 * queue. */
struct ocl_pinned;
MUST_USE enum st ocl_pinned_open(struct ocl_queue *q, size_t bytes, struct ocl_pinned **out);
void *ocl_pinned_data(const struct ocl_pinned *p);
void ocl_pinned_free(struct ocl_pinned *p); /* accepts NULL; nothing may use it any more */

/* ---- emulated devices: for studying schedules where there are few real ones -------------------------------------- */

/*
 * A clock of its own for each device of a run, a discrete-event simulation: a piece of work is done on the real device,
 * one piece at a time, and moves the clock of the device it is of by what it took there, times the slowness. Always the
 * thread whose clock is furthest behind goes on, so what devices exchange comes in the order in which it would on
 * devices of such speeds. Wall time plays no part: a busy machine changes nothing but how long one waits.
 *
 * What a piece takes: on a CPU its CPU time, shared out over the compute units; else the device's own time stamps of
 * its launches, or, where it gives none, wall time. Compiling is left out.
 */
struct ocl_emulator;
MUST_USE enum st ocl_emulator_open(struct ocl_emulator **out);
void ocl_emulator_close(struct ocl_emulator *e); /* accepts NULL; nobody has joined any more */
uint64_t ocl_emulator_now(struct ocl_emulator *e); /* the latest of all clocks; from any thread */

/* One device of an emulation, with the thread that uses it. */
struct ocl_emulated {
    struct ocl_emulator *shared;  /* NULL: time is real, and the functions below do nothing */
    double slowness;
    uint64_t now_ns;              /* its clock; moved by work, and by its thread, which has waited until then */
    uint64_t start_ns;            /* when the last piece of work began; it ended now */
    uint64_t busy_ns, work_ns;    /* sums: of emulated time, of time on the real device */
    /* what follows is of emulate.c alone */
    struct ocl_emulated *next;
    struct monitor *mine;
    bool waits, woken, stuck, has_turn;
    uint64_t began_ns, compiling_ns;
};

/* Caller closes, when it has left. */
MUST_USE enum st ocl_emulated_open(struct ocl_emulator *shared, double slowness, struct ocl_emulated *e);
void ocl_emulated_close(struct ocl_emulated *e);
/* Takes part from now on, its clock at the latest of all. For all that are to, before the first of their threads runs,
 * since those wait for the ones that are behind; and its end, which is also for threads that never ran. */
void ocl_emulated_join(struct ocl_emulated *e);
void ocl_emulated_leave(struct ocl_emulated *e);
/* For its thread: returns when no other one's clock is behind; to call first, and whenever now_ns was moved. */
void ocl_emulated_turn(struct ocl_emulated *e);
/* For its thread: lets others go on until one of them wakes it, or has done so since the last time; may return early.
 * False: nobody can go on, each waits for another. */
MUST_USE bool ocl_emulated_wait(struct ocl_emulated *e);
void ocl_emulated_wake(struct ocl_emulated *e); /* from any thread */

/* Around a piece of work on a queue of the device; the second also takes a turn. */
MUST_USE enum st ocl_emulate_begin(struct ocl_emulated *e, struct ocl_queue *q);
MUST_USE enum st ocl_emulate_end(struct ocl_emulated *e, struct ocl_queue *q); /* WAITS for the work */

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

struct ocl_kernel;

/* Kernel `name` of cl/`file`.cl, built with `options` (-D... only; common.cl goes before it). Builds the program for
 * the device at first use or takes it from the binary cache; the same three again give the same kernel. Owned by the
 * queue. A program that does not compile is ST_DEVICE; its whole build log goes out as a note. */
MUST_USE enum st ocl_kernel_get(struct ocl_queue *q, const char *file, const char *name, const char *options,
                                struct ocl_kernel **out);

struct ocl_arg {
    enum { OCL_ARG_BUF, OCL_ARG_STRUCT, OCL_ARG_U32, OCL_ARG_F32 } kind;
    uint32_t bytes; /* of a struct */
    union {
        const struct ocl_buf *buf; /* NULL is a null pointer in the kernel */
        const void *data;          /* the struct: only read by the call */
        uint32_t u32;
        float f32;
    } is;
};

static inline struct ocl_arg ocl_b(const struct ocl_buf *b)
{
    return (struct ocl_arg){.kind = OCL_ARG_BUF, .is.buf = b};
}

/* A struct of numbers of four bytes each, so that it is laid out alike on both sides. */
static inline struct ocl_arg ocl_s(const void *data, size_t bytes)
{
    return (struct ocl_arg){.kind = OCL_ARG_STRUCT, .bytes = (uint32_t)bytes, .is.data = data};
}

static inline struct ocl_arg ocl_u(size_t v)
{
    return (struct ocl_arg){.kind = OCL_ARG_U32, .is.u32 = (uint32_t)v};
}

static inline struct ocl_arg ocl_f(double v)
{
    return (struct ocl_arg){.kind = OCL_ARG_F32, .is.f32 = (float)v};
}

#define OCL_ARGS(...) \
    (const struct ocl_arg[]){__VA_ARGS__}, (int)(sizeof((const struct ocl_arg[]){__VA_ARGS__}) / sizeof(struct ocl_arg))

/* Enqueues at least items[0] x items[1] work-items, rounded up to groups of at most group[0] x group[1] (smaller where
 * the kernel or device asks for it): kernels check their bounds and use no barriers. Zero items: nothing is enqueued.
 * */
MUST_USE enum st ocl_run(struct ocl_kernel *k, const size_t items[2], const size_t group[2], const struct ocl_arg *args,
                         int n);

/* Says that chains may take it: all it asks of where it is is get_global_id(), it has no local memory and no barrier.
 * tests/rules checks the sources of those that say so. Others are launched alone. */
void ocl_kernel_chains(struct ocl_kernel *k);

/*
 * Between begin and end, a section, launches are gathered, and go to the device as one (cl/chain.cl): for x86 CPUs with
 * vectors, where each launch costs microseconds and threads start one by one. The results are the same. While the
 * device has work the end of a section may hold them back, for some sections to become one launch; any other call for
 * the queue sends them first. They are launched one by one, and the end is ocl_flush(), on other devices, in the first
 * OCL_CHAIN_AFTER sections of a queue (compiling a chain takes seconds, once; not behind ocl_chain_at_once(), or with
 * CLUTCH_CHAIN=on in the environment), while kernels are timed, where the program does not build or a few kernels,
 * tried once on each device and driver, give other bits in a chain (a note says so), and with CLUTCH_CHAIN=off.
 * `s`: how the section went. After a failure, which ocl_chain_end returns, what was gathered is dropped.
 */
enum { OCL_CHAIN_AFTER = 100 };
void ocl_chain_begin(struct ocl_queue *q);
MUST_USE enum st ocl_chain_end(struct ocl_queue *q, enum st s);
void ocl_chain_at_once(struct ocl_queue *q);
bool ocl_has_chains(const struct ocl_device *d);
bool ocl_chain_open(const struct ocl_queue *q); /* whether launches are gathered just now */

/* ---- compiling --------------------------------------------------------------------------------------------------- */

/*
 * Wall time of the process so far in which at least one thread was compiling, up to now where one is: building programs
 * from source or from the cache, linking chains, and the first launch of each kernel, in which some drivers compile.
 * Never goes back. Any thread may ask.
 */
uint64_t ocl_compiling_ns(void);
uint64_t ocl_compiling_device_ns(void); /* clock_device_ns() that the calling thread has spent so; not while it is */
/* Around what makes a library compile (mx/clblast.c). May be nested. */
void ocl_compiling_begin(void);
void ocl_compiling_end(void);

/* ---- counts and times -------------------------------------------------------------------------------------------- */

struct ocl_counts {
    uint64_t buffers, programs, kernels; /* created since the program started */
    uint64_t compiled;                   /* of the programs: those that the cache did not have */
    uint64_t launches, writes, reads, waits; /* enqueued; ocl_read counts as a wait, ocl_read_start as a read */
};
struct ocl_counts ocl_counts(void);

enum { OCL_TRACE_MAX = 1024 };

struct ocl_times {
    int launches;
    uint64_t busy_ns; /* sum of the launches' times on the device */
};

/* One launch of a trace: its time on the device behind the one before it, and the work that was said of it. */
struct ocl_launch {
    const char *name; /* of the kernel; lives as long as the queue */
    uint64_t ns;
    uint64_t start_ns; /* on the host's clock, as far as the two can be compared */
    uint64_t gap_ns;  /* from the end of the one before it to its start; 0: the first, or started before that end */
    double flops, bytes;
};

/* Between begin and end every launch is timed by the device's own profiling, a chain as one launch, or each kernel, and
 * there are no chains. `ocl_trace_end` only marks the end; after a later wait, `ocl_trace_read` gives the times
 * (launches -1 where the device did not tell), and where `each` is not NULL, those of every launch. At most
 * OCL_TRACE_MAX launches. */
enum ocl_trace { OCL_TRACE_LAUNCHES, OCL_TRACE_KERNELS };
MUST_USE enum st ocl_trace_begin(struct ocl_queue *q, enum ocl_trace what);
MUST_USE enum st ocl_trace_end(struct ocl_queue *q);
struct ocl_times ocl_trace_read(struct ocl_queue *q, struct ocl_launch each[OCL_TRACE_MAX]);
/* Says of the next launch how many floating-point operations and bytes of device memory it cannot do without. */
void ocl_trace_work(struct ocl_queue *q, double flops, double bytes);

/* ---- for a library that takes OpenCL handles itself (mx/clblast.c) ----------------------------------------------- */

/* cl_command_queue; sends what was gathered */
MUST_USE enum st ocl_queue_native(struct ocl_queue *q, void **out);
void *ocl_device_native(const struct ocl_device *d); /* cl_device_id */
void *ocl_buf_native(const struct ocl_buf *b);     /* cl_mem */
/* Where the library shall store the cl_event of its last launch, or NULL while nothing is timed. `name`: a constant. */
void **ocl_trace_slot(struct ocl_queue *q, const char *name);
const char *ocl_error_name(int code);              /* "CL_OUT_OF_RESOURCES" */

#endif
