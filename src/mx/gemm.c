/* The table of GEMM providers, and the call that checks shapes and passes on. */
#include "inside.h"
#include "tuning.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct gemm_provider *const providers[] = {&gemm_plain, &gemm_clblast, &gemm_tile};

const char *mx_gemm_provider(int i)
{
    return i >= 0 && (size_t)i < COUNT_OF(providers) ? providers[i]->name : NULL;
}

const struct gemm_provider *gemm_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(providers); i++)
        if (strcmp(providers[i]->name, name) == 0)
            return providers[i];
    return NULL;
}

static const char *provider_name(const void *unused, size_t i)
{
    (void)unused;
    return mx_gemm_provider((int)i);
}

enum st gemm_unknown(const char *word, size_t len)
{
    char name[64], unknown[SHOW_UNKNOWN_MAX];
    snprintf(name, sizeof name, "%.*s", (int)len, word);
    return st_fail(ST_INPUT, "%s", show_unknown(unknown, sizeof unknown, "GEMM provider", name, provider_name, NULL));
}

const struct gemm_provider *gemm_default(const struct ocl_facts *f)
{
    return f->kind != OCL_CPU ? &gemm_clblast : mx_vector_width(f) > 1 ? &gemm_tile : &gemm_plain;
}

int gemm_param_count(const struct gemm_provider *provider)
{
    int n = 0;
    while (provider->params && provider->params[n].name)
        n++;
    return n;
}

const char *gemm_text(const struct gemm_provider *provider, const int *param, char *out)
{
    int used = snprintf(out, MX_TEXT_MAX, "%s", provider->name);
    for (int i = 0; i < gemm_param_count(provider) && used < MX_TEXT_MAX; i++)
        if (param[i] != provider->params[i].value[0])
            used += snprintf(out + used, (size_t)(MX_TEXT_MAX - used), " %s=%d", provider->params[i].name, param[i]);
    return out;
}

const char *mx_gemm_name(const struct mx *m)
{
    return m->gemm_name;
}

enum st gemm_use(struct mx *m, const struct gemm_provider *provider, const int *param)
{
    struct gemm_how *how = &m->how[m->how_count++];
    size_t len = strlen(m->gemm_name);
    bool known = false;
    *how = (struct gemm_how){.provider = provider};
    for (int i = 0; i < gemm_param_count(provider); i++)
        how->param[i] = param ? param[i] : provider->params[i].value[0];
    for (int i = 0; i + 1 < m->how_count; i++)
        known = known || m->how[i].provider == provider;
    if (!known)
        snprintf(m->gemm_name + len, sizeof m->gemm_name - len, "%s%s", len ? "+" : "", provider->name);
    return param && provider->set ? provider->set(m, how) : ST_OK;
}

/* One "name=value" of a provider's text. */
static enum st read_param(const struct gemm_provider *provider, const char *word, size_t len, int *param)
{
    for (int i = 0; i < gemm_param_count(provider); i++) {
        const struct gemm_param *known = &provider->params[i];
        size_t name = strlen(known->name);
        if (len <= name || strncmp(word, known->name, name) != 0 || word[name] != '=')
            continue;
        for (int v = 0; v < known->count; v++) {
            char text[16];
            int n = snprintf(text, sizeof text, "%d", known->value[v]);
            if ((size_t)n == len - name - 1 && strncmp(text, word + name + 1, (size_t)n) == 0) {
                param[i] = known->value[v];
                return ST_OK;
            }
        }
        char values[96] = "";
        for (int v = 0, used = 0; v < known->count; v++)
            used += snprintf(values + used, sizeof values - (size_t)used, " %d", known->value[v]);
        return st_fail(ST_INPUT, "GEMM provider %s: '%.*s': %s can be%s", provider->name, (int)len, word, known->name,
                       values);
    }
    return st_fail(ST_INPUT, "GEMM provider %s has no parameter '%.*s'", provider->name, (int)len, word);
}

/* A provider as gemm_text() writes it: its name, and parameters that are not the default. */
static enum st read_provider(struct mx *m, const char *text, const struct gemm_provider **out, int *param)
{
    enum st s = ST_OK;
    char name[32];
    size_t len = strcspn(text, " ");
    snprintf(name, sizeof name, "%.*s", len < sizeof name ? (int)len : 0, text);
    *out = gemm_find(name);
    if (!*out)
        return gemm_unknown(text, len);
    for (int i = 0; i < gemm_param_count(*out); i++)
        param[i] = (*out)->params[i].value[0];
    for (text += len; *(text += strspn(text, " ")); text += len) {
        len = strcspn(text, " ");
        TRY(read_param(*out, text, len, param));
    }
    const char *why = (*out)->refuse ? (*out)->refuse(ocl_device_facts(ocl_queue_device(m->queue)), param) : NULL;
    if (why)
        TRY(st_fail(ST_INPUT, "GEMM provider %s: %s", name, why));
out:
    return s;
}

enum st mx_choose_gemm(struct mx *m, const char *provider)
{
    const struct gemm_provider *known;
    int param[GEMM_PARAMS_MAX] = {0};
    snprintf(m->tuning_note, sizeof m->tuning_note, "not tuned: defaults");
    if (!provider)
        return tuning_apply(m);
    enum st s = read_provider(m, provider, &known, param);
    return s != ST_OK ? s : gemm_use(m, known, param);
}

static enum st prepare(struct mx *m, const struct gemm_call *g)
{
    enum st s = ST_OK;
    for (int i = 0; i < m->how_count; i++)
        TRY(m->how[i].provider->prepare(m, &m->how[i], g));
out:
    return s;
}

enum st mx_gemm_prepare(struct mx *m)
{
    enum st s = ST_OK;
    for (int form = 0; form < 4; form++)
        TRY(prepare(m, &(struct gemm_call){.trans_a = form & 1, .trans_b = form >> 1}));
out:
    return s;
}

/* What a product is computed with: as the nearest that was measured, in powers of two of its sides. */
static int how_index(const struct mx *m, bool trans_a, bool trans_b, int M, int N, int K)
{
    bool both = trans_a && trans_b; /* rare: as NN */
    float at[3], least = INFINITY;
    int how = 0;
    if (!m->tuned_count)
        return 0;
    for (int i = 0; i < 3; i++)
        at[i] = log2f((float)(i == 0 ? M : i == 1 ? N : K));
    for (const struct tuned *t = m->tuned; t < m->tuned + m->tuned_count; t++) {
        float d = 0;
        if (t->trans_a != (trans_a && !both) || t->trans_b != (trans_b && !both))
            continue;
        for (int i = 0; i < 3; i++)
            d += (t->log2[i] - at[i]) * (t->log2[i] - at[i]);
        if (d < least) {
            least = d;
            how = t->how;
        }
    }
    return how;
}

static struct gemm_how *how_of(struct mx *m, const struct gemm_call *g)
{
    return &m->how[how_index(m, g->trans_a, g->trans_b, g->M, g->N, g->K)];
}

const char *mx_gemm_choice(const struct mx *m, const struct mx_product *p, char *out)
{
    const struct gemm_how *how = &m->how[how_index(m, p->trans_a, p->trans_b, p->M, p->N, p->K)];
    return gemm_text(how->provider, how->param, out);
}

enum st mx_gemm_scratch(struct mx *m, bool trans_a, bool trans_b, int M, int N, int K, size_t *floats)
{
    *floats = 0;
    struct gemm_call g = {.trans_a = trans_a, .trans_b = trans_b, .M = M, .N = N, .K = K};
    g.a.ld = trans_a ? M : K;
    g.b.ld = trans_b ? K : N;
    g.c.ld = N;
    enum st s = ST_OK;
    /* of all, for a last batch with fewer rows may be nearest to another measured product */
    for (int i = 0; i < m->how_count; i++) {
        size_t more = 0;
        if (m->how[i].provider->scratch)
            TRY(m->how[i].provider->scratch(m, &m->how[i], &g, &more));
        *floats = more > *floats ? more : *floats;
    }
out:
    return s;
}

/* Checks and fills in the shape, chooses, runs; an epilogue that the provider does not know is a call of its own. */
static enum st run_product(struct mx *m, struct gemm_call *g)
{
    enum st s = ST_OK;
    struct mx_tensor a = g->a, b = g->b;
    g->M = g->c.rows;
    g->N = g->c.cols;
    g->K = g->trans_a ? a.rows : a.cols;
    if ((g->trans_a ? a.cols : a.rows) != g->M || (g->trans_b ? b.cols : b.rows) != g->K ||
        (g->trans_b ? b.rows : b.cols) != g->N)
        return st_fail(ST_INTERNAL, "product of shapes (%d, %d)%s and (%d, %d)%s into (%d, %d)", a.rows, a.cols,
                       g->trans_a ? "^T" : "", b.rows, b.cols, g->trans_b ? "^T" : "", g->c.rows, g->c.cols);
    struct gemm_how *how = how_of(m, g);
    enum gemm_epilogue apart = how->provider->epilogues ? GEMM_NOTHING : g->epilogue;
    ocl_trace_work(m->queue, 2.0 * g->M * g->N * g->K,
                   4.0 * ((double)mx_size(a) + (double)mx_size(b) + (double)mx_size(g->c)));
    TRY(how->provider->run(m, how, g));
    switch (apart) {
    case GEMM_BIAS_ACT:
        return mx_bias_act(m, g->phi, g->c, g->extra, g->c);
    case GEMM_ACT_BACKWARD:
        return mx_act_backward(m, g->phi, g->extra, g->c, g->c);
    case GEMM_ROW_SUMS:
        return mx_column_sum(m, g->alpha, a, 0, g->extra); /* op(A) = A^T */
    case GEMM_NOTHING:
    case GEMM_EPILOGUES:
        break;
    }
out:
    return s;
}

enum st mx_gemm(struct mx *m, bool trans_a, bool trans_b, float alpha, struct mx_tensor a, struct mx_tensor b,
                float beta, struct mx_tensor c)
{
    return run_product(m, &(struct gemm_call){.trans_a = trans_a, .trans_b = trans_b, .alpha = alpha, .beta = beta,
                                              .a = a, .b = b, .c = c});
}

/* ---- dense layers ------------------------------------------------------------------------------------------------ */

enum st mx_dense_prepare(struct mx *m, enum mx_act act)
{
    enum st s = ST_OK;
    const struct mx_activation phi = {.kind = act};
    TRY(prepare(m, &(struct gemm_call){.trans_b = true, .epilogue = GEMM_BIAS_ACT, .phi = phi}));
    TRY(prepare(m, &(struct gemm_call){.trans_a = true, .epilogue = GEMM_ROW_SUMS}));
    TRY(prepare(m, &(struct gemm_call){.epilogue = GEMM_NOTHING}));
    if (act != MX_IDENTITY)
        TRY(prepare(m, &(struct gemm_call){.epilogue = GEMM_ACT_BACKWARD, .phi = phi}));
    TRY(mx_prepare(m, MX_BIAS, act));
    TRY(mx_prepare(m, MX_ACTIVATION, act));
    TRY(mx_prepare(m, MX_COLUMNS, MX_IDENTITY));
out:
    return s;
}

enum st mx_dense_scratch(struct mx *m, int B, int in, int out, size_t *floats)
{
    const int form[3][3] = {{B, out, in}, {out, in, B}, {B, in, out}};
    enum st s = ST_OK;
    *floats = mx_columns_scratch(B, out);
    for (int i = 0; i < 3; i++) {
        size_t n;
        TRY(mx_gemm_scratch(m, i == 1, i == 0, form[i][0], form[i][1], form[i][2], &n));
        *floats = n > *floats ? n : *floats;
    }
out:
    return s;
}

enum st mx_dense_forward(struct mx *m, struct mx_activation phi, struct mx_tensor x, struct mx_tensor w,
                         struct mx_tensor bias, struct mx_tensor y)
{
    return run_product(m, &(struct gemm_call){.trans_b = true, .alpha = 1, .a = x, .b = w, .c = y,
                                              .epilogue = GEMM_BIAS_ACT, .phi = phi, .extra = bias});
}

enum st mx_dense_backward_params(struct mx *m, struct mx_tensor da, struct mx_tensor x, struct mx_tensor dw,
                                 struct mx_tensor dbias)
{
    return run_product(m, &(struct gemm_call){.trans_a = true, .alpha = 1.0f / (float)da.rows, .a = da, .b = x, .c = dw,
                                              .epilogue = GEMM_ROW_SUMS, .extra = dbias});
}

enum st mx_dense_backward_input(struct mx *m, struct mx_activation phi, struct mx_tensor da, struct mx_tensor w,
                                struct mx_tensor x, struct mx_tensor dx)
{
    bool act = phi.kind != MX_IDENTITY;
    return run_product(m, &(struct gemm_call){.alpha = 1, .a = da, .b = w, .c = dx, .phi = phi, .extra = x,
                                              .epilogue = act ? GEMM_ACT_BACKWARD : GEMM_NOTHING});
}
