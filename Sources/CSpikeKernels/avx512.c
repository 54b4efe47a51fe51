#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"

// For processors with AVX-512 and its products of bytes (VNNI): twice the width where most time goes, the AVX2 kernels elsewhere.

#define AVX512 __attribute__((target("avx2,fma,popcnt,bmi,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define INLINE_AVX512 static inline __attribute__((always_inline)) AVX512

INLINE_AVX512 void gather_f32(const spike_gather *job, const int vectors, const int ways) {
    const char *weights = job->weights;
    uint32_t merged[LONGEST_MERGED + 16];
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        __m512 sum[8];
        for (int i = 0; i < vectors * ways; i++) sum[i] = _mm512_setzero_ps();
        spike_cursor cursor = {0, 0};
        while (cursor.segment < job->segment_count) {
            const int count = merge(job, starts, &cursor, vectors * 64, ways, merged);
            for (int i = 0; i < count; i += ways) {
                for (int k = 0; k < ways; k++) {
                    const float *row = (const float *)(weights + merged[i + k]);
                    for (int v = 0; v < vectors; v++) {
                        sum[k * vectors + v] = _mm512_add_ps(sum[k * vectors + v], _mm512_loadu_ps(row + 16 * v));
                    }
                }
            }
        }
        float *current = (float *)job->current + (size_t)step * vectors * 16;
        for (int v = 0; v < vectors; v++) {
            __m512 total = sum[v];
            for (int k = 1; k < ways; k++) total = _mm512_add_ps(total, sum[k * vectors + v]);
            const __m512 old = _mm512_loadu_ps(current + 16 * v);
            _mm512_storeu_ps(current + 16 * v, job->negative ? _mm512_sub_ps(old, total) : _mm512_add_ps(old, total));
        }
    }
}

AVX512 void spike_gather_f32__avx512(const spike_gather *job) {
    switch (job->tile) {
    case 64: gather_f32(job, 4, 2); break;
    case 32: gather_f32(job, 2, 4); break;
    case 16: gather_f32(job, 1, 8); break;
    default: spike_gather_f32__avx2(job);
    }
}

// Adds what 16-bit sums have gathered of `count` rows to the int32 currents. A vector holds two packed blocks of 32 channels.
INLINE_AVX512 void flush_i8(__m512i all, __m512i high, int count, int shift, bool negative, int32_t *current) {
    const __m512i low = _mm512_sub_epi16(all, _mm512_slli_epi16(high, 8));
    const __m512i bias = _mm512_set1_epi32(128 * count);
    const __m512i part[4] = {
        _mm512_sub_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(low)), bias),
        _mm512_cvtepi16_epi32(_mm512_castsi512_si256(high)),
        _mm512_sub_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(low, 1)), bias),
        _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(high, 1)),
    };
    const __m128i left = _mm_cvtsi32_si128(shift);
    for (int i = 0; i < 4; i++) {
        int32_t *target = current + 16 * i;
        const __m512i value = _mm512_sll_epi32(part[i], left), old = _mm512_loadu_si512(target);
        _mm512_storeu_si512(target, negative ? _mm512_sub_epi32(old, value) : _mm512_add_epi32(old, value));
    }
}

// As the AVX2 kernel. `ways` rows have sums of their own, so that additions do not wait for each other.
INLINE_AVX512 void gather_i8(const spike_gather *job, const int vectors, const int ways) {
    const uint8_t *weights = job->weights;
    uint32_t merged[LONGEST_MERGED + 16];
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        int32_t *current = (int32_t *)job->current + (size_t)step * vectors * 64;
        spike_cursor cursor = {0, 0};
        while (cursor.segment < job->segment_count) {
            const int count = merge(job, starts, &cursor, vectors * 64, 4, merged);
            for (int i = 0; i < count;) {
                const int stop = i + 252 < count ? i + 252 : count, rows = stop - i;
                __m512i all[4], high[4];
                for (int v = 0; v < vectors * ways; v++) all[v] = high[v] = _mm512_setzero_si512();
                for (; i < stop; i += 4) {
                    for (int k = 0; k < 4; k++) {
                        const uint8_t *row = weights + merged[i + k];
                        for (int v = 0; v < vectors; v++) {
                            const int s = k % ways * vectors + v;
                            const __m512i word = _mm512_loadu_si512(row + 64 * v);
                            all[s] = _mm512_add_epi16(all[s], word);
                            high[s] = _mm512_add_epi16(high[s], _mm512_srai_epi16(word, 8));
                        }
                    }
                }
                for (int v = 0; v < vectors; v++) {
                    for (int k = 1; k < ways; k++) {
                        all[v] = _mm512_add_epi16(all[v], all[k * vectors + v]);
                        high[v] = _mm512_add_epi16(high[v], high[k * vectors + v]);
                    }
                    flush_i8(all[v], high[v], rows, job->shift, job->negative, current + 64 * v);
                }
            }
        }
    }
}

AVX512 void spike_gather_i8__avx512(const spike_gather *job) {
    switch (job->tile) {
    case 128: gather_i8(job, 2, 2); break;
    case 64: gather_i8(job, 1, 4); break;
    default: spike_gather_i8__avx2(job);
    }
}

/// POSITIONS places of the output by 32 lanes.
INLINE_AVX512 void dense_block(const spike_dense *job, int lane, int first, const int positions) {
    __m512i sum[16];
    for (int i = 0; i < 2 * positions; i++) sum[i] = _mm512_setzero_si512();
    for (int place = 0; place < job->places; place++) {
        const int8_t *weights = job->weights + ((size_t)place * job->groups * job->tile + lane) * 4;
        const uint8_t *const *numbers = job->numbers + (size_t)place * job->positions + first;
        for (int g = 0; g < job->groups; g++, weights += 4 * job->tile) {
            const __m512i a = _mm512_loadu_si512(weights), b = _mm512_loadu_si512(weights + 64);
            for (int p = 0; p < positions; p++) {
                int32_t four;
                memcpy(&four, numbers[p] + 4 * g, 4);
                const __m512i number = _mm512_set1_epi32(four);
                sum[2 * p] = _mm512_dpbusd_epi32(sum[2 * p], number, a);
                sum[2 * p + 1] = _mm512_dpbusd_epi32(sum[2 * p + 1], number, b);
            }
        }
    }
    const __m128i left = _mm_cvtsi32_si128(job->shift);
    for (int p = 0; p < positions; p++) {
        int32_t *current = job->current + (size_t)(first + p) * job->current_stride + lane;
        for (int i = 0; i < 2; i++) {
            const __m512i value = _mm512_sll_epi32(sum[2 * p + i], left), old = _mm512_loadu_si512(current + 16 * i);
            _mm512_storeu_si512(current + 16 * i, job->negative ? _mm512_sub_epi32(old, value) : _mm512_add_epi32(old, value));
        }
    }
}

AVX512 void spike_dense_i8__avx512(const spike_dense *job) {
    for (int lane = 0; lane < job->tile; lane += 32) {
        int first = 0;
        for (; first + 8 <= job->positions; first += 8) dense_block(job, lane, first, 8);
        for (; first + 4 <= job->positions; first += 4) dense_block(job, lane, first, 4);
        for (; first + 2 <= job->positions; first += 2) dense_block(job, lane, first, 2);
        if (first < job->positions) dense_block(job, lane, first, 1);
    }
}
AVX512 void spike_fire_if_f32__avx512(const spike_fire *job) {
    if (job->reset || job->lanes % 16) {
        spike_fire_if_f32__avx2(job);
        return;
    }
    const __m512 half = _mm512_set1_ps(0.5f), first = _mm512_set1_ps(job->halving ? (float)((uint64_t)1 << job->exponent) : 1);
    for (int i = 0; i < job->lanes; i += 16) {
        __m512 v = _mm512_loadu_ps((float *)job->membrane + i);
        __m512 threshold = _mm512_mul_ps(_mm512_loadu_ps((const float *)job->threshold + i), first);
        for (int step = 0; step < job->steps; step++) {
            if (job->current) v = _mm512_add_ps(v, _mm512_loadu_ps((const float *)job->current + (size_t)step * job->tile + i));
            const uint16_t fired = _mm512_cmp_ps_mask(v, threshold, _CMP_GE_OQ);
            v = _mm512_mask_sub_ps(v, fired, v, threshold);
            if (job->halving) threshold = _mm512_mul_ps(threshold, half);
            memcpy(job->plus + (i >> 3) + (size_t)step * job->step_bytes, &fired, 2);
        }
        _mm512_storeu_ps((float *)job->membrane + i, v);
    }
}

// Two vectors at a time: from step to step each membrane is a chain of dependent instructions.
INLINE_AVX512 void fire_if_i32(const spike_fire *job, int i, const int vectors) {
    __m512i v[2], threshold[2];
    for (int k = 0; k < vectors; k++) {
        v[k] = _mm512_loadu_si512((int32_t *)job->membrane + i + 16 * k);
        threshold[k] = _mm512_loadu_si512((const int32_t *)job->threshold + i + 16 * k);
        if (job->halving) threshold[k] = _mm512_sll_epi32(threshold[k], _mm_cvtsi32_si128(job->exponent));
    }
    for (int step = 0; step < job->steps; step++) {
        uint32_t fired = 0;
        for (int k = 0; k < vectors; k++) {
            if (job->current) {
                v[k] = _mm512_add_epi32(v[k], _mm512_loadu_si512((const int32_t *)job->current + (size_t)step * job->tile + i + 16 * k));
            }
            const __mmask16 fires = _mm512_cmpge_epi32_mask(v[k], threshold[k]);
            v[k] = _mm512_mask_sub_epi32(v[k], fires, v[k], threshold[k]);
            if (job->halving) threshold[k] = _mm512_srai_epi32(threshold[k], 1);
            fired |= (uint32_t)fires << (16 * k);
        }
        memcpy(job->plus + (i >> 3) + (size_t)step * job->step_bytes, &fired, (size_t)(2 * vectors));
    }
    for (int k = 0; k < vectors; k++) _mm512_storeu_si512((int32_t *)job->membrane + i + 16 * k, v[k]);
}

AVX512 void spike_fire_if_i32__avx512(const spike_fire *job) {
    if (job->reset || job->saturations || job->lanes % 16) {
        spike_fire_if_i32__avx2(job);
        return;
    }
    int i = 0;
    for (; i + 32 <= job->lanes; i += 32) fire_if_i32(job, i, 2);
    if (i < job->lanes) fire_if_i32(job, i, 1);
}
#else
typedef int spike_avx512_is_for_x86_64;
#endif
