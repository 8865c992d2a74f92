/* A device for tests, and tensors on it with guards around them. */
#include "device.h"

#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FRONT = 64, BACK = 64, HELD_MAX = 64 }; /* floats; buffers of one case */

/* Rows of `width` bytes, `pitch` bytes apart, from byte `front`; all other bytes are guards. */
struct held {
    struct ocl_buf *buf;
    size_t front, width, pitch, rows, bytes;
};

static struct {
    struct ocl_world *world;
    struct ocl_device *device;
    struct ocl_queue *queue;
    struct mx *mx;
    struct rng rng;
    struct arena host;
    struct held held[HELD_MAX];
    int held_n;
    size_t made; /* tensors so far, to vary the offsets */
} here;

/* A number, so that the guards themselves bring no NaN into a result; large, so that a sum of it is seen. */
static const float guard = -1.2345e30f;

struct mx *device_mx(void)
{
    return here.mx;
}

struct ocl_queue *device_queue(void)
{
    return here.queue;
}

bool device_small(void)
{
    const char *small = getenv("CLUTCH_TEST_SMALL");
    return small && small[0] && strcmp(small, "0") != 0;
}

struct mx *device_provider(const char *name)
{
    struct mx *m = NULL;
    const char *reason = NULL;
    if (device_small() && strcmp(name, "clblast") == 0) {
        reason = "a library's own kernels are not ours to check access by access";
    } else {
        OK(mx_open(here.queue, name, &m));
        if (mx_prepare(m, MX_GEMM, MX_IDENTITY) != ST_OK)
            reason = st_message();
    }
    if (!reason)
        return m;
    /* on PoCL everything has to run, so that no provider is left out everywhere */
    if (!device_small() && strstr(ocl_device_facts(here.device)->version, "PoCL"))
        fail_msg("%s: %s", name, reason);
    print_message("%s is left out on this device: %s\n", name, reason);
    mx_close(m);
    return NULL;
}

struct mx_activation device_act(int i)
{
    return (struct mx_activation){.kind = (enum mx_act)i, .slope = i == MX_LEAKY_RELU ? 0.1f : 0};
}

void device_shapes(void (*check)(int rows, int cols, struct mx_activation phi), struct mx_activation phi)
{
    static const int all[] = {1, 2, 5, 31, 32, 33, 63, 64, 65, 0}, few[] = {1, 2, 5, 18, 0};
    const int *sizes = device_small() ? few : all;
    for (const int *rows = sizes; *rows; rows++)
        for (const int *cols = sizes; *cols; cols++)
            check(*rows, *cols, phi);
    check(device_small() ? 70 : 2100, 3, phi);
}

void device_shapes_acts(void (*check)(int rows, int cols, struct mx_activation phi))
{
    for (int i = 0; i < MX_ACTS; i++)
        device_shapes(check, device_act(i));
}

static void release(void)
{
    if (here.queue)
        (void)!ocl_wait(here.queue);
    if (here.mx)
        mx_give_scratch(here.mx, NULL);
    for (int i = 0; i < here.held_n; i++)
        ocl_buf_free(here.held[i].buf);
    here.held_n = 0;
    arena_free(&here.host);
}

int device_open(void **state)
{
    (void)state;
    struct ocl_pick *picks = NULL;
    int n = 0;
    rng_init(&here.rng, 20240229, 0);
    OK(ocl_world_open(&here.world));
    OK(ocl_pick_devices(here.world, getenv("CLUTCH_TEST_DEVICE"), &picks, &n));
    struct ocl_pick pick = picks[0];
    mem_free(picks);
    OK(ocl_device_open(here.world, &pick, &here.device));
    OK(ocl_queue_open(here.device, &here.queue));
    OK(mx_open(here.queue, "plain", &here.mx));
    print_message("device %s%s\n", ocl_device_label(here.device), device_small() ? ", small sizes" : "");
    return 0;
}

int device_drop(void **state)
{
    (void)state;
    release();
    return 0;
}

int device_close(void **state)
{
    device_drop(state);
    mx_close(here.mx);
    ocl_queue_close(here.queue);
    ocl_device_close(here.device);
    ocl_world_close(here.world);
    memset(&here, 0, sizeof here);
    return 0;
}

/* ---- host memory ------------------------------------------------------------------------------------------------- */

static void *host_bytes(size_t n, size_t size)
{
    void *p = arena_alloc(&here.host, n, size);
    if (!p)
        fail_msg("%s", st_message());
    return p;
}

double *host_doubles(size_t n)
{
    return host_bytes(n, sizeof(double));
}

struct rng *host_rng(void)
{
    return &here.rng;
}

double *host_random(size_t n, double low, double high)
{
    double *p = host_doubles(n);
    for (size_t i = 0; i < n; i++)
        p[i] = low + (high - low) * rng_unit(&here.rng);
    return p;
}

/* ---- guarded buffers --------------------------------------------------------------------------------------------- */

static void fill_guard(unsigned char *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        p[i] = ((const unsigned char *)&guard)[i % sizeof guard];
}

/* `data`: rows * width bytes, dense; NULL leaves the guard's pattern. */
static struct ocl_buf *hold(size_t front, size_t width, size_t pitch, size_t rows, const void *data)
{
    assert_true(here.held_n < HELD_MAX);
    struct held *h = &here.held[here.held_n];
    *h = (struct held){.front = front, .width = width, .pitch = pitch, .rows = rows};
    h->bytes = front + (rows - 1) * pitch + width + (device_small() ? 0 : BACK * sizeof(float));
    OK(ocl_buf_create(here.device, h->bytes, &h->buf));
    here.held_n++;
    unsigned char *whole = host_bytes(h->bytes, 1);
    fill_guard(whole, h->bytes);
    for (size_t r = 0; data && r < rows; r++)
        memcpy(whole + front + r * pitch, (const unsigned char *)data + r * width, width);
    OK(ocl_write(here.queue, h->buf, 0, h->bytes, whole));
    OK(ocl_wait(here.queue));
    return h->buf;
}

static void check_untouched(const struct held *h, const unsigned char *whole, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (whole[i] != ((const unsigned char *)&guard)[i % sizeof guard])
            fail_msg("a guard was written to: byte %zu of %zu rows of %zu bytes, %zu apart, from byte %zu",
                     i, h->rows, h->width, h->pitch, h->front);
}

static void check_guards(const struct held *h)
{
    unsigned char *whole = host_bytes(h->bytes, 1);
    OK(ocl_read(here.queue, h->buf, 0, h->bytes, whole));
    check_untouched(h, whole, 0, h->front);
    for (size_t r = 0; r < h->rows; r++) {
        size_t end = h->front + r * h->pitch + h->width;
        check_untouched(h, whole, end, r + 1 < h->rows ? end - h->width + h->pitch : h->bytes);
    }
}

void device_done(void)
{
    for (int i = 0; i < here.held_n; i++)
        check_guards(&here.held[i]);
    release();
}

struct ocl_buf *device_bytes(const void *data, size_t bytes)
{
    return hold(0, bytes, bytes, 1, data);
}

void device_read(struct ocl_buf *buf, size_t bytes, void *out)
{
    OK(ocl_read(here.queue, buf, 0, bytes, out));
}

void device_scratch(struct mx *m, size_t floats)
{
    /* at least one: without a buffer a provider may quietly make its own; NaN shows where it is read before written */
    size_t n = floats ? floats : 1;
    float *values = host_bytes(n, sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = NAN;
    mx_give_scratch(m, device_bytes(values, n * sizeof *values));
}

/* ---- pairs ------------------------------------------------------------------------------------------------------- */

struct pair pair_of_ld(int rows, int cols, int ld, const double *values)
{
    size_t n = (size_t)rows * (size_t)cols;
    float *narrow = host_bytes(n, sizeof *narrow);
    struct pair p = {.ref = host_doubles(n)};
    for (size_t i = 0; i < n; i++) {
        narrow[i] = values ? (float)values[i] : NAN;
        p.ref[i] = narrow[i];
    }
    size_t offset = FRONT + 1 + 2 * (here.made++ % 8); /* odd, and every alignment a vector can have */
    struct ocl_buf *buf = hold(offset * sizeof(float), (size_t)cols * sizeof(float), (size_t)ld * sizeof(float),
                               (size_t)rows, narrow);
    p.t = (struct mx_tensor){.buf = buf, .off = offset, .rows = rows, .cols = cols, .ld = ld};
    return p;
}

struct pair pair_of(int rows, int cols, const double *values)
{
    return pair_of_ld(rows, cols, cols, values);
}

struct pair pair_new(int rows, int cols)
{
    return pair_of(rows, cols, NULL);
}

struct pair pair_random(int rows, int cols, double low, double high)
{
    return pair_of(rows, cols, host_random((size_t)rows * (size_t)cols, low, high));
}

struct pair pair_copy(struct pair p)
{
    return pair_of_ld(p.t.rows, p.t.cols, p.t.ld, p.ref);
}

float *pair_values(struct pair p)
{
    size_t rows = (size_t)p.t.rows, cols = (size_t)p.t.cols, ld = (size_t)p.t.ld;
    size_t span = (rows - 1) * ld + cols;
    float *values = host_bytes(span, sizeof *values);
    OK(ocl_read(here.queue, p.t.buf, p.t.off * sizeof *values, span * sizeof *values, values));
    for (size_t r = 1; r < rows; r++)
        memmove(values + r * cols, values + r * ld, cols * sizeof *values);
    return values;
}

double *pair_sizes(struct pair p)
{
    size_t n = (size_t)p.t.rows * (size_t)p.t.cols;
    double *size = host_doubles(n);
    for (size_t i = 0; i < n; i++)
        size[i] = fabs(p.ref[i]);
    return size;
}

void pair_close(const char *what, struct pair p, double absolute, double relative)
{
    check_close(what, pair_values(p), p.ref, (size_t)p.t.rows * (size_t)p.t.cols, absolute, relative);
}

void pair_within(const char *what, struct pair p, const double *size, double factor)
{
    const float *got = pair_values(p);
    for (int i = 0; i < p.t.rows * p.t.cols; i++)
        if (!(fabs((double)got[i] - p.ref[i]) <= factor * size[i]))
            fail_msg("%s: element (%d, %d) of (%d, %d) is %.9g, wanted %.9g +- %.2g", what, i / p.t.cols, i % p.t.cols,
                     p.t.rows, p.t.cols, (double)got[i], p.ref[i], factor * size[i]);
}
