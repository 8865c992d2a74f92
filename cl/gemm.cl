// C = alpha * op(A) * op(B) + beta * C, the plain kernels: right on every device for every size, stride and offset.
// Shapes: op(A) (M, K), op(B) (K, N), C (M, N), row-major with leading dimensions; offsets in elements.
//   gemm_rows: B not transposed; element (i, k) of op(A) at A[i * si + k * sk]. Launch: ceil(N / VEC) x ceil(M / ROWS)
//   gemm_dots: A not transposed, B transposed (both run along k). Launch: ceil(N / COLS) x ceil(M / COLS)
//   gemm_each: both transposed. Launch: N x M
// Defines: VEC (common.cl), ROWS 1..16 rows of C a work-item, COLS 1..4 rows and columns of C a work-item.
// Twin: ref_gemm.

#ifndef ROWS
#define ROWS 4
#endif
#ifndef COLS
#define COLS 4
#endif

kernel void gemm_rows(uint M, uint N, uint K, float alpha, global const float *A, uint ao, uint si, uint sk,
                      global const float *B, uint bo, uint ldb, float beta, global float *C, uint co, uint ldc)
{
    size_t j = get_global_id(0) * VEC, i = get_global_id(1) * ROWS;
    if (i >= M || j >= N)
        return;
    global const float *a[ROWS];
    floatv sum[ROWS];
    for (int r = 0; r < ROWS; r++) { // rows beyond the edge repeat the last one and are not stored
        a[r] = A + ao + min(i + r, (size_t)M - 1) * si;
        sum[r] = 0.0f;
    }
    B += bo;
    for (size_t k = 0; k < K; k++) {
        floatv b = load(B + k * ldb, j, N);
        for (int r = 0; r < ROWS; r++)
            sum[r] += a[r][k * sk] * b;
    }
    for (int r = 0; r < ROWS && i + r < M; r++) {
        global float *c = C + co + (i + r) * ldc;
        floatv out = alpha * sum[r];
        if (beta != 0.0f) // C may hold NaN where beta is 0
            out += beta * load(c, j, N);
        store(out, c, j, N);
    }
}

kernel void gemm_dots(uint M, uint N, uint K, float alpha, global const float *A, uint ao, uint lda,
                      global const float *B, uint bo, uint ldb, float beta, global float *C, uint co, uint ldc)
{
    size_t j = get_global_id(0) * COLS, i = get_global_id(1) * COLS;
    if (i >= M || j >= N)
        return;
    global const float *a[COLS], *b[COLS];
    floatv sum[COLS][COLS];
    for (int r = 0; r < COLS; r++) { // beyond the edge the last row or column is repeated and not stored
        a[r] = A + ao + min(i + r, (size_t)M - 1) * lda;
        b[r] = B + bo + min(j + r, (size_t)N - 1) * ldb;
        for (int c = 0; c < COLS; c++)
            sum[r][c] = 0.0f;
    }
    size_t k = 0;
    for (; k + VEC <= K; k += VEC) { // whole vectors, without a look at the end
        floatv av[COLS], bv[COLS];
        for (int r = 0; r < COLS; r++) {
            av[r] = LOAD_ALL(a[r] + k);
            bv[r] = LOAD_ALL(b[r] + k);
        }
        for (int r = 0; r < COLS; r++)
            for (int c = 0; c < COLS; c++)
                sum[r][c] += av[r] * bv[c];
    }
    if (k < K)
        for (int r = 0; r < COLS; r++)
            for (int c = 0; c < COLS; c++)
                sum[r][c] += load(a[r], k, K) * load(b[c], k, K);
    for (int r = 0; r < COLS && i + r < M; r++)
        for (int c = 0; c < COLS && j + c < N; c++) {
            global float *out = C + co + (i + r) * ldc + j + c;
            float v = alpha * sum_of(sum[r][c]);
            *out = beta != 0.0f ? v + beta * *out : v;
        }
}

kernel void gemm_each(uint M, uint N, uint K, float alpha, global const float *A, uint ao, uint lda,
                      global const float *B, uint bo, uint ldb, float beta, global float *C, uint co, uint ldc)
{
    size_t j = get_global_id(0), i = get_global_id(1);
    if (i >= M || j >= N)
        return;
    float sum = 0.0f;
    for (size_t k = 0; k < K; k++)
        sum += A[ao + k * lda + i] * B[bo + j * ldb + k];
    global float *out = C + co + i * ldc + j;
    *out = beta != 0.0f ? alpha * sum + beta * *out : alpha * sum;
}
