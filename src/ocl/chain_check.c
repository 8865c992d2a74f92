/*
 * Chains are used where they were shown right: before the first one on a device, some launches are made one by one and
 * as chains, and must give the same bits. What came of it is kept in the cache, for this device, driver and source.
 */
#include "inside.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { N = 3000, BUFS = 3, ROUNDS = 8, READS = ROUNDS / 2, LAUNCHES = 14, FLOATS = (BUFS + READS) * N };
enum { KEPT_BYTES_MAX = 1 << 20 };

/* Launches that each read what the one before wrote; as sections, which may become chains. `out` (FLOATS). */
static enum st run_all(struct ocl_queue *q, struct ocl_buf **buf, bool chained, float *out)
{
    enum st s = ST_OK;
    struct ocl_kernel *k;
    for (int i = 0; i < N; i++)
        out[i] = (float)(i % 100) * 0.25f - 7;
    TRY(ocl_kernel_get(q, "chain_check", "chain_check", "", &k));
    ocl_kernel_chains(k);
    for (int b = 0; b < BUFS; b++)
        TRY(ocl_write(q, buf[b], 0, N * sizeof *out, out));
    TRY(ocl_wait(q));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (chained)
            ocl_chain_begin(q);
        for (uint32_t i = 0; s == ST_OK && i < LAUNCHES; i++)
            s = ocl_run(k, (size_t[2]){N, 1}, (size_t[2]){16, 1},
                        OCL_ARGS(ocl_u(i % 4 == 3 ? 100 : N), ocl_u(7919), ocl_f(round + 0.1 * i),
                                 ocl_b(buf[i % BUFS]), ocl_b(buf[(i + 1) % BUFS])));
        s = chained ? ocl_chain_end(q, s) : s;
        if (s == ST_OK && round < READS) /* and so a chain is one section, of which little changes */
            s = ocl_read(q, buf[LAUNCHES % BUFS], 0, N * sizeof *out, out + (BUFS + round) * N);
        TRY(s);
    }
    for (int b = 0; b < BUFS; b++)
        TRY(ocl_read(q, buf[b], 0, N * sizeof *out, out + b * N));
out:
    return s;
}

/* *right: whether chains gave the same; *tried: whether there were any. */
static enum st check(struct ocl_device *d, bool *right, bool *tried)
{
    enum st s = ST_OK;
    struct ocl_queue *q = NULL;
    struct ocl_buf *buf[BUFS] = {NULL};
    float *want = NULL, *got = NULL;
    TRY(NEW(want, FLOATS));
    TRY(NEW(got, FLOATS));
    TRY(ocl_queue_open(d, &q));
    q->checking = true;
    for (int b = 0; b < BUFS; b++)
        TRY(ocl_buf_create(d, N * sizeof *want, &buf[b]));
    TRY(run_all(q, buf, false, want));
    TRY(run_all(q, buf, true, got));
    *tried = chain_was_used(q->chain);
    *right = memcmp(want, got, FLOATS * sizeof *want) == 0;
out:
    if (q)
        (void)!ocl_wait(q);
    for (int b = 0; b < BUFS; b++)
        ocl_buf_free(buf[b]);
    ocl_queue_close(q);
    mem_free(want);
    mem_free(got);
    return s;
}

/* The file that keeps the answer: the whole key, a NUL, and 'y' or 'n'. The number is that of what run_all() does. */
static enum st find_file(const struct ocl_device *d, struct text *key, char path[PATH_MAX])
{
    enum st s = ST_OK;
    struct text source = {0};
    char folder[PATH_MAX];
    path[0] = '\0';
    TRY(ocl_source_add("chain", &source));
    TRY(ocl_source_add("chain_check", &source));
    ocl_program_key(d, "check of chains 1", source.s, key);
    TRY(text_status(key));
    if (!dir_cache(folder, sizeof folder) || (dir_exists(folder) && !trust_folder(folder)) ||
        snprintf(path, PATH_MAX, "%s/%016llx.chains", folder,
                 (unsigned long long)hash_bytes(HASH_START, key->s, key->len)) >= PATH_MAX)
        path[0] = '\0';
out:
    text_free(&source);
    return s;
}

static bool is_kept(const char *path, const struct text *key, bool *right)
{
    char *data = NULL;
    size_t len;
    if (!path[0] || !file_exists(path) || trust_read(path, KEPT_BYTES_MAX, &data, &len) != ST_OK)
        return false;
    bool good = len == key->len + 2 && memcmp(data, key->s, key->len + 1) == 0;
    if (good)
        *right = data[len - 1] == 'y';
    mem_free(data);
    return good;
}

static void keep(const char *path, struct text *key, bool right)
{
    text_add_bytes(key, right ? "\0y" : "\0n", 2);
    if (path[0] && text_status(key) == ST_OK)
        (void)!trust_write(path, key->s, key->len, false); /* else it is checked again */
}

static bool find_out(struct ocl_device *d)
{
    char path[PATH_MAX];
    struct text key = {0};
    bool right = false, tried = false;
    enum st s = find_file(d, &key, path);
    if (s == ST_OK && !is_kept(path, &key, &right)) {
        s = check(d, &right, &tried);
        if (s == ST_OK && tried)
            keep(path, &key, right);
        right = right && tried; /* it was said why there are none */
        if (s == ST_OK && !tried)
            goto out;
    }
    if (s != ST_OK)
        note_once("%s; so kernels are launched one by one", st_message());
    else if (!right)
        note_once("chains of kernels give other results than single launches on %s: kernels are launched one by one",
                  d->label);
out:
    text_free(&key);
    return s == ST_OK && right;
}

bool chain_is_right(struct ocl_device *d)
{
    monitor_enter(d->checking);
    if (!d->checked) {
        d->right = find_out(d);
        d->checked = true;
    }
    bool right = d->right;
    monitor_leave(d->checking);
    return right;
}
