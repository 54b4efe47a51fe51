#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"
#include "layers.inc"

#define TOGETHER 3

/// ⌊v / threshold⌋ of 0 ≤ v ≤ 2^28: float32 is off by one at most.
INLINE_AVX2 __m256i quotient(__m256i v, __m256i threshold, __m256 inverse) {
    const __m256i near = _mm256_cvttps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(v), inverse));
    const __m256i rest = _mm256_sub_epi32(v, _mm256_mullo_epi32(near, threshold));
    // A comparison that holds is −1.
    const __m256i too_low = _mm256_cmpgt_epi32(rest, _mm256_sub_epi32(threshold, _mm256_set1_epi32(1)));
    return _mm256_add_epi32(_mm256_sub_epi32(near, too_low), _mm256_cmpgt_epi32(_mm256_setzero_si256(), rest));
}

/// Some places of the output by 16 lanes. Products of bytes are added in 16 bits as long as they fit: `chunk` groups.
INLINE_AVX2 void layer_tile(const spike_layer *job, const layer_places *at, const int lane, const int places, const int chunk) {
    const __m256i one = _mm256_set1_epi16(1);
    __m256i sum[2 * TOGETHER];
    UNROLLED
    for (int i = 0; i < 2 * places; i++) sum[i] = _mm256_setzero_si256();
    const size_t step = 4 * layer_block(job, lane);
    for (int b = 0; b < job->dense_count; b++) {
        const spike_layer_branch *branch = job->branches + b;
        if (lane >= branch->lane_end || lane + 16 <= branch->lane_begin) continue;
        const uint8_t *window[TOGETHER];
        UNROLLED
        for (int p = 0; p < places; p++) window[p] = branch->image + at->y[p] * branch->row + at->x[p] * branch->pixel;
        const int8_t *weights = layer_weights(branch, lane);
        for (int ry = 0; ry < branch->run_rows; ry++) {
            for (int rx = 0; rx < branch->run_columns; rx++) {
                size_t k = (size_t)ry * branch->run_row + (size_t)rx * branch->run_column;
                for (int g = 0; g < branch->groups;) {
                    const int stop = g + chunk < branch->groups ? g + chunk : branch->groups;
                    __m256i part[2 * TOGETHER];
                    UNROLLED
                    for (int i = 0; i < 2 * places; i++) part[i] = _mm256_setzero_si256();
                    for (; g < stop; g++, k += 4, weights += step) {
                        const __m256i a = _mm256_loadu_si256((const __m256i *)weights), b2 = _mm256_loadu_si256((const __m256i *)(weights + 32));
                        UNROLLED
                        for (int p = 0; p < places; p++) {
                            int32_t four;
                            memcpy(&four, window[p] + k, 4);
                            const __m256i number = _mm256_set1_epi32(four);
                            part[2 * p] = _mm256_add_epi16(part[2 * p], _mm256_maddubs_epi16(number, a));
                            part[2 * p + 1] = _mm256_add_epi16(part[2 * p + 1], _mm256_maddubs_epi16(number, b2));
                        }
                    }
                    UNROLLED
                    for (int i = 0; i < 2 * places; i++) sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(part[i], one));
                }
            }
        }
    }
    // In memory from here on: one vector of lanes is finished after the other.
    const __m128i shift = _mm_cvtsi32_si128(job->dense_count ? job->branches->shift : 0);
    __m256i sums[2 * TOGETHER];
    UNROLLED
    for (int i = 0; i < 2 * places; i++) sums[i] = _mm256_sll_epi32(sum[i], shift);
    for (int half = 0; half < 2; half++) {
        const int first = lane + 8 * half;
        const __m256i start = _mm256_loadu_si256((const __m256i *)(job->start + first));
        __m256i total[TOGETHER];
        UNROLLED
        for (int p = 0; p < places; p++) {
            total[p] = _mm256_add_epi32(sums[2 * p + half], start);
            if (job->added) {
                const int32_t *added = job->added + at->y[p] * job->added_row + at->x[p] * job->added_pixel + first;
                total[p] = _mm256_add_epi32(total[p], _mm256_loadu_si256((const __m256i *)added));
            }
        }
        for (int b = job->dense_count; b < job->branch_count; b++) {
            const spike_layer_branch *branch = job->branches + b;
            if (first >= branch->lane_end || first + 8 <= branch->lane_begin) continue;
            const uint8_t *window[TOGETHER];
            __m256i part[TOGETHER];
            UNROLLED
            for (int p = 0; p < places; p++) {
                window[p] = branch->image + at->y[p] * branch->row + at->x[p] * branch->pixel + first;
                part[p] = _mm256_setzero_si256();
            }
            const int16_t *weights = (const int16_t *)branch->weights + first;
            for (int ry = 0; ry < branch->run_rows; ry++) {
                for (int rx = 0; rx < branch->run_columns; rx++, weights += job->lanes) {
                    const size_t k = (size_t)ry * branch->run_row + (size_t)rx * branch->run_column;
                    const __m256i weight = _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)weights));
                    UNROLLED
                    for (int p = 0; p < places; p++) {
                        // The upper half of a number is 0, so that of the weight does not matter.
                        const __m256i number = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(window[p] + k)));
                        part[p] = _mm256_add_epi32(part[p], _mm256_madd_epi16(number, weight));
                    }
                }
            }
            const __m128i finer = _mm_cvtsi32_si128(branch->shift);
            UNROLLED
            for (int p = 0; p < places; p++) total[p] = _mm256_add_epi32(total[p], _mm256_sll_epi32(part[p], finer));
        }
        // Pixels have whole words of eight channels.
        if (first >= job->channels) continue;
        const __m256i threshold = _mm256_loadu_si256((const __m256i *)(job->threshold + first));
        const __m256 inverse = _mm256_loadu_ps(job->inverse + first), half = _mm256_mul_ps(inverse, _mm256_set1_ps(0.5f));
        // Below the next number after the largest.
        const __m256i end = _mm256_mullo_epi32(threshold, _mm256_set1_epi32(job->largest + 1)), most = _mm256_sub_epi32(end, _mm256_set1_epi32(1));
        const bool is_small = !_mm256_movemask_epi8(_mm256_cmpgt_epi32(end, _mm256_set1_epi32(1 << 22)));
        UNROLLED
        for (int p = 0; p < places; p++) {
            const __m256i v = _mm256_min_epi32(_mm256_max_epi32(total[p], _mm256_setzero_si256()), most);
            // (v + ½) / threshold is further from a whole number than float32 is off, where threshold · number stays within 2^22.
            const __m256i number = is_small ? _mm256_cvttps_epi32(_mm256_fmadd_ps(_mm256_cvtepi32_ps(v), inverse, half)) : quotient(v, threshold, inverse);
            const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(number), _mm256_extracti128_si256(number, 1));
            _mm_storel_epi64(
                (__m128i *)(job->target + at->y[p] * job->target_row + at->x[p] * job->target_pixel + first), _mm_packus_epi16(words, words));
        }
    }
}

AVX2 void spike_layer_u8__avx2(const spike_layer *job) {
    const int fitting = 32767 / (2 * 127 * (job->largest_read > 0 ? job->largest_read : 1)), chunk = fitting < 1 ? 1 : fitting;
    for (int lane = job->lane_begin; lane < job->lane_end; lane += 16) {
        SPIKE_EACH_PLACES(job, TOGETHER, switch (count) {
            case 3: layer_tile(job, &at, lane, 3, chunk); break;
            case 2: layer_tile(job, &at, lane, 2, chunk); break;
            default: layer_tile(job, &at, lane, 1, chunk);
        })
    }
}
#else
typedef int spike_avx2_layers_is_for_x86_64;
#endif
