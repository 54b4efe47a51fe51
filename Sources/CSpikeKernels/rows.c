#include "internal.h"

// Rows of whole numbers times packed panels, in plain C.

#define PLAIN_ROWS(name, number, weight, sum_type, group, finished)                                                     \
    void spike_##name##__scalar(const spike_row_products *job) {                                                        \
        for (int row = 0; row < job->row_count; row++) {                                                                \
            const number *a = (const number *)job->rows + (size_t)row * job->row_stride;                                \
            float *out = job->out + (size_t)row * job->out_stride;                                                      \
            for (int first = 0; first < job->columns; first += SPIKE_PANEL) {                                           \
                const weight *panel = (const weight *)job->panels + (size_t)first * (size_t)job->depth * group;         \
                sum_type sums[SPIKE_PANEL] = {0};                                                                       \
                for (int k = 0; k < job->depth; k++, panel += SPIKE_PANEL * group) {                                    \
                    for (int column = 0; column < SPIKE_PANEL; column++) {                                              \
                        for (int g = 0; g < group; g++) {                                                               \
                            sums[column] += (sum_type)a[k * group + g] * (sum_type)panel[column * group + g];           \
                        }                                                                                               \
                    }                                                                                                   \
                }                                                                                                       \
                const int count = job->columns - first < SPIKE_PANEL ? job->columns - first : SPIKE_PANEL;              \
                for (int column = first; column < first + count; column++) {                                            \
                    const sum_type sum = sums[column - first];                                                          \
                    const float bias = job->bias ? job->bias[column] : 0;                                               \
                    out[column] = finished;                                                                             \
                }                                                                                                       \
            }                                                                                                           \
        }                                                                                                               \
    }

#define WHOLE_SUM ((float)(sum + (job->start ? job->start[column] : 0)) * (job->scale ? job->scale[column] : 1) + bias)

PLAIN_ROWS(rows_i8, uint8_t, int8_t, int32_t, 4, WHOLE_SUM)
PLAIN_ROWS(rows_i16, int16_t, int16_t, int32_t, 2, WHOLE_SUM)
PLAIN_ROWS(rows_f32, float, float, float, 1, sum + bias)
