#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"

#define TOGETHER 6

INLINE_AVX512 __m512i four_of(const void *numbers) {
    int32_t four;
    memcpy(&four, numbers, 4);
    return _mm512_set1_epi32(four);
}

/// Some rows by a panel of whole numbers: bytes by groups of four, or shorts by two.
INLINE_AVX512 void whole_rows(const spike_row_products *job, const char *a, size_t a_bytes, const char *panel, int first, float *out, const int rows, const int bytes) {
    __m512i sums[TOGETHER][4];
    UNROLLED
    for (int v = 0; v < 4; v++) {
        const __m512i start = job->start ? _mm512_loadu_si512(job->start + first + 16 * v) : _mm512_setzero_si512();
        UNROLLED
        for (int r = 0; r < rows; r++) sums[r][v] = start;
    }
    for (int k = 0; k < job->depth; k++, panel += 256, a += 4) {
        __m512i weights[4];
        UNROLLED
        for (int v = 0; v < 4; v++) weights[v] = _mm512_loadu_si512(panel + 64 * v);
        UNROLLED
        for (int r = 0; r < rows; r++) {
            const __m512i numbers = four_of(a + (size_t)r * a_bytes);
            UNROLLED
            for (int v = 0; v < 4; v++) {
                sums[r][v] = bytes ? _mm512_dpbusd_epi32(sums[r][v], numbers, weights[v])
                                   : _mm512_dpwssd_epi32(sums[r][v], numbers, weights[v]);
            }
        }
    }
    const int left = job->columns - first;
    UNROLLED
    for (int v = 0; v < 4; v++) {
        const int lanes = left - 16 * v;
        const __mmask16 mask = lanes >= 16 ? 0xffff : lanes > 0 ? (__mmask16)((1u << lanes) - 1) : 0;
        const __m512 scale = job->scale ? _mm512_loadu_ps(job->scale + first + 16 * v) : _mm512_set1_ps(1);
        const __m512 bias = job->bias ? _mm512_loadu_ps(job->bias + first + 16 * v) : _mm512_setzero_ps();
        UNROLLED
        for (int r = 0; r < rows; r++) {
            const __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[r][v]), scale);
            _mm512_mask_storeu_ps(out + (size_t)r * job->out_stride + 16 * v, mask, _mm512_add_ps(scaled, bias));
        }
    }
}

INLINE_AVX512 void float_rows(const spike_row_products *job, const float *a, const float *panel, int first, float *out, const int rows) {
    __m512 sums[TOGETHER][4];
    UNROLLED
    for (int v = 0; v < 4; v++) {
        UNROLLED
        for (int r = 0; r < rows; r++) sums[r][v] = _mm512_setzero_ps();
    }
    for (int k = 0; k < job->depth; k++, panel += SPIKE_PANEL, a++) {
        __m512 weights[4];
        UNROLLED
        for (int v = 0; v < 4; v++) weights[v] = _mm512_loadu_ps(panel + 16 * v);
        UNROLLED
        for (int r = 0; r < rows; r++) {
            const __m512 number = _mm512_set1_ps(a[(size_t)r * job->row_stride]);
            UNROLLED
            for (int v = 0; v < 4; v++) sums[r][v] = _mm512_fmadd_ps(number, weights[v], sums[r][v]);
        }
    }
    const int left = job->columns - first;
    UNROLLED
    for (int v = 0; v < 4; v++) {
        const int lanes = left - 16 * v;
        const __mmask16 mask = lanes >= 16 ? 0xffff : lanes > 0 ? (__mmask16)((1u << lanes) - 1) : 0;
        const __m512 bias = job->bias ? _mm512_loadu_ps(job->bias + first + 16 * v) : _mm512_setzero_ps();
        UNROLLED
        for (int r = 0; r < rows; r++) _mm512_mask_storeu_ps(out + (size_t)r * job->out_stride + 16 * v, mask, _mm512_add_ps(sums[r][v], bias));
    }
}

/// `run(rows)` for the rows that are left, with their number a constant.
#define EACH_ROWS(run)                                                                                                  \
    for (int first = 0; first < job->columns; first += SPIKE_PANEL) {                                                   \
        int row = 0;                                                                                                    \
        for (; row + TOGETHER <= job->row_count; row += TOGETHER) { run(TOGETHER) }                                     \
        switch (job->row_count - row) {                                                                                 \
        case 5: run(5) break;                                                                                           \
        case 4: run(4) break;                                                                                           \
        case 3: run(3) break;                                                                                           \
        case 2: run(2) break;                                                                                           \
        case 1: run(1) break;                                                                                           \
        default: break;                                                                                                 \
        }                                                                                                               \
    }

#define WHOLE_ROWS(many)                                                                                                \
    whole_rows(job, (const char *)job->rows + (size_t)row * stride, stride, (const char *)job->panels + (size_t)first * (size_t)job->depth * 4, \
               first, job->out + (size_t)row * job->out_stride + first, many, bytes);

#define FLOAT_ROWS(many)                                                                                                \
    float_rows(job, (const float *)job->rows + (size_t)row * job->row_stride, (const float *)job->panels + (size_t)first * (size_t)job->depth, \
               first, job->out + (size_t)row * job->out_stride + first, many);

AVX512 void spike_rows_i8__avx512(const spike_row_products *job) {
    const size_t stride = job->row_stride;
    const int bytes = 1;
    EACH_ROWS(WHOLE_ROWS)
}

AVX512 void spike_rows_i16__avx512(const spike_row_products *job) {
    const size_t stride = job->row_stride * 2;
    const int bytes = 0;
    EACH_ROWS(WHOLE_ROWS)
}

AVX512 void spike_rows_f32__avx512(const spike_row_products *job) { EACH_ROWS(FLOAT_ROWS) }
#endif
