// Batch norm (Ioffe and Szegedy, arXiv 1502.03167) over rows, fused with the activation phi behind it:
//   y = phi(gamma * xhat + beta), xhat = (x - mean) * rstd, rstd = 1 / sqrt(var + eps)
//   with dz = dy * phi'(.):  dbeta = sum dz, dgamma = sum dz * xhat,
//   dx = gamma * rstd * (dz - sum dz / rows - xhat * (sum dz * xhat) / rows)
// Shapes: x, y, dy, dx (rows, cols); gamma, beta, running_* (cols); saved (2, cols): mean, rstd; partial (2, chunks,
// cols). Launch: *_partial ceil(cols / VEC) x chunks; *_finish and bn_running ceil(cols / VEC) x 1; bn_apply and
// bn_backward
//   ceil(cols / VEC) x chunks. Defines: VEC, ACT (common.cl).
// Twin: ref_batchnorm_forward, ref_batchnorm_backward.

// Mean and sum of squared deviations of each chunk. The chunk is read twice (it is in the cache the second time),
// because a sum of squares loses the variance where it is small beside the mean.
kernel void bn_moments_partial(uint rows, uint cols, uint chunks, global const float *x, uint xo, global float *partial)
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

// Joins the chunks (Chan, Golub and LeVeque 1979), saves mean and rstd, moves the running moments.
kernel void bn_moments_finish(uint rows, uint cols, uint chunks, global const float *partial, float eps, float momentum,
                              global float *saved, uint so, global float *running_mean, uint rmo,
                              global float *running_var, uint rvo)
{
    size_t c = get_global_id(0) * VEC;
    if (c >= cols)
        return;
    floatv mean = 0.0f, squares = 0.0f;
    float n = 0.0f;
    for (uint k = 0; k < chunks; k++) {
        float more = CHUNK_FIRST(k + 1, rows, chunks) - CHUNK_FIRST(k, rows, chunks);
        floatv d = load(partial + (size_t)k * cols, c, cols) - mean;
        squares += load(partial + (size_t)(chunks + k) * cols, c, cols) + d * d * (n * more / (n + more));
        mean += d * (more / (n + more));
        n += more;
    }
    store(mean, saved + so, c, cols);
    store(1.0f / sqrt(squares / n + eps), saved + so + cols, c, cols);
    floatv rm = load(running_mean + rmo, c, cols), rv = load(running_var + rvo, c, cols);
    store(rm + momentum * (mean - rm), running_mean + rmo, c, cols);
    store(rv + momentum * (squares / (n - 1.0f) - rv), running_var + rvo, c, cols);
}

// Evaluation: saved = running mean, 1 / sqrt(running variance + eps)
kernel void bn_running(uint cols, float eps, global float *saved, uint so, global const float *running_mean, uint rmo,
                       global const float *running_var, uint rvo)
{
    size_t c = get_global_id(0) * VEC;
    if (c >= cols)
        return;
    store(load(running_mean + rmo, c, cols), saved + so, c, cols);
    store(1.0f / sqrt(load(running_var + rvo, c, cols) + eps), saved + so + cols, c, cols);
}

kernel void bn_apply(uint rows, uint cols, uint chunks, global const float *x, uint xo, global const float *saved,
                     uint so, global const float *gamma, uint go, global const float *beta, uint bo,
                     global float *y, uint yo, float slope)
{
    size_t c = get_global_id(0) * VEC;
    uint chunk = get_global_id(1);
    if (c >= cols || chunk >= chunks)
        return;
    floatv mean = load(saved + so, c, cols);
    floatv scale = load(saved + so + cols, c, cols) * load(gamma + go, c, cols);
    floatv shift = load(beta + bo, c, cols);
    uint last = CHUNK_FIRST(chunk + 1, rows, chunks);
    for (size_t r = CHUNK_FIRST(chunk, rows, chunks); r < last; r++)
        store(act((load(x + xo + r * cols, c, cols) - mean) * scale + shift, slope), y + yo + r * cols, c, cols);
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

// dbeta and dgamma: means over the rows, which is also what bn_backward needs
kernel void bn_backward_finish(uint rows, uint cols, uint chunks, global const float *partial, global float *dgamma,
                               uint dgo, global float *dbeta, uint dbo)
{
    size_t c = get_global_id(0) * VEC;
    if (c >= cols)
        return;
    floatv sum = 0.0f, product = 0.0f;
    for (size_t k = 0; k < chunks; k++) {
        sum += load(partial + k * cols, c, cols);
        product += load(partial + (chunks + k) * cols, c, cols);
    }
    store(sum / (float)rows, dbeta + dbo, c, cols);
    store(product / (float)rows, dgamma + dgo, c, cols);
}

kernel void bn_backward(uint rows, uint cols, uint chunks, global const float *x, uint xo, global const float *y,
                        uint yo, global const float *dy, uint dyo, global const float *saved, uint so,
                        global const float *gamma, uint go, global const float *dgamma, uint dgo,
                        global const float *dbeta, uint dbo, global float *dx, uint dxo, float slope)
{
    size_t c = get_global_id(0) * VEC;
    uint chunk = get_global_id(1);
    if (c >= cols || chunk >= chunks)
        return;
    floatv mean = load(saved + so, c, cols), rstd = load(saved + so + cols, c, cols);
    floatv scale = load(gamma + go, c, cols) * rstd;
    floatv db = load(dbeta + dbo, c, cols), dg = load(dgamma + dgo, c, cols);
    uint last = CHUNK_FIRST(chunk + 1, rows, chunks);
    for (size_t r = CHUNK_FIRST(chunk, rows, chunks); r < last; r++) {
        floatv dz = act_gradient(load(dy + dyo + r * cols, c, cols), load(y + yo + r * cols, c, cols), slope);
        floatv xhat = (load(x + xo + r * cols, c, cols) - mean) * rstd;
        store(scale * (dz - db - xhat * dg), dx + dxo + r * cols, c, cols);
    }
}
