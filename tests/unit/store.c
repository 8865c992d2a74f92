/* store: safetensors files, good and malformed. */
#include "support/check.h"

#include "store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int open_at_start;

/* ---- safetensors ------------------------------------------------------------------------------------------------- */

static const float six[] = {1.5f, -2, 3e-40f, 4, 5, 6};
static const int64_t two[] = {INT64_MIN, 7};
static const float scalar[] = {0.25f};

static const struct store_tensor sample[] = {
    {.name = "0.weight", .type = STORE_F32, .rank = 2, .shape = {2, 3}, .data = six},
    {.name = "scalar", .type = STORE_F32, .rank = 0, .data = scalar},
    {.name = "none \"of\" \xc3\xa9", .type = STORE_F32, .rank = 3, .shape = {2, 0, 5}},
    {.name = "counts", .type = STORE_I64, .rank = 1, .shape = {2}, .data = two}, /* at 28: no multiple of 8 */
    {.name = "kernel", .type = STORE_F32, .rank = 4, .shape = {1, 3, 2, 1}, .data = six},
};
static const char *const sample_notes[] = {"format", "pt", "a \"quoted\" key", "line\nbreak", NULL};

static void test_tensors_come_back(void **state)
{
    (void)state;
    struct store_file *file;
    const struct store_tensor *t;
    OK(store_tensors_write(in_folder("good"), sample, (int)COUNT_OF(sample), sample_notes));
    OK(store_tensors_open(in_folder("good"), &file));
    assert_int_equal(store_tensors_count(file), COUNT_OF(sample));
    for (int i = 0; i < (int)COUNT_OF(sample); i++) {
        const struct store_tensor *want = &sample[i];
        size_t bytes = want->type == STORE_F32 ? 4 : 8;
        t = store_tensors_at(file, i);
        assert_string_equal(t->name, want->name);
        assert_int_equal(t->type, want->type);
        assert_int_equal(t->rank, want->rank);
        for (int d = 0; d < t->rank; d++) {
            assert_int_equal(t->shape[d], want->shape[d]);
            bytes *= (size_t)want->shape[d];
        }
        assert_int_equal((uintptr_t)t->data % 8, 0);
        if (bytes)
            assert_memory_equal(t->data, want->data, bytes);
    }
    OK(store_tensors_find(file, "counts", STORE_I64, 1, (const int64_t[]){2}, &t));
    assert_ptr_equal(t, store_tensors_at(file, 3));
    OK(store_tensors_find(file, "scalar", STORE_F32, 0, NULL, &t));
    assert_ptr_equal(t, store_tensors_at(file, 1));
    store_tensors_close(file);
    store_tensors_close(NULL);
}

static void test_find_says_what_there_is(void **state)
{
    (void)state;
    struct store_file *file;
    const struct store_tensor *t;
    const int64_t shape[] = {3, 2};
    OK(store_tensors_write(in_folder("good"), sample, 2, NULL));
    OK(store_tensors_open(in_folder("good"), &file));
    FAILS(ST_INPUT, "good is F32 [2, 3], needed is F32 [3, 2]",
          store_tensors_find(file, "0.weight", STORE_F32, 2, shape, &t));
    FAILS(ST_INPUT, "is F32 [2, 3], needed is F32 [2]",
          store_tensors_find(file, "0.weight", STORE_F32, 1, sample[0].shape, &t));
    FAILS(ST_INPUT, "is F32 [], needed is I64 []", store_tensors_find(file, "scalar", STORE_I64, 0, NULL, &t));
    FAILS(ST_INPUT, "good; it has 0.weight, scalar", store_tensors_find(file, "bias", STORE_F32, 2, shape, &t));
    store_tensors_close(file);
    OK(store_tensors_write(in_folder("empty"), NULL, 0, NULL));
    OK(store_tensors_open(in_folder("empty"), &file));
    assert_int_equal(store_tensors_count(file), 0);
    FAILS(ST_INPUT, "empty; it has none", store_tensors_find(file, "bias", STORE_F32, 2, shape, &t));
    store_tensors_close(file);
}

static void test_same_tensors_same_bytes(void **state)
{
    (void)state;
    char *first, *second;
    size_t len, again;
    uint64_t header;
    OK(store_tensors_write(in_folder("one"), sample, (int)COUNT_OF(sample), sample_notes));
    OK(store_tensors_write(in_folder("two"), sample, (int)COUNT_OF(sample), sample_notes));
    OK(file_read(in_folder("one"), 1 << 20, &first, &len));
    OK(file_read(in_folder("two"), 1 << 20, &second, &again));
    assert_int_equal(len, again);
    assert_memory_equal(first, second, len);
    memcpy(&header, first, sizeof header);
    assert_int_equal(header % 8, 0);
    assert_int_equal(8 + header + 6 * 4 + 4 + 2 * 8 + 6 * 4, len);
    static const char begin[] = "{\"__metadata__\":{\"format\":\"pt\",\"a \\\"quoted\\\" key\":\"line\\nbreak\"},"
                                "\"0.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},\"scalar\":";
    assert_memory_equal(first + 8, begin, sizeof begin - 1);
    mem_free(first);
    mem_free(second);
}

static void test_writer_refuses(void **state)
{
    (void)state;
    struct store_tensor twice[] = {sample[0], sample[0]};
    FAILS(ST_INTERNAL, "two tensors are called 0.weight", store_tensors_write(in_folder("bad"), twice, 2, NULL));
    struct store_tensor named = {.name = "\xff", .data = scalar};
    FAILS(ST_INPUT, "UTF-8", store_tensors_write(in_folder("bad"), &named, 1, NULL));
    FAILS(ST_INPUT, "UTF-8",
          store_tensors_write(in_folder("bad"), sample, 1, (const char *const[]){"k", "\xff", NULL}));
    struct store_tensor huge = {.name = "huge", .rank = 2, .shape = {INT64_MAX, INT64_MAX}, .data = scalar};
    FAILS(ST_INPUT, "tensor huge: shape with more", store_tensors_write(in_folder("bad"), &huge, 1, NULL));
    assert_false(file_exists(in_folder("bad")));
    FAILS(ST_SYSTEM, "none/x", store_tensors_write(in_folder("none/x"), sample, 1, NULL));
}

/* Writes a file of this header, as it is, and so many bytes of data, and opens it. */
static enum st open_made(const char *header, size_t data_bytes, struct store_file **file)
{
    char bytes[1024] = {0};
    uint64_t len = strlen(header);
    memcpy(bytes, &len, sizeof len);
    memcpy(bytes + 8, header, len);
    for (size_t i = 0; i < data_bytes; i++)
        bytes[8 + len + i] = (char)i;
    OK(file_write(in_folder("made"), bytes, 8 + len + data_bytes));
    return store_tensors_open(in_folder("made"), file);
}

static void test_headers_of_other_writers(void **state)
{
    (void)state;
    struct store_file *file;
    /* unpadded, unknown keys, any order of names, an empty tensor in the middle, I64 at an odd place */
    OK(open_made("{ \"c\": {\"data_offsets\":[4,4],\"shape\":[0],\"dtype\":\"F32\"},"
                 "\"b\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[4,12],\"more\":{}},"
                 "\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}\n ", 12, &file));
    assert_int_equal(store_tensors_count(file), 3);
    assert_string_equal(store_tensors_at(file, 0)->name, "a");
    assert_string_equal(store_tensors_at(file, 1)->name, "c");
    assert_string_equal(store_tensors_at(file, 2)->name, "b");
    assert_true(*(const int64_t *)store_tensors_at(file, 2)->data == 0x0b0a090807060504);
    store_tensors_close(file);
}

#define ENTRY(type, shape, offsets) "{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" offsets "]}"
#define LONG_NAME "0123456789012345678901234567890123456789012345678901234567890123" /* 64 bytes */

static void test_malformed_headers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *words;
    } row[] = {
        {"", 0, "does not begin with {"},
        {"[]", 0, "does not begin with {"},
        {" {}", 0, "does not begin with {"},
        {"{\"a\":", 0, "no good JSON at byte 5: "},
        {"{} x", 0, "no good JSON at byte 4: "},
        {"{\"a\":" ENTRY("F32", "1", "0,4") ",\"a\":" ENTRY("F32", "1", "4,8") "}", 8, "duplicate object key"},
        {"{\"a\":7}", 0, "made: tensor a: Expected object"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor a: Object item not found: dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "Object item not found: shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "Object item not found: data_offsets"},
        {"{\"a\":" ENTRY("F31", "1", "0,4") "}", 4, "tensor a: dtype F31 is not known; read are F32, F16, BF16, F64"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,4]}}", 4, "tensor a: shape is no list"},
        {"{\"a\":" ENTRY("F32", "1.5", "0,4") "}", 4, "something else than whole numbers"},
        {"{\"a\":" ENTRY("F32", "-1", "0,4") "}", 4, "tensor a: shape with a negative size, -1"},
        {"{\"a\":" ENTRY("F32", "-1,-1", "0,4") "}", 4, "negative size"},
        {"{\"a\":" ENTRY("F32", "1,1,1,1,1,1,1,1,1", "0,4") "}", 4, "shape of 9 sizes, at most 8"},
        {"{\"a\":" ENTRY("F32", "4294967296,4294967296,4", "0,0") "}", 0, "more elements than can be addressed"},
        {"{\"a\":" ENTRY("F32", "3", "0,16") "}", 16, "0 to 16, but F32 [3] takes 12 bytes"},
        {"{\"a\":" ENTRY("F32", "1", "4,0") "}", 4, "4 to 0, but"},
        {"{\"a\":" ENTRY("F32", "1", "-4,0") "}", 4, "-4 to 0, but"},
        {"{\"a\":" ENTRY("F32", "1", "-9223372036854775807,9223372036854775807") "}", 4, "takes 4 bytes"},
        {"{\"a\":" ENTRY("F32", "1", "0,4,8") "}", 4, "tensor a: 1 array item(s) left unpacked"},
        {"{\"a\":" ENTRY("F32", "1", "0") "}", 4, "tensor a: Array index 1 out of range"},
        {"{\"a\":" ENTRY("F32", "2", "0,8") "}", 7, "0 to 8, but the file has only 7 bytes of data"},
        {"{\"a\":" ENTRY("F32", "1", "4,8") "}", 8, "hole of 4 bytes before tensor a"},
        {"{\"b\":" ENTRY("F32", "1", "0,4") ",\"a\":" ENTRY("F32", "1", "5,9") "}", 9, "hole of 1 byte before"},
        {"{\"b\":" ENTRY("F32", "2", "0,8") ",\"a\":" ENTRY("F32", "1", "4,8") "}", 8, "tensor a overlaps tensor b"},
        {"{\"a\":" ENTRY("F32", "1", "0,4") "}", 5, "1 byte after the last tensor"},
        {"{}", 3, "3 bytes after the last tensor"},
        {"{\"" LONG_NAME LONG_NAME LONG_NAME LONG_NAME "\":" ENTRY("F32", "1", "0,4") "}", 4,
         "name of 256 bytes, at most 255"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "does not map strings to strings"},
        {"{\"__metadata__\":[]}", 0, "does not map strings to strings"},
        {"{\"__metadata__\":false}", 0, "does not map strings to strings"},
        {"{\"a\":" ENTRY("F16", "2", "0,8") "}", 8, "0 to 8, but F16 [2] takes 4 bytes"},
    };
    struct store_file *file;
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        FAILS(ST_INPUT, row[i].words, open_made(row[i].header, row[i].data_bytes, &file));
        FAILS(ST_INPUT, in_folder("made"), open_made(row[i].header, row[i].data_bytes, &file));
    }
}

/* A file of one tensor "a" of `count` numbers in these bytes. */
static enum st open_numbers(const char *type, size_t count, const void *numbers, size_t len, struct store_file **file)
{
    char bytes[1024], header[128];
    /* a blank more or less: the data begins at odd places */
    snprintf(header, sizeof header, "{\"__metadata__\":null,\"a\":{\"dtype\":\"%s\",\"shape\":[%zu],"
             "\"data_offsets\":[0,%zu]}}%s", type, count, len, strlen(type) % 2 ? "" : " ");
    uint64_t n = strlen(header);
    memcpy(bytes, &n, sizeof n);
    memcpy(bytes + 8, header, n);
    memcpy(bytes + 8 + n, numbers, len);
    OK(file_write(in_folder("made"), bytes, 8 + n + len));
    return store_tensors_open(in_folder("made"), file);
}

static void check_numbers(const char *type, const void *numbers, size_t len, const float *want, size_t count)
{
    struct store_file *file;
    const struct store_tensor *t;
    OK(open_numbers(type, count, numbers, len, &file));
    OK(store_tensors_find(file, "a", STORE_F32, 1, (const int64_t[]){(int64_t)count}, &t));
    const float *got = t->data;
    for (size_t i = 0; i < count; i++)
        if (memcmp(&got[i], &want[i], sizeof *got) != 0 && !(isnan(got[i]) && isnan(want[i])))
            fail_msg("%s: number %zu is %a, not %a", type, i, (double)got[i], (double)want[i]);
    char words[64];
    snprintf(words, sizeof words, "made is %s [%zu], needed is F32 [1, %zu]", type, count, count);
    FAILS(ST_INPUT, words, store_tensors_find(file, "a", STORE_F32, 2, (const int64_t[]){1, (int64_t)count}, &t));
    store_tensors_close(file);
}

static void test_other_floats_become_f32(void **state)
{
    (void)state;
    static const uint16_t f16[] = {0x0000, 0x8000, 0x3c00, 0xc000, 0x3555, 0x7bff, 0x0400, 0x03ff, 0x0001, 0x8001,
                                   0x7c00, 0xfc00, 0x7e00};
    static const float of_f16[] = {0, -0.f, 1, -2, 0x1.554p-2f, 65504, 0x1p-14f, 0x1.ff8p-15f, 0x1p-24f, -0x1p-24f,
                                   INFINITY, -INFINITY, NAN};
    static const uint16_t bf16[] = {0x0000, 0x8000, 0x3f80, 0xc040, 0x7f7f, 0x0080, 0x0001, 0x7f80, 0xffc0};
    static const float of_bf16[] = {0, -0.f, 1, -3, 0x1.fep127f, 0x1p-126f, 0x1p-133f, INFINITY, NAN};
    static const double f64[] = {0, -0., 1, 0.1, 0x1.0000011p0, 0x1.fffffep127, 0x1p-149, 1e-300, -INFINITY, NAN};
    static const float of_f64[] = {0, -0.f, 1, 0.1f, 0x1.000002p0f, 0x1.fffffep127f, 0x1p-149f, 0, -INFINITY, NAN};
    struct store_file *file;
    check_numbers("F16", f16, sizeof f16, of_f16, COUNT_OF(f16));
    check_numbers("BF16", bf16, sizeof bf16, of_bf16, COUNT_OF(bf16));
    check_numbers("F64", f64, sizeof f64, of_f64, COUNT_OF(f64));
    FAILS(ST_INPUT, "made: tensor a: -1e+39, an F64, does not fit F32",
          open_numbers("F64", 2, (const double[]){1, -1e39}, 16, &file));
}

static char noted[1024];

static void keep_note(const char *line)
{
    snprintf(noted + strlen(noted), sizeof noted - strlen(noted), "%s\n", line);
}

static void test_surplus_is_named(void **state)
{
    (void)state;
    struct store_file *file;
    const struct store_tensor *t;
    struct store_tensor many[20] = {0};
    for (int i = 0; i < (int)COUNT_OF(many); i++) {
        snprintf(many[i].name, sizeof many[i].name, "t%d", i);
        many[i].data = scalar;
    }
    note_to(keep_note);
    OK(store_tensors_write(in_folder("many"), many, (int)COUNT_OF(many), NULL));
    OK(store_tensors_open(in_folder("many"), &file));
    FAILS(ST_INPUT, "many; it has t0, t1, t2, t3, t4, t5, t6, t7 and 12 more",
          store_tensors_find(file, "x", STORE_F32, 0, NULL, &t));
    OK(store_tensors_find(file, "t1", STORE_F32, 0, NULL, &t));
    store_tensors_know(file, "t3");
    store_tensors_know(file, "nowhere");
    store_tensors_note_surplus(file, "the net");
    assert_non_null(strstr(noted, "many holds tensors that the net has no place for; they are not used: t0, t2, t4, "
                                  "t5, t6, t7, t8, t9 and 10 more\n"));
    noted[0] = '\0';
    for (int i = 0; i < (int)COUNT_OF(many); i++)
        store_tensors_know(file, many[i].name);
    store_tensors_note_surplus(file, "the net");
    assert_string_equal(noted, "");
    store_tensors_close(file);
    /* what is of no use may be of any type, shape and name */
    OK(open_made("{\"" LONG_NAME LONG_NAME LONG_NAME "\":" ENTRY("BOOL", "1,1,1,2,2,1,1", "0,4") ",\"u\":"
                 ENTRY("F8_E4M3", "3", "4,7") "}", 7, &file));
    FAILS(ST_INPUT, "u of ", store_tensors_find(file, "u", STORE_F32, 1, (const int64_t[]){3}, &t));
    store_tensors_note_surplus(file, "the net");
    assert_non_null(strstr(noted, LONG_NAME LONG_NAME LONG_NAME ", u\n"));
    store_tensors_close(file);
    note_to(NULL);
}

static enum st open_bytes(const char *bytes, size_t len, struct store_file **file)
{
    OK(file_write(in_folder("made"), bytes, len));
    return store_tensors_open(in_folder("made"), file);
}

static void test_files_cut_short(void **state)
{
    (void)state;
    struct store_file *file;
    char *bytes;
    size_t len;
    FAILS(ST_INPUT, "missing", store_tensors_open(in_folder("missing"), &file));
    FAILS(ST_INPUT, "7 bytes are too short", open_bytes("1234567", 7, &file));
    FAILS(ST_INPUT, "of 100000001 bytes, at most 100000000", open_bytes("\x01\xe1\xf5\x05\0\0\0\0{}", 10, &file));
    FAILS(ST_INPUT, "announces a header of 3 bytes, but has 2", open_bytes("\x03\0\0\0\0\0\0\0{}", 10, &file));
    OK(store_tensors_write(in_folder("good"), sample, (int)COUNT_OF(sample), sample_notes));
    OK(file_read(in_folder("good"), 1 << 20, &bytes, &len));
    for (size_t i = 0; i < len; i++)
        FAILS(ST_INPUT, "cannot read", open_bytes(bytes, i, &file));
    OK(open_bytes(bytes, len, &file));
    store_tensors_close(file);
    mem_free(bytes);
}

/* Behind all that open any. */
static void test_files_are_closed(void **state)
{
    (void)state;
    assert_int_equal(check_open_files(), open_at_start);
}

int main(void)
{
    open_at_start = check_open_files();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors_come_back),
        cmocka_unit_test(test_find_says_what_there_is),
        cmocka_unit_test(test_same_tensors_same_bytes),
        cmocka_unit_test(test_writer_refuses),
        cmocka_unit_test(test_headers_of_other_writers),
        cmocka_unit_test(test_malformed_headers),
        cmocka_unit_test(test_other_floats_become_f32),
        cmocka_unit_test(test_surplus_is_named),
        cmocka_unit_test(test_files_cut_short),
        cmocka_unit_test(test_files_are_closed),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
