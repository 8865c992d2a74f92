/* base: what people read: UTF-8, foreign text made harmless, lists, counts, the word that was meant. */
#include "support/check.h"

#include <string.h>

#define SHOWS(want, s)                        \
    do {                                      \
        char one[SHOW_NEXT_MAX];              \
        const char *text = (s);               \
        (void)show_next(text, one);           \
        assert_string_equal(one, (want));     \
    } while (0)

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        int bytes;
        uint32_t c;
    } row[] = {
        {"a", 1, 'a'},
        {"\x7f", 1, 0x7f},
        {"\xc2\x80", 2, 0x80},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xed\x9f\xbf", 3, 0xd7ff},
        {"\xee\x80\x80", 3, 0xe000},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
        {"\xf4\x90\x80\x80", 0, 0}, /* too large */
        {"\xf8\x88\x80\x80\x80", 0, 0},
        {"\xc1\xbf", 0, 0}, /* overlong */
        {"\xe0\x9f\xbf", 0, 0},
        {"\xf0\x8f\xbf\xbf", 0, 0},
        {"\xed\xa0\x80", 0, 0}, /* surrogates */
        {"\xed\xbf\xbf", 0, 0},
        {"\xe2\x82", 0, 0}, /* cut short */
        {"\xe2\x28\xa1", 0, 0},
        {"\x80", 0, 0}, /* no beginning */
        {"\xff", 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        int bytes = -1;
        uint32_t c = utf8_at(row[i].s, &bytes);
        assert_int_equal(bytes, row[i].bytes);
        if (bytes)
            assert_int_equal(c, row[i].c);
    }
}

static void test_foreign_text(void **state)
{
    (void)state;
    struct text t = {0};
    SHOWS("a", "ab");
    SHOWS("\xc3\xa4", "\xc3\xa4");
    SHOWS("\\n", "\n");
    SHOWS("\\u001b", "\x1b[31m");
    SHOWS("\\u202e", "\xe2\x80\xae");
    SHOWS("\\udb40\\udc01", "\xf3\xa0\x80\x81"); /* a tag */
    SHOWS("\\xff", "\xff");
    text_add_foreign(&t, "a\xff\xc3\xa4\x1b\xe2\x82");
    OK(text_status(&t));
    assert_string_equal(t.s, "a\\xff\xc3\xa4\x1b\\xe2\\x82");
    text_free(&t);
}

static const char *name_at(const void *of, size_t i)
{
    return ((const char *const *)of)[i];
}

static void test_nearest_name(void **state)
{
    (void)state;
    static const char *const names[] = {"train", "tune", "devices", "compare", "Ab", NULL};
    static const struct {
        const char *word, *want;
    } row[] = {
        {"train", "train"},
        {"TRAIN", "train"},
        {"trian", "train"},      /* two swapped */
        {"tain", "train"},       /* one lacks */
        {"traain", "train"},     /* one too many */
        {"traib", "train"},      /* one is another */
        {"tuen", "tune"},
        {"tu", NULL},            /* two away, of two letters */
        {"ab", "Ab"},
        {"xune", "tune"},
        {"xxne", NULL},          /* two away, of four letters */
        {"devcies", "devices"},
        {"dvcies", "devices"},   /* two away, of six letters */
        {"dvcyes", NULL},        /* three */
        {"compares", "compare"},
        {"zzzzzz", NULL},
    };
    char text[SHOW_UNKNOWN_MAX];
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        const char *got = nearest_name(row[i].word, name_at, names);
        if (row[i].want)
            assert_string_equal(got ? got : "none", row[i].want);
        else
            assert_null(got);
    }
    assert_string_equal(show_unknown(text, sizeof text, "word", "trian", name_at, names),
                        "unknown word 'trian'; did you mean 'train'? known: train, tune, devices, compare, Ab");
    assert_string_equal(show_unknown(text, sizeof text, "word", "zzzzzz", name_at, names),
                        "unknown word 'zzzzzz'; known: train, tune, devices, compare, Ab");
}

static const char *many_at(const void *of, size_t i)
{
    return i < *(const size_t *)of ? "x" : NULL;
}

static void test_names_and_counts(void **state)
{
    (void)state;
    char text[1024], small[8];
    size_t n = 20000;
    assert_string_equal(show_count(text, sizeof text, 0), "0");
    assert_string_equal(show_count(text, sizeof text, 999), "999");
    assert_string_equal(show_count(text, sizeof text, 1000), "1,000");
    assert_string_equal(show_count(text, sizeof text, UINT64_MAX), "18,446,744,073,709,551,615");
    assert_string_equal(show_count(small, sizeof small, 12345678), "12,345,");
    assert_true(strlen(show_names(text, sizeof text, many_at, &n)) < 200);
    assert_non_null(strstr(text, "x, x and 19,960 more"));
    n = 2;
    assert_string_equal(show_names(text, sizeof text, many_at, &n), "x, x");
    n = 0;
    assert_string_equal(show_names(text, sizeof text, many_at, &n), "none");
    assert_string_equal(plural(0), "s");
    assert_string_equal(plural(1), "");
    assert_string_equal(plural(2), "s");
    assert_string_equal(plural((uint64_t)1 << 32 | 1), "s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_foreign_text),
        cmocka_unit_test(test_nearest_name),
        cmocka_unit_test(test_names_and_counts),
    };
    return cmocka_run_group_tests_name("show", tests, NULL, NULL);
}
