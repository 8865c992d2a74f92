/*
 * Looking inside a trained net: its first layers as a net of their own, with a model's weights; and how far apart what
 * they make of pictures lies.
 */
#include "inside.h"

#include <math.h>

static enum st check_layers(const struct nn_net *net, int layers)
{
    if (layers < 1 || layers > net->layer_count)
        return st_fail(ST_INPUT, "%s: there is no view of %d layer%s, for the net has %d", net->origin, layers,
                       plural((uint64_t)layers), net->layer_count);
    if (layers < net->layer_count && !nn_net_may_cut(net, layers))
        return st_fail(ST_INPUT, "%s: no view can end behind layer %d, which computes the %s behind it in its own pass",
                       net->origin, layers - 1, net->layer[layers].kind->name);
    return ST_OK;
}

/* Takes the activation at the top off. It stays where it is all there is. */
static enum st take_layers(const struct nn_net *net, int layers, struct train_view *v)
{
    enum st s = ST_OK;
    struct nn_net *joined = NULL;
    TRY(nn_net_join(net, &joined));
    const struct nn_layer *last = &joined->layer[layers - 1];
    bool ends_in_act = last->kind->act != MX_IDENTITY && layers > 1, alone = ends_in_act && !last->fused;
    if (ends_in_act)
        v->top = (struct mx_activation){last->kind->act, (float)last->option[0]};
    TRY(nn_net_layers(joined, 0, layers - alone, &v->net));
    /* one that was computed with the layer before it is so no more; nor is one that came behind a cut, thus behind the
     * layers, and was joined to the last of them */
    if (!alone)
        v->net->layer[layers - 1 - last->fused].phi = (struct mx_activation){MX_IDENTITY, 0};
out:
    nn_net_free(joined);
    return s;
}

enum st train_view_open(struct ocl_device *device, const struct nn_net *net, int layers, const char *model,
                        const struct train_scaling *scaling, int batch, struct train_view **out)
{
    enum st s = ST_OK;
    struct train_view *v = NULL;
    TRY(check_layers(net, layers));
    TRY(NEW(v, 1));
    v->scaling = *scaling;
    TRY(take_layers(net, layers, v));
    /* a module with gradients does not ask whether they are for training */
    int least = batch_min_of(v->net);
    TRY(train_open_gradients(device, v->net, scaling, batch > least ? batch : least, &v->train));
    if (v->top.kind != MX_IDENTITY)
        TRY(mx_prepare(v->train->mx, MX_ACTIVATION, v->top.kind));
    TRY(train_load_layers(v->train, model, false));
    *out = v;
    v = NULL;
out:
    train_view_close(v);
    return s;
}

void train_view_close(struct train_view *v)
{
    if (!v)
        return;
    train_close(v->train);
    nn_net_free(v->net);
    mem_free(v);
}

int train_view_size(const struct train_view *v)
{
    return v->net->classes;
}

enum st train_view_outputs(struct train_view *v, const struct data_split *pictures, float *out)
{
    return train_outputs(v->train, pictures, &v->top, out);
}

/* ---- dissimilarity ----------------------------------------------------------------------------------------------- */

/* Taken from the first value on, so that it is exact where all are equal. */
static double mean_of(const float *row, int size)
{
    double sum = 0;
    for (int i = 0; i < size; i++)
        sum += (double)row[i] - (double)row[0];
    return (double)row[0] + sum / size;
}

static double product_of(const float *a, double a_mean, const float *b, double b_mean, int size)
{
    double sum = 0;
    for (int i = 0; i < size; i++)
        sum += ((double)a[i] - a_mean) * ((double)b[i] - b_mean);
    return sum;
}

void train_dissimilarity(const float *rows, int n, int size, double *out)
{
    size_t count = (size_t)n, step = (size_t)size;
    for (size_t i = 0; i < count; i++) { /* lengths, on the diagonal for now */
        double mean = mean_of(rows + i * step, size);
        out[i * count + i] = sqrt(product_of(rows + i * step, mean, rows + i * step, mean, size));
    }
    for (size_t i = 0; i < count; i++) {
        const float *a = rows + i * step;
        double mean = mean_of(a, size);
        for (size_t k = 0; k < i; k++) {
            const float *b = rows + k * step;
            double lengths = out[i * count + i] * out[k * count + k];
            double apart = 1 - product_of(a, mean, b, mean_of(b, size), size) / lengths; /* 0 / 0 where one is 0 */
            out[i * count + k] = out[k * count + i] = apart < 0 ? 0 : apart; /* rounding alone makes it negative */
        }
    }
    for (size_t i = 0; i < count; i++)
        out[i * count + i] = 0;
}
