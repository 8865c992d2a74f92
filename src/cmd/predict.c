/* clutch predict: class and probabilities of pictures; outputs where the loss makes no probabilities of them. */
#include "inside.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { IMAGES_MAX = 4096, SHOWN = 3 };

/* One picture into planes of bytes, (C, H, W). */
static enum st read_image(const char *path, const struct run_facts *f, uint8_t *planes)
{
    enum st s = ST_OK;
    struct store_picture p = {0};
    if (f->channels != 1 && f->channels != 3)
        TRY(st_fail(ST_INPUT, "the run takes pictures of %d channels, which PNG does not have", f->channels));
    TRY(store_png_read(path, f->channels, &p));
    if (p.w != f->width || p.h != f->height)
        TRY(st_fail(ST_INPUT, "%s is %d pixel%s wide and %d high; the run takes %d and %d", path, p.w,
                    plural((uint64_t)p.w), p.h, f->width, f->height));
    store_picture_planes(&p, planes);
out:
    store_picture_free(&p);
    return s;
}

/* What the words on the command line mean, folders opened up; all of it lives in the arena. */
struct images {
    struct arena arena;
    const char **path;
    uint32_t n, bad; /* to predict; that could not be read */
};

static enum st add_folder(const char *folder, struct images *images)
{
    enum st s = ST_OK;
    char path[PATH_MAX], **name;
    size_t n;
    TRY(dir_list_all(folder, ".png", &images->arena, &name, &n));
    if (!n)
        TRY(st_fail(ST_INPUT, "no PNG in folder %s", folder));
    if (n > IMAGES_MAX - images->n)
        TRY(st_fail(ST_INPUT, "%zu pictures with those in folder %s: at most %d can be taken at once", images->n + n,
                    folder, IMAGES_MAX));
    for (size_t i = 0; i < n; i++) {
        TRY(store_path(folder, name[i], path, sizeof path));
        if (!(images->path[images->n++] = arena_copy(&images->arena, path, strlen(path))))
            TRY(ST_MEMORY);
    }
out:
    return s;
}

static enum st find_images(const char *const *word, struct images *images)
{
    enum st s = ST_OK;
    if (!(images->path = arena_alloc(&images->arena, IMAGES_MAX, sizeof *images->path)))
        TRY(ST_MEMORY);
    for (; *word; word++) {
        if (dir_exists(*word))
            TRY(add_folder(*word, images));
        else if (images->n < IMAGES_MAX)
            images->path[images->n++] = *word;
        else
            TRY(st_fail(ST_INPUT, "more than %d pictures with %s: at most so many can be taken at once", IMAGES_MAX,
                        *word));
    }
out:
    return s;
}

/* One that cannot be read is told, and leaves the list; where it is all there is, that is the failure. */
static enum st read_images(struct images *images, const struct run_facts *f, uint8_t **planes)
{
    enum st s = ST_OK;
    size_t size = (size_t)f->channels * (size_t)f->width * (size_t)f->height;
    uint32_t all = images->n;
    TRY(NEW(*planes, all * size));
    images->n = 0;
    for (uint32_t i = 0; i < all; i++) {
        enum st one = read_image(images->path[i], f, *planes + images->n * size);
        if (one == ST_OK)
            images->path[images->n++] = images->path[i];
        else if (one == ST_INPUT && all > 1)
            note("%s", st_message());
        else
            TRY(one);
    }
    images->bad = all - images->n;
out:
    return s;
}

/* What the net says of each class for each picture; *probable: these are probabilities. */
static enum st predict(const struct run_facts *f, const char *folder, bool best, struct ocl_device *device,
                       const struct data_split *pictures, float *says, bool *probable)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    struct nn_net *net = NULL;
    struct train *t = NULL;
    TRY(run_facts_net(folder, f, &net));
    *probable = net->loss->probabilities != NULL;
    TRY(train_open(device, net, NULL, NULL, &f->scaling, (int)pictures->n < 256 ? (int)pictures->n : 256, NULL, &t));
    TRY(model_path(folder, best, path));
    TRY(train_load(t, path));
    TRY(train_predict(t, pictures, says));
out:
    train_close(t);
    nn_net_free(net);
    return s;
}

/* The `SHOWN` classes it says most for, best first. */
static void rank(const float *p, int classes, int best[SHOWN])
{
    for (int k = 0; k < SHOWN; k++) {
        best[k] = -1;
        for (int c = 0; c < classes; c++) {
            bool taken = false;
            for (int j = 0; j < k; j++)
                taken = taken || best[j] == c;
            if (!taken && (best[k] < 0 || p[c] > p[best[k]]))
                best[k] = c;
        }
    }
}

static void print_human(const char *image, const struct run_facts *f, const float *p, bool probable)
{
    int best[SHOWN];
    rank(p, f->class_count, best);
    output("%s: ", image);
    for (int k = 0; k < SHOWN && k < f->class_count; k++)
        output(probable ? "%s%s %.1f %%" : "%s%s (%.3g)", k ? ", " : "", f->class_name[best[k]],
               (probable ? 100 : 1) * (double)p[best[k]]);
    output("\n");
}

static enum st print_json(const char *image, const struct run_facts *f, const float *p, bool probable)
{
    int best[SHOWN];
    rank(p, f->class_count, best);
    json_t *all = json_object();
    for (int c = 0; c < f->class_count; c++)
        json_put(&all, f->class_name[c], json_real((double)p[c]));
    json_t *one = json_pack("{s:o, s:i, s:s, s:o}", "image", json_foreign(image), "class", best[0], "name",
                            f->class_name[best[0]], probable ? "probabilities" : "outputs", all);
    return json_print(one);
}

static enum st run(int argc, char **argv)
{
    enum st s = ST_OK;
    const char *positional[IMAGES_MAX + 2] = {0}, *devices = NULL;
    bool json = false, best = false, probable = false;
    struct run_facts facts = {0};
    struct device_hold hold = {0};
    struct images images = {0};
    struct data_split pictures = {0};
    float *says = NULL;
    const struct arg args[] = {
        {"--best", ARG_FLAG, &best, NULL, "by the weights of the best epoch, not of the last one"},
        {"--devices", ARG_TEXT, &devices, "SPEC", "the device; default: the best one"},
        {"--json", ARG_FLAG, &json, NULL, "as JSON, a line a picture"},
    };
    struct arg_list list = {.usage = "predict RUN IMAGE.png|FOLDER... [options]", .args = args, .n = COUNT_OF(args),
                            .least = 2, .most = IMAGES_MAX + 1, .positional = positional};
    TRY(args_parse(&list, argc, argv));
    if (list.help)
        return ST_OK;
    TRY(run_facts_read(positional[0], &facts));
    TRY(find_images(positional + 1, &images));
    TRY(read_images(&images, &facts, &pictures.pixels));
    pictures.n = images.n;
    TRY(NEW(pictures.labels, pictures.n));
    TRY(NEW(says, pictures.n * (size_t)facts.class_count));
    if (pictures.n) {
        TRY(device_open(devices, &hold));
        TRY(predict(&facts, positional[0], best, hold.device, &pictures, says, &probable));
    }
    for (uint32_t i = 0; i < pictures.n; i++) {
        const float *p = says + (size_t)i * (size_t)facts.class_count;
        if (json)
            TRY(print_json(images.path[i], &facts, p, probable));
        else
            print_human(images.path[i], &facts, p, probable);
    }
    if (images.bad)
        TRY(st_fail(ST_INPUT, "%u of %u picture%s could not be read", images.bad, images.bad + images.n,
                    plural(images.bad + images.n)));
out:
    device_close(&hold);
    mem_free(says);
    mem_free(pictures.pixels);
    mem_free(pictures.labels);
    arena_free(&images.arena);
    run_facts_free(&facts);
    return s;
}

const struct command cmd_predict = {.name = "predict", .summary = "class and probabilities of pictures", .run = run};
