#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"
#include "layers.inc"

/// ⌊v / threshold⌋ of 0 ≤ v ≤ 2^28: float32 is off by one at most.
INLINE_AVX512 __m512i quotient(__m512i v, __m512i threshold, __m512 inverse) {
    const __m512i near = _mm512_cvttps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(v), inverse));
    const __m512i rest = _mm512_sub_epi32(v, _mm512_mullo_epi32(near, threshold)), one = _mm512_set1_epi32(1);
    const __m512i high = _mm512_mask_add_epi32(near, _mm512_cmpge_epi32_mask(rest, threshold), near, one);
    return _mm512_mask_sub_epi32(high, _mm512_cmplt_epi32_mask(rest, _mm512_setzero_si512()), high, one);
}

/// Weights of 16 lanes. The upper half of a number is 0, so that of the weight does not matter.
INLINE_AVX512 __m512i widened(const int16_t *weights) { return _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)weights)); }

/// Some places of the output by `blocks` times 16 lanes.
INLINE_AVX512 void layer_tile(const spike_layer *job, const layer_places *at, int lane, const int places, const int blocks) {
    __m512i sum[2 * SPIKE_LAYER_PLACES];
    UNROLLED
    for (int i = 0; i < blocks * places; i++) sum[i] = _mm512_setzero_si512();
    for (int b = 0; b < job->dense_count; b++) {
        const spike_layer_branch *branch = job->branches + b;
        if (lane >= branch->lane_end || lane + 16 * blocks <= branch->lane_begin) continue;
        const uint8_t *window[SPIKE_LAYER_PLACES];
        UNROLLED
        for (int p = 0; p < places; p++) window[p] = branch->image + at->y[p] * branch->row + at->x[p] * branch->pixel;
        const size_t bytes = 4 * (size_t)branch->groups;
        const int8_t *weights = layer_weights(branch, lane);
        for (int ry = 0; ry < branch->run_rows; ry++) {
            for (int rx = 0; rx < branch->run_columns; rx++) {
                const size_t begin = (size_t)ry * branch->run_row + (size_t)rx * branch->run_column;
                for (size_t k = begin; k < begin + bytes; k += 4, weights += 64 * blocks) {
                    __m512i weight[2];
                    UNROLLED
                    for (int v = 0; v < blocks; v++) weight[v] = _mm512_loadu_si512(weights + 64 * v);
                    UNROLLED
                    for (int p = 0; p < places; p++) {
                        int32_t four;
                        memcpy(&four, window[p] + k, 4);
                        const __m512i number = _mm512_set1_epi32(four);
                        UNROLLED
                        for (int v = 0; v < blocks; v++) sum[p * blocks + v] = _mm512_dpbusd_epi32(sum[p * blocks + v], number, weight[v]);
                    }
                }
            }
        }
    }
    // In memory from here on: one vector of lanes is finished after the other.
    const __m128i shift = _mm_cvtsi32_si128(job->dense_count ? job->branches->shift : 0);
    __m512i sums[2 * SPIKE_LAYER_PLACES];
    UNROLLED
    for (int i = 0; i < blocks * places; i++) sums[i] = _mm512_sll_epi32(sum[i], shift);
    for (int v = 0; v < blocks; v++, lane += 16) {
        const __m512i start = _mm512_loadu_si512(job->start + lane);
        __m512i total[SPIKE_LAYER_PLACES];
        UNROLLED
        for (int p = 0; p < places; p++) {
            total[p] = _mm512_add_epi32(sums[p * blocks + v], start);
            if (job->added) {
                const int32_t *added = job->added + at->y[p] * job->added_row + at->x[p] * job->added_pixel + lane;
                total[p] = _mm512_add_epi32(total[p], _mm512_loadu_si512(added));
            }
        }
        for (int b = job->dense_count; b < job->branch_count; b++) {
            const spike_layer_branch *branch = job->branches + b;
            if (lane >= branch->lane_end || lane + 16 <= branch->lane_begin) continue;
            const uint8_t *window[SPIKE_LAYER_PLACES];
            __m512i part[SPIKE_LAYER_PLACES];
            UNROLLED
            for (int p = 0; p < places; p++) {
                window[p] = branch->image + at->y[p] * branch->row + at->x[p] * branch->pixel + lane;
                part[p] = _mm512_setzero_si512();
            }
            const int16_t *weights = (const int16_t *)branch->weights + lane;
            // Three places that move by one from window to window: each number is widened once for all that see it.
            const bool slides = branch->run_columns == 3 && branch->pixel == branch->run_column && at->y[0] == at->y[places - 1];
            for (int ry = 0; ry < branch->run_rows && slides; ry++, weights += 3 * job->lanes) {
                const uint8_t *line = window[0] + (size_t)ry * branch->run_row;
                __m512i weight[3];
                UNROLLED
                for (int rx = 0; rx < 3; rx++) weight[rx] = widened(weights + rx * job->lanes);
                UNROLLED
                for (int x = 0; x < places + 2; x++) {
                    const __m512i number = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(line + (size_t)x * branch->pixel)));
                    UNROLLED
                    for (int rx = 0; rx < 3; rx++) {
                        if (x >= rx && x - rx < places) part[x - rx] = _mm512_dpwssd_epi32(part[x - rx], number, weight[rx]);
                    }
                }
            }
            for (int ry = 0; ry < branch->run_rows && !slides; ry++) {
                for (int rx = 0; rx < branch->run_columns; rx++, weights += job->lanes) {
                    const size_t k = (size_t)ry * branch->run_row + (size_t)rx * branch->run_column;
                    const __m512i weight = widened(weights);
                    UNROLLED
                    for (int p = 0; p < places; p++) {
                        const __m512i number = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(window[p] + k)));
                        part[p] = _mm512_dpwssd_epi32(part[p], number, weight);
                    }
                }
            }
            const __m128i finer = _mm_cvtsi32_si128(branch->shift);
            UNROLLED
            for (int p = 0; p < places; p++) total[p] = _mm512_add_epi32(total[p], _mm512_sll_epi32(part[p], finer));
        }
        const int left = job->channels - lane;
        const __mmask16 written = left >= 16 ? 0xffff : left > 0 ? (__mmask16)((1u << left) - 1) : 0;
        const __m512i threshold = _mm512_loadu_si512(job->threshold + lane), one = _mm512_set1_epi32(1);
        const __m512 inverse = _mm512_loadu_ps(job->inverse + lane);
        // Below the next number after the largest.
        const __m512i end = _mm512_mullo_epi32(threshold, _mm512_set1_epi32(job->largest + 1)), most = _mm512_sub_epi32(end, one);
        const bool is_small = !_mm512_cmpgt_epi32_mask(end, _mm512_set1_epi32(1 << 22));
        const __m512 half = _mm512_mul_ps(inverse, _mm512_set1_ps(0.5f));
        UNROLLED
        for (int p = 0; p < places; p++) {
            const __m512i v = _mm512_min_epi32(_mm512_max_epi32(total[p], _mm512_setzero_si512()), most);
            // (v + ½) / threshold is further from a whole number than float32 is off, where threshold · number stays within 2^22.
            const __m512i number = is_small ? _mm512_cvttps_epi32(_mm512_fmadd_ps(_mm512_cvtepi32_ps(v), inverse, half)) : quotient(v, threshold, inverse);
            uint8_t *target = job->target + at->y[p] * job->target_row + at->x[p] * job->target_pixel + lane;
            _mm_mask_storeu_epi8(target, written, _mm512_cvtepi32_epi8(number));
        }
    }
}

#define TILE(places)                                                                                                    \
    case places:                                                                                                        \
        if (layer_block(job, lane) == 32) {                                                                             \
            layer_tile(job, &at, lane, places, 2);                                                                      \
        } else {                                                                                                        \
            layer_tile(job, &at, lane, places, 1);                                                                      \
        }                                                                                                               \
        break;

AVX512 void spike_layer_u8__avx512(const spike_layer *job) {
    for (int lane = job->lane_begin; lane < job->lane_end; lane += 32) {
        SPIKE_EACH_PLACES(job, SPIKE_LAYER_PLACES, switch (count) { TILE(8) TILE(7) TILE(6) TILE(5) TILE(4) TILE(3) TILE(2) TILE(1) })
    }
}
#else
typedef int spike_avx512_layers_is_for_x86_64;
#endif
