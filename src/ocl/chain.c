/*
 * Chains: launches are gathered and go to the device as one, cl/chain.cl, which runs a list of them. The list stays on
 * the device from launch to launch. What changed in it since the last one goes with the launch where it is a few words,
 * as the step of an optimiser or the place in an epoch, and is written before it where it is more.
 */
#include "inside.h"

#include <stdlib.h>
#include <string.h>

enum {
    OPS_MAX = CHAIN_OPS_MAX, KINDS_MAX = CHAIN_KINDS_MAX, BUFS_MAX = CHAIN_BUFS_MAX, PATCHES_MAX = CHAIN_PATCHES_MAX,
    ARGS_MAX = 24,        /* of a kernel; one with more, or with more words, is launched alone */
    WORDS_MAX = 8192,     /* of the list */
    HEAD = 5,             /* words of a kernel in the list before its arguments */
    BLOCK = 32,           /* words that are written at once: the largest pattern of a fill */
    PIECES = 8,           /* of a kernel for each compute unit, so that all end at about the same time */
    BUFS_STEP = 16,       /* programs are built for so many buffers, twice as many, ... */
    SECTIONS_MAX = 8,     /* gathered to one launch */
    LEFT_OFTEN = 4,       /* work-items that left between two waits: more, and chains become short */
    APART = 16, LEFT = 2 * OPS_MAX * 2 * APART, STATE_WORDS = LEFT + 1, /* words of `state` in cl/chain.cl */
};

struct patch { /* of cl/chain.cl */
    uint32_t turn, before, n, at[PATCHES_MAX], word[PATCHES_MAX];
};

struct op {
    size_t items[2], group[2], at; /* at: its first word */
    int kind, args;
    struct ocl_arg arg[ARGS_MAX]; /* structs are those in the list */
};

/* A kernel of cl/chain.cl, linked with some kernels. */
struct linked {
    struct linked *next;
    cl_program program;
    cl_kernel handle;
    bool launched;
    int kinds, bufs;
    struct ocl_kernel *kind[KINDS_MAX];
};

struct chain {
    struct ocl_queue *queue;
    bool open, unable; /* gathering; never again */
    int ops, kinds, bufs, sections;
    int due, due_most; /* sections to a launch: now, at most */
    size_t words;
    struct op op[OPS_MAX];
    struct ocl_kernel *kind[KINDS_MAX]; /* of ops */
    cl_mem buf[BUFS_MAX];               /* number b in the list is buf[b - 1] */
    struct linked *linked;
    struct ocl_buf *list, *state;
    uint32_t word[WORDS_MAX], sent[WORDS_MAX]; /* the list; what the device has of it */
    uint32_t turn, before, left; /* left: work-items that did, when last asked */
    bool launched;               /* since then */
};

static void forget(struct chain *c)
{
    c->ops = c->kinds = c->bufs = c->sections = 0;
    c->words = 1;
}

/* ---- programs ---------------------------------------------------------------------------------------------------- */

static void linked_free(struct linked *l)
{
    if (l->handle)
        clReleaseKernel(l->handle);
    if (l->program)
        clReleaseProgram(l->program);
    mem_free(l);
}

/* Sets of kernels that are the same shall make the same program, whatever their order. */
static int compare_kinds(const void *a, const void *b)
{
    const struct ocl_kernel *x = *(struct ocl_kernel *const *)a, *y = *(struct ocl_kernel *const *)b;
    int files = strcmp(x->program->file, y->program->file), names = strcmp(x->name, y->name);
    return files ? files : names ? names : strcmp(x->program->options, y->program->options);
}

static int find_kind(const struct linked *l, const struct ocl_kernel *k)
{
    for (int i = 0; i < l->kinds; i++)
        if (l->kind[i] == k)
            return i;
    return -1;
}

static bool holds(const struct linked *l, const struct chain *c)
{
    for (int i = 0; i < c->kinds; i++)
        if (find_kind(l, c->kind[i]) < 0)
            return false;
    return l->bufs >= c->bufs;
}

static enum st linked_open(struct chain *c, struct linked **out)
{
    enum st s = ST_OK;
    struct linked *l = NULL;
    struct ocl_device *d = c->queue->device;
    cl_int code = CL_OUT_OF_RESOURCES;
    cl_mem list = c->list->handle, state = c->state->handle;
    TRY(NEW(l, 1));
    l->bufs = (c->bufs + BUFS_STEP - 1) / BUFS_STEP * BUFS_STEP;
    l->kinds = c->kinds;
    memcpy(l->kind, c->kind, sizeof l->kind);
    qsort(l->kind, (size_t)l->kinds, sizeof *l->kind, compare_kinds);
    TRY(chain_program(d, l->kind, l->kinds, l->bufs, &l->program));
    if (!fault_here())
        l->handle = clCreateKernel(l->program, "chain", &code);
    TRY(ocl_check(code, "clCreateKernel", d));
    code = clSetKernelArg(l->handle, 1, sizeof list, &list);
    if (code == CL_SUCCESS)
        code = clSetKernelArg(l->handle, 2, sizeof state, &state);
    TRY(ocl_check(code, "clSetKernelArg", d));
    OCL_COUNT(programs);
    OCL_COUNT(kernels);
    l->next = c->linked;
    c->linked = *out = l;
    l = NULL;
out:
    if (l)
        linked_free(l);
    return s;
}

/* The program for what was gathered; NULL where there can be none, which is said once. */
static struct linked *find_linked(struct chain *c)
{
    struct linked *l = c->linked;
    while (l && !holds(l, c))
        l = l->next;
    if (!l && linked_open(c, &l) != ST_OK) {
        note("%s; its kernels are launched one by one", st_message());
        c->unable = true;
        return NULL;
    }
    return l;
}

/* ---- launching --------------------------------------------------------------------------------------------------- */

static void write_kinds(struct chain *c, const struct linked *l)
{
    int number[KINDS_MAX];
    for (int k = 0; k < c->kinds; k++)
        number[k] = find_kind(l, c->kind[k]);
    c->word[0] = (uint32_t)c->ops;
    for (int i = 0; i < c->ops; i++)
        c->word[c->op[i].at] = (uint32_t)number[c->op[i].kind];
}

/* What changed of the list; false where that is more than a patch holds. */
static bool write_patch(struct chain *c, struct patch *p)
{
    for (size_t i = 0; i < c->words; i++)
        if (c->word[i] != c->sent[i]) {
            if (p->n == PATCHES_MAX)
                return false;
            p->at[p->n] = (uint32_t)i;
            p->word[p->n++] = c->word[i];
        }
    return true;
}

static enum st send_list(struct chain *c, struct patch *p)
{
    struct ocl_queue *q = c->queue;
    const size_t bytes = BLOCK * sizeof *c->word;
    if (!write_patch(c, p)) {
        p->n = 0;
        for (size_t b = 0; b < c->words; b += BLOCK) {
            if (memcmp(c->word + b, c->sent + b, bytes) == 0)
                continue;
            OCL_COUNT(writes);
            cl_int code = OCL_CALL(clEnqueueFillBuffer(q->handle, c->list->handle, c->word + b, bytes,
                                                       b * sizeof *c->word, bytes, 0, NULL, NULL));
            if (code != CL_SUCCESS)
                return ocl_check(code, "clEnqueueFillBuffer", q->device);
            memcpy(c->sent + b, c->word + b, bytes);
        }
    }
    memcpy(c->sent, c->word, c->words * sizeof *c->word);
    return ST_OK;
}

static enum st launch_linked(struct chain *c, struct linked *l)
{
    enum st s = ST_OK;
    struct ocl_queue *q = c->queue;
    struct patch p = {.turn = c->turn, .before = c->before};
    size_t global[2] = {q->device->facts.compute_units, 1}, local[2] = {1, 1};
    write_kinds(c, l);
    TRY(send_list(c, &p));
    cl_int code = clSetKernelArg(l->handle, 0, sizeof p, &p);
    for (int i = 0; code == CL_SUCCESS && i < l->bufs; i++) { /* all: those of the launch before may be freed by now */
        cl_mem buf = i < c->bufs ? c->buf[i] : NULL;
        code = clSetKernelArg(l->handle, (cl_uint)(3 + i), sizeof buf, &buf);
    }
    TRY(ocl_check(code, "clSetKernelArg", q->device));
    q->flops = q->bytes = 0; /* those of the last kernel */
    code = ocl_enqueue(q, l->handle, "chain", global, local, &l->launched);
    TRY(st_context(ocl_check(code, "clEnqueueNDRangeKernel", q->device), "a chain of %d kernels", c->ops));
    c->launched = true;
    c->turn = 1 - c->turn;
    c->before = (uint32_t)c->ops;
out:
    return s;
}

static enum st launch_each(struct chain *c)
{
    enum st s = ST_OK;
    for (int i = 0; s == ST_OK && i < c->ops; i++) {
        const struct op *op = &c->op[i];
        s = ocl_launch_now(c->kind[op->kind], op->items, op->group, op->arg, op->args);
    }
    return s;
}

enum st chain_flush(struct ocl_queue *q)
{
    struct chain *c = q->chain;
    if (!c || c->ops == 0)
        return ST_OK;
    struct linked *l = c->ops > 1 && !c->unable ? find_linked(c) : NULL;
    enum st s = l ? launch_linked(c, l) : launch_each(c);
    if (s != ST_OK)
        c->unable = true; /* what the device has of the list, nobody knows any more */
    forget(c);
    return s;
}

/* ---- gathering --------------------------------------------------------------------------------------------------- */

static enum st chain_create(struct ocl_queue *q)
{
    enum st s = ST_OK;
    struct chain *c = NULL;
    TRY(NEW(c, 1));
    c->queue = q;
    c->due = 1;
    c->due_most = SECTIONS_MAX;
    forget(c);
    TRY(ocl_buf_create(q->device, sizeof c->word, &c->list));
    TRY(ocl_buf_create(q->device, STATE_WORDS * sizeof(uint32_t), &c->state));
    TRY(ocl_zero(q, c->list, 0, sizeof c->word));
    TRY(ocl_zero(q, c->state, 0, STATE_WORDS * sizeof(uint32_t)));
    q->chain = c;
    c = NULL;
out:
    chain_free(c);
    return s;
}

void chain_free(struct chain *c)
{
    if (!c)
        return;
    while (c->linked) {
        struct linked *next = c->linked->next;
        linked_free(c->linked);
        c->linked = next;
    }
    ocl_buf_free(c->list);
    ocl_buf_free(c->state);
    mem_free(c);
}

/* Where they were shown right, and cl/chain.cl has a clock. Mesa's llvmpipe, which has no vectors, quietly ends a
 * work-item after 65535 turns of loops in all: too few. */
bool ocl_has_chains(const struct ocl_device *d)
{
#if defined(__x86_64__)
    return d->facts.kind == OCL_CPU && d->facts.vector_width > 1;
#else
    (void)d;
    return false;
#endif
}

/* Not for the first sections, which may be the only ones: compiling a chain takes seconds, once. */
static bool wanted(struct ocl_queue *q)
{
    const char *say = getenv("CLUTCH_CHAIN");
    if (q->apart || (say && strcmp(say, "off") == 0))
        return false;
    if (q->sections < OCL_CHAIN_AFTER && !(say && strcmp(say, "on") == 0)) {
        q->sections++;
        return false;
    }
    return true;
}

void ocl_chain_at_once(struct ocl_queue *q)
{
    q->sections = OCL_CHAIN_AFTER;
}

void ocl_chain_begin(struct ocl_queue *q)
{
    if (!ocl_has_chains(q->device) || (q->chain && q->chain->unable) || (!q->checking && !wanted(q)))
        return;
    if (!q->chain && !q->checking && !chain_is_right(q->device))
        return;
    if (!q->chain && chain_create(q) != ST_OK)
        return; /* one by one then; what is wrong will show there */
    q->chain->open = true;
}

bool chain_was_used(const struct chain *c)
{
    return c && !c->unable && c->linked;
}

bool ocl_chain_open(const struct ocl_queue *q)
{
    return q->chain && q->chain->open;
}

static size_t words_of(const struct ocl_arg *a)
{
    return a->kind == OCL_ARG_STRUCT ? a->bytes / sizeof(uint32_t) : 1;
}

static bool has_room(const struct chain *c, const struct ocl_arg *args, int n)
{
    size_t words = HEAD;
    for (int i = 0; i < n; i++)
        words += words_of(&args[i]);
    return n <= ARGS_MAX && c->ops < OPS_MAX && c->kinds < KINDS_MAX && c->bufs + n <= BUFS_MAX &&
           c->words + words <= WORDS_MAX;
}

static uint32_t number_of(struct chain *c, const struct ocl_buf *b)
{
    if (!b)
        return 0;
    for (int i = 0; i < c->bufs; i++)
        if (c->buf[i] == b->handle)
            return (uint32_t)i + 1;
    c->buf[c->bufs++] = b->handle;
    return (uint32_t)c->bufs;
}

static int number_of_kind(struct chain *c, struct ocl_kernel *k)
{
    for (int i = 0; i < c->kinds; i++)
        if (c->kind[i] == k)
            return i;
    c->kind[c->kinds] = k;
    return c->kinds++;
}

static void add_arg(struct chain *c, struct ocl_arg *a)
{
    uint32_t *word = c->word + c->words;
    c->words += words_of(a);
    switch (a->kind) {
    case OCL_ARG_BUF:
        *word = number_of(c, a->is.buf);
        break;
    case OCL_ARG_STRUCT:
        a->is.data = memcpy(word, a->is.data, a->bytes);
        break;
    case OCL_ARG_U32:
    case OCL_ARG_F32:
        memcpy(word, &a->is, sizeof *word);
        break;
    }
}

enum st chain_add(struct ocl_kernel *k, const size_t items[2], const size_t group[2], const struct ocl_arg *args, int n)
{
    struct chain *c = k->queue->chain;
    enum st s = has_room(c, args, n) ? ST_OK : chain_flush(k->queue);
    if (s != ST_OK || !has_room(c, args, n)) /* not even behind a flush: it fits into no chain */
        return s != ST_OK ? s : ocl_launch_now(k, items, group, args, n);
    struct op *op = &c->op[c->ops++];
    size_t all = items[0] * items[1], pieces = k->queue->device->facts.compute_units * (size_t)PIECES;
    uint32_t *head = c->word + c->words;
    *op = (struct op){.items = {items[0], items[1]}, .group = {group[0], group[1]}, .at = c->words,
                      .kind = number_of_kind(c, k), .args = n};
    c->words += HEAD;
    for (int i = 0; i < n; i++) {
        op->arg[i] = args[i];
        add_arg(c, &op->arg[i]);
    }
    head[1] = (uint32_t)all;
    head[2] = (uint32_t)items[0];
    head[3] = all > pieces ? (uint32_t)(all / pieces) : 1;
    head[4] = (uint32_t)c->words;
    return ST_OK;
}

enum st chain_waited(struct ocl_queue *q)
{
    struct chain *c = q->chain;
    if (!c || !c->launched)
        return ST_OK;
    uint32_t left;
    enum st s = ocl_check(OCL_CALL(clEnqueueReadBuffer(q->handle, c->state->handle, CL_TRUE, LEFT * sizeof left,
                                                       sizeof left, &left, 0, NULL, NULL)),
                          "clEnqueueReadBuffer", q->device);
    if (s != ST_OK)
        return s;
    c->due_most = left - c->left > LEFT_OFTEN ? 1 : c->due_most < SECTIONS_MAX ? 2 * c->due_most : SECTIONS_MAX;
    c->due = 1;
    c->left = left;
    c->launched = false;
    return ST_OK;
}

enum st ocl_chain_end(struct ocl_queue *q, enum st s)
{
    struct chain *c = q->chain;
    if (!c || !c->open)
        return s != ST_OK ? s : ocl_flush(q);
    c->open = false;
    if (s != ST_OK) {
        forget(c);
        return s;
    }
    c->sections++;
    if (c->sections < c->due && c->ops + c->ops / c->sections <= OPS_MAX)
        return ST_OK; /* the device has work, and there is room for another section like these */
    c->due = 2 * c->due < c->due_most ? 2 * c->due : c->due_most;
    return ocl_flush(q);
}
