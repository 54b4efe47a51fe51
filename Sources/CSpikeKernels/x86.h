#ifndef SPIKE_X86_H
#define SPIKE_X86_H

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,popcnt,bmi")))
#define INLINE_AVX2 static inline __attribute__((always_inline)) AVX2

#define LONGEST_MERGED 504

/// How far a window's runs have been read.
typedef struct {
    int segment;
    uint32_t done;
} spike_cursor;

// Joins the runs of a window into one list of byte offsets into the weights, filled up to a multiple of `ways` with the row of
// zeros. Short runs are the rule, and every end of a loop is a misprediction: this leaves one loop. Returns the length; what
// does not fit is left for the next call.
INLINE_AVX2 int merge(
    const spike_gather *job, const uint32_t *starts, spike_cursor *cursor, const int row_bytes, const int ways, uint32_t *merged) {
    int count = 0;
    const __m128i shift = _mm_cvtsi32_si128(__builtin_ctz((unsigned)row_bytes));
    while (cursor->segment < job->segment_count) {
        const spike_segment segment = job->segments[cursor->segment];
        const uint32_t from = starts[segment.from] + cursor->done;
        const int rest = (int)(starts[segment.to] - from), room = LONGEST_MERGED - count, length = rest < room ? rest : room;
        const __m128i base = _mm_set1_epi16((int16_t)segment.base);
        const __m256i row = _mm256_set1_epi32((int32_t)segment.row);
        for (int i = 0; i < length; i += 8) {
            const __m128i entries = _mm_loadu_si128((const __m128i *)(job->lists.entries + from + i));
            const __m256i rows = _mm256_add_epi32(_mm256_cvtepu16_epi32(_mm_sub_epi16(entries, base)), row);
            _mm256_storeu_si256((__m256i *)(merged + count + i), _mm256_sll_epi32(rows, shift));
        }
        count += length;
        if (length < rest) {
            cursor->done += (uint32_t)length;
            break;
        }
        cursor->segment++;
        cursor->done = 0;
    }
    _mm256_storeu_si256((__m256i *)(merged + count), _mm256_set1_epi32(job->rows * row_bytes));
    return (count + ways - 1) / ways * ways;
}

#endif
