/* data: folders of PNGs: layouts, classes, colours, sizes, what is kept for testing, and what is refused. */
#include "support/check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data.h"
#include "store.h"

enum { W = 5, H = 4, HW = W * H };

/* ---- folders to read --------------------------------------------------------------------------------------------- */

static void put_file(const char *name, const void *bytes, size_t len)
{
    char folder[PATH_MAX];
    const char *path = in_folder(name);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    OK(dir_make(folder));
    OK(file_write(path, bytes, len));
}

/* A picture whose pixels count up from `value`; the channels of colours are 50 apart. */
static void put_picture(const char *name, int w, int h, int channels, int value)
{
    struct store_picture p;
    put_file(name, "", 0);
    OK(store_picture_new(w, h, channels, &p));
    for (int i = 0; i < w * h; i++)
        for (int c = 0; c < channels; c++)
            p.pixels[i * channels + c] = (uint8_t)(value + i + 50 * c);
    OK(store_png_write(in_folder(name), &p, NULL, 0));
    store_picture_free(&p);
}

static void put_grey(const char *name, int value)
{
    put_picture(name, W, H, 1, value);
}

/* FOLDER/00.png and so on, values from `first` on. */
static void put_class(const char *folder, int n, int first)
{
    char name[PATH_MAX + 16];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s/%02d.png", folder, i);
        put_grey(name, first + i);
    }
}

static void check_sample(const struct data_set *set, const struct data_split *split, uint32_t i, int label, int value)
{
    assert_true(i < split->n);
    assert_int_equal(split->labels[i], label);
    for (int c = 0; c < set->c; c++)
        for (int p = 0; p < set->h * set->w; p++)
            assert_int_equal(split->pixels[((int)i * set->c + c) * set->h * set->w + p], value + p);
}

/* "2:17 ": labels and first pixels of a split, in order. */
static const char *order_of(const struct data_set *set, const struct data_split *split)
{
    static char out[4096];
    int len = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < split->n; i++)
        len += snprintf(out + len, sizeof out - (size_t)len, "%d:%d ", split->labels[i],
                        split->pixels[(int)i * set->c * set->h * set->w]);
    return out;
}

/* What was said since the last call. */
static char notes[2048];

static void keep_note(const char *line)
{
    size_t len = strlen(notes);
    snprintf(notes + len, sizeof notes - len, "%s\n", line);
}

static struct data_set *opened(const char *name)
{
    struct data_set *set = NULL;
    notes[0] = '\0';
    note_to(keep_note);
    OK(data_open(in_folder(name), 0, &set));
    note_to(NULL);
    return set;
}

static void refused(const char *words, const char *name)
{
    struct data_set *set = NULL;
    FAILS(ST_INPUT, words, data_open(in_folder(name), 0, &set));
    assert_null(set);
}

/* ---- layouts ----------------------------------------------------------------------------------------------------- */

static void test_train_and_test(void **state)
{
    (void)state;
    put_class("both/train/dog", 2, 10);
    put_class("both/train/cat", 4, 20);
    put_class("both/test/dog", 3, 30); /* a class may lack pictures to test on */
    put_class("both/val/fish", 3, 40); /* not read */
    put_grey("both/stray.png", 1);
    struct data_set *set = opened("both");
    assert_string_equal(set->name, "both");
    assert_string_equal(set->path, in_folder("both"));
    assert_true(set->c == 1 && set->h == H && set->w == W && set->classes == 2);
    assert_string_equal(set->class_name[0], "cat");
    assert_string_equal(set->class_name[1], "dog");
    assert_string_equal(set->class_name[2], "output 2");
    assert_string_equal(set->class_name[255], "output 255");
    /* any first part has its share of both */
    assert_string_equal(order_of(set, &set->train), "0:20 1:10 0:21 0:22 1:11 0:23 ");
    assert_string_equal(order_of(set, &set->test), "1:30 1:31 1:32 ");
    check_sample(set, &set->train, 4, 1, 11);
    check_sample(set, &set->test, 2, 1, 32);
    assert_int_equal(set->validation.n, 0);
    assert_string_equal(notes, "");
    OK(data_hold_out(set, 3, 1, 1));
    assert_true(set->train.n == 2 && set->validation.n == 1);
    data_free(set);
}

static void test_other_words(void **state)
{
    (void)state;
    static const char *const train[] = {"train", "training"};
    static const char *const test[] = {"test", "testing", "val", "valid", "validation"};
    char name[256], folder[64], wanted[2 * PATH_MAX];
    for (size_t i = 0; i < COUNT_OF(train); i++)
        for (size_t k = 0; k < COUNT_OF(test); k++) {
            snprintf(folder, sizeof folder, "words-%zu-%zu", i, k);
            for (int c = 0; c < 4; c++) {
                snprintf(name, sizeof name, "%s/%s/%d", folder, c & 1 ? test[k] : train[i], c / 2);
                put_class(name, 1, 10 * c);
            }
            struct data_set *set = opened(folder);
            assert_string_equal(order_of(set, &set->train), "0:0 1:20 ");
            assert_string_equal(order_of(set, &set->test), "0:10 1:30 ");
            snprintf(wanted, sizeof wanted, "%s has no folders to test on in test or testing: %s/%s stands in\n",
                     in_folder(folder), in_folder(folder), test[k]);
            assert_string_equal(notes, k < 2 ? "" : wanted);
            data_free(set);
        }
}

static void check_sixths(const char *name)
{
    char wanted[2 * PATH_MAX];
    struct data_set *set = opened(name);
    snprintf(wanted, sizeof wanted, "%s has no folders to test on: every sixth PNG of each class, by name, is kept for "
             "testing, 3 of 23\n", in_folder(name));
    assert_string_equal(notes, wanted);
    assert_string_equal(order_of(set, &set->test), "0:5 1:105 0:11 ");
    assert_int_equal(set->train.n, 20);
    int seen[256] = {0};
    for (uint32_t i = 0; i < set->train.n; i++)
        seen[set->train.pixels[i * HW]]++;
    for (int i = 0; i < 12; i++)
        assert_int_equal(seen[i], i % 6 != 5);
    for (int i = 0; i < 6; i++)
        assert_int_equal(seen[100 + i], i != 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(seen[200 + i], 1);
    data_free(set);
}

static void test_every_sixth(void **state)
{
    (void)state;
    put_class("sixths/a", 12, 0);
    put_class("sixths/b", 6, 100);
    put_class("sixths/c", 5, 200); /* too few: none of it to test on */
    check_sixths("sixths");
    put_class("train-alone/train/a", 12, 0);
    put_class("train-alone/train/b", 6, 100);
    put_class("train-alone/train/c", 5, 200);
    put_grey("train-alone/test/no-class.png", 0);
    check_sixths("train-alone");
    put_class("few/a", 5, 0);
    put_class("few/b", 1, 0);
    refused("few has 6 PNGs, of which every sixth could be kept for testing", "few");
}

static void test_train_may_be_a_class(void **state)
{
    (void)state;
    put_class("vehicles/train", 6, 0);
    put_class("vehicles/car", 6, 100);
    struct data_set *set = opened("vehicles");
    assert_string_equal(set->class_name[1], "train");
    data_free(set);
    put_class("no-classes/train", 6, 0);
    put_class("no-classes/test", 6, 100); /* these two are hardly classes */
    refused("no folders in ", "no-classes");
    refused("no-classes/train: wanted is one a class, with its PNGs", "no-classes");
}

static void test_idx_wins(void **state)
{
    (void)state;
    static const char images[] = "\0\0\10\3\0\0\0\1\0\0\0\1\0\0\0\1\x4d", labels[] = "\0\0\10\1\0\0\0\1\0";
    put_class("idx/a", 6, 0);
    put_class("idx/b", 6, 0);
    put_file("idx/train-images-idx3-ubyte", images, sizeof images - 1);
    refused("no file train-labels-idx1-ubyte in", "idx"); /* one of them says what is meant */
    put_file("idx/train-labels-idx1-ubyte", labels, sizeof labels - 1);
    put_file("idx/t10k-images-idx3-ubyte", images, sizeof images - 1);
    put_file("idx/t10k-labels-idx1-ubyte", labels, sizeof labels - 1);
    struct data_set *set = opened("idx");
    assert_true(set->w == 1 && set->h == 1 && set->train.n == 1 && set->train.pixels[0] == 0x4d);
    assert_string_equal(set->class_name[0], "0");
    data_free(set);
}

/* ---- classes and files ------------------------------------------------------------------------------------------- */

static void check_classes(const char *name, const char *wanted)
{
    char got[256] = "";
    struct data_set *set = opened(name);
    for (int k = 0; k < set->classes; k++) {
        size_t len = strlen(got);
        snprintf(got + len, sizeof got - len, "%s ", set->class_name[k]);
        assert_int_equal(set->train.labels[k], k);
    }
    assert_string_equal(got, wanted);
    data_free(set);
}

static void test_order_of_classes(void **state)
{
    (void)state;
    static const char *const number[] = {"10", "9", "0", "2", "1", "-3", "02"};
    char name[64];
    for (size_t i = 0; i < COUNT_OF(number); i++) {
        snprintf(name, sizeof name, "numbers/%s", number[i]);
        put_class(name, 6, 0);
    }
    check_classes("numbers", "-3 0 1 02 2 9 10 ");
    put_class("numbers/x", 6, 0); /* no number: all by their bytes */
    check_classes("numbers", "-3 0 02 1 10 2 9 x ");
}

static void test_many_classes(void **state)
{
    (void)state;
    char name[64];
    for (int k = 0; k < DATA_CLASSES_MAX; k++) {
        snprintf(name, sizeof name, "many/train/%d", k);
        put_class(name, 1, k % 64);
        snprintf(name, sizeof name, "many/test/%d", k);
        put_class(name, 1, k % 64);
    }
    struct data_set *set = opened("many");
    assert_int_equal(set->classes, DATA_CLASSES_MAX);
    assert_string_equal(set->class_name[255], "255");
    check_sample(set, &set->test, 255, 255, 255 % 64);
    data_free(set);
    put_class("many/train/256", 1, 0);
    refused("many/train holds 257 folders, one a class; allowed are 2 to 256", "many");
    put_class("lone/only", 6, 0);
    refused("lone holds 1 folder, one a class; allowed are 2 to 256", "lone");
}

static void test_long_names(void **state)
{
    (void)state;
    char name[2][80] = {"long/", "long/"};
    for (int i = 0; i < 2; i++) {
        memset(name[i] + 5, 'x', 62);
        name[i][67] = (char)('a' + i);
        put_class(name[i], 6, 0);
    }
    struct data_set *set = opened("long");
    assert_string_equal(set->class_name[1], name[1] + 5);
    data_free(set);
    name[1][68] = 'y';
    put_class(name[1], 6, 0);
    refused("has 64 bytes, more than the 63 allowed", "long");
}

static void test_what_is_passed_over(void **state)
{
    (void)state;
    put_class("mixed/train/a", 1, 10);
    put_class("mixed/train/b", 1, 20);
    put_class("mixed/test/b", 1, 30);
    put_grey("mixed/train/a/1.PNG", 11);
    put_grey("mixed/train/a/.2.png", 12);
    put_file("mixed/train/a/notes.txt", "no picture", 10);
    put_file("mixed/train/a/png", "no picture", 10);
    put_class("mixed/train/a/deeper", 1, 13);
    put_class("mixed/train/.hidden", 1, 14);
    put_class("elsewhere/c", 2, 40);
    assert_int_equal(symlink("../../elsewhere/c", in_folder("mixed/train/c")), 0);
    assert_int_equal(symlink("../../elsewhere/c/01.png", in_folder("mixed/test/b.png")), 0); /* beside the folders */
    assert_int_equal(symlink("../../../elsewhere/c/01.png", in_folder("mixed/test/b/zz.png")), 0);
    struct data_set *set = opened("mixed");
    assert_string_equal(order_of(set, &set->train), "0:10 2:40 1:20 0:11 2:41 ");
    assert_string_equal(order_of(set, &set->test), "1:30 1:41 ");
    char words[PATH_MAX + 256];
    snprintf(words, sizeof words, "2 files of classes in %s passed over: 1 .txt, 1 without an ending\n"
             "1 folder within those of classes in %s passed over\n", in_folder("mixed"), in_folder("mixed"));
    assert_string_equal(notes, words);
    data_free(set);
}

/* What systems leave behind is told, and is no class, wherever it lies. */
static void test_what_systems_leave_behind(void **state)
{
    (void)state;
    put_class("left/train/a", 1, 10);
    put_class("left/train/b", 1, 20);
    put_class("left/test/b", 1, 30);
    put_class("left/train/__MACOSX/a", 1, 40);
    put_class("left/train/@eaDir", 1, 40);
    put_class("left/train/b/@eaDir", 1, 40);
    put_class("left/test/lost+found", 1, 40);
    put_class("left/test/$Recycle.bin", 1, 40);
    put_file("left/train/.DS_Store", "x", 1);
    struct data_set *set = opened("left");
    assert_int_equal(set->classes, 2);
    assert_string_equal(order_of(set, &set->train), "0:10 1:20 ");
    char words[PATH_MAX + 256];
    snprintf(words, sizeof words, "passed over in %s, for they are no data: @eaDir, __MACOSX, $Recycle.bin, "
             "lost+found\n", in_folder("left"));
    assert_string_equal(notes, words);
    data_free(set);
}

static void test_folders_as_people_have_them(void **state)
{
    (void)state;
    put_class("people/Train/a", 1, 10);
    put_class("people/Train/b/images", 1, 20);
    put_class("people/VAL/b/images", 1, 30);
    struct data_set *set = opened("people");
    assert_string_equal(order_of(set, &set->train), "0:10 1:20 ");
    assert_string_equal(order_of(set, &set->test), "1:30 ");
    assert_string_equal(set->path, in_folder("people"));
    data_free(set);
    OK(dir_make(in_folder("people/train")));
    refused("people has both a folder Train and a folder train: one of them must go", "people");
    put_class("wrapped/__MACOSX/photos", 1, 0); /* of an archive with one folder in it */
    put_class("wrapped/photos/x/a", 6, 40);
    put_class("wrapped/photos/x/b", 6, 50);
    set = opened("wrapped");
    assert_string_equal(set->path, in_folder("wrapped/photos/x"));
    assert_string_equal(set->name, "wrapped");
    assert_string_equal(set->class_name[1], "b");
    data_free(set);
}

/* Pictures that are none of ours are counted, and it is said what to do. */
static void test_other_pictures(void **state)
{
    (void)state;
    put_class("jpegs/a", 6, 0);
    put_class("jpegs/b", 6, 0);
    put_file("jpegs/a/1.JPG", "", 0);
    put_file("jpegs/b/2.jpg", "", 0);
    put_file("jpegs/b/3.webp", "", 0);
    struct data_set *set = opened("jpegs");
    assert_non_null(strstr(notes, " passed over: 2 .jpg, 1 .webp; clutch reads PNG, and `mogrify -format png *.jpg` "
                                  "(of ImageMagick) converts\n"));
    assert_non_null(strstr(notes, "3 files of classes in "));
    data_free(set);
    put_file("jpegs/c/1.tiff", "", 0);
    refused("jpegs/c, the folder of a class, but 1 .tiff; clutch reads PNG, and `mogrify -format png *.tiff`", "jpegs");
    put_file("all/train/a/1.jpeg", "", 0);
    put_file("all/train/b/x.jpeg", "", 0);
    refused("all, but 2 .jpeg; clutch reads PNG, and `mogrify -format png *.jpeg`", "all");
    refused("no PNG in the folders of classes of ", "all");
    put_file("flat/1.jpg", "", 0);
    refused("flat: its pictures are in no folder of a class, as CLASS/*.png; there are 0 .png, but 1 .jpg; ", "flat");
    put_class("pngs", 3, 0);
    refused("pngs: its pictures are in no folder of a class, as CLASS/*.png; there are 3 .png", "pngs");
}

static void test_what_else_a_png_is(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *words;
        size_t len;
    } row[] = {
        {"", "x.png: it is empty", 0},
        {"\xff\xd8\xff\xe0 JFIF", "x.png: it is a JPEG, not a PNG", 9},
        {"GIF89a....", "x.png: it is a GIF, not a PNG", 10},
        {"RIFF....WEBPVP8 ", "x.png: it is a WebP, not a PNG", 16},
        {"version https://git-lfs.github.com/spec/v1\n", "x.png: it is a pointer of Git LFS, not a PNG", 43},
        {"RIFF....WEB", "x.png: it is not a PNG", 11},
        {"\x89PNG\r\n\x1a", "x.png: it is not a PNG", 7},
        {"\x89PNG\r\n\x1a\n", "x.png: its head is damaged", 8},
    };
    struct store_picture p;
    put_class("else/a", 6, 0);
    put_class("else/b", 6, 0);
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        put_file("else/b/x.png", row[i].bytes, row[i].len);
        refused(row[i].words, "else");
        if (row[i].len != 8)
            FAILS(ST_INPUT, row[i].words, store_png_read(in_folder("else/b/x.png"), 1, &p));
    }
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

static void test_colors(void **state)
{
    (void)state;
    put_class("colors/train/a", 2, 10);
    put_class("colors/train/b", 2, 20);
    put_class("colors/test/a", 1, 30);
    put_picture("colors/test/b/0.png", W, H, 3, 40); /* one is enough */
    struct data_set *set = opened("colors");
    assert_true(set->c == 3 && set->h == H && set->w == W);
    check_sample(set, &set->train, 3, 1, 21); /* grey is the same in all planes */
    assert_int_equal(set->test.labels[1], 1);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < HW; i++)
            assert_int_equal(set->test.pixels[(3 + c) * HW + i], 40 + i + 50 * c);
    data_free(set);
    put_picture("colors/train/a/00.png", W, H, 3, 50);
    put_grey("colors/test/b/0.png", 60);
    set = opened("colors");
    assert_int_equal(set->c, 3);
    check_sample(set, &set->test, 1, 1, 60);
    data_free(set);
}

static void test_sizes(void **state)
{
    (void)state;
    put_class("sizes/train/a", 2, 0);
    put_class("sizes/train/b", 2, 0);
    put_class("sizes/test/a", 1, 0);
    put_picture("sizes/test/a/01.png", W + 1, H, 1, 0);
    refused("sizes/test/a/01.png is 6 pixels wide and 4 high, but ", "sizes");
    refused("sizes/train/a/00.png 5 and 4: all must have one size", "sizes");
    put_picture("sizes/train/b/00.png", W, H + 1, 1, 0);
    refused("sizes/train/b/00.png is 5 pixels wide and 5 high", "sizes");
    put_picture("wide/a/0.png", 4097, 1, 1, 0);
    put_class("wide/b", 6, 0);
    refused("wide/a/0.png is 4097 pixels wide and 1 high; allowed are 1 to 4096", "wide");
}

/* One picture of 16 MiB linked to again and again: nothing is allocated for what is too much. */
static void test_too_much(void **state)
{
    (void)state;
    char link[PATH_MAX], word[64];
    put_picture("large/test/a/0.png", 4096, 4096, 1, 0);
    for (int k = 0; k < 2; k++) {
        snprintf(word, sizeof word, "large/train/%c", 'a' + k);
        OK(dir_make(in_folder(word)));
        for (int i = 0; i < 128; i++) {
            snprintf(link, sizeof link, "%s/%d.png", in_folder(word), i);
            assert_int_equal(symlink(in_folder("large/test/a/0.png"), link), 0);
        }
    }
    refused("large/train: 256 pictures of 1 x 4096 x 4096 bytes are 4.0 GiB, more than the 4 GiB allowed", "large");
}

static void test_damage_is_named(void **state)
{
    (void)state;
    char *bytes;
    size_t len;
    put_class("damage/a", 6, 0);
    put_class("damage/b", 6, 0);
    OK(file_read(in_folder("damage/a/00.png"), 1 << 20, &bytes, &len));
    OK(file_write(in_folder("damage/b/03.png"), bytes, len - 20)); /* its head is whole */
    refused("damage/b/03.png: ", "damage");
    OK(file_write(in_folder("damage/b/03.png"), bytes, 20));
    refused("damage/b/03.png: its head is damaged", "damage");
    bytes[16 + 4] = bytes[17 + 4] = bytes[18 + 4] = bytes[19 + 4] = 0; /* the height */
    OK(file_write(in_folder("damage/b/03.png"), bytes, len));
    refused("damage/b/03.png: its head is damaged", "damage");
    mem_free(bytes);
    OK(file_write(in_folder("damage/b/03.png"), "text", 4));
    refused("cannot read ", "damage");
    assert_int_equal(remove(in_folder("damage/b/03.png")), 0);
    assert_int_equal(symlink("nowhere.png", in_folder("damage/b/03.png")), 0);
    refused("damage/b/03.png: No such file or directory", "damage");
    assert_int_equal(remove(in_folder("damage/b/03.png")), 0);
    put_grey("damage/b/03.png", 0);
    data_free(opened("damage"));
    if (geteuid() != 0) {
        assert_int_equal(chmod(in_folder("damage/b"), 0), 0);
        refused("damage/b: Permission denied", "damage");
        assert_int_equal(chmod(in_folder("damage/b"), 0700), 0);
    }
}

static void test_classes_that_lack_something(void **state)
{
    (void)state;
    put_file("empty/a/note.txt", "x", 1);
    OK(dir_make(in_folder("empty/b")));
    refused("no data in ", "empty"); /* no PNG at all: nothing says that these are classes */
    put_class("empty/b", 6, 0);
    refused("no PNG in ", "empty");
    refused("empty/a, the folder of a class", "empty");
    put_class("lacks/train/a", 1, 0);
    put_class("lacks/train/b", 1, 0);
    put_class("lacks/test/a", 1, 0);
    OK(dir_make(in_folder("lacks/test/b")));
    refused("lacks/test/b, the folder of a class", "lacks");
    put_class("lacks/test/b", 1, 0);
    put_class("lacks/test/frog", 1, 0);
    refused("class frog of ", "lacks");
    refused("lacks/train, so nothing can learn it", "lacks");
}

/* The same files give the same samples, in whatever order they were made. */
static void test_same_each_time(void **state)
{
    (void)state;
    char name[PATH_MAX], first[4096];
    for (int i = 0; i < 60; i++) {
        int k = i * 23 % 60; /* each once */
        snprintf(name, sizeof name, "again/%c/%03d.png", 'a' + k % 3, k);
        put_grey(name, k);
        snprintf(name, sizeof name, "once-more/%c/%03d.png", 'a' + i % 3, i);
        put_grey(name, i);
    }
    struct data_set *a = opened("again"), *b = opened("once-more");
    snprintf(first, sizeof first, "%s", order_of(a, &a->train));
    assert_string_equal(first, order_of(b, &b->train));
    snprintf(first, sizeof first, "%s", order_of(a, &a->test));
    assert_string_equal(first, order_of(b, &b->test));
    assert_true(a->train.n == 51 && a->test.n == 9);
    for (uint32_t i = 0; i < a->train.n; i++)
        assert_int_equal(a->train.labels[i], i % 3); /* equal classes take turns */
    data_free(a);
    data_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_train_and_test),
        cmocka_unit_test(test_other_words),
        cmocka_unit_test(test_every_sixth),
        cmocka_unit_test(test_train_may_be_a_class),
        cmocka_unit_test(test_idx_wins),
        cmocka_unit_test(test_order_of_classes),
        cmocka_unit_test(test_many_classes),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_what_is_passed_over),
        cmocka_unit_test(test_what_systems_leave_behind),
        cmocka_unit_test(test_folders_as_people_have_them),
        cmocka_unit_test(test_other_pictures),
        cmocka_unit_test(test_what_else_a_png_is),
        cmocka_unit_test(test_colors),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_damage_is_named),
        cmocka_unit_test(test_classes_that_lack_something),
        cmocka_unit_test(test_same_each_time),
    };
    return cmocka_run_group_tests_name("folders of PNGs", tests, NULL, NULL);
}
