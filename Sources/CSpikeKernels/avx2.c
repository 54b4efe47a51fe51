#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"

// Gathering in float32. `vectors` and `ways` are constants wherever this is inlined: vectors · ways sums live in registers,
// eight of them, so that the latency of an addition is hidden even for narrow tiles.
INLINE_AVX2 void gather_f32(const spike_gather *job, const int vectors, const int ways) {
    const char *weights = job->weights;
    uint32_t merged[LONGEST_MERGED + 16];
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        __m256 sum[8];
        for (int i = 0; i < vectors * ways; i++) sum[i] = _mm256_setzero_ps();
        spike_cursor cursor = {0, 0};
        while (cursor.segment < job->segment_count) {
            const int count = merge(job, starts, &cursor, vectors * 32, ways, merged);
            for (int i = 0; i < count; i += ways) {
                for (int k = 0; k < ways; k++) {
                    const float *row = (const float *)(weights + merged[i + k]);
                    for (int v = 0; v < vectors; v++) {
                        sum[k * vectors + v] = _mm256_add_ps(sum[k * vectors + v], _mm256_loadu_ps(row + 8 * v));
                    }
                }
            }
        }
        float *current = (float *)job->current + (size_t)step * vectors * 8;
        for (int v = 0; v < vectors; v++) {
            __m256 total = sum[v];
            for (int k = 1; k < ways; k++) total = _mm256_add_ps(total, sum[k * vectors + v]);
            const __m256 old = _mm256_loadu_ps(current + 8 * v);
            _mm256_storeu_ps(current + 8 * v, job->negative ? _mm256_sub_ps(old, total) : _mm256_add_ps(old, total));
        }
    }
}

AVX2 void spike_gather_f32__avx2(const spike_gather *job) {
    switch (job->tile) {
    case 64: gather_f32(job, 8, 1); break;
    case 32: gather_f32(job, 4, 2); break;
    case 16: gather_f32(job, 2, 4); break;
    case 8: gather_f32(job, 1, 8); break;
    default: spike_gather_f32__scalar(job);
    }
}

// Adds what 16-bit sums have gathered of `count` rows to the int32 currents, and clears them. The low bytes are biased by 128.
INLINE_AVX2 void flush_i8(__m256i all, __m256i high, int count, int shift, bool negative, int32_t *current) {
    const __m256i low = _mm256_sub_epi16(all, _mm256_slli_epi16(high, 8));
    const __m256i bias = _mm256_set1_epi32(128 * count);
    __m256i part[4] = {
        _mm256_sub_epi32(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(low)), bias),
        _mm256_sub_epi32(_mm256_cvtepu16_epi32(_mm256_extracti128_si256(low, 1)), bias),
        _mm256_cvtepi16_epi32(_mm256_castsi256_si128(high)),
        _mm256_cvtepi16_epi32(_mm256_extracti128_si256(high, 1)),
    };
    const __m128i left = _mm_cvtsi32_si128(shift);
    for (int i = 0; i < 4; i++) {
        __m256i *target = (__m256i *)(current + 8 * i);
        const __m256i value = _mm256_sll_epi32(part[i], left), old = _mm256_loadu_si256(target);
        _mm256_storeu_si256(target, negative ? _mm256_sub_epi32(old, value) : _mm256_add_epi32(old, value));
    }
}

// Gathering in int8: three instructions for 32 additions. A 16-bit word is low + 256 · high; the sum of words and the sum of
// high bytes give both sums back. 255 rows fit before either may overflow.
INLINE_AVX2 void gather_i8(const spike_gather *job, const int vectors) {
    const uint8_t *weights = job->weights;
    uint32_t merged[LONGEST_MERGED + 16];
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        int32_t *current = (int32_t *)job->current + (size_t)step * vectors * 32;
        spike_cursor cursor = {0, 0};
        while (cursor.segment < job->segment_count) {
            const int count = merge(job, starts, &cursor, vectors * 32, 4, merged);
            for (int i = 0; i < count;) {
                const int stop = i + 252 < count ? i + 252 : count, rows = stop - i;
                __m256i all[4], high[4];
                for (int v = 0; v < vectors; v++) all[v] = high[v] = _mm256_setzero_si256();
                for (; i < stop; i += 4) {
                    for (int k = 0; k < 4; k++) {
                        const uint8_t *row = weights + merged[i + k];
                        for (int v = 0; v < vectors; v++) {
                            const __m256i word = _mm256_loadu_si256((const __m256i *)(row + 32 * v));
                            all[v] = _mm256_add_epi16(all[v], word);
                            high[v] = _mm256_add_epi16(high[v], _mm256_srai_epi16(word, 8));
                        }
                    }
                }
                for (int v = 0; v < vectors; v++) flush_i8(all[v], high[v], rows, job->shift, job->negative, current + 32 * v);
            }
        }
    }
}

AVX2 void spike_gather_i8__avx2(const spike_gather *job) {
    switch (job->tile) {
    case 128: gather_i8(job, 4); break;
    case 64: gather_i8(job, 2); break;
    case 32: gather_i8(job, 1); break;
    default: spike_gather_i8__scalar(job);
    }
}

/// Places of the output by 16 lanes. Products of bytes are added in 16 bits as long as they fit: `chunk` groups.
INLINE_AVX2 void dense_block(const spike_dense *job, int lane, int first, const int positions, int chunk) {
    const __m256i one = _mm256_set1_epi16(1);
    __m256i sum[8];
    for (int i = 0; i < 2 * positions; i++) sum[i] = _mm256_setzero_si256();
    for (int place = 0; place < job->places; place++) {
        const int8_t *weights = job->weights + ((size_t)place * job->groups * job->tile + lane) * 4;
        const uint8_t *const *numbers = job->numbers + (size_t)place * job->positions + first;
        for (int g = 0; g < job->groups;) {
            const int stop = g + chunk < job->groups ? g + chunk : job->groups;
            __m256i part[8];
            for (int i = 0; i < 2 * positions; i++) part[i] = _mm256_setzero_si256();
            for (; g < stop; g++, weights += 4 * job->tile) {
                const __m256i a = _mm256_loadu_si256((const __m256i *)weights), b = _mm256_loadu_si256((const __m256i *)(weights + 32));
                for (int p = 0; p < positions; p++) {
                    int32_t four;
                    memcpy(&four, numbers[p] + 4 * g, 4);
                    const __m256i number = _mm256_set1_epi32(four);
                    part[2 * p] = _mm256_add_epi16(part[2 * p], _mm256_maddubs_epi16(number, a));
                    part[2 * p + 1] = _mm256_add_epi16(part[2 * p + 1], _mm256_maddubs_epi16(number, b));
                }
            }
            for (int i = 0; i < 2 * positions; i++) sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(part[i], one));
        }
    }
    const __m128i left = _mm_cvtsi32_si128(job->shift);
    for (int p = 0; p < positions; p++) {
        int32_t *current = job->current + (size_t)(first + p) * job->current_stride + lane;
        for (int i = 0; i < 2; i++) {
            __m256i *target = (__m256i *)(current + 8 * i);
            const __m256i value = _mm256_sll_epi32(sum[2 * p + i], left), old = _mm256_loadu_si256(target);
            _mm256_storeu_si256(target, job->negative ? _mm256_sub_epi32(old, value) : _mm256_add_epi32(old, value));
        }
    }
}

AVX2 void spike_dense_i8__avx2(const spike_dense *job) {
    const int fitting = 32767 / (2 * 127 * job->largest), chunk = fitting < 1 ? 1 : fitting;
    for (int lane = 0; lane < job->tile; lane += 16) {
        int first = 0;
        for (; first + 3 <= job->positions; first += 3) dense_block(job, lane, first, 3, chunk);
        for (; first < job->positions; first++) dense_block(job, lane, first, 1, chunk);
    }
}

/// Eight bits as eight 32-bit masks.
INLINE_AVX2 __m256i expand_bits(uint8_t bits) {
    const __m256i place = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(bits), place), place);
}

AVX2 void spike_masked_f32__avx2(const spike_masked *job) {
    for (int step = 0; step < job->steps; step++) {
        for (int i = 0; i < job->tile; i += 8) {
            __m256 sum = _mm256_setzero_ps();
            for (int t = 0; t < job->tap_count; t++) {
                const uint8_t bits = job->taps[t].bits[(size_t)step * job->step_bytes + (size_t)(i >> 3)];
                const __m256 weights = _mm256_loadu_ps((const float *)job->taps[t].weights + i);
                sum = _mm256_add_ps(sum, _mm256_and_ps(weights, _mm256_castsi256_ps(expand_bits(bits))));
            }
            float *current = (float *)job->current + (size_t)step * job->tile + i;
            const __m256 old = _mm256_loadu_ps(current);
            _mm256_storeu_ps(current, job->negative ? _mm256_sub_ps(old, sum) : _mm256_add_ps(old, sum));
        }
    }
}

AVX2 void spike_masked_i16__avx2(const spike_masked *job) {
    if (job->tile % 16) {
        spike_masked_i16__scalar(job);
        return;
    }
    const __m256i place = _mm256_setr_epi16(
        1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, (int16_t)0x8000);
    const __m128i shift = _mm_cvtsi32_si128(job->shift);
    for (int step = 0; step < job->steps; step++) {
        for (int i = 0; i < job->tile; i += 16) {
            __m256i sum = _mm256_setzero_si256();
            for (int t = 0; t < job->tap_count; t++) {
                int16_t bits;
                memcpy(&bits, job->taps[t].bits + (size_t)step * job->step_bytes + (size_t)(i >> 3), 2);
                const __m256i weights = _mm256_loadu_si256((const __m256i *)((const int16_t *)job->taps[t].weights + i));
                const __m256i mask = _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16(bits), place), place);
                sum = _mm256_add_epi16(sum, _mm256_and_si256(weights, mask));
            }
            for (int half = 0; half < 2; half++) {
                const __m128i part = half ? _mm256_extracti128_si256(sum, 1) : _mm256_castsi256_si128(sum);
                const __m256i value = _mm256_sll_epi32(_mm256_cvtepi16_epi32(part), shift);
                __m256i *current = (__m256i *)((int32_t *)job->current + (size_t)step * job->tile + i + 8 * half);
                const __m256i old = _mm256_loadu_si256(current);
                _mm256_storeu_si256(current, job->negative ? _mm256_sub_epi32(old, value) : _mm256_add_epi32(old, value));
            }
        }
    }
}

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

// Several vectors at a time: from step to step each membrane is a chain of dependent instructions.
INLINE_AVX2 void fire_if_f32(const spike_fire *job, int i, const int vectors) {
    const __m256 half = _mm256_set1_ps(0.5f);
    const float first = job->halving ? (float)((uint64_t)1 << job->exponent) : 1;
    __m256 v[4], threshold[4];
    for (int k = 0; k < vectors; k++) {
        v[k] = _mm256_loadu_ps((float *)job->membrane + i + 8 * k);
        threshold[k] = _mm256_mul_ps(_mm256_loadu_ps((const float *)job->threshold + i + 8 * k), _mm256_set1_ps(first));
    }
    uint8_t *bits = job->plus + (i >> 3);
    for (int step = 0; step < job->steps; step++) {
        uint32_t fired = 0;
        for (int k = 0; k < vectors; k++) {
            if (job->current) v[k] = _mm256_add_ps(v[k], _mm256_loadu_ps((const float *)job->current + (size_t)step * job->tile + i + 8 * k));
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
    __m256i v[4], threshold[4], below[4], changed = _mm256_setzero_si256();
    const __m256i one = _mm256_set1_epi32(1);
    for (int k = 0; k < vectors; k++) {
        v[k] = _mm256_loadu_si256((const __m256i *)((int32_t *)job->membrane + i + 8 * k));
        threshold[k] = _mm256_loadu_si256((const __m256i *)((const int32_t *)job->threshold + i + 8 * k));
        if (job->halving) threshold[k] = _mm256_sll_epi32(threshold[k], _mm_cvtsi32_si128(job->exponent));
        below[k] = _mm256_sub_epi32(threshold[k], one);
    }
    uint8_t *bits = job->plus + (i >> 3);
    for (int step = 0; step < job->steps; step++) {
        uint32_t fired = 0;
        for (int k = 0; k < vectors; k++) {
            if (job->current) {
                const int32_t *current = (const int32_t *)job->current + (size_t)step * job->tile + i + 8 * k;
                v[k] = _mm256_add_epi32(v[k], _mm256_loadu_si256((const __m256i *)current));
                if (limits) v[k] = limited(v[k], &changed);
            }
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
#else
typedef int spike_avx2_is_for_x86_64;
#endif
