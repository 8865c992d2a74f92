// Many launches in one, for CPU devices: work-items take turns at a list of kernels, some items of a kernel at a time,
// and go on to the next kernel when all items of the one before are done. One waits only for what another has taken,
// which therefore runs: so it does not matter how many of them a device runs at once, or when the others start. Where
// that other one got lost, since its core does something else, a work-item leaves: its core may be what is wanted.
// src/ocl/chain_program.c puts before this file EACH_KIND(X), X(k, name) for each kernel, and EACH_BUF(X), X(b) for
// each buffer, and links it with functions of these names, which do items first .. end of a kernel, `side` of them
// side by side.
//
// Shapes: list: the number of kernels, then of each: kind, items, side, items at a time, place of the next one, and its
//   arguments, buffers as numbers, 0 for none; state (2, OPS_MAX, 2, APART): items taken and items done, in one half
//   now, while the other is zeroed from the launch before, and behind it how many work-items left; patch: words of the
//   list that are new.
// Launch: a work-item for each compute unit, in groups of 1. Defines: OPS_MAX, PATCHES_MAX. Twin: ref_act, ref_gemm and
// all others: the results are those of the kernels launched one by one.

#define APART 16 // counters that are busy at once lie on lines of their own

#if !defined(__x86_64__)
#error a chain needs a clock, and an order of memory that was shown to be enough
#endif
#define CLOCK() __builtin_ia32_rdtsc()
#define REST() __builtin_ia32_pause()
// The processor keeps stores in their order, and an atomic addition is a fence. This keeps the compiler to it, whatever
// order a driver's atomic_add() and mem_fence() ask it for.
#define IN_ORDER() __asm__ __volatile__("" : : : "memory")
#define PATIENCE 500000 // ticks: some 200 us

struct patch {
    uint turn, before, n, at[PATCHES_MAX], word[PATCHES_MAX];
};

#define DECLARE(k, name) \
    void name(uint first, uint end, uint side, global const uint *arg, global char *const *buf);
EACH_KIND(DECLARE)

static void run(uint kind, uint first, uint end, uint side, global const uint *arg, global char *const *buf)
{
#define CASE(k, name) \
    case k: \
        name(first, end, side, arg, buf); \
        break;
    switch (kind) {
        EACH_KIND(CASE)
    }
}

#define PARAMETER(b) , global char *buf##b
#define NAME(b) , buf##b

// Whether the items that others have taken of a kernel were done in about the time they should take: `longest`, that of
// the own ones, 0 where there were none.
static bool others_are_done(volatile global uint *done, uint all, ulong longest)
{
    ulong begin = CLOCK(), most = longest ? PATIENCE + 2 * longest : 10 * PATIENCE;
    while (*done < all) {
        if (CLOCK() - begin > most)
            return false;
        REST();
    }
    atomic_add(done, 0); // what was done is seen from here on
    IN_ORDER();
    return true;
}

// The kernels have vectors of their own: told so, Intel's compiler takes 9 s where it would take 50 to make more.
__attribute__((reqd_work_group_size(1, 1, 1), vec_type_hint(float16)))
kernel void chain(struct patch patch, global uint *list, volatile global uint *state EACH_BUF(PARAMETER))
{
    global char *const buf[] = {0 EACH_BUF(NAME)};
    const uint turn_size = OPS_MAX * 2 * APART;
    volatile global uint *count = state + patch.turn * turn_size, *other = state + (1 - patch.turn) * turn_size;
    for (uint i = 0; i < patch.n; i++) // each work-item writes the same
        list[patch.at[i]] = patch.word[i];
    if (get_global_id(0) == 0)
        for (uint i = 0; i < patch.before * 2; i++)
            other[i * APART] = 0;
    for (uint op = 0, at = 1; op < list[0]; op++, at = list[at + 4], count += 2 * APART) {
        global const uint *o = list + at;
        volatile global uint *taken = count, *done = count + APART;
        uint all = o[1], piece = o[3], first;
        ulong longest = 0;
        while ((first = atomic_add(taken, piece)) < all) {
            uint end = min(first + piece, all);
            ulong begin = CLOCK();
            IN_ORDER();
            run(o[0], first, end, o[2], o + 5, buf);
            IN_ORDER();
            atomic_add(done, end - first);
            longest = max(longest, CLOCK() - begin);
        }
        if (!others_are_done(done, all, longest)) {
            atomic_inc(state + 2 * turn_size);
            return;
        }
    }
}
