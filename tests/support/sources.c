#include "sources.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ocl_world *world;
static int device;
static struct text notes;
static char folder[512];

int sources_setup(void **state)
{
    (void)state;
    struct ocl_pick *picks;
    int n;
    OK(ocl_world_open(&world));
    OK(ocl_pick_devices(world, getenv("CLUTCH_TEST_DEVICE"), &picks, &n));
    device = picks[0].device;
    mem_free(picks);
    snprintf(folder, sizeof folder, "%s/cl", check_folder());
    OK(dir_make(folder));
    return 0;
}

int sources_teardown(void **state)
{
    (void)state;
    ocl_world_close(world);
    return 0;
}

struct ocl_world *sources_world(void)
{
    return world;
}

int sources_device(void)
{
    return device;
}

static void keep_note(const char *line)
{
    text_add(&notes, "%s\n", line);
}

void sources_begin(void)
{
    setenv("CL_DIR", folder, 1);
    note_to(keep_note);
}

void sources_end(void)
{
    note_to(NULL);
    text_free(&notes);
    unsetenv("CL_DIR");
}

void sources_put(const char *name, const char *text)
{
    char path[2 * sizeof folder];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    OK(file_write(path, text, strlen(text)));
}

void sources_copy(const char *name)
{
    char path[64], *text;
    size_t len;
    snprintf(path, sizeof path, "cl/%s", name);
    OK(file_read(path, 1 << 16, &text, &len));
    sources_put(name, text);
    mem_free(text);
}

const char *sources_notes(void)
{
    return notes.len ? notes.s : "";
}
