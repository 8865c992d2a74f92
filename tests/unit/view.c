/* Looking inside a trained net: outputs of its layers, pictures that excite their units, and how far rows lie apart. */
#include "support/check.h"
#include "support/device.h"
#include "support/runs.h"

#include "ref/ref.h"

#include <math.h>
#include <string.h>

/* Every kind of layer; relu and tanh of lines of their own are computed alone, the others with what is before them. */
#define EVERY_ACT \
    "input 1x28x28; dense 16; batchnorm; leakyrelu 0.1; dropout 0.25; tanh; dense 12; sigmoid; relu; dense 10; " \
    "loss softmax"
#define CUTS \
    "input 1x28x28; dense 16; cut exact; batchnorm; relu; cut exact; dense 12; cut exact; tanh; dense 10; loss softmax"

static struct train_view *view; /* of the test under way */

static void close_view(void)
{
    train_view_close(view);
    view = NULL;
}

static int drop(void **state)
{
    close_view();
    return runs_drop(state);
}

#define TEST(f) cmocka_unit_test_teardown(f, drop)

static enum st try_view(const struct run *r, int layers, int batch)
{
    return train_view_open(ocl_queue_device(device_queue()), r->net, layers, in_folder("model"), &r->scaling, batch,
                           &view);
}

static void open_view(const struct run *r, int layers, int batch)
{
    close_view();
    OK(try_view(r, layers, batch));
}

static struct run *trained(const char *net)
{
    struct run *r = run_plan(net, 500);
    run_epochs(run_start(r), 1);
    OK(train_save(r->train, in_folder("model"), NULL));
    return r;
}

static float *floats(size_t n)
{
    return (float *)host_doubles((n + 1) / 2);
}

/* ---- the twin of a net ------------------------------------------------------------------------------------------- */

static double *tensor_of(const struct run *r, int i)
{
    struct nn_tensor t = nn_tensor_at(r->net, i);
    float *values = floats(t.param->count);
    double *out = host_doubles(t.param->count);
    OK(train_read(r->train, i, t.is_state ? NN_STATE : NN_PARAM, 0, values));
    for (size_t k = 0; k < t.param->count; k++)
        out[k] = (double)values[k];
    return out;
}

static void twin_norm(const struct nn_layer *l, double *const *tensor, int rows, const double *x, double *y)
{
    int cols = nn_size(l->out);
    struct ref_batchnorm bn = {.rows = rows, .cols = cols, .gamma = tensor[0], .beta = tensor[1],
                               .running_mean = tensor[2], .running_var = tensor[3], .eps = l->option[0]};
    bn.mean = host_doubles((size_t)cols);
    bn.rstd = host_doubles((size_t)cols);
    ref_batchnorm_forward(&bn, false, x, y);
}

/* What the first layers make of x (rows, input) in evaluation. */
static const double *twin(const struct run *r, int layers, int rows, const double *x)
{
    int at = 0;
    for (int i = 0; i < layers; i++) {
        const struct nn_layer *l = &r->net->layer[i];
        int in = nn_size(l->in), out = nn_size(l->out), mine = l->param_count + l->state_count;
        size_t n = (size_t)rows * (size_t)out;
        double *y = host_doubles(n), *tensor[NN_PARAMS_MAX * 2] = {NULL};
        for (int k = 0; k < mine; k++)
            tensor[k] = tensor_of(r, at++);
        if (strcmp(l->kind->name, "dense") == 0) {
            ref_gemm(false, true, rows, out, in, 1, x, tensor[0], 0, y);
            for (size_t k = 0; k < n; k++)
                y[k] += tensor[1][k % (size_t)out];
        } else if (strcmp(l->kind->name, "batchnorm") == 0) {
            twin_norm(l, tensor, rows, x, y);
        } else { /* dropout does nothing in evaluation */
            ref_act((struct mx_activation){l->kind->act, (float)l->option[0]}, n, x, y);
        }
        x = y;
    }
    return x;
}

/* ---- outputs ----------------------------------------------------------------------------------------------------- */

static void test_outputs_of_all_layers_are_logits(void **state)
{
    (void)state;
    static const char *const nets[] = {PLAIN, ALL_KINDS, "input 784; batchnorm; dense 10; relu; loss softmax"};
    static const int batches[] = {64, 1, 7};
    static float p[500][10], y[500][10];
    for (size_t k = 0; k < COUNT_OF(nets); k++) {
        struct run *r = trained(nets[k]);
        OK(train_predict(r->train, &r->set.test, p[0]));
        open_view(r, r->net->layer_count, batches[k]);
        assert_int_equal(train_view_size(view), 10);
        OK(train_view_outputs(view, &r->set.test, y[0]));
        for (int i = 0; i < 500; i++) {
            double sum = 0;
            for (int c = 0; c < 10; c++)
                sum += exp((double)y[i][c]);
            for (int c = 0; c < 10; c++)
                assert_true(fabs(exp((double)y[i][c]) / sum - (double)p[i][c]) <= 1e-6);
        }
        drop(state);
    }
}

/* Views of so many layers (ends with 0) against the twin. */
static void check_outputs(const struct run *r, const int *layers)
{
    enum { N = 40 };
    struct data_split some = {.n = N, .pixels = r->set.test.pixels, .labels = r->set.test.labels};
    double *x = host_doubles((size_t)N * 784);
    for (size_t i = 0; i < (size_t)N * 784; i++)
        x[i] = (some.pixels[i] / 255.0 - r->scaling.mean[0]) / r->scaling.deviation[0];
    for (; *layers; layers++) {
        size_t size = (size_t)nn_size(r->net->layer[*layers - 1].out);
        float *got = floats(N * size);
        open_view(r, *layers, 17);
        assert_int_equal(train_view_size(view), size);
        OK(train_view_outputs(view, &some, got));
        /* 784 products with a rounding each, whose sizes add up to 20 or so, are wrong by 1e-3 at the very worst and by
         * a root of that many roundings as a rule; layers above neither add nor take much */
        check_close("outputs", got, twin(r, *layers, N, x), N * size, 5e-5, 0);
    }
}

static void test_outputs_of_fewer_layers(void **state)
{
    (void)state;
    check_outputs(trained(EVERY_ACT), (const int[]){1, 1 + 2, 1 + 3, 1 + 4, 1 + 6, 1 + 7, 1 + 8, 0});
    drop(state);
    check_outputs(trained("input 1x28x28; sigmoid; dense 16; dense 10; loss softmax"), (const int[]){1, 2, 3, 0});
}

/* Where the net is cut, the activation behind the cut is not computed with the layer before it; joined it would be. */
static void test_net_with_cuts(void **state)
{
    (void)state;
    struct run *r = team_new(CUTS, 320, 2, false);
    run_epochs(r->train, 1);
    OK(train_save(r->train, in_folder("model"), NULL));
    check_outputs(r, (const int[]){1, 3, 4, 5, 6, 0});
}

static void test_what_cannot_be_viewed(void **state)
{
    (void)state;
    struct run *r = trained(NORM), *other = run_plan(PLAIN, 100);
    FAILS(ST_INPUT, "net: there is no view of 0 layers, for the net has 4", try_view(r, 0, 8));
    FAILS(ST_INPUT, "net: there is no view of 5 layers", try_view(r, 5, 8));
    FAILS(ST_INPUT, "net: no view can end behind layer 1, which computes the relu behind it", try_view(r, 2, 8));
    FAILS(ST_INPUT, "no tensor 2.weight in ", try_view(other, 3, 8));
    OK(try_view(other, 2, 8)); /* of these layers the model has the weights */
    close_view();
    OK(file_write(in_folder("model"), "{}", 2));
    FAILS(ST_INPUT, "model", try_view(r, 1, 8));
    FAILS(ST_INPUT, "none",
          train_view_open(ocl_queue_device(device_queue()), r->net, 1, in_folder("none"), &r->scaling, 8, &view));
    assert_null(view);
}

/* ---- exciting units ---------------------------------------------------------------------------------------------- */

struct pictures {
    int n, c, h, w;
    int *unit;
    float *pixels, *before, *after;
};

/* All units of the view under way. */
static struct pictures excite(const struct train_excite *how, int c, int h, int w)
{
    int n = train_view_size(view);
    size_t count = (size_t)n;
    struct pictures p = {.n = n, .c = c, .h = h, .w = w, .unit = (int *)(void *)floats(count), .before = floats(count),
                         .after = floats(count), .pixels = floats(count * (size_t)(c * h * w))};
    for (int i = 0; i < n; i++)
        p.unit[i] = i;
    OK(train_view_excite(view, how, p.unit, n, h, w, p.pixels, p.before, p.after));
    return p;
}

/* Rows x with input i moved up, then down, around the mean picture, which is zero there. */
static double *rows_around_zero(int size, double step)
{
    double *x = host_doubles(2 * (size_t)size * (size_t)size);
    for (int i = 0; i < 2 * size; i++)
        x[i * size + i / 2] = i % 2 ? -step : step;
    return x;
}

/* One short step of each unit: along the gradient that differences of the twin's outputs give, and as long as asked.
 * `layers` leaves out the activation at the top, which has nothing to say on the direction. */
static void check_step(const struct run *r, int layers, int c, int h, int w)
{
    enum { CHANNELS = 3 };
    static const struct train_excite how = {.steps = 1, .rate = 0.01};
    int size = c * h * w, units = train_view_size(view), plane = h * w;
    struct pictures p = excite(&how, c, h, w);
    const double *y = twin(r, layers, 2 * size, rows_around_zero(size, 1e-4));
    double variance = 0;
    for (int k = 0; k < c; k++)
        variance += r->scaling.deviation[k] * r->scaling.deviation[k];
    double length = how.rate * sqrt(variance * plane);
    for (int u = 0; u < units; u++) {
        double both = 0, wanted = 0, moved = 0;
        for (int i = 0; i < size; i++) {
            double slope = (y[2 * i * units + u] - y[(2 * i + 1) * units + u]) / r->scaling.deviation[i / plane];
            double way = (double)p.pixels[u * size + i] - r->scaling.mean[i / plane];
            both += slope * way;
            wanted += slope * slope;
            moved += way * way;
        }
        assert_true(both / sqrt(wanted * moved) > 0.9999);
        assert_true(fabs(sqrt(moved) - length) <= 1e-4 * length); /* pixels round to 2^-25 */
        assert_true(p.after[u] > p.before[u]);
    }
}

static void test_one_step_follows_the_gradient(void **state)
{
    (void)state;
    struct run *r = trained(EVERY_ACT);
    open_view(r, 9, 64);
    check_step(r, 9, 1, 28, 28);
    open_view(r, 7, 5);
    check_step(r, 6, 1, 28, 28);
    open_view(r, 5, 64);
    check_step(r, 4, 1, 28, 28);
    open_view(r, 3, 64);
    check_step(r, 2, 1, 28, 28);
}

/* A net with random weights, of pictures whose channels have their own scaling. */
static struct run *run_of_channels(void)
{
    struct run *r = run_plan("input 3x4x5; dense 9; tanh; batchnorm; dense 6; loss softmax", 100);
    r->scaling = (struct train_scaling){.channels = 3, .mean = {0.3, 0.5, 0.6}, .deviation = {0.1, 0.3, 0.2}};
    OK(train_open(ocl_queue_device(device_queue()), r->net, &r->options, NULL, &r->scaling, 32, NULL, &r->train));
    OK(train_init(r->train));
    OK(train_save(r->train, in_folder("model"), NULL));
    return r;
}

static void test_channels_have_their_own_scaling(void **state)
{
    (void)state;
    struct run *r = run_of_channels();
    open_view(r, 4, 4);
    check_step(r, 4, 3, 4, 5);
}

static int within(int i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* Pixel (y, x) of a plane blurred by the Gaussian of that sigma, by definition. */
static double blurred(const double *plane, int h, int w, int y, int x, double sigma)
{
    double sum = 0, weights = 0;
    int far = (int)ceil(3 * sigma);
    for (int dy = -far; dy <= far; dy++)
        for (int dx = -far; dx <= far; dx++) {
            double weight = exp(-(dy * dy + dx * dx) / (2 * sigma * sigma));
            sum += weight * plane[within(y + dy, h) * w + within(x + dx, w)];
            weights += weight;
        }
    return sum / weights;
}

/* A step is a move, then a pull to the mean, then the blur. */
static void test_decay_and_blur(void **state)
{
    (void)state;
    enum { C = 3, H = 4, W = 5, PLANE = H * W };
    static const struct train_excite bare = {.steps = 1, .rate = 0.3}, both = {.steps = 1, .rate = 0.3, .blur = 0.8,
                                                                             .decay = 0.25};
    struct run *r = run_of_channels();
    open_view(r, 4, 4);
    struct pictures moved = excite(&bare, C, H, W), got = excite(&both, C, H, W);
    for (int i = 0; i < moved.n * C; i++) {
        double plane[PLANE], mean = r->scaling.mean[i % C];
        for (int k = 0; k < PLANE; k++) {
            double p = (double)moved.pixels[i * PLANE + k];
            assert_true(p > 0 && p < 1); /* nothing was clipped */
            plane[k] = p + 0.25 * (mean - p);
        }
        for (int k = 0; k < PLANE; k++) {
            double want = blurred(plane, H, W, k / W, k % W, 0.8);
            assert_true(fabs((double)got.pixels[i * PLANE + k] - want) <= 1e-6); /* some roundings */
        }
    }
}

/* Outputs (units) over all shifts of a picture (3, 4, 5) by up to `most`, weighted, by definition. What is beyond the
 * picture is the mean: zero at the net's input. */
static double *mean_of_shifts(const struct run *r, const double *picture, int most, int units)
{
    enum { C = 3, H = 4, W = 5, SIZE = C * H * W };
    int side = 2 * most + 1, shifts = side * side;
    double *x = host_doubles((size_t)(shifts * SIZE)), *sum = host_doubles((size_t)units);
    for (int k = 0; k < shifts * SIZE; k++) {
        int c = k % SIZE / (H * W), y = k % (H * W) / W + k / SIZE / side - most, i = k % W + k / SIZE % side - most;
        if (y >= 0 && y < H && i >= 0 && i < W)
            x[k] = (picture[(c * H + y) * W + i] - r->scaling.mean[c]) / r->scaling.deviation[c];
    }
    const double *out = twin(r, r->net->layer_count, shifts, x);
    for (int k = 0; k < shifts; k++) {
        int dy = k / side - most, dx = k % side - most;
        for (int u = 0; u < units; u++)
            sum[u] += exp(-(dy * dy + dx * dx) / (most * most / 2.0)) * out[k * units + u]; /* deviation most / 2 */
    }
    return sum;
}

/* The second step starts from a picture that shifts change. */
static void test_jitter(void **state)
{
    (void)state;
    enum { SIZE = 60, MOST = 2 };
    struct train_excite how = {.steps = 1, .rate = 0.2, .jitter = MOST};
    struct run *r = run_of_channels();
    open_view(r, 4, 7);
    struct pictures one = excite(&how, 3, 4, 5);
    how.steps = 2;
    struct pictures two = excite(&how, 3, 4, 5);
    for (int u = 0; u < one.n; u++) {
        double picture[SIZE], both = 0, wanted = 0, moved = 0;
        for (int i = 0; i < SIZE; i++)
            picture[i] = (double)one.pixels[u * SIZE + i];
        for (int i = 0; i < SIZE; i++) {
            double held = picture[i], way = (double)two.pixels[u * SIZE + i] - held;
            picture[i] = held + 1e-5;
            double slope = mean_of_shifts(r, picture, MOST, one.n)[u];
            picture[i] = held - 1e-5;
            slope = (slope - mean_of_shifts(r, picture, MOST, one.n)[u]) / 2e-5;
            picture[i] = held;
            both += slope * way;
            wanted += slope * slope;
            moved += way * way;
        }
        assert_true(both / sqrt(wanted * moved) > 0.9999);
    }
}

static void check_all_rise(struct pictures p)
{
    for (int i = 0; i < p.n; i++)
        if (!(p.after[i] > p.before[i]))
            fail_msg("unit %d of %d: from %g to %g", i, p.n, (double)p.before[i], (double)p.after[i]);
    for (int i = 0; i < p.n * p.c * p.h * p.w; i++)
        assert_true(p.pixels[i] >= 0 && p.pixels[i] <= 1);
}

static void test_all_units_rise(void **state)
{
    (void)state;
    static const int layers[] = {1 + 2, 1 + 4, 1 + 6, 1 + 7, 1 + 8};
    struct train_excite how = train_excite_defaults();
    struct run *r = trained(EVERY_ACT);
    for (size_t i = 0; i < COUNT_OF(layers); i++) {
        open_view(r, layers[i], 7); /* more units than a batch holds */
        check_all_rise(excite(&how, 1, 28, 28));
    }
}

/* A unit that is silent at the mean is woken, for what a ReLU is given has a gradient; one that nothing wakes stays. */
static void test_silent_units(void **state)
{
    (void)state;
    struct run *r = run_plan(PLAIN, 500);
    struct train_excite how = train_excite_defaults();
    float weight[16 * 784], bias[16];
    run_epochs(run_start(r), 1);
    OK(train_read(r->train, 0, NN_PARAM, 0, weight));
    OK(train_read(r->train, 1, NN_PARAM, 0, bias));
    bias[3] = -0.5f;
    bias[5] = -0.5f;
    memset(weight + 5 * 784, 0, 784 * sizeof *weight);
    OK(train_write(r->train, 0, NN_PARAM, 0, weight));
    OK(train_write(r->train, 1, NN_PARAM, 0, bias));
    OK(train_save(r->train, in_folder("model"), NULL));
    open_view(r, 2, 16);
    struct pictures p = excite(&how, 1, 28, 28);
    assert_true(p.before[3] == 0 && p.after[3] > 0);
    assert_true(p.before[5] == 0 && p.after[5] == 0);
    for (int i = 0; i < 784; i++)
        assert_true(p.pixels[5 * 784 + i] == (float)r->scaling.mean[0]);
}

static void test_same_pictures_again(void **state)
{
    (void)state;
    struct train_excite how = train_excite_defaults();
    struct run *r = trained(ALL_KINDS);
    struct pictures p[2];
    for (int i = 0; i < 2; i++) {
        open_view(r, r->net->layer_count, 4);
        p[i] = excite(&how, 1, 28, 28);
    }
    assert_memory_equal(p[0].pixels, p[1].pixels, 10 * 784 * sizeof(float));
    assert_memory_equal(p[0].before, p[1].before, 10 * sizeof(float));
    assert_memory_equal(p[0].after, p[1].after, 10 * sizeof(float));
}

static void test_what_cannot_be_excited(void **state)
{
    (void)state;
    static const struct train_excite bad[] = {
        {.steps = -1, .rate = 1},              {.steps = 1, .rate = 0},
        {.steps = 1, .rate = NAN},             {.steps = 1, .rate = 1, .blur = -1},
        {.steps = 1, .rate = 1, .blur = 17},   {.steps = 1, .rate = 1, .decay = 1.5},
        {.steps = 1, .rate = 1, .jitter = -1}, {.steps = 1, .rate = 1, .jitter = 17},
    };
    static const int unit[] = {3, 16, -1};
    static float pixels[3 * 784], before[3], after[3];
    struct train_excite how = train_excite_defaults();
    struct run *r = trained(PLAIN);
    open_view(r, 2, 4);
    FAILS(ST_INPUT, "there is no unit 16: the layer has 16, from 0 on",
          train_view_excite(view, &how, unit, 2, 28, 28, pixels, before, after));
    FAILS(ST_INPUT, "there is no unit -1", train_view_excite(view, &how, unit + 2, 1, 28, 28, pixels, before, after));
    FAILS(ST_INPUT, "the input has 784 values, pictures of 1x28x27 do not fit it",
          train_view_excite(view, &how, unit, 1, 28, 27, pixels, before, after));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        FAILS(ST_INPUT, "exciting in ", train_view_excite(view, &bad[i], unit, 1, 28, 28, pixels, before, after));
    OK(train_view_excite(view, &how, unit, 1, 56, 14, pixels, before, after)); /* a net does not know what is a row */
    how.steps = 0;
    OK(train_view_excite(view, &how, unit, 1, 28, 28, pixels, before, after));
    assert_true(before[0] == after[0] && pixels[783] == (float)r->scaling.mean[0]);
    float bias[16] = {[3] = NAN};
    OK(train_write(r->train, 1, NN_PARAM, 0, bias));
    OK(train_save(r->train, in_folder("model"), NULL));
    open_view(r, 2, 4);
    FAILS(ST_NUMERIC, "unit 3", train_view_excite(view, &how, unit, 1, 28, 28, pixels, before, after));
}

/* ---- dissimilarity ----------------------------------------------------------------------------------------------- */

static void test_dissimilarity(void **state)
{
    (void)state;
    enum { N = 6 };
    static const float rows[N][3] = {{1, 2, 3},          {3, 2, 1},    {1, 3, 2},
                                     {0.1f, 0.1f, 0.1f}, {16, 32, 48}, {-1e6f, 0, 2e6f}};
    /* deviations in the directions (-1 0 1), (1 0 -1), (-1 1 0), none, the first, (-4 -1 5) */
    const double root = sqrt(2 * 42);
    const double want[N][N] = {
        {0, 2, 0.5, NAN, 0, 1 - 9 / root},       {2, 0, 1.5, NAN, 2, 1 + 9 / root},
        {0.5, 1.5, 0, NAN, 0.5, 1 - 3 / root},   {NAN, NAN, NAN, 0, NAN, NAN},
        {0, 2, 0.5, NAN, 0, 1 - 9 / root},       {1 - 9 / root, 1 + 9 / root, 1 - 3 / root, NAN, 1 - 9 / root, 0},
    };
    double got[N][N];
    train_dissimilarity(rows[0], N, 3, got[0]);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) {
            assert_true(isnan(want[i][k]) ? isnan(got[i][k]) : fabs(got[i][k] - want[i][k]) <= 1e-12);
            assert_true(isnan(got[i][k]) || (got[i][k] == got[k][i] && got[i][k] >= 0));
        }
    for (int i = 0; i < N; i++)
        assert_true(got[i][i] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_outputs_of_all_layers_are_logits),
        TEST(test_outputs_of_fewer_layers),
        TEST(test_net_with_cuts),
        TEST(test_what_cannot_be_viewed),
        TEST(test_one_step_follows_the_gradient),
        TEST(test_channels_have_their_own_scaling),
        TEST(test_decay_and_blur),
        TEST(test_jitter),
        TEST(test_all_units_rise),
        TEST(test_silent_units),
        TEST(test_same_pictures_again),
        TEST(test_what_cannot_be_excited),
        TEST(test_dissimilarity),
    };
    return cmocka_run_group_tests_name("views", tests, runs_setup, runs_teardown);
}
