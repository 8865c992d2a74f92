/*
 * Why there is no device. The loader (ocl-icd) and the drivers say nothing: a driver's file that names what cannot be
 * loaded is passed over, and a driver that cannot work has no devices. So what they need is looked at, one by one.
 */
#include "inside.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ICD_BYTES_MAX = 4096, ICDS_MAX = 64 };
static const char vendors_usual[] = "/etc/OpenCL/vendors";
static const char pocl[] = "Portable Computing Language", rusticl[] = "rusticl";
static const char install[] = "on Debian, `apt install pocl-opencl-icd` makes the CPU one";

static const char *setting(const char *variable)
{
    const char *value = getenv(variable);
    return value && value[0] ? value : NULL;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* What a driver takes of address space: itself with its compiler, and a stack and a heap for each thread. */
static bool memory_is_short(char text[64])
{
    struct rlimit limit;
    char shown[32];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t want = (256u + 128u * (uint64_t)(cpus > 0 ? cpus : 1)) << 20;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= want)
        return false;
    snprintf(text, 64, "memory is limited to %s (ulimit -v)", show_bytes(shown, sizeof shown, limit.rlim_cur));
    return true;
}

/* Said before, since PoCL ends the program where it cannot start a thread. */
void diagnose_memory(void)
{
    char text[64];
    if (memory_is_short(text))
        note_once("%s: OpenCL drivers may need more, and end the program or show no device where they get too little",
                  text);
}

/* ---- PoCL's cache ------------------------------------------------------------------------------------------------ */

static bool pocl_folder(char *out, size_t size)
{
    const char *own = setting("POCL_CACHE_DIR"), *base = setting("XDG_CACHE_HOME"), *home = setting("HOME");
    int n = own ? snprintf(out, size, "%s", own) : base ? snprintf(out, size, "%s/pocl/kcache", base)
            : home ? snprintf(out, size, "%s/.cache/pocl/kcache", home) : -1;
    return n > 0 && (size_t)n < size;
}

/* Whether a folder could be made there, or is there and can be written: by what is there of its path. */
static bool can_be_written(const char *path)
{
    char part[PATH_MAX];
    if (path[0] != '/' || snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return false;
    while (!file_exists(part)) {
        char *slash = strrchr(part, '/');
        slash[slash == part] = '\0';
    }
    return dir_exists(part) && access(part, W_OK | X_OK) == 0;
}

void diagnose_pocl_cache(void)
{
    char folder[PATH_MAX], mine[PATH_MAX];
    if (setting("POCL_CACHE_DIR") || (pocl_folder(folder, sizeof folder) && can_be_written(folder)))
        return;
    if (!dir_cache(folder, sizeof folder) || snprintf(mine, sizeof mine, "%s/pocl", folder) >= (int)sizeof mine ||
        !can_be_written(mine) || trust_make(folder) != ST_OK || trust_make(mine) != ST_OK)
        if (dir_temporary(mine, sizeof mine) != ST_OK)
            return; /* it will show that it has no device, and why */
    setenv("POCL_CACHE_DIR", mine, 0);
}

/* ---- platforms without a device ---------------------------------------------------------------------------------- */

void diagnose_platform(const char *name, char *out, size_t size)
{
    char folder[PATH_MAX] = "", memory[64];
    const char *devices = setting("POCL_DEVICES");
    if (strcmp(name, pocl) == 0 && (!pocl_folder(folder, sizeof folder) || !can_be_written(folder)))
        snprintf(out, size, "no device, for its cache folder %.100s cannot be written; POCL_CACHE_DIR names another",
                 folder);
    else if (strcmp(name, pocl) == 0 && devices)
        snprintf(out, size, "no device; POCL_DEVICES is '%.100s'", devices);
    else if (strcmp(name, rusticl) == 0 && !setting("RUSTICL_ENABLE"))
        snprintf(out, size, "no device, for RUSTICL_ENABLE is not set: it names drivers, such as radeonsi, iris or "
                 "llvmpipe");
    else if (memory_is_short(memory))
        snprintf(out, size, "no device; %s", memory);
    else
        snprintf(out, size, "no device");
}

/* ---- files of drivers -------------------------------------------------------------------------------------------- */

/* What is wrong with one; false: nothing. */
static bool icd_problem(const char *path, char *out, size_t size)
{
    char *text = NULL, memory[64];
    size_t len;
    if (file_read(path, ICD_BYTES_MAX, &text, &len) != ST_OK) {
        snprintf(out, size, "%s", st_message());
        return true;
    }
    char *library = text + strspn(text, " \t\r\n");
    library[strcspn(library, "\r\n")] = '\0';
    void *handle = library[0] ? dlopen(library, RTLD_LAZY | RTLD_LOCAL) : NULL;
    if (!library[0])
        snprintf(out, size, "%s is empty, and should name a driver's library", path);
    else if (!handle)
        snprintf(out, size, "%s names %.200s, which cannot be loaded: %.300s%s%s", path, library, dlerror(),
                 memory_is_short(memory) ? "; " : "", memory_is_short(memory) ? memory : "");
    bool wrong = !handle;
    if (handle)
        dlclose(handle);
    mem_free(text);
    return wrong;
}

/* The first file that is wrong. A driver whose platform is here needs no look at. */
static bool vendors_problem(const char *folder, char *out, size_t size, int *n)
{
    struct arena arena = {0};
    char *name[ICDS_MAX], path[PATH_MAX];
    bool wrong = false;
    *n = 0;
    if (dir_list(folder, ".icd", ICDS_MAX, &arena, name, n) != ST_OK)
        *n = 0;
    for (int i = 0; i < *n && !wrong; i++)
        if (snprintf(path, sizeof path, "%s/%s", folder, name[i]) < (int)sizeof path)
            wrong = icd_problem(path, out, size);
    arena_free(&arena);
    return wrong;
}

static bool drivers_problem(char *out, size_t size)
{
    const char *own = setting("OCL_ICD_VENDORS");
    char path[PATH_MAX];
    int n;
    if (!own || dir_exists(own)) {
        if (vendors_problem(own ? own : vendors_usual, out, size, &n))
            return true;
        if (own && n == 0)
            snprintf(out, size, "OCL_ICD_VENDORS is '%.300s', a folder without any file *.icd", own);
        return own && n == 0;
    }
    snprintf(path, sizeof path, "%s%s%s", strchr(own, '/') ? "" : vendors_usual, strchr(own, '/') ? "" : "/", own);
    if (file_exists(path))
        return icd_problem(path, out, size);
    snprintf(out, size, "OCL_ICD_VENDORS is '%.300s', and there is no such file or folder", own);
    return true;
}

void diagnose_world(const struct ocl_world *w, char *out, size_t size)
{
    const char *of_mesa = NULL;
    for (int p = 0; p < w->platform_count; p++) {
        const char *problem = w->platform[p].problem;
        if (strcmp(problem, "no device") == 0)
            continue;
        if (strcmp(w->platform[p].name, rusticl) != 0) {
            snprintf(out, size, "%s has %s", strcmp(w->platform[p].name, pocl) == 0 ? "PoCL" : w->platform[p].name,
                     problem);
            return;
        }
        of_mesa = problem;
    }
    if (drivers_problem(out, size))
        return;
    if (of_mesa)
        snprintf(out, size, "%s has %s; or %s", rusticl, of_mesa, install);
    else
        snprintf(out, size, "%s", install);
}
