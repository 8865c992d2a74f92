/* data: IDX files good and bad, known sets, drawn digits, hold-out, moments, order. */
#include "support/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data.h"

enum { TRAIN = 5, TEST = 3, FILE_MAX = 65536 };

/* ---- IDX files to read ------------------------------------------------------------------------------------------- */

struct bytes {
    size_t len;
    uint8_t b[FILE_MAX];
};

static void put_size(struct bytes *f, uint32_t v)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        f->b[f->len++] = (uint8_t)(v >> shift);
}

static uint8_t pixel(uint32_t sample, size_t p)
{
    return (uint8_t)(sample * 31 + p * 7);
}

static struct bytes images_of(uint32_t n, uint32_t h, uint32_t w)
{
    struct bytes f = {.len = 4, .b = {0, 0, 8, 3}};
    put_size(&f, n);
    put_size(&f, h);
    put_size(&f, w);
    for (uint32_t i = 0; i < n; i++)
        for (size_t p = 0; p < (size_t)h * w; p++)
            f.b[f.len++] = pixel(i, p);
    return f;
}

static struct bytes labels_of(uint32_t n, uint32_t classes)
{
    struct bytes f = {.len = 4, .b = {0, 0, 8, 1}};
    put_size(&f, n);
    for (uint32_t i = 0; i < n; i++)
        f.b[f.len++] = (uint8_t)((classes - 1) * (i + 1) / n); /* the last one is the highest */
    return f;
}

/* A file of the set, by kind, in one of the four namings: bit 0 a dot, bit 1 gzip. */
static void put_file(const char *folder, const char *part, const char *kind, int naming, const struct bytes *f)
{
    char path[512];
    OK(dir_make(folder));
    snprintf(path, sizeof path, "%s/%s-%s%cidx%d-ubyte%s", folder, part, kind, naming & 1 ? '.' : '-',
             strcmp(kind, "images") == 0 ? 3 : 1, naming & 2 ? ".gz" : "");
    gzFile out = gzopen(path, naming & 2 ? "wb" : "wbT"); /* T: as it is */
    assert_non_null(out);
    assert_int_equal(gzwrite(out, f->b, (unsigned)f->len), f->len);
    assert_int_equal(gzclose(out), Z_OK);
}

static void put_parts(const char *folder, const char *train, const char *test, int naming, uint32_t side,
                      uint32_t train_classes, uint32_t test_classes)
{
    struct bytes f = images_of(TRAIN, side, side + 1);
    put_file(folder, train, "images", naming, &f);
    f = images_of(TEST, side, side + 1);
    put_file(folder, test, "images", naming, &f);
    f = labels_of(TRAIN, train_classes);
    put_file(folder, train, "labels", naming, &f);
    f = labels_of(TEST, test_classes);
    put_file(folder, test, "labels", naming, &f);
}

static void put_set(const char *folder, int naming, uint32_t side, uint32_t train_classes, uint32_t test_classes)
{
    put_parts(folder, "train", "t10k", naming, side, train_classes, test_classes);
}

static void test_idx_under_every_name(void **state)
{
    (void)state;
    static const char *const name[] = {"dash", "dot", "dash-gz", "dot-gz"};
    for (int naming = 0; naming < 4; naming++) {
        const char *folder = in_folder(name[naming]);
        put_set(folder, naming, 4, 3, 12);
        struct data_set *set = NULL;
        OK(data_open(folder, 0, &set));
        assert_string_equal(set->name, name[naming]);
        assert_string_equal(set->path, folder);
        assert_true(set->c == 1 && set->h == 4 && set->w == 5 && set->classes == 12);
        assert_string_equal(set->class_name[11], "11");
        assert_true(set->train.n == TRAIN && set->test.n == TEST && set->validation.n == 0);
        for (uint32_t i = 0; i < TRAIN; i++)
            for (size_t p = 0; p < 20; p++)
                assert_int_equal(set->train.pixels[i * 20 + p], pixel(i, p));
        assert_int_equal(set->train.labels[TRAIN - 1], 2);
        assert_int_equal(set->test.pixels[2 * 20 + 19], pixel(2, 19));
        assert_int_equal(set->test.labels[TEST - 1], 11);
        data_free(set);
    }
    data_free(NULL);
}

static void test_idx_sizes_and_classes(void **state)
{
    (void)state;
    struct data_set *set = NULL;
    const char *folder = in_folder("one-class");
    put_set(folder, 0, 1, 1, 1); /* smallest pictures; a lone class still makes two */
    OK(data_open(folder, 0, &set));
    assert_true(set->h == 1 && set->w == 2 && set->classes == 2);
    data_free(set);
    folder = in_folder("all-classes");
    put_set(folder, 0, 1, DATA_CLASSES_MAX, 2);
    OK(data_open(folder, 0, &set));
    assert_int_equal(set->classes, DATA_CLASSES_MAX);
    assert_string_equal(set->class_name[255], "255");
    data_free(set);
}

static void test_idx_tells_what_is_wrong(void **state)
{
    (void)state;
    enum { N = 7, H = 11, W = 15 }; /* the low byte of each size */
    static const struct {
        const char *part, *kind;
        int at, value; /* this byte of the file becomes this; at < 0: none */
        int more;      /* bytes added at the end */
        const char *words;
    } row[] = {
        {"train", "images", 0, 1, 0, "train-images-idx3-ubyte is not an IDX file: it starts with bytes 01 00"},
        {"t10k", "labels", 1, 7, 0, "t10k-labels-idx1-ubyte is not an IDX file: it starts with bytes 00 07"},
        {"train", "images", 2, 13, 0, "train-images-idx3-ubyte has element type 0x0d; allowed is 0x08"},
        {"train", "images", 3, 1, 0, "train-images-idx3-ubyte has 1 dimension; wanted 3"},
        {"t10k", "labels", 3, 3, 0, "t10k-labels-idx1-ubyte has 3 dimensions; wanted 1"},
        {"train", "images", -1, 0, -116, "cut short: its header wants 16 bytes, found 0"},
        {"train", "images", -1, 0, -101, "cut short: its header wants 16 bytes, found 15"},
        {"train", "labels", -1, 0, -8, "cut short: its header wants 8 bytes, found 5"},
        {"train", "images", -1, 0, -1, "cut short: 100 bytes wanted behind its header, found 99"},
        {"train", "images", -1, 0, -100, "cut short: 100 bytes wanted behind its header, found 0"},
        {"t10k", "labels", -1, 0, -1, "cut short: 3 bytes wanted behind its header, found 2"},
        {"train", "images", -1, 0, 1, "train-images-idx3-ubyte has bytes left over behind the 100"},
        {"t10k", "labels", -1, 0, 1, "t10k-labels-idx1-ubyte has bytes left over behind the 3"},
        {"train", "images", N, 0, 0, "train-images-idx3-ubyte holds no samples"},
        {"train", "labels", N, 0, 0, "train-labels-idx1-ubyte holds no samples"},
        {"train", "images", H, 0, 0, "pictures of 0 x 5 pixels; allowed are 1 to 4096 a side"},
        {"train", "images", W - 1, 32, 0, "pictures of 4 x 8197 pixels; allowed are 1 to 4096 a side"},
        {"train", "images", N - 3, 255, 0, "claims 85563801700 bytes, more than the 4 GiB allowed"},
        {"train", "images", N - 2, 255, 0, "cut short: 334233700 bytes wanted behind its header, found 100"},
        {"train", "labels", N, 4, -1, "train-labels-idx1-ubyte holds 4 labels, but"},
        {"t10k", "images", H, 3, -15, "pictures of 3 x 5 pixels, but the training set's are 4 x 5"},
        {"t10k", "images", W, 4, -12, "pictures of 4 x 4 pixels, but the training set's are 4 x 5"},
    };
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        const char *folder = in_folder("wrong");
        put_set(folder, 0, 4, 3, 3);
        uint32_t n = strcmp(row[i].part, "train") == 0 ? TRAIN : TEST;
        struct bytes f = strcmp(row[i].kind, "images") == 0 ? images_of(n, 4, 5) : labels_of(n, 3);
        if (row[i].at >= 0)
            f.b[row[i].at] = (uint8_t)row[i].value;
        f.len = (size_t)((int)f.len + row[i].more);
        put_file(folder, row[i].part, row[i].kind, 0, &f);
        struct data_set *set = NULL;
        FAILS(ST_INPUT, row[i].words, data_open(folder, 0, &set));
        assert_null(set);
    }
}

static void test_missing_files_are_named(void **state)
{
    (void)state;
    char path[512];
    struct data_set *set = NULL;
    const char *folder = in_folder("missing");
    OK(dir_make(folder));
    FAILS(ST_INPUT, "missing: neither the four IDX files", data_open(folder, 0, &set));
    FAILS(ST_INPUT, "nor folders of PNGs (train/CLASS/*.png and test", data_open(folder, 0, &set));
    struct bytes f = labels_of(TEST, 2);
    put_file(folder, "t10k", "labels", 3, &f); /* one of them says what was meant */
    FAILS(ST_INPUT, "no file train-images-idx3-ubyte in", data_open(folder, 0, &set));
    snprintf(path, sizeof path, "%s/t10k-labels.idx1-ubyte.gz", folder);
    assert_int_equal(remove(path), 0);
    put_set(folder, 0, 4, 3, 3);
    snprintf(path, sizeof path, "%s/t10k-labels-idx1-ubyte", folder);
    assert_int_equal(remove(path), 0);
    FAILS(ST_INPUT, "no file t10k-labels-idx1-ubyte in", data_open(folder, 0, &set));
    OK(dir_make(path)); /* unpackers make a folder of that name around the file */
    FAILS(ST_INPUT, "no file t10k-labels-idx1-ubyte in", data_open(folder, 0, &set));
}

static char notes[1024];

static void keep_note(const char *line)
{
    snprintf(notes + strlen(notes), sizeof notes - strlen(notes), "%s\n", line);
}

static void check_set(const char *word, const char *path, const char *want_notes)
{
    struct data_set *set = NULL;
    notes[0] = '\0';
    note_to(keep_note);
    OK(data_open(word, 0, &set));
    note_to(NULL);
    assert_true(set->train.n == TRAIN && set->test.n == TEST && set->classes == 3);
    assert_string_equal(set->path, path);
    assert_string_equal(notes, want_notes);
    data_free(set);
}

#define FROM_ONE "labels are taken as they are, 3 classes with that of 0\n"
#define SWAPPED "EMNIST's pictures have rows and columns swapped; they are taken as they are\n"

static void test_idx_as_people_have_it(void **state)
{
    (void)state;
    char root[512], folder[600], words[800];
    struct data_set *set = NULL;
    snprintf(root, sizeof root, "%s", in_folder("unpacked")); /* into folders of their own names */
    for (int i = 0; i < 4; i++) {
        const char *part = i < 2 ? "train" : "t10k", *kind = i & 1 ? "labels" : "images";
        struct bytes f = i & 1 ? labels_of(i < 2 ? TRAIN : TEST, 3) : images_of(i < 2 ? TRAIN : TEST, 4, 5);
        snprintf(folder, sizeof folder, "%s/%s-%s-idx%d-ubyte", root, part, kind, i & 1 ? 1 : 3);
        put_file(folder, part, kind, i & 1, &f);
    }
    check_set(root, root, "");
    /* torchvision's root: the set's folder, and in it one of others' making */
    snprintf(root, sizeof root, "%s", in_folder("root"));
    snprintf(folder, sizeof folder, "%s/MNIST/processed", root);
    OK(dir_make(folder));
    snprintf(folder, sizeof folder, "%s/MNIST/raw", root);
    put_set(folder, 2, 4, 3, 3);
    check_set(root, folder, "");
    snprintf(folder, sizeof folder, "%s/FashionMNIST/raw", root);
    put_set(folder, 2, 4, 3, 3);
    FAILS(ST_INPUT, "no data in", data_open(root, 0, &set)); /* which of the two? */
    snprintf(root, sizeof root, "%s", in_folder("emnist")); /* its names; then labels from 1 */
    put_parts(root, "emnist-letters-train", "emnist-letters-test", 0, 4, 3, 3);
    check_set(root, root, SWAPPED);
    struct bytes f = labels_of(TRAIN, 1);
    memset(f.b + f.len - TRAIN, 2, TRAIN);
    put_file(root, "emnist-letters-train", "labels", 0, &f);
    snprintf(words, sizeof words, "no sample to train on in %s has label 0: " FROM_ONE SWAPPED, root);
    check_set(root, root, words);
    put_parts(root, "emnist-mnist-train", "emnist-mnist-test", 1, 4, 3, 3);
    FAILS(ST_INPUT, "emnist holds IDX files of several sets, emnist-letters, emnist-mnist: put the four of one into a "
          "folder of their own", data_open(root, 0, &set));
    put_set(root, 0, 4, 3, 3); /* without a prefix they are meant */
    check_set(root, root, "");
}

static void test_damaged_gzip(void **state)
{
    (void)state;
    static const struct {
        int from_end, flip, cut; /* flips bits of the byte there; cuts so many bytes off */
        const char *words;
    } row[] = {
        {8, 255, 0, "train-images-idx3-ubyte.gz: incorrect data check"},
        {4, 255, 0, "train-images-idx3-ubyte.gz: incorrect length check"},
        {0, 0, 4, "train-images-idx3-ubyte.gz: unexpected end of file"}, /* all samples there, the check is not */
        {0, 0, 40, "train-images-idx3-ubyte.gz: unexpected end of file"},
    };
    const char *folder = in_folder("damaged");
    char path[512], *data = NULL;
    size_t len;
    struct data_set *set = NULL;
    snprintf(path, sizeof path, "%s/train-images-idx3-ubyte.gz", folder);
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        put_set(folder, 2, 4, 3, 3);
        OK(file_read(path, FILE_MAX, &data, &len));
        if (row[i].flip)
            data[len - (size_t)row[i].from_end] = (char)(data[len - (size_t)row[i].from_end] ^ row[i].flip);
        OK(file_write(path, data, len - (size_t)row[i].cut));
        mem_free(data);
        FAILS(ST_INPUT, row[i].words, data_open(folder, 0, &set));
    }
    /* ten bytes of gzip header, then a block of the type that does not exist */
    OK(file_write(path, "\x1f\x8b\x08\0\0\0\0\0\0\x03\xff\xff\xff\xff", 14));
    FAILS(ST_INPUT, "train-images-idx3-ubyte.gz: invalid block type", data_open(folder, 0, &set));
}

/* ---- words and names --------------------------------------------------------------------------------------------- */

static void test_folder_gives_the_name(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *name;
    } row[] = {
        {"plain//", "plain"},
        {"a-name-of-more-than-thirty-one-characters", "a-name-of-more-than-thirty-one-"},
        {"thirty-bytes-before-a-letter--\xc3\xa9", "thirty-bytes-before-a-letter--"}, /* no half character */
    };
    struct data_set *set = NULL;
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        const char *folder = in_folder(row[i].folder);
        put_set(folder, 0, 2, 2, 2);
        OK(data_open(folder, 0, &set));
        assert_string_equal(set->name, row[i].name);
        data_free(set);
    }
    const char *folder = in_folder("fashion-mnist"); /* a folder so called has these classes */
    put_set(folder, 0, 2, 10, 10);
    OK(data_open(folder, 0, &set));
    assert_string_equal(set->class_name[0], "T-shirt/top");
    assert_string_equal(set->class_name[9], "Ankle boot");
    data_free(set);
    put_set(folder, 0, 2, 11, 10); /* unless there are others */
    OK(data_open(folder, 0, &set));
    assert_string_equal(set->class_name[0], "0");
    data_free(set);
}

static void test_known_sets_are_looked_for(void **state)
{
    (void)state;
    struct data_set *set = NULL;
    char place[512];
    FAILS(ST_INPUT, "unknown data set 'cifar'; known: fashion-mnist, mnist, digits; or give a folder",
          data_open("cifar", 0, &set));
    setenv("HOME", in_folder("home"), 1);
    setenv("XDG_DATA_HOME", in_folder("xdg"), 1);
    if (!dir_exists("/usr/share/datasets/mnist")) {
        snprintf(place, sizeof place, "looked in %s/clutch/mnist, /usr/share/datasets/mnist;", in_folder("xdg"));
        FAILS(ST_INPUT, place, data_open("mnist", 0, &set));
        setenv("XDG_DATA_HOME", "not/from/the/root", 1);
        snprintf(place, sizeof place, "looked in %s/.local/share/clutch/mnist, ", in_folder("home"));
        FAILS(ST_INPUT, place, data_open("mnist", 0, &set));
    }
    if (!dir_exists("/usr/share/datasets/fashion-mnist"))
        FAILS(ST_INPUT, "apt install dataset-fashion-mnist; or give a folder", data_open("fashion-mnist", 0, &set));
    setenv("XDG_DATA_HOME", in_folder("xdg"), 1);
    put_set(in_folder("xdg/clutch/mnist"), 0, 28, 10, 10); /* 28 x 29 */
    FAILS(ST_INPUT, "is not mnist: its pictures are 28 x 29 pixels, wanted 28 x 28", data_open("mnist", 0, &set));
    struct bytes f = images_of(TRAIN, 28, 28);
    put_file(in_folder("xdg/clutch/mnist"), "train", "images", 0, &f);
    f = images_of(TEST, 28, 28);
    put_file(in_folder("xdg/clutch/mnist"), "t10k", "images", 0, &f);
    OK(data_open("mnist", 0, &set));
    assert_string_equal(set->name, "mnist");
    assert_string_equal(set->path, in_folder("xdg/clutch/mnist"));
    assert_string_equal(set->class_name[3], "3");
    data_free(set);
}

static void test_fashion_mnist(void **state)
{
    (void)state;
    if (!dir_exists("/usr/share/datasets/fashion-mnist")) {
        print_message("skipped: Debian's dataset-fashion-mnist is not installed\n");
        skip();
    }
    struct data_set *set = NULL;
    double mean, deviation;
    setenv("XDG_DATA_HOME", in_folder("nothing-here"), 1);
    OK(data_open("fashion-mnist", 0, &set));
    assert_true(set->c == 1 && set->h == 28 && set->w == 28 && set->classes == 10);
    assert_true(set->train.n == 60000 && set->test.n == 10000);
    assert_string_equal(set->class_name[set->train.labels[0]], "Ankle boot");
    data_moments(set, &mean, &deviation);
    assert_true(fabs(mean - .2860) <= 5e-5 && fabs(deviation - .3530) <= 5e-5); /* the figures in common use */
    data_free(set);
}

/* ---- digits ------------------------------------------------------------------------------------------------------ */

static size_t pixels_n(const struct data_set *set, const struct data_split *split)
{
    return (size_t)split->n * (size_t)set->h * (size_t)set->w;
}

/* Share of the test split whose nearest class mean of the training split is its own. */
static double nearest_mean_accuracy(const struct data_set *set)
{
    static double mean[10][28 * 28];
    uint32_t right = 0;
    memset(mean, 0, sizeof mean);
    for (uint32_t i = 0; i < set->train.n; i++)
        for (size_t p = 0; p < 784; p++)
            mean[set->train.labels[i]][p] += set->train.pixels[i * 784 + p] * 10. / set->train.n;
    for (uint32_t i = 0; i < set->test.n; i++) {
        double nearest = INFINITY;
        int best = -1;
        for (int k = 0; k < 10; k++) {
            double distance = 0;
            for (size_t p = 0; p < 784; p++) {
                double d = set->test.pixels[i * 784 + p] - mean[k][p];
                distance += d * d;
            }
            if (distance < nearest) {
                nearest = distance;
                best = k;
            }
        }
        right += best == set->test.labels[i];
    }
    return (double)right / set->test.n;
}

static void test_digits(void **state)
{
    (void)state;
    struct data_set *a = NULL, *b = NULL, *other = NULL;
    OK(data_open("digits", 7, &a));
    OK(data_open("digits", 7, &b));
    OK(data_open("digits", 8, &other));
    assert_string_equal(a->name, "digits");
    assert_string_equal(a->class_name[9], "9");
    assert_null(a->path);
    assert_true(a->c == 1 && a->h == 28 && a->w == 28 && a->classes == 10);
    assert_true(a->train.n == 12000 && a->test.n == 2000 && a->validation.n == 0);
    assert_memory_equal(a->train.pixels, b->train.pixels, pixels_n(a, &a->train));
    assert_memory_equal(a->test.pixels, b->test.pixels, pixels_n(a, &a->test));
    assert_memory_equal(a->train.labels, b->train.labels, a->train.n);
    for (uint32_t i = 0; i < a->test.n; i++) { /* no sample twice: in another seed, the other split, its own split */
        assert_memory_not_equal(a->train.pixels + i * 784, a->train.pixels + (i + 10) * 784, 784);
        assert_memory_not_equal(a->test.pixels + i * 784, other->test.pixels + i * 784, 784);
        assert_memory_not_equal(a->test.pixels + i * 784, a->train.pixels + i * 784, 784);
    }
    int count[2][10] = {{0}};
    for (uint32_t i = 0; i < a->train.n; i++)
        count[0][a->train.labels[i]]++;
    for (uint32_t i = 0; i < a->test.n; i++)
        count[1][a->test.labels[i]]++;
    for (int k = 0; k < 10; k++)
        assert_true(count[0][k] == 1200 && count[1][k] == 200);
    /* pictures go with their labels, yet averages alone do not solve the set */
    double accuracy = nearest_mean_accuracy(a);
    assert_true(accuracy > .6 && accuracy < .95);
    data_free(a);
    data_free(b);
    data_free(other);
}

/* ---- what one can ask of any set --------------------------------------------------------------------------------- */

/* n samples of 2 channels of 1 x 3 pixels; the label tells which sample it is. */
static struct data_set *numbered(uint32_t n)
{
    struct data_set *set = NULL;
    OK(NEW(set, 1));
    strcpy(set->name, "numbered");
    set->c = 2;
    set->h = 1;
    set->w = 3;
    set->classes = 256;
    set->train.n = n;
    OK(NEW(set->train.labels, n));
    OK(NEW(set->train.pixels, n * 6));
    for (uint32_t i = 0; i < n; i++) {
        set->train.labels[i] = (uint8_t)i;
        for (size_t p = 0; p < 6; p++)
            set->train.pixels[i * 6 + p] = pixel(i, p);
    }
    return set;
}

/* Adds the samples to `seen`; they come in rising order, each with its own pixels. */
static void see(const struct data_split *split, int *seen)
{
    for (uint32_t i = 0; i < split->n; i++) {
        uint8_t k = split->labels[i];
        seen[k]++;
        assert_true(i == 0 || k > split->labels[i - 1]);
        for (size_t p = 0; p < 6; p++)
            assert_int_equal(split->pixels[i * 6 + p], pixel(k, p));
    }
}

static void test_hold_out_partitions(void **state)
{
    (void)state;
    static const struct {
        uint32_t limit, validation, total;
    } row[] = {{0, 0, 200}, {0, 60, 200}, {150, 0, 150}, {150, 149, 150}, {200, 1, 200}, {1, 0, 1}};
    for (size_t i = 0; i < COUNT_OF(row); i++) {
        struct data_set *set = numbered(200);
        int seen[256] = {0};
        OK(data_hold_out(set, row[i].limit, row[i].validation, 3));
        assert_int_equal(set->validation.n, row[i].validation);
        assert_int_equal(set->train.n, row[i].total - row[i].validation);
        see(&set->train, seen);
        see(&set->validation, seen);
        for (uint32_t k = 0; k < 256; k++)
            assert_int_equal(seen[k], k < row[i].total);
        data_free(set);
    }
}

static void test_hold_out_depends_on_the_seed(void **state)
{
    (void)state;
    struct data_set *a = numbered(200), *b = numbered(200), *other = numbered(200);
    OK(data_hold_out(a, 0, 60, 3));
    OK(data_hold_out(b, 0, 60, 3));
    OK(data_hold_out(other, 0, 60, 4));
    assert_memory_equal(a->validation.labels, b->validation.labels, 60);
    assert_memory_not_equal(a->validation.labels, other->validation.labels, 60);
    assert_true(a->validation.labels[59] > 100); /* from all over, not the first ones */
    data_free(a);
    data_free(b);
    data_free(other);
}

static void test_hold_out_refuses(void **state)
{
    (void)state;
    struct data_set *set = numbered(200);
    FAILS(ST_INPUT, "limit 201 is more than the 200 training samples of numbered", data_hold_out(set, 201, 0, 1));
    FAILS(ST_INPUT, "validation 200 of 200 training samples of numbered leaves none to train on; allowed are 0 to 199",
          data_hold_out(set, 0, 200, 1));
    FAILS(ST_INPUT, "validation 60 of 50", data_hold_out(set, 50, 60, 1));
    assert_true(set->train.n == 200 && set->validation.n == 0); /* a refusal changes nothing */
    data_free(set);
}

static void test_moments_match_a_double_loop(void **state)
{
    (void)state;
    struct data_set *set = numbered(200);
    double mean[2], deviation[2];
    data_moments(set, mean, deviation);
    for (size_t c = 0; c < 2; c++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < 200; i++)
            for (size_t p = 0; p < 3; p++)
                sum += set->train.pixels[i * 6 + c * 3 + p] / 255.;
        for (size_t i = 0; i < 200; i++)
            for (size_t p = 0; p < 3; p++)
                squares += pow(set->train.pixels[i * 6 + c * 3 + p] / 255. - sum / 600, 2);
        /* 600 roundings of 1.1e-16 each at most */
        assert_true(fabs(mean[c] - sum / 600) <= 1e-13);
        assert_true(fabs(deviation[c] - sqrt(squares / 600)) <= 1e-13);
    }
    assert_true(fabs(mean[0] - mean[1]) > 1e-3); /* the channels differ, so a mix-up would show */
    for (size_t i = 0; i < 200; i++)
        memset(set->train.pixels + i * 6 + 3, 77, 3);
    data_moments(set, mean, deviation);
    assert_true(fabs(mean[1] - 77 / 255.) <= 1e-15 && deviation[1] == 1 && deviation[0] < 1);
    data_free(set);
}

static void test_order_is_a_permutation(void **state)
{
    (void)state;
    enum { N = 1000 };
    uint32_t order[4][N];
    static const struct {
        uint64_t seed;
        uint32_t epoch;
    } row[4] = {{5, 0}, {5, 1}, {6, 0}, {5, 0}};
    for (int i = 0; i < 4; i++) {
        bool seen[N] = {false};
        data_order(row[i].seed, row[i].epoch, N, order[i]);
        for (int k = 0; k < N; k++) {
            assert_true(order[i][k] < N && !seen[order[i][k]]);
            seen[order[i][k]] = true;
        }
    }
    assert_memory_equal(order[0], order[3], sizeof order[0]);
    assert_memory_not_equal(order[0], order[1], sizeof order[0]);
    assert_memory_not_equal(order[0], order[2], sizeof order[0]);
    assert_memory_not_equal(order[1], order[2], sizeof order[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idx_under_every_name),
        cmocka_unit_test(test_idx_sizes_and_classes),
        cmocka_unit_test(test_idx_tells_what_is_wrong),
        cmocka_unit_test(test_missing_files_are_named),
        cmocka_unit_test(test_idx_as_people_have_it),
        cmocka_unit_test(test_damaged_gzip),
        cmocka_unit_test(test_folder_gives_the_name),
        cmocka_unit_test(test_known_sets_are_looked_for),
        cmocka_unit_test(test_fashion_mnist),
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_hold_out_partitions),
        cmocka_unit_test(test_hold_out_depends_on_the_seed),
        cmocka_unit_test(test_hold_out_refuses),
        cmocka_unit_test(test_moments_match_a_double_loop),
        cmocka_unit_test(test_order_is_a_permutation),
    };
    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
