// Rows with more behind them, and with their label: out[r] = [x[r] | more[r] | onehot(label[r])]. Where rows are not
// labelled, all of them have label 0.
// Shapes: x (rows, n); more (rows, k); label (rows); out (rows, n + k + classes).
// Launch: ceil((n + k + classes) / VEC) x rows. Defines: VEC.
// Twin: ref_label_rows.

kernel void label_rows(uint rows, uint n, uint k, uint classes, uint labelled, global const float *x, uint xo,
                       global const float *more, uint mo, global const uint *label, global float *out, uint oo)
{
    size_t c = get_global_id(0) * VEC, r = get_global_id(1), wide = (size_t)n + k, cols = wide + classes;
    if (c >= cols || r >= rows)
        return;
    x += xo + r * n;
    more += mo + r * k;
    out += oo + r * cols;
    if (c + VEC <= n) {
        STORE_ALL(LOAD_ALL(x + c), out + c);
        return;
    }
    size_t one = classes ? wide + (labelled ? label[r] : 0) : cols; // without classes there may be no labels
    for (size_t e = c; e < c + VEC && e < cols; e++)
        out[e] = e < n ? x[e] : e < wide ? more[e - n] : e == one;
}
