// C = alpha * op(A) * op(B) + beta * C for CPU devices: register tiles over packed panels.
//
// A work-item takes a block of C. It copies PANELS panels of op(B), KC deep and COLS wide, into its own scratch, where
// they lie in the order they are used and stay in the cache; then each tile of ROWS rows runs over them, its ROWS x
// COLS sums in registers: that is why they are single variables made by macros, arrays of vectors end up in memory. A
// panel is padded, so the edges take the same path and only the last store looks at them.
//
// Shapes: op(A) (M, K), op(B) (K, N), C (M, N), row-major with leading dimensions; offsets in elements; scratch
//   (items_m * items_n, KC * (COLS * PANELS + A_PAD)). Launch: items_m * items_n work-items x 1, in groups of 1.
// Defines: VEC (common.cl); TRANS_A, TRANS_B 0 or 1; ROWS 4, 6, 8, 12 or 14, at most A_PAD; KC 16..; PANELS 1...
// Twin: ref_gemm.

#ifndef ROWS
#define ROWS 6
#endif
#ifndef KC
#define KC 256
#endif
#ifndef PANELS
#define PANELS 4
#endif
#ifndef TRANS_A
#define TRANS_A 0
#endif
#ifndef TRANS_B
#define TRANS_B 0
#endif

#define COLS (2 * VEC)
#define A_PAD 16

#define ROWS_4(X) X(0) X(1) X(2) X(3)
#define ROWS_6(X) ROWS_4(X) X(4) X(5)
#define ROWS_8(X) ROWS_6(X) X(6) X(7)
#define ROWS_12(X) ROWS_8(X) X(8) X(9) X(10) X(11)
#define ROWS_14(X) ROWS_12(X) X(12) X(13)
#define EACH_ROW(X) JOIN(ROWS_, ROWS)(X)
#define EACH_ROW_OF_16(X) ROWS_14(X) X(14) X(15)

// ---- one tile ----------------------------------------------------------------------------------------------------

static void put(floatv s0, floatv s1, global float *c, uint cols, float alpha, float beta)
{
    s0 *= alpha;
    s1 *= alpha;
    if (beta != 0.0f) { // C may hold NaN where beta is 0
        s0 += beta * load(c, 0, cols);
        s1 += beta * load(c, VEC, cols);
    }
    store(s0, c, 0, cols);
    store(s1, c, VEC, cols);
}

#if TRANS_A
#define ROW_BEGIN(r)
#define A_AT(r) a[k * A_PAD + r]
#else
#define ROW_BEGIN(r) global const float *a##r = a + min((uint)r, rows - 1) * (size_t)lda;
#define A_AT(r) a##r[k]
#endif
#define ROW_ZERO(r) floatv sum##r##_0 = 0.0f, sum##r##_1 = 0.0f;
#define ROW_ADD(r) \
    { \
        floatv v = A_AT(r); \
        sum##r##_0 += v * b0; \
        sum##r##_1 += v * b1; \
    }
#define ROW_PUT(r) \
    if (r < rows) \
        put(sum##r##_0, sum##r##_1, c + (size_t)r * ldc, cols, alpha, beta);

// a: the tile's first row at this depth (TRANS_A: its packed copy); b: a packed panel
static void tile(uint rows, uint cols, uint depth, global const float *a, uint lda, global const float *b,
                 global float *c, uint ldc, float alpha, float beta)
{
    EACH_ROW(ROW_BEGIN)
    EACH_ROW(ROW_ZERO)
    for (size_t k = 0; k < depth; k++) {
        floatv b0 = LOAD_ALL(b + k * COLS), b1 = LOAD_ALL(b + k * COLS + VEC);
        EACH_ROW(ROW_ADD)
    }
    EACH_ROW(ROW_PUT)
}

// ---- packing -------------------------------------------------------------------------------------------------------

#if TRANS_B
#if VEC == 16
// dst[j * COLS + i] = src[i * ld + j] for 16 x 16: blocks of 4 x 4 first, then the blocks. Rows behind `last` repeat
// it: what the tiles make of them is not stored.
static void transpose16(global const float *src, size_t ld, uint last, global float *dst)
{
    const uint16 low1 = (uint16)(0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
    const uint16 low2 = (uint16)(0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
    const uint16 low3 = (uint16)(0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
    const uint16 low4 = (uint16)(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    const uint16 high1 = low1 + 2, high2 = low2 + 2, high3 = low3 + 4, high4 = low4 + 8;
#define ROW(r) float16 x##r = vload16(0, src + min((uint)r, last) * ld);
#define BLOCK(p, q, r, s) \
    { \
        float16 t0 = shuffle2(x##p, x##q, low1), t1 = shuffle2(x##p, x##q, high1); \
        float16 t2 = shuffle2(x##r, x##s, low1), t3 = shuffle2(x##r, x##s, high1); \
        x##p = shuffle2(t0, t2, low2); \
        x##q = shuffle2(t0, t2, high2); \
        x##r = shuffle2(t1, t3, low2); \
        x##s = shuffle2(t1, t3, high2); \
    }
#define COLUMNS(j, p, q, r, s) \
    { \
        float16 t0 = shuffle2(x##p, x##q, low3), t1 = shuffle2(x##p, x##q, high3); \
        float16 t2 = shuffle2(x##r, x##s, low3), t3 = shuffle2(x##r, x##s, high3); \
        vstore16(shuffle2(t0, t2, low4), 0, dst + j * COLS); \
        vstore16(shuffle2(t1, t3, low4), 0, dst + (j + 4) * COLS); \
        vstore16(shuffle2(t0, t2, high4), 0, dst + (j + 8) * COLS); \
        vstore16(shuffle2(t1, t3, high4), 0, dst + (j + 12) * COLS); \
    }
    EACH_ROW_OF_16(ROW)
    BLOCK(0, 1, 2, 3) BLOCK(4, 5, 6, 7) BLOCK(8, 9, 10, 11) BLOCK(12, 13, 14, 15)
    COLUMNS(0, 0, 4, 8, 12) COLUMNS(1, 1, 5, 9, 13) COLUMNS(2, 2, 6, 10, 14) COLUMNS(3, 3, 7, 11, 15)
}
#endif

// b: (N, K) at the panel's first row and depth
static void pack_panel(global const float *b, size_t ldb, uint cols, uint depth, global float *panel)
{
    uint k = 0;
#if VEC == 16
    for (; k + 16 <= depth; k += 16) {
        transpose16(b + k, ldb, cols - 1, panel + (size_t)k * COLS);
        transpose16(b + min(16u, cols - 1) * ldb + k, ldb, cols > 16 ? cols - 17 : 0, panel + (size_t)k * COLS + 16);
    }
#endif
    for (; k < depth; k++)
        for (uint c = 0; c < COLS; c++)
            panel[(size_t)k * COLS + c] = c < cols ? b[c * ldb + k] : 0.0f;
}
#define B_AT(k, j) (B + (size_t)(j) * ldb + (k))
#else
// b: (K, N) at the panel's first depth and column
static void pack_panel(global const float *b, size_t ldb, uint cols, uint depth, global float *panel)
{
    for (size_t k = 0; k < depth; k++) {
        STORE_ALL(load(b + k * ldb, 0, cols), panel + k * COLS);
        STORE_ALL(load(b + k * ldb, VEC, cols), panel + k * COLS + VEC);
    }
}
#define B_AT(k, j) (B + (size_t)(k) * ldb + (j))
#endif

#if TRANS_A
// a: (K, M) at the tile's first depth and row; the copy has A_PAD floats a step of k
static void pack_tile(global const float *a, size_t lda, uint rows, uint depth, global float *copy)
{
    for (size_t k = 0; k < depth; k++)
        for (uint r = 0; r < A_PAD; r += VEC)
            STORE_ALL(load(a + k * lda, r, rows), copy + k * A_PAD + r);
}
#define A_TILE(k, i) (pack_tile(A + (size_t)(k) * lda + (i), lda, M - (i), depth, copy), copy)
#else
#define A_TILE(k, i) (A + (size_t)(i) * lda + (k))
#endif

// ---- a work-item's block --------------------------------------------------------------------------------------------

kernel void gemm_tile(uint M, uint N, uint K, uint items_m, uint items_n, float alpha, global const float *A, uint ao,
                      uint lda, global const float *B, uint bo, uint ldb, float beta, global float *C, uint co,
                      uint ldc, global float *scratch)
{
    uint item = get_global_id(0), at_m = item / items_n, at_n = item - at_m * items_n;
    if (at_m >= items_m)
        return;
    uint panels = (N + COLS - 1) / COLS, tiles = (M + ROWS - 1) / ROWS;
    uint panel_end = panels * (at_n + 1) / items_n, tile_end = tiles * (at_m + 1) / items_m;
    global float *packed = scratch + (size_t)item * (KC * (COLS * PANELS + A_PAD));
    global float *copy = packed + KC * COLS * PANELS;
    A += ao;
    B += bo;
    C += co;
    for (uint k = 0; k < K; k += KC) {
        uint depth = min(K - k, (uint)KC);
        float factor = k ? 1.0f : beta; // what is there already from the second depth on
        for (uint first = panels * at_n / items_n; first < panel_end; first += PANELS) {
            uint count = min(panel_end - first, (uint)PANELS);
            for (uint p = 0; p < count; p++) {
                uint j = (first + p) * COLS;
                pack_panel(B_AT(k, j), ldb, N - j, depth, packed + (size_t)p * (KC * COLS));
            }
            for (uint t = tiles * at_m / items_m; t < tile_end; t++) {
                uint i = t * ROWS;
                global const float *a = A_TILE(k, i);
                for (uint p = 0; p < count; p++) {
                    uint j = (first + p) * COLS;
                    tile(min(M - i, (uint)ROWS), N - j, depth, a, lda, packed + (size_t)p * (KC * COLS),
                         C + (size_t)i * ldc + j, ldc, alpha, factor);
                }
            }
        }
    }
}
