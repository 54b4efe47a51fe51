#include "internal.h"

// Gathering: the sum of the weight rows that the spikes of a window select.

void spike_gather_f32__scalar(const spike_gather *job) {
    const float *weights = job->weights;
    const int tile = job->tile;
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        float sum[SPIKE_LARGEST_TILE] = {0};
        for (int s = 0; s < job->segment_count; s++) {
            const spike_segment segment = job->segments[s];
            const uint16_t *end = job->lists.entries + starts[segment.to];
            for (const uint16_t *entry = job->lists.entries + starts[segment.from]; entry < end; entry++) {
                const float *row = weights + (size_t)(segment.row + (uint16_t)(*entry - segment.base)) * tile;
                for (int i = 0; i < tile; i++) sum[i] += row[i];
            }
        }
        float *current = (float *)job->current + (size_t)step * tile;
        for (int i = 0; i < tile; i++) current[i] += job->negative ? -sum[i] : sum[i];
    }
}

void spike_pack_i8(const int8_t *row, int32_t tile, uint8_t *packed) {
    for (int block = 0; block < tile; block += 32) {
        for (int i = 0; i < 16; i++) {
            packed[block + 2 * i] = (uint8_t)(row[block + i] + 128);
            packed[block + 2 * i + 1] = (uint8_t)row[block + 16 + i];
        }
    }
}

void spike_gather_i8__scalar(const spike_gather *job) {
    const uint8_t *weights = job->weights;
    const int tile = job->tile;
    const int32_t factor = (int32_t)1 << job->shift;
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        int32_t sum[SPIKE_LARGEST_TILE] = {0};
        for (int s = 0; s < job->segment_count; s++) {
            const spike_segment segment = job->segments[s];
            const uint16_t *end = job->lists.entries + starts[segment.to];
            for (const uint16_t *entry = job->lists.entries + starts[segment.from]; entry < end; entry++) {
                const uint8_t *row = weights + (size_t)(segment.row + (uint16_t)(*entry - segment.base)) * tile;
                for (int block = 0; block < tile; block += 32) {
                    for (int i = 0; i < 16; i++) {
                        sum[block + i] += (int32_t)row[block + 2 * i] - 128;
                        sum[block + 16 + i] += (int8_t)row[block + 2 * i + 1];
                    }
                }
            }
        }
        int32_t *current = (int32_t *)job->current + (size_t)step * tile;
        for (int i = 0; i < tile; i++) current[i] += job->negative ? -sum[i] * factor : sum[i] * factor;
    }
}
