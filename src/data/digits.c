/* Digits drawn with a shaky pen: a data set that needs no download. Sample i depends on (seed, i) alone. */
#include "formats.h"

#include <math.h>

enum { SIDE = 28, BOX = 20, TRAIN = 12000, TEST = 2000, POINTS_MAX = 13, PIECES = 4 };

struct point {
    double x, y; /* right and down */
};

/* The pen's way in the unit square: a smooth curve through n points. A digit is all strokes that carry its number. */
static const struct stroke {
    int digit, n;
    struct point p[POINTS_MAX];
} strokes[] = {
    {0, 9, {{.50, 0}, {.24, .14}, {.16, .5}, {.24, .86}, {.5, 1}, {.76, .86}, {.84, .5}, {.76, .14}, {.5, 0}}},
    {1, 2, {{.28, .22}, {.52, 0}}},
    {1, 2, {{.52, 0}, {.52, 1}}},
    {2, 7, {{.2, .25}, {.3, .05}, {.55, 0}, {.78, .15}, {.74, .4}, {.5, .68}, {.18, 1}}},
    {2, 2, {{.18, 1}, {.84, 1}}},
    {3, 5, {{.22, .1}, {.5, 0}, {.75, .12}, {.7, .36}, {.42, .47}}},
    {3, 5, {{.42, .47}, {.74, .56}, {.8, .8}, {.55, 1}, {.2, .92}}},
    {4, 2, {{.6, 0}, {.14, .66}}},
    {4, 2, {{.14, .66}, {.88, .66}}},
    {4, 2, {{.64, .28}, {.64, 1}}},
    {5, 2, {{.76, 0}, {.28, 0}}},
    {5, 2, {{.28, 0}, {.24, .46}}},
    {5, 5, {{.24, .46}, {.55, .38}, {.8, .64}, {.62, .95}, {.2, .94}}},
    {6, 9, {{.7, 0}, {.4, .2}, {.22, .55}, {.27, .87}, {.52, 1}, {.77, .87}, {.75, .6}, {.5, .48}, {.23, .7}}},
    {7, 2, {{.18, 0}, {.82, 0}}},
    {7, 3, {{.82, 0}, {.55, .45}, {.4, 1}}},
    {8, 13, {{.5, .47}, {.26, .3}, {.3, .07}, {.5, 0}, {.7, .07}, {.74, .3}, {.5, .47}, {.24, .65}, {.26, .92},
             {.5, 1}, {.74, .92}, {.76, .65}, {.5, .47}}},
    {9, 7, {{.77, .24}, {.6, .02}, {.34, .04}, {.22, .27}, {.38, .5}, {.65, .44}, {.77, .24}}},
    {9, 3, {{.77, .24}, {.74, .6}, {.58, 1}}},
};

/* How one sample differs from the drawing above. */
struct hand {
    double xx, xy, yx, yy; /* unit square, centred, to pixels */
    struct point shift;    /* pixels */
    double radius;         /* of the pen, pixels */
};

static double between(struct rng *r, double low, double high)
{
    return low + (high - low) * rng_unit(r);
}

static struct hand hand_draw(struct rng *r)
{
    struct hand hand;
    double angle = between(r, -15, 15) * 3.14159265358979323846 / 180;
    double scale = BOX * between(r, .75, 1.1), shear = between(r, -.25, .25);
    hand.shift.x = between(r, -2, 2);
    hand.shift.y = between(r, -2, 2);
    hand.radius = between(r, .7, 1.6);
    /* rotation * shear * scale */
    hand.xx = scale * cos(angle);
    hand.xy = scale * (cos(angle) * shear - sin(angle));
    hand.yx = scale * sin(angle);
    hand.yy = scale * (sin(angle) * shear + cos(angle));
    return hand;
}

/* Each point is moved a little on its own, then all of them as the hand does. */
static struct point place(const struct hand *hand, struct point p, struct rng *r)
{
    double x = p.x - .5 + between(r, -.1, .1), y = p.y - .5 + between(r, -.1, .1);
    return (struct point){(SIDE - 1) / 2. + hand->xx * x + hand->xy * y + hand->shift.x,
                          (SIDE - 1) / 2. + hand->yx * x + hand->yy * y + hand->shift.y};
}

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

/* Inks the pixels within the pen's radius of the segment; the edge fades over one pixel. */
static void draw_segment(double *ink, struct point a, struct point b, double radius)
{
    double dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy, reach = radius + 1;
    int left = (int)clamp(fmin(a.x, b.x) - reach, 0, SIDE), right = (int)clamp(fmax(a.x, b.x) + reach, -1, SIDE - 1);
    int top = (int)clamp(fmin(a.y, b.y) - reach, 0, SIDE), bottom = (int)clamp(fmax(a.y, b.y) + reach, -1, SIDE - 1);
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            double along = ((x - a.x) * dx + (y - a.y) * dy) / (length2 + 1e-12); /* a point is a segment too */
            along = clamp(along, 0, 1);
            double ex = x - a.x - along * dx, ey = y - a.y - along * dy;
            double cover = clamp(radius + .5 - sqrt(ex * ex + ey * ey), 0, 1);
            if (cover > ink[y * SIDE + x])
                ink[y * SIDE + x] = cover;
        }
}

/* The uniform Catmull-Rom curve from b to c at t in 0..1; a and d are their neighbours. */
static double curve(double a, double b, double c, double d, double t)
{
    return b + .5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

static void draw_stroke(double *ink, const struct stroke *stroke, const struct hand *hand, struct rng *r)
{
    struct point p[POINTS_MAX + 2]; /* the ends twice: a curve needs neighbours */
    int n = stroke->n;
    for (int i = 0; i < n; i++)
        p[i + 1] = place(hand, stroke->p[i], r);
    p[0] = p[1];
    p[n + 1] = p[n];
    for (int i = 1; i < n; i++) {
        struct point from = p[i];
        for (int k = 1; k <= PIECES; k++) {
            double t = (double)k / PIECES;
            struct point to = {curve(p[i - 1].x, p[i].x, p[i + 1].x, p[i + 2].x, t),
                               curve(p[i - 1].y, p[i].y, p[i + 1].y, p[i + 2].y, t)};
            draw_segment(ink, from, to, hand->radius);
            from = to;
        }
    }
}

static void draw_digit(uint64_t seed, uint32_t sample, int digit, uint8_t *pixels)
{
    double ink[SIDE * SIDE] = {0};
    struct rng r;
    rng_init(&r, seed, DATA_STREAM_DIGITS | sample);
    struct hand hand = hand_draw(&r);
    for (size_t i = 0; i < COUNT_OF(strokes); i++)
        if (strokes[i].digit == digit)
            draw_stroke(ink, &strokes[i], &hand, &r);
    for (int i = 0; i < SIDE * SIDE; i++)
        pixels[i] = (uint8_t)clamp(255 * ink[i] + between(&r, -32, 32), 0, 255);
}

static enum st draw_split(uint64_t seed, uint32_t first, uint32_t n, struct data_split *split)
{
    enum st s = ST_OK;
    TRY(NEW(split->pixels, (size_t)n * SIDE * SIDE));
    TRY(NEW(split->labels, n));
    split->n = n;
    for (uint32_t i = 0; i < n; i++) {
        split->labels[i] = (uint8_t)(i % 10); /* any first part is balanced too */
        draw_digit(seed, first + i, split->labels[i], split->pixels + (size_t)i * SIDE * SIDE);
    }
out:
    return s;
}

enum st data_draw_digits(uint64_t seed, struct data_set *set)
{
    enum st s = ST_OK;
    set->c = 1;
    set->h = set->w = SIDE;
    set->classes = 10;
    TRY(draw_split(seed, 0, TRAIN, &set->train));
    TRY(draw_split(seed, TRAIN, TEST, &set->test));
out:
    return s;
}
