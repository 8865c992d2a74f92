// Ridge regression by block Gauss-Jordan elimination: the steps between the products of src/mx/ridge.c, but for the
// inverse of a block by a group (ridge_invert.cl). `a` is S with its ridge on the diagonal, C below it.
// Shapes: a, moments (rows, cols), S in their first `cols` rows; row (size, cols); inverse (BLOCK, BLOCK), of which
// (size, size) counts. Defines: VEC.
// Launch: ridge_weight and ridge_invert_alone 1; ridge_start ceil(cols / VEC) x rows; ridge_row ceil(cols / VEC) x
// size; ridge_clear ceil(size / VEC) x rows.
// Twin: ref_ridge, the whole of it.

#define BLOCK 64 // RIDGE_BLOCK of src/mx/ridge.c

// weight = ridge * the mean of the first `scaled` elements of S's diagonal; where all are zero, anything else will do
kernel void ridge_weight(uint cols, uint scaled, float ridge, global const float *moments, uint mo,
                         global float *weight, uint wo)
{
    if (get_global_id(0) > 0)
        return;
    float sum = 0.0f;
    for (size_t i = 0; i < scaled; i++)
        sum += moments[mo + i * cols + i];
    weight[wo] = sum == 0.0f ? 1.0f : ridge * sum / scaled;
}

// a = moments, with `weight` added to the first `scaled` elements of S's diagonal, and `least` to the others
kernel void ridge_start(uint rows, uint cols, uint scaled, float least, global const float *moments, uint mo,
                        global const float *weight, uint wo, global float *a, uint ao)
{
    size_t c = get_global_id(0) * VEC, r = get_global_id(1);
    if (c >= cols || r >= rows)
        return;
    moments += mo + r * cols;
    a += ao + r * cols;
    store(load(moments, c, cols), a, c, cols);
    if (r >= c && r < c + VEC && r < cols)
        a[r] = moments[r] + (r < scaled ? weight[wo] : least);
}

// What ridge_invert.cl does, by one work-item, in place: for CPUs, where a group of many work-items is a loop over them
// at each barrier. A block that is not full is filled up with an identity, so that all loops have a known end. Pivots
// [first, last); the first call, and no other, takes the block over.
kernel void ridge_invert_alone(uint size, uint cols, uint first, uint last, global const float *a, uint ao,
                               global float *inverse, uint io)
{
    if (get_global_id(0) > 0)
        return;
    inverse += io;
    for (size_t r = 0; r < BLOCK && first == 0; r++) {
        for (size_t c = 0; c < BLOCK; c += VEC)
            STORE_ALL(load(a + ao + r * cols, c, r < size ? size : 0), inverse + r * BLOCK + c);
        if (r >= size)
            inverse[r * BLOCK + r] = 1.0f;
    }
    for (size_t p = first; p < last; p++) {
        global float *pivot = inverse + p * BLOCK;
        float factor = 1.0f / pivot[p];
        for (size_t c = 0; c < BLOCK; c += VEC)
            STORE_ALL(LOAD_ALL(pivot + c) * factor, pivot + c);
        pivot[p] = factor;
        for (size_t r = 0; r < BLOCK; r++) {
            global float *row = inverse + r * BLOCK;
            float share = row[p];
            if (r == p)
                continue;
            for (size_t c = 0; c < BLOCK; c += VEC)
                STORE_ALL(LOAD_ALL(row + c) - share * LOAD_ALL(pivot + c), row + c);
            row[p] = -share * factor; // behind the vectors: one would wait for a part of it that was just written
        }
    }
}

// The block's rows, with minus the identity in place of the block itself, which starts at column `first` of `a`
kernel void ridge_row(uint size, uint cols, uint first, global const float *a, uint ao, global float *row, uint ro)
{
    size_t c = get_global_id(0) * VEC, r = get_global_id(1);
    if (c >= cols || r >= size)
        return;
    a += ao + r * cols;
    row += ro + r * cols;
    store(load(a, c, cols), row, c, cols);
    for (size_t e = c; e < c + VEC && e < cols; e++)
        if (e >= first && e < first + size)
            row[e] = e == first + r ? -1.0f : 0.0f;
}

// The block's columns in the rows that are left become zero
kernel void ridge_clear(uint rows, uint cols, uint size, global float *a, uint ao)
{
    size_t c = get_global_id(0) * VEC, r = get_global_id(1);
    if (c < size && r < rows)
        store((floatv)0.0f, a + ao + r * cols, c, size);
}
