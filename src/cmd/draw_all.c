/* What all pictures of a run share: where they go, what their text chunks tell, and the list of them. */
#include "pictures.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { NOTES_MAX = 16 };

void drawing_of_run(const char *run, const char *folder, const struct run_facts *f, int epoch, struct drawing *out)
{
    *out = (struct drawing){.run = run, .folder = folder, .facts = f, .origin = f->net_origin, .epoch = epoch,
                            .input = {f->channels, f->height, f->width}};
}

void drawing_close(struct drawing *d)
{
    arena_free(&d->arena);
    mem_free(d->picture);
    d->picture = NULL;
    d->n = d->room = 0;
}

enum st drawing_path(const struct drawing *d, const char *file, char *out)
{
    return store_path(d->folder, file, out, PATH_MAX);
}

static enum st copy(struct drawing *d, const char *text, const char **out)
{
    *out = NULL;
    if (text && !(*out = arena_copy(&d->arena, text, strlen(text))))
        return ST_MEMORY;
    return ST_OK;
}

enum st drawing_add(struct drawing *d, const struct picture *p)
{
    enum st s = ST_OK;
    struct picture mine = *p;
    if (d->n == d->room) {
        int room = d->room ? 2 * d->room : 32;
        struct picture *more = mem_resize(d->picture, (size_t)room, sizeof *more);
        if (!more)
            TRY(ST_MEMORY);
        d->picture = more;
        d->room = room;
    }
    TRY(copy(d, p->section, &mine.section));
    TRY(copy(d, p->file, &mine.file));
    TRY(copy(d, p->caption, &mine.caption));
    TRY(copy(d, p->numbers, &mine.numbers));
    d->picture[d->n++] = mine;
out:
    return s;
}

/* Every picture tells whose it is; `room` holds the texts that are made for it. */
static int all_notes(const struct drawing *d, const struct store_note *notes, int n, struct store_note out[NOTES_MAX],
                     char room[2][24])
{
    int k = 0;
    out[k++] = (struct store_note){"Software", "clutch"};
    out[k++] = (struct store_note){"version", cmd_version()};
    out[k++] = (struct store_note){"net", d->origin};
    if (d->epoch >= 0) {
        snprintf(room[0], sizeof room[0], "%d", d->epoch);
        out[k++] = (struct store_note){"epoch", room[0]};
    }
    if (d->facts) {
        snprintf(room[1], sizeof room[1], "%llu", (unsigned long long)d->facts->options.seed);
        out[k++] = (struct store_note){"seed", room[1]};
        out[k++] = (struct store_note){"data", d->facts->data};
    }
    for (int i = 0; i < n && k < NOTES_MAX; i++)
        out[k++] = notes[i];
    return k;
}

/* Names of tensors become names of files, and come from a file that anybody may have written: no way out of pictures/.
 * */
static void keep_in_pictures(const char *file, char *out, size_t size)
{
    size_t start = strlen("pictures/");
    snprintf(out, size, "%s", file);
    for (size_t i = start; i < strlen(out); i++)
        if (out[i] == '/' || (unsigned char)out[i] < ' ' || out[i] == 0x7f)
            out[i] = '_';
}

/* Of `motion` where that is not NULL, else of `image`. */
static enum st write_picture(struct drawing *d, struct picture p, const struct store_picture *image,
                             const struct store_motion *motion, const struct store_note *notes, int n)
{
    enum st s = ST_OK;
    char path[PATH_MAX], name[NAME_MAX], room[2][24];
    struct store_note all[NOTES_MAX];
    int count = all_notes(d, notes, n, all, room);
    keep_in_pictures(p.file, name, sizeof name);
    p.file = name;
    TRY(drawing_path(d, p.file, path));
    TRY(motion ? store_apng_write(path, motion, all, count) : store_png_write(path, image, all, count));
    p.w = image->w;
    p.h = image->h;
    TRY(drawing_add(d, &p));
out:
    return s;
}

enum st drawing_write(struct drawing *d, struct picture p, const struct store_picture *image,
                      const struct store_note *notes, int n)
{
    return write_picture(d, p, image, NULL, notes, n);
}

enum st drawing_write_motion(struct drawing *d, struct picture p, const struct store_motion *motion,
                             const struct store_note *notes, int n)
{
    return write_picture(d, p, &motion->frame[0], motion, notes, n);
}

/* The weights of one of the run's files, as they are and as they changed. */
static enum st draw_file(struct drawing *d, const char *name, const struct tensor_owner *owner, bool must)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    struct store_file *file = NULL;
    TRY(store_path(d->run, name, path, sizeof path));
    if (!must && !file_exists(path))
        return ST_OK;
    TRY(store_tensors_open(path, &file));
    if (store_tensors_count(file) == 0)
        goto out;
    TRY(draw_weights(d, owner, store_tensors_at(file, 0), store_tensors_count(file)));
    TRY(draw_changes(d, owner, store_tensors_at(file, 0), store_tensors_count(file)));
out:
    store_tensors_close(file);
    return s;
}

enum st draw_run(struct drawing *d, const char *const *other, int others)
{
    enum st s = ST_OK;
    TRY(draw_curves(d, other, others));
    TRY(draw_devices(d, other, others));
    TRY(draw_file(d, "model.safetensors", &owner_net, true));
    TRY(draw_file(d, "couplings.safetensors", &owner_couplings, false));
out:
    return s;
}
