/* Philox 4x32-10 and a stream over it. Constants: Salmon et al., SC 2011, table 2 and section 4. */
#include "base.h"

#include <math.h>
#include <string.h>

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c[0];
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1, (uint32_t)(p0 >> 32) ^ c[3] ^ k1,
                            (uint32_t)p0};
        memcpy(c, next, sizeof c);
        k0 += 0x9E3779B9u; /* golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    memcpy(out, c, sizeof c);
}

void rng_init(struct rng *r, uint64_t seed, uint64_t stream)
{
    *r = (struct rng){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                      .counter = {0, 0, (uint32_t)stream, (uint32_t)(stream >> 32)},
                      .used = 4};
}

uint32_t rng_u32(struct rng *r)
{
    if (r->used == 4) {
        philox4x32(r->counter, r->key, r->block);
        if (++r->counter[0] == 0)
            r->counter[1]++;
        r->used = 0;
    }
    return r->block[r->used++];
}

double rng_unit(struct rng *r)
{
    return rng_u32(r) * (1.0 / 4294967296.0);
}

double rng_normal(struct rng *r)
{
    /* Box and Muller (1958); 1 - u lies in (0, 1], so the logarithm is finite. The second value is not kept: a stream
     * stays a plain function of how many numbers were drawn. */
    double u = 1.0 - rng_unit(r);
    double angle = 2.0 * 3.14159265358979323846 * rng_unit(r);
    return sqrt(-2.0 * log(u)) * cos(angle);
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    /* rejection keeps every value equally likely: the first 2^32 mod n outputs are left out */
    uint32_t skip = (0u - n) % n, v;
    do
        v = rng_u32(r);
    while (v < skip);
    return v % n;
}

void rng_shuffle(struct rng *r, uint32_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) { /* Fisher and Yates */
        uint32_t j = rng_below(r, (uint32_t)i), held = items[i - 1];
        items[i - 1] = items[j];
        items[j] = held;
    }
}
