/* The head of a run: what is printed before it starts. */
#include "session.h"

#include <stdio.h>
#include <string.h>

static void print_memory(const struct train_memory *m)
{
    const struct {
        const char *name;
        uint64_t bytes;
    } row[] = {{"parameters", m->net.params + m->net.state},
               {"gradients", m->net.grads},
               {"optimizer", m->net.slots},
               {"activations", m->net.activations + m->net.deltas + m->batch},
               {"couplings", m->couplings},
               {"scratch", m->net.scratch},
               {m->streams ? "pictures (streamed)" : "pictures", m->pictures}};
    char text[32];
    output("memory:");
    for (size_t i = 0; i < COUNT_OF(row); i++)
        if (row[i].bytes || i != 4)
            output("%s %s %s", i ? "," : "", row[i].name, show_bytes(text, sizeof text, row[i].bytes));
    output("; in all %s", show_bytes(text, sizeof text, m->total));
    output(" of %s (a tenth stays free)\n", show_bytes(text, sizeof text, m->available));
}

/* Of module k: the tuning file in force, "" for none. */
static const char *file_of(const struct session *c, int k)
{
    return mx_tuning_file(train_module_at(c->train, k).mx);
}

/* Each tuning file in force, once. */
static void print_tuning(const struct session *c)
{
    bool any = false;
    for (int k = 0; k < train_module_count(c->train); k++) {
        int first = 0;
        while (strcmp(file_of(c, first), file_of(c, k)) != 0)
            first++;
        if (first == k && file_of(c, k)[0]) {
            output("tuning: %s\n", file_of(c, k));
            any = true;
        }
    }
    if (!any)
        output("tuning: none\n");
}

static void print_modules(const struct session *c)
{
    int n = train_module_count(c->train);
    for (int k = 0; k < n; k++) {
        struct train_module m = train_module_at(c->train, k);
        char words[256];
        if (n > 1)
            output("module %d: layers %d to %d on %s, GEMM %s (%s)%s%s\n", k, m.first, m.first + m.count - 1, m.device,
                   mx_gemm_name(m.mx), mx_tuning_note(m.mx), m.spec ? "; gradient: " : "",
                   m.spec ? sg_spec_show(m.spec, words, sizeof words) : "");
        else
            output("device: %s, GEMM %s (%s)\n", m.device, mx_gemm_name(m.mx), mx_tuning_note(m.mx));
    }
    if (n == 1 && c->modules.hold.n > 1)
        output("        the fastest of the %d devices alone: more modules would not be 5 %% faster (clutch plan tells "
               "why, --modules N does it)\n", c->modules.hold.n);
    if (n > 1)
        output("modules run %s, up to %d message%s between two\n",
               c->facts.lockstep ? "in lockstep" : "freely, each at its own pace", c->facts.queue,
               plural((uint64_t)c->facts.queue));
}

enum st head_print(const struct session *c, const struct train_memory *m)
{
    enum st s = ST_OK;
    struct text table = {0}, places = {0};
    const struct data_set *d = c->set;
    const struct train_options *o = &c->facts.options;
    output("net:    %s\n", c->net->origin);
    nn_net_show(c->net, &table);
    modules_show(&c->modules, c->net, &places);
    TRY(text_status(&table));
    TRY(text_status(&places));
    output_lines(table.s);
    output("data:   %s%s%s%s: %u to train on, ", d->name, d->path ? " (" : "", d->path ? d->path : "",
           d->path ? ")" : "", d->train.n);
    if (d->validation.n)
        output("%u held out, ", d->validation.n);
    output("%u to test, %d class%s\n", d->test.n, d->classes, d->classes == 1 ? "" : "es");
    print_modules(c);
    print_tuning(c);
    output_lines(places.s ? places.s : "");
    print_memory(m);
    text_clear(&table);
    train_options_show(o, &table);
    TRY(text_status(&table));
    output("train:  %s, seed %llu\n", table.s, (unsigned long long)o->seed);
out:
    text_free(&places);
    text_free(&table);
    return s;
}
