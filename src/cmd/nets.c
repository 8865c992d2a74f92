/* Nets by name: a file, the net itself, or one of those that came with the program. */
#include "inside.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char ending[] = ".net";

/* Folder `i` of nets: beside the installed program, or above the one that was built in its tree. False behind the last,
 * or where the system does not tell where the program is. */
static bool nets_folder(size_t i, char out[PATH_MAX])
{
    static const char *const from[] = {"../share/clutch/nets", "../assets/nets", "../../assets/nets"};
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (i >= COUNT_OF(from) || n <= 0)
        return false;
    program[n] = '\0';
    int len = (int)(strrchr(program, '/') - program);
    return snprintf(out, PATH_MAX, "%.*s/%s", len, program, from[i]) < PATH_MAX;
}

/* The nets of the first folder that has some. */
static enum st list_nets(struct arena *arena, char ***names, size_t *n, char folder[PATH_MAX])
{
    enum st s = ST_OK;
    *n = 0;
    for (size_t i = 0; s == ST_OK && *n == 0 && nets_folder(i, folder); i++)
        s = dir_list_all(folder, ending, arena, names, n);
    for (size_t i = 0; s == ST_OK && i < *n; i++)
        (*names)[i][strlen((*names)[i]) - (sizeof ending - 1)] = '\0';
    return s;
}

struct net_list {
    char **names;
    size_t n;
};

static const char *listed(const void *of, size_t i)
{
    const struct net_list *l = of;
    return i < l->n ? l->names[i] : NULL;
}

/* A bare word that is no file: a net that came with the program. */
static enum st find_named(const char *word, char path[PATH_MAX])
{
    enum st s = ST_OK;
    struct arena arena = {0};
    struct net_list list;
    char folder[PATH_MAX] = "", unknown[SHOW_UNKNOWN_MAX];
    TRY(list_nets(&arena, &list.names, &list.n, folder));
    for (size_t i = 0; i < list.n; i++)
        if (strcmp(list.names[i], word) == 0 && snprintf(path, PATH_MAX, "%s/%s%s", folder, word, ending) < PATH_MAX)
            goto out;
    for (size_t i = 0; data_known_name(i); i++)
        if (strcmp(data_known_name(i), word) == 0)
            TRY(st_fail(ST_INPUT, "'%s' is data, and where it stands a net is wanted: say --data %s", word, word));
    TRY(st_fail(ST_INPUT, "%s; there is no file of that name here, and these came with the program, in %s",
                show_unknown(unknown, sizeof unknown, "net", word, listed, &list), folder));
out:
    arena_free(&arena);
    return s;
}

enum st net_open(const char *word, struct nn_net **out)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    bool text = strpbrk(word, " ;\n") != NULL;
    if (!text && dir_exists(word)) {
        snprintf(path, sizeof path, "%s/run.json", word);
        TRY(st_fail(ST_INPUT, "%s is a folder, and where it stands a net is wanted: %s %s", word,
                    file_exists(path) ? "a run is gone on with by --resume" : "data are named by --data", word));
    }
    if (!text && word[0] && !strpbrk(word, "/.") && !file_exists(word)) {
        TRY(find_named(word, path));
        word = path;
    }
    TRY(nn_net_open(word, out));
out:
    return s;
}

enum st net_names(struct arena *arena, char ***names, size_t *n)
{
    char folder[PATH_MAX];
    return list_nets(arena, names, n, folder);
}
