/* Twin of the squared distance to the label's one-hot. */
#include "ref.h"

void ref_label_distance(int rows, int cols, const double *z, const uint32_t *label, double *delta, double *loss,
                        double *correct)
{
    for (int r = 0; r < rows; r++, z += cols, delta += cols) {
        int best = 0;
        loss[r] = 0;
        for (int c = 0; c < cols; c++) {
            delta[c] = z[c] - (c == (int)label[r]);
            loss[r] += delta[c] * delta[c] / 2;
            if (z[c] > z[best])
                best = c;
        }
        correct[r] = best == (int)label[r];
    }
}
