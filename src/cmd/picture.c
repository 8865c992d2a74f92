/* The picture of a run's first weights: a tile a unit, as its inputs lie in the picture it looks at. */
#include "inside.h"

#include <limits.h>
#include <stdio.h>

/* The first parameter of two dimensions or more, or -1. */
static int first_matrix(const struct nn_net *net)
{
    for (int i = 0; i < nn_tensor_count(net); i++) {
        struct nn_tensor t = nn_tensor_at(net, i);
        if (!t.is_state && t.param->rank >= 2)
            return i;
    }
    return -1;
}

/* Rows of weights over a picture of c x h x w become tiles of c * h x w; others stay one line a tile. */
static struct store_tiles describe(const float *values, const struct nn_param *p, const struct run_facts *f)
{
    int n = (int)p->shape[0], size = (int)(p->count / (size_t)n);
    bool picture = size == f->channels * f->height * f->width;
    return (struct store_tiles){.values = values, .n = n, .tile_h = picture ? f->channels * f->height : 1,
                                .tile_w = picture ? f->width : size};
}

enum st picture_first_weights(struct train *t, const struct nn_net *net, const struct run_facts *f, const char *folder,
                              bool quiet)
{
    enum st s = ST_OK;
    float *values = NULL;
    struct store_picture picture = {0};
    struct store_tiles_facts facts;
    char file[NAME_MAX], path[PATH_MAX], range[32], clipped[32], epoch[16], seed[24];
    int i = first_matrix(net);
    if (i < 0)
        return ST_OK;
    struct nn_tensor tensor = nn_tensor_at(net, i);
    TRY(NEW(values, tensor.param->count));
    TRY(train_read(t, i, NN_PARAM, 0, values));
    struct store_tiles tiles = describe(values, tensor.param, f);
    TRY(store_tiles_draw(&tiles, &picture, &facts));
    snprintf(file, sizeof file, "pictures/%s.png", tensor.name);
    snprintf(range, sizeof range, "%.6g", facts.range);
    snprintf(clipped, sizeof clipped, "%.6g", facts.clipped);
    snprintf(epoch, sizeof epoch, "%d", train_epochs_done(t));
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)f->options.seed);
    const struct store_note notes[] = {{"Software", "clutch"}, {"net", f->net_origin}, {"layer", tensor.name},
                                       {"epoch", epoch},       {"seed", seed},         {"range", range},
                                       {"clipped", clipped},   {"version", cmd_version()}};
    TRY(store_path(folder, file, path, sizeof path));
    TRY(store_png_write(path, &picture, notes, COUNT_OF(notes)));
    if (!quiet)
        printf("picture: %s: %d of %d units, %dx%d weights each; blue -%.3g, white 0, red %.3g; %.2f %% beyond\n", path,
               facts.shown, tiles.n, tiles.tile_w, tiles.tile_h, facts.range, facts.range, 100 * facts.clipped);
out:
    store_picture_free(&picture);
    mem_free(values);
    return s;
}
