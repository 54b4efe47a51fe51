#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"

/// Some neighbouring pixels by some vectors of 16 lanes: several where no place of their windows lies beside the image.
INLINE_AVX512 void pixels_by_lanes(
    spike_analog *job, int y, int x, int lane, const int pixels, const int vectors, const __mmask16 last) {
    const spike_window w = job->window;
    const spike_walk rows = spike_walk_rows(&w, y), columns = spike_walk_columns(&w, x);
    __m512 sum[24];
    UNROLLED
    for (int p = 0; p < pixels; p++) {
        UNROLLED
        for (int v = 0; v < vectors; v++) {
            sum[p * vectors + v] = _mm512_maskz_loadu_ps(v == vectors - 1 ? last : 0xffff, job->bias + lane + 16 * v);
        }
    }
    for (int c = 0; c < job->channels; c++) {
        SPIKE_EACH(row, rows) {
            const float *line = job->image + ((size_t)c * w.height + (size_t)row.at) * w.width;
            const float *weights = job->weights + ((size_t)(c * w.kernel_height + row.place) * w.kernel_width + (size_t)columns.place) * job->lanes + lane;
            SPIKE_EACH(column, columns) {
                __m512 weight[4];
                UNROLLED
                for (int v = 0; v < vectors; v++) weight[v] = _mm512_maskz_loadu_ps(v == vectors - 1 ? last : 0xffff, weights + 16 * v);
                UNROLLED
                for (int p = 0; p < pixels; p++) {
                    const __m512 value = _mm512_set1_ps(line[column.at + p * w.stride_x]);
                    UNROLLED
                    for (int v = 0; v < vectors; v++) sum[p * vectors + v] = _mm512_fmadd_ps(value, weight[v], sum[p * vectors + v]);
                }
                weights += job->lanes;
            }
        }
    }
    const __m512 limit = _mm512_set1_ps(job->limit), half = _mm512_set1_ps(0.5f);
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
            __m512 kept = sum[p * vectors + v];
            const __mmask16 over = _mm512_cmp_ps_mask(_mm512_abs_ps(kept), limit, _CMP_NLE_UQ);
            if (__builtin_expect(over, 0)) {
                job->limited += (uint64_t)_mm_popcnt_u32(over);
                kept = _mm512_max_ps(_mm512_min_ps(kept, limit), _mm512_sub_ps(_mm512_setzero_ps(), limit));
            }
            // Halves away from zero.
            const __m512 sign = _mm512_and_ps(kept, _mm512_set1_ps(-0.0f));
            const __m512i whole = _mm512_cvttps_epi32(_mm512_add_ps(kept, _mm512_or_ps(sign, half)));
            _mm512_mask_storeu_epi32(target + 16 * v, v == vectors - 1 ? last : 0xffff, whole);
        }
    }
}

INLINE_AVX512 void row_of_lanes(spike_analog *job, int y, int lane, const int vectors, __mmask16 last) {
    const spike_window w = job->window;
    const int together = vectors > 3 ? 6 : 8;
    const int extent = (w.kernel_width - 1) * w.dilation_x;
    int x = 0;
    while (x < w.out_width) {
        // How many from here on look at nothing beside the image.
        const int first = x * w.stride_x - w.pad_left, room = w.width - 1 - extent - first;
        const int inside = first < 0 || room < 0 ? 0 : room / w.stride_x + 1, left = w.out_width - x, fitting = inside < left ? inside : left;
        if (fitting >= together) {
            pixels_by_lanes(job, y, x, lane, together, vectors, last);
            x += together;
        } else if (fitting >= 4) {
            pixels_by_lanes(job, y, x, lane, 4, vectors, last);
            x += 4;
        } else if (fitting >= 2) {
            pixels_by_lanes(job, y, x, lane, 2, vectors, last);
            x += 2;
        } else {
            pixels_by_lanes(job, y, x, lane, 1, vectors, last);
            x++;
        }
    }
}

AVX512 void spike_analog_i32__avx512(spike_analog *job) {
    for (int y = job->row_begin; y < job->row_end; y++) {
        for (int lane = 0; lane < job->lanes; lane += 64) {
            const int rest = job->lanes - lane < 64 ? job->lanes - lane : 64, vectors = (rest + 15) / 16;
            const __mmask16 last = rest % 16 ? (__mmask16)((1u << rest % 16) - 1) : 0xffff;
            switch (vectors) {
            case 4: row_of_lanes(job, y, lane, 4, last); break;
            case 3: row_of_lanes(job, y, lane, 3, last); break;
            case 2: row_of_lanes(job, y, lane, 2, last); break;
            default: row_of_lanes(job, y, lane, 1, last);
            }
        }
    }
}
#else
typedef int spike_avx512_analog_is_for_x86_64;
#endif
