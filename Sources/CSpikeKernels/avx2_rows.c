#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"

#define TOGETHER 4

/// The sums of columns first … first + 15 of a panel go out, as many as there are.
INLINE_AVX2 void put(const spike_row_products *job, int column, float *out, __m256 value) {
    const int left = job->columns - column;
    if (left >= 8) {
        _mm256_storeu_ps(out, value);
        return;
    }
    float lanes[8];
    _mm256_storeu_ps(lanes, value);
    for (int lane = 0; lane < left; lane++) out[lane] = lanes[lane];
}

INLINE_AVX2 void put_whole(const spike_row_products *job, int column, float *out, __m256i sum) {
    if (job->start) sum = _mm256_add_epi32(sum, _mm256_loadu_si256((const __m256i *)(job->start + column)));
    __m256 value = _mm256_cvtepi32_ps(sum);
    if (job->scale) value = _mm256_mul_ps(value, _mm256_loadu_ps(job->scale + column));
    value = _mm256_add_ps(value, job->bias ? _mm256_loadu_ps(job->bias + column) : _mm256_setzero_ps());
    put(job, column, out, value);
}

/// Shorts: products of pairs are added up in 32 bits.
INLINE_AVX2 void short_rows(const spike_row_products *job, const int16_t *a, const char *panel, int column, float *out, const int rows) {
    __m256i sums[TOGETHER][2];
    UNROLLED
    for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = _mm256_setzero_si256();
    for (int k = 0; k < job->depth; k++, panel += 256) {
        const __m256i low = _mm256_loadu_si256((const __m256i *)panel), high = _mm256_loadu_si256((const __m256i *)(panel + 32));
        UNROLLED
        for (int r = 0; r < rows; r++) {
            int32_t two;
            memcpy(&two, a + (size_t)r * job->row_stride + 2 * k, 4);
            const __m256i numbers = _mm256_set1_epi32(two);
            sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(numbers, low));
            sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(numbers, high));
        }
    }
    UNROLLED
    for (int r = 0; r < rows; r++) {
        UNROLLED
        for (int v = 0; v < 2; v++) {
            if (column + 8 * v < job->columns) put_whole(job, column + 8 * v, out + (size_t)r * job->out_stride + 8 * v, sums[r][v]);
        }
    }
}

/// Bytes: made shorts first, since sums of two products of bytes leave 16 bits. Each 32-bit lane holds two numbers of a column; its
/// neighbour the two others.
INLINE_AVX2 void byte_rows(const spike_row_products *job, const uint8_t *a, const char *panel, int column, float *out, const int rows) {
    __m256i sums[TOGETHER][2];
    UNROLLED
    for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = _mm256_setzero_si256();
    for (int k = 0; k < job->depth; k++, panel += 256) {
        const __m256i low = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)panel));
        const __m256i high = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(panel + 16)));
        UNROLLED
        for (int r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, a + (size_t)r * job->row_stride + 4 * k, 4);
            const __m256i numbers = _mm256_cvtepu8_epi16(_mm_set1_epi32(four));
            sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(numbers, low));
            sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(numbers, high));
        }
    }
    UNROLLED
    for (int r = 0; r < rows; r++) {
        // Columns 0 … 3 of each half, two lanes each.
        const __m256i both = _mm256_permute4x64_epi64(_mm256_hadd_epi32(sums[r][0], sums[r][1]), 0xd8);
        put_whole(job, column, out + (size_t)r * job->out_stride, both);
    }
}

INLINE_AVX2 void float_rows(const spike_row_products *job, const float *a, const float *panel, int column, float *out, const int rows) {
    __m256 sums[TOGETHER][2];
    UNROLLED
    for (int r = 0; r < rows; r++) sums[r][0] = sums[r][1] = _mm256_setzero_ps();
    for (int k = 0; k < job->depth; k++, panel += SPIKE_PANEL) {
        const __m256 low = _mm256_loadu_ps(panel), high = _mm256_loadu_ps(panel + 8);
        UNROLLED
        for (int r = 0; r < rows; r++) {
            const __m256 number = _mm256_set1_ps(a[(size_t)r * job->row_stride + (size_t)k]);
            sums[r][0] = _mm256_fmadd_ps(number, low, sums[r][0]);
            sums[r][1] = _mm256_fmadd_ps(number, high, sums[r][1]);
        }
    }
    UNROLLED
    for (int r = 0; r < rows; r++) {
        UNROLLED
        for (int v = 0; v < 2; v++) {
            if (column + 8 * v >= job->columns) continue;
            const __m256 bias = job->bias ? _mm256_loadu_ps(job->bias + column + 8 * v) : _mm256_setzero_ps();
            put(job, column + 8 * v, out + (size_t)r * job->out_stride + 8 * v, _mm256_add_ps(sums[r][v], bias));
        }
    }
}

/// `run(rows)` for `width` columns of a panel at a time.
#define EACH_ROWS(width, run)                                                                                           \
    for (int column = 0; column < job->columns; column += width) {                                                      \
        const size_t panel = (size_t)(column / SPIKE_PANEL * SPIKE_PANEL) * (size_t)job->depth * 4 +                    \
                             (size_t)(column % SPIKE_PANEL) * 4;                                                        \
        int row = 0;                                                                                                    \
        for (; row + TOGETHER <= job->row_count; row += TOGETHER) { run(TOGETHER) }                                     \
        for (; row < job->row_count; row++) { run(1) }                                                                  \
    }

#define ROWS_OF(function, number, many)                                                                                 \
    function(job, (const number *)job->rows + (size_t)row * job->row_stride, (const char *)job->panels + panel, column, \
             job->out + (size_t)row * job->out_stride + column, many);
#define BYTE_ROWS(many) ROWS_OF(byte_rows, uint8_t, many)
#define SHORT_ROWS(many) ROWS_OF(short_rows, int16_t, many)
#define FLOAT_ROWS(many)                                                                                                \
    float_rows(job, (const float *)job->rows + (size_t)row * job->row_stride, (const float *)((const char *)job->panels + panel), column, \
               job->out + (size_t)row * job->out_stride + column, many);

AVX2 void spike_rows_i8__avx2(const spike_row_products *job) { EACH_ROWS(8, BYTE_ROWS) }
AVX2 void spike_rows_i16__avx2(const spike_row_products *job) { EACH_ROWS(16, SHORT_ROWS) }
AVX2 void spike_rows_f32__avx2(const spike_row_products *job) { EACH_ROWS(16, FLOAT_ROWS) }
#endif
