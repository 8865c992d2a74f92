/*
 * json: values of jansson, made and written with a check. Stands on base, and serves those floors that keep JSON.
 *
 * What makes a value gives NULL where memory ran out, or a text is no UTF-8. Values are put together without a look at
 * each: what was made of a NULL is NULL, so that only the whole has to be checked.
 */
#ifndef CLUTCH_JSON_H
#define CLUTCH_JSON_H

#include "base.h"

#include <jansson.h>

/* Text that may be anything, as a file's name: bytes that are no UTF-8 come as \xff. */
json_t *json_foreign(const char *text);
/* Add to what may be NULL already, and give the value away; on failure *object is dropped and becomes NULL. Fault
 * points. */
void json_put(json_t **object, const char *key, json_t *value);
void json_push(json_t **array, json_t *value);
/* Takes a new JSON value; a NULL one is ST_MEMORY. */
MUST_USE enum st json_check(const json_t *value);
/* The value, NULL as in json_check, as text behind what is there, with jansson's flags; and as one line. */
MUST_USE enum st json_text(const json_t *value, size_t flags, struct text *out);
MUST_USE enum st json_line(const json_t *value, struct text *out);

#endif
