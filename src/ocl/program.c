/*
 * Programs: sources from the binary (or from the folder CL_DIR while developing), built on demand, kept as binaries on
 * disk.
 *
 * A cache file is clutch's cache folder / 16 hex digits .bin: the whole key as text (format, version strings of
 * platform, device and driver, options, source), a NUL, the hash of the device's binary, then the binary. The name is
 * a hash of the key; the key in the file is compared whole, so a collision costs a build and nothing else. Files
 * appear by rename, so several processes may share the folder; whatever is wrong with it, the program is built from
 * source. A note comes where others could have written what would be run, or where nothing can be kept.
 */
#include "inside.h"

#include "source.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SOURCE_BYTES_MAX = 1 << 20, BINARY_BYTES_MAX = 1 << 28 };

enum st ocl_source_add(const char *file, struct text *source)
{
    const char *folder = getenv("CL_DIR");
    if (folder && folder[0]) {
        char path[PATH_MAX], *data = NULL;
        size_t len;
        if (snprintf(path, sizeof path, "%s/%s.cl", folder, file) >= (int)sizeof path)
            return st_fail(ST_INPUT, "CL_DIR is too long");
        enum st s = st_context(file_read(path, SOURCE_BYTES_MAX, &data, &len), "CL_DIR");
        if (s == ST_OK)
            text_add_bytes(source, data, len);
        mem_free(data);
        return s == ST_OK ? text_status(source) : s;
    }
    for (int i = 0; i < ocl_source_count; i++)
        if (strcmp(ocl_sources[i].name, file) == 0) {
            text_add(source, "%s", (const char *)ocl_sources[i].text);
            return text_status(source);
        }
    return st_fail(ST_INTERNAL, "no kernel file %s.cl in the program", file);
}

void ocl_program_key(const struct ocl_device *d, const char *options, const char *source, struct text *key)
{
    text_add(key, "clutch program 1\nplatform %s\ndevice %s\nversion %s\ndriver %s\noptions %s\nsource\n%s",
             d->platform_version, d->facts.name, d->facts.version, d->facts.driver, options, source);
}

/* False where there is no place for it, or it is not to be believed. */
static bool cache_folder(char *out, size_t size)
{
    return dir_cache(out, size) && (!dir_exists(out) || trust_folder(out));
}

static bool cache_path(const struct text *key, char *out, size_t size)
{
    char folder[PATH_MAX];
    if (!cache_folder(folder, sizeof folder))
        return false;
    int n = snprintf(out, size, "%s/%016llx.bin", folder, (unsigned long long)hash_bytes(HASH_START, key->s, key->len));
    return n > 0 && (size_t)n < size;
}

static cl_int build(struct ocl_device *d, cl_program handle, const char *options)
{
    return OCL_CALL(clBuildProgram(handle, 1, &d->id, options, NULL, NULL));
}

/* NULL where the file is another key's, cut short or damaged: drivers crash on a binary that is not as they made it. */
static const unsigned char *find_binary(const struct text *key, const char *data, size_t len, size_t *size)
{
    uint64_t hash;
    size_t head = key->len + 1 + sizeof hash;
    if (len <= head || memcmp(data, key->s, key->len + 1) != 0)
        return NULL;
    memcpy(&hash, data + key->len + 1, sizeof hash);
    *size = len - head;
    return hash_bytes(HASH_START, data + head, *size) == hash ? (const unsigned char *)data + head : NULL;
}

/* NULL where the cache has no usable binary; never a failure. */
cl_program ocl_cache_load(struct ocl_device *d, const struct text *key, const char *options)
{
    char path[PATH_MAX], *data = NULL;
    size_t len, size;
    cl_program handle = NULL;
    if (!cache_path(key, path, sizeof path) || !file_exists(path))
        return NULL;
    if (trust_read(path, BINARY_BYTES_MAX, &data, &len) != ST_OK) {
        static atomic_bool told; /* of others in the folder the same is to be said */
        if (!atomic_exchange(&told, true))
            note("%s", st_message());
        return NULL;
    }
    const unsigned char *binary = find_binary(key, data, len, &size);
    if (binary) {
        cl_int code = CL_OUT_OF_RESOURCES, status = CL_OUT_OF_RESOURCES;
        if (!fault_here())
            handle = clCreateProgramWithBinary(d->context, 1, &d->id, &size, &binary, &status, &code);
        if (handle && (code != CL_SUCCESS || status != CL_SUCCESS || build(d, handle, options) != CL_SUCCESS)) {
            clReleaseProgram(handle);
            handle = NULL;
        }
    }
    mem_free(data);
    return handle;
}

void ocl_cache_save(cl_program handle, const struct text *key)
{
    char path[PATH_MAX];
    struct text file = {0};
    unsigned char *binary = NULL;
    size_t size = 0;
    static atomic_bool told;
    /* asked even where there is no cache: PoCL compiles then what it would compile at the first launch */
    if (OCL_CALL(clGetProgramInfo(handle, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL)) == CL_SUCCESS &&
        size > 0 && size < BINARY_BYTES_MAX && cache_path(key, path, sizeof path) &&
        (binary = mem_alloc(size, 1)) != NULL &&
        OCL_CALL(clGetProgramInfo(handle, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL)) == CL_SUCCESS) {
        uint64_t hash = hash_bytes(HASH_START, binary, size);
        text_add_bytes(&file, key->s, key->len + 1);
        text_add_bytes(&file, (const char *)&hash, sizeof hash);
        text_add_bytes(&file, (const char *)binary, size);
        /* an unusable cache costs time at the next start, and is no failure of this one */
        if (text_status(&file) == ST_OK && trust_write(path, file.s, file.len, false) != ST_OK &&
            cache_folder(path, sizeof path) && access(path, W_OK) == 0 && !atomic_exchange(&told, true))
            note("compiled kernels cannot be kept: %s", st_message());
    }
    mem_free(binary);
    text_free(&file);
}

void ocl_note_build_log(const struct ocl_device *d, cl_program handle, const char *file, const char *options)
{
    size_t size = 0;
    char *log = NULL;
    if (clGetProgramBuildInfo(handle, d->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) != CL_SUCCESS || size < 2 ||
        (log = mem_alloc(size + 1, 1)) == NULL)
        return;
    if (clGetProgramBuildInfo(handle, d->id, CL_PROGRAM_BUILD_LOG, size, log, NULL) == CL_SUCCESS) {
        note("build log of %s.cl with %s on %s:", file, options, d->label);
        for (char *line = log, *end; *line; line = end + (*end != '\0')) {
            end = line + strcspn(line, "\n");
            note("  %.*s", (int)(end - line), line);
        }
    }
    mem_free(log);
}

/* What is to be said of the cache, and whether anything can be kept in it. */
static bool cache_words(char *words, char *folder)
{
    bool made = false;
    if (!dir_cache(folder, PATH_MAX))
        snprintf(words, PATH_MAX, ", which cannot be kept: neither XDG_CACHE_HOME nor HOME is a path");
    else if (dir_exists(folder) && !trust_folder(folder))
        words[0] = '\0'; /* it was said why it is not used */
    else if (trust_make(folder) != ST_OK || access(folder, W_OK) != 0)
        snprintf(words, PATH_MAX, ", which cannot be kept: %.*s cannot be written", PATH_MAX - 100, folder);
    else
        made = snprintf(words, PATH_MAX, ", once: they are kept in %.*s", PATH_MAX - 100, folder) > 0;
    return made;
}

/* Whether somebody was told of this device and driver before: a file in the cache says so. */
static bool was_told(const struct ocl_device *d, const char *folder)
{
    static const char line[] = "the user was told that kernels are kept here\n";
    char path[PATH_MAX];
    struct text key = {0};
    bool told = true;
    ocl_program_key(d, "", "", &key);
    if (text_status(&key) == ST_OK && snprintf(path, sizeof path, "%s/%016llx.told", folder, (unsigned long long)
                                               hash_bytes(HASH_START, key.s, key.len)) < (int)sizeof path) {
        told = file_exists(path);
        if (!told)
            (void)!trust_write(path, line, sizeof line - 1, false);
    }
    text_free(&key);
    return told;
}

/* Parts of a device use what the whole does, so that all are told of as one. */
void ocl_note_compiling(struct ocl_device *d)
{
    char folder[PATH_MAX], words[PATH_MAX];
    const struct ocl_facts *f = &d->facts;
    if (atomic_exchange(&d->told_compiling, true))
        return;
    if (!cache_words(words, folder) || !was_told(d, folder))
        note_once("compiling kernels for %d:%d %s%s", f->platform, f->index, f->name, words);
}

static enum st compile(struct ocl_device *d, const char *file, const char *options, const char *source,
                       cl_program *out)
{
    enum st s = ST_OK;
    cl_int code = CL_OUT_OF_RESOURCES;
    cl_program handle = NULL;
    ocl_note_compiling(d);
    if (!fault_here())
        handle = clCreateProgramWithSource(d->context, 1, &source, NULL, &code);
    TRY(ocl_check(code, "clCreateProgramWithSource", d));
    code = build(d, handle, options);
    if (code != CL_SUCCESS)
        ocl_note_build_log(d, handle, file, options);
    TRY(st_context(ocl_check(code, "clBuildProgram", d), "%s.cl with %s", file, options));
    *out = handle;
    handle = NULL;
out:
    if (handle)
        clReleaseProgram(handle);
    return s;
}

static struct ocl_program *find(const struct ocl_device *d, const char *file, const char *options)
{
    for (struct ocl_program *p = d->programs; p; p = p->next)
        if (strcmp(p->file, file) == 0 && strcmp(p->options, options) == 0)
            return p;
    return NULL;
}

enum st ocl_program_get(struct ocl_device *d, const char *file, const char *extra, const struct ocl_program **out)
{
    enum st s = ST_OK;
    struct text source = {0}, key = {0};
    struct ocl_program *p = find(d, file, extra);
    if (p) {
        *out = p;
        return ST_OK;
    }
    char options[512];
    if (snprintf(options, sizeof options, "-cl-std=CL1.2 %s", extra) >= (int)sizeof options)
        return st_fail(ST_INTERNAL, "build options of %s.cl are too long", file);
    size_t file_len = strlen(file) + 1, extra_len = strlen(extra) + 1;
    p = mem_alloc(1, sizeof *p + file_len + extra_len);
    if (!p)
        return ST_MEMORY;
    ocl_compiling_begin();
    p->file = memcpy((char *)(p + 1), file, file_len);
    p->options = memcpy((char *)(p + 1) + file_len, extra, extra_len);
    TRY(ocl_source_add("common", &source));
    TRY(ocl_source_add(file, &source));
    ocl_program_key(d, options, source.s, &key);
    TRY(text_status(&key));
    p->handle = ocl_cache_load(d, &key, options);
    if (!p->handle) {
        TRY(compile(d, file, options, source.s, &p->handle));
        ocl_cache_save(p->handle, &key);
        OCL_COUNT(compiled);
    }
    OCL_COUNT(programs);
    p->next = d->programs;
    d->programs = p;
    *out = p;
    p = NULL;
out:
    ocl_compiling_end();
    mem_free(p);
    text_free(&source);
    text_free(&key);
    return s;
}

void ocl_programs_free(struct ocl_device *d)
{
    while (d->programs) {
        struct ocl_program *next = d->programs->next;
        clReleaseProgram(d->programs->handle);
        mem_free(d->programs);
        d->programs = next;
    }
}
