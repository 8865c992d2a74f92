/* digits FOLDER: clutch's built-in digits (seed 1) as the four IDX files, so that PyTorch can train on them, too. */
#include "data.h"

#include <limits.h>
#include <stdio.h>

static void put_be32(struct text *t, uint32_t v)
{
    const char bytes[4] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};
    text_add_bytes(t, bytes, sizeof bytes);
}

/* An IDX file of bytes: a magic number that says how many dimensions there are, the dimensions, the bytes. */
static enum st write_idx(const char *folder, const char *name, const uint32_t *dims, uint32_t rank,
                         const uint8_t *bytes)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    struct text t = {0};
    size_t n = 1;
    put_be32(&t, 0x800 + rank);
    for (uint32_t i = 0; i < rank; i++) {
        put_be32(&t, dims[i]);
        n *= dims[i];
    }
    text_add_bytes(&t, (const char *)bytes, n);
    TRY(text_status(&t));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    TRY(file_write(path, t.s, t.len));
out:
    text_free(&t);
    return s;
}

static enum st write_set(const char *folder)
{
    enum st s = ST_OK;
    struct data_set *d = NULL;
    TRY(data_open("digits", 1, &d));
    TRY(dir_make(folder));
    const uint32_t train[] = {d->train.n, (uint32_t)d->h, (uint32_t)d->w};
    const uint32_t test[] = {d->test.n, (uint32_t)d->h, (uint32_t)d->w};
    TRY(write_idx(folder, "train-images-idx3-ubyte", train, 3, d->train.pixels));
    TRY(write_idx(folder, "train-labels-idx1-ubyte", train, 1, d->train.labels));
    TRY(write_idx(folder, "t10k-images-idx3-ubyte", test, 3, d->test.pixels));
    TRY(write_idx(folder, "t10k-labels-idx1-ubyte", test, 1, d->test.labels));
out:
    data_free(d);
    return s;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: digits FOLDER\n");
        return 2;
    }
    if (write_set(argv[1]) == ST_OK)
        return 0;
    fprintf(stderr, "digits: %s\n", st_message());
    return 1;
}
