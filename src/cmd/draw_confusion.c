/* What the trained net takes for what: the confusion matrix of the test set, and its most confident mistakes. */
#include "pictures.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MISTAKES = 24, TEXT_CLASSES_MAX = 24, BATCH = 256 };

struct verdict {
    uint32_t picture;
    int taken_for;
    float certainty; /* probability of that class; its output where the loss makes no probabilities */
};

struct verdicts {
    const struct data_split *test;
    int classes;
    bool probable;
    struct verdict *all; /* (test->n) */
    double *share;       /* (classes, classes): of the pictures of a row's class */
    uint32_t *count;     /* likewise, how many */
    uint32_t right;
};

/* ---- judging ----------------------------------------------------------------------------------------------------- */

static enum st predict(const struct drawing *d, const struct draw_test *t, float *says)
{
    enum st s = ST_OK;
    struct train *train = NULL;
    TRY(train_open(t->device, t->net, NULL, NULL, &d->facts->scaling, BATCH, NULL, &train));
    TRY(train_load(train, t->model));
    TRY(train_predict(train, &t->set->test, says));
out:
    train_close(train);
    return s;
}

static void judge(struct verdicts *v, const float *says)
{
    for (uint32_t i = 0; i < v->test->n; i++) {
        const float *p = says + (size_t)i * (size_t)v->classes;
        int best = 0;
        for (int c = 1; c < v->classes; c++)
            if (p[c] > p[best])
                best = c;
        v->all[i] = (struct verdict){i, best, p[best]};
        v->count[(size_t)v->test->labels[i] * (size_t)v->classes + (size_t)best]++;
        v->right += v->test->labels[i] == best;
    }
    for (int row = 0; row < v->classes; row++) {
        uint32_t sum = 0;
        for (int c = 0; c < v->classes; c++)
            sum += v->count[row * v->classes + c];
        for (int c = 0; c < v->classes; c++)
            v->share[row * v->classes + c] = sum ? (double)v->count[row * v->classes + c] / sum : 0;
    }
}

static enum st judge_all(struct drawing *d, const struct draw_test *t, struct verdicts *v)
{
    enum st s = ST_OK;
    float *says = NULL;
    size_t cells = (size_t)t->net->classes * (size_t)t->net->classes;
    *v = (struct verdicts){.test = &t->set->test, .classes = t->net->classes,
                            .probable = t->net->loss->probabilities != NULL};
    TRY(NEW(says, (size_t)v->test->n * (size_t)v->classes));
    v->all = arena_alloc(&d->arena, v->test->n, sizeof *v->all);
    v->share = arena_alloc(&d->arena, cells, sizeof *v->share);
    v->count = arena_alloc(&d->arena, cells, sizeof *v->count);
    if (!v->all || !v->share || !v->count)
        TRY(ST_MEMORY);
    TRY(predict(d, t, says));
    judge(v, says);
out:
    mem_free(says);
    return s;
}

/* ---- the matrix -------------------------------------------------------------------------------------------------- */

/* A name in a table of commas: quoted where it must be. */
static void add_cell(struct text *t, const char *name)
{
    bool quote = strpbrk(name, ",\"\n") != NULL;
    text_add(t, quote ? "\"" : "");
    for (; *name; name++)
        text_add(t, *name == '"' ? "\"\"" : "%c", *name);
    text_add(t, quote ? "\"" : "");
}

static enum st write_table(const struct drawing *d, const struct verdicts *v)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    struct text t = {0};
    text_add(&t, "class\\taken for");
    for (int c = 0; c < v->classes; c++) {
        text_add(&t, ",");
        add_cell(&t, d->facts->class_name[c]);
    }
    text_add(&t, "\n");
    for (int row = 0; row < v->classes; row++) {
        add_cell(&t, d->facts->class_name[row]);
        for (int c = 0; c < v->classes; c++)
            text_add(&t, ",%u", v->count[row * v->classes + c]);
        text_add(&t, "\n");
    }
    TRY(text_status(&t));
    TRY(drawing_path(d, "pictures/confusion.csv", path));
    TRY(file_write(path, t.s, t.len));
out:
    text_free(&t);
    return s;
}

/* Counts as texts of the cells, those that are not zero; NULL where there are too many classes for them. */
static enum st cell_texts(struct drawing *d, const struct verdicts *v, const char *const **out)
{
    enum st s = ST_OK;
    size_t cells = (size_t)v->classes * (size_t)v->classes;
    const char **text = arena_alloc(&d->arena, cells, sizeof *text);
    *out = NULL;
    if (!text)
        TRY(ST_MEMORY);
    for (size_t i = 0; i < cells && v->classes <= TEXT_CLASSES_MAX; i++) {
        char number[16];
        int n = snprintf(number, sizeof number, "%u", v->count[i]);
        if (v->count[i] && !(text[i] = arena_copy(&d->arena, number, (size_t)n)))
            TRY(ST_MEMORY);
    }
    *out = text;
out:
    return s;
}

static enum st draw_matrix(struct drawing *d, const struct verdicts *v)
{
    enum st s = ST_OK;
    struct store_picture picture = {0};
    char title[64], caption[200], accuracy[32];
    struct store_matrix m = {.row_title = "class", .column_title = "taken for", .values = v->share, .rows = v->classes,
                             .columns = v->classes, .row_name = d->facts->class_name,
                             .column_name = d->facts->class_name, .most = 1};
    double right = v->test->n ? (double)v->right / v->test->n : 0;
    TRY(cell_texts(d, v, &m.text));
    snprintf(title, sizeof title, "Confusion on the test set: %.2f %% right", 100 * right);
    TRY(store_matrices_draw(title, &m, 1, 1, &picture));
    snprintf(caption, sizeof caption, "What pictures of the test set were taken for; the colour is the share of a row: "
             "%u of %u are right", v->right, v->test->n);
    snprintf(accuracy, sizeof accuracy, "%.6g", right);
    TRY(write_table(d, v));
    TRY(drawing_write(d, (struct picture){.section = "The test set", .file = "pictures/confusion.png",
                                          .caption = caption, .numbers = "pictures/confusion.csv"}, &picture,
                      &(struct store_note){"accuracy", accuracy}, 1));
out:
    store_picture_free(&picture);
    return s;
}

/* ---- mistakes ---------------------------------------------------------------------------------------------------- */

static int by_certainty(const void *left, const void *right)
{
    const struct verdict *a = left, *b = right;
    if (a->certainty != b->certainty)
        return a->certainty < b->certainty ? 1 : -1;
    return (a->picture > b->picture) - (a->picture < b->picture);
}

/* The mistakes to the front, most confident first; returns how many there are. */
static uint32_t sort_mistakes(struct verdicts *v)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->test->n; i++)
        if (v->test->labels[v->all[i].picture] != v->all[i].taken_for)
            v->all[n++] = v->all[i];
    qsort(v->all, n, sizeof *v->all, by_certainty);
    return n;
}

static enum st write_mistakes(const struct drawing *d, const struct verdicts *v, uint32_t n)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    struct text t = {0};
    text_add(&t, "picture,class,taken for,%s\n", v->probable ? "probability" : "output");
    for (uint32_t i = 0; i < n; i++) {
        const struct verdict *one = &v->all[i];
        text_add(&t, "%u,", one->picture);
        add_cell(&t, d->facts->class_name[v->test->labels[one->picture]]);
        text_add(&t, ",");
        add_cell(&t, d->facts->class_name[one->taken_for]);
        text_add(&t, ",%.6g\n", (double)one->certainty);
    }
    TRY(text_status(&t));
    TRY(drawing_path(d, "pictures/mistakes.csv", path));
    TRY(file_write(path, t.s, t.len));
out:
    text_free(&t);
    return s;
}

static enum st draw_mistakes(struct drawing *d, struct verdicts *v)
{
    enum st s = ST_OK;
    struct store_picture picture = {0}, one[MISTAKES] = {0};
    struct store_card card[MISTAKES];
    char caption[MISTAKES][2 * DATA_NAME_MAX + 32];
    uint32_t all = sort_mistakes(v), n = all < MISTAKES ? all : MISTAKES;
    size_t size = (size_t)d->input[0] * (size_t)d->input[1] * (size_t)d->input[2];
    TRY(write_mistakes(d, v, all));
    for (uint32_t i = 0; i < n; i++) {
        const struct verdict *m = &v->all[i];
        TRY(store_picture_of_planes(v->test->pixels + m->picture * size, d->input[0], d->input[1], d->input[2],
                                    &one[i]));
        snprintf(caption[i], sizeof caption[i], v->probable ? "%s\nas %s %.0f %%" : "%s\nas %s (%.2f)",
                 d->facts->class_name[v->test->labels[m->picture]], d->facts->class_name[m->taken_for],
                 (v->probable ? 100 : 1) * (double)m->certainty);
        card[i] = (struct store_card){&one[i], caption[i]};
    }
    TRY(store_cards_draw("Most confident mistakes: what it is, and what it was taken for", card, (int)n, &picture));
    TRY(drawing_write(d, (struct picture){.section = "The test set", .file = "pictures/mistakes.png",
                                          .caption = "Pictures of the test set that the net is most sure of, and "
                                                     "wrong; some labels are wrong, too",
                                          .numbers = "pictures/mistakes.csv"}, &picture, NULL, 0));
out:
    for (int i = 0; i < MISTAKES; i++)
        store_picture_free(&one[i]);
    store_picture_free(&picture);
    return s;
}

enum st draw_confusion(struct drawing *d, const struct draw_test *t)
{
    enum st s = ST_OK;
    struct verdicts v;
    TRY(judge_all(d, t, &v));
    TRY(draw_matrix(d, &v));
    if (shows_pictures(d))
        TRY(draw_mistakes(d, &v));
out:
    return s;
}
