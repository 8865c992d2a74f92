// Goes before every kernel file: vectors of VEC floats, and loads and stores that respect an end.
// VEC: 1, 2, 4, 8 or 16, the width a device likes (-D).

#ifndef VEC
#define VEC 4
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#if VEC == 1
typedef float floatv;
typedef int intv;
#define LOAD_INTS(p) (*(p))
#define LOAD_ALL(p) (*(p))
#define STORE_ALL(v, p) (*(p) = (v))
#else
typedef JOIN(float, VEC) floatv;
typedef JOIN(int, VEC) intv;
#define LOAD_INTS(p) JOIN(vload, VEC)(0, p)
#if defined(__x86_64__) || defined(__aarch64__) // PoCL makes three or four instructions of vload16 and of vstore16
typedef floatv __attribute__((aligned(4))) floatu;
#define LOAD_ALL(p) (*(const private floatu *)(size_t)(p))
#define STORE_ALL(v, p) (*(private floatu *)(size_t)(p) = (v))
#else
#define LOAD_ALL(p) JOIN(vload, VEC)(0, p)
#define STORE_ALL(v, p) JOIN(vstore, VEC)(v, 0, p)
#endif
#endif

// The first n < VEC of a vector, the others zero or untouched. One instruction where a CPU has one for it.
#if VEC == 16 && defined(__AVX512F__)
#define FAST_PARTS 1

static floatv load_part(global const float *p, uint n)
{
    return __builtin_ia32_loadups512_mask((private float *)(size_t)p, (float16)0.0f, (ushort)((1u << n) - 1));
}

static void store_part(floatv v, global float *p, uint n)
{
    __builtin_ia32_storeups512_mask((private float *)(size_t)p, v, (ushort)((1u << n) - 1));
}
#else
#define FAST_PARTS 0

static floatv load_part(global const float *p, uint n)
{
    float part[VEC];
    for (uint e = 0; e < VEC; e++)
        part[e] = e < n ? p[e] : 0.0f;
    return LOAD_ALL(part);
}

static void store_part(floatv v, global float *p, uint n)
{
    float part[VEC];
    STORE_ALL(v, part);
    for (uint e = 0; e < VEC; e++)
        if (e < n)
            p[e] = part[e];
}
#endif

// p[i .. i+VEC), zero at n and beyond
static floatv load(global const float *p, size_t i, size_t n)
{
    return i + VEC <= n ? LOAD_ALL(p + i) : load_part(p + i, i < n ? (uint)(n - i) : 0);
}

// p[i .. i+VEC) = v, nothing at n and beyond
static void store(floatv v, global float *p, size_t i, size_t n)
{
    if (i + VEC <= n)
        STORE_ALL(v, p + i);
    else if (i < n)
        store_part(v, p + i, (uint)(n - i));
}

// Keeps compilers from merging what makes a vector with what is made of it: of loads and shuffles for a transpose LLVM
// makes one shuffle for each float.
#if VEC == 16 && defined(__AVX512F__)
#define AS_IT_IS(v) __asm__("" : "+v"(v));
#elif defined(__AVX__)
#define AS_IT_IS(v) __asm__("" : "+x"(v));
#else
#define AS_IT_IS(v)
#endif

// Asks for a line of memory that will be read some hundred cycles later. Only where compilers for CPUs do something of
// it: PoCL's own prefetch() is empty.
#if defined(__x86_64__) || defined(__aarch64__)
#define FETCH(p) __builtin_prefetch((const private void *)(size_t)(p))
#else
#define FETCH(p)
#endif

// f over all elements of a vector, halves first: in a fixed order, and without a loop, which compilers would keep
#define FOLD1(f, v) (v)
#define FOLD2(f, v) f((v).lo, (v).hi)
#define FOLD4(f, v) FOLD2(f, f((v).lo, (v).hi))
#define FOLD8(f, v) FOLD4(f, f((v).lo, (v).hi))
#define FOLD16(f, v) FOLD8(f, f((v).lo, (v).hi))
#define FOLD(f, v) JOIN(FOLD, VEC)(f, v)
#define PLUS(a, b) ((a) + (b))

static float sum_of(floatv v)
{
    return FOLD(PLUS, v);
}

// Activations. ACT: 0 identity, 1 ReLU, 2 leaky ReLU, 3 tanh, 4 sigmoid (enum mx_act). NaN stays NaN in all of them.
#ifndef ACT
#define ACT 0
#endif

static floatv act(floatv x, float slope)
{
#if ACT == 1
    return select(x, (floatv)0.0f, x < 0.0f);
#elif ACT == 2
    return select(x, x * slope, x < 0.0f);
#elif ACT == 3
    return tanh(x);
#elif ACT == 4
    return 1.0f / (1.0f + exp(-x));
#else
    return x;
#endif
}

// dy * phi'(x), from y = phi(x)
static floatv act_gradient(floatv dy, floatv y, float slope)
{
#if ACT == 1
    return select(dy, (floatv)0.0f, y <= 0.0f);
#elif ACT == 2
    return select(dy, dy * slope, y <= 0.0f);
#elif ACT == 3
    return dy * (1.0f - y * y);
#elif ACT == 4
    return dy * y * (1.0f - y);
#else
    return dy;
#endif
}

// Reductions over rows come in chunks of rows: each work-item sums one chunk of VEC columns, a second kernel adds the
// chunks in their order. Rows [first, last) of chunk c:
#define CHUNK_FIRST(c, rows, chunks) ((uint)((ulong)(rows) * (c) / (chunks)))
