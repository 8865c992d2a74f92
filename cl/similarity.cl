// The similarity loss of predsim (Nokland and Eidnes, arXiv 1901.06656), but for its two products:
//   n = u / (|u| + 1e-8) of each row, with u = v - mean(v); a row of equal values gives zeros
//   e = s - t with s = n n^T cut to [-1, 1], t = 1 where two labels are equal, else `apart`; per_row = mean of e^2
//   delta = rnorm * (dn - (n . dn) n), less its mean, from dn = dL/dn and rnorm = 1 / (|u| + 1e-8)
// Shapes: v, n, delta (rows, cols); s, e (rows, rows); rnorm, per_row, label (rows). Launch: rows x 1. Defines: VEC.
// Twin: ref_similarity_rows, ref_similarity_error, ref_similarity_delta, which ref_similarity_loss calls in turn.

// v, zero at cols and beyond
static floatv within(floatv v, size_t c, uint cols)
{
    if (c + VEC <= cols)
        return v;
    float part[VEC];
    STORE_ALL(v, part);
    for (int e = 0; e < VEC; e++)
        part[e] = c + e < cols ? part[e] : 0.0f;
    return LOAD_ALL(part);
}

// Differences are taken from the row's first value: those of equal values are zero to the bit, so that no rounding of a
// mean is taken for a direction.
kernel void similarity_rows(uint rows, uint cols, global const float *v, uint vo, global float *n, uint no,
                            global float *rnorm, uint ro)
{
    size_t r = get_global_id(0);
    if (r >= rows)
        return;
    v += vo + r * cols;
    n += no + r * cols;
    float first = v[0];
    floatv sum = 0.0f, squares = 0.0f;
    for (size_t c = 0; c < cols; c += VEC)
        sum += within(load(v, c, cols) - first, c, cols);
    float mean = sum_of(sum) / cols;
    for (size_t c = 0; c < cols; c += VEC) {
        floatv u = within(load(v, c, cols) - first - mean, c, cols);
        squares += u * u;
    }
    float norm = sqrt(sum_of(squares)), factor = norm == 0.0f ? 0.0f : 1.0f / (norm + 1e-8f);
    for (size_t c = 0; c < cols; c += VEC)
        store((load(v, c, cols) - first - mean) * factor, n, c, cols);
    rnorm[ro + r] = factor;
}

// t[c .. c+VEC) of a row with label `mine`, zero at rows and beyond
static floatv targets(global const int *label, int mine, size_t c, uint rows, float apart)
{
    if (c + VEC <= rows)
        return select((floatv)apart, (floatv)1.0f, LOAD_INTS(label + c) == mine);
    float part[VEC];
    for (int e = 0; e < VEC; e++)
        part[e] = c + e < rows ? (label[c + e] == mine ? 1.0f : apart) : 0.0f;
    return LOAD_ALL(part);
}

// e in place of s
kernel void similarity_error(uint rows, float apart, global const int *label, global float *e, uint eo,
                             global float *per_row, uint pro)
{
    size_t r = get_global_id(0);
    if (r >= rows)
        return;
    e += eo + r * rows;
    floatv sum = 0.0f, one = 1.0f;
    for (size_t c = 0; c < rows; c += VEC) {
        floatv s = load(e, c, rows);
        s = select(s, one, s > one); // NaN stays NaN
        s = select(s, -one, s < -one);
        s -= targets(label, label[r], c, rows, apart);
        sum += s * s;
        store(s, e, c, rows);
    }
    per_row[pro + r] = sum_of(sum) / rows;
}

// delta in place of dn
kernel void similarity_delta(uint rows, uint cols, global const float *n, uint no, global const float *rnorm, uint ro,
                             global float *delta, uint dlo)
{
    size_t r = get_global_id(0);
    if (r >= rows)
        return;
    n += no + r * cols;
    delta += dlo + r * cols;
    floatv products = 0.0f, sum = 0.0f, sum_n = 0.0f;
    for (size_t c = 0; c < cols; c += VEC) {
        floatv dn = load(delta, c, cols), own = load(n, c, cols);
        products += dn * own;
        sum += dn;
        sum_n += own;
    }
    float along = sum_of(products), mean = (sum_of(sum) - along * sum_of(sum_n)) / cols, factor = rnorm[ro + r];
    for (size_t c = 0; c < cols; c += VEC)
        store((load(delta, c, cols) - along * load(n, c, cols) - mean) * factor, delta, c, cols);
}
