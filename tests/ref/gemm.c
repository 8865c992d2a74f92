/* Twin of the products. */
#include "ref.h"

void ref_gemm(bool trans_a, bool trans_b, int M, int N, int K, double alpha, const double *a, const double *b,
              double beta, double *c)
{
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < K; k++)
                sum += (trans_a ? a[k * M + i] : a[i * K + k]) * (trans_b ? b[j * K + k] : b[k * N + j]);
            c[i * N + j] = alpha * sum + (beta == 0 ? 0 : beta * c[i * N + j]);
        }
}
