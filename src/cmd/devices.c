/* clutch devices: what is here, with the facts that matter to a run. */
#include "inside.h"

#include <stdio.h>

static bool is_picked(const struct ocl_pick *picks, int n, int device, int *parts)
{
    for (int i = 0; i < n; i++)
        if (picks[i].device == device && picks[i].emulation.slowness == 0) {
            *parts = picks[i].parts;
            return true;
        }
    return false;
}

static void print_device(const struct ocl_facts *f, int parts)
{
    char memory[32], buffer[32], tuned[512];
    output("  %d:%d  %s\n", f->platform, f->index, f->name);
    output("       %s, %u unit%s, %u MHz, %s memory (%s a buffer), vectors of %u float%s\n", ocl_kind_name(f->kind),
           f->compute_units, plural(f->compute_units), f->clock_mhz, show_bytes(memory, sizeof memory, f->memory_bytes),
           show_bytes(buffer, sizeof buffer, f->buffer_bytes_max), f->vector_width,
           plural(f->vector_width));
    output("       %s, driver %s", f->version, f->driver);
    if (f->parts_max > 1)
        output(", splits into up to %u parts (%d:%d/%u)", f->parts_max, f->platform, f->index, f->parts_max);
    if (parts > 1)
        output(", split into %d of %u unit%s each", parts, f->compute_units / (uint32_t)parts,
               plural(f->compute_units / (uint32_t)parts));
    output("%s%s\n", f->available ? "" : ", NOT AVAILABLE", f->compiler ? "" : ", NO COMPILER");
    tuned_show(f, tuned, sizeof tuned);
    output("       %s\n", tuned);
}

static void print_emulated(const struct ocl_world *w, const struct ocl_pick *pick)
{
    const struct ocl_emulation *e = &pick->emulation;
    const struct ocl_facts *f = ocl_facts_at(w, pick->device);
    char speed[64] = "as fast as";
    if (e->slowness != 1)
        snprintf(speed, sizeof speed, "%gx slower than", e->slowness);
    output("emulated  virtual#%d  %s %s%d:%d %s, which all of them share", e->number, speed,
           pick->parts > 1 ? "a core of " : "", f->platform, f->index, f->name);
    if (e->latency_ns > 0)
        output("; a message takes %g us", e->latency_ns * 1e-3);
    if (e->bytes_per_ns > 0)
        output("%s %g MB a second", e->latency_ns > 0 ? ", links carry" : "; links carry", e->bytes_per_ns * 1e3);
    output("\n");
}

static bool platform_is_picked(const struct ocl_world *w, const struct ocl_pick *picks, int n, int platform)
{
    for (int i = 0; i < n; i++)
        if (picks[i].emulation.slowness == 0 && ocl_facts_at(w, picks[i].device)->platform == platform)
            return true;
    return !picks;
}

static void print_human(const struct ocl_world *w, const struct ocl_pick *picks, int n)
{
    for (int p = 0; p < ocl_platform_count(w); p++) {
        const struct ocl_platform_facts *f = ocl_platform_at(w, p);
        if (!platform_is_picked(w, picks, n, p))
            continue;
        output("platform %d  %s, %s%s%s\n", p, f->name, f->version, f->problem[0] ? ": " : "", f->problem);
        for (int i = 0; i < ocl_device_count(w); i++) {
            int parts = 1;
            if (ocl_facts_at(w, i)->platform == p && (!picks || is_picked(picks, n, i, &parts)))
                print_device(ocl_facts_at(w, i), parts);
        }
    }
    for (int i = 0; i < n; i++)
        if (picks[i].emulation.slowness > 0)
            print_emulated(w, &picks[i]);
    if (ocl_device_count(w) == 0)
        output("no OpenCL device found; %s\n", ocl_world_problem(w));
}

static json_t *device_json(const struct ocl_facts *f, int parts)
{
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:i}", "name",
                     json_foreign(f->name), "kind", ocl_kind_name(f->kind), "vendor", json_foreign(f->vendor), "driver",
                     json_foreign(f->driver), "version", json_foreign(f->version), "compute_units",
                     (json_int_t)f->compute_units, "clock_mhz", (json_int_t)f->clock_mhz, "vector_width",
                     (json_int_t)f->vector_width, "parts_max", (json_int_t)f->parts_max, "memory_bytes",
                     (json_int_t)f->memory_bytes, "buffer_bytes_max", (json_int_t)f->buffer_bytes_max, "local_bytes",
                     (json_int_t)f->local_bytes, "available", (int)f->available, "compiler", (int)f->compiler, "parts",
                     parts);
}

static json_t *emulated_json(const struct ocl_world *w, const struct ocl_pick *pick)
{
    const struct ocl_emulation *e = &pick->emulation;
    const struct ocl_facts *f = ocl_facts_at(w, pick->device);
    char id[32], shares[64];
    snprintf(id, sizeof id, "virtual#%d", e->number);
    int used = snprintf(shares, sizeof shares, "%d:%d", f->platform, f->index);
    if (pick->parts > 1)
        snprintf(shares + used, sizeof shares - (size_t)used, "/%d#%d", pick->parts, pick->part);
    return json_pack("{s:s, s:b, s:s, s:f, s:f, s:f}", "id", id, "emulated", 1, "shares", shares, "slowness",
                     e->slowness, "latency_us", e->latency_ns * 1e-3, "megabytes_per_second", e->bytes_per_ns * 1e3);
}

static enum st print_json(const struct ocl_world *w, const struct ocl_pick *picks, int n)
{
    json_t *platforms = json_array(), *devices = json_array();
    for (int p = 0; p < ocl_platform_count(w); p++) {
        const struct ocl_platform_facts *f = ocl_platform_at(w, p);
        json_push(&platforms, json_pack("{s:i, s:o, s:o, s:o, s:i, s:o}", "platform", p, "name", json_foreign(f->name),
                                        "vendor", json_foreign(f->vendor), "version", json_foreign(f->version),
                                        "devices", f->device_count, "problem", json_foreign(f->problem)));
    }
    for (int i = 0; i < ocl_device_count(w); i++) {
        const struct ocl_facts *f = ocl_facts_at(w, i);
        char id[32];
        int parts = 1;
        if (picks && !is_picked(picks, n, i, &parts))
            continue;
        snprintf(id, sizeof id, "%d:%d", f->platform, f->index);
        json_t *one = device_json(f, parts);
        json_put(&one, "id", json_string(id));
        json_put(&one, "tuned", tuned_json(f));
        json_push(&devices, one);
    }
    for (int i = 0; i < n; i++)
        if (picks[i].emulation.slowness > 0)
            json_push(&devices, emulated_json(w, &picks[i]));
    return json_print(json_pack("{s:o, s:o}", "platforms", platforms, "devices", devices));
}

static enum st run(int argc, char **argv)
{
    enum st s = ST_OK;
    struct ocl_world *w = NULL;
    struct ocl_pick *picks = NULL;
    const char *spec = NULL, *none[1];
    bool json = false;
    int n = 0;
    const struct arg args[] = {
        {"--devices", ARG_TEXT, &spec, "SPEC",
         "only those: 0:0, gpu, cpu, accel, all, part of a name; 0:0/2: halves; virtual:N@S: emulated"},
        {"--json", ARG_FLAG, &json, NULL, "as JSON"},
    };
    struct arg_list list = {.usage = "devices [options]", .args = args, .n = COUNT_OF(args), .positional = none};
    TRY(args_parse(&list, argc, argv));
    if (list.help)
        return ST_OK;
    TRY(ocl_world_open(&w));
    if (spec)
        TRY(ocl_pick_devices(w, spec, &picks, &n));
    if (json)
        TRY(print_json(w, picks, n));
    else
        print_human(w, picks, n);
out:
    mem_free(picks);
    ocl_world_close(w);
    return s;
}

const struct command cmd_devices = {.name = "devices", .summary = "what OpenCL devices are here", .run = run};
