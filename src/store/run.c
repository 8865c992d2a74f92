/* Run folders: made, refused, locked, cleared, and taken back where a run fails before it wrote anything. */
#include "store.h"

#include <fnmatch.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Every file that a run or `clutch draw` writes, as patterns of fnmatch(3): what --force may remove, in this order.
 * run.json is not removed but replaced, so that a folder stays a run's whenever the power fails. */
static const struct {
    const char *folder, *pattern;
} written[] = {
    {"", "checkpoint.safetensors"},
    {"", "checkpoint-*.safetensors"},
    {"", "model.safetensors"},
    {"", "model-best.safetensors"},
    {"", "couplings.safetensors"},
    {"", "metrics.jsonl"},
    {"", "trace.json"},
    {"", "index.html"},
    {"snapshots", "epoch-[0-9][0-9][0-9][0-9][0-9]*.safetensors"},
    {"pictures", "curves.png"},
    {"pictures", "cuts.png"},
    {"pictures", "devices.png"},
    {"pictures", "confusion.png"},
    {"pictures", "confusion.csv"},
    {"pictures", "mistakes.png"},
    {"pictures", "mistakes.csv"},
    {"pictures", "dissimilarity.png"},
    {"pictures", "dissimilarity.safetensors"},
    {"pictures", "inputs-classes.png"},
    {"pictures", "inputs-[0-9][0-9].png"},
    {"pictures", "inputs.safetensors"},
    {"pictures", "weights-[0-9][0-9]-*.png"},
    {"pictures", "weights-change-[0-9][0-9]-*.png"},
    {"pictures", "weights-moved-[0-9][0-9]-*.png"},
    {"pictures", "weights-motion-[0-9][0-9]-*.png"},
    {"pictures", "coupling-[0-9][0-9]-*.png"},
    {"pictures", "coupling-change-[0-9][0-9]-*.png"},
    {"pictures", "coupling-moved-[0-9][0-9]-*.png"},
    {"pictures", "coupling-motion-[0-9][0-9]-*.png"},
};

static const char *const folders[] = {"", "pictures", "snapshots"};

enum { RUN_JSON_BYTES_MAX = 1 << 24 };

struct store_run {
    char path[PATH_MAX], pictures[PATH_MAX], metrics[PATH_MAX];
    size_t kept;      /* the first so many bytes of `pictures` name a folder that was there before */
    struct dir *dir;  /* held from the first write to store_run_free */
    struct text line; /* kept between lines, so that writing one allocates nothing */
};

enum st store_path(const char *folder, const char *file, char *out, size_t size)
{
    size_t len = strlen(folder);
    const char *slash = len && folder[len - 1] == '/' ? "" : "/";
    int n = snprintf(out, size, "%s%s%s", folder, slash, file);
    if (n < 0 || (size_t)n >= size)
        return st_fail(ST_INPUT, "name too long: %s%s%s", folder, slash, file);
    return ST_OK;
}

/* ---- what may become a run folder -------------------------------------------------------------------------------- */

/* Length of the longest leading part of `path` that is a folder already. */
static size_t existing_part(const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path), kept = 0;
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (!dir_exists(part))
            break;
        kept = i;
    }
    return kept;
}

/* A JSON object with the key that all of ours begin with: the least by which to know it. */
static bool is_run_json(const char *path)
{
    char *text = NULL;
    size_t len;
    if (file_kind(path) != FILE_REGULAR || file_read(path, RUN_JSON_BYTES_MAX, &text, &len) != ST_OK)
        return false;
    json_t *root = json_loadb(text, len, 0, NULL);
    bool is = json_is_string(json_object_get(root, "clutch"));
    json_decref(root);
    mem_free(text);
    return is;
}

/* Whether a name is one of the folders that a run makes first, with nothing in it: that of a run that was killed before
 * it wrote run.json. */
static enum st is_fresh_folder(const char *path, const char *name, struct arena *arena, bool *fresh)
{
    enum st s = ST_OK;
    char sub[PATH_MAX], **names;
    size_t n;
    *fresh = false;
    for (size_t i = 1; i < COUNT_OF(folders); i++)
        if (strcmp(name, folders[i]) == 0) {
            TRY(store_path(path, name, sub, sizeof sub));
            if (file_kind(sub) != FILE_FOLDER)
                break;
            TRY(dir_names(sub, arena, &names, &n));
            *fresh = n == 0;
        }
out:
    return s;
}

static enum st check_content(const char *path, bool force)
{
    enum st s = ST_OK;
    struct arena arena = {0};
    char run_json[PATH_MAX], **names;
    size_t n;
    bool empty = true;
    TRY(store_path(path, "run.json", run_json, sizeof run_json));
    TRY(dir_names(path, &arena, &names, &n));
    for (size_t i = 0; i < n && empty; i++)
        TRY(is_fresh_folder(path, names[i], &arena, &empty));
    if (!empty && !force)
        TRY(st_fail(ST_INPUT, "run folder %s is not empty; --force overwrites it, or choose another with --out",
                    path));
    if (!empty && !is_run_json(run_json))
        TRY(st_fail(ST_INPUT, "folder %s is not empty and holds no run (it has no run.json of one), and --force "
                    "overwrites runs only; choose another with --out", path));
out:
    arena_free(&arena);
    return s;
}

/* What is written below a run folder goes where it seems to. */
static enum st check_links(const char *path)
{
    enum st s = ST_OK;
    char sub[PATH_MAX];
    for (size_t i = 1; i < COUNT_OF(folders); i++) {
        TRY(store_path(path, folders[i], sub, sizeof sub));
        enum file_kind kind = file_kind(sub);
        if (kind != FILE_NONE && kind != FILE_FOLDER)
            TRY(st_fail(ST_INPUT, "%s is %s, but a run writes into a folder of its own there", sub,
                        kind == FILE_LINK ? "a link" : "a file"));
    }
out:
    return s;
}

/* A folder that must be made: in the nearest one that is there. */
static enum st check_parent(const char *path)
{
    char part[PATH_MAX];
    size_t kept = existing_part(path), next = kept + 1 + strcspn(path + kept + 1, "/");
    snprintf(part, sizeof part, "%.*s", (int)(kept ? next : strcspn(path, "/")), path);
    if (file_kind(part) == FILE_LINK && !file_exists(part))
        return st_fail(ST_INPUT, "%s is a link that leads nowhere, not a folder", part);
    if (file_exists(part))
        return st_fail(ST_INPUT, "%s is a file, not a folder", part);
    snprintf(part, sizeof part, "%.*s", kept ? (int)kept : 1, kept ? path : path[0] == '/' ? "/" : ".");
    return st_context(dir_check_writable(part), "cannot make folder %s", path);
}

static enum st check_length(const char *path)
{
    char longest[PATH_MAX];
    if (!path[0])
        return st_fail(ST_INPUT, "the run folder has an empty name");
    return store_path(path, "snapshots/epoch-00000.safetensors", longest, sizeof longest);
}

enum st store_run_check(const char *path, bool force)
{
    enum st s = ST_OK;
    if (!path)
        return check_parent("runs/any");
    TRY(check_length(path));
    if (!dir_exists(path)) {
        TRY(check_parent(path));
        goto out;
    }
    TRY(check_content(path, force));
    TRY(check_links(path));
    TRY(dir_check_free(path));
    TRY(dir_check_writable(path));
out:
    return s;
}

/* ---- making and clearing ----------------------------------------------------------------------------------------- */

static enum st remove_in(const struct store_run *run, const char *folder)
{
    enum st s = ST_OK;
    struct arena arena = {0};
    char sub[PATH_MAX], file[PATH_MAX], **names;
    size_t n;
    TRY(store_path(run->path, folder, sub, sizeof sub));
    if (!dir_exists(sub))
        goto out;
    TRY(dir_names(sub, &arena, &names, &n));
    for (size_t i = 0; i < COUNT_OF(written); i++)
        for (size_t k = 0; k < n && strcmp(written[i].folder, folder) == 0; k++)
            if (fnmatch(written[i].pattern, names[k], 0) == 0) {
                TRY(store_path(sub, names[k], file, sizeof file));
                if (file_kind(file) != FILE_FOLDER) /* which no run makes by such a name */
                    TRY(file_remove(file));
            }
out:
    arena_free(&arena);
    return s;
}

static enum st set_path(struct store_run *run, const char *path)
{
    enum st s = ST_OK;
    TRY(check_length(path));
    TRY(store_path(path, "metrics.jsonl", run->metrics, sizeof run->metrics));
    TRY(store_path(path, "pictures", run->pictures, sizeof run->pictures));
    snprintf(run->path, sizeof run->path, "%s", path);
    run->kept = existing_part(run->pictures);
out:
    return s;
}

static enum st make_folder(const char *path)
{
    if (dir_make(path) != ST_OK)
        return st_fail(ST_INPUT, "%s", st_message()); /* the user's choice of place */
    return dir_check_writable(path);
}

/* Holds the folder, and takes away what runs that were killed left half-written. */
static enum st hold(struct store_run *run)
{
    enum st s = ST_OK;
    char sub[PATH_MAX];
    TRY(dir_hold(run->path, &run->dir));
    TRY(check_links(run->path));
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        TRY(store_path(run->path, folders[i], sub, sizeof sub));
        dir_clear(sub);
    }
out:
    return s;
}

static enum st take_given(struct store_run *run, const char *path, bool force)
{
    enum st s = ST_OK;
    TRY(store_run_check(path, force));
    TRY(set_path(run, path));
    TRY(make_folder(run->path));
    TRY(hold(run));
    TRY(check_content(path, force)); /* another run may have been quicker */
    for (size_t i = 0; force && i < COUNT_OF(folders); i++)
        TRY(remove_in(run, folders[i]));
out:
    return s;
}

static enum st take_free(struct store_run *run, const char *name)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    bool made = false;
    size_t kept = existing_part("runs");
    TRY(make_folder("runs"));
    for (int i = 1; !made; i++) {
        if (snprintf(path, sizeof path, "runs/%s-%03d", name, i) >= (int)sizeof path)
            TRY(st_fail(ST_INPUT, "name too long: runs/%s", name));
        if (dir_make_new(path, &made) != ST_OK) /* asks and takes in one, should two runs start at once */
            TRY(st_fail(ST_INPUT, "%s", st_message()));
    }
    TRY(set_path(run, path));
    TRY(hold(run));
out:
    run->kept = kept;
    return s;
}

enum st store_run_create(const char *path, const char *name, bool force, struct store_run **out)
{
    enum st s = ST_OK;
    struct store_run *run = NULL;
    TRY(NEW(run, 1));
    TRY(path ? take_given(run, path, force) : take_free(run, name));
    TRY(make_folder(run->pictures));
    *out = run;
    run = NULL;
out:
    store_run_abandon(run);
    store_run_free(run);
    return s;
}

enum st store_run_open(const char *path, struct store_run **out)
{
    enum st s = ST_OK;
    struct store_run *run = NULL;
    TRY(NEW(run, 1));
    TRY(set_path(run, path));
    TRY(make_folder(run->path));
    TRY(hold(run));
    TRY(make_folder(run->pictures));
    *out = run;
    run = NULL;
out:
    store_run_abandon(run);
    store_run_free(run);
    return s;
}

const char *store_run_path(const struct store_run *run)
{
    return run->path;
}

void store_run_abandon(struct store_run *run)
{
    char path[PATH_MAX];
    if (!run)
        return;
    dir_release(run->dir);
    run->dir = NULL;
    memcpy(path, run->pictures, sizeof path);
    for (size_t i = strlen(path); i > run->kept; i--) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        path[i] = '\0';
        dir_remove_empty(path);
    }
}

void store_run_free(struct store_run *run)
{
    if (!run)
        return;
    dir_release(run->dir);
    text_free(&run->line);
    mem_free(run);
}

enum st store_run_metrics(struct store_run *run, const char *json)
{
    enum st s = ST_OK;
    text_clear(&run->line);
    text_add(&run->line, "%s\n", json);
    TRY(text_status(&run->line));
    TRY(file_append(run->metrics, run->line.s, run->line.len)); /* one write: a reader never sees half a line */
out:
    return s;
}

enum st store_run_metrics_keep(struct store_run *run, size_t bytes)
{
    return file_cut(run->metrics, bytes);
}
