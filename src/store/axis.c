/* What charts have in common: axes with round numbers, legends, titles. */
#include "inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- axes -------------------------------------------------------------------------------------------------------- */

bool is_drawable(double v)
{
    return fabs(v) <= 1e200; /* products and differences stay finite; NaN is not */
}

static void part(double *lo, double *hi, bool whole)
{
    double size = fmax(fabs(*lo), fabs(*hi)), apart = whole ? 0.5 : size > 1e-200 ? 0.1 * size : 1;
    if (whole ? *hi - *lo >= 1 : *hi - *lo > 1e-9 * size && *hi - *lo > 1e-200)
        return;
    *lo -= apart;
    *hi += apart;
}

void axis_set(struct axis *a, double lo, double hi, double ticks, bool whole)
{
    part(&lo, &hi, whole);
    if (lo + 1 == lo && whole) /* whole numbers are all there is */
        part(&lo, &hi, false);
    const double raw = (hi - lo) / fmax(ticks, 1), power = pow(10, floor(log10(raw)));
    const double steps[] = {1, 2, 5, 10};
    int i = 0;
    while (i < 3 && steps[i] * power < 0.7 * raw)
        i++;
    *a = (struct axis){.lo = lo, .hi = hi, .step = steps[i] * power};
    if (whole && a->step < 1)
        a->step = 1;
    a->first = ceil(lo / a->step - 1e-6);
    a->ticks = (int)(floor(hi / a->step + 1e-6) - a->first) + 1;
}

double axis_place(const struct axis *a, double v)
{
    return (v - a->lo) / (a->hi - a->lo);
}

double axis_tick(const struct axis *a, int i)
{
    return (a->first + i) * a->step;
}

/* Digits behind the point that tell steps of this size apart. */
static int decimals_of(double step)
{
    double digits = ceil(-log10(step) - 1e-9);
    return digits > 0 ? (int)fmin(digits, 9) : 0;
}

/* "4e-05" becomes "4e-5", "1e+13" becomes "1e13". */
static void shorten(char *number)
{
    char *from = strchr(number, 'e'), *to = from;
    if (!from)
        return;
    for (bool digits = false; *from; from++) {
        digits |= *from >= '1' && *from <= '9';
        if (digits || *from == 'e' || *from == '-')
            *to++ = *from;
    }
    *to = '\0';
}

void axis_label(const struct axis *a, int i, char out[TICK_BYTES])
{
    static const struct {
        double unit, from;
        const char *sign;
    } units[] = {{1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e3, 1e4, "k"}, {1, 0, ""}};
    const double v = axis_tick(a, i), size = fabs(v), most = fmax(fabs(a->lo), fabs(a->hi));
    const char *minus = v < 0 ? "\xe2\x88\x92" : "";
    size_t u = 0;
    if (a->first + i == 0) {
        snprintf(out, TICK_BYTES, "0");
        return;
    }
    if (most < 1e-3 || most >= 1e13) {
        double digits = ceil(log10(size / a->step) - 1e-9) + 1;
        snprintf(out, TICK_BYTES, "%s%.*g", minus, (int)fmin(digits, 9), size);
        shorten(out);
        return;
    }
    while (units[u].unit > 1 && (most < units[u].from || a->step < units[u].unit / 100))
        u++;
    snprintf(out, TICK_BYTES, "%s%.*f%s", minus, decimals_of(a->step / units[u].unit), size / units[u].unit,
             units[u].sign);
}

/* ---- legends ----------------------------------------------------------------------------------------------------- */

enum { SIGN = 22, SIGN_GAP = 6, KEY_GAP = 18, NAME_MOST = 300, LEGEND_ROWS = 12 };

static void draw_key(struct canvas *c, const struct key *key, double x, double y, double most)
{
    if (key->line) {
        path_start(c, x, y);
        path_to(c, x + SIGN, y);
        path_draw(c, 2.5, key->dashed, key->color);
    } else {
        draw_box(c, x + SIGN - 14, y - 6, 14, 12, key->color);
    }
    draw_text(c, &(struct words){.text = key->name, .x = x + SIGN + SIGN_GAP, .y = y, .font = font_text, .most = most});
}

double legend(struct canvas *c, const struct key *key, int n, double x, double y, double w, bool draw)
{
    const double most = fmin(NAME_MOST, w - SIGN - SIGN_GAP);
    int row = 0;
    for (int from = 0, to; from < n && row < LEGEND_ROWS; from = to, row++) {
        double line = 0; /* keys from..to - 1 stand in it */
        for (to = from; to < n; to++) {
            double more = SIGN + SIGN_GAP + ceil(fmin(most, text_width(c, font_text, key[to].name))) +
                          (to > from ? KEY_GAP : 0);
            if (to > from && line + more > w)
                break;
            line += more;
        }
        double at = x + floor((w - line) / 2);
        for (int i = from; draw && i < to; i++) {
            draw_key(c, &key[i], at, y + (row + 0.5) * CHART_LINE, most);
            at += SIGN + SIGN_GAP + ceil(fmin(most, text_width(c, font_text, key[i].name))) + KEY_GAP;
        }
    }
    return row * CHART_LINE;
}

/* ---- titles ------------------------------------------------------------------------------------------------------ */

double draw_title(struct canvas *c, const char *title, int w)
{
    if (!title)
        return CHART_PAD;
    draw_text(c, &(struct words){.text = title, .x = w / 2.0, .y = CHART_PAD + 9, .font = font_title,
                                 .side = AT_CENTER, .most = w - 2 * CHART_PAD});
    return CHART_PAD + CHART_TITLE;
}

enum st draw_nothing(const char *title, struct store_picture *out)
{
    enum { W = 480, H = 120 };
    enum st s = ST_OK;
    struct canvas *c = NULL;
    TRY(canvas_open(&c));
    TRY(canvas_begin(c, W, H));
    draw_title(c, title, W);
    draw_text(c, &(struct words){.text = "nothing to show", .x = W / 2.0, .y = H / 2.0 + 10, .font = font_text,
                                 .side = AT_CENTER, .color = grey});
    TRY(canvas_end(c, out));
out:
    canvas_free(c);
    return s;
}
