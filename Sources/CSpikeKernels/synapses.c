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

void spike_dense_i8__scalar(const spike_dense *job) {
    const int32_t factor = (int32_t)1 << job->shift;
    for (int p = 0; p < job->positions; p++) {
        int32_t *current = job->current + (size_t)p * job->current_stride;
        for (int i = 0; i < job->tile; i++) {
            int32_t sum = 0;
            for (int place = 0; place < job->places; place++) {
                const uint8_t *numbers = job->numbers[(size_t)place * job->positions + p];
                const int8_t *weights = spike_dense_weights(job, i, place);
                for (int c = 0; c < 4 * job->groups; c++) sum += numbers[c] * weights[(size_t)(c >> 2) * 128 + (size_t)(c & 3)];
            }
            current[i] += (job->negative ? -sum : sum) * factor;
        }
    }
}

/// For each byte, its bits as eight bytes.
static uint64_t spread[256];

__attribute__((constructor)) static void fill_spread(void) {
    for (int byte = 0; byte < 256; byte++) {
        uint8_t bits[8];
        for (int bit = 0; bit < 8; bit++) bits[bit] = (uint8_t)(byte >> bit & 1);
        memcpy(&spread[byte], bits, 8);
    }
}

void spike_numbers_u8__scalar(const spike_digits *job) {
    for (size_t byte = 0; byte < 8 * job->words; byte++) {
        // Eight numbers below 128 in a word: doubling carries nothing over.
        uint64_t eight = 0;
        for (int step = 0; step < job->steps; step++) eight = 2 * eight + spread[job->bits[(size_t)step * job->step_bytes + byte]];
        memcpy(job->numbers + 8 * byte, &eight, 8);
    }
}

void spike_weighted_i16__scalar(const spike_weighted *job) {
    const int32_t factor = (int32_t)1 << job->shift;
    for (int i = 0; i < job->tile; i++) {
        int32_t sum = 0;
        for (int t = 0; t < job->tap_count; t++) sum += job->taps[t].bits[i] * ((const int16_t *)job->taps[t].weights)[i];
        job->current[i] += (job->negative ? -sum : sum) * factor;
    }
}

void spike_counted_f32__scalar(const spike_counted *job) {
    for (int step = 0; step < job->steps; step++) {
        const float *counts = job->counts + (size_t)step * job->count_stride;
        for (int first = 0; first < job->tile; first += 8) {
            const int lanes = job->tile - first < 8 ? job->tile - first : 8;
            float sum[8] = {0};
            for (int c = 0; c < job->channels; c++) {
                const float *row = job->weights + (size_t)c * (size_t)job->tile + first;
                for (int i = 0; i < lanes; i++) sum[i] += counts[c] * row[i];
            }
            float *current = job->current + (size_t)step * (size_t)job->tile + first;
            for (int i = 0; i < lanes; i++) current[i] += job->negative ? -sum[i] : sum[i];
        }
    }
}

void spike_sum_bits(
    const uint8_t *bits, spike_strides strides, int32_t steps, int32_t height, int32_t width, int32_t bytes, float *sums) {
    for (int step = 0; step < steps; step++) {
        for (int byte = 0; byte < bytes; byte++, sums += 8) {
            // Sums of eight channels in the bytes of a word, as long as they fit.
            uint64_t eight = 0;
            int added = 0;
            for (int i = 0; i < 8; i++) sums[i] = 0;
            for (int pixel = 0; pixel < height * width; pixel++) {
                const size_t place = (size_t)(pixel / width) * strides.row + (size_t)(pixel % width) * strides.pixel;
                eight += spread[bits[(size_t)step * strides.step + place + (size_t)byte]];
                if (++added < 255 && pixel + 1 < height * width) continue;
                for (int i = 0; i < 8; i++) sums[i] += (float)(eight >> (8 * i) & 255);
                eight = 0;
                added = 0;
            }
        }
    }
}
