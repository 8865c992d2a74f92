/* What several commands do: choosing a device. */
#include "inside.h"

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
