/* JSON as all commands print it, and values of an object read with a check. */
#include "inside.h"

enum st json_print(json_t *one)
{
    enum st s = ST_OK;
    struct text line = {0};
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
