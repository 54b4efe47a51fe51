#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"

/// Some neighbouring pixels by some vectors of 8 lanes: several where no place of their windows lies beside the image.
INLINE_AVX2 void pixels_by_lanes(spike_analog *job, int y, int x, int lane, const int pixels, const int vectors) {
    const spike_window w = job->window;
    const spike_walk rows = spike_walk_rows(&w, y), columns = spike_walk_columns(&w, x);
    __m256 sum[12];
    UNROLLED
    for (int p = 0; p < pixels; p++) {
        UNROLLED
        for (int v = 0; v < vectors; v++) sum[p * vectors + v] = _mm256_loadu_ps(job->bias + lane + 8 * v);
    }
    for (int c = 0; c < job->channels; c++) {
        SPIKE_EACH(row, rows) {
            const float *line = job->image + ((size_t)c * w.height + (size_t)row.at) * w.width;
            const float *weights = job->weights + ((size_t)(c * w.kernel_height + row.place) * w.kernel_width + (size_t)columns.place) * job->lanes + lane;
            SPIKE_EACH(column, columns) {
                __m256 weight[2];
                UNROLLED
                for (int v = 0; v < vectors; v++) weight[v] = _mm256_loadu_ps(weights + 8 * v);
                UNROLLED
                for (int p = 0; p < pixels; p++) {
                    const __m256 value = _mm256_broadcast_ss(line + column.at + p * w.stride_x);
                    UNROLLED
                    for (int v = 0; v < vectors; v++) sum[p * vectors + v] = _mm256_fmadd_ps(value, weight[v], sum[p * vectors + v]);
                }
                weights += job->lanes;
            }
        }
    }
    const __m256 limit = _mm256_set1_ps(job->limit), half = _mm256_set1_ps(0.5f), minus = _mm256_set1_ps(-0.0f);
    // Nothing is divided for each pixel.
    int column = job->block == 1 ? x : x / job->block, part = job->block == 1 ? 0 : x % job->block;
    UNROLLED
    for (int p = 0; p < pixels; p++) {
        int32_t *target = job->target + ((size_t)y * job->columns + (size_t)column) * job->stride + (size_t)part * job->lanes + lane;
        if (++part == job->block) {
            part = 0;
            column++;
        }
        UNROLLED
        for (int v = 0; v < vectors; v++) {
            const __m256 value = sum[p * vectors + v];
            const int over = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_andnot_ps(minus, value), limit, _CMP_NLE_UQ));
            job->limited += (uint64_t)__builtin_popcount((unsigned)over);
            const __m256 kept = _mm256_max_ps(_mm256_min_ps(value, limit), _mm256_or_ps(minus, limit));
            // Halves away from zero.
            const __m256i whole = _mm256_cvttps_epi32(_mm256_add_ps(kept, _mm256_or_ps(_mm256_and_ps(kept, minus), half)));
            _mm256_storeu_si256((__m256i *)(target + 8 * v), whole);
        }
    }
}

INLINE_AVX2 void row_of_lanes(spike_analog *job, int y, int lane, const int vectors) {
    const spike_window w = job->window;
    const int together = 6, extent = (w.kernel_width - 1) * w.dilation_x;
    for (int x = 0; x < w.out_width;) {
        const int first = x * w.stride_x - w.pad_left;
        if (first >= 0 && x + together <= w.out_width && first + (together - 1) * w.stride_x + extent < w.width) {
            pixels_by_lanes(job, y, x, lane, together, vectors);
            x += together;
        } else {
            pixels_by_lanes(job, y, x, lane, 1, vectors);
            x++;
        }
    }
}

AVX2 void spike_analog_i32__avx2(spike_analog *job) {
    for (int y = job->row_begin; y < job->row_end; y++) {
        int lane = 0;
        for (; lane + 16 <= job->lanes; lane += 16) row_of_lanes(job, y, lane, 2);
        if (lane < job->lanes) row_of_lanes(job, y, lane, 1);
    }
}
#else
typedef int spike_avx2_analog_is_for_x86_64;
#endif
