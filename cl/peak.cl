// How fast a device multiplies and adds: CHAINS chains x = x * b + a of VEC values each, that do not wait for one
// another. out[i] = sum over the chains c and the values of chain c after `loops` turns, from x = a + c.
// Shapes: out (n). Launch: n x 1. Defines: VEC (common.cl). Twin: ref_fma_chains.

#define CHAINS 12

#define EACH_CHAIN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define CHAIN_BEGIN(c) floatv x##c = a + c;
#define CHAIN_TURN(c) x##c = x##c * b + a;
#define CHAIN_ADD(c) sum += x##c;

kernel void fma_chains(uint n, uint loops, float a, float b, global float *out, uint oo)
{
    size_t i = get_global_id(0);
    if (i >= n)
        return;
    EACH_CHAIN(CHAIN_BEGIN)
    for (uint k = 0; k < loops; k++) {
        EACH_CHAIN(CHAIN_TURN)
    }
    floatv sum = 0.0f;
    EACH_CHAIN(CHAIN_ADD)
    out[oo + i] = sum_of(sum);
}
