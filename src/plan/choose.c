/*
 * Where modules go. f(k, p, u) is the pace of the slowest of the first k modules, when they reach up to place p and
 * have used devices u:
 *
 *     f(k, p, u) = min over places q < p and devices d not in u of max(f(k - 1, q, u - d), pace of q..p on d)
 *
 * Equal devices are one kind, of which u counts how many are used, so that they are not told apart. A second pass finds
 * the most even of the best placements: with no pace above the best, the one with the least sum of squares.
 */
#include "inside.h"

#include <math.h>

enum { PLACES_MAX = 1025, NONE = -1 };
static const double work_max = 2e8, room_max = 1 << 22;

/* How the best value of k modules came about. */
struct step {
    int state;           /* u before */
    short place, kind;   /* q, and the device's kind */
};

struct search {
    const struct nn_net *net;
    const struct plan_costs *costs;
    const int *pinned;
    int modules;
    int places, *place;   /* (places + 1): layers before which a module may begin; the last: behind the net */
    double *sum_ns;       /* (devices, layers + 1): of all layers before it */
    int kinds;            /* of devices that are free */
    int kind[PLAN_DEVICES_MAX]; /* the first device of each; in the order given: each device */
    int count[PLAN_DEVICES_MAX], stride[PLAN_DEVICES_MAX];
    bool in_order;        /* too many kinds: devices in the order given, u is the next that may be used */
    int states;           /* values of u */
    double *pace;         /* (2, places + 1, states): of k - 1 and k modules, in turn */
    struct step *back;    /* (modules, places + 1, states) */
};

/* ---- costs ------------------------------------------------------------------------------------------------------- */

static double pace_of(const struct search *f, int device, int from, int to)
{
    const double *sum = f->sum_ns + (size_t)device * (size_t)(f->costs->layers + 1);
    int first = f->place[from], last = f->place[to];
    struct run run = {.first = first, .last = last, .compute_ns = sum[last] - sum[first], .sends_down = first > 0,
                      .sends_up = last < f->costs->layers};
    struct load l = load_of(f->costs, device, &run);
    return load_pace(f->costs, device, &l);
}

static bool equal_devices(const struct plan_costs *c, int a, int b)
{
    for (int i = 0; i < c->layers; i++)
        if (layer_ns(c, a, i) != layer_ns(c, b, i))
            return false;
    return c->ns_per_mac[a] == c->ns_per_mac[b] && c->link_ns[a] == c->link_ns[b] &&
           c->ns_per_byte[a] == c->ns_per_byte[b] && c->flight_ns_per_byte[a] == c->flight_ns_per_byte[b] &&
           c->emulated[a] == c->emulated[b];
}

static bool is_pinned(const struct search *f, int device)
{
    for (int k = 0; k < f->modules && f->pinned; k++)
        if (f->pinned[k] == device)
            return true;
    return false;
}

/* ---- preparing --------------------------------------------------------------------------------------------------- */

static bool find_kinds(struct search *f)
{
    double states = 1;
    f->kinds = 0;
    for (int d = 0; d < f->costs->devices; d++) {
        int k = 0;
        if (is_pinned(f, d))
            continue;
        while (k < f->kinds && !equal_devices(f->costs, f->kind[k], d))
            k++;
        if (k == f->kinds) {
            f->kind[f->kinds] = d;
            f->count[f->kinds++] = 0;
        }
        f->count[k]++;
    }
    for (int k = 0; k < f->kinds; k++) {
        f->stride[k] = states < 1 << 24 ? (int)states : 0;
        states *= f->count[k] + 1;
    }
    f->states = states < 1 << 24 ? (int)states : 0;
    return states * f->kinds * f->places * f->places <= work_max && states * f->places * f->modules <= room_max;
}

static void take_in_order(struct search *f)
{
    f->in_order = true;
    f->kinds = 0;
    for (int d = 0; d < f->costs->devices; d++)
        if (!is_pinned(f, d))
            f->kind[f->kinds++] = d;
    f->states = f->kinds + 1;
}

/* u with one more of that kind used; NONE where there is no more. */
static int use(const struct search *f, int u, int kind)
{
    if (f->in_order)
        return kind >= u ? kind + 1 : NONE;
    return u / f->stride[kind] % (f->count[kind] + 1) < f->count[kind] ? u + f->stride[kind] : NONE;
}

static enum st prepare(struct search *f, const int *cuts)
{
    enum st s = ST_OK;
    int layers = f->costs->layers;
    for (int i = 1, k = 0; i < layers; i++) {
        bool given = cuts && k < f->modules - 1 && cuts[k] == i;
        if (cuts ? given : plan_may_cut(f->net, i))
            f->place[++f->places] = i;
        k += given;
    }
    f->place[++f->places] = layers;
    for (int d = 0; d < f->costs->devices; d++) {
        double *sum = f->sum_ns + (size_t)d * (size_t)(layers + 1);
        for (int i = 0; i < layers; i++)
            sum[i + 1] = sum[i] + layer_ns(f->costs, d, i);
    }
    if (!find_kinds(f))
        take_in_order(f);
    mem_free(f->pace);
    mem_free(f->back);
    f->back = NULL;
    size_t n = (size_t)(f->places + 1) * (size_t)f->states;
    TRY(NEW(f->pace, 2 * n));
    TRY(NEW(f->back, (size_t)f->modules * n));
out:
    return s;
}

/* ---- searching --------------------------------------------------------------------------------------------------- */

struct target {
    double limit;  /* no module slower than that */
    bool even;     /* the sum of squares counts, else the slowest */
};

/* All ways of module k on `device` from place q on, which state u of k modules led to. */
static void extend(struct search *f, const struct target *t, int k, int q, int u, int device, int next, int kind)
{
    size_t n = (size_t)(f->places + 1) * (size_t)f->states;
    const double *before = f->pace + (size_t)(k % 2) * n;
    double *behind = f->pace + (size_t)((k + 1) % 2) * n, sofar = before[(size_t)q * (size_t)f->states + (size_t)u];
    /* each module behind this one needs a place */
    for (int p = q + 1; p <= f->places - (f->modules - 1 - k); p++) {
        double pace = pace_of(f, device, q, p);
        size_t at = (size_t)p * (size_t)f->states + (size_t)next;
        if (!(pace <= t->limit) || (k == f->modules - 1 && p < f->places))
            continue;
        double all = t->even ? sofar + pace * pace : pace > sofar ? pace : sofar;
        if (all < behind[at]) {
            behind[at] = all;
            f->back[(size_t)k * n + at] = (struct step){u, (short)q, (short)kind};
        }
    }
}

/* The value of the best placement, INFINITY where there is none; *end: the state of devices behind it. */
static double search(struct search *f, const struct target *t, int *end)
{
    size_t n = (size_t)(f->places + 1) * (size_t)f->states;
    for (size_t i = 0; i < n; i++)
        f->pace[i] = INFINITY;
    f->pace[0] = 0;
    for (int k = 0; k < f->modules; k++) {
        const double *before = f->pace + (size_t)(k % 2) * n;
        double *behind = f->pace + (size_t)((k + 1) % 2) * n;
        int pin = f->pinned ? f->pinned[k] : NONE;
        for (size_t i = 0; i < n; i++)
            behind[i] = INFINITY;
        for (int q = 0; q < f->places; q++)
            for (int u = 0; u < f->states; u++) {
                if (before[(size_t)q * (size_t)f->states + (size_t)u] == INFINITY)
                    continue;
                if (pin != NONE)
                    extend(f, t, k, q, u, pin, u, 0);
                for (int kind = 0; kind < f->kinds && pin == NONE; kind++)
                    if (use(f, u, kind) != NONE)
                        extend(f, t, k, q, u, f->kind[kind], use(f, u, kind), kind);
            }
    }
    const double *behind = f->pace + (size_t)(f->modules % 2) * n + (size_t)f->places * (size_t)f->states;
    *end = 0;
    for (int u = 1; u < f->states; u++)
        if (behind[u] < behind[*end])
            *end = u;
    return behind[*end];
}

/* Follows the way back; of equal devices, the first in the order given comes first in the net. */
static void read_back(const struct search *f, int end, int *first, int *device)
{
    size_t n = (size_t)(f->places + 1) * (size_t)f->states;
    bool used[PLAN_DEVICES_MAX] = {false};
    for (int k = f->modules - 1, p = f->places, u = end; k >= 0; k--) {
        struct step step = f->back[(size_t)k * n + (size_t)p * (size_t)f->states + (size_t)u];
        p = step.place;
        u = step.state;
        first[k] = f->place[p];
        device[k] = f->pinned && f->pinned[k] != NONE ? f->pinned[k] : f->kind[step.kind];
    }
    for (int k = 0; k < f->modules && !f->in_order; k++) {
        int d = device[k];
        if (f->pinned && f->pinned[k] != NONE)
            continue;
        while (used[d] || is_pinned(f, d) || !equal_devices(f->costs, d, device[k]))
            d++; /* a kind is named by its first */
        used[d] = true;
        device[k] = d;
    }
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

static int count_places(const struct nn_net *net)
{
    int n = 0;
    for (int i = 1; i < net->layer_count; i++)
        n += plan_may_cut(net, i);
    return n;
}

enum st plan_check(const struct nn_net *net, int devices, const struct plan_wish *w)
{
    int places = count_places(net), free_modules = w->modules, free_devices = devices;
    bool taken[PLAN_DEVICES_MAX] = {false};
    if (devices < 1 || devices > PLAN_DEVICES_MAX || w->modules < 0 || w->modules > PLAN_MODULES_MAX)
        return st_fail(ST_INPUT, "%s: %d module%s on %d device%s: %d modules on %d devices are the most", net->origin,
                       w->modules, plural((uint64_t)w->modules), devices, plural((uint64_t)devices), PLAN_MODULES_MAX,
                       PLAN_DEVICES_MAX);
    if (!w->cuts && w->modules > places + 1)
        return st_fail(ST_INPUT, "%s: %d modules need %d cut%s, and places for cuts are %d: before each layer with "
                       "products but the first", net->origin, w->modules, w->modules - 1,
                       plural((uint64_t)(w->modules - 1)), places);
    for (int k = 0; k < w->modules && w->pinned; k++)
        if (w->pinned[k] != NONE) {
            free_modules--;
            free_devices -= !taken[w->pinned[k]];
            taken[w->pinned[k]] = true;
        }
    if (free_modules > free_devices && !(w->cuts && devices == 1))
        return st_fail(ST_INPUT, "%s: %d module%s a device each, and free devices are %d: name more, or split one "
                       "(0:0/2)", net->origin, free_modules, free_modules == 1 ? " needs" : "s need", free_devices);
    return ST_OK;
}

static enum st choose_number(struct search *f, const struct plan_wish *w, int modules, struct plan *out)
{
    enum st s = ST_OK;
    int first[PLAN_MODULES_MAX], device[PLAN_MODULES_MAX] = {0}, end;
    f->modules = modules;
    f->places = 0;
    if (w->cuts && f->costs->devices == 1) { /* all are there */
        for (int k = 0; k < modules; k++)
            first[k] = k ? w->cuts[k - 1] : 0;
        return plan_rate(f->net, f->costs, first, device, modules, w->micro_batches, out);
    }
    TRY(prepare(f, w->cuts));
    struct target fastest = {.limit = INFINITY};
    double pace = search(f, &fastest, &end);
    struct target even = {.limit = pace, .even = true};
    if (!(search(f, &even, &end) < INFINITY))
        TRY(st_fail(ST_INTERNAL, "no placement of %d modules found", modules));
    read_back(f, end, first, device);
    TRY(plan_rate(f->net, f->costs, first, device, modules, w->micro_batches, out));
out:
    return s;
}

enum st plan_choose(const struct nn_net *net, const struct plan_costs *costs, const struct plan_wish *wish,
                    struct plan *out)
{
    enum st s = ST_OK;
    struct search f = {.net = net, .costs = costs, .pinned = wish->modules ? wish->pinned : NULL};
    static const double pays = 1.05;
    TRY(plan_check(net, costs->devices, wish));
    TRY(NEW(f.place, (size_t)costs->layers + 1));
    TRY(NEW(f.sum_ns, (size_t)costs->devices * (size_t)(costs->layers + 1)));
    TRY(choose_number(&f, wish, wish->modules ? wish->modules : 1, out));
    int places = count_places(net), most = places + 1 < costs->devices ? places + 1 : costs->devices;
    for (int modules = 2; wish->modules == 0 && modules <= most; modules++) {
        struct plan more;
        TRY(choose_number(&f, wish, modules, &more));
        if (more.decoupled >= pays * out->decoupled)
            *out = more;
    }
out:
    mem_free(f.place);
    mem_free(f.sum_ns);
    mem_free(f.pace);
    mem_free(f.back);
    return s;
}

bool plan_may_cut(const struct nn_net *net, int i)
{
    return nn_net_may_cut(net, i) && net->layer[i].macs > 0;
}
