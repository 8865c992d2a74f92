/* Twin of dropout. */
#include "ref.h"

void ref_dropout(const struct mx_dropout *d, size_t n, const double *x, double *y)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t word[4];
        philox4x32((uint32_t[4]){(uint32_t)(i / 4), d->step, d->layer, 0}, d->key, word);
        y[i] = word[i % 4] / 4294967296.0 >= d->p ? x[i] / (1.0 - d->p) : 0;
    }
}
