#include "internal.h"

// Synapses between one channel and the same channel: depthwise convolutions, identity branches, sums of spikes.

#define SPIKE_MASKED(name, type)                                                                                        \
    void name(const spike_masked *job) {                                                                                \
        for (int step = 0; step < job->steps; step++) {                                                                 \
            type *current = (type *)job->current + (size_t)step * job->tile;                                            \
            for (int t = 0; t < job->tap_count; t++) {                                                                  \
                const uint8_t *bits = job->taps[t].bits + (size_t)step * job->step_bytes;                               \
                const type *weights = job->taps[t].weights;                                                             \
                for (int i = 0; i < job->tile; i++) {                                                                   \
                    const type weight = (bits[i >> 3] >> (i & 7)) & 1 ? weights[i] : 0;                                 \
                    current[i] += job->negative ? -weight : weight;                                                     \
                }                                                                                                       \
            }                                                                                                           \
        }                                                                                                               \
    }

SPIKE_MASKED(spike_masked_f32__scalar, float)
SPIKE_MASKED(spike_masked_i32__scalar, int32_t)

#define SPIKE_SCATTER(name, type)                                                                                       \
    void name(const spike_scatter *job) {                                                                               \
        const type *weights = job->weights;                                                                             \
        for (int step = 0; step < job->steps; step++) {                                                                 \
            const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;                         \
            type *current = (type *)job->current + (size_t)step * job->tile;                                            \
            for (int s = 0; s < job->segment_count; s++) {                                                              \
                const spike_segment segment = job->segments[s];                                                         \
                const uint16_t *end = job->lists.entries + starts[segment.to];                                          \
                for (const uint16_t *entry = job->lists.entries + starts[segment.from]; entry < end; entry++) {         \
                    const uint16_t channel = (uint16_t)(*entry - segment.base);                                         \
                    const int32_t target = (int32_t)channel + job->offset;                                              \
                    if (target < 0 || target >= job->tile) continue;                                                    \
                    const type weight = weights[segment.row + channel];                                                 \
                    current[target] += job->negative ? -weight : weight;                                                \
                }                                                                                                       \
            }                                                                                                           \
        }                                                                                                               \
    }

SPIKE_SCATTER(spike_scatter_f32__scalar, float)
SPIKE_SCATTER(spike_scatter_i32__scalar, int32_t)
