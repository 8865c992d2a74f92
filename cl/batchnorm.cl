// Batch norm (Ioffe and Szegedy, arXiv 1502.03167) over rows, fused with the activation phi behind it:
//   y = phi(gamma * xhat + beta), xhat = (x - mean) * rstd, rstd = 1 / sqrt(var + eps)
//   with dz = dy * phi'(.):  dbeta = sum dz, dgamma = sum dz * xhat,
//   dx = gamma * rstd * (dz - sum dz / rows - xhat * (sum dz * xhat) / rows); in evaluation, where mean and var are
//   constants, dx = gamma * rstd * dz
// Shapes: x, y, dy, dx (rows, cols); gamma, beta, running_* (cols); saved (2, cols): mean, rstd; partial (2, chunks,
// cols). Launch: ceil(cols / VEC) x chunks. Each work-item behind the sums joins those of all chunks of its columns, in
// their order; that of chunk 0 stores what comes out. Defines: VEC, ACT (common.cl).
// Twin: ref_batchnorm_forward, ref_batchnorm_backward.

// Mean and sum of squared deviations of each chunk. The chunk is read twice (it is in the cache the second time),
// because a sum of squares loses the variance where it is small beside the mean.
kernel void bn_moments(uint rows, uint cols, uint chunks, global const float *x, uint xo, global float *partial)
{
    size_t c = get_global_id(0) * VEC;
    uint chunk = get_global_id(1);
    if (c >= cols || chunk >= chunks)
        return;
    size_t first = CHUNK_FIRST(chunk, rows, chunks), last = CHUNK_FIRST(chunk + 1, rows, chunks);
    floatv mean = 0.0f, squares = 0.0f;
    for (size_t r = first; r < last; r++)
        mean += load(x + xo + r * cols, c, cols);
    mean /= (float)(last - first);
    for (size_t r = first; r < last; r++) {
        floatv d = load(x + xo + r * cols, c, cols) - mean;
        squares += d * d;
    }
    store(mean, partial + (size_t)chunk * cols, c, cols);
    store(squares, partial + (size_t)(chunks + chunk) * cols, c, cols);
}

// Mean and squared deviations of all rows from those of the chunks, each moved to the mean of all.
static void join_moments(uint rows, uint cols, uint chunks, size_t c, global const float *partial, floatv *mean,
                         floatv *squares)
{
    *mean = *squares = 0.0f;
    for (uint k = 0, first = 0, last; k < chunks; k++, first = last) {
        last = CHUNK_FIRST(k + 1, rows, chunks);
        *mean += load(partial + (size_t)k * cols, c, cols) * (float)(last - first);
    }
    *mean /= (float)rows;
    for (uint k = 0, first = 0, last; k < chunks; k++, first = last) {
        last = CHUNK_FIRST(k + 1, rows, chunks);
        floatv d = load(partial + (size_t)k * cols, c, cols) - *mean;
        *squares += load(partial + (size_t)(chunks + k) * cols, c, cols) + d * d * (float)(last - first);
    }
}

// One chunk of y, and of chunk 0 the moments for the backward pass.
static void normalise(uint rows, uint cols, uint chunks, uint chunk, size_t c, floatv mean, floatv rstd,
                      global const float *x, global float *saved, global const float *gamma, global const float *beta,
                      global float *y, float slope)
{
    floatv scale = rstd * load(gamma, c, cols), shift = load(beta, c, cols);
    uint last = CHUNK_FIRST(chunk + 1, rows, chunks);
    for (size_t r = CHUNK_FIRST(chunk, rows, chunks); r < last; r++)
        store(act((load(x + r * cols, c, cols) - mean) * scale + shift, slope), y + r * cols, c, cols);
    if (chunk == 0) {
        store(mean, saved, c, cols);
        store(rstd, saved + cols, c, cols);
    }
}

// Training, behind bn_moments: moves the running moments too, but for momentum 0, where NaN would come through.
kernel void bn_batch(uint rows, uint cols, uint chunks, global const float *x, uint xo, global const float *partial,
                     float eps, float momentum, global float *saved, uint so, global float *running_mean, uint rmo,
                     global float *running_var, uint rvo, global const float *gamma, uint go,
                     global const float *beta, uint bo, global float *y, uint yo, float slope)
{
    size_t c = get_global_id(0) * VEC;
    uint chunk = get_global_id(1);
    if (c >= cols || chunk >= chunks)
        return;
    floatv mean, squares;
    join_moments(rows, cols, chunks, c, partial, &mean, &squares);
    normalise(rows, cols, chunks, chunk, c, mean, 1.0f / sqrt(squares / (float)rows + eps), x + xo, saved + so,
              gamma + go, beta + bo, y + yo, slope);
    if (chunk == 0 && momentum != 0.0f) {
        floatv rm = load(running_mean + rmo, c, cols), rv = load(running_var + rvo, c, cols);
        store(rm + momentum * (mean - rm), running_mean + rmo, c, cols);
        store(rv + momentum * (squares / (rows - 1.0f) - rv), running_var + rvo, c, cols);
    }
}

// Evaluation
kernel void bn_running(uint rows, uint cols, uint chunks, global const float *x, uint xo, float eps,
                       global float *saved, uint so, global const float *running_mean, uint rmo,
                       global const float *running_var, uint rvo, global const float *gamma, uint go,
                       global const float *beta, uint bo, global float *y, uint yo, float slope)
{
    size_t c = get_global_id(0) * VEC;
    uint chunk = get_global_id(1);
    if (c >= cols || chunk >= chunks)
        return;
    floatv mean = load(running_mean + rmo, c, cols), var = load(running_var + rvo, c, cols);
    normalise(rows, cols, chunks, chunk, c, mean, 1.0f / sqrt(var + eps), x + xo, saved + so, gamma + go, beta + bo,
              y + yo, slope);
}

kernel void bn_backward_partial(uint rows, uint cols, uint chunks, global const float *x, uint xo,
                                global const float *y, uint yo, global const float *dy, uint dyo,
                                global const float *saved, uint so, global float *partial, float slope)
{
    size_t c = get_global_id(0) * VEC;
    uint chunk = get_global_id(1);
    if (c >= cols || chunk >= chunks)
        return;
    floatv mean = load(saved + so, c, cols), rstd = load(saved + so + cols, c, cols);
    floatv sum = 0.0f, product = 0.0f;
    uint last = CHUNK_FIRST(chunk + 1, rows, chunks);
    for (size_t r = CHUNK_FIRST(chunk, rows, chunks); r < last; r++) {
        floatv dz = act_gradient(load(dy + dyo + r * cols, c, cols), load(y + yo + r * cols, c, cols), slope);
        sum += dz;
        product += dz * ((load(x + xo + r * cols, c, cols) - mean) * rstd);
    }
    store(sum, partial + (size_t)chunk * cols, c, cols);
    store(product, partial + (size_t)(chunks + chunk) * cols, c, cols);
}

// Behind bn_backward_partial; dbeta and dgamma are means over the rows, which is also what dx needs in training.
kernel void bn_backward(uint rows, uint cols, uint chunks, uint training, global const float *x, uint xo,
                        global const float *y, uint yo, global const float *dy, uint dyo, global const float *saved,
                        uint so, global const float *partial, global const float *gamma, uint go, global float *dgamma,
                        uint dgo, global float *dbeta, uint dbo, global float *dx, uint dxo, float slope)
{
    size_t c = get_global_id(0) * VEC;
    uint chunk = get_global_id(1);
    if (c >= cols || chunk >= chunks)
        return;
    floatv sum = 0.0f, product = 0.0f;
    for (size_t k = 0; k < chunks; k++) {
        sum += load(partial + k * cols, c, cols);
        product += load(partial + (chunks + k) * cols, c, cols);
    }
    sum /= (float)rows;
    product /= (float)rows;
    floatv mean = load(saved + so, c, cols), rstd = load(saved + so + cols, c, cols);
    floatv scale = load(gamma + go, c, cols) * rstd;
    // zeros, not a factor of zero: NaN of one row must not come into the others
    floatv by_mean = training ? sum : (floatv)0.0f, by_var = training ? product : (floatv)0.0f;
    uint last = CHUNK_FIRST(chunk + 1, rows, chunks);
    for (size_t r = CHUNK_FIRST(chunk, rows, chunks); r < last; r++) {
        floatv dz = act_gradient(load(dy + dyo + r * cols, c, cols), load(y + yo + r * cols, c, cols), slope);
        floatv xhat = (load(x + xo + r * cols, c, cols) - mean) * rstd;
        store(scale * (dz - by_mean - xhat * by_var), dx + dxo + r * cols, c, cols);
    }
    if (chunk == 0) {
        store(sum, dbeta + dbo, c, cols);
        store(product, dgamma + dgo, c, cols);
    }
}
