/* The only door to malloc, and an arena on top of it. */
#include "base.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic uint64_t count; /* any thread adds, tests read; no order needed */

static bool may_allocate(size_t n, size_t size)
{
    if (size != 0 && n > SIZE_MAX / size) {
        (void)!st_fail(ST_MEMORY, "out of memory: %zu elements of %zu bytes are more than can be addressed", n, size);
        return false;
    }
    if (fault_here()) {
        (void)!st_fail(ST_MEMORY, "out of memory: %zu bytes asked (fault point)", n * size);
        return false;
    }
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    return true;
}

void *mem_alloc(size_t n, size_t size)
{
    if (!may_allocate(n, size))
        return NULL;
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p)
        (void)!st_fail(ST_MEMORY, "out of memory: %zu bytes asked", n * size);
    return p;
}

void *mem_resize(void *p, size_t n, size_t size)
{
    if (!may_allocate(n, size))
        return NULL;
    void *q = realloc(p, n && size ? n * size : 1);
    if (!q)
        (void)!st_fail(ST_MEMORY, "out of memory: %zu bytes asked", n * size);
    return q;
}

void mem_free(void *p)
{
    free(p);
}

uint64_t mem_count(void)
{
    return atomic_load_explicit(&count, memory_order_relaxed);
}

enum { BLOCK_BYTES = 1 << 16, ALIGN = _Alignof(max_align_t) };

struct arena_block {
    struct arena_block *below;
    size_t used, size;
    _Alignas(max_align_t) char data[];
};

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
    if (size != 0 && n > (SIZE_MAX - BLOCK_BYTES) / size) {
        (void)!st_fail(ST_MEMORY, "out of memory: %zu elements of %zu bytes are more than can be addressed", n, size);
        return NULL;
    }
    size_t bytes = (n * size + ALIGN - 1) / ALIGN * ALIGN;
    if (!a->top || a->top->size - a->top->used < bytes) {
        size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        struct arena_block *b = mem_alloc(1, sizeof *b + room);
        if (!b)
            return NULL;
        b->below = a->top;
        b->size = room;
        a->top = b;
    }
    void *p = a->top->data + a->top->used;
    a->top->used += bytes;
    return p;
}

char *arena_copy(struct arena *a, const char *s, size_t len)
{
    char *copy = arena_alloc(a, len + 1, 1);
    if (copy && len)
        memcpy(copy, s, len);
    return copy;
}

void arena_free(struct arena *a)
{
    while (a->top) {
        struct arena_block *below = a->top->below;
        mem_free(a->top);
        a->top = below;
    }
}
