/* JSON as all commands write it, and values of an object read with a check. */
#include "inside.h"

#include <stdio.h>

enum st json_check(json_t *value)
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

static void give_up(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

void json_put(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new(*object, key, value) != 0) /* which drops the value, and takes no NULL */
        give_up(object);
}

void json_push(json_t **array, json_t *value)
{
    if (json_array_append_new(*array, value) != 0)
        give_up(array);
}

static int add_text(const char *buffer, size_t size, void *out)
{
    text_add_bytes(out, buffer, size);
    return 0;
}

enum st json_text(const json_t *value, size_t flags, struct text *out)
{
    if (json_dump_callback(value, add_text, out, flags | JSON_PRESERVE_ORDER) != 0)
        return st_fail(ST_MEMORY, "out of memory while writing JSON");
    return text_status(out);
}

enum st json_line(const json_t *value, struct text *out)
{
    return json_text(value, JSON_COMPACT | JSON_REAL_PRECISION(9), out);
}

enum st json_print(json_t *one)
{
    enum st s = ST_OK;
    struct text line = {0};
    TRY(json_check(one));
    TRY(json_line(one, &line));
    output("%s\n", line.s);
out:
    json_decref(one);
    text_free(&line);
    return s;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static enum st missing(const json_t *value, const char *key, const char *kind)
{
    return st_fail(ST_INPUT, value ? "%s is no %s" : "%s is missing, must be a %s", key, kind);
}

enum st json_whole(const json_t *object, const char *key, int64_t least, int64_t most, int64_t *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        return missing(value, key, "whole number");
    *out = json_integer_value(value);
    return args_check(key, *out, least, most);
}

enum st json_real_in(const json_t *object, const char *key, double least, double most, double *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        return missing(value, key, "number");
    *out = json_number_value(value);
    if (!(*out >= least && *out <= most))
        return st_fail(ST_INPUT, "%s is %g, must be from %g to %g", key, *out, least, most);
    return ST_OK;
}

enum st json_flag(const json_t *object, const char *key, bool *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_boolean(value))
        return missing(value, key, "truth value");
    *out = json_is_true(value);
    return ST_OK;
}

enum st json_word(const json_t *object, const char *key, const char **out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return missing(value, key, "text");
    *out = json_string_value(value);
    return ST_OK;
}
