// The inverse of a positive definite block of a larger matrix, by Gauss-Jordan elimination in place: each work-item has
// a row. No pivoting: of such a block every pivot is positive.
// Shapes: block (size, size) of a matrix with `cols` columns; inverse (BLOCK, BLOCK), of which (size, size) is written;
// size <= BLOCK. Launch: one group of BLOCK. Defines: VEC.
// Twin: ref_ridge, of which it is a step.

#define BLOCK 64 // RIDGE_BLOCK of src/mx/ridge.c

kernel void ridge_invert(uint size, uint cols, global const float *a, uint ao, global float *inverse, uint io)
{
    local float rows[BLOCK * (BLOCK + 1)]; // the odd length keeps work-items out of each other's bank
    uint i = get_local_id(0);
    local float *own = rows + i * (BLOCK + 1);
    for (uint c = 0; c < BLOCK; c++)
        own[c] = i < size && c < size ? a[ao + (size_t)i * cols + c] : i == c;
    for (uint p = 0; p < size; p++) {
        local float *pivot = rows + p * (BLOCK + 1);
        if (i == p) {
            float factor = 1.0f / own[p];
            own[p] = 1.0f;
            for (uint c = 0; c < BLOCK; c += VEC)
                STORE_ALL(LOAD_ALL(own + c) * factor, own + c);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (i != p) {
            float factor = own[p];
            own[p] = 0.0f;
            for (uint c = 0; c < BLOCK; c += VEC)
                STORE_ALL(LOAD_ALL(own + c) - factor * LOAD_ALL(pivot + c), own + c);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (uint c = 0; c < size && i < size; c++)
        inverse[io + i * BLOCK + c] = own[c];
}
