// One step of an optimiser over all parameters of a module; formulas in include/mx.h.
// Shapes: n elements, flat: w parameters, g gradients, v (and s) state. Launch: ceil(n / VEC) x 1. Defines: VEC.
// Twin: ref_sgd, ref_adam.

// Moments too small for a normal number become zero. Without a gradient, as behind a unit that is never active, they
// would shrink to that and stay there for ever, since what one step takes off is rounded away; and x86 is slow with
// each such number (docs/performance.md). NaN stays.
static floatv normal(floatv x)
{
    return select(x, (floatv)0.0f, fabs(x) < FLT_MIN);
}

kernel void sgd(uint n, float lr, float momentum, float decay, uint nesterov, global float *w, uint wo,
                global const float *g, uint go, global float *v, uint vo)
{
    size_t i = get_global_id(0) * VEC;
    if (i >= n)
        return;
    floatv weight = load(w + wo, i, n);
    floatv step = load(g + go, i, n) + decay * weight;
    if (momentum != 0.0f) {
        floatv speed = normal(momentum * load(v + vo, i, n) + step);
        store(speed, v + vo, i, n);
        step = nesterov ? step + momentum * speed : speed;
    }
    store(weight - lr * step, w + wo, i, n);
}

// step = lr / (1 - beta1^t), root = 1 / sqrt(1 - beta2^t); decay acts on g, shrink = 1 - lr * decay on w (AdamW), else
// 1
kernel void adam(uint n, float step, float root, float beta1, float beta2, float eps, float decay, float shrink,
                 global float *w, uint wo, global const float *g, uint go, global float *v, uint vo, global float *s,
                 uint so)
{
    size_t i = get_global_id(0) * VEC;
    if (i >= n)
        return;
    floatv weight = load(w + wo, i, n) * shrink;
    floatv slope = load(g + go, i, n) + decay * weight;
    floatv first = load(v + vo, i, n), second = load(s + so, i, n);
    floatv seen = select(slope, (floatv)0.0f, fabs(slope) < 1.1e-19f); // else its square is no normal number
    first = normal(first + (1.0f - beta1) * (slope - first));
    second = normal(second + (1.0f - beta2) * (seen * seen - second));
    store(first, v + vo, i, n);
    store(second, s + so, i, n);
    store(weight - step * first / (sqrt(second) * root + eps), w + wo, i, n);
}
