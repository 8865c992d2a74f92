/* safetensors: 8 bytes of header length, a JSON header of names, types, shapes and offsets, then the numbers. */
#include "store.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors holds little-endian numbers; this host needs a swap that is not written"
#endif

enum {
    LENGTH_BYTES = 8,
    DATA_ALIGN = 8,               /* of the data in files we write; other writers need not keep it */
    HEADER_MAX_BYTES = 100000000, /* the limit of the reference implementation */
    SHOWN_MAX = 256,              /* "F32 [...]" with the longest shape */
    NAMED_MAX = 8,                /* tensors in a message, of the thousands that a file may hold */
};

static const char METADATA[] = "__metadata__";

static const struct {
    const char *name;
    size_t bytes;
} types[] = {
    [STORE_F32] = {"F32", 4},   [STORE_I64] = {"I64", 8},         [STORE_F16] = {"F16", 2},
    [STORE_BF16] = {"BF16", 2}, [STORE_F64] = {"F64", 8},         [STORE_BOOL] = {"BOOL", 1},
    [STORE_U8] = {"U8", 1},     [STORE_I8] = {"I8", 1},           [STORE_F8_E5M2] = {"F8_E5M2", 1},
    [STORE_U16] = {"U16", 2},   [STORE_F8_E4M3] = {"F8_E4M3", 1}, [STORE_I16] = {"I16", 2},
    [STORE_U32] = {"U32", 4},   [STORE_I32] = {"I32", 4},         [STORE_U64] = {"U64", 8},
    [STORE_C64] = {"C64", 8},
};

/* What a file's tensor is beside what all may know of it. */
struct fate {
    enum store_type stored; /* its type in the file */
    bool known;             /* somebody found it, or has no use for it */
};

struct store_file {
    struct arena memory; /* everything below, and the tensors' data */
    const char *path;
    struct store_tensor *tensors;
    struct fate *fate; /* (n) */
    int n;
};

/* Where the header says a tensor's data lies, in bytes after the header. */
struct entry {
    struct store_tensor tensor;
    size_t begin, end;
};

/* The first of the file's names, of the unknown ones or all, and how many more there are. */
static void add_names(const struct store_file *file, bool unknown, struct text *out)
{
    int left = 0;
    for (int i = 0; i < file->n; i++) {
        if (unknown && file->fate[i].known)
            continue;
        if (left++ < NAMED_MAX)
            text_add(out, "%s%s", left > 1 ? ", " : "", file->tensors[i].name);
    }
    if (left > NAMED_MAX)
        text_add(out, " and %d more", left - NAMED_MAX);
}

/* "F32 [256, 784]" */
static const char *show_kind(char out[SHOWN_MAX], enum store_type type, int rank, const int64_t *shape)
{
    int at = snprintf(out, SHOWN_MAX, "%s [", types[type].name);
    for (int i = 0; i < rank; i++)
        at += snprintf(out + at, (size_t)(SHOWN_MAX - at), i ? ", %lld" : "%lld", (long long)shape[i]);
    snprintf(out + at, (size_t)(SHOWN_MAX - at), "]");
    return out;
}

static enum st tensor_bytes(const struct store_tensor *t, size_t *out)
{
    size_t bytes = types[t->type].bytes;
    for (int i = 0; i < t->rank; i++) {
        size_t dim = (size_t)t->shape[i];
        if (t->shape[i] < 0)
            return st_fail(ST_INPUT, "shape with a negative size, %lld", (long long)t->shape[i]);
        if (dim != 0 && bytes > PTRDIFF_MAX / dim)
            return st_fail(ST_INPUT, "shape with more elements than can be addressed");
        bytes *= dim;
    }
    *out = bytes;
    return ST_OK;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static enum st header_read(const char *bytes, size_t len, json_t **header, size_t *data_at)
{
    uint64_t n;
    json_error_t error;
    if (len < LENGTH_BYTES)
        return st_fail(ST_INPUT, "%zu bytes are too short for a safetensors file", len);
    memcpy(&n, bytes, sizeof n);
    if (n > HEADER_MAX_BYTES)
        return st_fail(ST_INPUT, "no safetensors file: it announces a header of %llu bytes, at most %d are allowed",
                       (unsigned long long)n, HEADER_MAX_BYTES);
    if (n > len - LENGTH_BYTES)
        return st_fail(ST_INPUT, "cut short: it announces a header of %llu bytes, but has %zu", (unsigned long long)n,
                       len - LENGTH_BYTES);
    if (n == 0 || bytes[LENGTH_BYTES] != '{')
        return st_fail(ST_INPUT, "no safetensors file: the header does not begin with {");
    *header = json_loadb(bytes + LENGTH_BYTES, (size_t)n, JSON_REJECT_DUPLICATES, &error);
    if (!*header)
        return st_fail(ST_INPUT, "the header is no good JSON at byte %d: %s", error.position, error.text);
    *data_at = LENGTH_BYTES + (size_t)n;
    return ST_OK;
}

static enum st metadata_check(json_t *metadata)
{
    const char *key;
    json_t *value;
    bool good = json_is_object(metadata) || json_is_null(metadata); /* as the reference implementation has it */
    json_object_foreach(metadata, key, value)
        good = good && json_is_string(value);
    return good ? ST_OK : st_fail(ST_INPUT, "%s does not map strings to strings", METADATA);
}

static enum st type_read(const char *word, enum store_type *out)
{
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (strcmp(word, types[i].name) == 0) {
            *out = (enum store_type)i;
            return ST_OK;
        }
    }
    return st_fail(ST_INPUT, "dtype %s is not known; read are F32, F16, BF16, F64 and I64", word);
}

static enum st shape_read(const json_t *shape, struct store_tensor *t)
{
    if (!json_is_array(shape))
        return st_fail(ST_INPUT, "shape is no list");
    if (json_array_size(shape) > STORE_RANK_MAX)
        return st_fail(ST_INPUT, "shape of %zu sizes, at most %d are allowed", json_array_size(shape), STORE_RANK_MAX);
    t->rank = (int)json_array_size(shape);
    for (int i = 0; i < t->rank; i++) {
        const json_t *dim = json_array_get(shape, (size_t)i);
        if (!json_is_integer(dim))
            return st_fail(ST_INPUT, "shape with something else than whole numbers");
        t->shape[i] = json_integer_value(dim);
    }
    return ST_OK;
}

static enum st entry_read(const char *name, json_t *value, size_t data_bytes, struct entry *e)
{
    enum st s = ST_OK;
    json_error_t error;
    const char *type;
    json_t *shape;
    json_int_t begin, end;
    size_t bytes, name_len = strlen(name);
    char shown[SHOWN_MAX];
    if (json_unpack_ex(value, &error, 0, "{s:s, s:o, s:[I,I!]}", "dtype", &type, "shape", &shape, "data_offsets",
                       &begin, &end) != 0)
        TRY(st_fail(ST_INPUT, "%s", error.text));
    if (name_len >= STORE_NAME_MAX)
        TRY(st_fail(ST_INPUT, "name of %zu bytes, at most %d are allowed", name_len, STORE_NAME_MAX - 1));
    memcpy(e->tensor.name, name, name_len + 1);
    TRY(type_read(type, &e->tensor.type));
    TRY(shape_read(shape, &e->tensor));
    TRY(tensor_bytes(&e->tensor, &bytes));
    if (begin < 0 || end < begin || (size_t)(end - begin) != bytes)
        TRY(st_fail(ST_INPUT, "data_offsets %lld to %lld, but %s takes %zu bytes", (long long)begin, (long long)end,
                    show_kind(shown, e->tensor.type, e->tensor.rank, e->tensor.shape), bytes));
    if ((size_t)end > data_bytes)
        TRY(st_fail(ST_INPUT, "data_offsets %lld to %lld, but the file has only %zu bytes of data", (long long)begin,
                    (long long)end, data_bytes));
    e->begin = (size_t)begin;
    e->end = (size_t)end;
out:
    return s;
}

static int entry_compare(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end) /* empty tensors before the one that begins in the same place */
        return a->end < b->end ? -1 : 1;
    return strcmp(a->tensor.name, b->tensor.name);
}

static enum st layout_check(const struct entry *entries, size_t n, size_t data_bytes)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = entries[i].tensor.name;
        if (entries[i].begin < at)
            return st_fail(ST_INPUT, "tensor %s overlaps tensor %s", name, entries[i - 1].tensor.name);
        if (entries[i].begin > at)
            return st_fail(ST_INPUT, "hole of %zu byte%s before tensor %s", entries[i].begin - at,
                           plural(entries[i].begin - at), name);
        at = entries[i].end;
    }
    if (at != data_bytes)
        return st_fail(ST_INPUT, "%zu byte%s after the last tensor, for no tensor", data_bytes - at,
                       plural(data_bytes - at));
    return ST_OK;
}

static float of_f32_bits(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* IEEE 754's binary16: a sign, 5 bits of exponent, 10 of mantissa. */
static float of_f16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits >> 15) << 31, exponent = bits >> 10 & 31, mantissa = bits & 1023;
    if (exponent == 0) /* subnormal: mantissa * 2^-24, normal as F32 */
        return sign ? -(float)mantissa * 0x1p-24f : (float)mantissa * 0x1p-24f;
    exponent = exponent == 31 ? 255 : exponent + (127 - 15);
    return of_f32_bits(sign | exponent << 23 | mantissa << 13);
}

static enum st of_f64(double v, float *out)
{
    *out = (float)v;
    if (isfinite(v) && !isfinite(*out))
        return st_fail(ST_INPUT, "%g, an F64, does not fit F32", v);
    return ST_OK;
}

/* From `count` numbers of the type at `data`, which no type's alignment binds. */
static enum st to_f32(enum store_type type, const char *data, size_t count, float *out)
{
    enum st s = ST_OK;
    for (size_t i = 0; i < count && s == ST_OK; i++) {
        uint16_t half;
        double wide;
        if (type == STORE_F64) {
            memcpy(&wide, data + i * sizeof wide, sizeof wide);
            s = of_f64(wide, &out[i]);
        } else {
            memcpy(&half, data + i * sizeof half, sizeof half);
            out[i] = type == STORE_F16 ? of_f16(half) : of_f32_bits((uint32_t)half << 16);
        }
    }
    return s;
}

/* Every tensor gets memory of its own: in the file it may lie at an address that its type does not allow. */
static enum st tensor_copy(struct store_file *file, const struct entry *e, const char *data)
{
    enum st s = ST_OK;
    enum store_type type = e->tensor.type;
    bool converts = type == STORE_F16 || type == STORE_BF16 || type == STORE_F64;
    size_t bytes = e->end - e->begin, count = bytes / types[type].bytes;
    void *copy = arena_alloc(&file->memory, count, types[converts ? STORE_F32 : type].bytes);
    if (!copy)
        TRY(ST_MEMORY);
    if (converts)
        TRY(st_context(to_f32(type, data + e->begin, count, copy), "tensor %s", e->tensor.name));
    else
        memcpy(copy, data + e->begin, bytes);
    file->fate[file->n].stored = type;
    file->tensors[file->n] = e->tensor;
    file->tensors[file->n].type = converts ? STORE_F32 : type;
    file->tensors[file->n++].data = copy;
out:
    return s;
}

static enum st tensors_copy(struct store_file *file, const struct entry *entries, size_t n, const char *data)
{
    enum st s = ST_OK;
    file->tensors = arena_alloc(&file->memory, n, sizeof *file->tensors);
    file->fate = arena_alloc(&file->memory, n, sizeof *file->fate);
    if (!file->tensors || !file->fate)
        TRY(ST_MEMORY);
    for (size_t i = 0; i < n; i++)
        TRY(tensor_copy(file, &entries[i], data));
out:
    return s;
}

static enum st file_parse(struct store_file *file, const char *bytes, size_t len)
{
    enum st s = ST_OK;
    json_t *header = NULL, *value;
    struct entry *entries = NULL;
    const char *name;
    size_t data_at, n = 0;
    TRY(header_read(bytes, len, &header, &data_at));
    TRY(NEW(entries, json_object_size(header)));
    json_object_foreach(header, name, value) {
        if (strcmp(name, METADATA) == 0)
            TRY(metadata_check(value));
        else
            TRY(st_context(entry_read(name, value, len - data_at, &entries[n++]), "tensor %s", name));
    }
    qsort(entries, n, sizeof *entries, entry_compare);
    TRY(layout_check(entries, n, len - data_at));
    TRY(tensors_copy(file, entries, n, bytes + data_at));
out:
    mem_free(entries);
    json_decref(header);
    return s;
}

enum st store_tensors_open(const char *path, struct store_file **out)
{
    enum st s = ST_OK;
    struct store_file *file = NULL;
    char *bytes = NULL;
    size_t len;
    TRY(NEW(file, 1));
    file->path = arena_copy(&file->memory, path, strlen(path));
    if (!file->path)
        TRY(ST_MEMORY);
    TRY(file_read(path, PTRDIFF_MAX, &bytes, &len));
    TRY(st_context(file_parse(file, bytes, len), "cannot read %s", path));
    *out = file;
    file = NULL;
out:
    mem_free(bytes);
    store_tensors_close(file);
    return s;
}

void store_tensors_close(struct store_file *file)
{
    if (!file)
        return;
    arena_free(&file->memory);
    mem_free(file);
}

int store_tensors_count(const struct store_file *file)
{
    return file->n;
}

const struct store_tensor *store_tensors_at(const struct store_file *file, int i)
{
    return &file->tensors[i];
}

static enum st not_found(const struct store_file *file, const char *name)
{
    enum st s = ST_OK;
    struct text names = {0};
    add_names(file, false, &names);
    TRY(text_status(&names));
    TRY(st_fail(ST_INPUT, "no tensor %s in %s; it has %s", name, file->path, file->n ? names.s : "none"));
out:
    text_free(&names);
    return s;
}

enum st store_tensors_find(const struct store_file *file, const char *name, enum store_type type, int rank,
                           const int64_t *shape, const struct store_tensor **out)
{
    char has[SHOWN_MAX], wanted[SHOWN_MAX];
    for (int i = 0; i < file->n; i++) {
        const struct store_tensor *t = &file->tensors[i];
        if (strcmp(t->name, name) != 0)
            continue;
        if (t->type != type || t->rank != rank ||
            (rank && memcmp(t->shape, shape, (size_t)rank * sizeof *shape) != 0))
            return st_fail(ST_INPUT, "tensor %s of %s is %s, needed is %s", name, file->path,
                           show_kind(has, file->fate[i].stored, t->rank, t->shape),
                           show_kind(wanted, type, rank, shape));
        file->fate[i].known = true;
        *out = t;
        return ST_OK;
    }
    return not_found(file, name);
}

void store_tensors_know(const struct store_file *file, const char *name)
{
    for (int i = 0; i < file->n; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            file->fate[i].known = true;
}

void store_tensors_note_surplus(const struct store_file *file, const char *owner)
{
    struct text names = {0};
    add_names(file, true, &names);
    if (names.len && !names.failed)
        note("%s holds tensors that %s has no place for; they are not used: %s", file->path, owner, names.s);
    text_free(&names);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static json_t *metadata_json(const char *const *pairs)
{
    json_t *object = json_object();
    bool good = object;
    for (size_t i = 0; good && pairs[i]; i += 2)
        good = json_object_set_new(object, pairs[i], json_string(pairs[i + 1])) == 0;
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *tensor_json(const struct store_tensor *t, size_t begin, size_t end)
{
    json_t *shape = json_array();
    bool good = shape;
    for (int i = 0; good && i < t->rank; i++)
        good = json_array_append_new(shape, json_integer(t->shape[i])) == 0;
    if (good)
        return json_pack("{s:s, s:o, s:[I,I]}", "dtype", types[t->type].name, "shape", shape, "data_offsets",
                         (json_int_t)begin, (json_int_t)end);
    json_decref(shape);
    return NULL;
}

/* jansson keeps the order in which keys were set, so the same tensors give the same bytes. */
static enum st header_make(const struct store_tensor *tensors, int n, const char *const *metadata, json_t *header,
                           size_t *data_bytes)
{
    enum st s = ST_OK;
    size_t at = 0, bytes;
    if (metadata && json_object_set_new(header, METADATA, metadata_json(metadata)) != 0)
        TRY(st_fail(ST_INPUT, "metadata that is no UTF-8 text"));
    for (int i = 0; i < n; i++) {
        TRY(st_context(tensor_bytes(&tensors[i], &bytes), "tensor %s", tensors[i].name));
        if (json_object_get(header, tensors[i].name))
            TRY(st_fail(ST_INTERNAL, "two tensors are called %s", tensors[i].name));
        if (json_object_set_new(header, tensors[i].name, tensor_json(&tensors[i], at, at + bytes)) != 0)
            TRY(st_fail(ST_INPUT, "tensor %s: its name is no UTF-8 text", tensors[i].name));
        at += bytes;
    }
    *data_bytes = at;
out:
    return s;
}

enum st store_tensors_write(const char *path, const struct store_tensor *tensors, int n, const char *const *metadata)
{
    enum st s = ST_OK;
    char *file = NULL;
    size_t data_bytes = 0, bytes;
    json_t *header = json_object();
    if (!header)
        TRY(st_fail(ST_MEMORY, "out of memory: no header for %s", path));
    TRY(st_context(header_make(tensors, n, metadata, header, &data_bytes), "cannot write %s", path));
    size_t text_bytes = json_dumpb(header, NULL, 0, JSON_COMPACT);
    uint64_t header_bytes = (text_bytes + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
    TRY(NEW(file, LENGTH_BYTES + header_bytes + data_bytes));
    memcpy(file, &header_bytes, sizeof header_bytes);
    memset(file + LENGTH_BYTES, ' ', header_bytes);
    json_dumpb(header, file + LENGTH_BYTES, text_bytes, JSON_COMPACT);
    char *at = file + LENGTH_BYTES + header_bytes;
    for (int i = 0; i < n; i++) {
        TRY(tensor_bytes(&tensors[i], &bytes));
        if (bytes)
            memcpy(at, tensors[i].data, bytes);
        at += bytes;
    }
    TRY(file_write(path, file, (size_t)(at - file)));
out:
    mem_free(file);
    json_decref(header);
    return s;
}
