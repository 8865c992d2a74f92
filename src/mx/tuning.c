/* Tunings: finding the file for a device and using it, and choosing what each product is computed with. */
#include "tuning.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FILES_MAX = 64 };

const char *mx_form_name(const struct mx_product *p)
{
    return p->trans_a ? (p->trans_b ? "TT" : "TN") : p->trans_b ? "NT" : "NN";
}

/* ---- candidates and products ------------------------------------------------------------------------------------- */

int tuning_candidate(struct mx_tuning *t, const struct gemm_provider *provider, const int *param)
{
    int n = gemm_param_count(provider);
    for (int c = 0; c < t->candidate_count; c++)
        if (t->candidate[c].provider == provider &&
            memcmp(t->candidate[c].param, param, (size_t)n * sizeof *param) == 0)
            return c;
    if (t->candidate_count == CANDIDATES_MAX)
        return -1;
    struct candidate *new = &t->candidate[t->candidate_count];
    *new = (struct candidate){.provider = provider};
    memcpy(new->param, param, (size_t)n * sizeof *param);
    for (int p = 0; p < TUNED_MAX; p++)
        new->gflops[p] = NAN;
    return t->candidate_count++;
}

static int find_product(const struct mx_tuning *t, struct mx_product p)
{
    for (int i = 0; i < t->product_count; i++) {
        const struct mx_product *q = &t->product[i];
        if (q->trans_a == p.trans_a && q->trans_b == p.trans_b && q->M == p.M && q->N == p.N && q->K == p.K)
            return i;
    }
    return -1;
}

int tuning_product(struct mx_tuning *t, struct mx_product p)
{
    int i = find_product(t, p);
    if (i >= 0 || t->product_count == TUNED_MAX)
        return i;
    t->product[t->product_count] = p;
    t->chosen[t->product_count] = -1;
    return t->product_count++;
}

enum st mx_tuning_add_product(struct mx_tuning *t, struct mx_product p)
{
    return tuning_product(t, p) >= 0 ? ST_OK : st_fail(ST_INPUT, "more than %d products to measure", TUNED_MAX);
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

static bool of_family(const struct mx_tuning *t, const struct ocl_facts *f)
{
    char family[256];
    tuning_family(f, family, sizeof family);
    return t->exact || strcmp(t->family, family) == 0;
}

static bool has_choice(const struct mx_tuning *t)
{
    for (int p = 0; p < t->product_count; p++)
        if (t->chosen[p] >= 0)
            return true;
    return false;
}

/* How well a file suits: the exact device, then one of its name, then any of its family. */
static int suits(const struct mx_tuning *t, const struct ocl_facts *f)
{
    if (!of_family(t, f) || !has_choice(t))
        return 0;
    return t->exact ? 3 : strcmp(t->device, f->name) == 0 ? 2 : 1;
}

/* Reads a file; one that cannot be used is named in a note, and false. */
static bool use_file(const char *path, const struct ocl_facts *f, struct mx_tuning *out)
{
    if (tuning_read(path, f, out) == ST_OK)
        return true;
    note_once("no use of a tuning file: %s", st_message());
    return false;
}

/* The file that suits best, of equals the first by name; false where there is none. `begun`: the exact device has one,
 * though it may say nothing yet. */
static enum st find_file(const struct ocl_facts *f, struct mx_tuning *out, bool *found, bool *begun)
{
    enum st s = ST_OK;
    char folder[PATH_MAX], path[PATH_MAX], best_path[PATH_MAX] = "", *name[FILES_MAX];
    struct arena arena = {0};
    int n = 0, best = 0;
    *found = *begun = false;
    tuning_path(f, path, sizeof path);
    if (!path[0] || !tuning_folder(folder, sizeof folder) || !trust_folder(folder))
        goto out;
    if (file_exists(path) && use_file(path, f, out)) {
        *begun = out->exact;
        *found = suits(out, f) == 3;
        if (*found)
            goto used;
    }
    TRY(dir_list(folder, ".json", FILES_MAX, &arena, name, &n));
    for (int i = 0; i < n; i++) {
        char other[PATH_MAX];
        if (snprintf(other, sizeof other, "%s/%s", folder, name[i]) >= (int)sizeof other || strcmp(other, path) == 0)
            continue;
        int suit = use_file(other, f, out) ? suits(out, f) : 0;
        if (suit > best) {
            best = suit;
            memcpy(best_path, other, sizeof best_path);
        }
    }
    *found = best > 0 && tuning_read(best_path, f, out) == ST_OK;
    *begun = *begun || best == 3;
    memcpy(path, best_path, sizeof path);
used:
    if (*found)
        memcpy(out->path, path, sizeof path);
out:
    arena_free(&arena);
    return s;
}

static void show_day(const struct mx_tuning *t, char out[16])
{
    snprintf(out, 16, "%.10s", t->date);
}

void mx_tuned_find(const struct ocl_facts *f, struct mx_tuned *out)
{
    struct mx_tuning *t = NULL;
    bool found;
    double most = 0;
    *out = (struct mx_tuned){0};
    if (NEW(t, 1) != ST_OK || find_file(f, t, &found, &out->begun) != ST_OK || !found)
        goto out;
    out->kind = t->exact ? MX_TUNED : MX_TUNED_FAMILY;
    out->quick = t->quick;
    snprintf(out->device, sizeof out->device, "%s", t->device);
    show_day(t, out->date);
    out->peak_gflops = t->peak;
    for (int p = 0; p < t->product_count; p++) {
        const struct mx_product *q = &t->product[p];
        double size = (double)q->M * q->N * q->K;
        if (t->chosen[p] < 0 || size < most)
            continue;
        const struct candidate *c = &t->candidate[t->chosen[p]];
        if (size == most && !(c->gflops[p] > out->gflops))
            continue;
        most = size;
        out->product = *q;
        out->gflops = c->gflops[p];
        gemm_text(c->provider, c->param, out->choice);
    }
out:
    mem_free(t);
}

/* ---- use --------------------------------------------------------------------------------------------------------- */

static enum st apply(struct mx *m, const struct mx_tuning *t)
{
    enum st s = ST_OK;
    int how_of[CANDIDATES_MAX];
    char day[16];
    bool form[3] = {false}; /* NN, TN, NT */
    for (int c = 0; c < t->candidate_count; c++)
        how_of[c] = -1;
    for (int p = 0; p < t->product_count; p++)
        if (t->chosen[p] >= 0)
            form[t->product[p].trans_a + 2 * t->product[p].trans_b] = true;
    if (!form[0] || !form[1] || !form[2]) /* else nothing comes to it */
        TRY(gemm_use(m, gemm_default(&t->facts), NULL));
    for (int p = 0; p < t->product_count; p++) {
        const struct mx_product *q = &t->product[p];
        int c = t->chosen[p];
        if (c < 0 || (how_of[c] < 0 && m->how_count == GEMM_HOWS_MAX))
            continue;
        if (how_of[c] < 0) {
            how_of[c] = m->how_count;
            TRY(gemm_use(m, t->candidate[c].provider, t->candidate[c].param));
        }
        m->tuned[m->tuned_count++] = (struct tuned){q->trans_a, q->trans_b, {log2f((float)q->M), log2f((float)q->N),
                                                    log2f((float)q->K)}, how_of[c]};
    }
    show_day(t, day);
    if (t->exact)
        snprintf(m->tuning_note, sizeof m->tuning_note, "tuned for this device on %s%s", day,
                 t->quick ? ", quickly" : "");
    else
        snprintf(m->tuning_note, sizeof m->tuning_note, "tuned on %s of the same family", t->device);
    memcpy(m->tuning_file, t->path, sizeof m->tuning_file);
out:
    return s;
}

enum st tuning_apply(struct mx *m)
{
    enum st s = ST_OK;
    const struct ocl_facts *f = ocl_device_facts(ocl_queue_device(m->queue));
    struct mx_tuning *t = NULL;
    bool found, begun;
    TRY(NEW(t, 1));
    TRY(find_file(f, t, &found, &begun));
    TRY(found ? apply(m, t) : gemm_use(m, gemm_default(f), NULL));
out:
    mem_free(t);
    return s;
}

const char *mx_tuning_note(const struct mx *m)
{
    return m->tuning_note;
}

const char *mx_tuning_file(const struct mx *m)
{
    return m->tuning_file;
}

/* ---- a tuning in memory ------------------------------------------------------------------------------------------ */

enum st mx_tuning_open(const struct ocl_facts *f, bool quick, bool fresh, const char *version, struct mx_tuning **out)
{
    struct mx_tuning *t;
    enum st s = NEW(t, 1);
    if (s != ST_OK)
        return s;
    *t = (struct mx_tuning){.facts = *f, .exact = true, .quick = quick, .fresh = fresh};
    snprintf(t->device, sizeof t->device, "%s", f->name);
    tuning_family(f, t->family, sizeof t->family);
    snprintf(t->clutch, sizeof t->clutch, "%s", version);
    tuning_path(f, t->path, sizeof t->path);
    *out = t;
    return ST_OK;
}

void mx_tuning_free(struct mx_tuning *t)
{
    mem_free(t);
}

/* A product of the file that is none of ours is left out, and what was chosen for it. */
static void take_over(struct mx_tuning *t, const struct mx_tuning *old)
{
    t->peak = old->peak;
    for (int c = 0; c < old->candidate_count; c++) {
        int mine = tuning_candidate(t, old->candidate[c].provider, old->candidate[c].param);
        if (mine < 0)
            continue;
        memcpy(t->candidate[mine].refused, old->candidate[c].refused, REASON_MAX);
        for (int p = 0; p < old->product_count; p++) {
            int i = tuning_product(t, old->product[p]);
            if (i >= 0)
                t->candidate[mine].gflops[i] = old->candidate[c].gflops[p];
        }
    }
}

enum st mx_tuning_resume(struct mx_tuning *t)
{
    enum st s = ST_OK;
    struct mx_tuning *old = NULL;
    if (t->fresh || !t->path[0] || !file_exists(t->path))
        return ST_OK;
    TRY(NEW(old, 1));
    if (!use_file(t->path, &t->facts, old) || !old->exact || (old->quick && !t->quick))
        goto out;
    take_over(t, old);
    t->quick = old->quick;
    mx_tuning_choose(t);
out:
    mem_free(old);
    return s;
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

static double speed(const struct mx_tuning *t, int c, int p)
{
    const struct candidate *one = &t->candidate[c];
    return one->refused[0] || !(one->gflops[p] > 0) ? 0 : one->gflops[p];
}

enum { NOISE_PERCENT = 5 };

/* How much `c` is clearly faster than what is chosen, as a sum of logarithms; a product that nothing else does counts
 * as much as a doubled speed. What the device uses untuned stays where it was not measured, for time ran out: that says
 * nothing against it. */
static double gain(const struct mx_tuning *t, int c, int p)
{
    double mine = speed(t, c, p), now = t->chosen[p] >= 0 ? speed(t, t->chosen[p], p) : 0;
    bool untried = t->candidate_count && !t->candidate[0].refused[0] && isnan(t->candidate[0].gflops[p]);
    if (!(mine > 0) || (untried && c != 0))
        return 0;
    if (!(now > 0))
        return log(2);
    return mine >= now * (1 + NOISE_PERCENT / 100.0) ? log(mine / now) : 0;
}

/* Of the candidates of a library that knows one set of parameters at a time, the one that is fastest over all products;
 * its own set unless another is clearly faster. -1: there is none. */
static int best_of_library(const struct mx_tuning *t)
{
    int own = -1, best = -1;
    double most = 0;
    for (int c = 0; c < t->candidate_count; c++) {
        const struct candidate *one = &t->candidate[c];
        double sum = 0;
        int n = 0;
        if (!one->provider->set || one->refused[0])
            continue;
        if (own < 0)
            own = best = c; /* candidates of a provider begin with its default */
        for (int p = 0; p < t->product_count; p++)
            if (speed(t, c, p) > 0 && speed(t, own, p) > 0) {
                sum += log(speed(t, c, p) / speed(t, own, p));
                n++;
            }
        if (n && sum / n >= log(1 + NOISE_PERCENT / 100.0) && sum / n > most) {
            most = sum / n;
            best = c;
        }
    }
    return best;
}

void mx_tuning_choose(struct mx_tuning *t)
{
    int library = best_of_library(t);
    for (int p = 0; p < t->product_count; p++)
        t->chosen[p] = t->candidate_count && speed(t, 0, p) > 0 &&
                       (!t->candidate[0].provider->set || library == 0) ? 0 : -1;
    for (int used = 0; used < USED_MAX; used++) {
        int best = -1;
        double most = 0;
        for (int c = 0; c < t->candidate_count; c++) {
            double sum = 0;
            if (t->candidate[c].provider->set && c != library)
                continue;
            for (int p = 0; p < t->product_count; p++)
                sum += gain(t, c, p);
            if (sum > most) {
                most = sum;
                best = c;
            }
        }
        if (best < 0)
            break;
        for (int p = 0; p < t->product_count; p++)
            if (gain(t, best, p) > 0)
                t->chosen[p] = best;
    }
}

/* ---- what others measured, and questions ------------------------------------------------------------------------- */

void mx_tuning_record(struct mx_tuning *t, int c, int product, double gflops)
{
    if (c >= 0 && c < t->candidate_count && product >= 0 && product < t->product_count && gflops >= 0 && gflops <= 1e9)
        t->candidate[c].gflops[product] = gflops;
}

void mx_tuning_record_peak(struct mx_tuning *t, double gflops)
{
    t->peak = gflops >= 0 && gflops <= 1e9 ? gflops : 0;
}

void mx_tuning_refuse(struct mx_tuning *t, int c, const char *reason)
{
    char *out = t->candidate[c].refused;
    snprintf(out, REASON_MAX, "%s", reason[0] ? reason : "no reason was told");
    for (char *byte = out; *byte; byte++) /* JSON is UTF-8, and a driver's words may be anything */
        if ((unsigned char)*byte < ' ' || (unsigned char)*byte > '~')
            *byte = '?';
}

int mx_tuning_products(const struct mx_tuning *t)
{
    return t->product_count;
}

int mx_tuning_candidates(const struct mx_tuning *t)
{
    return t->own_count;
}

const struct mx_product *mx_tuning_product(const struct mx_tuning *t, int p)
{
    return &t->product[p];
}

const char *mx_tuning_text(const struct mx_tuning *t, int c, char *out)
{
    return gemm_text(t->candidate[c].provider, t->candidate[c].param, out);
}

bool mx_tuning_done(const struct mx_tuning *t, int c)
{
    for (int p = 0; p < t->product_count; p++)
        if (isnan(t->candidate[c].gflops[p]) && !t->candidate[c].refused[0])
            return false;
    return true;
}

const char *mx_tuning_refused(const struct mx_tuning *t, int c)
{
    return t->candidate[c].refused[0] ? t->candidate[c].refused : NULL;
}

double mx_tuning_gflops(const struct mx_tuning *t, int c, int p)
{
    return t->candidate[c].gflops[p];
}

double mx_tuning_peak(const struct mx_tuning *t)
{
    return t->peak;
}

int mx_tuning_chosen(const struct mx_tuning *t, int p)
{
    return t->chosen[p];
}

const char *mx_tuning_path(const struct mx_tuning *t)
{
    return t->path;
}
