#include "ref.h"

void ref_fma_chains(size_t n, int width, uint32_t loops, double a, double b, double *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = 0;
        for (int c = 0; c < 12; c++) {
            double x = a + c;
            for (uint32_t k = 0; k < loops; k++)
                x = x * b + a;
            out[i] += width * x;
        }
    }
}
