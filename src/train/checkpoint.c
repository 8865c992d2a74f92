/*
 * Checkpoints: in one safetensors file a model's tensors, the optimiser's copies of them behind "optimizer.SLOT.",
 * couplings with theirs, and how far training is. It is the one file that says how far a run is: the others can be
 * made from it, or are cut back to it.
 */
#include "files.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Numbers of a checkpoint: name, place, and whether checkpoints of before there was such a number can do without. */
enum { NUMBERS_MAX = 8 };
struct number {
    const char *name;
    uint64_t *at;
    bool may_lack;
};

/* Those of a worker. */
static int worker_numbers(struct worker *w, struct number *out)
{
    const struct number all[] = {{"updates", &w->updates, false},
                                 {"epoch_updates", &w->epoch_updates, true},
                                 {"epoch_targets", &w->targets, true},
                                 {"epoch_stale_sum", &w->stale_sum, true},
                                 {"epoch_stale_most", &w->stale_most, true}};
    memcpy(out, all, sizeof all);
    return COUNT_OF(all);
}

/* What the coupling at a cut keeps beside its nets; *rank 0: nothing. */
static void state_shape(struct sg_coupling *c, int *rank, int64_t shape[2])
{
    int rows, cols;
    sg_state_shape(c, &rows, &cols);
    *rank = rows ? 2 : 0;
    shape[0] = rows;
    shape[1] = cols;
}

static enum st add_state(struct files_list *l, struct sg_coupling *c, const char *prefix)
{
    enum st s = ST_OK;
    int rank;
    int64_t shape[2];
    void *values;
    state_shape(c, &rank, shape);
    if (!rank)
        return ST_OK;
    TRY(files_list_add(l, prefix, "state", STORE_F32, rank, shape, &values));
    TRY(sg_state_read(c, values));
out:
    return s;
}

static enum st load_state(const struct store_file *file, struct sg_coupling *c, const char *name)
{
    enum st s = ST_OK;
    int rank;
    int64_t shape[2];
    const struct store_tensor *found;
    state_shape(c, &rank, shape);
    if (!rank)
        return ST_OK;
    TRY(store_tensors_find(file, name, STORE_F32, rank, shape, &found));
    TRY(sg_state_write(c, found->data));
out:
    return s;
}

/* What modules have beside their tensors: counts of updates, and couplings. */
static enum st add_modules(struct files_list *l, struct train *t)
{
    enum st s = ST_OK;
    char prefix[32];
    struct number number[NUMBERS_MAX];
    for (int k = 0; t->team && k < t->team->n; k++) {
        int n = worker_numbers(&t->team->worker[k], number);
        snprintf(prefix, sizeof prefix, "module%d.", k);
        for (int i = 0; i < n; i++)
            TRY(files_add_number(l, prefix, number[i].name, (int64_t)*number[i].at));
    }
    for (int k = 0; k < files_cut_count(t); k++) {
        if (!files_coupling(t, k))
            continue;
        for (int slot = -1; slot < COUPLING_SLOTS; slot++)
            TRY(files_add_coupling(l, t, k, slot));
        snprintf(prefix, sizeof prefix, "cut%d.", k);
        TRY(add_state(l, files_coupling(t, k), prefix));
        TRY(files_add_number(l, prefix, "updates", (int64_t)sg_updates(files_coupling(t, k))));
    }
out:
    return s;
}

/* Sums are kept to the bit, as the integers that their bits are. */
static int64_t bits_of(double v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static double of_bits(int64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* How far training is. */
enum { PROGRESS_NUMBERS = 6 };
static enum st add_progress(struct files_list *l, const struct train *t)
{
    const struct {
        const char *name;
        int64_t v;
    } number[PROGRESS_NUMBERS] = {{"epoch", t->epoch},
                                  {"step", (int64_t)t->step},
                                  {"nanoseconds_before", (int64_t)t->ns_before},
                                  {"epoch_nanoseconds", (int64_t)t->epoch_ns},
                                  {"epoch_loss_bits", bits_of(t->step_in_epoch ? t->sum.loss : 0)},
                                  {"epoch_hits_bits", bits_of(t->step_in_epoch ? t->sum.accuracy : 0)}};
    enum st s = ST_OK;
    for (int i = 0; i < PROGRESS_NUMBERS && s == ST_OK; i++)
        s = files_add_number(l, "train.", number[i].name, number[i].v);
    return s;
}

enum st train_save_checkpoint(struct train *t, const char *path)
{
    enum st s = ST_OK;
    struct files_list l = {0};
    char prefix[32];
    int modules = NUMBERS_MAX * train_module_count(t);
    int couplings = (1 + COUPLING_SLOTS) * files_couplings_room(t) + files_cut_count(t);
    TRY(files_list_open(&l, files_model_room(t) + t->optimizer->slots * nn_tensor_count(t->net) + modules + couplings +
                      PROGRESS_NUMBERS));
    TRY(files_add_model(&l, t));
    for (int slot = 0; slot < t->optimizer->slots; slot++) {
        files_slot_prefix(slot, prefix, sizeof prefix);
        for (int i = 0; i < nn_tensor_count(t->net); i++)
            if (!nn_tensor_at(t->net, i).is_state)
                TRY(files_add_tensor(&l, t, i, NN_SLOT, slot, prefix));
    }
    TRY(add_modules(&l, t));
    TRY(add_progress(&l, t));
    TRY(store_tensors_write(path, l.tensor, l.n, NULL));
out:
    files_list_close(&l);
    return s;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* A number that checkpoints of before there was such a one do not have: 0. */
static enum st load_newer_number(const struct store_file *file, const char *name, int64_t *out)
{
    *out = 0;
    for (int i = 0; i < store_tensors_count(file); i++)
        if (strcmp(store_tensors_at(file, i)->name, name) == 0)
            return files_load_number(file, name, out);
    return ST_OK;
}

static enum st load_coupling(struct train *t, const struct store_file *file, int cut, int slot)
{
    enum st s = ST_OK;
    char before[32] = "", prefix[64];
    struct sg_coupling *c = files_coupling(t, cut);
    if (slot >= 0)
        files_slot_prefix(slot, before, sizeof before);
    for (int i = 0; i < sg_net_count(c); i++) {
        files_coupling_prefix(before, cut, i, prefix, sizeof prefix);
        for (int k = 0; k < nn_tensor_count(sg_net(c, i)); k++) {
            struct nn_tensor tensor = nn_tensor_at(sg_net(c, i), k);
            enum nn_part part = slot >= 0 ? NN_SLOT : tensor.is_state ? NN_STATE : NN_PARAM;
            const float *values;
            if (slot >= 0 && (tensor.is_state || slot >= sg_net_slots(c, i)))
                continue;
            TRY(files_find(file, &tensor, prefix, &values));
            TRY(nn_module_write(sg_module(c, i), k, part, slot < 0 ? 0 : slot, values));
        }
    }
out:
    return s;
}

static enum st load_modules(struct train *t, const struct store_file *file)
{
    enum st s = ST_OK;
    char name[64];
    int64_t updates, value;
    struct number number[NUMBERS_MAX];
    for (int k = 0; t->team && k < t->team->n; k++) {
        int n = worker_numbers(&t->team->worker[k], number);
        for (int i = 0; i < n; i++) {
            snprintf(name, sizeof name, "module%d.%s", k, number[i].name);
            TRY(number[i].may_lack ? load_newer_number(file, name, &value) : files_load_number(file, name, &value));
            *number[i].at = (uint64_t)value;
        }
    }
    for (int k = 0; k < files_cut_count(t); k++) {
        if (!files_coupling(t, k))
            continue;
        for (int slot = -1; slot < COUPLING_SLOTS; slot++)
            TRY(load_coupling(t, file, k, slot));
        snprintf(name, sizeof name, "cut%d.state", k);
        TRY(load_state(file, files_coupling(t, k), name));
        snprintf(name, sizeof name, "cut%d.updates", k);
        TRY(files_load_number(file, name, &updates));
        sg_set_updates(files_coupling(t, k), (uint64_t)updates);
    }
out:
    return s;
}

struct progress {
    uint64_t epoch, step, ns_before, epoch_ns;
    struct train_result sum;
};

/* How far training was; ST_INPUT where that cannot be of this run. */
static enum st load_progress(const struct train *t, const struct store_file *file, const char *path,
                             struct progress *out)
{
    enum st s = ST_OK;
    int64_t epoch, step, before, in_epoch, loss, hits, steps = (int64_t)t->steps_per_epoch;
    TRY(files_load_number(file, "train.epoch", &epoch));
    TRY(files_load_number(file, "train.step", &step));
    TRY(load_newer_number(file, "train.nanoseconds_before", &before));
    TRY(load_newer_number(file, "train.epoch_nanoseconds", &in_epoch));
    TRY(load_newer_number(file, "train.epoch_loss_bits", &loss));
    TRY(load_newer_number(file, "train.epoch_hits_bits", &hits));
    if (epoch < 0 || step < 0 || step / steps != epoch || step > (int64_t)t->options->epochs * steps)
        TRY(st_fail(ST_INPUT,
                    "%s is of another run: it holds epoch %lld and step %lld; this run has %d epoch%s of %lld step%s",
                    path, (long long)epoch, (long long)step, t->options->epochs, plural((uint64_t)t->options->epochs),
                    (long long)steps, plural((uint64_t)steps)));
    if (before < 0 || in_epoch < 0 || !isfinite(of_bits(loss)) || !isfinite(of_bits(hits)))
        TRY(st_fail(ST_INPUT, "%s is damaged: times or sums of losses that cannot be", path));
    *out = (struct progress){.epoch = (uint64_t)epoch, .step = (uint64_t)step, .ns_before = (uint64_t)before,
                             .epoch_ns = (uint64_t)in_epoch,
                             .sum = {.loss = of_bits(loss), .accuracy = of_bits(hits)}};
out:
    return s;
}

static void take_progress(struct train *t, const struct progress *p)
{
    t->epoch = (int)p->epoch;
    t->step = p->step;
    t->step_in_epoch = p->step % t->steps_per_epoch;
    t->ordered = 0;
    t->ns_before = p->ns_before;
    t->epoch_ns = p->epoch_ns;
    t->sum = p->sum;
    t->watched_ns = t->watched_steps = t->traced = t->traced_ns = 0;
    if (t->team)
        team_watch_anew(t->team);
}

enum st train_load_checkpoint(struct train *t, const char *path)
{
    enum st s = ST_OK;
    struct store_file *file = NULL;
    struct progress progress;
    char prefix[32];
    TRY(store_tensors_open(path, &file));
    TRY(load_progress(t, file, path, &progress));
    TRY(files_load_model(t, file));
    for (int slot = 0; slot < t->optimizer->slots; slot++) {
        files_slot_prefix(slot, prefix, sizeof prefix);
        TRY(files_load_tensors(t, file, NN_SLOT, slot, prefix));
    }
    TRY(load_modules(t, file));
    store_tensors_note_surplus(file, "the run");
    take_progress(t, &progress);
out:
    store_tensors_close(file);
    return s;
}

/* ---- without a device -------------------------------------------------------------------------------------------- */

enum st train_checkpoint_look(const char *path, int64_t *epoch, int64_t *step)
{
    enum st s = ST_OK;
    struct store_file *file = NULL;
    TRY(store_tensors_open(path, &file));
    TRY(files_load_number(file, "train.epoch", epoch));
    TRY(files_load_number(file, "train.step", step));
out:
    store_tensors_close(file);
    return s;
}

/* Whether a tensor of a checkpoint is one of model.safetensors, or of couplings.safetensors. */
static bool is_part(const char *name, bool couplings)
{
    bool of_coupling = strncmp(name, "cut", 3) == 0;
    if (couplings)
        return of_coupling && strstr(name, ".net");
    return !of_coupling && strncmp(name, "optimizer.", 10) != 0 && strncmp(name, "module", 6) != 0 &&
           strncmp(name, "train.", 6) != 0;
}

static size_t bytes_of(const struct store_tensor *t)
{
    size_t n = t->type == STORE_I64 ? 8 : 4;
    for (int i = 0; i < t->rank; i++)
        n *= (size_t)t->shape[i];
    return n;
}

/* Whether the file at `path` is whole and has just these tensors. */
static bool holds(const char *path, const struct store_tensor *tensor, int n)
{
    struct store_file *file;
    if (store_tensors_open(path, &file) != ST_OK)
        return false;
    bool same = store_tensors_count(file) == n;
    for (int i = 0; i < n && same; i++) {
        const struct store_tensor *t = store_tensors_at(file, i);
        same = strcmp(t->name, tensor[i].name) == 0 && t->type == tensor[i].type && t->rank == tensor[i].rank &&
               memcmp(t->shape, tensor[i].shape, (size_t)t->rank * sizeof *t->shape) == 0 &&
               memcmp(t->data, tensor[i].data, bytes_of(t)) == 0;
    }
    store_tensors_close(file);
    return same;
}

enum st train_checkpoint_extract(const char *checkpoint, bool couplings, const char *path, const char *const *metadata,
                                 bool *written)
{
    enum st s = ST_OK;
    struct store_file *file = NULL;
    struct store_tensor *part = NULL;
    int n = 0;
    *written = false;
    TRY(store_tensors_open(checkpoint, &file));
    TRY(NEW(part, (size_t)store_tensors_count(file)));
    for (int i = 0; i < store_tensors_count(file); i++)
        if (is_part(store_tensors_at(file, i)->name, couplings))
            part[n++] = *store_tensors_at(file, i);
    if (n == 0 || holds(path, part, n))
        goto out;
    TRY(store_tensors_write(path, part, n, metadata));
    *written = true;
out:
    mem_free(part);
    store_tensors_close(file);
    return s;
}
