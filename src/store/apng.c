/* Moving pictures: APNG (PNG specification, third edition, W3C 2025). Frames are encoded by libpng as pictures of their
 * own, and their data is put together here. */
#include "inside.h"

#include <string.h>

/* One counter runs through all fcTL and fdAT chunks of a file. */
struct film {
    struct text *file;
    uint32_t sequence;
};

static void put_u16(char *big_endian, int v)
{
    big_endian[0] = (char)(v >> 8);
    big_endian[1] = (char)v;
}

struct chunk {
    const char *type, *data;
    size_t len;
};

/* The chunk at *at, which moves on behind it: libpng wrote it, so it is whole. */
static struct chunk next_chunk(const char *bytes, size_t *at)
{
    const char *c = bytes + *at;
    struct chunk chunk = {.type = c + 4, .data = c + 8, .len = get_u32(c)};
    *at += chunk.len + PNG_CHUNK_BYTES;
    return chunk;
}

static bool is(const struct chunk *c, const char *type)
{
    return memcmp(c->type, type, 4) == 0;
}

static void add_control(struct film *film, const struct store_picture *p, int ms)
{
    char data[26] = {0}; /* offsets 0, dispose_op 0 (leave it), blend_op 0 (replace) */
    put_u32(data, film->sequence++);
    put_u32(data + 4, (uint32_t)p->w);
    put_u32(data + 8, (uint32_t)p->h);
    put_u16(data + 20, ms);
    put_u16(data + 22, 1000); /* parts of a second */
    add_chunk(film->file, "fcTL", data, sizeof data, NULL, 0);
}

static enum st add_frame(struct film *film, const struct store_picture *p, int ms)
{
    enum st s = ST_OK;
    char *bytes = NULL, number[4];
    size_t len;
    TRY(encode_png(p, &bytes, &len));
    add_control(film, p, ms);
    for (size_t at = PNG_HEAD_BYTES; at < len;) {
        struct chunk c = next_chunk(bytes, &at);
        if (!is(&c, "IDAT"))
            continue;
        put_u32(number, film->sequence++);
        add_chunk(film->file, "fdAT", number, sizeof number, c.data, c.len);
    }
out:
    mem_free(bytes);
    return s;
}

/* What readers show that know no APNG, with what stands before all frames; IEND is still to come. */
static enum st add_still(struct text *file, const struct store_motion *motion, const struct store_note *notes, int n)
{
    enum st s = ST_OK;
    char *bytes = NULL, control[8] = {0}; /* num_frames, num_plays: 0 is for ever */
    size_t len;
    TRY(encode_png(&motion->frame[motion->n - 1], &bytes, &len));
    text_add_bytes(file, bytes, PNG_HEAD_BYTES);
    TRY(add_notes(file, notes, n));
    put_u32(control, (uint32_t)motion->n);
    add_chunk(file, "acTL", control, sizeof control, NULL, 0);
    text_add_bytes(file, bytes + PNG_HEAD_BYTES, len - PNG_HEAD_BYTES - PNG_CHUNK_BYTES);
out:
    mem_free(bytes);
    return s;
}

static enum st check_motion(const struct store_motion *m)
{
    if (m->n < 1)
        return st_fail(ST_INTERNAL, "a moving picture of %d frames", m->n);
    if (m->frame_ms < 1 || m->frame_ms > UINT16_MAX || m->last_ms < 1 || m->last_ms > UINT16_MAX)
        return st_fail(ST_INTERNAL, "frames of %d ms and a last one of %d ms; 1 to %d are allowed", m->frame_ms,
                       m->last_ms, UINT16_MAX);
    for (int i = 1; i < m->n; i++)
        if (m->frame[i].w != m->frame[0].w || m->frame[i].h != m->frame[0].h ||
            m->frame[i].channels != m->frame[0].channels)
            return st_fail(ST_INTERNAL, "frame %d is %d x %d x %d, the first %d x %d x %d", i, m->frame[i].w,
                           m->frame[i].h, m->frame[i].channels, m->frame[0].w, m->frame[0].h, m->frame[0].channels);
    return ST_OK;
}

static enum st add_all(struct text *file, const struct store_motion *motion, const struct store_note *notes, int n)
{
    enum st s = ST_OK;
    struct film film = {.file = file};
    TRY(check_motion(motion));
    TRY(add_still(file, motion, notes, n));
    for (int i = 0; i < motion->n; i++)
        TRY(add_frame(&film, &motion->frame[i], i == motion->n - 1 ? motion->last_ms : motion->frame_ms));
    add_chunk(file, "IEND", NULL, 0, NULL, 0);
    TRY(text_status(file));
out:
    return s;
}

enum st store_apng_write(const char *path, const struct store_motion *motion, const struct store_note *notes, int n)
{
    enum st s = ST_OK;
    struct text file = {0};
    TRY(st_context(add_all(&file, motion, notes, n), "cannot write %s", path));
    TRY(file_write(path, file.s, file.len));
out:
    text_free(&file);
    return s;
}
