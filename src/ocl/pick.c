/* The device grammar: "0:0", "gpu", "radeon", "0:0/2", "all", separated by commas. */
#include "inside.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct item {
    char name[256];
    int parts; /* behind the slash; 1 where there is none */
};

static bool holds_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; *text; text++) {
        size_t i = 0;
        while (i < n && text[i] && tolower((unsigned char)text[i]) == tolower((unsigned char)word[i]))
            i++;
        if (i == n)
            return true;
    }
    return false;
}

static bool item_means(const struct item *item, const struct ocl_facts *f)
{
    int64_t platform, index;
    char number[256];
    const char *colon = strchr(item->name, ':');
    snprintf(number, sizeof number, "%.*s", colon ? (int)(colon - item->name) : 0, item->name);
    if (colon && parse_i64(number, &platform) && parse_i64(colon + 1, &index))
        return f->platform == platform && f->index == index;
    static const struct {
        const char *word;
        enum ocl_kind kind;
    } kinds[] = {{"gpu", OCL_GPU}, {"cpu", OCL_CPU}, {"accel", OCL_ACCEL}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(item->name, kinds[i].word) == 0)
            return f->kind == kinds[i].kind;
    return strcmp(item->name, "all") == 0 || holds_word(f->name, item->name);
}

static enum st item_parse(const char *word, size_t len, struct item *item)
{
    if (len == 0)
        return st_fail(ST_INPUT, "empty device name: separate devices with single commas");
    if (len >= sizeof item->name)
        return st_fail(ST_INPUT, "device name too long: '%.40s...'", word);
    memcpy(item->name, word, len);
    item->name[len] = '\0';
    item->parts = 1;
    /* only a slash before a number splits: names such as "AMD/ATI" hold slashes too */
    char *slash = strrchr(item->name, '/');
    int64_t parts;
    if (slash && parse_i64(slash + 1, &parts)) {
        if (parts < 1 || parts > 1024)
            return st_fail(ST_INPUT, "cannot split '%s' into %lld parts: 1 to 1024 are allowed", item->name,
                           (long long)parts);
        item->parts = (int)parts;
        *slash = '\0';
    }
    return item->name[0] ? ST_OK : st_fail(ST_INPUT, "no device before '/' in '%.*s'", (int)len, word);
}

/* "0:0 NAME, 1:0 NAME" for messages. */
static void list_devices(const struct ocl_world *w, char *out, size_t size)
{
    size_t used = 0;
    snprintf(out, size, "none");
    for (int i = 0; i < w->device_count && used < size; i++) {
        const struct ocl_facts *f = &w->facts[i];
        int n = snprintf(out + used, size - used, "%s%d:%d %s", i ? ", " : "", f->platform, f->index, f->name);
        used += n > 0 ? (size_t)n : 0;
    }
}

/* ---- emulated devices: "virtual:4@8", "virtual:2@4:8+latency=100" ------------------------------------------------ */

enum { EMULATED_MAX = 64 };
static const char emulated_word[] = "virtual:";

static enum st bad_emulation(const char *word, size_t len)
{
    return st_fail(ST_INPUT,
                   "'%.*s' describes no emulated devices: virtual:N@S stands for N of them (1 to %d), each S times "
                   "slower (1 to 1e6), or virtual:N@S1:...:SN; +latency=US and +bandwidth=MB may follow",
                   (int)len, word, EMULATED_MAX);
}

/* The number at *at, up to one of `ends` or the end; moves *at behind the number. */
static bool take_number(const char **at, const char *ends, double least, double most, double *out)
{
    char number[32];
    size_t n = strcspn(*at, ends);
    if (n >= sizeof number)
        return false;
    memcpy(number, *at, n);
    number[n] = '\0';
    *at += n;
    return parse_f64(number, out) && *out >= least && *out <= most;
}

static bool take_links(const char *at, struct ocl_emulation *e)
{
    static const char latency[] = "+latency=", bandwidth[] = "+bandwidth=";
    double v;
    while (*at)
        if (strncmp(at, latency, sizeof latency - 1) == 0) {
            at += sizeof latency - 1;
            if (!take_number(&at, "+", 0, 1e7, &v))
                return false;
            e->latency_ns = 1e3 * v;
        } else if (strncmp(at, bandwidth, sizeof bandwidth - 1) == 0) {
            at += sizeof bandwidth - 1;
            if (!take_number(&at, "+", 1e-3, 1e9, &v))
                return false;
            e->bytes_per_ns = 1e-3 * v;
        } else {
            return false;
        }
    return true;
}

static bool parse_emulation(const char *word, struct ocl_emulation e[EMULATED_MAX], int *n)
{
    const char *at = word + sizeof emulated_word - 1;
    double count, slowness[EMULATED_MAX];
    int given = 0;
    if (!take_number(&at, "@", 1, EMULATED_MAX, &count) || count != (int)count || *at != '@')
        return false;
    while (*at == '@' || *at == ':') {
        at++;
        if (given == (int)count || !take_number(&at, ":+", 1, 1e6, &slowness[given++]))
            return false;
    }
    struct ocl_emulation links = {0};
    if ((given != 1 && given != (int)count) || !take_links(at, &links))
        return false;
    *n = (int)count;
    for (int i = 0; i < *n; i++) {
        e[i] = links;
        e[i].number = i;
        e[i].slowness = slowness[given == 1 ? 0 : i];
    }
    return true;
}

/* Into how many parts the device is split, of which the emulated ones share the first: a CPU into its cores, for CPU
 * time is what a core takes. */
static int parts_to_share(const struct ocl_facts *f)
{
    return f->kind == OCL_CPU && f->parts_max > 1 && f->parts_max == f->compute_units ? (int)f->parts_max : 1;
}

static enum st add_emulated(const struct ocl_world *w, const char *word, size_t len, struct ocl_pick **picks, int *n)
{
    struct ocl_emulation e[EMULATED_MAX];
    char item[512];
    int count;
    if (len >= sizeof item)
        return bad_emulation(word, 40);
    memcpy(item, word, len);
    item[len] = '\0';
    if (!parse_emulation(item, e, &count))
        return bad_emulation(word, len);
    for (int i = 0; i < *n; i++)
        if ((*picks)[i].emulation.slowness > 0)
            return st_fail(ST_INPUT, "emulated devices are described twice, once is all that is allowed");
    struct ocl_pick *more = mem_resize(*picks, (size_t)(*n + count), sizeof *more);
    if (!more)
        return ST_MEMORY;
    *picks = more;
    for (int i = 0; i < count; i++)
        more[(*n)++] = (struct ocl_pick){.device = 0, .parts = parts_to_share(&w->facts[0]), .emulation = e[i]};
    return ST_OK;
}

/* ---- real devices ------------------------------------------------------------------------------------------------ */

static bool picked(const struct ocl_pick *picks, int n, int device)
{
    for (int i = 0; i < n; i++)
        if (picks[i].device == device && picks[i].emulation.slowness == 0)
            return true;
    return false;
}

/* Appends what one item means to (*picks, *n). */
static enum st add_item(const struct ocl_world *w, const struct item *item, struct ocl_pick **picks, int *n)
{
    bool found = false;
    for (int i = 0; i < w->device_count; i++) {
        const struct ocl_facts *f = &w->facts[i];
        if (!item_means(item, f))
            continue;
        found = true;
        if (picked(*picks, *n, i))
            continue;
        if (item->parts > 1 && (uint32_t)item->parts > f->parts_max)
            return st_fail(ST_INPUT, "device %d:%d %s cannot be split into %d parts: %u at most", f->platform, f->index,
                           f->name, item->parts, f->parts_max);
        struct ocl_pick *more = mem_resize(*picks, (size_t)(*n + item->parts), sizeof *more);
        if (!more)
            return ST_MEMORY;
        *picks = more;
        for (int part = 0; part < item->parts; part++)
            more[(*n)++] = (struct ocl_pick){.device = i, .part = part, .parts = item->parts};
    }
    if (!found) {
        char here[1024];
        list_devices(w, here, sizeof here);
        return st_fail(ST_INPUT, "no device '%s'; here are: %s; or say gpu, cpu, accel, all", item->name, here);
    }
    return ST_OK;
}

static enum st pick_best(const struct ocl_world *w, struct ocl_pick **picks, int *n)
{
    static const char *const order[] = {"gpu", "accel", "cpu", "all"};
    for (size_t k = 0; k < COUNT_OF(order); k++) {
        struct item item = {.parts = 1};
        snprintf(item.name, sizeof item.name, "%s", order[k]);
        for (int i = 0; i < w->device_count; i++)
            if (w->facts[i].available && w->facts[i].compiler && item_means(&item, &w->facts[i])) {
                *picks = mem_alloc(1, sizeof **picks);
                if (!*picks)
                    return ST_MEMORY;
                (*picks)[0] = (struct ocl_pick){.device = i, .parts = 1};
                *n = 1;
                return ST_OK;
            }
    }
    return st_fail(ST_INPUT, "none of the %d OpenCL devices is available with a compiler", w->device_count);
}

enum st ocl_pick_devices(const struct ocl_world *w, const char *spec, struct ocl_pick **picks, int *n)
{
    enum st s = ST_OK;
    *picks = NULL;
    *n = 0;
    if (w->device_count == 0)
        TRY(st_fail(ST_INPUT, "no OpenCL device found (%d platform%s); %s; `clutch devices` says more",
                    w->platform_count, plural((uint64_t)w->platform_count), w->problem));
    if (!spec || !spec[0]) {
        TRY(pick_best(w, picks, n));
        return ST_OK;
    }
    for (const char *word = spec;;) {
        size_t len = strcspn(word, ",");
        struct item item;
        if (strncmp(word, emulated_word, sizeof emulated_word - 1) == 0) {
            TRY(add_emulated(w, word, len, picks, n));
        } else {
            TRY(item_parse(word, len, &item));
            TRY(add_item(w, &item, picks, n));
        }
        if (!word[len])
            break;
        word += len + 1;
    }
out:
    if (s != ST_OK) {
        mem_free(*picks);
        *picks = NULL;
        *n = 0;
    }
    return s;
}
