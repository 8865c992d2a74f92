/* From text to layers and shapes, with errors that name file, line, word and what is known. */
#include "inside.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 1 << 20, LAYERS_MAX = 1024, SIZE_MAX_ALLOWED = 1 << 24, WORDS_MAX = 16 };

struct reader {
    struct nn_net *net;
    int line;
    int word_count;
    char *word[WORDS_MAX];
    struct nn_shape shape; /* behind the last layer read */
    bool have_input;
    int cut_line; /* of the last cut */
};

#define FAIL(r, ...) fail_at_line((r), st_fail(ST_INPUT, __VA_ARGS__))

static enum st fail_at_line(const struct reader *r, enum st s)
{
    return st_context(s, "%s:%d", r->net->origin, r->line);
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static enum st parse_shape(const struct reader *r, const char *word, struct nn_shape *out)
{
    int side[3] = {0}, n = 0;
    char part[16];
    const char *rest = word;
    bool more = true;
    while (more && n < 3) {
        size_t len = strcspn(rest, "x");
        int64_t v = 0;
        if (len == 0 || len >= sizeof part)
            break;
        memcpy(part, rest, len);
        part[len] = '\0';
        if (!parse_i64(part, &v) || v < 1 || v > NN_SIDE_MAX)
            break;
        side[n++] = (int)v;
        more = rest[len] == 'x';
        rest += len + more;
    }
    if (more || n == 2)
        return FAIL(r, "input '%s': a shape is CxHxW or N, each number 1 to %d", word, NN_SIDE_MAX);
    *out = n == 3 ? (struct nn_shape){side[0], side[1], side[2]} : (struct nn_shape){side[0], 1, 1};
    if ((int64_t)out->c * out->h * out->w > SIZE_MAX_ALLOWED)
        return FAIL(r, "input '%s': %d values at most", word, SIZE_MAX_ALLOWED);
    return ST_OK;
}

static const char *option_key(const void *options, size_t i)
{
    return i < NN_OPTIONS_MAX ? ((const struct nn_option *)options)[i].key : NULL;
}

static enum st parse_option(const struct reader *r, struct nn_layer *l, int position, char *word, bool *given)
{
    const struct nn_kind *kind = l->kind;
    char *value = strchr(word, '='), unknown[SHOW_UNKNOWN_MAX];
    int at = -1;
    if (value) {
        *value++ = '\0';
        for (int i = 0; i < NN_OPTIONS_MAX && kind->options[i].key; i++)
            if (strcmp(kind->options[i].key, word) == 0)
                at = i;
    } else if (position == 1 && kind->options[0].key) {
        value = word;
        at = 0;
    }
    if (at < 0)
        return FAIL(r, "%s: %s", kind->name,
                    show_unknown(unknown, sizeof unknown, "option", word, option_key, kind->options));
    const struct nn_option *o = &kind->options[at];
    double v;
    if (!parse_f64(value, &v) || v < o->least || v > o->most || (o->whole && v != floor(v)))
        return FAIL(r, "%s: %s is '%s', must be a%s number from %.15g to %.15g", kind->name, o->key, value,
                    o->whole ? " whole" : "", o->least, o->most);
    if (given[at])
        return FAIL(r, "%s: %s is given twice", kind->name, o->key);
    given[at] = true;
    l->option[at] = v;
    return ST_OK;
}

static enum st parse_options(const struct reader *r, struct nn_layer *l)
{
    enum st s = ST_OK;
    bool given[NN_OPTIONS_MAX] = {false};
    for (int i = 1; i < r->word_count; i++)
        TRY(parse_option(r, l, i, r->word[i], given));
    for (int i = 0; i < NN_OPTIONS_MAX && l->kind->options[i].key; i++) {
        if (given[i])
            continue;
        l->option[i] = l->kind->options[i].otherwise;
        if (isnan(l->option[i]))
            TRY(FAIL(r, "%s: %s (%s) is missing", l->kind->name, l->kind->options[i].key, l->kind->options[i].help));
    }
out:
    return s;
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

static struct nn_section *open_section(const struct reader *r)
{
    return &r->net->section[r->net->section_count - 1];
}

/* What a line can begin with. */
static const char *statement(const void *unused, size_t i)
{
    static const char *const behind[] = {"cut", "on", "loss"};
    size_t kinds = 0;
    (void)unused;
    if (i == 0)
        return "input";
    while (nn_kind_at((int)kinds))
        kinds++;
    if (i <= kinds)
        return nn_kind_at((int)i - 1)->name;
    return i - kinds <= COUNT_OF(behind) ? behind[i - kinds - 1] : NULL;
}

static enum st unknown_word(const struct reader *r)
{
    char unknown[SHOW_UNKNOWN_MAX];
    return FAIL(r, "%s", show_unknown(unknown, sizeof unknown, "word", r->word[0], statement, NULL));
}

static void count_tensors(struct nn_param *tensor, int n)
{
    for (int i = 0; i < n; i++) {
        tensor[i].count = 1;
        for (int k = 0; k < tensor[i].rank; k++)
            tensor[i].count *= (size_t)tensor[i].shape[k];
    }
}

static enum st read_layer(struct reader *r)
{
    enum st s = ST_OK;
    struct nn_net *net = r->net;
    const struct nn_kind *kind;
    for (int i = 0; (kind = nn_kind_at(i)) != NULL; i++)
        if (strcmp(kind->name, r->word[0]) == 0)
            break;
    if (!kind)
        return unknown_word(r);
    if (!r->have_input)
        return FAIL(r, "'%s' before the input: the first line is 'input CxHxW'", r->word[0]);
    if (net->layer_count == LAYERS_MAX)
        return FAIL(r, "more than %d layers", LAYERS_MAX);
    struct nn_layer *l = &net->layer[net->layer_count];
    *l = (struct nn_layer){.kind = kind, .line = r->line, .index = net->layer_count, .in = r->shape};
    TRY(parse_options(r, l));
    memcpy(l->ops, kind->ops, sizeof l->ops);
    TRY(fail_at_line(r, kind->shape(l)));
    if ((int64_t)l->out.c * l->out.h * l->out.w > SIZE_MAX_ALLOWED || l->macs > (uint64_t)1 << 30)
        TRY(FAIL(r, "%s: too large: %llu multiply-accumulates a sample", kind->name, (unsigned long long)l->macs));
    count_tensors(l->param, l->param_count);
    count_tensors(l->state, l->state_count);
    /* an activation joins the layer before it where that one computes it in its own pass */
    struct nn_layer *before = open_section(r)->count ? l - 1 : NULL;
    if (kind->act != MX_IDENTITY && before && before->kind->fuses_act) {
        before->phi = (struct mx_activation){kind->act, (float)l->option[0]};
        l->fused = true;
    }
    r->shape = l->out;
    net->layer_count++;
    open_section(r)->count++;
out:
    return s;
}

/* Neighbours in a section that can hand over da = dy * phi'(.) do so: in a product the slope costs nothing, else a
 * pass. */
static void trade_da(struct nn_net *net, const struct nn_section *section)
{
    struct nn_layer *before = NULL;
    for (int i = section->first; i < section->first + section->count; i++) {
        struct nn_layer *l = &net->layer[i];
        if (l->fused)
            continue;
        if (before && before->kind->trades_da && l->kind->trades_da && before->phi.kind != MX_IDENTITY) {
            l->below = before->phi;
            before->given_da = true;
        }
        before = l;
    }
}

static const char *loss_name(const void *unused, size_t i)
{
    (void)unused;
    const struct nn_loss *loss = nn_loss_at((int)i);
    return loss ? loss->name : NULL;
}

static enum st find_loss(const struct reader *r, const struct nn_loss **out)
{
    char text[SHOW_UNKNOWN_MAX];
    if (r->word_count != 2)
        return FAIL(r, "loss takes one word of these: %s", show_names(text, sizeof text, loss_name, NULL));
    for (int i = 0; (*out = nn_loss_at(i)) != NULL; i++)
        if (strcmp((*out)->name, r->word[1]) == 0)
            return ST_OK;
    return FAIL(r, "%s", show_unknown(text, sizeof text, "loss", r->word[1], loss_name, NULL));
}

static enum st read_loss(struct reader *r)
{
    enum st s = ST_OK;
    const struct nn_loss *loss;
    TRY(find_loss(r, &loss));
    if (open_section(r)->count == 0)
        TRY(r->net->layer_count ? FAIL(r, "the cut of line %d has no layer behind it", r->cut_line)
                                : FAIL(r, "no layer before the loss"));
    if (r->shape.h != 1 || r->shape.w != 1 || r->shape.c < 2)
        TRY(FAIL(r, "loss %s takes a vector of 2 or more classes, not %dx%dx%d: put a dense layer before it",
                 loss->name, r->shape.c, r->shape.h, r->shape.w));
    r->net->classes = r->shape.c;
    r->net->loss = loss;
    open_section(r)->line = r->line;
out:
    return s;
}

/* The words from the second on, with single blanks between them. */
static const char *join_words(const struct reader *r)
{
    struct text t = {0};
    for (int i = 1; i < r->word_count; i++)
        text_add(&t, "%s%s", i > 1 ? " " : "", r->word[i]);
    const char *joined = t.failed ? NULL : arena_copy(&r->net->arena, t.s ? t.s : "", t.len);
    text_free(&t);
    return joined;
}

static enum st read_cut(struct reader *r)
{
    struct nn_net *net = r->net;
    if (open_section(r)->count == 0)
        return FAIL(r, net->section_count > 1 ? "two cuts without a layer between them"
                                              : "a cut before the first layer");
    struct nn_section *section = open_section(r);
    section->line = r->cut_line = r->line;
    section->coupling = join_words(r);
    net->section[net->section_count++] = (struct nn_section){.first = net->layer_count, .coupling = "", .on = ""};
    return section->coupling ? ST_OK : ST_MEMORY;
}

static enum st read_on(struct reader *r)
{
    struct nn_section *section = open_section(r);
    if (r->word_count != 2)
        return FAIL(r, "on takes one device, such as 0:0, gpu, cpu or a part of a name");
    if (section->on[0])
        return FAIL(r, "a second device for one module: it is on '%s'", section->on);
    section->on = join_words(r);
    section->on_line = r->line;
    return section->on ? ST_OK : ST_MEMORY;
}

static enum st read_line(struct reader *r, char *line)
{
    line[strcspn(line, "#")] = '\0';
    r->word_count = 0;
    for (char *at = line;;) {
        at += strspn(at, " \t\r");
        if (!*at)
            break;
        if (r->word_count == WORDS_MAX)
            return FAIL(r, "more than %d words", WORDS_MAX);
        r->word[r->word_count++] = at;
        at += strcspn(at, " \t\r");
        if (*at)
            *at++ = '\0';
    }
    if (r->word_count == 0)
        return ST_OK;
    if (r->net->loss)
        return FAIL(r, "'%s' behind the loss, which must be the last line", r->word[0]);
    if (strcmp(r->word[0], "loss") == 0)
        return read_loss(r);
    if (strcmp(r->word[0], "cut") == 0)
        return read_cut(r);
    if (strcmp(r->word[0], "on") == 0)
        return read_on(r);
    if (strcmp(r->word[0], "input") != 0)
        return read_layer(r);
    if (r->have_input || r->word_count != 2)
        return FAIL(r, r->have_input ? "a second input" : "input takes one shape, such as 1x28x28");
    r->have_input = true;
    enum st s = parse_shape(r, r->word[1], &r->net->input);
    r->shape = r->net->input;
    return s;
}

/* ---- nets -------------------------------------------------------------------------------------------------------- */

void place_tensors(struct nn_net *net)
{
    enum { ALIGN = 32 }; /* floats: each tensor starts at a multiple of 128 bytes */
    size_t param = 0, state = 0;
    for (int i = 0; i < net->layer_count; i++) {
        struct nn_layer *l = &net->layer[i];
        for (int k = 0; k < l->param_count; k++) {
            l->param[k].off = param;
            param += (l->param[k].count + ALIGN - 1) / ALIGN * ALIGN;
        }
        for (int k = 0; k < l->state_count; k++) {
            l->state[k].off = state;
            state += (l->state[k].count + ALIGN - 1) / ALIGN * ALIGN;
        }
    }
}

/* One line of text is an inline net, where a ';' ends a line, in a comment too; in more lines it has no meaning. */
const char *line_ends(const char *text)
{
    const char *first_end = strchr(text, '\n');
    return first_end && first_end[1] ? "\n" : "\n;";
}

enum st new_net(const char *text, const char *origin, struct nn_net **out)
{
    struct nn_net *net = mem_alloc(1, sizeof *net);
    if (!net)
        return ST_MEMORY;
    *out = net;
    net->text = arena_copy(&net->arena, text, strlen(text));
    net->origin = arena_copy(&net->arena, origin, strlen(origin));
    net->layer = arena_alloc(&net->arena, LAYERS_MAX, sizeof *net->layer);
    net->section = arena_alloc(&net->arena, LAYERS_MAX + 1, sizeof *net->section);
    if (!net->text || !net->origin || !net->layer || !net->section)
        return ST_MEMORY;
    net->section[0] = (struct nn_section){.coupling = "", .on = ""};
    net->section_count = 1;
    return ST_OK;
}

static enum st parse(const char *text, const char *origin, bool layers_alone, struct nn_net **out)
{
    enum st s = ST_OK;
    struct nn_net *net = NULL;
    char names[SHOW_UNKNOWN_MAX];
    TRY(new_net(text, origin, &net));
    char *line = arena_copy(&net->arena, text, strlen(text));
    if (!line)
        TRY(ST_MEMORY);
    struct reader r = {.net = net};
    const char *ends = line_ends(text);
    for (char *next = line; next; line = next) {
        size_t len = strcspn(line, ends);
        next = line[len] ? line + len + 1 : NULL;
        line[len] = '\0';
        r.line++;
        TRY(read_line(&r, line));
    }
    if (!net->loss && !layers_alone)
        TRY(FAIL(&r, "the net ends without a loss: its last line is 'loss' and one of %s",
                 show_names(names, sizeof names, loss_name, NULL)));
    if (layers_alone)
        net->classes = nn_size(r.shape);
    for (int i = 0; i < net->section_count; i++)
        trade_da(net, &net->section[i]);
    place_tensors(net);
    *out = net;
    net = NULL;
out:
    nn_net_free(net);
    return s;
}

enum st nn_net_parse(const char *text, const char *origin, struct nn_net **out)
{
    return parse(text, origin, false, out);
}

enum st nn_net_parse_layers(const char *text, const char *origin, struct nn_net **out)
{
    return parse(text, origin, true, out);
}

enum st nn_net_open(const char *word, struct nn_net **out)
{
    if (strpbrk(word, " ;\n"))
        return nn_net_parse(word, "net", out);
    char *text = NULL;
    size_t len;
    enum st s = file_read(word, TEXT_BYTES_MAX, &text, &len);
    if (s == ST_OK && strlen(text) != len)
        s = st_fail(ST_INPUT, "%s is not text", word);
    if (s == ST_OK)
        s = nn_net_parse(text, word, out);
    mem_free(text);
    return s;
}

void nn_net_free(struct nn_net *net)
{
    if (!net)
        return;
    arena_free(&net->arena);
    mem_free(net);
}

size_t nn_net_params(const struct nn_net *net)
{
    size_t n = 0;
    for (int i = 0; i < net->layer_count; i++)
        for (int k = 0; k < net->layer[i].param_count; k++)
            n += net->layer[i].param[k].count;
    return n;
}

uint64_t nn_net_macs(const struct nn_net *net)
{
    uint64_t n = 0;
    for (int i = 0; i < net->layer_count; i++)
        n += net->layer[i].macs;
    return n;
}

void nn_net_show(const struct nn_net *net, struct text *out)
{
    char shape[40];
    snprintf(shape, sizeof shape, "%dx%dx%d", net->input.c, net->input.h, net->input.w);
    text_add(out, "  #  layer        output      parameters   MACs/sample\n     %-12s %-10s\n", "input", shape);
    for (int i = 0; i < net->layer_count; i++) {
        const struct nn_layer *l = &net->layer[i];
        size_t params = 0;
        for (int k = 0; k < l->param_count; k++)
            params += l->param[k].count;
        if (l->out.h == 1 && l->out.w == 1)
            snprintf(shape, sizeof shape, "%d", l->out.c);
        else
            snprintf(shape, sizeof shape, "%dx%dx%d", l->out.c, l->out.h, l->out.w);
        text_add(out, "%3d  %-12s %-10s %11zu %13llu\n", i, l->kind->name, shape, params, (unsigned long long)l->macs);
    }
    text_add(out, "     %-12s %-10s %11zu %13llu\n", "total", "", nn_net_params(net),
             (unsigned long long)nn_net_macs(net));
}

int nn_tensor_count(const struct nn_net *net)
{
    int n = 0;
    for (int i = 0; i < net->layer_count; i++)
        n += net->layer[i].param_count + net->layer[i].state_count;
    return n;
}

struct nn_tensor nn_tensor_at(const struct nn_net *net, int i)
{
    struct nn_tensor t = {0};
    for (int k = 0; k < net->layer_count; k++) {
        const struct nn_layer *l = &net->layer[k];
        int mine = l->param_count + l->state_count;
        if (i < mine) {
            t.is_state = i >= l->param_count;
            t.param = t.is_state ? &l->state[i - l->param_count] : &l->param[i];
            snprintf(t.name, sizeof t.name, "%d.%s", l->index, t.param->name);
            break;
        }
        i -= mine;
    }
    return t;
}
