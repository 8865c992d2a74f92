/*
 * fixed: a guess of the shape of csg's linear one, from h and the label, that is random at the start and never learned:
 * the control that tells whether it is the learning of a guess that helps. Nothing comes down.
 *
 *     dhat = scale (h A^T / sqrt(2 n) + sqrt(classes / (2 n)) onehot(y) B^T),    A, B uniform as a dense layer's start
 *
 * Its size is what the true gradient has under a layer that has learned nothing yet. There |p - y|^2 is about 1, and
 * W^T of it, with the starting values of a dense layer of n inputs, whose variance is 1 / (3 n), has a square of 1/3.
 * Here h of mean square 1 and the label each give half of that: a plain random map of [h, onehot(y)] would hear its n
 * values of h alone. SGD needs the size; Adam, which divides by it, only the balance of the two.
 *
 * Work memory: (B, classes) labels.
 */
#include "inside.h"

#include <math.h>

enum { OF_H, OF_LABEL };
enum { SCALE };

static void net(const struct sg_spec *spec, int i, int n, int classes, struct text *out)
{
    (void)spec;
    text_add(out, "input %d\ndense %d bias=0\n", i == OF_H ? n : classes, n);
}

static enum st work(const struct sg_spec *spec, struct mx *mx, int n, int classes, int batch, int ring, size_t *floats,
                    size_t *scratch)
{
    enum st s = ST_OK;
    size_t of_label;
    (void)spec, (void)ring;
    *floats = (size_t)batch * (size_t)classes;
    TRY(mx_gemm_scratch(mx, false, true, batch, n, n, scratch));
    TRY(mx_gemm_scratch(mx, false, true, batch, n, classes, &of_label));
    *scratch = of_label > *scratch ? of_label : *scratch;
out:
    return s;
}

static enum st gradient(struct sg_coupling *c, const struct sg_learning *l, struct mx_tensor h, struct ocl_buf *labels,
                        struct mx_tensor delta, bool learn)
{
    enum st s = ST_OK;
    (void)l, (void)learn;
    double each = c->spec.option[SCALE] / sqrt(2.0 * c->n);
    struct mx_tensor none = h, y = work_view(c, 0, h.rows, c->classes);
    if (!delta.buf)
        return ST_OK;
    none.cols = 0;
    TRY(mx_label_rows(c->mx, none, none, labels, c->classes, y));
    TRY(mx_gemm(c->mx, false, true, (float)each, h, weight_of(c, OF_H, c->n, c->n), 0, delta));
    TRY(mx_gemm(c->mx, false, true, (float)(each * sqrt(c->classes)), y, weight_of(c, OF_LABEL, c->n, c->classes), 1,
                delta));
out:
    return s;
}

const struct sg_kind sg_fixed = {
    .name = "fixed",
    .help = "a random linear guess from the activation and the label, never learned (a control)",
    .options = {[SCALE] = {.key = "scale", .help = "size of the guess, 1: that of a gradient at the start",
                           .least = 0, .most = 1e6, .otherwise = 1},
                OPTION_P},
    .constant = true,
    .ops = {MX_LABEL_ROWS, MX_BLEND, MX_GEMM},
    .net = net,
    .work = work,
    .gradient = gradient,
};
