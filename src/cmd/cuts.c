/* --modules, --cuts and --on: what the command line says of a net's modules, against what the net says. */
#include "inside.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---- lists of numbers -------------------------------------------------------------------------------------------- */

/* "15,31": whole numbers from 0 on, `most` at most. */
static enum st read_list(const char *name, const char *words, int most, int *out, int *n)
{
    const char *at = words;
    *n = 0;
    for (;;) {
        char word[16];
        size_t len = strcspn(at, ",");
        int64_t v;
        snprintf(word, sizeof word, "%.*s", len < sizeof word ? (int)len : 0, at);
        if (!parse_i64(word, &v) || v < 0 || v > INT_MAX)
            return st_fail(ST_INPUT, "%s is '%s', must be whole numbers of 0 or more, with commas", name, words);
        if (*n == most)
            return st_fail(ST_INPUT, "%s has more than %d numbers", name, most);
        out[(*n)++] = (int)v;
        if (!at[len])
            return ST_OK;
        at += len + 1;
    }
}

static void add_list(struct text *out, const char *name, const int *v, int n)
{
    text_add(out, "%s", name);
    for (int i = 0; i < n; i++)
        text_add(out, "%s%d", i ? "," : " ", v[i]);
}

/* ---- cuts -------------------------------------------------------------------------------------------------------- */

/* "4, 7, 10 ...": the first layers that may begin a module. */
static void show_places(const struct nn_net *net, char *out, size_t size)
{
    enum { MOST = 12 };
    size_t used = 0;
    int n = 0;
    out[0] = '\0';
    for (int i = 1; i < net->layer_count && n <= MOST && used < size; i++) {
        if (!nn_net_may_cut(net, i))
            continue;
        int wrote = n < MOST ? snprintf(out + used, size - used, "%s%d", n ? ", " : "", i)
                             : snprintf(out + used, size - used, " ...");
        used += wrote > 0 ? (size_t)wrote : 0;
        n++;
    }
}

static enum st check_cuts(const struct nn_net *net, const int *cut, int n)
{
    char places[160];
    for (int i = 0; i < n; i++) {
        if (i > 0 && cut[i] <= cut[i - 1])
            return st_fail(ST_INPUT, "--cuts: %d behind %d: the layers must rise", cut[i], cut[i - 1]);
        if (cut[i] < 1 || cut[i] >= net->layer_count || !nn_net_may_cut(net, cut[i])) {
            show_places(net, places, sizeof places);
            return st_fail(ST_INPUT, "--cuts: %s has no place for a cut before layer %d%s%s", net->origin, cut[i],
                           places[0] ? ", but before " : "", places);
        }
    }
    return ST_OK;
}

/* A net that has cuts already is as good with the same. */
static enum st same_cuts(const struct nn_net *net, const char *words, const int *cut, int n)
{
    bool same = n == net->section_count - 1;
    for (int i = 0; i < n && same; i++)
        same = net->section[i + 1].first == cut[i];
    return same ? ST_OK : st_fail(ST_INPUT, "%s: its cuts are not those of --cuts %s: leave one of them out",
                                  net->origin, words);
}

/* ---- all three --------------------------------------------------------------------------------------------------- */

enum st cuts_open(const struct nn_net *net, const struct cuts_wish *w, const char *couple, struct cuts *c)
{
    enum st s = ST_OK;
    int cut[PLAN_MODULES_MAX], n = 0, sections = net->section_count;
    bool given = w->cuts || sections > 1;
    *c = (struct cuts){0};
    TRY(args_check("--modules", w->modules, 0, PLAN_MODULES_MAX));
    if (sections > PLAN_MODULES_MAX)
        TRY(st_fail(ST_INPUT, "%s: cuts make %d modules, %d are the most", net->origin, sections, PLAN_MODULES_MAX));
    if (w->cuts)
        TRY(read_list("--cuts", w->cuts, PLAN_MODULES_MAX - 1, cut, &n));
    if (w->on)
        TRY(read_list("--on", w->on, PLAN_MODULES_MAX, c->on, &c->on_count));
    if (w->cuts)
        TRY(sections > 1 ? same_cuts(net, w->cuts, cut, n) : check_cuts(net, cut, n));
    int modules = w->cuts ? n + 1 : sections;
    if (given && w->modules > 0 && w->modules != modules)
        TRY(st_fail(ST_INPUT, "%s: %s make %d modules, --modules asks for %lld: leave one of them out", net->origin,
                    w->cuts ? "--cuts" : "cuts", modules, (long long)w->modules));
    if (c->on_count && (given || w->modules > 0) && c->on_count != (given ? modules : w->modules))
        TRY(st_fail(ST_INPUT, "--on %s names a device each for %d module%s, and there are %lld", w->on, c->on_count,
                    plural((uint64_t)c->on_count), (long long)(given ? modules : w->modules)));
    c->modules = given ? modules : c->on_count ? c->on_count : (int)w->modules;
    if (sections == 1 && net->section[0].on[0] && c->modules > 1)
        TRY(st_fail(ST_INPUT, "%s:%d: on '%s' in a net without cuts says nothing of %d modules: put cuts, or leave it "
                    "out", net->origin, net->section[0].on_line, net->section[0].on, c->modules));
    if (w->cuts && sections == 1)
        TRY(nn_net_split(net, cut, n, couple ? couple : "csg", &c->split));
out:
    return s;
}

static enum st not_here(const struct devices_hold *h, int device)
{
    char here[1024], id[64];
    size_t used = 0;
    for (int i = 0; i < h->n && used < sizeof here; i++) {
        int n = snprintf(here + used, sizeof here - used, "%s%d (%s)", i ? ", " : "", i,
                         plan_device_id(&h->device[i], id, sizeof id));
        used += n > 0 ? (size_t)n : 0;
    }
    return st_fail(ST_INPUT, "--on: %d is none of the devices, which are: %s", device, here);
}

/* The devices that --on and the net's own `on` demand. */
static enum st find_pinned(const struct cuts *c, const struct devices_hold *h, const struct nn_net *net, int *pinned)
{
    enum st s = ST_OK;
    TRY(devices_resolve_on(h, net, pinned));
    for (int k = 0; k < c->on_count; k++) {
        int own = k < net->section_count ? pinned[k] : -1;
        if (c->on[k] >= h->n)
            TRY(not_here(h, c->on[k]));
        if (own >= 0 && own != c->on[k])
            TRY(st_fail(ST_INPUT, "%s:%d: on '%s' is device %d, and --on puts module %d on %d: leave one of them out",
                        net->origin, net->section[k].on_line, net->section[k].on, own, k, c->on[k]));
        pinned[k] = c->on[k];
    }
out:
    return s;
}

enum st cuts_demand(const struct cuts *c, const struct devices_hold *h, const struct nn_net *net,
                    struct cuts_demand *d)
{
    enum st s = ST_OK;
    d->wish.modules = c->modules;
    TRY(find_pinned(c, h, net, d->pinned));
    for (int k = 1; k < net->section_count; k++)
        d->cut[k - 1] = net->section[k].first;
    if (net->section_count > 1)
        d->wish.cuts = d->cut;
    if (net->section_count > 1 || d->pinned[0] >= 0) {
        d->wish.pinned = d->pinned;
        d->wish.modules = c->on_count > net->section_count ? c->on_count : net->section_count;
    }
    TRY(plan_check(net, h->n, &d->wish));
out:
    return s;
}

void cuts_show(const int *first, const int *on, int modules, struct text *out)
{
    if (first && modules > 1)
        add_list(out, "--cuts", first + 1, modules - 1);
    add_list(out, out->len ? " --on" : "--on", on, modules);
}

void kept_show(const struct plan_kept *kept, struct text *out)
{
    if (kept->kept)
        text_add(out, "measured on %s, kept in %s; --fresh measures anew", kept->date, kept->folder);
    else
        text_add(out, "measured now, and kept nowhere: the next time others may come out");
}
