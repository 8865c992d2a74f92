/* What clutch tune and clutch devices say about tuning, and the quick tune at first use. */
#include "tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- progress ---------------------------------------------------------------------------------------------------- */

static int done_count(const struct mx_tuning *t)
{
    int n = 0;
    for (int c = 0; c < mx_tuning_candidates(t); c++)
        n += mx_tuning_done(t, c);
    return n;
}

void tune_show_device(const struct tune *w, const struct mx_tuning *t, const struct ocl_facts *f, const char *device)
{
    int n = mx_tuning_candidates(t), done = done_count(t);
    if (w->json)
        return;
    output("%s %s: %d candidate%s, %d product%s", device, f->name, n, plural((uint64_t)n), mx_tuning_products(t),
           plural((uint64_t)mx_tuning_products(t)));
    if (done)
        output("; %d candidate%s known%s", done, done == 1 ? " is" : "s are",
               done == n ? " (--fresh measures them anew)" : "");
    output("\n");
    if (done < n)
        output("  %-7s %-44s %9s  %s\n", "", "candidate", "fastest", "to the default");
    fflush(stdout);
}

/* The mean speed over the products that both were measured at, relative to candidate 0; NAN where there is none. */
static double to_default(const struct mx_tuning *t, int c)
{
    double sum = 0;
    int n = 0;
    for (int p = 0; p < mx_tuning_products(t); p++) {
        double mine = mx_tuning_gflops(t, c, p), other = mx_tuning_gflops(t, 0, p);
        if (mine > 0 && other > 0) {
            sum += log(mine / other);
            n++;
        }
    }
    return n ? exp(sum / n) : NAN;
}

static void show_place(const struct mx_tuning *t, int c, char out[64])
{
    char text[MX_TEXT_MAX];
    mx_tuning_text(t, c, text);
    snprintf(out, 64, "%3d/%-3d %-.44s%s", c + 1, mx_tuning_candidates(t), text, strlen(text) > 44 ? ".." : "");
}

void tune_show_start(const struct tune *w, const struct mx_tuning *t, int c)
{
    char place[64];
    if (w->json)
        return;
    show_place(t, c, place);
    status_line("  %s ...", place);
}

void tune_show_candidate(const struct tune *w, const struct mx_tuning *t, int c)
{
    char place[64];
    double most = 0, relative = to_default(t, c);
    if (w->json)
        return;
    for (int p = 0; p < mx_tuning_products(t); p++)
        most = fmax(most, mx_tuning_gflops(t, c, p)); /* NAN is passed over */
    show_place(t, c, place);
    output("  %-52s ", place);
    if (mx_tuning_refused(t, c))
        output("refused: %s\n", mx_tuning_refused(t, c));
    else if (isnan(relative))
        output("%9.1f\n", most);
    else
        output("%9.1f  x %.2f\n", most, relative);
    fflush(stdout);
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static void print_choices(const struct mx_tuning *t)
{
    double peak = mx_tuning_peak(t);
    output("  %-16s %-3s %9s %9s%s  %s\n", "MxNxK", "", "GFLOP/s", "default", peak > 0 ? "   of peak" : "", "with");
    for (int p = 0; p < mx_tuning_products(t); p++) {
        const struct mx_product *q = mx_tuning_product(t, p);
        int c = mx_tuning_chosen(t, p);
        char shape[48], text[MX_TEXT_MAX];
        if (c < 0)
            continue;
        snprintf(shape, sizeof shape, "%dx%dx%d", q->M, q->N, q->K);
        output("  %-16s %-3s %9.1f ", shape, mx_form_name(q), mx_tuning_gflops(t, c, p));
        if (mx_tuning_gflops(t, 0, p) > 0 && !mx_tuning_refused(t, 0))
            output("%9.1f", mx_tuning_gflops(t, 0, p));
        else
            output("%9s", "-");
        if (peak > 0)
            output("  %6.0f %%", 100 * mx_tuning_gflops(t, c, p) / peak);
        output("   %s\n", mx_tuning_text(t, c, text));
    }
}

static int refused_count(const struct mx_tuning *t)
{
    int n = 0;
    for (int c = 0; c < mx_tuning_candidates(t); c++)
        n += mx_tuning_refused(t, c) != NULL;
    return n;
}

static json_t *choices_json(const struct mx_tuning *t)
{
    json_t *rows = json_array();
    for (int p = 0; p < mx_tuning_products(t); p++) {
        const struct mx_product *q = mx_tuning_product(t, p);
        int c = mx_tuning_chosen(t, p);
        char text[MX_TEXT_MAX];
        if (c < 0)
            continue;
        json_t *row = json_pack("{s:s, s:i, s:i, s:i, s:s, s:f}", "form", mx_form_name(q), "m", q->M, "n", q->N, "k",
                                q->K, "choice", mx_tuning_text(t, c, text), "gflops", mx_tuning_gflops(t, c, p));
        if (mx_tuning_gflops(t, 0, p) > 0)
            json_put(&row, "default_gflops", json_real(mx_tuning_gflops(t, 0, p)));
        json_push(&rows, row);
    }
    return rows;
}

enum st tune_show_result(const struct tune *w, const struct mx_tuning *t, const char *device, bool complete,
                         double seconds)
{
    int n = mx_tuning_candidates(t), done = done_count(t);
    if (!w->json) {
        print_choices(t);
        output("  %s in %.0f s: %s\n", complete ? "complete" : "stopped, the next start goes on; so far", seconds,
               mx_tuning_path(t));
        return ST_OK;
    }
    return json_print(json_pack("{s:s, s:o, s:b, s:f, s:i, s:i, s:i, s:f, s:o}", "device", device, "file",
                                json_foreign(mx_tuning_path(t)), "complete", (int)complete, "seconds", seconds,
                                "candidates", n, "tried", done, "refused", refused_count(t), "peak_gflops",
                                mx_tuning_peak(t), "products", choices_json(t)));
}

/* ---- clutch devices ---------------------------------------------------------------------------------------------- */

void tuned_show(const struct ocl_facts *f, char *out, size_t size)
{
    struct mx_tuned u;
    char share[32] = "";
    mx_tuned_find(f, &u);
    if (u.kind == MX_NOT_TUNED) {
        snprintf(out, size, "not tuned: `clutch tune --devices %d:%d`", f->platform, f->index);
        return;
    }
    const char *space = strchr(u.choice, ' '); /* parameters are for the file */
    if (u.peak_gflops > 0)
        snprintf(share, sizeof share, " (%.0f %% of peak)", 100 * u.gflops / u.peak_gflops);
    int n = u.kind == MX_TUNED ? snprintf(out, size, "tuned%s on %s", u.quick ? " quickly" : "", u.date)
                               : snprintf(out, size, "not tuned, uses that of %s (same family)", u.device);
    if (n > 0 && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, ": %.0f GFLOP/s%s at %dx%dx%d with %.*s", u.gflops, share, u.product.M,
                 u.product.N, u.product.K, (int)(space ? space - u.choice : (long)strlen(u.choice)), u.choice);
}

json_t *tuned_json(const struct ocl_facts *f)
{
    static const char *const kind[] = {[MX_NOT_TUNED] = "no", [MX_TUNED_FAMILY] = "family", [MX_TUNED] = "exact"};
    struct mx_tuned u;
    mx_tuned_find(f, &u);
    if (u.kind == MX_NOT_TUNED)
        return json_pack("{s:s}", "kind", kind[u.kind]);
    return json_pack("{s:s, s:s, s:s, s:b, s:s, s:[i, i, i], s:s, s:f, s:f}", "kind", kind[u.kind], "device", u.device,
                     "date", u.date, "quick", (int)u.quick, "choice", u.choice, "shape", u.product.M, u.product.N,
                     u.product.K, "form", mx_form_name(&u.product), "gflops", u.gflops, "peak_gflops", u.peak_gflops);
}

/* ---- first use --------------------------------------------------------------------------------------------------- */

static enum st tune_quickly(struct ocl_device *device, struct mx_tuning *t)
{
    enum { SECONDS = 3 };
    enum st s = ST_OK;
    struct ocl_queue *q = NULL;
    uint64_t start = clock_ns();
    TRY(ocl_queue_open(device, &q));
    TRY(mx_tuning_run_quick(t, q, SECONDS));
    TRY(mx_tuning_save(t, true));
    note("measured products on %s in %.1f s, once; `clutch tune` does it thoroughly", ocl_device_label(device),
         (double)(clock_ns() - start) * 1e-9);
out:
    ocl_queue_close(q);
    return s;
}

enum st tune_at_first_use(struct ocl_device *device, bool no)
{
    enum st s = ST_OK;
    const char *wish = getenv("CLUTCH_TUNE");
    const struct ocl_facts *f = ocl_device_facts(device);
    struct mx_tuned known;
    struct mx_tuning *t = NULL;
    if (no || (wish && strcmp(wish, "off") == 0))
        return ST_OK;
    mx_tuned_find(f, &known);
    if (known.begun)
        return ST_OK;
    TRY(mx_tuning_open(f, true, true, cmd_version(), &t));
    /* written first: where it cannot be, measuring is in vain; and where measuring takes the driver down, the next
     * start does not try again */
    s = mx_tuning_save(t, false);
    if (s == ST_OK)
        s = tune_quickly(device, t);
    if (s == ST_SYSTEM) {
        note("products are not tuned: %s", st_message());
        s = ST_OK;
    }
out:
    mx_tuning_free(t);
    return s;
}
