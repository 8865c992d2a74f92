/* Sections of a net: one as a net of its own, and cuts put into a net's text; the net as text without them. */
#include "inside.h"

#include <stdio.h>
#include <string.h>

static int tensors_before(const struct nn_net *net, int layer)
{
    int n = 0;
    for (int i = 0; i < layer; i++)
        n += net->layer[i].param_count + net->layer[i].state_count;
    return n;
}

enum st nn_net_layers(const struct nn_net *net, int first, int count, struct nn_net **out)
{
    enum st s = ST_OK;
    struct nn_net *own = NULL;
    TRY(new_net("", net->origin, &own));
    memcpy(own->layer, net->layer + first, (size_t)count * sizeof *own->layer);
    own->section[0].count = own->layer_count = count;
    own->input = own->layer[0].in;
    own->classes = nn_size(own->layer[count - 1].out);
    own->loss = net->loss;
    own->tensor_first = tensors_before(net, first);
    place_tensors(own);
    *out = own;
    own = NULL;
out:
    nn_net_free(own);
    return s;
}

enum st nn_net_section(const struct nn_net *net, int k, struct nn_net **out)
{
    const struct nn_section *section = &net->section[k];
    enum st s = nn_net_layers(net, section->first, section->count, out);
    if (s == ST_OK) {
        (*out)->section[0] = *section;
        (*out)->section[0].first = 0;
    }
    return s;
}

bool nn_net_may_cut(const struct nn_net *net, int i)
{
    return i > 0 && i < net->layer_count && !net->layer[i].fused;
}

static enum st check_cuts(const struct nn_net *net, const int *at, int n)
{
    for (int i = 0; i < n; i++)
        if (!nn_net_may_cut(net, at[i]) || (i > 0 && at[i] <= at[i - 1]))
            return st_fail(ST_INPUT, "%s: no cut can stand before layer %d", net->origin, at[i]);
    return net->section_count == 1 ? ST_OK : st_fail(ST_INPUT, "%s has cuts already", net->origin);
}

enum st nn_net_split(const struct nn_net *net, const int *at, int n, const char *coupling, struct nn_net **out)
{
    enum st s = ST_OK;
    struct text t = {0};
    const char *ends = line_ends(net->text), *line = net->text;
    bool inline_net = strchr(ends, ';') != NULL;
    TRY(check_cuts(net, at, n));
    for (int number = 1, next = 0;; number++) {
        size_t len = strcspn(line, ends);
        if (next < n && net->layer[at[next]].line == number) {
            text_add(&t, "%scut %s%s", inline_net ? " " : "", coupling, inline_net ? ";" : "\n");
            next++;
        }
        text_add_bytes(&t, line, len + (line[len] != '\0'));
        if (!line[len])
            break;
        line += len + 1;
    }
    TRY(text_status(&t));
    TRY(nn_net_parse(t.s, net->origin, out));
out:
    text_free(&t);
    return s;
}

enum st nn_net_join(const struct nn_net *net, struct nn_net **out)
{
    enum st s = ST_OK;
    struct text t = {0};
    const char *ends = line_ends(net->text);
    for (const char *line = net->text;;) {
        size_t len = strcspn(line, ends), blank = strspn(line, " \t\r"), word = strcspn(line + blank, " \t\r#;\n");
        const char *first = line + blank;
        bool goes = (word == 3 && memcmp(first, "cut", 3) == 0) || (word == 2 && memcmp(first, "on", 2) == 0);
        text_add_bytes(&t, line, goes ? 0 : len);
        if (!line[len])
            break;
        text_add_bytes(&t, line + len, 1); /* lines keep their numbers */
        line += len + 1;
    }
    TRY(text_status(&t));
    TRY(nn_net_parse(t.s, net->origin, out));
out:
    text_free(&t);
    return s;
}

/* As few digits as give the same number again. */
static void write_number(double v, struct text *out)
{
    char word[32];
    double again = 0;
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(word, sizeof word, "%.*g", digits, v);
        if (parse_f64(word, &again) && again == v)
            break;
    }
    text_add(out, "%s", word);
}

void nn_net_write(const struct nn_net *net, struct text *out)
{
    struct nn_shape in = net->input;
    if (in.h == 1 && in.w == 1)
        text_add(out, "input %d\n", in.c);
    else
        text_add(out, "input %dx%dx%d\n", in.c, in.h, in.w);
    for (int i = 0; i < net->layer_count; i++) {
        const struct nn_layer *l = &net->layer[i];
        text_add(out, "%s", l->kind->name);
        for (int k = 0; k < NN_OPTIONS_MAX && l->kind->options[k].key; k++) {
            if (l->option[k] == l->kind->options[k].otherwise) /* NAN, which must be given, is equal to nothing */
                continue;
            text_add(out, " %s=", l->kind->options[k].key);
            write_number(l->option[k], out);
        }
        text_add(out, "\n");
    }
    text_add(out, "loss %s\n", net->loss->name);
}
