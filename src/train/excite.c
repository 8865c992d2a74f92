/*
 * Pictures that excite units: gradient ascent on the pixels, through the layers' own forward and backward kernels. What
 * rises is what the activation at the top is given, if there is one: it rises with that, and a ReLU that is silent at
 * the start still has a gradient to leave from.
 */
#include "inside.h"

#include <math.h>
#include <string.h>

enum { BLUR_MAX = 16, RADIUS_MAX = 3 * BLUR_MAX };

/* What all pictures of a call share, with room for one batch. */
struct ascent {
    struct train_view *v;
    const struct train_excite *how;
    int c, h, w;
    size_t size;               /* of a picture */
    double length;             /* of a step, in pixels of 0..1 */
    int radius;
    double weight[RADIUS_MAX + 1]; /* of the blur, by distance; sum over both sides 1 */
    float *x, *dx;             /* (batch, size): the net's input and the gradient there */
    float *delta, *y;          /* (batch, outputs) */
    double *line;              /* (max(h, w)) */
};

struct train_excite train_excite_defaults(void)
{
    return (struct train_excite){.steps = 60, .rate = 0.1, .blur = 1, .decay = 0.03};
}

static enum st check(const struct train_view *v, const struct train_excite *how, const int *unit, int n, int h, int w)
{
    const struct nn_net *net = v->net;
    for (int i = 0; i < n; i++)
        if (unit[i] < 0 || unit[i] >= net->classes)
            return st_fail(ST_INPUT, "%s: there is no unit %d: the layer has %d, from 0 on", net->origin, unit[i],
                           net->classes);
    if (h < 1 || w < 1 || (int64_t)v->scaling.channels * h * w != nn_size(net->input))
        return st_fail(ST_INPUT, "%s: the input has %d values, pictures of %dx%dx%d do not fit it", net->origin,
                       nn_size(net->input), v->scaling.channels, h, w);
    if (how->steps < 0 || !(how->rate > 0 && how->rate <= 10) || !(how->blur >= 0 && how->blur <= BLUR_MAX) ||
        !(how->decay >= 0 && how->decay <= 1))
        return st_fail(ST_INPUT,
                       "exciting in %d steps of %g, with a blur of %g and a decay of %g: steps are 0 or more, of up to "
                       "10, the blur is 0 to %d pixels, the decay 0 to 1",
                       how->steps, how->rate, how->blur, how->decay, BLUR_MAX);
    return ST_OK;
}

/* ---- on the device ----------------------------------------------------------------------------------------------- */

static enum st send(struct ocl_queue *q, struct mx_tensor t, const float *values)
{
    return ocl_write(q, t.buf, t.off * sizeof *values, (size_t)t.rows * (size_t)t.cols * sizeof *values, values);
}

static enum st receive(struct ocl_queue *q, struct mx_tensor t, float *values)
{
    return ocl_read(q, t.buf, t.off * sizeof *values, (size_t)t.rows * (size_t)t.cols * sizeof *values, values);
}

/* Forward, from pixels (rows, size) that stay as they are until the next wait. */
static enum st forward(struct ascent *a, const float *pixels, int rows, struct mx_tensor *x, struct mx_tensor *y)
{
    enum st s = ST_OK;
    struct train *t = a->v->train;
    const struct train_scaling *scaling = &a->v->scaling;
    size_t plane = (size_t)a->h * (size_t)a->w, channels = (size_t)a->c;
    for (size_t i = 0; i < (size_t)rows * a->size; i++) {
        size_t c = i / plane % channels;
        a->x[i] = (float)(((double)pixels[i] - scaling->mean[c]) / scaling->deviation[c]);
    }
    *x = mx_view(t->x, 0, rows, (int)a->size);
    TRY(send(t->queue, *x, a->x));
    TRY(nn_module_forward(t->module, &(struct nn_pass){.rows = rows}, *x, y));
out:
    return s;
}

/* What the units put out. */
static enum st measure(struct ascent *a, const float *pixels, const int *unit, int rows, float *out)
{
    enum st s = ST_OK;
    struct mx_tensor x, y;
    struct train *t = a->v->train;
    TRY(forward(a, pixels, rows, &x, &y));
    if (a->v->top.kind != MX_IDENTITY)
        TRY(mx_act(t->mx, a->v->top, y, y));
    TRY(receive(t->queue, y, a->y));
    for (int r = 0; r < rows; r++)
        out[r] = a->y[(size_t)r * (size_t)y.cols + (size_t)unit[r]];
out:
    return s;
}

/* dx: the gradient at the input, of minus the units' outputs */
static enum st gradient(struct ascent *a, const float *pixels, int rows)
{
    enum st s = ST_OK;
    struct mx_tensor x, y, dx;
    struct train *t = a->v->train;
    TRY(forward(a, pixels, rows, &x, &y));
    TRY(send(t->queue, nn_module_delta(t->module, rows), a->delta));
    TRY(nn_module_backward(t->module, &(struct nn_pass){.rows = rows}, x, &dx));
    TRY(receive(t->queue, dx, a->dx));
out:
    return s;
}

/* ---- on the host ------------------------------------------------------------------------------------------------- */

static void set_blur(struct ascent *a, double sigma)
{
    double sum = 0;
    a->radius = sigma > 0 ? (int)ceil(3 * sigma) : 0;
    a->weight[0] = 1; /* also of no blur at all */
    for (int d = 0; d <= a->radius; d++) {
        if (d > 0)
            a->weight[d] = exp(-0.5 * d * d / (sigma * sigma));
        sum += d > 0 ? 2 * a->weight[d] : a->weight[d];
    }
    for (int d = 0; d <= a->radius; d++)
        a->weight[d] /= sum;
}

static int clamped(int i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* n pixels, `step` apart; beyond its ends a line goes on as it ends. */
static void blur_line(const struct ascent *a, float *p, int n, size_t step)
{
    for (int i = 0; i < n; i++) {
        a->line[i] = a->weight[0] * (double)p[(size_t)i * step];
        for (int d = 1; d <= a->radius; d++)
            a->line[i] += a->weight[d] * ((double)p[(size_t)clamped(i - d, n) * step] +
                                          (double)p[(size_t)clamped(i + d, n) * step]);
    }
    for (int i = 0; i < n; i++)
        p[(size_t)i * step] = (float)a->line[i];
}

static void blur(const struct ascent *a, float *picture)
{
    size_t h = (size_t)a->h, w = (size_t)a->w;
    if (a->radius == 0)
        return;
    for (size_t row = 0; row < (size_t)a->c * h; row++)
        blur_line(a, picture + row * w, a->w, 1);
    for (size_t c = 0; c < (size_t)a->c; c++)
        for (size_t column = 0; column < w; column++)
            blur_line(a, picture + c * h * w + column, a->h, w);
}

/* One step of a picture. Without a gradient there is no way up, and it stays as it is. */
static void move(const struct ascent *a, const float *dx, float *picture)
{
    const struct train_scaling *scaling = &a->v->scaling;
    size_t plane = (size_t)a->h * (size_t)a->w;
    double square = 0;
    for (size_t i = 0; i < a->size; i++) {
        double g = (double)dx[i] / scaling->deviation[i / plane];
        square += g * g;
    }
    if (!(square > 0))
        return;
    for (size_t i = 0; i < a->size; i++) {
        size_t c = i / plane;
        double p = (double)picture[i] - a->length / sqrt(square) * (double)dx[i] / scaling->deviation[c];
        picture[i] = (float)(p + a->how->decay * (scaling->mean[c] - p));
    }
    blur(a, picture);
    for (size_t i = 0; i < a->size; i++)
        picture[i] = picture[i] < 0 ? 0 : picture[i] > 1 ? 1 : picture[i];
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

static enum st open_ascent(struct train_view *v, const struct train_excite *how, int h, int w, struct ascent *a)
{
    enum st s = ST_OK;
    size_t batch = (size_t)v->train->batch, outputs = batch * (size_t)v->net->classes;
    double variance = 0;
    *a = (struct ascent){.v = v, .how = how, .c = v->scaling.channels, .h = h, .w = w};
    a->size = (size_t)nn_size(v->net->input);
    for (int c = 0; c < a->c; c++)
        variance += v->scaling.deviation[c] * v->scaling.deviation[c];
    a->length = how->rate * sqrt(variance * h * w);
    TRY(NEW(a->x, batch * a->size));
    TRY(NEW(a->dx, batch * a->size));
    TRY(NEW(a->delta, outputs));
    TRY(NEW(a->y, outputs));
    TRY(NEW(a->line, (size_t)(h > w ? h : w)));
out:
    return s;
}

static void close_ascent(struct ascent *a)
{
    mem_free(a->x);
    mem_free(a->dx);
    mem_free(a->delta);
    mem_free(a->y);
    mem_free(a->line);
}

/* A batch of `rows` pictures. */
static enum st climb(struct ascent *a, const int *unit, int rows, float *pixels, float *before, float *after)
{
    enum st s = ST_OK;
    size_t outputs = (size_t)a->v->net->classes, plane = (size_t)a->h * (size_t)a->w;
    memset(a->delta, 0, (size_t)rows * outputs * sizeof *a->delta);
    for (int r = 0; r < rows; r++)
        a->delta[(size_t)r * outputs + (size_t)unit[r]] = -1;
    for (size_t i = 0; i < (size_t)rows * a->size; i++)
        pixels[i] = (float)a->v->scaling.mean[i / plane % (size_t)a->c];
    TRY(measure(a, pixels, unit, rows, before));
    for (int r = 0; r < rows; r++)
        if (!isfinite(before[r]))
            TRY(st_fail(ST_NUMERIC, "unit %d gives no finite value: the weights are too large, or no numbers",
                        unit[r]));
    for (int k = 0; k < a->how->steps; k++) {
        set_blur(a, a->how->blur * (1 - 0.75 * k / (a->how->steps > 1 ? a->how->steps - 1 : 1)));
        TRY(gradient(a, pixels, rows));
        for (size_t r = 0; r < (size_t)rows; r++)
            move(a, a->dx + r * a->size, pixels + r * a->size);
    }
    TRY(measure(a, pixels, unit, rows, after));
out:
    return s;
}

enum st train_view_excite(struct train_view *v, const struct train_excite *how, const int *unit, int n, int h, int w,
                          float *pixels, float *before, float *after)
{
    enum st s = ST_OK;
    struct ascent a = {0};
    TRY(check(v, how, unit, n, h, w));
    TRY(open_ascent(v, how, h, w, &a));
    for (int first = 0, rows; first < n; first += rows) {
        rows = n - first < v->train->batch ? n - first : v->train->batch;
        TRY(climb(&a, unit + first, rows, pixels + (size_t)first * a.size, before + first, after + first));
    }
out:
    if (s != ST_OK)
        (void)!ocl_wait(v->train->queue); /* nothing may read the ascent's memory any more */
    close_ascent(&a);
    return s;
}
