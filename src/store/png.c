/* PNG in and out through libpng's simplified interface, which needs no setjmp. It cannot write text chunks: they are
 * put into the finished bytes here. */
#include "store.h"

#include <png.h>
#include <string.h>
#include <zlib.h>

enum {
    SIDE_MAX = 16384,
    KEY_MAX = 79,
    FILE_MAX_BYTES = 1 << 30,
    HEAD_BYTES = 8 + 25,  /* signature and IHDR chunk: text may stand right behind them */
    CHUNK_BYTES = 12,     /* length, type and CRC around a chunk's data */
};

enum st store_picture_new(int w, int h, int channels, struct store_picture *out)
{
    enum st s = ST_OK;
    uint8_t *pixels;
    if (w < 1 || h < 1 || w > SIDE_MAX || h > SIDE_MAX || (channels != 1 && channels != 3))
        TRY(st_fail(ST_INTERNAL, "picture of %d x %d pixels and %d channels; 1 to %d a side and 1 or 3 are allowed", w,
                    h, channels, SIDE_MAX));
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

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void add_u32(struct text *file, uint32_t v)
{
    const char big_endian[4] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};
    text_add_bytes(file, big_endian, sizeof big_endian);
}

static enum st add_note(struct text *file, const struct store_note *item)
{
    static const char type[] = "tEXt";
    size_t key_len = strlen(item->key), value_len = strlen(item->value);
    if (key_len < 1 || key_len > KEY_MAX)
        return st_fail(ST_INTERNAL, "text chunk with a key of %zu characters; 1 to %d are allowed", key_len, KEY_MAX);
    uLong crc = crc32(0, (const Bytef *)type, sizeof type - 1);
    crc = crc32(crc, (const Bytef *)item->key, (uInt)key_len + 1); /* the key's NUL parts it from the value */
    crc = crc32(crc, (const Bytef *)item->value, (uInt)value_len);
    add_u32(file, (uint32_t)(key_len + 1 + value_len));
    text_add_bytes(file, type, sizeof type - 1);
    text_add_bytes(file, item->key, key_len + 1);
    text_add_bytes(file, item->value, value_len);
    add_u32(file, (uint32_t)crc);
    return ST_OK;
}

enum st store_png_write(const char *path, const struct store_picture *p, const struct store_note *notes, int n)
{
    enum st s = ST_OK;
    struct text file = {0};
    char *plain = NULL;
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)p->w,
                       .height = (png_uint_32)p->h,
                       .format = p->channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    TRY(NEW(plain, size));
    if (!png_image_write_to_memory(&image, plain, &size, 0, p->pixels, 0, NULL))
        TRY(st_fail(ST_MEMORY, "cannot write %s: %s", path, image.message));
    text_add_bytes(&file, plain, HEAD_BYTES);
    for (int i = 0; i < n; i++)
        TRY(st_context(add_note(&file, &notes[i]), "cannot write %s", path));
    text_add_bytes(&file, plain + HEAD_BYTES, size - HEAD_BYTES);
    TRY(text_status(&file));
    TRY(file_write(path, file.s, file.len));
out:
    png_image_free(&image);
    text_free(&file);
    mem_free(plain);
    return s;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

enum st store_png_read(const char *path, int channels, struct store_picture *out)
{
    enum st s = ST_OK;
    struct store_picture picture = {0};
    png_image image = {.version = PNG_IMAGE_VERSION};
    const png_color black = {0, 0, 0};
    char *bytes = NULL;
    size_t len;
    TRY(file_read(path, FILE_MAX_BYTES, &bytes, &len));
    if (!png_image_begin_read_from_memory(&image, bytes, len))
        TRY(st_fail(ST_INPUT, "cannot read %s: %s", path, image.message));
    if (image.width > SIDE_MAX || image.height > SIDE_MAX)
        TRY(st_fail(ST_INPUT, "cannot read %s: %lu x %lu pixels, at most %d a side are allowed", path,
                    (unsigned long)image.width, (unsigned long)image.height, SIDE_MAX));
    TRY(store_picture_new((int)image.width, (int)image.height, channels, &picture));
    image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB; /* else libpng takes 16 bits without a gamma chunk for linear light */
    if (!png_image_finish_read(&image, &black, picture.pixels, 0, NULL))
        TRY(st_fail(ST_INPUT, "cannot read %s: %s", path, image.message));
    *out = picture;
    picture = (struct store_picture){0};
out:
    png_image_free(&image);
    store_picture_free(&picture);
    mem_free(bytes);
    return s;
}
