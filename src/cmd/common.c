/* What several commands do: choosing a device, writing JSON. */
#include "inside.h"

#include <stdlib.h>

enum st device_open(const char *spec, struct device_hold *h)
{
    enum st s = ST_OK;
    struct ocl_pick *picks = NULL;
    int n = 0;
    *h = (struct device_hold){0};
    TRY(ocl_world_open(&h->world));
    TRY(ocl_pick_devices(h->world, spec, &picks, &n));
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
    return value ? ST_OK : st_fail(ST_MEMORY, "out of memory while writing JSON");
}

enum st json_line(const json_t *value, struct text *out)
{
    char *line = json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    if (!line)
        return st_fail(ST_MEMORY, "out of memory while writing JSON");
    text_add(out, "%s", line);
    free(line);
    return text_status(out);
}
