/* Run folders: made, refused, cleared, and taken back where a run fails before it wrote anything. */
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const written[] = {"metrics.jsonl", "model.safetensors", "checkpoint.safetensors", "run.json",
                                      "couplings.safetensors", "trace.json", "index.html"};
/* Folders of a run, and the endings of what it writes there. */
static const struct {
    const char *name, *ending[4];
} folders[] = {{"pictures", {".png", ".csv", ".safetensors"}}, {"snapshots", {".safetensors"}}};

struct store_run {
    char path[PATH_MAX], pictures[PATH_MAX], metrics[PATH_MAX];
    size_t kept;      /* the first so many bytes of `pictures` name a folder that was there before */
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

static enum st check_empty(const char *path)
{
    const struct dirent *entry;
    bool empty = true;
    DIR *folder = opendir(path);
    if (!folder)
        return st_fail(ST_INPUT, "cannot read run folder %s: %s", path, strerror(errno));
    while ((entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = false;
    closedir(folder);
    if (!empty)
        return st_fail(ST_INPUT, "run folder %s is not empty; --force overwrites it, or choose another with --out",
                       path);
    return ST_OK;
}

static enum st remove_file(const char *folder, const char *file)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    TRY(store_path(folder, file, path, sizeof path));
    if (unlink(path) != 0 && errno != ENOENT)
        TRY(st_fail(ST_INPUT, "cannot remove %s: %s", path, strerror(errno)));
out:
    return s;
}

static bool ends_with(const char *name, const char *ending)
{
    size_t len = strlen(name), end = strlen(ending);
    return len > end && strcmp(name + len - end, ending) == 0;
}

/* Files of a folder of the run that end as its row says. */
static enum st clear_folder(const struct store_run *run, size_t row)
{
    enum st s = ST_OK;
    const struct dirent *entry;
    char path[PATH_MAX];
    DIR *folder = NULL;
    TRY(store_path(run->path, folders[row].name, path, sizeof path));
    folder = opendir(path); /* where this fails, making the folder tells why */
    while (folder && (entry = readdir(folder)))
        for (size_t k = 0; folders[row].ending[k]; k++)
            if (ends_with(entry->d_name, folders[row].ending[k])) {
                TRY(remove_file(path, entry->d_name));
                break;
            }
out:
    if (folder)
        closedir(folder);
    return s;
}

static enum st remove_written(const struct store_run *run)
{
    enum st s = ST_OK;
    for (size_t i = 0; i < COUNT_OF(written); i++)
        TRY(remove_file(run->path, written[i]));
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        TRY(clear_folder(run, i));
out:
    return s;
}

static enum st set_path(struct store_run *run, const char *path)
{
    enum st s = ST_OK;
    if (!path[0])
        TRY(st_fail(ST_INPUT, "the run folder has an empty name"));
    TRY(store_path(path, "metrics.jsonl", run->metrics, sizeof run->metrics)); /* the longest of the three */
    TRY(store_path(path, "pictures", run->pictures, sizeof run->pictures));
    snprintf(run->path, sizeof run->path, "%s", path);
out:
    return s;
}

static enum st make_folder(const char *path)
{
    if (dir_make(path) != ST_OK)
        return st_fail(ST_INPUT, "%s", st_message()); /* the user's choice of place, hence no system failure */
    if (access(path, W_OK | X_OK) != 0)
        return st_fail(ST_INPUT, "cannot write to folder %s: %s", path, strerror(errno));
    return ST_OK;
}

static enum st take_given(struct store_run *run, const char *path, bool force)
{
    enum st s = ST_OK;
    TRY(set_path(run, path));
    run->kept = existing_part(run->pictures);
    if (dir_exists(path))
        TRY(force ? remove_written(run) : check_empty(path));
    TRY(make_folder(run->path));
out:
    return s;
}

static enum st take_free(struct store_run *run, const char *name)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    run->kept = existing_part("runs");
    TRY(make_folder("runs"));
    for (int i = 1; !run->path[0]; i++) {
        if (snprintf(path, sizeof path, "runs/%s-%03d", name, i) >= (int)sizeof path)
            TRY(st_fail(ST_INPUT, "name too long: runs/%s", name));
        if (mkdir(path, 0777) == 0) /* asks and takes in one, should two runs start at once */
            TRY(set_path(run, path));
        else if (errno != EEXIST)
            TRY(st_fail(ST_INPUT, "cannot make folder %s: %s", path, strerror(errno)));
    }
out:
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
    run->kept = strlen(run->pictures);
    TRY(make_folder(run->pictures));
    *out = run;
    run = NULL;
out:
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
    memcpy(path, run->pictures, sizeof path);
    for (size_t i = strlen(path); i > run->kept; i--) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        path[i] = '\0';
        rmdir(path); /* refuses a folder with anything in it, which is what is wanted */
    }
}

void store_run_free(struct store_run *run)
{
    if (!run)
        return;
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
