/*
 * What a run leaves as it goes, and how it is taken up again. The checkpoint says how far a run is; it is replaced
 * whole. An epoch's line of metrics is written before it, and cut off again where the checkpoint never came; weights
 * are written behind it, and made from it again where they never came.
 */
#include "session.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { RESTORES_MAX = 5 };

/* ---- how far a run is -------------------------------------------------------------------------------------------- */

bool session_ends_after(const struct session *c, int64_t epochs)
{
    const struct run_facts *f = &c->facts;
    return epochs >= f->options.epochs || (f->patience && c->best_epoch && epochs - c->best_epoch >= f->patience);
}

bool session_finished(const struct session *c)
{
    return session_ends_after(c, train_epochs_done(c->train));
}

/* Another epoch is better where it got more right; metrics.jsonl tells shares in nine digits. */
static void note_epoch(struct session *c, int epoch, uint64_t step, double accuracy)
{
    const double least = 1e-8;
    if (c->best_epoch && !(accuracy > c->best_accuracy + least))
        return;
    c->best_epoch = epoch;
    c->best_step = step;
    c->best_accuracy = accuracy;
}

/* ---- saving ------------------------------------------------------------------------------------------------------ */

/* checkpoint-000012.safetensors: the checkpoint behind an epoch, where several are kept. */
static const char *kept_name(int epoch, char *out, size_t size)
{
    snprintf(out, size, "checkpoint-%06d.safetensors", epoch);
    return out;
}

/* The number in such a name; -1: it is none. */
static int kept_epoch(const char *name)
{
    char again[64];
    int64_t epoch;
    size_t before = strlen("checkpoint-"), len = strlen(name);
    if (len < before)
        return -1;
    snprintf(again, sizeof again, "%.*s", (int)strspn(name + before, "0123456789"), name + before);
    if (!parse_i64(again, &epoch) || epoch > INT32_MAX)
        return -1;
    return strcmp(kept_name((int)epoch, again, sizeof again), name) == 0 ? (int)epoch : -1;
}

/* Epochs whose checkpoints are there, in their order. */
static enum st list_kept(const struct session *c, struct arena *arena, int **epoch, int *n)
{
    enum st s = ST_OK;
    char **name;
    size_t count;
    *n = 0;
    TRY(dir_list_all(c->folder, ".safetensors", arena, &name, &count));
    if (!(*epoch = arena_alloc(arena, count, sizeof **epoch)))
        TRY(ST_MEMORY);
    for (size_t i = 0; i < count; i++)
        if (kept_epoch(name[i]) >= 0)
            (*epoch)[(*n)++] = kept_epoch(name[i]);
out:
    return s;
}

/* The last `keep` checkpoints stay: `checkpoint`, which is that behind epoch `done`, and those before it. Of later ones
 * the run does not know any more, once it has gone back behind them. */
static enum st keep_checkpoints(const struct session *c, const char *checkpoint, int done)
{
    enum st s = ST_OK;
    struct arena arena = {0};
    int *epoch, n;
    char name[64], kept[PATH_MAX];
    TRY(store_path(c->folder, kept_name(done, name, sizeof name), kept, sizeof kept));
    if (c->facts.keep > 1 && strcmp(checkpoint, kept) != 0)
        TRY(file_link(checkpoint, kept));
    TRY(list_kept(c, &arena, &epoch, &n));
    for (int i = 0; i < n; i++)
        if (epoch[i] <= done - c->facts.keep || epoch[i] > done) {
            TRY(store_path(c->folder, kept_name(epoch[i], name, sizeof name), kept, sizeof kept));
            TRY(file_remove(kept));
        }
out:
    arena_free(&arena);
    return s;
}

void session_set_next_save(struct session *c)
{
    double minutes = c->facts.checkpoint_minutes;
    c->save_at_ns = minutes > 0 ? clock_ns() + (uint64_t)(minutes * 60e9) : UINT64_MAX;
}

enum st session_save(struct session *c, const char *metrics, double accuracy)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    bool none;
    if (metrics) {
        TRY(store_run_metrics(c->run, metrics));
        note_epoch(c, train_epochs_done(c->train), train_steps_done(c->train), accuracy);
    }
    TRY(store_path(c->folder, "checkpoint.safetensors", path, sizeof path));
    TRY(train_save_checkpoint(c->train, path));
    if (metrics)
        TRY(keep_checkpoints(c, path, train_epochs_done(c->train)));
    TRY(store_path(c->folder, "model.safetensors", path, sizeof path));
    TRY(model_write(path, &c->facts, c->net, c->train));
    if (metrics && c->best_epoch == train_epochs_done(c->train)) {
        TRY(store_path(c->folder, "model-best.safetensors", path, sizeof path));
        TRY(model_write(path, &c->facts, c->net, c->train));
    }
    TRY(store_path(c->folder, "couplings.safetensors", path, sizeof path));
    TRY(train_save_couplings(c->train, path, &none));
    session_set_next_save(c);
out:
    return s;
}

/* ---- taking up again --------------------------------------------------------------------------------------------- */

/* What epochs are compared by. */
static double held_accuracy(const json_t *line)
{
    const json_t *validation = json_object_get(line, "validation_accuracy");
    return json_number_value(validation ? validation : json_object_get(line, "test_accuracy"));
}

/* The lines of the first `step` steps tell which epoch is the best; *bytes: up to their end; *epoch: that which ends
 * there, 0 where none does. */
static enum st read_best(struct session *c, int64_t step, size_t *bytes, int *epoch)
{
    enum st s = ST_OK;
    json_t *lines = NULL;
    TRY(metrics_read_until(c->folder, step, &lines, bytes));
    c->best_epoch = *epoch = 0;
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        int number = (int)json_integer_value(json_object_get(line, "epoch"));
        json_int_t end = json_integer_value(json_object_get(line, "step"));
        note_epoch(c, number, (uint64_t)end, held_accuracy(line));
        if (end == step)
            *epoch = number;
    }
out:
    json_decref(lines);
    return s;
}

enum weights { MODEL, BEST, COUPLINGS };

/* Files of weights are what the checkpoint holds, but the best model of an earlier epoch, which stays as it is. */
static enum st make_again(const struct session *c, const char *checkpoint, enum weights kind)
{
    static const char *const file[] = {"model.safetensors", "model-best.safetensors", "couplings.safetensors"};
    enum st s = ST_OK;
    char path[PATH_MAX];
    struct store_file *old = NULL;
    bool written = false;
    TRY(store_path(c->folder, file[kind], path, sizeof path));
    bool damaged = file_exists(path) && store_tensors_open(path, &old) != ST_OK;
    TRY(kind == COUPLINGS ? train_checkpoint_extract(checkpoint, true, path, NULL, &written)
                          : model_write_again(path, &c->facts, c->net, checkpoint, &written));
    if (written && damaged)
        note("%s was damaged, and was made from the checkpoint again", path);
out:
    store_tensors_close(old);
    return s;
}

/* The other files are brought to where the checkpoint is, which fits the run: what metrics.jsonl tells of later steps
 * is cut off, weights that were not written any more are. */
static enum st bring_files(struct session *c, const char *checkpoint, int64_t step)
{
    enum st s = ST_OK;
    size_t bytes;
    int ended;
    TRY(read_best(c, step, &bytes, &ended));
    TRY(store_run_metrics_keep(c->run, bytes));
    if (ended)
        TRY(keep_checkpoints(c, checkpoint, ended));
    TRY(make_again(c, checkpoint, MODEL));
    TRY(make_again(c, checkpoint, COUPLINGS));
    if (c->best_epoch && c->best_step == (uint64_t)step)
        TRY(make_again(c, checkpoint, BEST));
out:
    return s;
}

/* The newest checkpoint that is whole. */
static enum st find_checkpoint(const struct session *c, char path[PATH_MAX], int64_t *epoch, int64_t *step)
{
    enum st s = ST_OK;
    struct arena arena = {0};
    int *kept, n;
    char name[64], why[1024];
    TRY(store_path(c->folder, "checkpoint.safetensors", path, PATH_MAX));
    s = train_checkpoint_look(path, epoch, step);
    snprintf(why, sizeof why, "%s", st_message());
    if (s != ST_INPUT)
        goto out;
    TRY(list_kept(c, &arena, &kept, &n));
    for (s = ST_INPUT; n > 0 && s == ST_INPUT; n--) {
        TRY(store_path(c->folder, kept_name(kept[n - 1], name, sizeof name), path, PATH_MAX));
        s = train_checkpoint_look(path, epoch, step);
        if (s == ST_OK)
            note("%s; %s is the last one that is whole", why, path);
    }
    if (s == ST_INPUT)
        s = st_fail(ST_INPUT, "%s", why);
out:
    arena_free(&arena);
    return s;
}

enum st session_load(struct session *c)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    int64_t epoch, step;
    TRY(find_checkpoint(c, path, &epoch, &step));
    if (c->train)
        TRY(train_load_checkpoint(c->train, path));
    TRY(bring_files(c, path, step));
out:
    return s;
}

enum st session_look(struct session *c, int64_t *epoch, int64_t *step)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    size_t bytes;
    int ended;
    TRY(find_checkpoint(c, path, epoch, step));
    TRY(read_best(c, *step, &bytes, &ended));
out:
    return s;
}

/* ---- divergence -------------------------------------------------------------------------------------------------- */

enum st session_restore(struct session *c)
{
    enum st s = ST_OK;
    struct run_facts *f = &c->facts;
    char why[1024];
    snprintf(why, sizeof why, "%s", st_message());
    if (!f->restore)
        return ST_NUMERIC;
    if (c->restores++ == RESTORES_MAX)
        return st_fail(ST_NUMERIC, "%s; the run was brought back, and its rate halved, %d times", why, RESTORES_MAX);
    TRY(session_reopen(c));
    TRY(session_load(c));
    struct run_change change = {train_steps_done(c->train), f->options.epochs, f->patience, f->options.lr / 2};
    TRY(run_facts_change(c->folder, f, &change));
    note("%s; back to step %llu, and on with half the rate, %g", why, (unsigned long long)change.step, change.lr);
out:
    return s;
}
