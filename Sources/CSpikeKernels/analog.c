#include "internal.h"

#include <math.h>

// The analog first layer.

// Where no instruction does both, a fused product and sum is a call of a library: hundreds of times as slow as the two.
#if defined(__FP_FAST_FMAF) || defined(__aarch64__)
#define SPIKE_PRODUCT_AND_SUM(a, b, sum) fmaf(a, b, sum)
#else
#define SPIKE_PRODUCT_AND_SUM(a, b, sum) ((a) * (b) + (sum))
#endif

void spike_analog_i32__scalar(spike_analog *job) {
    const spike_window w = job->window;
    const int lanes = job->lanes;
    for (int y = job->row_begin; y < job->row_end; y++) {
        for (int x = 0; x < w.out_width; x++) {
            const spike_walk columns = spike_walk_columns(&w, x);
            int32_t *target = job->target + ((size_t)y * job->columns + (size_t)(x / job->block)) * job->stride + (size_t)(x % job->block) * lanes;
            for (int first = 0; first < lanes; first += SPIKE_LARGEST_TILE) {
                const int count = lanes - first < SPIKE_LARGEST_TILE ? lanes - first : SPIKE_LARGEST_TILE;
                float sum[SPIKE_LARGEST_TILE];
                memcpy(sum, job->bias + first, sizeof(float) * (size_t)count);
                for (int c = 0; c < job->channels; c++) {
                    SPIKE_EACH(row, spike_walk_rows(&w, y)) {
                        SPIKE_EACH(column, columns) {
                            const float value = job->image[((size_t)c * w.height + (size_t)row.at) * w.width + (size_t)column.at];
                            const size_t place = (size_t)(c * w.kernel_height + row.place) * w.kernel_width + (size_t)column.place;
                            const float *weights = job->weights + place * lanes + first;
                            for (int i = 0; i < count; i++) sum[i] = SPIKE_PRODUCT_AND_SUM(value, weights[i], sum[i]);
                        }
                    }
                }
                for (int i = 0; i < count; i++) {
                    // Not a number is limited too.
                    job->limited += !(fabsf(sum[i]) <= job->limit);
                    const float kept = fmaxf(fminf(sum[i], job->limit), -job->limit);
                    // Halves away from zero.
                    target[first + i] = (int32_t)(kept + copysignf(0.5f, kept));
                }
            }
        }
    }
}
