/* PNG in and out through libpng's simplified interface, which needs no setjmp. It cannot write text chunks: they are
 * put into the finished bytes here. */
#include "inside.h"

#include <png.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum {
    KEY_MAX = 79,
    FILE_MAX_BYTES = 1 << 30,
};

enum st store_picture_new(int w, int h, int channels, struct store_picture *out)
{
    enum st s = ST_OK;
    uint8_t *pixels;
    if (w < 1 || h < 1 || w > PNG_SIDE_MAX || h > PNG_SIDE_MAX || (channels != 1 && channels != 3))
        TRY(st_fail(ST_INTERNAL, "picture of %d x %d pixels and %d channels; 1 to %d a side and 1 or 3 are allowed", w,
                    h, channels, PNG_SIDE_MAX));
    TRY(NEW(pixels, (size_t)w * (size_t)h * (size_t)channels));
    *out = (struct store_picture){.w = w, .h = h, .channels = channels, .pixels = pixels};
out:
    return s;
}

void store_picture_free(struct store_picture *p)
{
    mem_free(p->pixels);
    *p = (struct store_picture){0};
}

void store_picture_planes(const struct store_picture *p, uint8_t *planes)
{
    size_t hw = (size_t)p->h * (size_t)p->w, channels = (size_t)p->channels;
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < hw; i++)
            planes[c * hw + i] = p->pixels[i * channels + c];
}

enum st store_picture_of_planes(const uint8_t *planes, int channels, int h, int w, struct store_picture *out)
{
    enum st s = store_picture_new(w, h, channels, out);
    size_t hw = (size_t)h * (size_t)w, n = (size_t)channels;
    for (size_t c = 0; s == ST_OK && c < n; c++)
        for (size_t i = 0; i < hw; i++)
            out->pixels[i * n + c] = planes[c * hw + i];
    return s;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

void put_u32(char *big_endian, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        big_endian[i] = (char)(v >> (24 - 8 * i));
}

void add_chunk(struct text *file, const char *type, const char *head, size_t head_len, const char *data, size_t len)
{
    char number[4];
    uLong crc = crc32(0, (const Bytef *)type, 4);
    if (head_len) /* of no bytes at NULL, zlib would give the CRC to start from */
        crc = crc32_z(crc, (const Bytef *)head, head_len);
    if (len)
        crc = crc32_z(crc, (const Bytef *)data, len);
    put_u32(number, (uint32_t)(head_len + len));
    text_add_bytes(file, number, sizeof number);
    text_add_bytes(file, type, 4);
    text_add_bytes(file, head, head_len);
    text_add_bytes(file, data, len);
    put_u32(number, (uint32_t)crc);
    text_add_bytes(file, number, sizeof number);
}

static bool is_ascii(const char *words)
{
    while (*words && (unsigned char)*words < 0x80)
        words++;
    return *words == '\0';
}

/* tEXt is Latin-1, which ASCII is, too; iTXt is UTF-8: no compression (two bytes), no language, no translated key. */
static void add_note(struct text *file, const struct store_note *item, size_t key_len)
{
    static const char nothing[5] = {0};
    char head[KEY_MAX + sizeof nothing];
    bool ascii = is_ascii(item->value);
    size_t more = ascii ? 1 : sizeof nothing;
    memcpy(head, item->key, key_len);
    memcpy(head + key_len, nothing, more);
    add_chunk(file, ascii ? "tEXt" : "iTXt", head, key_len + more, item->value, strlen(item->value));
}

enum st add_notes(struct text *file, const struct store_note *notes, int n)
{
    for (int i = 0; i < n; i++) {
        size_t key_len = strlen(notes[i].key);
        if (key_len < 1 || key_len > KEY_MAX)
            return st_fail(ST_INTERNAL, "text chunk with a key of %zu characters; 1 to %d are allowed", key_len,
                           KEY_MAX);
        add_note(file, &notes[i], key_len);
    }
    return ST_OK;
}

enum st encode_png(const struct store_picture *p, char **bytes, size_t *len)
{
    enum st s = ST_OK;
    char *plain = NULL;
    /* fast: without filters, which flat colours do not gain by; less than half the time, and mostly smaller */
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)p->w,
                       .height = (png_uint_32)p->h,
                       .format = p->channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB,
                       .flags = PNG_IMAGE_FLAG_FAST};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    TRY(NEW(plain, size));
    if (!png_image_write_to_memory(&image, plain, &size, 0, p->pixels, 0, NULL))
        TRY(st_fail(ST_MEMORY, "%s", image.message));
    *bytes = plain;
    *len = size;
    plain = NULL;
out:
    png_image_free(&image);
    mem_free(plain);
    return s;
}

enum st store_png_write(const char *path, const struct store_picture *p, const struct store_note *notes, int n)
{
    enum st s = ST_OK;
    struct text file = {0};
    char *plain = NULL;
    size_t len;
    TRY(st_context(encode_png(p, &plain, &len), "cannot write %s", path));
    text_add_bytes(&file, plain, PNG_HEAD_BYTES);
    TRY(st_context(add_notes(&file, notes, n), "cannot write %s", path));
    text_add_bytes(&file, plain + PNG_HEAD_BYTES, len - PNG_HEAD_BYTES);
    TRY(text_status(&file));
    TRY(file_write(path, file.s, file.len));
out:
    text_free(&file);
    mem_free(plain);
    return s;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

uint32_t get_u32(const char *big_endian)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 8 | (uint8_t)big_endian[i];
    return v;
}

/* The first bytes of a file that shall be a PNG: what else they say that it is. */
static enum st check_sign(const char *path, const char *bytes, size_t len)
{
    static const struct {
        const char *sign, *name;
        size_t len, at;
    } other[] = {{"\xff\xd8\xff", "a JPEG", 3, 0}, {"GIF8", "a GIF", 4, 0},       {"BM", "a BMP", 2, 0},
                 {"WEBP", "a WebP", 4, 8},          {"II*\0", "a TIFF", 4, 0},      {"MM\0*", "a TIFF", 4, 0},
                 {"ftyp", "a HEIF or AVIF", 4, 4},  {"version https://git-lfs", "a pointer of Git LFS", 23, 0}};
    if (len == 0)
        return st_fail(ST_INPUT, "cannot read %s: it is empty", path);
    if (len >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
        return ST_OK;
    for (size_t i = 0; i < COUNT_OF(other); i++)
        if (len >= other[i].at + other[i].len && memcmp(bytes + other[i].at, other[i].sign, other[i].len) == 0)
            return st_fail(ST_INPUT, "cannot read %s: it is %s, not a PNG", path, other[i].name);
    return st_fail(ST_INPUT, "cannot read %s: it is not a PNG", path);
}

static enum st check_sides(const char *path, uint32_t w, uint32_t h)
{
    if (w > PNG_SIDE_MAX || h > PNG_SIDE_MAX)
        return st_fail(ST_INPUT, "cannot read %s: %lu x %lu pixels, at most %d a side are allowed", path,
                       (unsigned long)w, (unsigned long)h, PNG_SIDE_MAX);
    return ST_OK;
}

enum st store_png_look(const char *path, struct store_png_facts *out)
{
    enum st s = ST_OK;
    static const char sign[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"; /* and the IHDR chunk's length and type */
    char head[PNG_HEAD_BYTES];
    size_t got = 0;
    TRY(file_read_start(path, head, sizeof head, &got));
    TRY(check_sign(path, head, got));
    if (got < sizeof head || memcmp(head, sign, sizeof sign - 1) != 0)
        TRY(st_fail(ST_INPUT, "cannot read %s: its head is damaged", path));
    const char *body = head + sizeof sign - 1; /* width, height, depth, colour type, ... */
    uint32_t w = get_u32(body), h = get_u32(body + 4);
    if (get_u32(body + 13) != crc32(0, (const Bytef *)body - 4, 4 + 13) || w < 1 || h < 1)
        TRY(st_fail(ST_INPUT, "cannot read %s: its head is damaged", path));
    TRY(check_sides(path, w, h));
    *out = (struct store_png_facts){(int)w, (int)h, body[9] & PNG_COLOR_MASK_COLOR};
out:
    return s;
}

enum st store_png_read(const char *path, int channels, struct store_picture *out)
{
    enum st s = ST_OK;
    struct store_picture picture = {0};
    png_image image = {.version = PNG_IMAGE_VERSION};
    const png_color black = {0, 0, 0};
    char *bytes = NULL;
    size_t len;
    TRY(file_read(path, FILE_MAX_BYTES, &bytes, &len));
    TRY(check_sign(path, bytes, len));
    if (!png_image_begin_read_from_memory(&image, bytes, len))
        TRY(st_fail(ST_INPUT, "cannot read %s: it is damaged (%s)", path, image.message));
    TRY(check_sides(path, image.width, image.height));
    TRY(store_picture_new((int)image.width, (int)image.height, channels, &picture));
    image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* else libpng takes 16 bits without a gamma chunk for linear light */
    if (!png_image_finish_read(&image, &black, picture.pixels, 0, NULL))
        TRY(st_fail(ST_INPUT, "cannot read %s: it is cut short or damaged (%s)", path, image.message));
    *out = picture;
    picture = (struct store_picture){0};
out:
    png_image_free(&image);
    store_picture_free(&picture);
    mem_free(bytes);
    return s;
}
