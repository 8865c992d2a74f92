/* A test's own kernel, `mark`, with the device it runs on and a cache of its own: a copy for each program. */
#ifndef CLUTCH_TESTS_MARK_H
#define CLUTCH_TESTS_MARK_H

#include "check.h"
#include "sources.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH_ROOM = 512 };

static struct ocl_device *device;
static struct ocl_queue *queue;
static struct ocl_buf *buf;
static char cache[PATH_ROOM]; /* XDG_CACHE_HOME */

/* Every number differs, and shows common.cl, the options, and all kinds of arguments. */
static const char common_cl[] = "#define BASE 5000000u\n";
static const char mark_cl[] =
    "kernel void mark(uint cols, uint rows, float ten, global uint *out, global uint *none)\n"
    "{\n"
    "    size_t c = get_global_id(0), r = get_global_id(1);\n"
    "    if (c < cols && r < rows)\n"
    "        out[r * cols + c] = c + 1000 * r + 100000 * (uint)(ten * 0.1f) * EXTRA + BASE + (none ? 1 : 0);\n"
    "}\n";

/* Every test starts with a cache folder that does not exist yet, and its own kernels. */
static int prepare(void **state)
{
    (void)state;
    static int n;
    snprintf(cache, sizeof cache, "%s/cache%d", check_folder(), n++);
    setenv("XDG_CACHE_HOME", cache, 1);
    sources_begin();
    sources_put("common.cl", common_cl);
    sources_put("mark.cl", mark_cl);
    return 0;
}

static void close_device(void)
{
    ocl_buf_free(buf);
    ocl_queue_close(queue);
    ocl_device_close(device);
    buf = NULL;
    queue = NULL;
    device = NULL;
}

static int drop(void **state)
{
    (void)state;
    close_device();
    sources_end();
    return 0;
}

static void open_pick(const struct ocl_pick *pick)
{
    close_device();
    OK(ocl_device_open(sources_world(), pick, &device));
    OK(ocl_queue_open(device, &queue));
}

static void open_device(void)
{
    open_pick(&(struct ocl_pick){.device = sources_device(), .parts = 1});
}

#endif
