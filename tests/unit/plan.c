/* plan: placements against all there are, what they are said to do, and what is measured. No speed is judged. */
#include "support/check.h"
#include "support/device.h"

#include "plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct nn_net *net;
static struct plan_costs costs;
static struct text text;
static struct rng rng;

static int drop(void **state)
{
    plan_costs_free(&costs);
    nn_net_free(net);
    net = NULL;
    text_free(&text);
    return device_drop(state);
}

static void open_net(const char *words)
{
    nn_net_free(net);
    net = NULL;
    OK(nn_net_parse(words, "t.net", &net));
}

/* Layers that take `ns` each, half of it forward, on every device; nothing else costs anything. */
static void even_costs(int devices, double ns)
{
    plan_costs_free(&costs);
    OK(plan_costs_new(net->layer_count, devices, 10, &costs));
    for (int d = 0; d < devices; d++)
        for (int i = 0; i < net->layer_count; i++)
            if (!net->layer[i].fused) {
                costs.cost[d * net->layer_count + i] = (struct plan_layer_cost){ns / 2, ns / 2};
                costs.whole_ns[d] += ns;
            }
}

/* ---- against all placements -------------------------------------------------------------------------------------- */

static double random_ns(double most)
{
    return rng_below(&rng, 4) ? most * rng_unit(&rng) : 0;
}

/* Devices of a few kinds, so that some are equal; small numbers, so that there are ties. */
static void random_costs(int devices)
{
    int layers = net->layer_count;
    plan_costs_free(&costs);
    OK(plan_costs_new(layers, devices, 2, &costs));
    for (int i = 1; i < layers; i++) {
        costs.message_bytes[i] = 100 * rng_unit(&rng);
        costs.coupling_macs[i] = rng_below(&rng, 100);
    }
    for (int d = 0; d < devices; d++) {
        int like = d > 0 && rng_below(&rng, 2) ? (int)rng_below(&rng, (uint32_t)d) : d;
        for (int i = 0; i < layers; i++)
            costs.cost[d * layers + i] = like < d ? costs.cost[like * layers + i]
                                       : net->layer[i].fused ? (struct plan_layer_cost){0, 0}
                                       : rng_below(&rng, 2) ? (struct plan_layer_cost){1 + rng_below(&rng, 9), 0}
                                                            : (struct plan_layer_cost){5, random_ns(20)};
        costs.ns_per_mac[d] = like < d ? costs.ns_per_mac[like] : random_ns(0.1);
        costs.link_ns[d] = like < d ? costs.link_ns[like] : random_ns(10);
        costs.ns_per_byte[d] = like < d ? costs.ns_per_byte[like] : random_ns(0.3);
        costs.emulated[d] = like < d ? costs.emulated[like] : rng_below(&rng, 2);
        costs.flight_ns_per_byte[d] = like < d ? costs.flight_ns_per_byte[like] : random_ns(0.3);
        costs.whole_ns[d] = 50;
        /* equal in all but one thing is not equal */
        double *const one[] = {&costs.ns_per_mac[d], &costs.link_ns[d], &costs.ns_per_byte[d],
                               &costs.flight_ns_per_byte[d]};
        if (like < d && rng_below(&rng, 2))
            *one[rng_below(&rng, COUNT_OF(one))] *= 4;
    }
}

struct all {
    int modules, first[8], device[8];
    const int *pinned;
    int tried;
    double best;
};

/* All ways to go on behind module k - 1, by brute force. */
static void try_all(struct all *a, int k)
{
    struct plan p;
    if (k == a->modules) {
        OK(plan_rate(net, &costs, a->first, a->device, k, 1, &p));
        a->best = p.decoupled > a->best ? p.decoupled : a->best;
        a->tried++;
        return;
    }
    for (int at = k ? a->first[k - 1] + 1 : 0; at < (k ? net->layer_count : 1); at++)
        for (int d = 0; d < costs.devices && (k == 0 || plan_may_cut(net, at)); d++) {
            bool wanted = !a->pinned || a->pinned[k] < 0 || a->pinned[k] == d;
            for (int i = 0; i < a->modules && wanted; i++)
                wanted = (i >= k || a->device[i] != d) && (i == k || !a->pinned || a->pinned[i] != d);
            if (!wanted)
                continue;
            a->first[k] = at;
            a->device[k] = d;
            try_all(a, k + 1);
        }
}

static void check_placement(const struct plan *p, const struct plan_wish *w)
{
    bool used[8] = {false};
    int next = 0;
    for (int k = 0; k < p->modules; k++) {
        const struct plan_module *m = &p->module[k];
        assert_int_equal(m->first, next);
        assert_true(m->count > 0 && (k == 0 || plan_may_cut(net, m->first)));
        assert_false(used[m->device]);
        used[m->device] = true;
        next += m->count;
        if (w->pinned && w->pinned[k] >= 0)
            assert_int_equal(m->device, w->pinned[k]);
        if (w->cuts && k > 0)
            assert_int_equal(m->first, w->cuts[k - 1]);
        assert_true(m->busy >= 0 && m->busy <= 1 + 1e-9);
    }
    assert_int_equal(next, net->layer_count);
}

static const char *const nets[] = {
    "input 4; dense 4; relu; dense 4; batchnorm; relu; dense 4; tanh; dense 4; dropout 0.1; dense 4; loss softmax",
    "input 4; relu; dense 4; dense 4; dense 4; dense 4; dense 4; loss softmax",
    "input 4; dense 4; relu; dense 4; sigmoid; loss softmax",
};

static void check_random_case(void)
{
    int devices = 1 + (int)rng_below(&rng, 5), places = 1, pinned[8];
    open_net(nets[rng_below(&rng, COUNT_OF(nets))]);
    random_costs(devices);
    for (int i = 1; i < net->layer_count; i++)
        places += plan_may_cut(net, i);
    int most = places < devices ? places : devices;
    struct all all = {.modules = 1 + (int)rng_below(&rng, (uint32_t)most)};
    struct plan_wish wish = {.modules = all.modules, .micro_batches = 1};
    for (int k = 0; k < 8; k++)
        pinned[k] = -1;
    if (rng_below(&rng, 3) == 0)
        pinned[rng_below(&rng, (uint32_t)all.modules)] = (int)rng_below(&rng, (uint32_t)devices);
    wish.pinned = all.pinned = pinned;
    struct plan p;
    OK(plan_choose(net, &costs, &wish, &p));
    assert_int_equal(p.modules, all.modules);
    check_placement(&p, &wish);
    try_all(&all, 0);
    assert_true(all.tried > 0);
    if (!(fabs(p.decoupled - all.best) <= 1e-9 * all.best)) /* sums in another order */
        fail_msg("%d modules on %d devices: %.9g steps/s, but %.9g can be had", p.modules, devices, p.decoupled,
                 all.best);
}

static void test_choosing_against_all_placements(void **state)
{
    (void)state;
    rng_init(&rng, 3, 0);
    for (int i = 0; i < 600; i++)
        check_random_case();
}

/* Places of cuts that stand are kept, devices are the best for them. */
static void test_given_cuts(void **state)
{
    (void)state;
    static const int cuts[] = {2, 5};
    struct plan_wish wish = {.modules = 3, .cuts = cuts, .micro_batches = 1};
    struct plan p;
    rng_init(&rng, 4, 0);
    open_net(nets[0]);
    for (int i = 0; i < 100; i++) {
        double best = 0;
        random_costs(4);
        OK(plan_choose(net, &costs, &wish, &p));
        check_placement(&p, &wish);
        for (int all = 0; all < 64; all++) {
            int first[] = {0, 2, 5}, device[] = {all / 16, all / 4 % 4, all % 4};
            struct plan other;
            if (device[0] == device[1] || device[0] == device[2] || device[1] == device[2])
                continue;
            OK(plan_rate(net, &costs, first, device, 3, 1, &other));
            best = other.decoupled > best ? other.decoupled : best;
        }
        assert_true(fabs(p.decoupled - best) <= 1e-9 * best);
    }
    even_costs(1, 10); /* one device takes them all */
    OK(plan_choose(net, &costs, &wish, &p));
    assert_int_equal(p.modules, 3);
    assert_int_equal(p.module[2].device, 0);
    assert_true(fabs(p.decoupled - 1e9 / costs.whole_ns[0]) <= 1e-6);
}

static void test_as_many_as_pay(void **state)
{
    (void)state;
    struct plan_wish wish = {.micro_batches = 1};
    struct plan p;
    open_net("input 4; dense 4; dense 4; dense 4; dense 4; loss softmax");
    even_costs(8, 100); /* 1, 2 and 4 modules are each faster; 3 are as fast as 2 */
    OK(plan_choose(net, &costs, &wish, &p));
    assert_int_equal(p.modules, 4);
    for (int k = 0; k < 4; k++)
        assert_int_equal(p.module[k].device, k); /* equal devices in the order given */
    even_costs(3, 100);
    OK(plan_choose(net, &costs, &wish, &p));
    assert_int_equal(p.modules, 2);
    assert_int_equal(p.module[1].first, 2);
    for (int i = 1; i < 4; i++)
        costs.coupling_macs[i] = 1; /* of each of 10 samples */
    for (int d = 0; d < 3; d++)
        costs.ns_per_mac[d] = 29;
    OK(plan_choose(net, &costs, &wish, &p)); /* 400 ns alone, 100 + 290 in more: faster by less than 5 % */
    assert_int_equal(p.modules, 1);
    assert_true(p.single_is_best);
    for (int d = 0; d < 3; d++)
        costs.ns_per_mac[d] = 19; /* 300 in two, 290 in three */
    OK(plan_choose(net, &costs, &wish, &p));
    assert_int_equal(p.modules, 2);
    assert_false(p.single_is_best);
}

/* Of placements with the same slowest module, the most even one. */
static void test_even(void **state)
{
    (void)state;
    struct plan_wish wish = {.modules = 3, .micro_batches = 1};
    struct plan p;
    open_net("input 4; dense 4; dense 4; dense 4; dense 4; dense 4; loss softmax");
    even_costs(3, 10);
    for (int d = 0; d < 3; d++)
        costs.cost[5 * d].forward_ns = 1000;
    OK(plan_choose(net, &costs, &wish, &p));
    assert_int_equal(p.module[1].first, 1);
    assert_int_equal(p.module[2].first, 3);
    assert_int_equal(p.slowest, 0);
}

/* Many devices are quick: equal ones, and ones that all differ, which keep their order. */
static void test_many_devices(void **state)
{
    (void)state;
    struct plan_wish wish = {.micro_batches = 1};
    struct plan p;
    text_add(&text, "input 4\n");
    for (int i = 0; i < 200; i++)
        text_add(&text, "dense 4\n");
    text_add(&text, "loss softmax\n");
    open_net(text.s);
    even_costs(64, 100);
    wish.modules = 64;
    OK(plan_choose(net, &costs, &wish, &p));
    assert_true(fabs(p.decoupled - 1e9 / 400) <= 1e-6); /* 200 layers on 64 devices: 4 on some */
    for (int d = 0; d < 64; d++)
        for (int i = 0; i < 200; i++)
            costs.cost[200 * d + i].forward_ns += d;
    OK(plan_choose(net, &costs, &wish, &p));
    for (int k = 0; k < 64; k++)
        assert_int_equal(p.module[k].device, k);
    wish.modules = 9; /* the nine that are fastest */
    OK(plan_choose(net, &costs, &wish, &p));
    for (int k = 0; k < 9; k++)
        assert_int_equal(p.module[k].device, k);
}

static void test_refused(void **state)
{
    (void)state;
    static const int pinned[] = {0, 1, -1}, cuts[] = {2, 3};
    struct plan_wish wish = {.modules = 5, .micro_batches = 1};
    struct plan p;
    open_net("input 4; dense 4; relu; dense 4; dense 4; relu; dense 4; batchnorm; loss softmax");
    even_costs(2, 10);
    FAILS(ST_INPUT, "t.net: 5 modules need 4 cuts, and places for cuts are 3: before each layer with products but "
          "the first", plan_choose(net, &costs, &wish, &p));
    wish.modules = 3;
    FAILS(ST_INPUT, "t.net: 3 modules need a device each, and free devices are 2: name more, or split one (0:0/2)",
          plan_choose(net, &costs, &wish, &p));
    wish.pinned = pinned;
    wish.cuts = cuts;
    FAILS(ST_INPUT, "t.net: 1 module needs a device each, and free devices are 0", plan_choose(net, &costs, &wish, &p));
    wish.modules = 65;
    wish.pinned = NULL;
    FAILS(ST_INPUT, "t.net: 65 modules on 2 devices: 64 modules on 64 devices are the most",
          plan_check(net, 2, &wish));
    assert_false(plan_may_cut(net, 0));
    assert_false(plan_may_cut(net, 1)); /* computed by the layer before it */
    assert_true(plan_may_cut(net, 2));
    assert_false(plan_may_cut(net, 6)); /* no products */
    assert_false(plan_may_cut(net, 7));
}

/* ---- rates ------------------------------------------------------------------------------------------------------- */

static void close_to(double got, double want)
{
    if (!(fabs(got - want) <= 1e-9 * want))
        fail_msg("%.12g, wanted %.12g", got, want);
}

/* 3 layers of 1000, 3000 and 2000 ns; the second device takes twice as long and is emulated. */
static void costs_by_hand(void)
{
    open_net("input 4; dense 4; dense 4; dense 4; loss softmax");
    even_costs(2, 0);
    for (int d = 0; d < 2; d++) {
        static const double ns[] = {1000, 3000, 2000};
        for (int i = 0; i < 3; i++)
            costs.cost[3 * d + i] = (struct plan_layer_cost){(1 + d) * ns[i] * 0.25, (1 + d) * ns[i] * 0.75};
        costs.whole_ns[d] = (1 + d) * 6000;
        costs.link_ns[d] = 10 * (1 + d);
        costs.ns_per_byte[d] = 0.5;
        costs.ns_per_mac[d] = 0.1;
    }
    for (int i = 1; i < 3; i++) {
        costs.message_bytes[i] = 160;
        costs.coupling_macs[i] = 200; /* of one of 10 samples: 200 ns in all */
    }
    for (int i = 0; i < 3; i++)
        costs.memory[i] = 100u << i;
    costs.emulated[1] = true;
    costs.latency_ns[1] = 1000;
}

static void test_rates_by_hand(void **state)
{
    (void)state;
    static const int first[] = {0, 2}, device[] = {0, 1};
    struct plan p;
    costs_by_hand();
    OK(plan_rate(net, &costs, first, device, 2, 4, &p));
    /* 1000 + 3000 with a coupling of 200; 2 x 2000 and, emulated, a message of 20 + 80 */
    close_to(p.module[0].compute_ns, 4000);
    close_to(p.module[0].coupling_ns, 200);
    close_to(p.module[0].message_ns, 90);
    close_to(p.module[1].compute_ns, 4000);
    close_to(p.module[1].message_ns, 100);
    assert_true(p.module[1].coupling_ns == 0);
    close_to(p.decoupled, 1e9 / 4200);
    assert_int_equal(p.slowest, 0);
    close_to(p.module[0].busy, 1);
    close_to(p.module[1].busy, 4100.0 / 4200);
    /* locked: both, and messages of 90 up and 100 down, which are under way for 1000 more from the second */
    close_to(p.exact, 1e9 / (8000 + 190 + 1000));
    close_to(p.pipeline, 1e9 / (8000.0 / 4 + 3.0 / 4 * 4000 + 190 + 1000));
    close_to(p.exact_single, 1e9 / 6000);
    assert_int_equal(p.best_device, 0);
    close_to(p.bound, 2);
    assert_false(p.single_is_best);
    assert_int_equal(p.module[0].memory, 300);
    assert_int_equal(p.module[0].heaviest, 1);
    close_to(p.module[0].heaviest_ns, 3000);
    assert_int_equal(p.batch, 10);
    assert_int_equal(p.micro_batches, 4);
}

static void test_rates_that_messages_limit(void **state)
{
    (void)state;
    static const int first[] = {0, 2}, device[] = {0, 1}, swapped[] = {1, 0}, one[] = {0, 0};
    struct plan p;
    costs_by_hand();
    costs.link_ns[0] = 9000; /* a real device: only where messages are more than it computes */
    OK(plan_rate(net, &costs, first, device, 2, 1, &p));
    close_to(p.decoupled, 1e9 / 9080);
    close_to(p.module[0].busy, 4200.0 / 9080);
    close_to(p.pipeline, p.exact);
    costs.flight_ns_per_byte[1] = 100; /* a link of 10 MB/s */
    OK(plan_rate(net, &costs, first, device, 2, 1, &p));
    close_to(p.decoupled, 1e9 / 16000);
    assert_int_equal(p.slowest, 1);
    assert_true(p.single_is_best);
    OK(plan_rate(net, &costs, first, one, 2, 1, &p)); /* nothing is sent */
    close_to(p.decoupled, 1e9 / 6200);
    close_to(p.exact, 1e9 / 6000);
    close_to(p.bound, 1);
    OK(plan_rate(net, &costs, first, swapped, 2, 1, &p));
    assert_int_equal(p.module[0].device, 1);
    costs.whole_ns[0] = costs.whole_ns[1] = 0; /* no room anywhere */
    OK(plan_rate(net, &costs, first, device, 2, 1, &p));
    assert_int_equal(p.best_device, -1);
    assert_false(p.single_is_best);
}

static void test_rates_refuse_nonsense(void **state)
{
    (void)state;
    static const int good[] = {0, 1}, late[] = {1, 2}, falling[] = {0, 0}, beyond[] = {0, 2};
    struct plan p;
    costs_by_hand();
    FAILS(ST_INTERNAL, "no placement", plan_rate(net, &costs, late, good, 2, 1, &p));
    FAILS(ST_INTERNAL, "no placement", plan_rate(net, &costs, falling, good, 2, 1, &p));
    FAILS(ST_INTERNAL, "no placement", plan_rate(net, &costs, good, beyond, 2, 1, &p));
    FAILS(ST_INTERNAL, "no placement", plan_rate(net, &costs, good, good, 0, 1, &p));
    FAILS(ST_INTERNAL, "no placement", plan_rate(net, &costs, good, good, 2, 0, &p));
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

static const struct plan_device places[] = {
    {.label = "0:0 Some Device"},
    {.emulation = {.slowness = 2}, .label = "virtual#0 (emulated, 2x slower than 0:0 Some Device)"},
};

static void test_show(void **state)
{
    (void)state;
    static const int first[] = {0, 2}, device[] = {0, 1};
    struct plan p;
    costs_by_hand();
    OK(plan_rate(net, &costs, first, device, 2, 4, &p));
    plan_show(net, places, &p, &text);
    OK(text_status(&text));
    assert_string_equal(
        text.s,
        "module  device     layers   kinds          step ms  coupling  messages     memory   busy\n"
        "     0  0:0        0..1     dense dense      0.004     0.000     0.000      300 B  100 %\n"
        "     1  virtual#0  2..2     dense            0.004     0.000     0.000      400 B   98 %\n"
        "devices  0:0 Some Device\n"
        "         virtual#0 (emulated, 2x slower than 0:0 Some Device)\n"
        "\n"
        "expected\n"
        "  exact, all on 0:0                   166666.7 steps/s    1666667 samples/s\n"
        "  exact over the modules              108813.9 steps/s    1088139 samples/s\n"
        "  exact as a pipeline of 4            161550.9 steps/s    1615509 samples/s  (if small batches were as "
        "efficient)\n"
        "  decoupled                           238095.2 steps/s    2380952 samples/s  (at most 2.00 x exact: all "
        "work / heaviest module)\n"
        "\n"
        "Module 0 on 0:0 sets the pace with 0.004 ms a step.\n"
        "  75 % of what it computes is layer 1 (dense 4), and a layer is not parted.\n"
        "Decoupled is 1.43 x as fast as 0:0 alone, and 2.19 x exact over the same modules.\n");
}

static void check_told(const int *device, const char *words)
{
    static const int first[] = {0, 2};
    struct plan p;
    OK(plan_rate(net, &costs, first, device, 2, 4, &p));
    text_clear(&text);
    plan_show(net, places, &p, &text);
    OK(text_status(&text));
    if (!strstr(text.s, words))
        fail_msg("not told: %s, but: %s", words, text.s);
}

static void test_show_causes(void **state)
{
    (void)state;
    static const int two[] = {0, 1}, one[] = {0, 0};
    costs_by_hand();
    check_told(one, "Module 0 on 0:0 sets the pace with 0.006 ms a step, together with the other modules there.\n");
    check_told(one, "One device alone is best: 0:0 with 166666.7 steps/s. Decoupled, the modules would reach 0.97 x "
                    "that.\n");
    costs.link_ns[0] = 9000;
    check_told(two, "  Its messages take longer than what it computes.\n");
    costs.link_ns[1] = 20000;
    check_told(two, "Module 1 on virtual#0 sets the pace with 0.024 ms a step.\n  Its messages take 83 % of it.\n");
    costs.flight_ns_per_byte[1] = 1000;
    check_told(two, "  Its link takes that long for a message.\n");
    costs.whole_ns[0] = costs.whole_ns[1] = 0;
    check_told(two, "  no device has room for the whole net\n");
}

static void test_show_layers(void **state)
{
    (void)state;
    char out[64], small[8];
    open_net("input 4; dense 4; batchnorm; relu; dense 4; batchnorm; relu; dense 3; loss softmax");
    assert_string_equal(plan_layers_show(net, 0, 6, out, sizeof out), "dense batchnorm relu dense batchnorm relu");
    assert_string_equal(plan_layers_show(net, 0, 7, out, sizeof out), "dense batchnorm relu ... dense");
    assert_string_equal(plan_layers_show(net, 6, 1, out, sizeof out), "dense");
    assert_string_equal(plan_layers_show(net, 0, 7, small, sizeof small), "dense b");
    assert_string_equal(plan_device_id(&places[1], out, sizeof out), "virtual#0");
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

static void test_measured(void **state)
{
    (void)state;
    struct plan_device d[3] = {{.label = "real"}, {.emulation = {.slowness = 8, .latency_ns = 5}, .label = "slow"},
                               {.emulation = {.slowness = 8, .bytes_per_ns = 0.5, .number = 1}, .label = "slow"}};
    for (int i = 0; i < 3; i++)
        d[i].device = ocl_queue_device(device_queue());
    open_net("input 2x3x2; dense 16; batchnorm; relu; dense 16; batchnorm; relu; dropout 0.1; dense 16; batchnorm; "
             "relu; dense 3; loss softmax");
    OK(plan_measure(net, d, 3, 8, "adam", NULL, &costs));
    assert_int_equal(costs.layers, net->layer_count);
    double sum = 0;
    for (int i = 0; i < net->layer_count; i++) {
        const struct plan_layer_cost *c = &costs.cost[i];
        assert_int_equal(c->forward_ns > 0 && c->backward_ns >= 0, !net->layer[i].fused);
        assert_int_equal(costs.memory[i] > 0, !net->layer[i].fused);
        sum += c->forward_ns + c->backward_ns;
        close_to(1 + costs.cost[net->layer_count + i].forward_ns, 1 + 8 * c->forward_ns);
        close_to(1 + costs.cost[2 * net->layer_count + i].backward_ns, 1 + 8 * c->backward_ns);
        assert_int_equal(costs.coupling_macs[i], 0);
    }
    close_to(sum, costs.whole_ns[0]);
    close_to(costs.whole_ns[1], 8 * costs.whole_ns[0]);
    close_to(costs.ns_per_mac[2], 8 * costs.ns_per_mac[0]);
    assert_true(costs.ns_per_mac[0] > 0 && costs.link_ns[0] + costs.ns_per_byte[0] > 0);
    /* the second batch norm does the same work as the third */
    assert_true(costs.cost[4].forward_ns == costs.cost[8].forward_ns);
    assert_true(costs.message_bytes[3] == 4 * 8 * 16);
    assert_false(costs.emulated[0]);
    assert_true(costs.emulated[1] && costs.emulated[2]);
    assert_true(costs.latency_ns[1] == 5 && costs.flight_ns_per_byte[1] == 0 && costs.flight_ns_per_byte[2] == 2);
    plan_costs_free(&costs);
    FAILS(ST_INPUT, "optimizer 'lion' is unknown", plan_measure(net, d, 1, 8, "lion", NULL, &costs));
    FAILS(ST_INPUT, "t.net:3: batchnorm cannot train on batches of 1: 2 samples at least",
          plan_measure(net, d, 1, 1, "sgd", NULL, &costs));
    assert_null(costs.cost);
}

#define TEST(f) cmocka_unit_test_teardown(f, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_choosing_against_all_placements),
        TEST(test_given_cuts),
        TEST(test_as_many_as_pay),
        TEST(test_even),
        TEST(test_many_devices),
        TEST(test_refused),
        TEST(test_rates_by_hand),
        TEST(test_rates_that_messages_limit),
        TEST(test_rates_refuse_nonsense),
        TEST(test_show),
        TEST(test_show_causes),
        TEST(test_show_layers),
        TEST(test_measured),
    };
    return cmocka_run_group_tests_name("plan", tests, device_open, device_close);
}
