#include "internal.h"

#if defined(__aarch64__)
#include <arm_neon.h>

// The kernels that take most of the time, for arm64. NEON is part of every such machine. Layouts are those of the AVX2 kernels:
// weights packed for one run on the other.

SPIKE_INLINE void gather_f32(const spike_gather *job, const int vectors) {
    const float *weights = job->weights;
    const size_t tile = (size_t)vectors * 4;
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        const uint16_t *entry = job->lists.entries + starts[job->from], *end = job->lists.entries + starts[job->to];
        float32x4_t sum[16];
        for (int v = 0; v < vectors; v++) sum[v] = vdupq_n_f32(0);
        for (; entry < end; entry++) {
            const float *row = weights + (size_t)(uint16_t)(*entry - job->base) * tile;
            for (int v = 0; v < vectors; v++) sum[v] = vaddq_f32(sum[v], vld1q_f32(row + 4 * v));
        }
        float *current = (float *)job->current + (size_t)step * tile;
        for (int v = 0; v < vectors; v++) {
            const float32x4_t old = job->first ? vdupq_n_f32(0) : vld1q_f32(current + 4 * v);
            vst1q_f32(current + 4 * v, job->negative ? vsubq_f32(old, sum[v]) : vaddq_f32(old, sum[v]));
        }
    }
}

void spike_gather_f32__neon(const spike_gather *job) {
    switch (job->tile) {
    case 64: gather_f32(job, 16); break;
    case 32: gather_f32(job, 8); break;
    case 16: gather_f32(job, 4); break;
    case 8: gather_f32(job, 2); break;
    default: spike_gather_f32__scalar(job);
    }
}

SPIKE_INLINE void add_sums(int32x4_t sums, int32x4_t shift, bool negative, bool first, int32_t *target) {
    const int32x4_t value = vshlq_s32(sums, shift), old = first ? vdupq_n_s32(0) : vld1q_s32(target);
    vst1q_s32(target, negative ? vsubq_s32(old, value) : vaddq_s32(old, value));
}

/// Adds what 16-bit sums of `count` rows have gathered to 16 currents: 8 of low bytes and, 16 lanes on, 8 of high bytes.
SPIKE_INLINE void flush_i8(
    int16x8_t all, int16x8_t high, int count, int32x4_t shift, bool negative, bool first, int32_t *low_current, int32_t *high_current) {
    const uint16x8_t low = vreinterpretq_u16_s16(vsubq_s16(all, vshlq_n_s16(high, 8)));
    const int32x4_t bias = vdupq_n_s32(128 * count);
    const int32x4_t parts[4] = {
        vsubq_s32(vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))), bias),
        vsubq_s32(vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(low))), bias),
        vmovl_s16(vget_low_s16(high)),
        vmovl_s16(vget_high_s16(high)),
    };
    for (int i = 0; i < 4; i++) add_sums(parts[i], shift, negative, first, (i < 2 ? low_current : high_current) + 4 * (i & 1));
}

SPIKE_INLINE void gather_i8(const spike_gather *job, const int vectors) {
    const uint8_t *weights = job->weights;
    const size_t tile = (size_t)vectors * 16;
    const int32x4_t shift = vdupq_n_s32(job->shift);
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        const uint16_t *entry = job->lists.entries + starts[job->from], *end = job->lists.entries + starts[job->to];
        int32_t *current = (int32_t *)job->current + (size_t)step * tile;
        bool first = job->first;
        do {
            // 255 rows fit before either sum may overflow.
            const uint16_t *stop = end - entry > 255 ? entry + 255 : end;
            const int count = (int)(stop - entry);
            int16x8_t all[8], high[8];
            for (int v = 0; v < vectors; v++) all[v] = high[v] = vdupq_n_s16(0);
            for (; entry < stop; entry++) {
                const uint8_t *row = weights + (size_t)(uint16_t)(*entry - job->base) * tile;
                for (int v = 0; v < vectors; v++) {
                    const int16x8_t word = vreinterpretq_s16_u8(vld1q_u8(row + 16 * v));
                    all[v] = vaddq_s16(all[v], word);
                    high[v] = vsraq_n_s16(high[v], word, 8);
                }
            }
            for (int v = 0; v < vectors; v++) {
                int32_t *low_current = current + v / 2 * 32 + v % 2 * 8;
                flush_i8(all[v], high[v], count, shift, job->negative, first, low_current, low_current + 16);
            }
            first = false;
        } while (entry < end);
    }
}

void spike_gather_i8__neon(const spike_gather *job) {
    switch (job->tile) {
    case 128: gather_i8(job, 8); break;
    case 64: gather_i8(job, 4); break;
    case 32: gather_i8(job, 2); break;
    default: spike_gather_i8__scalar(job);
    }
}

void spike_masked_f32__neon(const spike_masked *job) {
    const uint32x4_t places[2] = {{1, 2, 4, 8}, {16, 32, 64, 128}};
    for (int step = 0; step < job->steps; step++) {
        for (int i = 0; i < job->tile; i += 4) {
            float32x4_t sum = vdupq_n_f32(0);
            for (int t = 0; t < job->tap_count; t++) {
                const uint8_t bits = job->taps[t].bits[(size_t)step * job->step_bytes + (size_t)(i >> 3)];
                const uint32x4_t mask = vtstq_u32(vdupq_n_u32(bits), places[i >> 2 & 1]);
                const uint32x4_t weights = vreinterpretq_u32_f32(vld1q_f32((const float *)job->taps[t].weights + i));
                sum = vaddq_f32(sum, vreinterpretq_f32_u32(vandq_u32(weights, mask)));
            }
            float *current = (float *)job->current + (size_t)step * job->tile + i;
            const float32x4_t old = vld1q_f32(current);
            vst1q_f32(current, job->negative ? vsubq_f32(old, sum) : vaddq_f32(old, sum));
        }
    }
}

void spike_masked_i16__neon(const spike_masked *job) {
    const uint16x8_t place = {1, 2, 4, 8, 16, 32, 64, 128};
    const int32x4_t shift = vdupq_n_s32(job->shift);
    for (int step = 0; step < job->steps; step++) {
        for (int i = 0; i < job->tile; i += 8) {
            int16x8_t sum = vdupq_n_s16(0);
            for (int t = 0; t < job->tap_count; t++) {
                const uint8_t bits = job->taps[t].bits[(size_t)step * job->step_bytes + (size_t)(i >> 3)];
                const int16x8_t mask = vreinterpretq_s16_u16(vtstq_u16(vdupq_n_u16(bits), place));
                sum = vaddq_s16(sum, vandq_s16(vld1q_s16((const int16_t *)job->taps[t].weights + i), mask));
            }
            for (int half = 0; half < 2; half++) {
                const int32x4_t value = vshlq_s32(vmovl_s16(half ? vget_high_s16(sum) : vget_low_s16(sum)), shift);
                int32_t *current = (int32_t *)job->current + (size_t)step * job->tile + i + 4 * half;
                const int32x4_t old = vld1q_s32(current);
                vst1q_s32(current, job->negative ? vsubq_s32(old, value) : vaddq_s32(old, value));
            }
        }
    }
}

/// Eight 32-bit masks as a byte.
SPIKE_INLINE uint8_t pack(uint32x4_t low, uint32x4_t high) {
    const uint32x4_t first = {1, 2, 4, 8}, second = {16, 32, 64, 128};
    return (uint8_t)(vaddvq_u32(vandq_u32(low, first)) + vaddvq_u32(vandq_u32(high, second)));
}

void spike_fire_if_f32__neon(const spike_fire *job) {
    if (job->reset || job->halving) {
        spike_fire_if_f32__scalar(job);
        return;
    }
    for (int i = 0; i < job->lanes; i += 8) {
        float *membrane = (float *)job->membrane + i;
        const float *threshold = (const float *)job->threshold + i;
        float32x4_t v[2] = {vld1q_f32(membrane), vld1q_f32(membrane + 4)};
        const float32x4_t bound[2] = {vld1q_f32(threshold), vld1q_f32(threshold + 4)};
        float32x4_t offset[2] = {vdupq_n_f32(0), vdupq_n_f32(0)};
        for (int k = 0; k < 2 && job->offset; k++) offset[k] = vld1q_f32((const float *)job->offset + i + 4 * k);
        for (int step = 0; step < job->steps; step++) {
            uint32x4_t fires[2];
            for (int k = 0; k < 2; k++) {
                float32x4_t arriving = offset[k];
                if (job->current) arriving = vaddq_f32(vld1q_f32((const float *)job->current + (size_t)step * job->tile + i + 4 * k), arriving);
                v[k] = vaddq_f32(v[k], arriving);
                fires[k] = vcgeq_f32(v[k], bound[k]);
                v[k] = vsubq_f32(v[k], vreinterpretq_f32_u32(vandq_u32(fires[k], vreinterpretq_u32_f32(bound[k]))));
            }
            job->plus[(size_t)step * job->step_bytes + (size_t)(i >> 3)] = pack(fires[0], fires[1]);
        }
        vst1q_f32(membrane, v[0]);
        vst1q_f32(membrane + 4, v[1]);
    }
}

void spike_fire_if_i32__neon(const spike_fire *job) {
    if (job->reset || job->halving || job->saturations) {
        spike_fire_if_i32__scalar(job);
        return;
    }
    for (int i = 0; i < job->lanes; i += 8) {
        int32_t *membrane = (int32_t *)job->membrane + i;
        const int32_t *threshold = (const int32_t *)job->threshold + i;
        int32x4_t v[2] = {vld1q_s32(membrane), vld1q_s32(membrane + 4)};
        const int32x4_t bound[2] = {vld1q_s32(threshold), vld1q_s32(threshold + 4)};
        int32x4_t offset[2] = {vdupq_n_s32(0), vdupq_n_s32(0)};
        for (int k = 0; k < 2 && job->offset; k++) offset[k] = vld1q_s32((const int32_t *)job->offset + i + 4 * k);
        for (int step = 0; step < job->steps; step++) {
            uint32x4_t fires[2];
            for (int k = 0; k < 2; k++) {
                int32x4_t arriving = offset[k];
                if (job->current) arriving = vaddq_s32(vld1q_s32((const int32_t *)job->current + (size_t)step * job->tile + i + 4 * k), arriving);
                v[k] = vaddq_s32(v[k], arriving);
                fires[k] = vcgeq_s32(v[k], bound[k]);
                v[k] = vsubq_s32(v[k], vandq_s32(vreinterpretq_s32_u32(fires[k]), bound[k]));
            }
            job->plus[(size_t)step * job->step_bytes + (size_t)(i >> 3)] = pack(fires[0], fires[1]);
        }
        vst1q_s32(membrane, v[0]);
        vst1q_s32(membrane + 4, v[1]);
    }
}
/// Four places of the output, or one, by 4 lanes of 32 bits.
SPIKE_INLINE void dense_block(const spike_dense *job, int lane, int first, const int positions) {
    int32x4_t sum[4];
    for (int p = 0; p < positions; p++) sum[p] = vdupq_n_s32(0);
    for (int place = 0; place < job->places; place++) {
        const int8_t *weights = spike_dense_weights(job, lane, place);
        const uint8_t *const *numbers = job->numbers + (size_t)place * job->positions + first;
        for (int g = 0; g < job->groups; g++, weights += 128) {
            const int8x16_t a = vld1q_s8(weights);
            for (int p = 0; p < positions; p++) {
                int32_t four;
                memcpy(&four, numbers[p] + 4 * g, 4);
                const int8x16_t number = vreinterpretq_s8_s32(vdupq_n_s32(four));
                // Two products fit 16 bits, since numbers are below 128; so do not four: they are added in 32.
                const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(number)), high = vmull_high_s8(a, number);
                sum[p] = vaddq_s32(sum[p], vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
            }
        }
    }
    const int32x4_t left = vdupq_n_s32(job->shift);
    for (int p = 0; p < positions; p++) {
        int32_t *current = job->current + (size_t)(first + p) * job->current_stride + lane;
        const int32x4_t value = vshlq_s32(sum[p], left), old = vld1q_s32(current);
        vst1q_s32(current, job->negative ? vsubq_s32(old, value) : vaddq_s32(old, value));
    }
}

void spike_dense_i8__neon(const spike_dense *job) {
    for (int lane = 0; lane < job->tile; lane += 4) {
        int first = 0;
        for (; first + 4 <= job->positions; first += 4) dense_block(job, lane, first, 4);
        for (; first < job->positions; first++) dense_block(job, lane, first, 1);
    }
}

SPIKE_GATHER_THEN_FIRE(neon)
#else
typedef int spike_neon_is_for_arm64;
#endif
