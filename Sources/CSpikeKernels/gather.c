#include "internal.h"

// Gathering: the sum of the weight rows that the spikes of a window select.

void spike_pack_i8(const int8_t *row, int32_t tile, uint8_t *packed) {
    for (int block = 0; block < tile; block += 32) {
        for (int i = 0; i < 16; i++) {
            packed[block + 2 * i] = (uint8_t)(row[block + i] + 128);
            packed[block + 2 * i + 1] = (uint8_t)row[block + 16 + i];
        }
    }
}

/// `add` adds the row of lanes that starts at `row` to `sum`; `factor` is what sums are multiplied with at last.
#define SPIKE_GATHER(type, element, factor, add)                                                                \
    const element *weights = job->weights;                                                                              \
    const int tile = job->tile;                                                                                         \
    SPIKE_REQUIRE(tile <= SPIKE_LARGEST_TILE);                                                                          \
    for (int step = 0; step < job->steps; step++) {                                                                     \
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;                             \
        const uint16_t *entry = job->lists.entries + starts[job->from], *end = job->lists.entries + starts[job->to];    \
        type sum[SPIKE_LARGEST_TILE] = {0};                                                                             \
        for (; entry < end; entry++) {                                                                                  \
            const element *row = weights + (size_t)(uint16_t)(*entry - job->base) * tile;                               \
            add                                                                                                         \
        }                                                                                                               \
        type *current = (type *)job->current + (size_t)step * tile;                                                     \
        for (int i = 0; i < tile; i++) {                                                                                \
            const type total = sum[i] * (factor), old = job->first ? 0 : current[i];                                    \
            current[i] = job->negative ? old - total : old + total;                                                     \
        }                                                                                                               \
    }

void spike_gather_f32__scalar(const spike_gather *job) {
    SPIKE_GATHER(float, float, 1, {
        for (int i = 0; i < tile; i++) sum[i] += row[i];
    })
}

void spike_gather_i8__scalar(const spike_gather *job) {
    SPIKE_GATHER(int32_t, uint8_t, (int32_t)1 << job->shift, {
        for (int block = 0; block < tile; block += 32) {
            for (int i = 0; i < 16; i++) {
                sum[block + i] += (int32_t)row[block + 2 * i] - 128;
                sum[block + 16 + i] += (int8_t)row[block + 2 * i + 1];
            }
        }
    })
}

SPIKE_GATHER_THEN_FIRE(scalar)
