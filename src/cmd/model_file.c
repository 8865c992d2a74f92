/* model.safetensors, with what it takes to use the weights elsewhere: how pixels become inputs, names of classes. */
#include "inside.h"

#include <limits.h>

enum { ENTRIES = 7 };

/* Keys and values of the file's header. */
struct header {
    const char *key[ENTRIES];
    struct text value[ENTRIES];
    int n;
};

static struct text *entry(struct header *h, const char *key)
{
    h->key[h->n] = key;
    return &h->value[h->n++];
}

/* Takes the value. */
static enum st add_json(struct header *h, const char *key, json_t *value)
{
    enum st s = json_check(value);
    if (s == ST_OK)
        s = json_text(value, 0, entry(h, key));
    json_decref(value);
    return s;
}

static enum st add_numbers(struct header *h, const char *key, const double *v, int n)
{
    json_t *all = json_array();
    for (int k = 0; k < n; k++)
        json_push(&all, json_real(v[k]));
    return add_json(h, key, all);
}

static enum st add_classes(struct header *h, const struct run_facts *f)
{
    json_t *all = json_array();
    for (int k = 0; k < f->class_count; k++)
        json_push(&all, json_string(f->class_name[k]));
    return add_json(h, "classes", all);
}

/* As the keys and values one behind another that writers take. */
static enum st list_pairs(const struct header *h, const char *pairs[2 * ENTRIES + 1])
{
    enum st s = ST_OK;
    for (int i = 0; i < h->n; i++) {
        TRY(text_status(&h->value[i]));
        pairs[2 * i] = h->key[i];
        pairs[2 * i + 1] = h->value[i].s;
    }
    pairs[2 * h->n] = NULL;
out:
    return s;
}

/* Nothing of when and where: the same training gives the same bytes. */
static enum st fill(struct header *h, const struct run_facts *f, const struct nn_net *net)
{
    enum st s = ST_OK;
    text_add(entry(h, "format"), "pt"); /* as the reference implementation's own writer says */
    text_add(entry(h, "clutch"), "%s", cmd_version());
    nn_net_write(net, entry(h, "net"));
    TRY(add_json(h, "shape", json_pack("[i, i, i]", f->channels, f->height, f->width)));
    TRY(add_numbers(h, "mean", f->scaling.mean, f->channels));
    TRY(add_numbers(h, "deviation", f->scaling.deviation, f->channels));
    TRY(add_classes(h, f));
out:
    return s;
}

static void header_free(struct header *h)
{
    for (int i = 0; i < h->n; i++)
        text_free(&h->value[i]);
}

enum st model_path(const char *folder, bool best, char *out)
{
    return store_path(folder, best ? "model-best.safetensors" : "model.safetensors", out, PATH_MAX);
}

enum st model_write(const char *path, const struct run_facts *f, const struct nn_net *net, struct train *t)
{
    enum st s = ST_OK;
    struct header h = {0};
    const char *pairs[2 * ENTRIES + 1];
    TRY(fill(&h, f, net));
    TRY(list_pairs(&h, pairs));
    TRY(train_save(t, path, pairs));
out:
    header_free(&h);
    return s;
}

enum st model_write_again(const char *path, const struct run_facts *f, const struct nn_net *net, const char *checkpoint,
                          bool *written)
{
    enum st s = ST_OK;
    struct header h = {0};
    const char *pairs[2 * ENTRIES + 1];
    TRY(fill(&h, f, net));
    TRY(list_pairs(&h, pairs));
    TRY(train_checkpoint_extract(checkpoint, false, path, pairs, written));
out:
    header_free(&h);
    return s;
}
