#include "json.h"

enum st json_check(const json_t *value)
{
    return value ? ST_OK : st_fail(ST_MEMORY, "out of memory while making JSON");
}

json_t *json_foreign(const char *text)
{
    struct text clean = {0};
    text_add_foreign(&clean, text);
    json_t *value = clean.failed ? NULL : json_string(clean.s ? clean.s : "");
    text_free(&clean);
    return value;
}

/* The value, or NULL at a fault point. */
static json_t *passed(json_t *value)
{
    if (!fault_here())
        return value;
    json_decref(value);
    return NULL;
}

static void give_up(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

void json_put(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new(*object, key, passed(value)) != 0) /* which drops the value, and takes no NULL */
        give_up(object);
}

void json_push(json_t **array, json_t *value)
{
    if (json_array_append_new(*array, passed(value)) != 0)
        give_up(array);
}

static int add_text(const char *buffer, size_t size, void *out)
{
    text_add_bytes(out, buffer, size);
    return 0;
}

enum st json_text(const json_t *value, size_t flags, struct text *out)
{
    enum st s = json_check(value);
    if (s == ST_OK && json_dump_callback(value, add_text, out, flags | JSON_PRESERVE_ORDER) != 0)
        s = st_fail(ST_MEMORY, "out of memory while writing JSON");
    return s == ST_OK ? text_status(out) : s;
}

enum st json_line(const json_t *value, struct text *out)
{
    return json_text(value, JSON_COMPACT | JSON_REAL_PRECISION(9), out);
}
