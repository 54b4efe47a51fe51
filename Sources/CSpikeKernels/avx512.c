#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"

// For processors with AVX-512 and its products of bytes (VNNI): twice the width where most time goes, the AVX2 kernels elsewhere.

INLINE_AVX512 void gather_f32(const spike_gather *job, const int vectors, const int ways) {
    const spike_rows_of_weights rows = {job->weights, (size_t)vectors * 64, job->zeros, job->base};
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        const uint16_t *entry = job->lists.entries + starts[job->from], *end = job->lists.entries + starts[job->to];
        __m512 sum[8];
        for (int i = 0; i < vectors * ways; i++) sum[i] = _mm512_setzero_ps();
#define SPIKE_ADD(row, k)                                                                                               \
    for (int v = 0; v < vectors; v++) {                                                                                 \
        __m512 *target = &sum[(k) % ways * vectors + v];                                                                 \
        *target = _mm512_add_ps(*target, _mm512_loadu_ps((const float *)(row) + 16 * v));                              \
    }
        SPIKE_EACH_ROW(rows, entry, end, SPIKE_ADD)
#undef SPIKE_ADD
        float *current = (float *)job->current + (size_t)step * vectors * 16;
        for (int v = 0; v < vectors; v++) {
            __m512 total = sum[v];
            for (int k = 1; k < ways; k++) total = _mm512_add_ps(total, sum[k * vectors + v]);
            const __m512 old = job->first ? _mm512_setzero_ps() : _mm512_loadu_ps(current + 16 * v);
            _mm512_storeu_ps(current + 16 * v, job->negative ? _mm512_sub_ps(old, total) : _mm512_add_ps(old, total));
        }
    }
}

AVX512 void spike_gather_f32__avx512(const spike_gather *job) {
    switch (job->tile) {
    case 64: gather_f32(job, 4, 2); break;
    case 32: gather_f32(job, 2, 4); break;
    case 16: gather_f32(job, 1, 4); break;
    default: spike_gather_f32__avx2(job);
    }
}

INLINE_AVX512 void add_sums(__m512i sums, __m128i left, bool negative, bool first, int32_t *target) {
    const __m512i value = _mm512_sll_epi32(sums, left), old = first ? _mm512_setzero_si512() : _mm512_loadu_si512(target);
    _mm512_storeu_si512(target, negative ? _mm512_sub_epi32(old, value) : _mm512_add_epi32(old, value));
}

/// The sums of 64 lanes of `count` rows, from those in 16 bits. A vector holds two packed blocks of 32 channels.
INLINE_AVX512 void unpack_i8(__m512i all, __m512i high, int count, __m512i part[4]) {
    const __m512i low = _mm512_sub_epi16(all, _mm512_slli_epi16(high, 8));
    const __m512i bias = _mm512_set1_epi32(128 * count);
    part[0] = _mm512_sub_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(low)), bias);
    part[1] = _mm512_cvtepi16_epi32(_mm512_castsi512_si256(high));
    part[2] = _mm512_sub_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(low, 1)), bias);
    part[3] = _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(high, 1));
}

#define SPIKE_ADD_I8(row, k)                                                                                            \
    for (int v = 0; v < vectors; v++) {                                                                                 \
        const int s = (k) % ways * vectors + v;                                                                         \
        const __m512i word = _mm512_loadu_si512((row) + 64 * v);                                                        \
        all[s] = _mm512_add_epi16(all[s], word);                                                                        \
        high[s] = _mm512_add_epi16(high[s], _mm512_srai_epi16(word, 8));                                                \
    }

// As the AVX2 kernel. `ways` rows have sums of their own, so that additions do not wait for each other.
INLINE_AVX512 void gather_i8(const spike_gather *job, const int vectors, const int ways) {
    const spike_rows_of_weights rows = {job->weights, (size_t)vectors * 64, job->zeros, job->base};
    const __m128i left = _mm_cvtsi32_si128(job->shift);
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        const uint16_t *entry = job->lists.entries + starts[job->from], *end = job->lists.entries + starts[job->to];
        int32_t *current = (int32_t *)job->current + (size_t)step * vectors * 64;
        bool first = job->first;
        do {
            const uint16_t *begin = entry, *stop = end - entry > 252 ? entry + 252 : end;
            __m512i all[4], high[4];
            for (int v = 0; v < vectors * ways; v++) all[v] = high[v] = _mm512_setzero_si512();
            SPIKE_EACH_ROW(rows, entry, stop, SPIKE_ADD_I8)
            const int count = (int)(entry - begin);
            for (int v = 0; v < vectors; v++) {
                for (int k = 1; k < ways; k++) {
                    all[v] = _mm512_add_epi16(all[v], all[k * vectors + v]);
                    high[v] = _mm512_add_epi16(high[v], high[k * vectors + v]);
                }
                __m512i part[4];
                unpack_i8(all[v], high[v], count, part);
                for (int i = 0; i < 4; i++) add_sums(part[i], left, job->negative, first, current + 64 * v + 16 * i);
            }
            first = false;
        } while (entry < end);
    }
}

AVX512 void spike_gather_i8__avx512(const spike_gather *job) {
    switch (job->tile) {
    case 128: gather_i8(job, 2, 2); break;
    case 64: gather_i8(job, 1, 4); break;
    default: spike_gather_i8__avx2(job);
    }
}

INLINE_AVX512 __m512i sixteen(const void *numbers, size_t i) {
    return numbers ? _mm512_loadu_si512((const int32_t *)numbers + i) : _mm512_setzero_si512();
}

// Up to 252 rows a step, all lanes neurons, membranes in registers.
INLINE_AVX512 void gather_fire_i8(const spike_gather *job, const spike_fire *fire, const int vectors, const int ways) {
    const spike_rows_of_weights rows = {job->weights, (size_t)vectors * 64, job->zeros, job->base};
    const __m128i left = _mm_cvtsi32_si128(job->shift);
    const void *const before = job->first ? NULL : job->current;
    const size_t lanes = (size_t)vectors * 64;
    __m512i membrane[8];
    for (int i = 0; i < 4 * vectors; i++) membrane[i] = sixteen(fire->membrane, 16 * (size_t)i);
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        const uint16_t *const begin = job->lists.entries + starts[job->from], *const end = job->lists.entries + starts[job->to];
        const uint16_t *entry = begin;
        __m512i all[4], high[4];
        for (int v = 0; v < vectors * ways; v++) all[v] = high[v] = _mm512_setzero_si512();
        SPIKE_EACH_ROW(rows, entry, end, SPIKE_ADD_I8)
        uint64_t fired[2];
        for (int v = 0; v < vectors; v++) {
            for (int k = 1; k < ways; k++) {
                all[v] = _mm512_add_epi16(all[v], all[k * vectors + v]);
                high[v] = _mm512_add_epi16(high[v], high[k * vectors + v]);
            }
            __m512i part[4];
            unpack_i8(all[v], high[v], (int)(entry - begin), part);
            uint64_t bits = 0;
            for (int i = 0; i < 4; i++) {
                const size_t lane = 64 * (size_t)v + 16 * (size_t)i;
                const __m512i sum = _mm512_sll_epi32(part[i], left), threshold = sixteen(fire->threshold, lane);
                __m512i arriving = sixteen(fire->offset, lane);
                if (before) arriving = _mm512_add_epi32(arriving, sixteen(before, (size_t)step * lanes + lane));
                arriving = job->negative ? _mm512_sub_epi32(arriving, sum) : _mm512_add_epi32(arriving, sum);
                const __m512i reached = _mm512_add_epi32(membrane[4 * v + i], arriving);
                const __mmask16 fires = _mm512_cmpge_epi32_mask(reached, threshold);
                membrane[4 * v + i] = _mm512_mask_sub_epi32(reached, fires, reached, threshold);
                bits |= (uint64_t)fires << (16 * i);
            }
            fired[v] = bits;
        }
        memcpy(fire->plus + (size_t)step * fire->step_bytes, fired, (size_t)(8 * vectors));
    }
    for (int i = 0; i < 4 * vectors; i++) _mm512_storeu_si512((int32_t *)fire->membrane + 16 * i, membrane[i]);
}

/// The most entries that a run has in a step.
static ptrdiff_t longest_run(const spike_gather *job) {
    uint32_t longest = 0;
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        const uint32_t length = starts[job->to] - starts[job->from];
        longest = length > longest ? length : longest;
    }
    return longest;
}

AVX512 void spike_gather_fire_i8__avx512(const spike_gather_fire *job) {
    const spike_fire *fire = &job->fire;
    const bool fits = fire->lanes == job->gather.tile && !fire->reset && !fire->halving && !fire->saturations;
    if (fits && job->gather.tile == 64 && longest_run(&job->gather) <= 252) {
        gather_fire_i8(&job->gather, fire, 1, 2);
    } else if (fits && job->gather.tile == 128 && longest_run(&job->gather) <= 252) {
        gather_fire_i8(&job->gather, fire, 2, 1);
    } else {
        spike_gather_i8__avx512(&job->gather);
        spike_fire separate = *fire;
        separate.current = job->gather.current;
        spike_fire_if_i32__avx512(&separate);
    }
}

/// `positions` places of the output by 32 lanes.
INLINE_AVX512 void dense_block(const spike_dense *job, int lane, const int positions) {
    __m512i sum[2 * SPIKE_POSITIONS];
    for (int i = 0; i < 2 * positions; i++) sum[i] = _mm512_setzero_si512();
    for (int place = 0; place < job->places; place++) {
        const int8_t *weights = spike_dense_weights(job, lane, place);
        const uint8_t *const *numbers = job->numbers + (size_t)place * (size_t)positions;
        for (int g = 0; g < job->groups; g++, weights += 128) {
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
        int32_t *current = job->current + (size_t)p * job->current_stride + lane;
        for (int i = 0; i < 2; i++) {
            const __m512i value = _mm512_sll_epi32(sum[2 * p + i], left), old = _mm512_loadu_si512(current + 16 * i);
            _mm512_storeu_si512(current + 16 * i, job->negative ? _mm512_sub_epi32(old, value) : _mm512_add_epi32(old, value));
        }
    }
}

AVX512 void spike_dense_i8__avx512(const spike_dense *job) {
    for (int lane = 0; lane < job->tile; lane += 32) {
        switch (job->positions) {
        case 8: dense_block(job, lane, 8); break;
        case 7: dense_block(job, lane, 7); break;
        case 6: dense_block(job, lane, 6); break;
        case 5: dense_block(job, lane, 5); break;
        case 4: dense_block(job, lane, 4); break;
        case 3: dense_block(job, lane, 3); break;
        case 2: dense_block(job, lane, 2); break;
        default: dense_block(job, lane, 1); break;
        }
    }
}

AVX512 void spike_numbers_u8__avx512(const spike_digits *job) {
    const __m512i one = _mm512_set1_epi8(1);
    for (size_t word = 0; word < job->words; word++) {
        __m512i number = _mm512_setzero_si512();
        for (int step = 0; step < job->steps; step++) {
            uint64_t bits;
            memcpy(&bits, job->bits + (size_t)step * job->step_bytes + 8 * word, 8);
            number = _mm512_add_epi8(number, number);
            number = _mm512_mask_add_epi8(number, bits, number, one);
        }
        _mm512_storeu_si512(job->numbers + 64 * word, number);
    }
}

AVX512 void spike_weighted_i16__avx512(const spike_weighted *job) {
    if (job->tile % 16) {
        spike_weighted_i16__avx2(job);
        return;
    }
    const __m128i shift = _mm_cvtsi32_si128(job->shift);
    for (int i = 0; i < job->tile; i += 16) {
        __m512i sum = _mm512_setzero_si512();
        for (int t = 0; t < job->tap_count; t++) {
            const __m512i numbers = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(job->taps[t].bits + i)));
            const __m256i weights = _mm256_loadu_si256((const __m256i *)((const int16_t *)job->taps[t].weights + i));
            // The upper half of a number is 0, so that of the weight does not matter.
            sum = _mm512_dpwssd_epi32(sum, numbers, _mm512_cvtepi16_epi32(weights));
        }
        sum = _mm512_sll_epi32(sum, shift);
        const __m512i old = _mm512_loadu_si512(job->current + i);
        _mm512_storeu_si512(job->current + i, job->negative ? _mm512_sub_epi32(old, sum) : _mm512_add_epi32(old, sum));
    }
}

// Several vectors at a time: from step to step each membrane is a chain of dependent instructions.
INLINE_AVX512 void fire_if_f32(const spike_fire *job, int i, const int vectors) {
    const __m512 half = _mm512_set1_ps(0.5f), first = _mm512_set1_ps(job->halving ? (float)((uint64_t)1 << job->exponent) : 1);
    __m512 v[4], threshold[4], offset[4];
    for (int k = 0; k < vectors; k++) {
        v[k] = _mm512_loadu_ps((float *)job->membrane + i + 16 * k);
        threshold[k] = _mm512_mul_ps(_mm512_loadu_ps((const float *)job->threshold + i + 16 * k), first);
        offset[k] = _mm512_castsi512_ps(sixteen(job->offset, (size_t)(i + 16 * k)));
    }
    for (int step = 0; step < job->steps; step++) {
        uint64_t fired = 0;
        for (int k = 0; k < vectors; k++) {
            const __m512 current = _mm512_castsi512_ps(sixteen(job->current, (size_t)step * (size_t)job->tile + (size_t)(i + 16 * k)));
            v[k] = _mm512_add_ps(v[k], job->current ? _mm512_add_ps(current, offset[k]) : offset[k]);
            const __mmask16 fires = _mm512_cmp_ps_mask(v[k], threshold[k], _CMP_GE_OQ);
            v[k] = _mm512_mask_sub_ps(v[k], fires, v[k], threshold[k]);
            if (job->halving) threshold[k] = _mm512_mul_ps(threshold[k], half);
            fired |= (uint64_t)fires << (16 * k);
        }
        memcpy(job->plus + (i >> 3) + (size_t)step * job->step_bytes, &fired, (size_t)(2 * vectors));
    }
    for (int k = 0; k < vectors; k++) _mm512_storeu_ps((float *)job->membrane + i + 16 * k, v[k]);
}

AVX512 void spike_fire_if_f32__avx512(const spike_fire *job) {
    if (job->reset || job->lanes % 16) {
        spike_fire_if_f32__avx2(job);
        return;
    }
    int i = 0;
    for (; i + 64 <= job->lanes; i += 64) fire_if_f32(job, i, 4);
    for (; i + 32 <= job->lanes; i += 32) fire_if_f32(job, i, 2);
    for (; i < job->lanes; i += 16) fire_if_f32(job, i, 1);
}

INLINE_AVX512 void fire_if_i32(const spike_fire *job, int i, const int vectors, const bool arrives) {
    __m512i v[4], threshold[4], offset[4];
    for (int k = 0; k < vectors; k++) {
        v[k] = sixteen(job->membrane, (size_t)(i + 16 * k));
        threshold[k] = sixteen(job->threshold, (size_t)(i + 16 * k));
        offset[k] = sixteen(job->offset, (size_t)(i + 16 * k));
        if (job->halving) threshold[k] = _mm512_sll_epi32(threshold[k], _mm_cvtsi32_si128(job->exponent));
    }
    for (int step = 0; step < job->steps; step++) {
        uint64_t fired = 0;
        for (int k = 0; k < vectors; k++) {
            if (arrives) {
                const __m512i current = sixteen(job->current, (size_t)step * (size_t)job->tile + (size_t)(i + 16 * k));
                v[k] = _mm512_add_epi32(v[k], _mm512_add_epi32(current, offset[k]));
            }
            const __mmask16 fires = _mm512_cmpge_epi32_mask(v[k], threshold[k]);
            v[k] = _mm512_mask_sub_epi32(v[k], fires, v[k], threshold[k]);
            if (job->halving) threshold[k] = _mm512_srai_epi32(threshold[k], 1);
            fired |= (uint64_t)fires << (16 * k);
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
    for (; i + 64 <= job->lanes && !job->current && !job->offset; i += 64) fire_if_i32(job, i, 4, false);
    for (; i + 64 <= job->lanes; i += 64) fire_if_i32(job, i, 4, true);
    for (; i + 32 <= job->lanes; i += 32) fire_if_i32(job, i, 2, true);
    for (; i < job->lanes; i += 16) fire_if_i32(job, i, 1, true);
}
#else
typedef int spike_avx512_is_for_x86_64;
#endif
