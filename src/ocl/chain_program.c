/*
 * The program of a chain: each of its kernels becomes a function, compiled with the kernel's own options and
 * linked with cl/chain.cl. Of `kernel void f(uint n, global float *x)` is made
 *
 *   static void f(uint at_x, uint at_y, uint n, global float *x), where get_global_id() is at_x or at_y, and behind it
 *   void chain_f_0123456789abcdef(uint first, uint end, uint side, arguments, buffers)
 *
 * with a hash of the file and the options, which calls it for some of its work-items. What a kernel was compiled to is
 * kept, for it may be in several chains.
 */
#include "inside.h"

#include <stdio.h>
#include <string.h>

enum { OPTIONS_MAX = 512 };
static const char options_of_all[] = "-cl-std=CL1.2";
static const char kernel_word[] = "kernel void ";

/* The next kernel of a source, which begins a line; NULL where there is none. */
static const char *next_kernel(const char *source, const char *from)
{
    for (const char *found = from; (found = strstr(found, kernel_word)) != NULL; found++)
        if (found == source || found[-1] == '\n')
            return found;
    return NULL;
}

static enum st add_functions(const char *source, struct text *out)
{
    const char *from = source;
    text_add(out, "#define get_global_id(d) ((d) == 0 ? at_x : at_y)\n");
    for (const char *found; (found = next_kernel(source, from)) != NULL;) {
        const char *name = found + strlen(kernel_word);
        size_t len = strcspn(name, "(");
        text_add_bytes(out, from, (size_t)(found - from));
        text_add(out, "static void %.*s(uint at_x, uint at_y, ", (int)len, name);
        from = name + len + (name[len] == '(');
    }
    text_add(out, "%s", from);
    return text_status(out);
}

static void add_name(const struct ocl_kernel *kernel, struct text *out)
{
    const struct ocl_program *p = kernel->program;
    uint64_t hash = hash_bytes(hash_bytes(HASH_START, p->file, strlen(p->file)), p->options, strlen(p->options));
    text_add(out, "chain_%s_%016llx", kernel->name, (unsigned long long)hash);
}

/* The function that does some work-items of a kernel: its arguments from words and buffers, then a loop. */
static enum st add_caller(const char *source, const struct ocl_kernel *kernel, struct text *out)
{
    char head[sizeof kernel_word + sizeof kernel->name + 1];
    snprintf(head, sizeof head, "%s%s(", kernel_word, kernel->name);
    const char *at = next_kernel(source, source);
    while (at && strncmp(at, head, strlen(head)) != 0)
        at = next_kernel(source, at + 1);
    if (!at)
        return st_fail(ST_INTERNAL, "no kernel %s for a chain", kernel->name);
    at += strlen(head);
    int n = 0;
    text_add(out, "void ");
    add_name(kernel, out);
    text_add(out, "(uint first, uint end, uint side, global const uint *arg, global char *const *buf)\n"
                  "{\n    global const uint *w = arg;\n");
    for (bool last = false; !last; n++) {
        size_t len = strcspn(at, ",)");
        last = at[len] == ')';
        size_t type = len; /* less the name, which is what is behind the last of these */
        while (type > 0 && !strchr(" *\n", at[type - 1]))
            type--;
        bool pointer = memchr(at, '*', len) != NULL;
        if (pointer)
            text_add(out, "    %.*sa%d = (%.*s)buf[*w++];\n", (int)type, at, n, (int)type, at);
        else
            text_add(out, "    %.*sa%d = *(global const %.*s*)w;\n    w += sizeof a%d / 4;\n", (int)type, at, n,
                     (int)type, at, n);
        at += len + 1;
    }
    text_add(out, "    for (uint x = first %% side, y = first / side; first < end; first++) {\n        %s(x, y",
             kernel->name);
    for (int i = 0; i < n; i++)
        text_add(out, ", a%d", i);
    text_add(out, ");\n        if (++x == side) {\n            x = 0;\n            y++;\n        }\n    }\n}\n");
    return text_status(out);
}

static enum st function_source(const struct ocl_kernel *kernel, struct text *out)
{
    enum st s = ST_OK;
    struct text file = {0};
    TRY(ocl_source_add("common", out));
    TRY(ocl_source_add(kernel->program->file, &file));
    TRY(add_functions(file.s, out));
    TRY(add_caller(file.s, kernel, out));
out:
    text_free(&file);
    return s;
}

static enum st chain_source(struct ocl_kernel *const *kinds, int n, int bufs, struct text *out)
{
    text_add(out, "#define OPS_MAX %d\n#define PATCHES_MAX %d\n#define EACH_KIND(X)", CHAIN_OPS_MAX, CHAIN_PATCHES_MAX);
    for (int k = 0; k < n; k++) {
        text_add(out, " X(%d, ", k);
        add_name(kinds[k], out);
        text_add(out, ")");
    }
    text_add(out, "\n#define EACH_BUF(X)");
    for (int b = 1; b <= bufs; b++)
        text_add(out, " X(%d)", b);
    text_add(out, "\n");
    return ocl_source_add("chain", out);
}

static enum st compile(struct ocl_device *d, const char *source, const char *options, const char *name,
                       cl_program *out)
{
    enum st s = ST_OK;
    cl_int code = CL_OUT_OF_RESOURCES;
    cl_program handle = NULL;
    if (!fault_here())
        handle = clCreateProgramWithSource(d->context, 1, &source, NULL, &code);
    TRY(ocl_check(code, "clCreateProgramWithSource", d));
    code = OCL_CALL(clCompileProgram(handle, 1, &d->id, options, 0, NULL, NULL, NULL, NULL));
    if (code != CL_SUCCESS)
        ocl_note_build_log(d, handle, name, options);
    TRY(st_context(ocl_check(code, "clCompileProgram", d), "%s.cl in a chain", name));
    *out = handle;
    handle = NULL;
out:
    if (handle)
        clReleaseProgram(handle);
    return s;
}

static enum st link_all(struct ocl_device *d, const cl_program *part, int n, cl_program *out)
{
    enum st s = ST_OK;
    cl_int code = CL_OUT_OF_RESOURCES;
    cl_program handle = NULL;
    if (!fault_here())
        handle = clLinkProgram(d->context, 1, &d->id, "", (cl_uint)n, part, NULL, NULL, &code);
    if (handle && code != CL_SUCCESS)
        ocl_note_build_log(d, handle, "chain", "");
    TRY(ocl_check(code, "clLinkProgram", d));
    *out = handle;
    handle = NULL;
out:
    if (handle)
        clReleaseProgram(handle);
    return s;
}

/* What a kernel was compiled to. With `linking` held. */
static enum st get_part(struct ocl_device *d, const struct ocl_kernel *kernel, const char *source, const char *options,
                        cl_program *out)
{
    enum st s = ST_OK;
    struct chain_part *p = d->parts;
    while (p && (p->of != kernel->program || strcmp(p->name, kernel->name) != 0))
        p = p->next;
    if (p) {
        *out = p->handle;
        return ST_OK;
    }
    TRY(NEW(p, 1));
    TRY(compile(d, source, options, kernel->program->file, &p->handle));
    p->of = kernel->program;
    snprintf(p->name, sizeof p->name, "%s", kernel->name);
    p->next = d->parts;
    d->parts = p;
    *out = p->handle;
    p = NULL;
out:
    mem_free(p);
    return s;
}

void chain_parts_free(struct ocl_device *d)
{
    while (d->parts) {
        struct chain_part *next = d->parts->next;
        clReleaseProgram(d->parts->handle);
        mem_free(d->parts);
        d->parts = next;
    }
}

/* From sources (n + 1) and their options: those of the kernels, and behind them cl/chain.cl. With `linking` held. */
static enum st make_program(struct ocl_device *d, struct ocl_kernel *const *kinds, int n, const struct text *source,
                            char (*options)[OPTIONS_MAX], cl_program *out)
{
    enum st s = ST_OK;
    cl_program part[CHAIN_KINDS_MAX + 1] = {NULL};
    ocl_note_compiling(d);
    for (int k = 0; k < n; k++)
        TRY(get_part(d, kinds[k], source[k].s, options[k], &part[k]));
    TRY(compile(d, source[n].s, options[n], "chain", &part[n]));
    TRY(link_all(d, part, n + 1, out));
out:
    if (part[n])
        clReleaseProgram(part[n]);
    return s;
}

enum st chain_program(struct ocl_device *d, struct ocl_kernel *const *kinds, int n, int bufs, cl_program *out)
{
    enum st s = ST_OK;
    struct text source[CHAIN_KINDS_MAX + 1] = {{0}}, all = {0}, key = {0};
    char options[CHAIN_KINDS_MAX + 1][OPTIONS_MAX];
    ocl_compiling_begin();
    monitor_enter(d->linking);
    for (int k = 0; k < n; k++) {
        snprintf(options[k], sizeof options[k], "%s %s", options_of_all, kinds[k]->program->options);
        TRY(function_source(kinds[k], &source[k]));
    }
    snprintf(options[n], sizeof options[n], "%s", options_of_all);
    TRY(chain_source(kinds, n, bufs, &source[n]));
    for (int k = 0; k <= n; k++)
        text_add(&all, "with %s\n%s", options[k], source[k].s);
    TRY(text_status(&all));
    ocl_program_key(d, options_of_all, all.s, &key);
    TRY(text_status(&key));
    *out = ocl_cache_load(d, &key, options_of_all);
    if (!*out) {
        TRY(make_program(d, kinds, n, source, options, out));
        ocl_cache_save(*out, &key);
        OCL_COUNT(compiled);
    }
out:
    monitor_leave(d->linking);
    ocl_compiling_end();
    for (int k = 0; k <= n; k++)
        text_free(&source[k]);
    text_free(&all);
    text_free(&key);
    return s;
}
