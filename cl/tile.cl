// C = alpha * op(A) * op(B) + beta * C for CPU devices: register tiles over packed panels.
//
// A work-item takes a block of C. Panels of op(B), depth x COLS, are copied into its own scratch, where they lie in the
// order they are used and stay in the cache, and tiles of ROWS rows run over them, their ROWS x COLS sums in registers:
// that is why the sums are single variables made by macros, arrays of vectors end up in memory. Where the rows of op(B)
// can be read as they are, the first tile copies them as it goes, which hides the copying behind its multiply-adds, or
// where few tiles use them, all do without a copy. At the edge they are read through a mask, or where there is none
// from a padded panel, so that only the last store looks at the edge; few rows left are done in tiles of FEW.
//
// EPILOGUE, computed with the last store: 0 nothing; 1 C = phi(C + extra[column]); 2 C = C * phi'(.) from extra =
// phi(.) of C's shape; 3 extra[row] = alpha * sum over k of op(A).
//
// Shapes: op(A) (M, K), op(B) (K, N), C (M, N), row-major with leading dimensions; offsets in elements; scratch
//   (items_m * items_n, ITEM_FLOATS); extra (N), (M, N) with rows `lde` apart, or (M).
// Launch: items_m * items_n work-items x 1, in groups of 1.
// Defines: VEC (common.cl) from 2; TRANS_A, TRANS_B 0 or 1; ROWS 6 or 12; KC 16.. in 16s; PANELS 1..; EPILOGUE 0..3,
//   3 with TRANS_A; ACT. Twin: ref_gemm.

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
#ifndef EPILOGUE
#define EPILOGUE 0
#endif

#define FEW (ROWS / 3)
#define COLS (2 * VEC)
#define MANY 16 // tiles: that many do not pay for packing a panel
#define A_STRIDE (KC + 16) // of copied rows: not a power of two, so that they do not fight for the same cache lines
#define ITEM_FLOATS (KC * COLS * PANELS + ROWS * A_STRIDE)

#define EACH_2(X) X(0) X(1)
#define EACH_4(X) EACH_2(X) X(2) X(3)
#define EACH_6(X) EACH_4(X) X(4) X(5)
#define EACH_12(X) EACH_6(X) X(6) X(7) X(8) X(9) X(10) X(11)
#define EACH_16(X) EACH_12(X) X(12) X(13) X(14) X(15)

// ---- one tile ----------------------------------------------------------------------------------------------------

// What a tile's last store needs beside its sums; at the tile's first element.
struct finish {
    global float *c;
    uint ldc, rows, cols;
    float alpha, beta, slope;
    global const float *extra; // 0 before the last depth
    uint lde;
};

static void put(floatv sum, const struct finish *f, uint r, uint at)
{
    global float *c = f->c + (size_t)r * f->ldc;
    sum *= f->alpha;
    if (f->beta != 0.0f) // C may hold NaN where beta is 0
        sum += f->beta * load(c, at, f->cols);
#if EPILOGUE == 1
    if (f->extra)
        sum = act(sum + load(f->extra, at, f->cols), f->slope);
#elif EPILOGUE == 2
    if (f->extra)
        sum = act_gradient(sum, load(f->extra + (size_t)r * f->lde, at, f->cols), f->slope);
#endif
    store(sum, c, at, f->cols);
}

#if TRANS_A // a: the tile's first row at this depth; rows behind the last repeat it
#define ROW_BEGIN(r) global const float *a##r = a + min((uint)r, f->rows - 1);
#define A_AT(r) a##r[k * lda]
#else
#define ROW_BEGIN(r) global const float *a##r = a + min((uint)r, f->rows - 1) * (size_t)lda;
#define A_AT(r) a##r[k]
#endif
#define ROW_FETCH(r) \
    FETCH(f->c + min((uint)r, f->rows - 1) * (size_t)f->ldc); \
    FETCH(f->c + min((uint)r, f->rows - 1) * (size_t)f->ldc + min((uint)VEC, f->cols - 1));
#define ROW_ZERO(r) floatv sum##r##_0 = 0.0f, sum##r##_1 = 0.0f;
#define ROW_ADD(r) \
    { \
        floatv v = A_AT(r); \
        sum##r##_0 += v * b0; \
        sum##r##_1 += v * b1; \
    }
#define ROW_PUT(r) \
    if (r < f->rows) { \
        put(sum##r##_0, f, r, 0); \
        put(sum##r##_1, f, r, VEC); \
    }
#define ROW_ADD_HALF(r) sum##r##_0 += (floatv)A_AT(r) * b0;
#define ROW_PUT_HALF(r) \
    if (r < f->rows) \
        put(sum##r##_0, f, r, 0);

// Sums over `depth` of the rows at `a` and the columns at `b`, whose rows lie `ldb` apart.
#define TILE(name, EACH, BEGIN, ADD, PUT) \
    static void name(uint depth, global const float *a, uint lda, global const float *b, uint ldb, \
                     global float *packed, const struct finish *f) \
    { \
        uint n0 = min(f->cols, (uint)VEC), n1 = min(f->cols - n0, (uint)VEC); \
        EACH(ROW_BEGIN) \
        EACH(ROW_FETCH) \
        EACH(ROW_ZERO) \
        for (size_t k = 0; k < depth; k++) { \
            BEGIN \
            EACH(ADD) \
        } \
        EACH(PUT) \
    }
#if FAST_PARTS
#define B_LOAD load_part
#else // only whole panels are read in place
#define B_LOAD(p, n) LOAD_ALL(p)
#endif
#define AHEAD 16 // steps of k: some 400 cycles
#define B_BEGIN_OF_FEW floatv b0 = B_LOAD(b + k * ldb, n0), b1 = B_LOAD(b + k * ldb + VEC, n1);
#if TRANS_B // packed just now
#define B_BEGIN B_BEGIN_OF_FEW
#else
#define B_BEGIN \
    FETCH(b + (k + AHEAD) * ldb); \
    FETCH(b + (k + AHEAD) * ldb + VEC); \
    B_BEGIN_OF_FEW
#endif
#define B_BEGIN_AND_PACK \
    B_BEGIN \
    STORE_ALL(b0, packed + k * COLS); \
    STORE_ALL(b1, packed + k * COLS + VEC);
#define B_BEGIN_HALF floatv b0 = B_LOAD(b + k * ldb, n0);
#define EACH_ROW JOIN(EACH_, ROWS)
#if ROWS == 12
#define EACH_OF_FEW EACH_4
#else
#define EACH_OF_FEW EACH_2
#endif
TILE(tile, EACH_ROW, B_BEGIN, ROW_ADD, ROW_PUT)
TILE(tile_and_pack, EACH_ROW, B_BEGIN_AND_PACK, ROW_ADD, ROW_PUT)
TILE(tile_of_few, EACH_OF_FEW, B_BEGIN_OF_FEW, ROW_ADD, ROW_PUT)
TILE(tile_half, EACH_ROW, B_BEGIN_HALF, ROW_ADD_HALF, ROW_PUT_HALF)

// The rows that are left at the end of C, or a whole tile of them.
static void tile_rows(uint depth, global const float *a, uint lda, global const float *b, uint ldb, struct finish f)
{
    if (f.cols <= VEC) {
        tile_half(depth, a, lda, b, ldb, 0, &f);
        return;
    }
    if (f.rows > 2 * FEW) {
        tile(depth, a, lda, b, ldb, 0, &f);
        return;
    }
    for (uint r = 0, rows = f.rows; r < rows; r += FEW) {
        f.rows = rows - r;
        tile_of_few(depth, a + (TRANS_A ? r : r * (size_t)lda), lda, b, ldb, 0, &f);
        f.c += FEW * (size_t)f.ldc;
#if EPILOGUE == 2
        if (f.extra)
            f.extra += FEW * (size_t)f.lde;
#endif
    }
}

// ---- packing -------------------------------------------------------------------------------------------------------

#if TRANS_B
#if VEC == 16
#define LANES(a) (uint16)(a, a, a, a) + (uint16)((uint4)0, (uint4)4, (uint4)8, (uint4)12)
#define FOURS(r) (float16)(FOUR(r), FOUR(r + 4), FOUR(r + 8), FOUR(r + 12))
#elif VEC == 8
#define LANES(a) (uint8)(a, a) + (uint8)((uint4)0, (uint4)4)
#define FOURS(r) (float8)(FOUR(r), FOUR(r + 4))
#elif VEC == 4
#define LANES(a) (a)
#define FOURS(r) FOUR(r)
#endif
#define FOUR(r) vload4(0, src + min((uint)(r), last) * ld)

#if VEC >= 4
// dst[j * COLS + i] = src[i * ld + j] for 4 steps j and VEC rows i: blocks of 4 x 4, side by side. Rows behind `last`
// repeat it: what the tiles make of them is not stored.
static void transpose4(global const float *src, size_t ld, uint last, global float *dst)
{
    const JOIN(uint, VEC) low1 = LANES((uint4)(0, VEC, 1, VEC + 1)), high1 = low1 + 2;
    const JOIN(uint, VEC) low2 = LANES((uint4)(0, 1, VEC, VEC + 1)), high2 = low2 + 2;
    floatv x0 = FOURS(0), x1 = FOURS(1), x2 = FOURS(2), x3 = FOURS(3);
    AS_IT_IS(x0) AS_IT_IS(x1) AS_IT_IS(x2) AS_IT_IS(x3)
    floatv t0 = shuffle2(x0, x1, low1), t1 = shuffle2(x0, x1, high1);
    floatv t2 = shuffle2(x2, x3, low1), t3 = shuffle2(x2, x3, high1);
    AS_IT_IS(t0) AS_IT_IS(t1) AS_IT_IS(t2) AS_IT_IS(t3)
    STORE_ALL(shuffle2(t0, t2, low2), dst);
    STORE_ALL(shuffle2(t0, t2, high2), dst + COLS);
    STORE_ALL(shuffle2(t1, t3, low2), dst + 2 * COLS);
    STORE_ALL(shuffle2(t1, t3, high2), dst + 3 * COLS);
}
#endif

// b: (N, K) at the panel's first row and depth
static void pack_panel(global const float *b, size_t ldb, uint cols, uint depth, global float *panel)
{
    uint whole = 0;
#if VEC >= 4
    whole = depth / 4 * 4;
    for (uint c = 0; c < COLS && c < cols; c += VEC) // VEC rows from end to end: caches foresee 16 rows but not 32
        for (uint k = 0; k < whole; k += 4)
            transpose4(b + c * ldb + k, ldb, cols - 1 - c, panel + (size_t)k * COLS + c);
#endif
    for (uint k = whole; k < depth; k++)
        for (uint c = 0; c < COLS; c++)
            panel[(size_t)k * COLS + c] = c < cols ? b[c * ldb + k] : 0.0f;
}
#define B_AT(k, j) (B + (size_t)(j) * g.ldb + (k))
#else
// b: (K, N) at the panel's first depth and column
static void pack_panel(global const float *b, size_t ldb, uint cols, uint depth, global float *panel)
{
    for (size_t k = 0; k < depth; k++) {
        STORE_ALL(load(b + k * ldb, 0, cols), panel + k * COLS);
        STORE_ALL(load(b + k * ldb, VEC, cols), panel + k * COLS + VEC);
    }
}
#define B_AT(k, j) (B + (size_t)(k) * g.ldb + (j))
#endif

#if TRANS_A
// a: (K, M) at the tile's first depth and row. The vectors stored overlap: the next one mends what is too much.
static void pack_rows(global const float *a, size_t lda, uint rows, uint depth, global float *copy)
{
    for (size_t k = 0; k < depth; k++)
        for (uint r = 0; r < ROWS; r += VEC)
            STORE_ALL(load(a + k * lda, r, rows), copy + k * ROWS + r);
}
#define A_AT_TILE(k, i) (A + (size_t)(k) * g.lda + (i))
#define LDA_OF_COPY ROWS
#else
// a: (M, K) at the tile's first row and depth
static void pack_rows(global const float *a, size_t lda, uint rows, uint depth, global float *copy)
{
    for (size_t r = 0; r < rows && r < ROWS; r++)
        for (size_t k = 0; k < depth; k += VEC)
            STORE_ALL(load(a + r * lda, k, depth), copy + r * A_STRIDE + k);
}
#define A_AT_TILE(k, i) (A + (size_t)(i) * g.lda + (k))
#define LDA_OF_COPY A_STRIDE
#endif

#if EPILOGUE == 3
// Adds alpha times the sums over the depth of a tile's rows to `sums`, which they start where `begin`.
static void add_sums(global const float *a, size_t lda, uint rows, uint depth, float alpha, bool begin,
                     global float *sums)
{
    for (uint r = 0; r < ROWS && r < rows; r += VEC) {
        uint n = min(rows, (uint)ROWS);
        floatv sum = 0.0f;
        for (size_t k = 0; k < depth; k++)
            sum += load(a + k * lda, r, rows);
        sum *= alpha;
        if (!begin)
            sum += load(sums, r, n);
        store(sum, sums, r, n);
    }
}
#endif

// ---- a work-item's block --------------------------------------------------------------------------------------------

// One panel for one tile. The first of many tiles packs it; few of them read op(B) in place if they can.
static void tile_of_panel(bool first, bool many, uint depth, global const float *a, uint lda, global const float *b,
                          uint ldb, global float *panel, const struct finish *f)
{
#if !TRANS_B
    bool in_place = FAST_PARTS || f->cols >= COLS;
    if (in_place && !many) {
        tile_rows(depth, a, lda, b, ldb, *f);
        return;
    }
    if (in_place && first) {
        tile_and_pack(depth, a, lda, b, ldb, panel, f);
        return;
    }
#endif
    if (first)
        pack_panel(b, ldb, f->cols, depth, panel);
    tile_rows(depth, a, lda, panel, COLS, *f);
}

// One argument, since PoCL takes some 40 ns for each.
struct product {
    uint M, N, K, items_m, items_n, copy_a, ao, lda, bo, ldb, co, ldc, eo, lde;
    float alpha, beta, slope;
};

kernel void gemm_tile(struct product g, global const float *A, global const float *B, global float *C,
                      global float *scratch, global float *extra)
{
    uint item = get_global_id(0), at_m = item / g.items_n, at_n = item - at_m * g.items_n;
    if (at_m >= g.items_m)
        return;
    uint panels = (g.N + COLS - 1) / COLS, panel_begin = panels * at_n / g.items_n;
    uint panel_end = panels * (at_n + 1) / g.items_n;
    uint tiles = (g.M + ROWS - 1) / ROWS, tile_begin = tiles * at_m / g.items_m;
    uint tile_end = tiles * (at_m + 1) / g.items_m;
    global float *packed = scratch + (size_t)item * ITEM_FLOATS, *copy = packed + KC * COLS * PANELS;
    A += g.ao;
    B += g.bo;
    C += g.co;
    extra += g.eo;
    uint blocks = (g.K + KC - 1) / KC, most = ((g.K + blocks - 1) / blocks + 15) / 16 * 16; // equal depths, in 16s
    for (uint k = 0; k < g.K; k += most) {
        uint depth = min(g.K - k, most), room = KC * PANELS / depth, count;
        for (uint first = panel_begin; first < panel_end; first += count) {
            count = min(panel_end - first, room);
            for (uint t = tile_begin; t < tile_end; t++) {
                uint i = t * ROWS, rows = g.M - i;
                global const float *a = A_AT_TILE(k, i);
                uint a_ld = g.copy_a ? LDA_OF_COPY : g.lda;
                if (g.copy_a) {
                    pack_rows(a, g.lda, rows, depth, copy);
                    a = copy;
                }
#if EPILOGUE == 3
                if (first == 0)
                    add_sums(a, a_ld, rows, depth, g.alpha, k == 0, extra + i);
#endif
                for (uint p = 0; p < count; p++) {
                    uint j = (first + p) * COLS;
                    struct finish f = {C + (size_t)i * g.ldc + j, g.ldc, min(rows, (uint)ROWS), g.N - j, g.alpha,
                                       k ? 1.0f : g.beta, g.slope, 0, g.lde}; // C holds the sums of earlier depths
#if EPILOGUE == 1 || EPILOGUE == 2
                    if (k + depth == g.K)
                        f.extra = extra + (EPILOGUE == 2 ? (size_t)i * g.lde : 0) + j;
#endif
                    tile_of_panel(t == tile_begin, tile_end - tile_begin > MANY, depth, a, a_ld, B_AT(k, j), g.ldb,
                                  packed + (size_t)p * depth * COLS, &f);
                }
            }
        }
    }
}
