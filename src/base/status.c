/* The error record of each thread, and notes. */
#include "base.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static _Thread_local struct {
    char message[2048];
    char where[128];
} record;

static void (*note_hook)(const char *line); /* written once, before threads start; read by all */

enum st st_fail_at(enum st code, const char *file, int line, const char *fmt, ...)
{
    /* the arguments may point into the record (a message wrapped in another), hence the copy */
    char message[sizeof record.message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    memcpy(record.message, message, sizeof message);
    snprintf(record.where, sizeof record.where, "%s:%d", file, line);
    return code;
}

enum st st_context(enum st s, const char *fmt, ...)
{
    if (s == ST_OK)
        return s;
    char phrase[512], message[sizeof record.message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(phrase, sizeof phrase, fmt, args);
    va_end(args);
    snprintf(message, sizeof message, "%s: %.*s", phrase, (int)(sizeof message - sizeof phrase - 3), record.message);
    memcpy(record.message, message, sizeof message);
    return s;
}

const char *st_message(void)
{
    return record.message;
}

const char *st_where(void)
{
    return record.where;
}

void note(const char *fmt, ...)
{
    if (!note_hook)
        return;
    char line[8192];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    note_hook(line);
}

static _Atomic uint64_t seen[64]; /* hashes of lines; where all places are taken, one may come again */

static bool is_new(const char *line)
{
    uint64_t hash = hash_bytes(HASH_START, line, strlen(line));
    for (size_t i = 0; i < COUNT_OF(seen); i++) {
        uint64_t none = 0;
        if (atomic_compare_exchange_strong(&seen[i], &none, hash))
            return true;
        if (none == hash)
            return false;
    }
    return true;
}

void note_once(const char *fmt, ...)
{
    char line[8192];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (is_new(line))
        note("%s", line);
}

void note_to(void (*hook)(const char *line))
{
    note_hook = hook;
    for (size_t i = 0; i < COUNT_OF(seen); i++)
        atomic_store(&seen[i], 0);
}
