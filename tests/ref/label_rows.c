/* Twin of rows with their label behind them. */
#include "ref.h"

void ref_label_rows(int rows, int n, int classes, const double *x, const uint32_t *label, double *out)
{
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < n; c++)
            *out++ = x[r * n + c];
        for (int k = 0; k < classes; k++)
            *out++ = k == (int)label[r];
    }
}
