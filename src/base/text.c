/* Growing strings, and numbers read from words. */
#include "base.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct text *t, size_t more)
{
    if (t->failed)
        return false;
    if (t->cap - t->len > more) /* room for the NUL too */
        return true;
    size_t cap = t->cap ? t->cap : 128;
    while (cap - t->len <= more)
        cap *= 2;
    char *s = mem_resize(t->s, cap, 1);
    if (!s) {
        t->failed = true;
        return false;
    }
    t->s = s;
    t->cap = cap;
    return true;
}

void text_add_bytes(struct text *t, const char *bytes, size_t len)
{
    if (!reserve(t, len))
        return;
    if (len)
        memcpy(t->s + t->len, bytes, len);
    t->len += len;
    t->s[t->len] = '\0';
}

void text_add(struct text *t, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n >= 0 && reserve(t, (size_t)n)) {
        vsnprintf(t->s + t->len, (size_t)n + 1, fmt, again);
        t->len += (size_t)n;
    }
    va_end(again);
}

enum st text_status(const struct text *t)
{
    return t->failed ? ST_MEMORY : ST_OK; /* the record was filled by mem_resize */
}

void text_clear(struct text *t)
{
    t->len = 0;
    if (t->s)
        t->s[0] = '\0';
}

void text_free(struct text *t)
{
    mem_free(t->s);
    *t = (struct text){0};
}

bool parse_i64(const char *word, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    long long v = strtoll(word, &end, 10);
    if (end == word || *end || errno || strchr(" \t\n\v\f\r+", word[0]))
        return false;
    *out = v;
    return true;
}

bool parse_f64(const char *word, double *out)
{
    char *end = NULL;
    errno = 0;
    double v = strtod(word, &end);
    /* strtod also takes hexadecimal and "inf"; underflow to a small number is no error */
    if (end == word || *end || !isfinite(v) || strchr(" \t\n\v\f\r+", word[0]) || strpbrk(word, "xXpP"))
        return false;
    *out = v;
    return true;
}

char *show_bytes(char *out, size_t size, uint64_t bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double v = (double)bytes;
    size_t u = 0;
    while (v >= 1024 && u + 1 < COUNT_OF(unit)) {
        v /= 1024;
        u++;
    }
    snprintf(out, size, u == 0 ? "%.0f %s" : "%.1f %s", v, unit[u]);
    return out;
}
