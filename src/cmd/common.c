/* What several commands do: choosing a device, writing JSON. */
#include "inside.h"

#include <stdio.h>

enum st device_open(const char *spec, struct device_hold *h)
{
    enum st s = ST_OK;
    struct ocl_pick *picks = NULL;
    int n = 0;
    *h = (struct device_hold){0};
    TRY(ocl_world_open(&h->world));
    TRY(ocl_pick_devices(h->world, spec, &picks, &n));
    for (int i = 0; i < n; i++)
        if (picks[i].emulation.slowness > 0)
            TRY(st_fail(ST_INPUT, "--devices '%s': emulated devices are for modules of a net, and this runs on one "
                        "real device", spec));
    TRY(ocl_device_open(h->world, &picks[0], &h->device));
    if (n > 1)
        note("using the first of %d devices picked: %s", n, ocl_device_label(h->device));
out:
    mem_free(picks);
    if (s != ST_OK)
        device_close(h);
    return s;
}

void device_close(struct device_hold *h)
{
    ocl_device_close(h->device);
    ocl_world_close(h->world);
    *h = (struct device_hold){0};
}

enum st json_check(json_t *value)
{
    return value ? ST_OK : st_fail(ST_MEMORY, "cannot write JSON: a name is not UTF-8, or memory ran out");
}

static int add_text(const char *buffer, size_t size, void *out)
{
    text_add_bytes(out, buffer, size);
    return 0;
}

enum st json_text(const json_t *value, size_t flags, struct text *out)
{
    if (json_dump_callback(value, add_text, out, flags | JSON_PRESERVE_ORDER) != 0)
        return st_fail(ST_MEMORY, "out of memory while writing JSON");
    return text_status(out);
}

enum st json_line(const json_t *value, struct text *out)
{
    return json_text(value, JSON_COMPACT | JSON_REAL_PRECISION(9), out);
}

enum st json_print(json_t *one)
{
    enum st s = ST_OK;
    struct text line = {0};
    TRY(json_check(one));
    TRY(json_line(one, &line));
    printf("%s\n", line.s);
out:
    json_decref(one);
    text_free(&line);
    return s;
}
