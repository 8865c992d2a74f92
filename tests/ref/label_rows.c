/* Twin of rows with more and their label behind them. */
#include "ref.h"

void ref_label_rows(int rows, int n, int k, int classes, const double *x, const double *more, const uint32_t *label,
                    double *out)
{
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < n; c++)
            *out++ = x[r * n + c];
        for (int c = 0; c < k; c++)
            *out++ = more[r * k + c];
        for (int c = 0; c < classes; c++)
            *out++ = c == (label ? (int)label[r] : 0);
    }
}
