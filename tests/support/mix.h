/* The kernels of tests/unit/chain.c, as cl/common.cl and cl/mix.cl. */
#ifndef CLUTCH_TESTS_MIX_H
#define CLUTCH_TESTS_MIX_H

#include <stdint.h>

static const char common_cl[] = "#define BASE 17u\n";
static const char mix_cl[] =
    "kernel void blur(uint n, uint a, float ten, global const uint *x,\n"
    "                global uint *y)\n"
    "{\n"
    "    uint i = get_global_id(0);\n"
    "    if (i < n)\n"
    "        y[i] = x[(i * 7919 + a) % n] * 3 + a * (uint)(ten * 0.1f) + FACTOR * i + BASE;\n"
    "}\n"
    "// a kernel void is no kernel\n"
    "kernel void square(uint cols, uint rows, global uint *x, global const uint *none)\n"
    "{\n"
    "    uint c = get_global_id(0), r = get_global_id(1);\n"
    "    if (c < cols && r < rows)\n"
    "        x[r * cols + c] = x[r * cols + c] * 5 + c + 1000 * r + (none ? 1 : 0);\n"
    "}\n"
    "struct three { uint n, from; float a; };\n"
    "kernel void last(struct three s, global uint *x, global uint *y)\n"
    "{\n"
    "    if (get_global_id(0) != 0)\n"
    "        return;\n"
    "    uint sum = s.from;\n"
    "    for (uint i = 0; i < s.n; i++)\n"
    "        sum = sum * 31 + x[i];\n"
    "    y[(uint)s.a] = sum;\n"
    "}\n"
    "kernel void halve(uint n, global float *x)\n"
    "{\n"
    "    if (get_global_id(0) < n)\n"
    "        x[get_global_id(0)] *= 0.5f;\n"
    "}\n";

struct three {
    uint32_t n, from;
    float a;
};

#endif
