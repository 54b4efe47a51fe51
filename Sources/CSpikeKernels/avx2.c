#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"

// Gathering in float32. `vectors` and `ways` are constants wherever this is inlined: vectors · ways sums live in registers, so
// that the latency of an addition is hidden even for narrow tiles.
INLINE_AVX2 void gather_f32(const spike_gather *job, const int vectors, const int ways) {
    const spike_rows_of_weights rows = {job->weights, (size_t)vectors * 32, job->zeros, job->base};
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        const uint16_t *entry = job->lists.entries + starts[job->from], *end = job->lists.entries + starts[job->to];
        __m256 sum[8];
        for (int i = 0; i < vectors * ways; i++) sum[i] = _mm256_setzero_ps();
#define SPIKE_ADD(row, k)                                                                                               \
    for (int v = 0; v < vectors; v++) {                                                                                 \
        __m256 *target = &sum[(k) % ways * vectors + v];                                                                 \
        *target = _mm256_add_ps(*target, _mm256_loadu_ps((const float *)(row) + 8 * v));                              \
    }
        SPIKE_EACH_ROW(rows, entry, end, SPIKE_ADD)
#undef SPIKE_ADD
        float *current = (float *)job->current + (size_t)step * vectors * 8;
        for (int v = 0; v < vectors; v++) {
            __m256 total = sum[v];
            for (int k = 1; k < ways; k++) total = _mm256_add_ps(total, sum[k * vectors + v]);
            const __m256 old = job->first ? _mm256_setzero_ps() : _mm256_loadu_ps(current + 8 * v);
            _mm256_storeu_ps(current + 8 * v, job->negative ? _mm256_sub_ps(old, total) : _mm256_add_ps(old, total));
        }
    }
}

AVX2 void spike_gather_f32__avx2(const spike_gather *job) {
    switch (job->tile) {
    case 64: gather_f32(job, 8, 1); break;
    case 32: gather_f32(job, 4, 2); break;
    case 16: gather_f32(job, 2, 4); break;
    case 8: gather_f32(job, 1, 4); break;
    default: spike_gather_f32__scalar(job);
    }
}

// Adds what 16-bit sums have gathered of `count` rows to the int32 currents. The low bytes are biased by 128.
INLINE_AVX2 void flush_i8(__m256i all, __m256i high, int count, int shift, bool negative, bool first, int32_t *current) {
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
        const __m256i value = _mm256_sll_epi32(part[i], left), old = first ? _mm256_setzero_si256() : _mm256_loadu_si256(target);
        _mm256_storeu_si256(target, negative ? _mm256_sub_epi32(old, value) : _mm256_add_epi32(old, value));
    }
}

// Gathering in int8: three instructions for 32 additions. A 16-bit word is low + 256 · high; the sum of words and the sum of
// high bytes give both sums back. 255 rows fit before either may overflow.
INLINE_AVX2 void gather_i8(const spike_gather *job, const int vectors) {
    const spike_rows_of_weights rows = {job->weights, (size_t)vectors * 32, job->zeros, job->base};
    for (int step = 0; step < job->steps; step++) {
        const uint32_t *starts = job->lists.starts + (size_t)step * job->lists.step_stride;
        const uint16_t *entry = job->lists.entries + starts[job->from], *end = job->lists.entries + starts[job->to];
        int32_t *current = (int32_t *)job->current + (size_t)step * vectors * 32;
        bool first = job->first;
        do {
            const uint16_t *begin = entry, *stop = end - entry > 252 ? entry + 252 : end;
            __m256i all[4], high[4];
            for (int v = 0; v < vectors; v++) all[v] = high[v] = _mm256_setzero_si256();
#define SPIKE_ADD(row, k)                                                                                               \
    for (int v = 0; v < vectors; v++) {                                                                                 \
        const __m256i word = _mm256_loadu_si256((const __m256i *)((row) + 32 * v));                                     \
        all[v] = _mm256_add_epi16(all[v], word);                                                                        \
        high[v] = _mm256_add_epi16(high[v], _mm256_srai_epi16(word, 8));                                                \
    }
            SPIKE_EACH_ROW(rows, entry, stop, SPIKE_ADD)
#undef SPIKE_ADD
            const int count = (int)(entry - begin);
            for (int v = 0; v < vectors; v++) flush_i8(all[v], high[v], count, job->shift, job->negative, first, current + 32 * v);
            first = false;
        } while (entry < end);
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
        const int8_t *weights = spike_dense_weights(job, lane, place);
        const uint8_t *const *numbers = job->numbers + (size_t)place * job->positions + first;
        for (int g = 0; g < job->groups;) {
            const int stop = g + chunk < job->groups ? g + chunk : job->groups;
            __m256i part[8];
            for (int i = 0; i < 2 * positions; i++) part[i] = _mm256_setzero_si256();
            for (; g < stop; g++, weights += 128) {
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

AVX2 void spike_counted_f32__avx2(const spike_counted *job) {
    if (job->tile % 8) {
        spike_counted_f32__scalar(job);
        return;
    }
    // Four steps at a time share the reading of weights. Products are rounded before they are added, as plain C does.
    for (int begin = 0; begin < job->steps; begin += 4) {
        const int steps = job->steps - begin < 4 ? job->steps - begin : 4;
        for (int i = 0; i < job->tile; i += 8) {
            __m256 sum[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
            for (int c = 0; c < job->channels; c++) {
                const __m256 row = _mm256_loadu_ps(job->weights + (size_t)c * (size_t)job->tile + i);
                for (int s = 0; s < 4; s++) {
                    const int step = begin + (s < steps ? s : 0);
                    const __m256 count = _mm256_broadcast_ss(job->counts + (size_t)step * job->count_stride + c);
                    sum[s] = _mm256_add_ps(sum[s], _mm256_mul_ps(count, row));
                }
            }
            for (int s = 0; s < steps; s++) {
                float *current = job->current + (size_t)(begin + s) * (size_t)job->tile + i;
                const __m256 old = _mm256_loadu_ps(current);
                _mm256_storeu_ps(current, job->negative ? _mm256_sub_ps(old, sum[s]) : _mm256_add_ps(old, sum[s]));
            }
        }
    }
}

AVX2 void spike_numbers_u8__avx2(const spike_digits *job) {
    const __m256i byte = _mm256_setr_epi8(
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i place = _mm256_set1_epi64x((int64_t)0x8040201008040201);
    for (size_t i = 0; i < 8 * job->words; i += 4) {
        __m256i number = _mm256_setzero_si256();
        for (int step = 0; step < job->steps; step++) {
            int32_t bits;
            memcpy(&bits, job->bits + (size_t)step * job->step_bytes + i, 4);
            const __m256i spread = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), byte), place);
            number = _mm256_sub_epi8(_mm256_add_epi8(number, number), _mm256_cmpeq_epi8(spread, place));
        }
        _mm256_storeu_si256((__m256i *)(job->numbers + 8 * i), number);
    }
}

AVX2 void spike_weighted_i16__avx2(const spike_weighted *job) {
    if (job->tile % 8) {
        spike_weighted_i16__scalar(job);
        return;
    }
    const __m128i shift = _mm_cvtsi32_si128(job->shift);
    for (int i = 0; i < job->tile; i += 8) {
        __m256i sum = _mm256_setzero_si256();
        for (int t = 0; t < job->tap_count; t++) {
            const __m128i numbers = _mm_loadl_epi64((const __m128i *)(job->taps[t].bits + i));
            const __m128i weights = _mm_loadu_si128((const __m128i *)((const int16_t *)job->taps[t].weights + i));
            // The upper half of a number is 0, so that of the weight does not matter.
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepu8_epi32(numbers), _mm256_cvtepi16_epi32(weights)));
        }
        sum = _mm256_sll_epi32(sum, shift);
        __m256i *current = (__m256i *)(job->current + i);
        const __m256i old = _mm256_loadu_si256(current);
        _mm256_storeu_si256(current, job->negative ? _mm256_sub_epi32(old, sum) : _mm256_add_epi32(old, sum));
    }
}
#else
typedef int spike_avx2_is_for_x86_64;
#endif
