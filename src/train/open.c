/* Opening a net on a device: what it needs is counted first, refused where it does not fit, and then made. */
#include "team.h"

enum st train_check_set(const struct nn_net *net, const struct data_set *set)
{
    if (set->c != net->input.c || set->h != net->input.h || set->w != net->input.w) {
        /* a net may take the picture as a plain vector */
        if (set->c * set->h * set->w != nn_size(net->input) || net->input.h != 1 || net->input.w != 1)
            return st_fail(ST_INPUT, "%s: the input is %dx%dx%d, but the pictures of %s are %dx%dx%d", net->origin,
                           net->input.c, net->input.h, net->input.w, set->name, set->c, set->h, set->w);
    }
    if (set->classes > net->classes)
        return st_fail(ST_INPUT, "%s: the last layer has %d output%s, but %s has %d classes", net->origin, net->classes,
                       plural((uint64_t)net->classes), set->name, set->classes);
    if (set->c > TRAIN_CHANNELS_MAX)
        return st_fail(ST_INPUT, "%s: pictures of %d channels, %d at most", set->name, set->c, TRAIN_CHANNELS_MAX);
    return ST_OK;
}

const struct data_split *split_of(const struct data_set *set, int split)
{
    return split == TRAIN_TRAINING ? &set->train : split == TRAIN_VALIDATION ? &set->validation : &set->test;
}

/* Evaluation alone needs no training pictures. */
static bool wants_split(const struct train *t, int split)
{
    return t->set && split_of(t->set, split)->n > 0 && (split != TRAIN_TRAINING || t->options);
}

uint64_t pictures_bytes(const struct train *t, bool streams, uint64_t *largest)
{
    uint64_t all = 0;
    *largest = 0;
    for (int i = 0; i < 3; i++) {
        if (!wants_split(t, i))
            continue;
        uint64_t n = feed_bytes(split_of(t->set, i), nn_size(t->net->input), t->batch, i == TRAIN_TRAINING, streams);
        all += n;
        *largest = n > *largest ? n : *largest;
    }
    return all;
}

uint64_t largest_buffer(const struct nn_memory *m)
{
    const uint64_t all[] = {m->params, m->grads, m->slots, m->state, m->activations, m->deltas, m->scratch};
    uint64_t largest = 0;
    for (size_t i = 0; i < COUNT_OF(all); i++)
        largest = all[i] > largest ? all[i] : largest;
    return largest;
}

static enum st plan(const struct train *t, int slots, struct train_memory *m)
{
    const struct ocl_facts *f = ocl_device_facts(t->device);
    uint64_t largest;
    *m = (struct train_memory){.available = f->memory_bytes};
    enum st s = nn_memory_plan(t->net, t->mx, t->batch, slots, 1, &m->net);
    if (s != ST_OK)
        return s;
    m->batch = (uint64_t)t->batch * (4 * (uint64_t)nn_size(t->net->input) + 4 + 8);
    m->pictures = pictures_bytes(t, false, &largest);
    m->total = nn_memory_total(&m->net) + m->batch + m->pictures;
    m->streams = (t->options && t->options->stream) || !ocl_fits(f, m->total, largest);
    if (m->streams) {
        m->total -= m->pictures;
        m->pictures = pictures_bytes(t, true, &largest);
        m->total += m->pictures;
    }
    return ocl_check_fits(t->device, m->total, largest_buffer(&m->net), "the run", "take a smaller --batch or net");
}

enum st write_scale(struct ocl_queue *q, const struct train_scaling *scaling, struct ocl_buf *out)
{
    enum st s = ST_OK;
    int channels = scaling->channels;
    float scale[2 * TRAIN_CHANNELS_MAX];
    for (int k = 0; k < channels; k++) {
        scale[k] = (float)(1 / (255 * scaling->deviation[k]));
        scale[channels + k] = (float)(-scaling->mean[k] / scaling->deviation[k]);
    }
    TRY(ocl_write(q, out, 0, 2 * (size_t)channels * sizeof *scale, scale));
    TRY(ocl_wait(q));
out:
    return s;
}

static enum st make_buffers(struct train *t, const struct train_scaling *scaling, bool streams)
{
    enum st s = ST_OK;
    size_t batch = (size_t)t->batch;
    int channels = scaling->channels, hw = nn_size(t->net->input) / channels;
    TRY(ocl_buf_create(t->device, batch * (size_t)nn_size(t->net->input) * sizeof(float), &t->x));
    TRY(ocl_buf_create(t->device, batch * sizeof(uint32_t), &t->labels));
    TRY(ocl_buf_create(t->device, 2 * batch * sizeof(float), &t->per_row));
    TRY(ocl_buf_create(t->device, sizeof t->meter, &t->meter_buf));
    TRY(ocl_buf_create(t->device, 2 * (size_t)channels * sizeof(float), &t->scale));
    TRY(write_scale(t->queue, scaling, t->scale));
    for (int i = 0; i < 3; i++)
        if (wants_split(t, i))
            TRY(feed_open(t->mx, split_of(t->set, i), channels, hw, t->batch, i == TRAIN_TRAINING, streams,
                          &t->feed[i]));
    TRY(mx_prepare(t->mx, MX_GATHER, MX_IDENTITY));
    TRY(mx_prepare(t->mx, t->net->loss->op, MX_IDENTITY));
    TRY(mx_prepare(t->mx, MX_COLUMNS, MX_IDENTITY)); /* sums of losses */
    if (t->options)
        TRY(mx_prepare(t->mx, MX_OPTIMIZER, MX_IDENTITY));
out:
    return s;
}

int batch_min_of(const struct nn_net *net)
{
    int least = 1;
    for (int i = 0; i < net->layer_count; i++)
        if (net->layer[i].kind->batch_min > least)
            least = net->layer[i].kind->batch_min;
    return least;
}

enum st count_steps(struct train *t, int batch_min)
{
    uint32_t n = t->set ? t->set->train.n : 0;
    if (!t->options || !t->set)
        return ST_OK;
    t->steps_per_epoch = n / (uint32_t)t->batch + (n % (uint32_t)t->batch >= (uint32_t)batch_min);
    if (t->steps_per_epoch == 0)
        return st_fail(ST_INPUT, "%s: %u training samples are too few for this net: %d at least", t->set->name, n,
                       batch_min);
    return ST_OK;
}

/* What device, net, options, set and batch of `t` say. */
static enum st make(struct train *t, int slots, const struct train_scaling *scaling, struct train_memory *memory)
{
    enum st s = ST_OK;
    struct train_memory m;
    TRY(count_steps(t, batch_min_of(t->net)));
    TRY(ocl_queue_open(t->device, &t->queue));
    TRY(mx_open(t->queue, NULL, &t->mx));
    s = plan(t, slots, &m);
    if (memory)
        *memory = m;
    TRY(s);
    TRY(nn_module_open(t->net, t->mx, t->batch, slots, 1, &t->module));
    TRY(make_buffers(t, scaling, m.streams));
out:
    return s;
}

enum st train_open(struct ocl_device *device, const struct nn_net *net, const struct train_options *options,
                   const struct data_set *set, const struct train_scaling *scaling, int batch,
                   struct train_memory *memory, struct train **out)
{
    enum st s = ST_OK;
    struct train *t = NULL;
    if (options)
        TRY(train_check_options(options));
    if (set)
        TRY(train_check_set(net, set));
    TRY(NEW(t, 1));
    t->device = device;
    t->net = net;
    t->options = options;
    t->optimizer = options ? nn_optimizer_find(options->optimizer) : NULL;
    t->set = set;
    t->batch = batch;
    TRY(make(t, t->optimizer ? t->optimizer->slots : -1, scaling, memory));
    *out = t;
    t = NULL;
out:
    train_close(t);
    return s;
}

enum st train_open_gradients(struct ocl_device *device, const struct nn_net *net, const struct train_scaling *scaling,
                             int batch, struct train **out)
{
    enum st s = ST_OK;
    struct train *t = NULL;
    TRY(NEW(t, 1));
    t->device = device;
    t->net = net;
    t->batch = batch;
    TRY(make(t, 0, scaling, NULL));
    *out = t;
    t = NULL;
out:
    train_close(t);
    return s;
}

void train_close(struct train *t)
{
    if (!t)
        return;
    team_close(t->team);
    /* after a failure commands may still run on these buffers; where even waiting fails, nothing runs any more */
    if (t->queue)
        (void)!ocl_wait(t->queue);
    for (int i = 0; i < 3; i++)
        feed_close(&t->feed[i]);
    nn_module_close(t->module);
    ocl_buf_free(t->x);
    ocl_buf_free(t->labels);
    ocl_buf_free(t->per_row);
    ocl_buf_free(t->meter_buf);
    ocl_buf_free(t->scale);
    mx_close(t->mx);
    ocl_queue_close(t->queue);
    mem_free(t);
}

/* ---- modules ----------------------------------------------------------------------------------------------------- */

int train_module_count(const struct train *t)
{
    return t->team ? t->team->n : 1;
}

struct train_module train_module_at(struct train *t, int k)
{
    if (!t->team)
        return (struct train_module){.device = ocl_device_label(t->device), .count = t->net->layer_count,
                                     .module = t->module, .mx = t->mx};
    const struct worker *w = &t->team->worker[k];
    const struct nn_section *section = &t->net->section[k];
    return (struct train_module){.device = w->place->label, .first = section->first, .count = section->count,
                                 .module = w->module, .mx = w->mx, .coupling = w->coupling, .spec = w->spec,
                                 .emulated = w->emulated.shared != NULL};
}

/* The module that has a tensor of the net, and the tensor's number there. */
static struct nn_module *find_module(struct train *t, int *tensor)
{
    if (!t->team)
        return t->module;
    int k = t->team->n - 1;
    while (k > 0 && *tensor < t->team->worker[k].net->tensor_first)
        k--;
    *tensor -= t->team->worker[k].net->tensor_first;
    return t->team->worker[k].module;
}

enum st train_read(struct train *t, int tensor, enum nn_part part, int slot, float *out)
{
    struct nn_module *m = find_module(t, &tensor);
    return nn_module_read(m, tensor, part, slot, out);
}

enum st train_write(struct train *t, int tensor, enum nn_part part, int slot, const float *in)
{
    struct nn_module *m = find_module(t, &tensor);
    return nn_module_write(m, tensor, part, slot, in);
}
