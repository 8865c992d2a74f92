/* Couplings as words: every kind and option, what is refused with which message, and what kinds say of themselves. */
#include "support/check.h"

#include "sg.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define KINDS "csg, sg, local, predsim, vir, classmean, fixed, exact, none"
#define LS_OPTIONS "solver, ridge, forget, every, p, lambda"
#define CSG_OPTIONS "solver, ridge, forget, every, error, lr, p, lambda"
#define ADAM_OPTIONS "solver, hidden, width, lr, p, lambda"

static struct sg_spec parsed(const char *words)
{
    struct sg_spec spec;
    OK(sg_spec_parse(words, &spec));
    return spec;
}

static void check_shown(const char *words, const char *shown)
{
    char text[256], again[256];
    struct sg_spec spec = parsed(words);
    assert_string_equal(sg_spec_show(&spec, text, sizeof text), shown);
    struct sg_spec second = parsed(text);
    assert_ptr_equal(second.kind, spec.kind);
    assert_memory_equal(second.option, spec.option, sizeof spec.option); /* to the bit */
    assert_string_equal(sg_spec_show(&second, again, sizeof again), shown);
}

static void test_words_and_back(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "csg"},
        {"  \t ", "csg"},
        {"csg", "csg"},
        {" csg\tsolver=ls  ridge=0.01 ", "csg"},
        {"csg ridge=0.5 forget=0.9 every=8 error=0 p=0.5", "csg ridge=0.5 forget=0.9 every=8 error=0 p=0.5"},
        {"csg hidden=0  solver=adam", "csg solver=adam"},
        {"csg solver=adam hidden=1 width=32 lr=0.01 p=0.5 lambda=0.25",
         "csg solver=adam hidden=1 width=32 lr=0.01 p=0.5 lambda=0.25"},
        {"csg lambda=1 hidden=4 solver=adam", "csg solver=adam hidden=4 lambda=1"},
        {"sg", "sg"},
        {"sg hidden=1 solver=adam", "sg solver=adam"},
        {"sg every=0 p=0", "sg p=0"},
        {"sg solver=adam hidden=2 width=1024 lr=1e-4 p=1 lambda=0.5",
         "sg solver=adam hidden=2 width=1024 lr=0.0001 lambda=0.5"},
        {"local", "local"},
        {"local hidden=2 width=7 lr=0.5 p=0.9", "local hidden=2 width=7 lr=0.5 p=0.9"},
        {"predsim", "predsim"},
        {"predsim beta=0.99", "predsim"},
        {"predsim beta=0 lr=10 p=0.1", "predsim beta=0 lr=10 p=0.1"},
        {"vir", "vir"},
        {"vir lr=0.01 p=0.5", "vir lr=0.01 p=0.5"},
        {"vir frozen=1 p=0.5", "vir frozen=1 p=0.5"},
        {"vir frozen=0 lr=0.5", "vir lr=0.5"},
        {"classmean forget=0.9", "classmean"},
        {"classmean forget=1 p=0", "classmean forget=1 p=0"},
        {"fixed scale=1", "fixed"},
        {"fixed scale=0.1 p=0.25", "fixed scale=0.1 p=0.25"},
        {"exact", "exact"},
        {"exact micro=8", "exact micro=8"},
        {"none", "none"},
        /* more digits than six */
        {"sg solver=adam width=1048576 lr=1e-12", "sg solver=adam width=1048576 lr=1e-12"},
        {"local hidden=1 width=1000001", "local hidden=1 width=1000001"},
        {"local lr=0.00123456789", "local lr=0.00123456789"},
        {"csg p=0.1234567890123456", "csg p=0.1234567890123456"},
        {"csg p=0.30000000000000004", "csg p=0.30000000000000004"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_shown(cases[i][0], cases[i][1]);
}

static void test_show_keeps_to_its_room(void **state)
{
    (void)state;
    struct sg_spec spec = parsed("csg ridge=1 lr=0.01");
    for (size_t size = 1; size < 24; size++) {
        char text[32];
        memset(text, '#', sizeof text);
        sg_spec_show(&spec, text, size);
        assert_true(strlen(text) < size);
        assert_true(strncmp(text, "csg ridge=1 lr=0.01", strlen(text)) == 0);
        assert_true(text[size] == '#');
    }
}

static void test_defaults(void **state)
{
    (void)state;
    static const double csg[] = {0.01, 0, 0, 1, 1e-3, 1, 0}, csg_adam[] = {0, 0, 1e-3, 1, 0},
                        sg[] = {0.01, 0, 0, 0.5, 0}, sg_adam[] = {1, 0, 1e-3, 1, 0}, local[] = {0, 0, 1e-3, 1},
                        predsim[] = {0.99, 1e-3, 1}, exact[] = {1}, vir[] = {0, 1e-3, 1}, classmean[] = {0.9, 1},
                        fixed[] = {1, 1};
    assert_memory_equal(parsed("csg").option, csg, sizeof csg);
    assert_memory_equal(parsed("csg solver=adam").option, csg_adam, sizeof csg_adam);
    assert_memory_equal(parsed("sg p=0.5").option, sg, sizeof sg);
    assert_memory_equal(parsed("sg solver=adam").option, sg_adam, sizeof sg_adam);
    assert_memory_equal(parsed("local").option, local, sizeof local);
    assert_memory_equal(parsed("predsim").option, predsim, sizeof predsim);
    assert_memory_equal(parsed("exact").option, exact, sizeof exact);
    assert_memory_equal(parsed("vir").option, vir, sizeof vir);
    assert_memory_equal(parsed("classmean").option, classmean, sizeof classmean);
    assert_memory_equal(parsed("fixed").option, fixed, sizeof fixed);
}

static void check_refused(const char *const (*cases)[2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sg_spec spec;
        if (sg_spec_parse(cases[i][0], &spec) != ST_INPUT)
            fail_msg("taken: %s", cases[i][0]);
        assert_string_equal(st_message(), cases[i][1]);
    }
}

static void test_refused_of_controls(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"vir hidden=1", "vir: unknown option 'hidden'; known: frozen, lr, p"},
        {"vir frozen=2", "vir: frozen is '2', must be a whole number from 0 to 1"},
        {"vir frozen=0.5", "vir: frozen is '0.5', must be a whole number from 0 to 1"},
        {"vir frozen=1 lr=0.1", "vir: lr has no effect with frozen=1"},
        {"vir lr=0", "vir: lr is '0', must be a number from 1e-12 to 10"},
        {"classmean lr=1", "classmean: unknown option 'lr'; known: forget, p"},
        {"classmean forget=1.1", "classmean: forget is '1.1', must be a number from 0 to 1"},
        {"fixed frozen=1", "fixed: unknown option 'frozen'; known: scale, p"},
        {"fixed scale=-1", "fixed: scale is '-1', must be a number from 0 to 1e+06"},
    };
    check_refused(cases, COUNT_OF(cases));
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"cs", "unknown coupling 'cs'; known: " KINDS},
        {"CSG", "unknown coupling 'CSG'; did you mean 'csg'? known: " KINDS},
        {"hidden=1", "unknown coupling 'hidden=1'; known: " KINDS},
        {"csg depth=1", "csg: unknown option 'depth'; known: " CSG_OPTIONS},
        {"csg depth=1 solver=adam", "csg solver=adam: unknown option 'depth'; known: " ADAM_OPTIONS},
        {"sg beta=1", "sg: unknown option 'beta'; known: " LS_OPTIONS},
        {"sg =1", "sg: unknown option ''; known: " LS_OPTIONS},
        {"sg error=1", "sg: unknown option 'error'; known: " LS_OPTIONS},
        {"csg hidden=1", "csg has no hidden: 'csg solver=adam' has it"},
        {"sg lr=1", "sg has no lr: 'sg solver=adam' has it"},
        {"csg ridge=1 solver=adam", "csg solver=adam has no ridge: 'csg solver=ls' has it"},
        {"csg solver=sgd", "csg: solver is 'sgd', must be ls or adam"},
        {"csg error=0 lr=0.1", "csg: lr has no effect with error=0"},
        {"csg solver=adam width=3", "csg: width has no effect with hidden=0"},
        {"sg width=3 hidden=0 solver=adam", "sg: width has no effect with hidden=0"},
        {"local width=3", "local: width has no effect with hidden=0"},
        {"csg solver=", "csg: solver is '', must be ls or adam"},
        {"csg solver", "csg: 'solver' is no option: options are key=value"},
        {"csg solver=ls solver=ls", "csg: solver is given twice"},
        {"local solver=ls", "local: unknown option 'solver'; known: hidden, width, lr, p"},
        {"csg p=1 p=1 p=1 p=1 p=1 p=1 p=1 p=1 p=1 p=1 p=1 p=1 p=1 p=1 p=1 p=1 p=1",
         "a coupling of more than 16 options"},
        {"local lambda=1", "local: unknown option 'lambda'; known: hidden, width, lr, p"},
        {"predsim hidden=1", "predsim: unknown option 'hidden'; known: beta, lr, p"},
        {"exact lr=1", "exact: unknown option 'lr'; known: micro"},
        {"none p=1", "none: unknown option 'p'; known: none"},
        {"csg solver=adam hidden", "csg: 'hidden' is no option: options are key=value"},
        {"csg 1", "csg: '1' is no option: options are key=value"},
        {"csg solver=adam hidden = 1", "csg: 'hidden' is no option: options are key=value"},
        {"csg solver=adam hidden=", "csg: hidden is '', must be a whole number from 0 to 4"},
        {"csg solver=adam hidden=5", "csg: hidden is '5', must be a whole number from 0 to 4"},
        {"csg solver=adam hidden=-1", "csg: hidden is '-1', must be a whole number from 0 to 4"},
        {"csg solver=adam hidden=0.5", "csg: hidden is '0.5', must be a whole number from 0 to 4"},
        {"csg solver=adam hidden=one", "csg: hidden is 'one', must be a whole number from 0 to 4"},
        {"csg solver=adam hidden=1=2", "csg: hidden is '1=2', must be a whole number from 0 to 4"},
        {"csg error=1 lr=0", "csg: lr is '0', must be a number from 1e-12 to 10"},
        {"csg lr=nan", "csg: lr is 'nan', must be a number from 1e-12 to 10"},
        {"csg lr=11", "csg: lr is '11', must be a number from 1e-12 to 10"},
        {"csg p=1.01", "csg: p is '1.01', must be a number from 0 to 1"},
        {"csg lambda=inf", "csg: lambda is 'inf', must be a number from 0 to 1"},
        {"predsim beta=-0.1", "predsim: beta is '-0.1', must be a number from 0 to 1"},
        {"exact micro=0", "exact: micro is '0', must be a whole number from 1 to 64"},
        {"exact micro=65", "exact: micro is '65', must be a whole number from 1 to 64"},
        {"csg solver=adam width=1048577", "csg: width is '1048577', must be a whole number from 0 to 1048576"},
        {"csg solver=adam hidden=1 p=1 hidden=1", "csg: hidden is given twice"},
        {"exact micro=2 micro=4", "exact: micro is given twice"},
    };
    check_refused(cases, COUNT_OF(cases));
}

static void test_too_long(void **state)
{
    (void)state;
    char words[600];
    struct sg_spec spec;
    memset(words, ' ', sizeof words);
    memcpy(words, "csg", 3);
    words[511] = '\0';
    OK(sg_spec_parse(words, &spec));
    words[511] = ' ';
    words[512] = '\0';
    FAILS(ST_INPUT, "a coupling of more than 511 characters", sg_spec_parse(words, &spec));
}

static void test_kinds_in_the_table(void **state)
{
    (void)state;
    struct text names = {0};
    const struct sg_kind *kind;
    assert_null(sg_kind_at(-1));
    assert_null(sg_kind_at(INT_MAX));
    for (int i = 0; (kind = sg_kind_at(i)) != NULL; i++) {
        char words[64];
        const char *solver = sg_kind_solver(kind);
        snprintf(words, sizeof words, "%s%s%s", sg_kind_name(kind), solver ? " solver=" : "", solver ? solver : "");
        assert_true(strlen(sg_kind_help(kind)) > 0);
        assert_ptr_equal(parsed(words).kind, kind);
        text_add(&names, "%s%s", i ? ", " : "", words);
    }
    assert_string_equal(names.s, "csg solver=ls, csg solver=adam, sg solver=ls, sg solver=adam, local, predsim, vir, "
                                 "classmean, fixed, exact, none");
    text_free(&names);
}

static void test_what_a_coupling_is_like(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        bool waits, targets, frozen;
        int micro;
        double p;
    } cases[] = {
        {"csg", false, true, false, 1, 1},      {"csg p=0.25", false, true, false, 1, 0.25},
        {"csg lambda=0.1", true, true, false, 1, 1}, {"sg", false, true, false, 1, 1},
        {"sg lambda=1", true, true, false, 1, 1},    {"local", false, false, false, 1, 1},
        {"local p=0", false, false, false, 1, 0},    {"predsim p=0.5", false, false, false, 1, 0.5},
        {"exact", true, true, false, 1, 1},          {"exact micro=4", true, true, false, 4, 1},
        {"none", false, false, true, 1, 1},          {"vir p=0.5", false, true, false, 1, 0.5},
        {"vir frozen=1", false, false, false, 1, 1}, {"classmean p=0.25", false, true, false, 1, 0.25},
        {"fixed p=0.75", false, false, false, 1, 0.75},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sg_spec spec = parsed(cases[i].words);
        assert_int_equal(sg_waits(&spec), cases[i].waits);
        assert_int_equal(sg_wants_targets(&spec), cases[i].targets);
        assert_int_equal(sg_frozen(&spec), cases[i].frozen);
        assert_int_equal(sg_micro_batches(&spec), cases[i].micro);
        assert_true(sg_update_probability(&spec) == cases[i].p);
    }
}

/* n = 4, 3 classes, 6 samples: three times the forward pass; predsim's products of all samples with all beside it. By
 * least squares the map goes forward only; moments of D inputs and 4 targets each step, a solution every so many. */
static void test_macs_by_hand(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint64_t macs;
    } cases[] = {
        {"csg solver=adam", 3 * 7 * 4},
        {"csg error=0 every=2", 7 * 4 + 7 * 11 + (7 * 7 * 4 + 7 * 7 * 7 / 2) / 2 / 6},
        {"csg every=1000 error=1", 10 * 4 + 10 * 14 + 3 * 4 * 3},
        {"csg error=0", 7 * 4 + 7 * 11 + (7 * 7 * 4 + 7 * 7 * 7 / 2) / 2 / 6}, /* 367 for a solution, 462 for moments */
        {"sg every=1000", 5 * 4 + 5 * 9},
        {"csg solver=adam hidden=1", 3 * (7 * 4 + 4 * 4)},
        {"csg solver=adam hidden=2 width=5", 3 * (7 * 5 + 5 * 5 + 5 * 4)},
        {"sg solver=adam", 3 * (4 * 4 + 4 * 4)},
        {"sg solver=adam hidden=0", 3 * 4 * 4},
        {"local", 3 * 4 * 3},
        {"local hidden=2 width=5", 3 * (4 * 5 + 5 * 5 + 5 * 3)},
        {"predsim", 3 * (4 * 3 + 4 * 4) + 2 * 6 * 4},
        {"vir", 3 * 4 * 3 + 4 * 4 * 3},
        {"vir frozen=1", 2 * 4 * 3},
        {"classmean", 3 * 4 + 3 * 7 + (3 * 3 * 4 + 3 * 3 * 3 / 2) / 6},
        {"fixed", 4 * 4 + 3 * 4},
        {"exact", 0},
        {"exact micro=4", 0},
        {"none", 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sg_spec spec = parsed(cases[i].words);
        assert_int_equal(sg_macs(&spec, 4, 3, 6), cases[i].macs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_and_back),       cmocka_unit_test(test_show_keeps_to_its_room),
        cmocka_unit_test(test_defaults),             cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_of_controls),
        cmocka_unit_test(test_too_long),             cmocka_unit_test(test_kinds_in_the_table),
        cmocka_unit_test(test_what_a_coupling_is_like), cmocka_unit_test(test_macs_by_hand),
    };
    return cmocka_run_group_tests_name("sg words", tests, NULL, NULL);
}
