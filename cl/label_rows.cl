// Rows with their label behind them: out[r] = [x[r] | onehot(label[r])].
// Shapes: x (rows, n); label (rows); out (rows, n + classes). Launch: ceil((n + classes) / VEC) x rows. Defines: VEC.
// Twin: ref_label_rows.

kernel void label_rows(uint rows, uint n, uint classes, global const float *x, uint xo, global const uint *label,
                       global float *out, uint oo)
{
    size_t c = get_global_id(0) * VEC, r = get_global_id(1), cols = (size_t)n + classes;
    if (c >= cols || r >= rows)
        return;
    x += xo + r * n;
    out += oo + r * cols;
    if (c + VEC <= n) {
        STORE_ALL(LOAD_ALL(x + c), out + c);
        return;
    }
    size_t one = classes ? n + (size_t)label[r] : cols; // without classes there may be no labels
    for (size_t e = c; e < c + VEC && e < cols; e++)
        out[e] = e < n ? x[e] : e == one;
}
