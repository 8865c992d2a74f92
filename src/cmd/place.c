/* Places for modules: all devices of a spec, real and emulated, and what `on` in a net means among them. */
#include "inside.h"

#include <stdio.h>
#include <string.h>

/* The device of an earlier pick that is the same real one. */
static struct ocl_device *opened(const struct devices_hold *h, const struct ocl_pick *pick)
{
    for (int i = 0; i < h->n; i++)
        if (h->pick[i].device == pick->device && h->pick[i].parts == pick->parts && h->pick[i].part == pick->part)
            return h->device[i].device;
    return NULL;
}

static void write_label(struct plan_device *d)
{
    const struct ocl_emulation *e = &d->emulation;
    char speed[64] = "as fast as";
    if (e->slowness != 1)
        snprintf(speed, sizeof speed, "%gx slower than", e->slowness);
    if (e->slowness > 0)
        snprintf(d->label, sizeof d->label, "virtual#%d (emulated, %s %s)", e->number, speed,
                 ocl_device_label(d->device));
    else
        snprintf(d->label, sizeof d->label, "%s", ocl_device_label(d->device));
}

enum st devices_open(const char *spec, struct devices_hold *h)
{
    enum st s = ST_OK;
    struct ocl_pick *picks = NULL;
    int n = 0;
    *h = (struct devices_hold){0};
    TRY(ocl_world_open(&h->world));
    TRY(ocl_pick_devices(h->world, spec, &picks, &n));
    if (n > PLAN_DEVICES_MAX)
        TRY(st_fail(ST_INPUT, "--devices names %d devices, %d are the most", n, PLAN_DEVICES_MAX));
    for (int i = 0; i < n; i++) {
        struct plan_device *d = &h->device[i];
        d->device = opened(h, &picks[i]);
        if (!d->device)
            TRY(ocl_device_open(h->world, &picks[i], &d->device));
        d->emulation = picks[i].emulation;
        h->pick[i] = picks[i];
        h->n = i + 1;
        write_label(d);
    }
out:
    mem_free(picks);
    if (s != ST_OK)
        devices_close(h);
    return s;
}

void devices_close(struct devices_hold *h)
{
    for (int i = 0; i < h->n; i++) {
        struct ocl_device *mine = h->device[i].device;
        for (int k = i; k < h->n; k++) /* its other places close nothing */
            if (h->device[k].device == mine)
                h->device[k].device = NULL;
        ocl_device_close(mine);
    }
    ocl_world_close(h->world);
    *h = (struct devices_hold){0};
}

bool devices_are_parts(const struct devices_hold *h)
{
    for (int i = 0; i < h->n; i++)
        if (h->pick[i].device != h->pick[0].device || h->pick[i].parts != h->n || h->pick[i].emulation.slowness > 0)
            return false;
    return h->n > 1;
}

/* ---- on ---------------------------------------------------------------------------------------------------------- */

/* Whether the word is the place's own name, with ':' for the '#' that would begin a comment. */
static bool is_name(const struct plan_device *d, const char *word)
{
    char id[64];
    plan_device_id(d, id, sizeof id);
    for (char *c = id; *c; c++)
        if (*c == '#')
            *c = ':';
    return strcmp(id, word) == 0;
}

static bool means(const struct devices_hold *h, const struct ocl_pick *picks, int n, int place, const char *word)
{
    const struct ocl_pick *own = &h->pick[place];
    bool emulated = own->emulation.slowness > 0;
    if (is_name(&h->device[place], word) || (emulated && strcmp(word, "virtual") == 0))
        return true;
    for (int i = 0; i < n && !emulated; i++)
        if (picks[i].device == own->device && (picks[i].parts == 1 || picks[i].parts == own->parts))
            return true;
    return false;
}

static enum st not_there(const struct devices_hold *h, const struct nn_net *net, const struct nn_section *section)
{
    char here[1024], id[64];
    size_t used = 0;
    for (int i = 0; i < h->n && used < sizeof here; i++) {
        int n = snprintf(here + used, sizeof here - used, "%s%s", i ? ", " : "",
                         plan_device_id(&h->device[i], id, sizeof id));
        used += n > 0 ? (size_t)n : 0;
    }
    return st_fail(ST_INPUT, "%s:%d: on '%s' is none of the devices of this run, which are: %s", net->origin,
                   section->on_line, section->on, here);
}

static enum st resolve(const struct devices_hold *h, const struct nn_net *net, int k, int *pinned)
{
    const char *word = net->section[k].on;
    struct ocl_pick *picks = NULL;
    int n = 0, found = -1;
    /* what is no word of the grammar may still be the name of a place, and else is said to be none */
    if (strncmp(word, "virtual", 7) != 0 && ocl_pick_devices(h->world, word, &picks, &n) == ST_MEMORY)
        return ST_MEMORY;
    for (int i = h->n - 1; i >= 0; i--) {
        bool taken = false;
        for (int before = 0; before < k; before++)
            taken = taken || pinned[before] == i;
        if (!taken && means(h, picks, n, i, word))
            found = i;
    }
    for (int i = 0; i < h->n && found < 0; i++)
        if (means(h, picks, n, i, word))
            found = i;
    mem_free(picks);
    pinned[k] = found;
    return found >= 0 ? ST_OK : not_there(h, net, &net->section[k]);
}

enum st devices_resolve_on(const struct devices_hold *h, const struct nn_net *net, int *pinned)
{
    enum st s = ST_OK;
    for (int k = 0; k < net->section_count; k++)
        if (net->section[k].on[0])
            TRY(resolve(h, net, k, pinned));
        else
            pinned[k] = -1;
out:
    return s;
}
