/* Twin of gathering a batch. */
#include "ref.h"

void ref_gather(int rows, int channels, int hw, size_t first, const uint8_t *pixels, const uint8_t *labels,
                const uint32_t *order, const double *scale, double *x, uint32_t *label)
{
    size_t n = (size_t)channels * (size_t)hw;
    for (size_t r = 0; r < (size_t)rows; r++) {
        size_t sample = order ? order[first + r] : first + r;
        label[r] = labels[sample];
        for (size_t i = 0; i < n; i++) {
            size_t channel = i / (size_t)hw;
            x[r * n + i] = pixels[sample * n + i] * scale[channel] + scale[(size_t)channels + channel];
        }
    }
}
