/* All platforms and devices with their facts, each asked once. A platform or device that fails is reported in its facts
 * and passed over. */
#include "inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A string fact, trimmed; "" where the device does not tell. */
static void platform_text(cl_platform_id id, cl_platform_info what, char *out, size_t size)
{
    char text[4096] = "";
    if (OCL_CALL(clGetPlatformInfo(id, what, sizeof text, text, NULL)) != CL_SUCCESS)
        text[0] = '\0';
    snprintf(out, size, "%.*s", (int)size - 1, text + strspn(text, " "));
}

static void device_text(cl_device_id id, cl_device_info what, char *out, size_t size)
{
    char text[4096] = "";
    if (OCL_CALL(clGetDeviceInfo(id, what, sizeof text, text, NULL)) != CL_SUCCESS)
        text[0] = '\0';
    snprintf(out, size, "%.*s", (int)size - 1, text + strspn(text, " "));
}

/* Number facts come in three widths; `otherwise` where the device does not tell. */
static uint64_t device_number(cl_device_id id, cl_device_info what, size_t width, uint64_t otherwise)
{
    union {
        cl_uint u32;
        cl_ulong u64;
        unsigned char bytes[8];
    } v = {.u64 = 0};
    if (OCL_CALL(clGetDeviceInfo(id, what, width, v.bytes, NULL)) != CL_SUCCESS)
        return otherwise;
    return width == 4 ? v.u32 : v.u64;
}

static uint32_t device_u32(cl_device_id id, cl_device_info what, uint32_t otherwise)
{
    return (uint32_t)device_number(id, what, sizeof(cl_uint), otherwise);
}

static uint64_t device_u64(cl_device_id id, cl_device_info what, uint64_t otherwise)
{
    return device_number(id, what, sizeof(cl_ulong), otherwise);
}

static enum ocl_kind device_kind(cl_device_id id)
{
    uint64_t type = device_u64(id, CL_DEVICE_TYPE, 0);
    if (type & CL_DEVICE_TYPE_GPU)
        return OCL_GPU;
    if (type & CL_DEVICE_TYPE_ACCELERATOR)
        return OCL_ACCEL;
    return type & CL_DEVICE_TYPE_CPU ? OCL_CPU : OCL_OTHER;
}

static uint32_t device_parts(cl_device_id id)
{
    cl_device_partition_property kinds[16] = {0};
    if (OCL_CALL(clGetDeviceInfo(id, CL_DEVICE_PARTITION_PROPERTIES, sizeof kinds, kinds, NULL)) != CL_SUCCESS)
        return 1;
    for (size_t i = 0; i < COUNT_OF(kinds) && kinds[i]; i++)
        if (kinds[i] == CL_DEVICE_PARTITION_EQUALLY) {
            uint32_t n = device_u32(id, CL_DEVICE_PARTITION_MAX_SUB_DEVICES, 1);
            return n ? n : 1;
        }
    return 1;
}

static void device_facts(cl_device_id id, int platform, int index, const struct ocl_platform_facts *its,
                         struct ocl_facts *f)
{
    *f = (struct ocl_facts){.platform = platform, .index = index, .kind = device_kind(id)};
    snprintf(f->platform_name, sizeof f->platform_name, "%s", its->name);
    snprintf(f->platform_version, sizeof f->platform_version, "%s", its->version);
    device_text(id, CL_DEVICE_NAME, f->name, sizeof f->name);
    device_text(id, CL_DEVICE_VENDOR, f->vendor, sizeof f->vendor);
    device_text(id, CL_DRIVER_VERSION, f->driver, sizeof f->driver);
    device_text(id, CL_DEVICE_VERSION, f->version, sizeof f->version);
    f->compute_units = device_u32(id, CL_DEVICE_MAX_COMPUTE_UNITS, 1);
    f->clock_mhz = device_u32(id, CL_DEVICE_MAX_CLOCK_FREQUENCY, 0);
    f->vector_width = device_u32(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, 1);
    if (f->vector_width == 0)
        f->vector_width = 1;
    f->parts_max = device_parts(id);
    f->memory_bytes = device_u64(id, CL_DEVICE_GLOBAL_MEM_SIZE, 0);
    f->buffer_bytes_max = device_u64(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, 0);
    f->local_bytes = device_u64(id, CL_DEVICE_LOCAL_MEM_SIZE, 0);
    f->work_group_max = (size_t)device_number(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t), 1);
    if (f->work_group_max == 0)
        f->work_group_max = 1;
    f->available = device_u32(id, CL_DEVICE_AVAILABLE, CL_FALSE) != CL_FALSE;
    f->compiler = device_u32(id, CL_DEVICE_COMPILER_AVAILABLE, CL_FALSE) != CL_FALSE;
}

/* How many devices platform `p` has; what went wrong stands in its facts. */
static cl_uint count_devices(struct ocl_world *w, int p)
{
    cl_uint n = 0;
    cl_int code = OCL_CALL(clGetDeviceIDs(w->platform_id[p], CL_DEVICE_TYPE_ALL, 0, NULL, &n));
    struct ocl_platform_facts *f = &w->platform[p];
    if (code == CL_DEVICE_NOT_FOUND || (code == CL_SUCCESS && n == 0))
        diagnose_platform(f->name, f->problem, sizeof f->problem);
    else if (code != CL_SUCCESS)
        snprintf(f->problem, sizeof f->problem, "clGetDeviceIDs failed: %s (%d)", ocl_error_name(code), code);
    return code == CL_SUCCESS ? n : 0;
}

static enum st list_platforms(struct ocl_world *w)
{
    enum st s = ST_OK;
    cl_uint n = 0;
    cl_int code = OCL_CALL(clGetPlatformIDs(0, NULL, &n));
    if (code == -1001 || n == 0) /* the loader's way of saying that there is none */
        return ST_OK;
    TRY(ocl_check(code, "clGetPlatformIDs", NULL));
    TRY(NEW(w->platform, n));
    TRY(NEW(w->platform_id, n));
    TRY(ocl_check(OCL_CALL(clGetPlatformIDs(n, w->platform_id, NULL)), "clGetPlatformIDs", NULL));
    w->platform_count = (int)n;
    for (int p = 0; p < w->platform_count; p++) {
        platform_text(w->platform_id[p], CL_PLATFORM_NAME, w->platform[p].name, sizeof w->platform[p].name);
        platform_text(w->platform_id[p], CL_PLATFORM_VENDOR, w->platform[p].vendor, sizeof w->platform[p].vendor);
        platform_text(w->platform_id[p], CL_PLATFORM_VERSION, w->platform[p].version, sizeof w->platform[p].version);
    }
out:
    return s;
}

static enum st list_devices(struct ocl_world *w)
{
    enum st s = ST_OK;
    cl_uint *n = NULL, all = 0;
    TRY(NEW(n, (size_t)w->platform_count));
    for (int p = 0; p < w->platform_count; p++)
        all += n[p] = count_devices(w, p);
    TRY(NEW(w->facts, all));
    TRY(NEW(w->device_id, all));
    for (int p = 0; p < w->platform_count; p++) {
        if (n[p] == 0)
            continue;
        cl_device_id *ids = w->device_id + w->device_count;
        cl_int code = OCL_CALL(clGetDeviceIDs(w->platform_id[p], CL_DEVICE_TYPE_ALL, n[p], ids, NULL));
        if (code != CL_SUCCESS) {
            snprintf(w->platform[p].problem, sizeof w->platform[p].problem, "clGetDeviceIDs failed: %s (%d)",
                     ocl_error_name(code), code);
            continue;
        }
        for (cl_uint i = 0; i < n[p]; i++)
            device_facts(ids[i], p, (int)i, &w->platform[p], &w->facts[w->device_count + (int)i]);
        w->platform[p].device_count = (int)n[p];
        w->device_count += (int)n[p];
    }
out:
    mem_free(n);
    return s;
}

enum st ocl_world_open(struct ocl_world **out)
{
    enum st s = ST_OK;
    struct ocl_world *w = NULL;
    /* PoCL compiles a kernel once more for each size of group it is launched in, which makes ours no faster, and a
     * first start a third longer */
    setenv("POCL_WORK_GROUP_SPECIALIZATION", "0", 0);
    diagnose_memory();
    diagnose_pocl_cache();
    TRY(NEW(w, 1));
    TRY(list_platforms(w));
    TRY(list_devices(w));
    if (w->device_count == 0)
        diagnose_world(w, w->problem, sizeof w->problem);
    *out = w;
    w = NULL;
out:
    ocl_world_close(w);
    return s;
}

void ocl_world_close(struct ocl_world *w)
{
    if (!w)
        return;
    mem_free(w->platform);
    mem_free(w->platform_id);
    mem_free(w->facts);
    mem_free(w->device_id);
    mem_free(w);
}

const char *ocl_world_problem(const struct ocl_world *w)
{
    return w->problem;
}

int ocl_platform_count(const struct ocl_world *w)
{
    return w->platform_count;
}

const struct ocl_platform_facts *ocl_platform_at(const struct ocl_world *w, int i)
{
    return &w->platform[i];
}

int ocl_device_count(const struct ocl_world *w)
{
    return w->device_count;
}

const struct ocl_facts *ocl_facts_at(const struct ocl_world *w, int i)
{
    return &w->facts[i];
}

const char *ocl_kind_name(enum ocl_kind kind)
{
    static const char *const name[] = {[OCL_CPU] = "CPU", [OCL_GPU] = "GPU", [OCL_ACCEL] = "accelerator",
                                       [OCL_OTHER] = "other"};
    return name[kind];
}
