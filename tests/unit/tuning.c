/* Tuning: files written and read back, damaged and hostile ones, which file counts, which row, and what is chosen. */
#include "support/check.h"
#include "support/device.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const root_start =
    "{\"format\": 1, \"device\": \"%s\", \"platform\": \"%s, %s\", \"driver\": \"%s\", \"units\": %u, "
    "\"family\": \"%s / %s / vectors of %u\", \"clutch\": \"x\", \"date\": \"2026-11-22T10:00:00Z\", "
    "\"effort\": \"full\", \"complete\": true, \"peak_gflops\": 100, \"products\": [";

static char notes[4096];

static void hear(const char *line)
{
    size_t used = strlen(notes);
    snprintf(notes + used, sizeof notes - used, "%s\n", line);
}

static const struct ocl_facts *facts(void)
{
    return ocl_device_facts(ocl_queue_device(device_queue()));
}

/* An empty folder of configuration. */
static int start(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s/clutch'", check_folder());
    assert_int_equal(system(command), 0);
    assert_int_equal(setenv("XDG_CONFIG_HOME", check_folder(), 1), 0);
    notes[0] = '\0';
    note_to(hear);
    return 0;
}

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/clutch/tune/%s", check_folder(), name);
    OK(trust_write(path, text, strlen(text), true));
}

/* A file for `device` with these rows; another driver where it is not the exact one. */
static void put_rows(const char *name, const char *device, const char *rows)
{
    const struct ocl_facts *f = facts();
    struct text out = {0};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    text_add(&out, root_start, device ? device : f->name, f->platform_name, f->platform_version, f->driver,
             f->compute_units, f->platform_name, ocl_kind_name(f->kind), f->vector_width);
#pragma GCC diagnostic pop
    text_add(&out, "%s]}", rows);
    OK(text_status(&out));
    put(name, out.s);
    text_free(&out);
}

#define ROW(form, m, n, k, provider, parameters)                                                                      \
    "{\"form\": \"" form "\", \"m\": " #m ", \"n\": " #n ", \"k\": " #k ", \"provider\": \"" provider                  \
    "\", \"parameters\": {" parameters "}, \"gflops\": 10}"

static struct mx *open_mx(void)
{
    struct mx *m = NULL;
    OK(mx_open(device_queue(), NULL, &m));
    return m;
}

static void check_choice(const struct mx *m, bool trans_a, bool trans_b, int M, int N, int K, const char *want)
{
    char text[MX_TEXT_MAX];
    struct mx_product p = {trans_a, trans_b, M, N, K};
    assert_string_equal(mx_gemm_choice(m, &p, text), want);
}

/* ---- a tuning with made-up speeds -------------------------------------------------------------------------------- */

static struct mx_tuning *made_up(bool quick, double second)
{
    struct mx_tuning *t = NULL;
    OK(mx_tuning_open(facts(), quick, true, "test", &t));
    OK(mx_tuning_add_products(t));
    OK(mx_tuning_add_candidates(t, NULL));
    assert_true(mx_tuning_candidates(t) >= 2 && mx_tuning_products(t) >= 21);
    for (int p = 0; p < mx_tuning_products(t); p++) {
        mx_tuning_record(t, 0, p, 100);
        mx_tuning_record(t, 1, p, p == 3 ? second : 50);
    }
    mx_tuning_choose(t);
    return t;
}

static void test_round_trip(void **state)
{
    (void)state;
    char want[MX_TEXT_MAX], other[MX_TEXT_MAX];
    struct mx_tuned found;
    struct mx_tuning *t = made_up(true, 200), *again = NULL;
    mx_tuning_record_peak(t, 400);
    OK(mx_tuning_save(t, true));
    struct mx *m = open_mx();
    assert_non_null(strstr(mx_tuning_note(m), "tuned for this device on 20"));
    for (int p = 0; p < mx_tuning_products(t); p++) {
        const struct mx_product *q = mx_tuning_product(t, p);
        assert_int_equal(mx_tuning_chosen(t, p), p == 3);
        assert_string_equal(mx_gemm_choice(m, q, other), mx_tuning_text(t, p == 3, want));
    }
    mx_close(m);
    mx_tuned_find(facts(), &found);
    assert_int_equal(found.kind, MX_TUNED);
    assert_true(found.begun && found.quick && found.gflops == 100 && found.peak_gflops == 400);
    assert_int_equal(found.product.M, 1024);
    OK(mx_tuning_open(facts(), true, false, "test", &again));
    OK(mx_tuning_add_products(again));
    OK(mx_tuning_add_product(again, (struct mx_product){false, false, 7, 8, 9}));
    OK(mx_tuning_add_candidates(again, NULL));
    OK(mx_tuning_resume(again));
    assert_true(mx_tuning_gflops(again, 1, 3) == 200 && mx_tuning_peak(again) == 400);
    assert_true(isnan(mx_tuning_gflops(again, 1, 21)));
    assert_false(mx_tuning_done(again, 1)); /* a product more */
    assert_int_equal(mx_tuning_chosen(again, 3), 1);
    mx_tuning_free(again);
    mx_tuning_free(t);
    assert_string_equal(notes, "");
}

/* Short measurements do not stand in for thorough ones; and --fresh forgets. */
static void test_what_is_not_resumed(void **state)
{
    (void)state;
    struct mx_tuning *t = made_up(true, 200);
    OK(mx_tuning_save(t, true));
    mx_tuning_free(t);
    for (int fresh = 0; fresh < 2; fresh++) {
        OK(mx_tuning_open(facts(), fresh, fresh, "test", &t));
        OK(mx_tuning_add_products(t));
        OK(mx_tuning_add_candidates(t, NULL));
        OK(mx_tuning_resume(t));
        assert_true(isnan(mx_tuning_gflops(t, 0, 0)));
        mx_tuning_free(t);
    }
}

static void test_choice_is_not_noise(void **state)
{
    (void)state;
    for (int percent = 103; percent <= 107; percent += 4) {
        struct mx_tuning *t = made_up(true, percent);
        assert_int_equal(mx_tuning_chosen(t, 3), percent > 105);
        mx_tuning_refuse(t, 1, "bad\nwords \xff");
        mx_tuning_choose(t);
        assert_int_equal(mx_tuning_chosen(t, 3), 0);
        assert_string_equal(mx_tuning_refused(t, 1), "bad?words ?");
        mx_tuning_refuse(t, 0, "");
        mx_tuning_choose(t);
        assert_int_equal(mx_tuning_chosen(t, 3), -1);
        mx_tuning_free(t);
    }
}

/* However many are a little faster somewhere, few are used, and of CLBlast one set of parameters. */
static void test_few_are_chosen(void **state)
{
    (void)state;
    struct mx_tuning *t = NULL;
    struct mx *m;
    int sets = 0, used = 0;
    bool seen[256] = {false};
    OK(mx_tuning_open(facts(), false, true, "test", &t));
    OK(mx_tuning_add_products(t));
    OK(mx_tuning_add_candidates(t, NULL));
    for (int c = 0; c < mx_tuning_candidates(t); c++) {
        char text[MX_TEXT_MAX];
        bool library = strncmp(mx_tuning_text(t, c, text), "clblast", 7) == 0;
        for (int p = 0; p < mx_tuning_products(t); p++)
            mx_tuning_record(t, c, p, (library ? 200 : 100) + (c + 7 * p) % 19 * 10);
    }
    mx_tuning_choose(t);
    for (int p = 0; p < mx_tuning_products(t); p++)
        seen[mx_tuning_chosen(t, p)] = true;
    for (int c = 0; c < mx_tuning_candidates(t); c++) {
        char text[MX_TEXT_MAX];
        used += seen[c];
        sets += seen[c] && strncmp(mx_tuning_text(t, c, text), "clblast", 7) == 0;
    }
    assert_in_range(used, 1, 5);
    assert_int_equal(sets, 1);
    OK(mx_tuning_save(t, true));
    m = open_mx(); /* it takes what was written */
    assert_non_null(strstr(mx_tuning_note(m), "tuned for this device"));
    assert_string_equal(notes, "");
    mx_close(m);
    mx_tuning_free(t);
}

/* ---- which file, which row --------------------------------------------------------------------------------------- */

static void test_nearest_product(void **state)
{
    (void)state;
    struct mx *m = open_mx();
    char otherwise[MX_TEXT_MAX];
    assert_string_equal(mx_tuning_note(m), "not tuned: defaults");
    mx_gemm_choice(m, &(struct mx_product){false, true, 1, 1, 1}, otherwise);
    mx_close(m);
    put_rows("any.json", NULL,
             ROW("NN", 16, 16, 16, "plain", "\"rows\": 2") "," ROW("NN", 1024, 1024, 1024, "plain", "\"rows\": 16") ","
             ROW("NN", 1, 1024, 1024, "plain", "") "," ROW("TN", 64, 64, 64, "plain", "\"rows\": 4, \"group\": 16"));
    m = open_mx();
    check_choice(m, false, false, 16, 16, 16, "plain rows=2");
    check_choice(m, false, false, 1024, 1024, 1024, "plain rows=16");
    check_choice(m, false, false, 120, 120, 120, "plain rows=2"); /* below 128, the middle */
    check_choice(m, false, false, 140, 140, 140, "plain rows=16");
    check_choice(m, false, false, 2, 900, 1100, "plain");
    check_choice(m, true, true, 20, 10, 16, "plain rows=2"); /* both transposed: as none */
    check_choice(m, true, false, 1, 1, 100000, "plain rows=4 group=16");
    check_choice(m, false, true, 16, 16, 16, otherwise); /* no row of that form */
    mx_close(m);
    OK(mx_open(device_queue(), "plain", &m)); /* who names a provider gets it, as it is */
    check_choice(m, false, false, 16, 16, 16, "plain");
    assert_string_equal(mx_gemm_name(m), "plain");
    mx_close(m);
}

/* Each of the three sides tells rows apart that are equal in the other two. */
static void test_every_side_counts(void **state)
{
    (void)state;
    put_rows("any.json", NULL,
             ROW("NN", 64, 64, 64, "plain", "\"rows\": 2") "," ROW("NN", 4096, 64, 64, "plain", "\"rows\": 8") ","
             ROW("NN", 64, 4096, 64, "plain", "\"rows\": 16") "," ROW("NN", 64, 64, 4096, "plain", ""));
    struct mx *m = open_mx();
    check_choice(m, false, false, 64, 64, 64, "plain rows=2");
    check_choice(m, false, false, 1024, 64, 64, "plain rows=8");
    check_choice(m, false, false, 64, 1024, 64, "plain rows=16");
    check_choice(m, false, false, 64, 64, 1024, "plain");
    check_choice(m, false, false, 256, 256, 256, "plain rows=2");
    mx_close(m);
}

/* The exact device's file comes before its family's, a file of the same name of device before others. */
static void test_family(void **state)
{
    (void)state;
    struct mx_tuned found;
    const struct ocl_facts *f = facts();
    struct ocl_facts other = *f;
    put_rows("b.json", "brother", ROW("NN", 16, 16, 16, "plain", "\"rows\": 2"));
    put_rows("a.json", "\\u0041nother", ROW("NN", 16, 16, 16, "plain", "\"rows\": 4"));
    struct mx *m = open_mx();
    check_choice(m, false, false, 9, 9, 9, "plain rows=4"); /* first by name */
    assert_string_equal(mx_tuning_note(m), "tuned on Another of the same family");
    mx_close(m);
    mx_tuned_find(f, &found);
    assert_int_equal(found.kind, MX_TUNED_FAMILY);
    assert_false(found.begun);
    put_rows("z.json", NULL, ROW("NN", 16, 16, 16, "plain", "\"rows\": 8"));
    m = open_mx();
    check_choice(m, false, false, 9, 9, 9, "plain rows=8");
    assert_string_equal(mx_tuning_note(m), "tuned for this device on 2026-11-22");
    mx_close(m);
    mx_tuned_find(f, &found);
    assert_true(found.kind == MX_TUNED && found.begun && !found.quick);
    other.compute_units++; /* a part of a device is another one, of the family */
    mx_tuned_find(&other, &found);
    assert_int_equal(found.kind, MX_TUNED_FAMILY);
    assert_string_equal(found.device, f->name);
    other = *f;
    snprintf(other.driver, sizeof other.driver, "other");
    mx_tuned_find(&other, &found);
    assert_int_equal(found.kind, MX_TUNED_FAMILY);
    other = *f;
    snprintf(other.platform_version, sizeof other.platform_version, "other");
    mx_tuned_find(&other, &found);
    assert_int_equal(found.kind, MX_TUNED_FAMILY);
    other = *f;
    snprintf(other.platform_name, sizeof other.platform_name, "other");
    mx_tuned_find(&other, &found);
    assert_int_equal(found.kind, MX_NOT_TUNED);
    assert_string_equal(notes, "");
}

/* ---- files not to be believed ------------------------------------------------------------------------------------ */

static void check_refused(const char *words)
{
    notes[0] = '\0';
    note_to(hear); /* and forgets what was said */
    struct mx *m = open_mx(); /* a run goes on */
    assert_string_equal(mx_tuning_note(m), "not tuned: defaults");
    mx_close(m);
    if (!strstr(notes, "clutch/tune/x.json") || !strstr(notes, words))
        fail_msg("wanted a note with \"%s\", got: %s", words, notes);
}

/* A file says what library code is compiled and run. */
static void test_files_of_others(void **state)
{
    (void)state;
    struct mx_tuned found;
    char folder[256], path[300];
    snprintf(folder, sizeof folder, "%s/clutch/tune", check_folder());
    snprintf(path, sizeof path, "%s/x.json", folder);
    put_rows("x.json", NULL, ROW("NN", 1, 1, 1, "plain", ""));
    mx_tuned_find(facts(), &found);
    assert_int_equal(found.kind, MX_TUNED);
    assert_int_equal(chmod(path, 0622), 0);
    check_refused("x.json is not used, for others can write to it");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    notes[0] = '\0';
    for (int i = 0; i < 2; i++) {
        mx_tuned_find(facts(), &found);
        assert_int_equal(found.kind, MX_NOT_TUNED);
    }
    const char *said = strstr(notes, "clutch/tune is not used, for others can write to it (mode 0777)");
    assert_true(said && !strstr(strchr(said, '\n'), "is not used")); /* once */
    struct mx_tuning *t = made_up(true, 200);
    FAILS(ST_INPUT, "for others can write to it", mx_tuning_save(t, true));
    mx_tuning_free(t);
}

static void test_refused_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } whole[] = {
        {"", "x.json:1: "},
        {"{\"format\": 1", "x.json:1: "},
        {"[]", "it is no tuning file"},
        {"{\"format\": 2}", "format 2, this program knows 1"},
        {"{\"format\": \"1\"}", "it is no tuning file"},
        {"{\"format\": 1, \"format\": 1}", "duplicate"},
        {"{\"format\": 1, \"device\": 5}", "device is missing or no text"},
        {"{\"format\": 1, \"device\": \"a\\u001b[2J\"}", "device holds control characters"},
    };
    static const struct {
        const char *rows, *words;
    } row[] = {
        {"5", "form is missing"},
        {ROW("TT", 1, 1, 1, "plain", ""), "form is missing, or none of NN, NT and TN"},
        {ROW("NN", 0, 1, 1, "plain", ""), "m is missing or no whole number from 1 to"},
        {ROW("NN", 1, 1e3, 1, "plain", ""), "n is missing or no whole number from 1 to"},
        {ROW("NN", 1, 1, 99999999999, "plain", ""), "k is missing or no whole number from 1 to"},
        {ROW("NN", 1, 1, 1, "magic", ""), "provider is missing or unknown"},
        {ROW("NN", 1, 1, 1, "plain", "\"rows\": 3"), "plain: rows is none of its values"},
        {ROW("NN", 1, 1, 1, "plain", "\"rows\": \"8\""), "plain: rows is none of its values"},
        {ROW("NN", 1, 1, 1, "plain", "\"cows\": 8"), "plain: a parameter it does not have"},
        {ROW("NN", 1, 1, 1, "plain", "") "," ROW("NN", 1, 1, 1, "plain", ""), "a product twice"},
        {ROW("NN", 1, 1, 1, "clblast", "\"NWG\": 64"), "MWG 0 stands for the library's own parameters"},
        {ROW("NN", 1, 1, 1, "clblast", "\"MWG\": 64"), "a parameter is 0 or missing"},
        {ROW("NN", 1, 1, 1, "clblast", "") "," ROW("NN", 2, 1, 1, "clblast", "\"XGEMM_MIN_INDIRECT_SIZE\": 64"),
         "more than one set of parameters"},
        {ROW("NN", 1, 1, 1, "plain", "\"rows\": 2") "," ROW("NN", 2, 1, 1, "plain", "\"rows\": 4") ","
         ROW("NN", 3, 1, 1, "plain", "\"rows\": 8") "," ROW("NN", 4, 1, 1, "plain", "\"rows\": 16") ","
         ROW("NN", 5, 1, 1, "plain", "\"cols\": 1") "," ROW("NN", 6, 1, 1, "plain", "\"cols\": 2") ","
         ROW("NN", 7, 1, 1, "plain", "\"cols\": 4") "," ROW("NN", 8, 1, 1, "plain", "\"group\": 1") ","
         ROW("NN", 9, 1, 1, "plain", ""), "products use 9 candidates, 8 at most"},
        {"{\"form\": \"NN\", \"m\": 1, \"n\": 1, \"k\": 1, \"provider\": \"plain\", \"gflops\": -1}", "a speed is"},
    };
    for (size_t i = 0; i < COUNT_OF(whole); i++) {
        put("x.json", whole[i].text);
        check_refused(whole[i].words);
    }
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        put_rows("x.json", NULL, row[i].rows);
        check_refused(row[i].words);
    }
    struct text many = {0};
    for (int i = 0; i < 200; i++)
        text_add(&many, "%s%s", i ? "," : "", ROW("NN", 1, 1, 1, "plain", ""));
    put_rows("x.json", NULL, many.s);
    check_refused("products has 200 rows, 96 at most");
    for (int i = 0; i < 20000; i++)
        text_add(&many, "%60s", "");
    put_rows("x.json", NULL, many.s);
    check_refused("more than the 1048576 allowed");
    text_free(&many);
}

static void test_texts_as_long_as_there_is_room(void **state)
{
    (void)state;
    char longest[257] = "";
    struct mx_tuned found;
    memset(longest, 'x', 256);
    put_rows("x.json", longest, ROW("NN", 1, 1, 1, "plain", ""));
    check_refused("device is longer than 255 bytes");
    longest[255] = '\0';
    put_rows("x.json", longest, ROW("NN", 1, 1, 1, "plain", ""));
    mx_tuned_find(facts(), &found);
    assert_int_equal(found.kind, MX_TUNED_FAMILY);
    assert_string_equal(found.device, longest);
}

/* ---- CLBlast's parameters ---------------------------------------------------------------------------------------- */

static int value_of(const char *text, const char *name)
{
    char word[64];
    int64_t v = 0;
    snprintf(word, sizeof word, " %s=", name);
    const char *at = strstr(text, word);
    if (!at)
        return 0; /* the default is not named */
    at += strlen(word);
    snprintf(word, sizeof word, "%.*s", (int)strcspn(at, " "), at);
    assert_true(parse_i64(word, &v));
    return (int)v;
}

/* The rules once more, from CLBlast's sources: what xgemm_part1.opencl divides must leave no rest. */
static void check_set(const char *text, const struct ocl_facts *f)
{
#define V(name) value_of(text, #name)
    int kdima = V(MDIMC) * V(NDIMC) / V(MDIMA), kdimb = V(MDIMC) * V(NDIMC) / V(NDIMB);
    int local = 4 * V(KWG) * (V(SA) * V(MWG) + V(SB) * V(NWG));
    bool good = V(MWG) % (V(MDIMC) * V(VWM)) == 0 && V(NWG) % (V(NDIMC) * V(VWN)) == 0 &&
                V(MWG) % (V(MDIMA) * V(VWM)) == 0 && V(NWG) % (V(NDIMB) * V(VWN)) == 0 && V(KWG) % V(KWI) == 0 &&
                kdima * V(MDIMA) == V(MDIMC) * V(NDIMC) && kdimb * V(NDIMB) == V(MDIMC) * V(NDIMC) &&
                (size_t)(V(MDIMC) * V(NDIMC)) <= f->work_group_max && (uint64_t)local <= f->local_bytes;
    if (V(GEMMK) == 0)
        good = good && V(KWG) % kdima == 0 && V(KWG) % kdimb == 0 && V(KREG) == 1;
    else
        good = good && V(MWG) == V(NWG) && V(KREG) % V(VWN) == 0 && local == 0;
    if (!good)
        fail_msg("a set that cannot be: %s", text);
#undef V
}

static void test_clblast_sets(void **state)
{
    (void)state;
    struct ocl_facts f = *facts();
    int sets[2] = {0};
    f.kind = OCL_GPU;
    for (int small = 0; small < 2; small++) { /* a device of the usual size, and one with little */
        struct mx_tuning *t = NULL;
        f.work_group_max = small ? 64 : 1024;
        f.local_bytes = small ? 16384 : 49152;
        OK(mx_tuning_open(&f, false, true, "test", &t));
        OK(mx_tuning_add_candidates(t, "clblast"));
        for (int c = 0; c < mx_tuning_candidates(t); c++) {
            char text[MX_TEXT_MAX];
            mx_tuning_text(t, c, text);
            if (value_of(text, "MWG") == 0)
                continue; /* the library's own */
            check_set(text, &f);
            sets[small]++;
        }
        mx_tuning_free(t);
    }
    assert_in_range(sets[0], 35, 40);
    assert_in_range(sets[1], 10, 40);
}

#define SET(mwg, nwg, gemmk, kreg, sa)                                                                                \
    "\"MWG\": " #mwg ", \"NWG\": " #nwg ", \"KWG\": 16, \"MDIMC\": 8, \"NDIMC\": 8, \"MDIMA\": 8, \"NDIMB\": 8, " \
    "\"KWI\": 2, \"VWM\": 2, \"VWN\": 2, \"GEMMK\": " #gemmk ", \"KREG\": " #kreg ", \"SA\": " #sa

static void test_clblast_rules(void **state)
{
    (void)state;
    static const struct {
        const char *rows, *words; /* "" : it is good */
    } row[] = {
        {ROW("NN", 1, 1, 1, "clblast", SET(32, 64, 0, 1, 1)), ""},
        {ROW("NN", 1, 1, 1, "clblast", SET(32, 64, 0, 2, 1)), "KREG is not 1 with GEMMK 0"},
        {ROW("NN", 1, 1, 1, "clblast", SET(64, 64, 1, 2, 0)), ""},
        {ROW("NN", 1, 1, 1, "clblast", SET(32, 64, 1, 2, 0)), "GEMMK is 1 and MWG is not NWG"},
        {ROW("NN", 1, 1, 1, "clblast", SET(64, 64, 1, 2, 1)), "GEMMK is 1, which wants"},
        {ROW("NN", 1, 1, 1, "clblast", SET(64, 64, 1, 1, 0)), "GEMMK is 1, which wants"},
        {ROW("NN", 1, 1, 1, "clblast", SET(64, 48, 0, 1, 0)), "NWG is none of its values"},
    };
    struct mx_tuned found;
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        notes[0] = '\0';
        note_to(hear);
        put_rows("x.json", NULL, row[i].rows);
        mx_tuned_find(facts(), &found); /* reads, and does not set the library */
        assert_int_equal(found.kind, row[i].words[0] ? MX_NOT_TUNED : MX_TUNED);
        if (!strstr(notes, row[i].words) || (notes[0] != '\0') != (row[i].words[0] != '\0'))
            fail_msg("wanted \"%s\", got: %s", row[i].words, notes);
    }
}

/* ---- on the device ----------------------------------------------------------------------------------------------- */

/* A last batch with fewer rows may be nearest to another row of the file: scratch is enough for all that are in use. */
static void test_scratch_is_the_most(void **state)
{
    (void)state;
    size_t tile, tuned;
    struct mx *m = NULL;
    if (facts()->vector_width == 1)
        skip();
    OK(mx_open(device_queue(), "tile", &m));
    OK(mx_gemm_scratch(m, false, false, 512, 512, 512, &tile));
    mx_close(m);
    assert_true(tile > 0);
    for (int first = 0; first < 2; first++) { /* the one that needs most behind the other, and before it */
        put_rows("x.json", NULL, first ?
                 ROW("NN", 1, 512, 512, "tile", "") "," ROW("NN", 512, 512, 512, "plain", "") ","
                 ROW("NT", 1, 1, 1, "plain", "") "," ROW("TN", 1, 1, 1, "plain", "") :
                 ROW("NN", 512, 512, 512, "plain", "") "," ROW("NN", 1, 512, 512, "tile", "") ","
                 ROW("NT", 1, 1, 1, "plain", "") "," ROW("TN", 1, 1, 1, "plain", ""));
        m = open_mx();
        check_choice(m, false, false, 512, 512, 512, "plain");
        assert_string_equal(mx_gemm_name(m), first ? "tile+plain" : "plain+tile");
        OK(mx_gemm_scratch(m, false, false, 512, 512, 512, &tuned));
        assert_int_equal(tuned, tile);
        mx_close(m);
    }
}

static int heard[2];

static void told(void *user, int product, double gflops)
{
    (void)user;
    heard[0]++;
    assert_int_equal(product, 0);
    assert_true(gflops > 0);
}

static void test_measuring(void **state)
{
    (void)state;
    struct mx_tuning *t = NULL;
    OK(mx_tuning_open(facts(), true, true, "test", &t));
    OK(mx_tuning_add_product(t, (struct mx_product){false, true, 70, 33, 91}));
    OK(mx_tuning_add_candidates(t, "plain"));
    int c = mx_tuning_candidates(t) - 1;
    OK(mx_tuning_measure(t, c, device_queue(), 0, told, NULL)); /* its time is over */
    assert_int_equal(heard[0], 0);
    OK(mx_tuning_measure(t, c, device_queue(), UINT64_MAX, told, NULL));
    assert_null(mx_tuning_refused(t, c));
    assert_true(mx_tuning_done(t, c) && mx_tuning_gflops(t, c, 0) > 0);
    OK(mx_tuning_measure(t, c, device_queue(), UINT64_MAX, told, NULL)); /* not once more */
    assert_int_equal(heard[0], 1);
    mx_tuning_choose(t);
    assert_int_equal(mx_tuning_chosen(t, 0), c == 0 ? 0 : -1); /* what was not measured is not worse for it */
    mx_tuning_record(t, 0, 0, mx_tuning_gflops(t, c, 0) / 2);
    mx_tuning_choose(t);
    assert_int_equal(mx_tuning_chosen(t, 0), c);
    OK(mx_tuning_measure_peak(t, device_queue()));
    assert_true(mx_tuning_peak(t) > 0);
    mx_tuning_free(t);
    OK(mx_tuning_open(facts(), true, true, "test", &t));
    FAILS(ST_INPUT, "unknown GEMM provider 'fast'", mx_tuning_add_candidates(t, "fast"));
    mx_tuning_free(t);
}

static void test_no_place_for_files(void **state)
{
    (void)state;
    char path[256];
    struct mx_tuning *t = made_up(true, 200);
    mx_tuning_free(t);
    assert_int_equal(setenv("XDG_CONFIG_HOME", "relative", 1), 0);
    char *home = getenv("HOME"), kept[256] = "";
    snprintf(kept, sizeof kept, "%s", home ? home : "");
    unsetenv("HOME");
    t = made_up(true, 200);
    assert_string_equal(mx_tuning_path(t), "");
    FAILS(ST_SYSTEM, "there is no folder for tuning files", mx_tuning_save(t, true));
    mx_close(open_mx());
    mx_tuning_free(t);
    if (kept[0])
        setenv("HOME", kept, 1);
    snprintf(path, sizeof path, "%s/file", check_folder());
    OK(file_write(path, "", 0));
    setenv("XDG_CONFIG_HOME", path, 1); /* a file, no folder */
    t = made_up(true, 200);
    FAILS(ST_SYSTEM, "cannot make folder", mx_tuning_save(t, true));
    mx_close(open_mx());
    mx_tuning_free(t);
}

#define TEST(f) cmocka_unit_test_setup(f, start)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip), TEST(test_what_is_not_resumed), TEST(test_choice_is_not_noise),
        TEST(test_few_are_chosen), TEST(test_nearest_product), TEST(test_family), TEST(test_files_of_others),
        TEST(test_refused_files), TEST(test_texts_as_long_as_there_is_room), TEST(test_clblast_sets),
        TEST(test_clblast_rules), TEST(test_scratch_is_the_most), TEST(test_every_side_counts), TEST(test_measuring),
        TEST(test_no_place_for_files),
    };
    return cmocka_run_group_tests_name("tuning", tests, device_open, device_close);
}
