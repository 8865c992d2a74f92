/* IDX, the format of MNIST (http://yann.lecun.com/exdb/mnist): two zero bytes, element type, rank, a big-endian u32 for
 * each size, then the elements row by row. zlib reads plain and gzip files alike. */
#include "formats.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum {
    UNSIGNED_BYTE = 0x08, /* the one element type that pictures and labels come in */
    SIDE_MAX = 4096,
    CHUNK_BYTES = 1 << 24, /* memory grows by this as bytes arrive: a header may claim anything */
};

#define FILE_BYTES_MAX (UINT64_C(5) << 30) /* of 4 GiB of pixels, and what gzip may add */

_Static_assert(DATA_CLASSES_MAX > UINT8_MAX, "a label of one byte is always below DATA_CLASSES_MAX");

struct idx {
    const char *path;
    uint32_t n, h, w; /* labels are 1 x 1 */
    uint8_t *bytes;
};

/* Up to `want` bytes, at most INT_MAX; fewer only where the file ends. */
static enum st read_some(gzFile file, const char *path, void *bytes, size_t want, size_t *got)
{
    int code, n = gzread(file, bytes, (unsigned)want);
    const char *why = gzerror(file, &code);
    if (code == Z_MEM_ERROR)
        return st_fail(ST_MEMORY, "out of memory while reading %s", path);
    if (n < 0 || code != Z_OK) {
        const char *name = strstr(why, ": "); /* zlib puts one of its own before the reason */
        return st_fail(ST_INPUT, "cannot read %s: %s", path, name ? name + 2 : why);
    }
    *got = (size_t)n;
    return ST_OK;
}

static enum st read_header(gzFile file, int rank, struct idx *f)
{
    enum st s = ST_OK;
    uint8_t head[16];
    size_t len = 4 + 4 * (size_t)rank, got = 0;
    uint32_t size[3] = {0, 1, 1};
    TRY(read_some(file, f->path, head, len, &got));
    if (got >= 4 && (head[0] || head[1]))
        TRY(st_fail(ST_INPUT, "%s is not an IDX file: it starts with bytes %02x %02x, not 00 00", f->path, head[0],
                    head[1]));
    if (got >= 4 && head[2] != UNSIGNED_BYTE)
        TRY(st_fail(ST_INPUT, "%s has element type 0x%02x; allowed is 0x08, unsigned bytes", f->path, head[2]));
    if (got >= 4 && head[3] != rank)
        TRY(st_fail(ST_INPUT, "%s has %d dimension%s; wanted %d", f->path, head[3], plural(head[3]), rank));
    if (got < len)
        TRY(st_fail(ST_INPUT, "%s is cut short: its header wants %zu bytes, found %zu", f->path, len, got));
    for (int i = 0; i < rank; i++)
        for (int k = 0; k < 4; k++)
            size[i] = size[i] << 8 | head[4 + 4 * i + k];
    f->n = size[0];
    f->h = size[1];
    f->w = size[2];
out:
    return s;
}

static enum st read_body(gzFile file, struct idx *f)
{
    enum st s = ST_OK;
    uint64_t declared = (uint64_t)f->n * f->h * f->w; /* below 2^56: sides are checked */
    size_t got = 0, more = 0;
    uint8_t extra;
    if (declared > UINT32_MAX)
        TRY(st_fail(ST_INPUT, "%s claims %llu bytes, more than the 4 GiB allowed", f->path,
                    (unsigned long long)declared));
    size_t size = (size_t)declared;
    while (got < size) {
        size_t want = size - got < CHUNK_BYTES ? size - got : CHUNK_BYTES;
        uint8_t *grown = mem_resize(f->bytes, got + want, 1);
        if (!grown)
            TRY(ST_MEMORY);
        f->bytes = grown;
        TRY(read_some(file, f->path, f->bytes + got, want, &more));
        got += more;
        if (more < want)
            TRY(st_fail(ST_INPUT, "%s is cut short: %zu byte%s wanted behind its header, found %zu", f->path, size,
                        plural(size), got));
    }
    /* this read also makes zlib check the sum at a gzip stream's end */
    TRY(read_some(file, f->path, &extra, 1, &more));
    if (more)
        TRY(st_fail(ST_INPUT, "%s has bytes left over behind the %zu its header wants", f->path, size));
out:
    return s;
}

/* Caller frees f->bytes, after a failure too. */
static enum st read_file(const char *folder, const struct data_idx_paths *paths, int which, struct idx *f)
{
    enum st s = ST_OK;
    static const char *const name[] = {"train-images", "train-labels", "t10k-images", "t10k-labels"};
    int rank = which & 1 ? 1 : 3;
    gzFile file = NULL;
    uint64_t size;
    int fd = -1;
    if (!paths->path[which][0])
        TRY(st_fail(ST_INPUT, "no file %s-idx%d-ubyte in %s (nor %s.idx%d-ubyte, nor one of them with .gz)",
                    name[which], rank, folder, name[which], rank));
    f->path = paths->path[which];
    TRY(file_open(f->path, FILE_BYTES_MAX, &fd, &size));
    file = gzdopen(fd, "rb");
    if (!file)
        TRY(st_fail(ST_MEMORY, "out of memory while opening %s", f->path));
    TRY(read_header(file, rank, f));
    if (f->n == 0)
        TRY(st_fail(ST_INPUT, "%s holds no samples", f->path));
    if (f->h < 1 || f->h > SIDE_MAX || f->w < 1 || f->w > SIDE_MAX)
        TRY(st_fail(ST_INPUT, "%s holds pictures of %u x %u pixels; allowed are 1 to %d a side", f->path, f->h, f->w,
                    SIDE_MAX));
    TRY(read_body(file, f));
out:
    if (file)
        gzclose(file); /* and fd */
    else if (fd >= 0)
        close(fd);
    return s;
}

/* `first`: the pictures' file; that of the labels is the next. */
static enum st read_split(const char *folder, const struct data_idx_paths *paths, int first, struct data_set *set,
                          struct data_split *split)
{
    enum st s = ST_OK;
    struct idx images = {0}, labels = {0};
    TRY(read_file(folder, paths, first, &images));
    TRY(read_file(folder, paths, first + 1, &labels));
    if (images.n != labels.n)
        TRY(st_fail(ST_INPUT, "%s holds %u label%s, but %s %u picture%s", labels.path, labels.n, plural(labels.n),
                    images.path, images.n, plural(images.n)));
    if (set->h && (set->h != (int)images.h || set->w != (int)images.w))
        TRY(st_fail(ST_INPUT, "%s holds pictures of %u x %u pixels, but the training set's are %d x %d", images.path,
                    images.h, images.w, set->h, set->w));
    set->c = 1;
    set->h = (int)images.h;
    set->w = (int)images.w;
    for (uint32_t i = 0; i < labels.n; i++)
        if (labels.bytes[i] >= set->classes)
            set->classes = labels.bytes[i] + 1;
    *split = (struct data_split){.n = images.n, .pixels = images.bytes, .labels = labels.bytes};
    images.bytes = labels.bytes = NULL;
out:
    mem_free(images.bytes);
    mem_free(labels.bytes);
    return s;
}

/* What a user should know of labels and pictures that are read as they are. */
static void tell(const char *folder, const struct data_idx_paths *paths, const struct data_set *set)
{
    bool zero = false;
    for (uint32_t i = 0; i < set->train.n; i++)
        zero = zero || set->train.labels[i] == 0;
    if (!zero)
        note("no sample to train on in %s has label 0: labels are taken as they are, %d classes with that of 0", folder,
             set->classes);
    if (paths->emnist)
        note("EMNIST's pictures have rows and columns swapped; they are taken as they are");
}

enum st data_read_idx(const char *folder, struct data_set *set, bool *found)
{
    enum st s = ST_OK;
    struct data_idx_paths *paths = NULL;
    *found = false;
    TRY(NEW(paths, 1));
    TRY(data_find_idx(folder, paths, found));
    if (!*found)
        goto out;
    set->classes = 2;
    TRY(read_split(folder, paths, DATA_IDX_TRAIN_IMAGES, set, &set->train));
    TRY(read_split(folder, paths, DATA_IDX_TEST_IMAGES, set, &set->test));
    tell(folder, paths, set);
out:
    mem_free(paths);
    return s;
}
