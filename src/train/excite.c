/*
 * Pictures that excite units: gradient ascent on the pixels, through the layers' own forward and backward kernels. What
 * rises is what the activation at the top is given, if there is one: it rises with that, and a ReLU that is silent at
 * the start still has a gradient to leave from.
 *
 * The gradient is that of a picture in several places at once: the mean over its shifts by up to `jitter` pixels, with
 * the weights of a Gaussian. Without that, classes of a dense net came out as noise, whatever blur and decay were;
 * adding noise to the pixels instead changed nothing, and random shifts, one a step, want many more steps. Whether a
 * class's output rises alone or against the mean of the others makes no difference that is seen.
 */
#include "inside.h"

#include <math.h>
#include <string.h>

enum { BLUR_MAX = 16, RADIUS_MAX = 3 * BLUR_MAX, JITTER_MAX = 16 };

/* Pictures of a call, and room for one batch of rows: row r of all is picture r % n at shift r / n. */
struct ascent {
    struct train_view *v;
    const struct train_excite *how;
    const int *unit;           /* (n) */
    int n, c, h, w;
    size_t size;               /* of a picture */
    int side;                  /* shifts are a square of side * side, the middle one none */
    double length;             /* of a step, in pixels of 0..1 */
    int radius;
    double weight[RADIUS_MAX + 1]; /* of the blur, by distance; sum over both sides 1 */
    float *pixels;             /* (n, size): the caller's */
    double *slope;             /* (n, size): downhill, at the net's input */
    float *x, *dx;             /* (batch, size): the net's input and the gradient there */
    float *delta, *y;          /* (batch, outputs) */
    double *line;              /* (max(h, w)) */
};

struct train_excite train_excite_defaults(void)
{
    return (struct train_excite){.steps = 24, .rate = 0.15, .blur = 1.2, .decay = 0.03, .jitter = 4};
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
        !(how->decay >= 0 && how->decay <= 1) || how->jitter < 0 || how->jitter > JITTER_MAX)
        return st_fail(ST_INPUT,
                       "exciting in %d steps of %g, with a blur of %g, a decay of %g and a jitter of %d: steps are 0 "
                       "or more, of up to 10, the blur is 0 to %d pixels, the decay 0 to 1, the jitter 0 to %d pixels",
                       how->steps, how->rate, how->blur, how->decay, how->jitter, BLUR_MAX, JITTER_MAX);
    return ST_OK;
}

/* ---- shifts ------------------------------------------------------------------------------------------------------ */

struct shift {
    int y, x;
};

static struct shift shift_of(const struct ascent *a, size_t row)
{
    int k = (int)(row / (size_t)a->n), most = a->side / 2;
    return (struct shift){k / a->side - most, k % a->side - most};
}

/* The Gaussian reaches two of its deviations far; the weights' sum has no say, for steps have a length of their own. */
static double weight_of(const struct ascent *a, struct shift s)
{
    int most = a->side / 2;
    return most ? exp(-2.0 * (s.y * s.y + s.x * s.x) / (most * most)) : 1;
}

/* The pixel of a picture that pixel i of the shifted one is. Outside of it is the mean: false. */
static bool find_pixel(const struct ascent *a, struct shift s, size_t i, size_t *at)
{
    int y = (int)i / a->w % a->h + s.y, x = (int)i % a->w + s.x;
    *at = (size_t)((int)i + s.y * a->w + s.x);
    return y >= 0 && y < a->h && x >= 0 && x < a->w;
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

/* Forward of the rows from `first` on. */
static enum st forward(struct ascent *a, size_t first, int rows, struct mx_tensor *x, struct mx_tensor *y)
{
    enum st s = ST_OK;
    struct train *t = a->v->train;
    const struct train_scaling *scaling = &a->v->scaling;
    size_t plane = (size_t)a->h * (size_t)a->w, at;
    for (size_t r = 0; r < (size_t)rows; r++) {
        const float *picture = a->pixels + (first + r) % (size_t)a->n * a->size;
        struct shift shift = shift_of(a, first + r);
        for (size_t i = 0; i < a->size; i++) {
            double mean = scaling->mean[i / plane], deviation = scaling->deviation[i / plane];
            bool inside = find_pixel(a, shift, i, &at);
            a->x[r * a->size + i] = inside ? (float)(((double)picture[at] - mean) / deviation) : 0;
        }
    }
    *x = mx_view(t->x, 0, rows, (int)a->size);
    TRY(send(t->queue, *x, a->x));
    TRY(nn_module_forward(t->module, &(struct nn_pass){.rows = rows}, *x, y));
out:
    return s;
}

static int rows_from(const struct ascent *a, size_t first, size_t end)
{
    size_t batch = (size_t)a->v->train->batch;
    return (int)(end - first < batch ? end - first : batch);
}

/* What the units put out, (n). */
static enum st measure(struct ascent *a, float *out)
{
    enum st s = ST_OK;
    struct train *t = a->v->train;
    size_t n = (size_t)a->n, begin = (size_t)(a->side * a->side / 2) * n; /* at no shift */
    for (size_t first = begin; first < begin + n; first += (size_t)t->batch) {
        struct mx_tensor x, y;
        int rows = rows_from(a, first, begin + n);
        TRY(forward(a, first, rows, &x, &y));
        if (a->v->top.kind != MX_IDENTITY)
            TRY(mx_act(t->mx, a->v->top, y, y));
        TRY(receive(t->queue, y, a->y));
        for (size_t r = 0, u = first - begin; r < (size_t)rows; r++, u++)
            out[u] = a->y[r * (size_t)y.cols + (size_t)a->unit[u]];
    }
out:
    return s;
}

/* Minus one at each row's unit, times the weight of its shift. */
static void fill_delta(struct ascent *a, size_t first, int rows)
{
    size_t outputs = (size_t)a->v->net->classes;
    memset(a->delta, 0, (size_t)rows * outputs * sizeof *a->delta);
    for (size_t r = 0; r < (size_t)rows; r++) {
        size_t unit = (size_t)a->unit[(first + r) % (size_t)a->n];
        a->delta[r * outputs + unit] = (float)-weight_of(a, shift_of(a, first + r));
    }
}

static enum st gradient(struct ascent *a)
{
    enum st s = ST_OK;
    struct train *t = a->v->train;
    size_t end = (size_t)(a->side * a->side) * (size_t)a->n, at;
    memset(a->slope, 0, (size_t)a->n * a->size * sizeof *a->slope);
    for (size_t first = 0; first < end; first += (size_t)t->batch) {
        struct mx_tensor x, y, dx;
        int rows = rows_from(a, first, end);
        TRY(forward(a, first, rows, &x, &y));
        fill_delta(a, first, rows);
        TRY(send(t->queue, nn_module_delta(t->module, rows), a->delta));
        TRY(nn_module_backward(t->module, &(struct nn_pass){.rows = rows}, x, &dx));
        TRY(receive(t->queue, dx, a->dx));
        for (size_t r = 0; r < (size_t)rows; r++) {
            double *slope = a->slope + (first + r) % (size_t)a->n * a->size;
            struct shift shift = shift_of(a, first + r);
            for (size_t i = 0; i < a->size; i++)
                if (find_pixel(a, shift, i, &at))
                    slope[at] += (double)a->dx[r * a->size + i];
        }
    }
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
static void move(const struct ascent *a, const double *slope, float *picture)
{
    const struct train_scaling *scaling = &a->v->scaling;
    size_t plane = (size_t)a->h * (size_t)a->w;
    double square = 0;
    for (size_t i = 0; i < a->size; i++) {
        double g = slope[i] / scaling->deviation[i / plane]; /* from the net's input to pixels */
        square += g * g;
    }
    if (!(square > 0))
        return;
    for (size_t i = 0; i < a->size; i++) {
        size_t c = i / plane;
        double p = (double)picture[i] - a->length / sqrt(square) * slope[i] / scaling->deviation[c];
        picture[i] = (float)(p + a->how->decay * (scaling->mean[c] - p));
    }
    blur(a, picture);
    for (size_t i = 0; i < a->size; i++)
        picture[i] = picture[i] < 0 ? 0 : picture[i] > 1 ? 1 : picture[i];
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

static enum st make_room(struct ascent *a)
{
    enum st s = ST_OK;
    size_t batch = (size_t)a->v->train->batch, outputs = batch * (size_t)a->v->net->classes;
    TRY(NEW(a->slope, (size_t)a->n * a->size));
    TRY(NEW(a->x, batch * a->size));
    TRY(NEW(a->dx, batch * a->size));
    TRY(NEW(a->delta, outputs));
    TRY(NEW(a->y, outputs));
    TRY(NEW(a->line, (size_t)(a->h > a->w ? a->h : a->w)));
out:
    return s;
}

static void free_room(struct ascent *a)
{
    mem_free(a->slope);
    mem_free(a->x);
    mem_free(a->dx);
    mem_free(a->delta);
    mem_free(a->y);
    mem_free(a->line);
}

static void start_at_mean(struct ascent *a)
{
    size_t plane = (size_t)a->h * (size_t)a->w;
    double variance = 0;
    for (int c = 0; c < a->c; c++)
        variance += a->v->scaling.deviation[c] * a->v->scaling.deviation[c];
    a->length = a->how->rate * sqrt(variance * (double)plane);
    for (size_t i = 0; i < (size_t)a->n * a->size; i++)
        a->pixels[i] = (float)a->v->scaling.mean[i / plane % (size_t)a->c];
}

static enum st climb(struct ascent *a)
{
    enum st s = ST_OK;
    int steps = a->how->steps;
    for (int k = 0; k < steps; k++) {
        TRY(gradient(a));
        set_blur(a, a->how->blur * (1 - 0.75 * k / (steps > 1 ? steps - 1 : 1)));
        for (size_t r = 0; r < (size_t)a->n; r++)
            move(a, a->slope + r * a->size, a->pixels + r * a->size);
    }
out:
    return s;
}

enum st train_view_excite(struct train_view *v, const struct train_excite *how, const int *unit, int n, int h, int w,
                          float *pixels, float *before, float *after)
{
    enum st s = ST_OK;
    struct ascent a = {.v = v, .how = how, .unit = unit, .n = n, .c = v->scaling.channels, .h = h, .w = w,
                       .size = (size_t)nn_size(v->net->input), .side = 2 * how->jitter + 1, .pixels = pixels};
    TRY(check(v, how, unit, n, h, w));
    TRY(make_room(&a));
    start_at_mean(&a);
    TRY(measure(&a, before));
    for (int i = 0; i < n; i++)
        if (!isfinite(before[i]))
            TRY(st_fail(ST_NUMERIC, "unit %d gives no finite value: the weights are too large, or no numbers",
                        unit[i]));
    TRY(climb(&a));
    TRY(measure(&a, after));
out:
    if (s != ST_OK)
        (void)!ocl_wait(v->train->queue); /* nothing may read the ascent's memory any more */
    free_room(&a);
    return s;
}
