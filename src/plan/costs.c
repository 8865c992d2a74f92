/* Memory of costs. */
#include "plan.h"

enum st plan_costs_new(int layers, int devices, int batch, struct plan_costs *out)
{
    enum st s = ST_OK;
    size_t l = (size_t)layers, d = (size_t)devices;
    *out = (struct plan_costs){.layers = layers, .devices = devices, .batch = batch};
    TRY(NEW(out->cost, d * l));
    TRY(NEW(out->whole_ns, d));
    TRY(NEW(out->ns_per_mac, d));
    TRY(NEW(out->link_ns, d));
    TRY(NEW(out->ns_per_byte, d));
    TRY(NEW(out->latency_ns, d));
    TRY(NEW(out->flight_ns_per_byte, d));
    TRY(NEW(out->emulated, d));
    TRY(NEW(out->message_bytes, l + 1));
    TRY(NEW(out->coupling_macs, l + 1));
    TRY(NEW(out->memory, l));
out:
    if (s != ST_OK)
        plan_costs_free(out);
    return s;
}

void plan_costs_free(struct plan_costs *c)
{
    void *const all[] = {c->cost, c->whole_ns, c->ns_per_mac, c->link_ns, c->ns_per_byte, c->latency_ns,
                         c->flight_ns_per_byte, c->emulated, c->message_bytes, c->coupling_macs, c->memory};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        mem_free(all[i]);
    *c = (struct plan_costs){0};
}
