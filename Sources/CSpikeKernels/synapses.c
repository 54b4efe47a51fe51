#include "internal.h"

// Synapses between one channel and the same channel: depthwise convolutions, identity branches, sums of spikes.

void spike_masked_f32__scalar(const spike_masked *job) {
    for (int step = 0; step < job->steps; step++) {
        float *current = (float *)job->current + (size_t)step * job->tile;
        for (int i = 0; i < job->tile; i++) {
            float sum = 0;
            for (int t = 0; t < job->tap_count; t++) {
                const uint8_t bits = job->taps[t].bits[(size_t)step * job->step_bytes + (size_t)(i >> 3)];
                if (bits >> (i & 7) & 1) sum += ((const float *)job->taps[t].weights)[i];
            }
            current[i] += job->negative ? -sum : sum;
        }
    }
}

void spike_masked_i16__scalar(const spike_masked *job) {
    const int32_t factor = (int32_t)1 << job->shift;
    for (int step = 0; step < job->steps; step++) {
        int32_t *current = (int32_t *)job->current + (size_t)step * job->tile;
        for (int i = 0; i < job->tile; i++) {
            int32_t sum = 0;
            for (int t = 0; t < job->tap_count; t++) {
                const uint8_t bits = job->taps[t].bits[(size_t)step * job->step_bytes + (size_t)(i >> 3)];
                if (bits >> (i & 7) & 1) sum += ((const int16_t *)job->taps[t].weights)[i];
            }
            current[i] += (job->negative ? -sum : sum) * factor;
        }
    }
}

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
