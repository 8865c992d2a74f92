/* Weights as safetensors: the net's under PyTorch's names, those of couplings as cutK.netI.NAME. */
#include "files.h"

#include <stdio.h>
#include <string.h>

enum st files_list_open(struct files_list *l, int room)
{
    *l = (struct files_list){.room = room};
    return NEW(l->tensor, (size_t)room);
}

void files_list_close(struct files_list *l)
{
    arena_free(&l->arena);
    mem_free(l->tensor);
}

enum st files_list_add(struct files_list *l, const char *prefix, const char *name, enum store_type type, int rank,
                       const int64_t *shape, void **values)
{
    struct store_tensor *t = &l->tensor[l->n];
    size_t count = 1;
    if (snprintf(t->name, sizeof t->name, "%s%s", prefix, name) >= (int)sizeof t->name)
        return st_fail(ST_INTERNAL, "tensor name %s%s is too long", prefix, name);
    t->type = type;
    t->rank = rank;
    for (int i = 0; i < rank; i++) {
        t->shape[i] = shape[i];
        count *= (size_t)shape[i];
    }
    *values = arena_alloc(&l->arena, count, type == STORE_I64 ? 8 : 4);
    if (!*values)
        return ST_MEMORY;
    t->data = *values;
    l->n++;
    return ST_OK;
}

enum st files_add_number(struct files_list *l, const char *prefix, const char *name, int64_t v)
{
    void *values;
    enum st s = files_list_add(l, prefix, name, STORE_I64, 0, NULL, &values);
    if (s == ST_OK)
        *(int64_t *)values = v;
    return s;
}

enum st files_add_tensor(struct files_list *l, struct train *t, int i, enum nn_part part, int slot, const char *prefix)
{
    struct nn_tensor tensor = nn_tensor_at(t->net, i);
    void *values;
    enum st s = files_list_add(l, prefix, tensor.name, STORE_F32, tensor.param->rank, tensor.param->shape, &values);
    return s != ST_OK ? s : train_read(t, i, part, slot, values);
}

/* PyTorch counts a layer's batches; here that is the net's count of steps. */
static void batches_name(const struct nn_layer *l, char out[STORE_NAME_MAX])
{
    snprintf(out, STORE_NAME_MAX, "%d.num_batches_tracked", l->index);
}

enum st files_add_model(struct files_list *l, struct train *t)
{
    enum st s = ST_OK;
    int tensor = 0;
    for (int i = 0; i < t->net->layer_count; i++) {
        const struct nn_layer *layer = &t->net->layer[i];
        for (int k = 0; k < layer->param_count + layer->state_count; k++, tensor++)
            TRY(files_add_tensor(l, t, tensor, k < layer->param_count ? NN_PARAM : NN_STATE, 0, ""));
        if (layer->kind->counts_batches) {
            char name[STORE_NAME_MAX];
            batches_name(layer, name);
            TRY(files_add_number(l, "", name, (int64_t)t->step));
        }
    }
out:
    return s;
}

int files_model_room(const struct train *t)
{
    return nn_tensor_count(t->net) + t->net->layer_count;
}

void files_slot_prefix(int slot, char *out, size_t size)
{
    snprintf(out, size, "optimizer.%d.", slot);
}

/* ---- couplings --------------------------------------------------------------------------------------------------- */

struct sg_coupling *files_coupling(const struct train *t, int cut)
{
    return t->team ? t->team->worker[cut].coupling : NULL;
}

int files_cut_count(const struct train *t)
{
    return t->team ? t->team->n - 1 : 0;
}

/* Tensors of all couplings, without their optimiser's copies. */
int files_couplings_room(const struct train *t)
{
    int n = 0;
    for (int k = 0; k < files_cut_count(t); k++)
        for (int i = 0; files_coupling(t, k) && i < sg_net_count(files_coupling(t, k)); i++)
            n += nn_tensor_count(sg_net(files_coupling(t, k), i));
    return n;
}

void files_coupling_prefix(const char *before, int cut, int net, char *out, size_t size)
{
    snprintf(out, size, "%scut%d.net%d.", before, cut, net);
}

/* Parameters and state, or one slot of the optimiser. */
enum st files_add_coupling(struct files_list *l, struct train *t, int cut, int slot)
{
    enum st s = ST_OK;
    char before[32] = "", prefix[64];
    struct sg_coupling *c = files_coupling(t, cut);
    if (slot >= 0)
        files_slot_prefix(slot, before, sizeof before);
    for (int i = 0; c && i < sg_net_count(c); i++) {
        files_coupling_prefix(before, cut, i, prefix, sizeof prefix);
        for (int k = 0; k < nn_tensor_count(sg_net(c, i)); k++) {
            struct nn_tensor tensor = nn_tensor_at(sg_net(c, i), k);
            enum nn_part part = slot >= 0 ? NN_SLOT : tensor.is_state ? NN_STATE : NN_PARAM;
            void *values;
            if (slot >= 0 && (tensor.is_state || slot >= sg_net_slots(c, i)))
                continue;
            TRY(files_list_add(l, prefix, tensor.name, STORE_F32, tensor.param->rank, tensor.param->shape, &values));
            TRY(nn_module_read(sg_module(c, i), k, part, slot < 0 ? 0 : slot, values));
        }
    }
out:
    return s;
}

enum st train_save_couplings(struct train *t, const char *path, bool *none)
{
    enum st s = ST_OK;
    struct files_list l = {0};
    int room = files_couplings_room(t);
    *none = room == 0;
    if (*none)
        return ST_OK;
    TRY(files_list_open(&l, room));
    for (int k = 0; k < files_cut_count(t); k++)
        TRY(files_add_coupling(&l, t, k, -1));
    TRY(store_tensors_write(path, l.tensor, l.n, NULL));
out:
    files_list_close(&l);
    return s;
}

/* ---- saving ------------------------------------------------------------------------------------------------------ */

enum st train_save(struct train *t, const char *path, const char *const *metadata)
{
    enum st s = ST_OK;
    struct files_list l = {0};
    TRY(files_list_open(&l, files_model_room(t)));
    TRY(files_add_model(&l, t));
    TRY(store_tensors_write(path, l.tensor, l.n, metadata));
out:
    files_list_close(&l);
    return s;
}

/* ---- matrices ---------------------------------------------------------------------------------------------------- */

/* All tensors that are matrices or more: of the net, or of the coupling's net i at a cut. */
static enum st add_matrices(struct files_list *l, const struct nn_net *net, const char *prefix, struct train *t,
                            struct nn_module *coupling)
{
    enum st s = ST_OK;
    for (int k = 0; k < nn_tensor_count(net); k++) {
        struct nn_tensor tensor = nn_tensor_at(net, k);
        void *values;
        if (tensor.is_state || tensor.param->rank < 2)
            continue;
        TRY(files_list_add(l, prefix, tensor.name, STORE_F32, tensor.param->rank, tensor.param->shape, &values));
        TRY(coupling ? nn_module_read(coupling, k, NN_PARAM, 0, values) : train_read(t, k, NN_PARAM, 0, values));
    }
out:
    return s;
}

enum st train_matrices_read(struct train *t, struct train_matrices *out)
{
    enum st s = ST_OK;
    struct files_list l = {.room = files_model_room(t) + files_couplings_room(t)};
    char prefix[64];
    *out = (struct train_matrices){0};
    l.tensor = arena_alloc(&l.arena, (size_t)l.room, sizeof *l.tensor);
    if (!l.tensor)
        TRY(ST_MEMORY);
    TRY(add_matrices(&l, t->net, "", t, NULL));
    int own = l.n;
    for (int k = 0; k < files_cut_count(t); k++)
        for (int i = 0; files_coupling(t, k) && i < sg_net_count(files_coupling(t, k)); i++) {
            files_coupling_prefix("", k, i, prefix, sizeof prefix);
            TRY(add_matrices(&l, sg_net(files_coupling(t, k), i), prefix, t, sg_module(files_coupling(t, k), i)));
        }
    *out = (struct train_matrices){.arena = l.arena, .tensor = l.tensor, .n = l.n, .own = own};
    l.arena = (struct arena){0};
out:
    arena_free(&l.arena);
    return s;
}

static uint64_t matrices_bytes(const struct nn_net *net)
{
    uint64_t bytes = 0;
    for (int k = 0; k < nn_tensor_count(net); k++) {
        struct nn_tensor tensor = nn_tensor_at(net, k);
        if (!tensor.is_state && tensor.param->rank >= 2)
            bytes += sizeof(float) * tensor.param->count;
    }
    return bytes;
}

uint64_t train_matrices_bytes(const struct train *t)
{
    uint64_t bytes = matrices_bytes(t->net);
    for (int k = 0; k < files_cut_count(t); k++)
        for (int i = 0; files_coupling(t, k) && i < sg_net_count(files_coupling(t, k)); i++)
            bytes += matrices_bytes(sg_net(files_coupling(t, k), i));
    return bytes;
}

void train_matrices_free(struct train_matrices *m)
{
    arena_free(&m->arena);
    *m = (struct train_matrices){0};
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

enum st files_find(const struct store_file *file, const struct nn_tensor *t, const char *prefix, const float **values)
{
    char name[2 * STORE_NAME_MAX];
    const struct store_tensor *found;
    snprintf(name, sizeof name, "%s%s", prefix, t->name);
    enum st s = store_tensors_find(file, name, STORE_F32, t->param->rank, t->param->shape, &found);
    *values = s == ST_OK ? found->data : NULL;
    return s;
}

/* Two rounds, so that a file that does not fit leaves the module as it was: check all, then write all. */
enum st files_load_tensors(struct train *t, const struct store_file *file, enum nn_part part, int slot,
                            const char *prefix)
{
    enum st s = ST_OK;
    for (int write = 0; write < 2; write++)
        for (int i = 0; i < nn_tensor_count(t->net); i++) {
            struct nn_tensor tensor = nn_tensor_at(t->net, i);
            const float *values;
            if (tensor.is_state && part == NN_SLOT)
                continue;
            TRY(files_find(file, &tensor, prefix, &values));
            if (write)
                TRY(train_write(t, i, tensor.is_state ? NN_STATE : part, slot, values));
        }
out:
    return s;
}

enum st files_load_model(struct train *t, const struct store_file *file)
{
    char name[STORE_NAME_MAX];
    for (int i = 0; i < t->net->layer_count; i++)
        if (t->net->layer[i].kind->counts_batches) {
            batches_name(&t->net->layer[i], name);
            store_tensors_know(file, name);
        }
    return files_load_tensors(t, file, NN_PARAM, 0, "");
}

enum st files_load_number(const struct store_file *file, const char *name, int64_t *out)
{
    const struct store_tensor *found;
    enum st s = store_tensors_find(file, name, STORE_I64, 0, NULL, &found);
    if (s == ST_OK)
        *out = *(const int64_t *)found->data;
    return s;
}

enum st train_load_layers(struct train *t, const char *path, bool all)
{
    enum st s = ST_OK;
    struct store_file *file = NULL;
    TRY(store_tensors_open(path, &file));
    TRY(files_load_model(t, file));
    if (all)
        store_tensors_note_surplus(file, "the net");
out:
    store_tensors_close(file);
    return s;
}

enum st train_load(struct train *t, const char *path)
{
    return train_load_layers(t, path, true);
}
