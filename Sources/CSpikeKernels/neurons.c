#include "internal.h"

#include <math.h>

// Neurons: integration, firing, packing. Membranes stay in the unit of the currents.

void spike_integrate_f32__scalar(const spike_integrate *job) {
    float *membrane = job->membrane;
    const float growth = (float)job->growth;
    for (int step = 0; step < job->steps; step++) {
        const float *current = (const float *)job->current + (size_t)step * job->tile;
        for (int i = 0; i < job->tile; i++) membrane[i] = growth * membrane[i] + current[i];
        if (job->record) memcpy((float *)job->record + (size_t)step * job->record_stride, membrane, sizeof(float) * (size_t)job->tile);
    }
}

void spike_integrate_i32__scalar(const spike_integrate *job) {
    int32_t *membrane = job->membrane;
    for (int step = 0; step < job->steps; step++) {
        const int32_t *current = (const int32_t *)job->current + (size_t)step * job->tile;
        for (int i = 0; i < job->tile; i++) membrane[i] = spike_limited(job->growth * membrane[i] + current[i], job->saturations);
        if (job->record) memcpy((int32_t *)job->record + (size_t)step * job->record_stride, membrane, sizeof(int32_t) * (size_t)job->tile);
    }
}

/// What arrives in a step.
#define SPIKE_ARRIVING(type, step, i)                                                                                   \
    ((job->current ? ((const type *)job->current)[(size_t)(step) * job->tile + (i)] : 0) +                              \
     (job->offset ? ((const type *)job->offset)[i] : 0))

void spike_fire_if_f32__scalar(const spike_fire *job) {
    float *membrane = job->membrane;
    const float *threshold = job->threshold, *reset = job->reset;
    for (int step = 0; step < job->steps; step++) {
        const float factor = job->halving ? ldexpf(1, job->exponent - step) : 1;
        uint8_t *bits = job->plus + (size_t)step * job->step_bytes;
        memset(bits, 0, (size_t)job->lanes / 8);
        for (int i = 0; i < job->lanes; i++) {
            const float bound = threshold[i] * factor;
            float v = membrane[i] + SPIKE_ARRIVING(float, step, i);
            if (v >= bound) {
                v = reset ? reset[i] : v - bound;
                bits[i >> 3] |= (uint8_t)(1 << (i & 7));
            }
            membrane[i] = v;
        }
    }
}

void spike_fire_if_i32__scalar(const spike_fire *job) {
    int32_t *membrane = job->membrane;
    const int32_t *threshold = job->threshold, *reset = job->reset;
    for (int step = 0; step < job->steps; step++) {
        uint8_t *bits = job->plus + (size_t)step * job->step_bytes;
        memset(bits, 0, (size_t)job->lanes / 8);
        for (int i = 0; i < job->lanes; i++) {
            const int32_t bound = job->halving ? threshold[i] << (job->exponent - step) : threshold[i];
            int32_t v = spike_limited(membrane[i] + SPIKE_ARRIVING(int32_t, step, i), job->saturations);
            if (v >= bound) {
                v = reset ? reset[i] : v - bound;
                bits[i >> 3] |= (uint8_t)(1 << (i & 7));
            }
            membrane[i] = v;
        }
    }
}

#define SPIKE_FIRE_SIGNED(name, type, LIMITED)                                                                          \
    void name(const spike_fire *job) {                                                                                  \
        type *membrane = job->membrane, *standing = job->memory;                                                        \
        const type *threshold = job->threshold;                                                                         \
        for (int step = 0; step < job->steps; step++) {                                                                 \
            uint8_t *plus = job->plus + (size_t)step * job->step_bytes;                                                 \
            uint8_t *minus = job->minus + (size_t)step * job->step_bytes;                                               \
            memset(plus, 0, (size_t)job->lanes / 8);                                                                     \
            memset(minus, 0, (size_t)job->lanes / 8);                                                                    \
            for (int i = 0; i < job->lanes; i++) {                                                                       \
                type v = LIMITED(membrane[i] + SPIKE_ARRIVING(type, step, i));                                          \
                if (v >= threshold[i]) {                                                                                \
                    if (job->limit < 0 || standing[i] < job->limit) {                                                   \
                        v -= threshold[i];                                                                              \
                        standing[i] += 1;                                                                               \
                        plus[i >> 3] |= (uint8_t)(1 << (i & 7));                                                        \
                    }                                                                                                   \
                } else if (v < 0 && standing[i] > 0) {                                                                  \
                    v += threshold[i];                                                                                  \
                    standing[i] -= 1;                                                                                   \
                    minus[i >> 3] |= (uint8_t)(1 << (i & 7));                                                           \
                }                                                                                                       \
                membrane[i] = v;                                                                                        \
            }                                                                                                           \
        }                                                                                                               \
    }

#define SPIKE_AS_IS(value) (value)
#define SPIKE_COUNTED(value) spike_limited((value), job->saturations)
SPIKE_FIRE_SIGNED(spike_fire_signed_f32__scalar, float, SPIKE_AS_IS)
SPIKE_FIRE_SIGNED(spike_fire_signed_i32__scalar, int32_t, SPIKE_COUNTED)

void spike_fire_burst_f32__scalar(const spike_fire *job) {
    float *membrane = job->membrane;
    const float *threshold = job->threshold;
    for (int step = 0; step < job->steps; step++) {
        int16_t *counts = job->counts + (size_t)step * job->count_stride;
        for (int i = 0; i < job->lanes; i++) {
            const float v = membrane[i] + SPIKE_ARRIVING(float, step, i);
            const float spikes = fminf((float)job->limit, fmaxf(0, floorf(v / threshold[i])));
            // Unused channels have an infinite threshold.
            membrane[i] = spikes > 0 ? v - threshold[i] * spikes : v;
            counts[i] = (int16_t)spikes;
        }
    }
}

void spike_fire_burst_i32__scalar(const spike_fire *job) {
    int32_t *membrane = job->membrane;
    const int32_t *threshold = job->threshold;
    for (int step = 0; step < job->steps; step++) {
        int16_t *counts = job->counts + (size_t)step * job->count_stride;
        for (int i = 0; i < job->lanes; i++) {
            const int32_t v = spike_limited(membrane[i] + SPIKE_ARRIVING(int32_t, step, i), job->saturations);
            int32_t spikes = v > 0 ? v / threshold[i] : 0;
            if (spikes > job->limit) spikes = job->limit;
            membrane[i] = v - threshold[i] * spikes;
            counts[i] = (int16_t)spikes;
        }
    }
}
