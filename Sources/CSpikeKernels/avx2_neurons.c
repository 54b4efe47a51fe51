#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"

#include <math.h>

// Integration and firing: membranes stay in registers over all steps.

AVX2 void spike_integrate_f32__avx2(const spike_integrate *job) {
    const __m256 growth = _mm256_set1_ps((float)job->growth);
    for (int i = 0; i < job->tile; i += 8) {
        __m256 v = _mm256_loadu_ps((float *)job->membrane + i);
        for (int step = 0; step < job->steps; step++) {
            const float *current = (const float *)job->current + (size_t)step * job->tile + i;
            // 1 · v and 2 · v are exact: this is the reference's rounding.
            v = _mm256_add_ps(_mm256_mul_ps(growth, v), _mm256_loadu_ps(current));
            if (job->record) _mm256_storeu_ps((float *)job->record + (size_t)step * job->record_stride + i, v);
        }
        _mm256_storeu_ps((float *)job->membrane + i, v);
    }
}

/// Within ± SPIKE_MEMBRANE_LIMIT; `changed` remembers lanes where that changed something.
INLINE_AVX2 __m256i limited(__m256i v, __m256i *changed) {
    const __m256i most = _mm256_set1_epi32(SPIKE_MEMBRANE_LIMIT), least = _mm256_set1_epi32(-SPIKE_MEMBRANE_LIMIT);
    const __m256i kept = _mm256_max_epi32(_mm256_min_epi32(v, most), least);
    *changed = _mm256_add_epi32(*changed, _mm256_andnot_si256(_mm256_cmpeq_epi32(kept, v), _mm256_set1_epi32(1)));
    return kept;
}

INLINE_AVX2 void count_changes(__m256i changed, uint64_t *count) {
    if (_mm256_testz_si256(changed, changed)) return;
    int32_t lanes[8];
    _mm256_storeu_si256((__m256i *)lanes, changed);
    for (int i = 0; i < 8; i++) *count += (uint64_t)lanes[i];
}

AVX2 void spike_integrate_i32__avx2(const spike_integrate *job) {
    const __m256i growth = _mm256_set1_epi32(job->growth);
    for (int i = 0; i < job->tile; i += 8) {
        __m256i v = _mm256_loadu_si256((const __m256i *)((int32_t *)job->membrane + i)), changed = _mm256_setzero_si256();
        for (int step = 0; step < job->steps; step++) {
            const __m256i *current = (const __m256i *)((const int32_t *)job->current + (size_t)step * job->tile + i);
            v = limited(_mm256_add_epi32(_mm256_mullo_epi32(growth, v), _mm256_loadu_si256(current)), &changed);
            if (job->record) _mm256_storeu_si256((__m256i *)((int32_t *)job->record + (size_t)step * job->record_stride + i), v);
        }
        _mm256_storeu_si256((__m256i *)((int32_t *)job->membrane + i), v);
        if (job->saturations) count_changes(changed, job->saturations);
    }
}

INLINE_AVX2 __m256i eight(const void *numbers, int i) {
    return numbers ? _mm256_loadu_si256((const __m256i *)((const int32_t *)numbers + i)) : _mm256_setzero_si256();
}

/// What arrives in a step at eight lanes.
INLINE_AVX2 __m256 arriving_f32(const spike_fire *job, int step, int i, __m256 offset) {
    return job->current ? _mm256_add_ps(_mm256_loadu_ps((const float *)job->current + (size_t)step * job->tile + i), offset) : offset;
}

INLINE_AVX2 __m256i arriving_i32(const spike_fire *job, int step, int i, __m256i offset) {
    return job->current ? _mm256_add_epi32(eight(job->current, step * job->tile + i), offset) : offset;
}

// Several vectors at a time: from step to step each membrane is a chain of dependent instructions.
INLINE_AVX2 void fire_if_f32(const spike_fire *job, int i, const int vectors) {
    const __m256 half = _mm256_set1_ps(0.5f);
    const float first = job->halving ? (float)((uint64_t)1 << job->exponent) : 1;
    __m256 v[4], threshold[4], offset[4];
    for (int k = 0; k < vectors; k++) {
        v[k] = _mm256_loadu_ps((float *)job->membrane + i + 8 * k);
        threshold[k] = _mm256_mul_ps(_mm256_loadu_ps((const float *)job->threshold + i + 8 * k), _mm256_set1_ps(first));
        offset[k] = _mm256_castsi256_ps(eight(job->offset, i + 8 * k));
    }
    uint8_t *bits = job->plus + (i >> 3);
    for (int step = 0; step < job->steps; step++) {
        uint32_t fired = 0;
        for (int k = 0; k < vectors; k++) {
            v[k] = _mm256_add_ps(v[k], arriving_f32(job, step, i + 8 * k, offset[k]));
            const __m256 fires = _mm256_cmp_ps(v[k], threshold[k], _CMP_GE_OQ);
            v[k] = _mm256_sub_ps(v[k], _mm256_and_ps(fires, threshold[k]));
            fired |= (uint32_t)_mm256_movemask_ps(fires) << (8 * k);
            if (job->halving) threshold[k] = _mm256_mul_ps(threshold[k], half);
        }
        memcpy(bits + (size_t)step * job->step_bytes, &fired, (size_t)vectors);
    }
    for (int k = 0; k < vectors; k++) _mm256_storeu_ps((float *)job->membrane + i + 8 * k, v[k]);
}

AVX2 void spike_fire_if_f32__avx2(const spike_fire *job) {
    if (job->reset) {
        spike_fire_if_f32__scalar(job);
        return;
    }
    int i = 0;
    for (; i + 32 <= job->lanes; i += 32) fire_if_f32(job, i, 4);
    for (; i + 16 <= job->lanes; i += 16) fire_if_f32(job, i, 2);
    for (; i < job->lanes; i += 8) fire_if_f32(job, i, 1);
}

INLINE_AVX2 void fire_if_i32(const spike_fire *job, int i, const int vectors, const bool limits) {
    __m256i v[4], threshold[4], below[4], offset[4], changed = _mm256_setzero_si256();
    const __m256i one = _mm256_set1_epi32(1);
    for (int k = 0; k < vectors; k++) {
        v[k] = eight(job->membrane, i + 8 * k);
        threshold[k] = eight(job->threshold, i + 8 * k);
        offset[k] = eight(job->offset, i + 8 * k);
        if (job->halving) threshold[k] = _mm256_sll_epi32(threshold[k], _mm_cvtsi32_si128(job->exponent));
        below[k] = _mm256_sub_epi32(threshold[k], one);
    }
    uint8_t *bits = job->plus + (i >> 3);
    for (int step = 0; step < job->steps; step++) {
        uint32_t fired = 0;
        for (int k = 0; k < vectors; k++) {
            v[k] = _mm256_add_epi32(v[k], arriving_i32(job, step, i + 8 * k, offset[k]));
            if (limits) v[k] = limited(v[k], &changed);
            const __m256i fires = _mm256_cmpgt_epi32(v[k], below[k]);
            v[k] = _mm256_sub_epi32(v[k], _mm256_and_si256(fires, threshold[k]));
            fired |= (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(fires)) << (8 * k);
            if (job->halving) {
                threshold[k] = _mm256_srai_epi32(threshold[k], 1);
                below[k] = _mm256_sub_epi32(threshold[k], one);
            }
        }
        memcpy(bits + (size_t)step * job->step_bytes, &fired, (size_t)vectors);
    }
    for (int k = 0; k < vectors; k++) _mm256_storeu_si256((__m256i *)((int32_t *)job->membrane + i + 8 * k), v[k]);
    if (limits) count_changes(changed, job->saturations);
}

AVX2 void spike_fire_if_i32__avx2(const spike_fire *job) {
    if (job->reset) {
        spike_fire_if_i32__scalar(job);
        return;
    }
    int i = 0;
    if (job->saturations) {
        for (; i + 32 <= job->lanes; i += 32) fire_if_i32(job, i, 4, true);
        for (; i < job->lanes; i += 8) fire_if_i32(job, i, 1, true);
    } else {
        for (; i + 32 <= job->lanes; i += 32) fire_if_i32(job, i, 4, false);
        for (; i + 16 <= job->lanes; i += 16) fire_if_i32(job, i, 2, false);
        for (; i < job->lanes; i += 8) fire_if_i32(job, i, 1, false);
    }
}

AVX2 void spike_fire_signed_f32__avx2(const spike_fire *job) {
    const __m256 zero = _mm256_setzero_ps(), one = _mm256_set1_ps(1);
    const __m256 most = _mm256_set1_ps(job->limit < 0 ? INFINITY : (float)job->limit);
    for (int i = 0; i < job->lanes; i += 8) {
        float *membrane = (float *)job->membrane + i, *memory = (float *)job->memory + i;
        __m256 v = _mm256_loadu_ps(membrane), standing = _mm256_loadu_ps(memory);
        const __m256 threshold = _mm256_loadu_ps((const float *)job->threshold + i), offset = _mm256_castsi256_ps(eight(job->offset, i));
        for (int step = 0; step < job->steps; step++) {
            v = _mm256_add_ps(v, arriving_f32(job, step, i, offset));
            const __m256 reaches = _mm256_cmp_ps(v, threshold, _CMP_GE_OQ);
            const __m256 sent = _mm256_and_ps(reaches, _mm256_cmp_ps(standing, most, _CMP_LT_OQ));
            const __m256 negative = _mm256_and_ps(_mm256_cmp_ps(v, zero, _CMP_LT_OQ), _mm256_cmp_ps(standing, zero, _CMP_GT_OQ));
            const __m256 taken = _mm256_andnot_ps(reaches, negative);
            v = _mm256_add_ps(_mm256_sub_ps(v, _mm256_and_ps(sent, threshold)), _mm256_and_ps(taken, threshold));
            standing = _mm256_add_ps(_mm256_sub_ps(standing, _mm256_and_ps(taken, one)), _mm256_and_ps(sent, one));
            job->plus[(size_t)step * job->step_bytes + (size_t)(i >> 3)] = (uint8_t)_mm256_movemask_ps(sent);
            job->minus[(size_t)step * job->step_bytes + (size_t)(i >> 3)] = (uint8_t)_mm256_movemask_ps(taken);
        }
        _mm256_storeu_ps(membrane, v);
        _mm256_storeu_ps(memory, standing);
    }
}

AVX2 void spike_fire_signed_i32__avx2(const spike_fire *job) {
    const __m256i zero = _mm256_setzero_si256(), most = _mm256_set1_epi32(job->limit < 0 ? INT32_MAX : job->limit);
    __m256i changed = zero;
    for (int i = 0; i < job->lanes; i += 8) {
        __m256i v = eight(job->membrane, i), standing = eight(job->memory, i);
        const __m256i threshold = eight(job->threshold, i), offset = eight(job->offset, i);
        for (int step = 0; step < job->steps; step++) {
            v = _mm256_add_epi32(v, arriving_i32(job, step, i, offset));
            if (job->saturations) v = limited(v, &changed);
            const __m256i below = _mm256_cmpgt_epi32(threshold, v);
            const __m256i sent = _mm256_andnot_si256(below, _mm256_cmpgt_epi32(most, standing));
            const __m256i taken = _mm256_and_si256(
                below, _mm256_and_si256(_mm256_cmpgt_epi32(zero, v), _mm256_cmpgt_epi32(standing, zero)));
            v = _mm256_add_epi32(_mm256_sub_epi32(v, _mm256_and_si256(sent, threshold)), _mm256_and_si256(taken, threshold));
            // A mask is −1.
            standing = _mm256_add_epi32(_mm256_sub_epi32(standing, sent), taken);
            const size_t place = (size_t)step * job->step_bytes + (size_t)(i >> 3);
            job->plus[place] = (uint8_t)_mm256_movemask_ps(_mm256_castsi256_ps(sent));
            job->minus[place] = (uint8_t)_mm256_movemask_ps(_mm256_castsi256_ps(taken));
        }
        _mm256_storeu_si256((__m256i *)((int32_t *)job->membrane + i), v);
        _mm256_storeu_si256((__m256i *)((int32_t *)job->memory + i), standing);
    }
    if (job->saturations) count_changes(changed, job->saturations);
}

/// Eight counts as 16-bit numbers.
INLINE_AVX2 void store_counts(const spike_fire *job, int step, int i, __m256i spikes) {
    const __m128i packed = _mm_packs_epi32(_mm256_castsi256_si128(spikes), _mm256_extracti128_si256(spikes, 1));
    _mm_storeu_si128((__m128i *)(job->counts + (size_t)step * job->count_stride + i), packed);
}

AVX2 void spike_fire_burst_f32__avx2(const spike_fire *job) {
    const __m256 zero = _mm256_setzero_ps(), most = _mm256_set1_ps((float)job->limit);
    for (int i = 0; i < job->lanes; i += 8) {
        __m256 v = _mm256_loadu_ps((float *)job->membrane + i);
        const __m256 threshold = _mm256_loadu_ps((const float *)job->threshold + i), offset = _mm256_castsi256_ps(eight(job->offset, i));
        for (int step = 0; step < job->steps; step++) {
            v = _mm256_add_ps(v, arriving_f32(job, step, i, offset));
            // Of two operands of which one is no number the second is taken: no spikes, and no count out of its range.
            const __m256 spikes = _mm256_min_ps(_mm256_max_ps(_mm256_floor_ps(_mm256_div_ps(v, threshold)), zero), most);
            // Unused channels have an infinite threshold: nothing of it is subtracted.
            const __m256 fires = _mm256_cmp_ps(spikes, zero, _CMP_GT_OQ);
            v = _mm256_sub_ps(v, _mm256_and_ps(fires, _mm256_mul_ps(threshold, spikes)));
            store_counts(job, step, i, _mm256_cvtps_epi32(spikes));
        }
        _mm256_storeu_ps((float *)job->membrane + i, v);
    }
}

/// Bursts of more spikes are counted by division instead of comparison.
#define LONGEST_COMPARED_BURST 16

AVX2 void spike_fire_burst_i32__avx2(const spike_fire *job) {
    if (job->limit > LONGEST_COMPARED_BURST) {
        spike_fire_burst_i32__scalar(job);
        return;
    }
    __m256i changed = _mm256_setzero_si256();
    for (int i = 0; i < job->lanes; i += 8) {
        __m256i v = eight(job->membrane, i);
        const __m256i threshold = eight(job->threshold, i), offset = eight(job->offset, i);
        for (int step = 0; step < job->steps; step++) {
            v = _mm256_add_epi32(v, arriving_i32(job, step, i, offset));
            if (job->saturations) v = limited(v, &changed);
            __m256i spikes = _mm256_setzero_si256();
            for (int k = 0; k < job->limit; k++) {
                const __m256i below = _mm256_cmpgt_epi32(threshold, v);
                v = _mm256_sub_epi32(v, _mm256_andnot_si256(below, threshold));
                spikes = _mm256_add_epi32(spikes, _mm256_add_epi32(below, _mm256_set1_epi32(1)));
            }
            store_counts(job, step, i, spikes);
        }
        _mm256_storeu_si256((__m256i *)((int32_t *)job->membrane + i), v);
    }
    if (job->saturations) count_changes(changed, job->saturations);
}

SPIKE_GATHER_THEN_FIRE(avx2)
#else
typedef int spike_avx2_neurons_are_for_x86_64;
#endif
