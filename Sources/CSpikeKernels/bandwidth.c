#include "internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2"))) static uint64_t spike_read_rows_avx2(const void *start, const uint32_t *offsets, size_t count) {
    __m256i sums[4];
    for (int k = 0; k < 4; k++) sums[k] = _mm256_setzero_si256();
    for (size_t i = 0; i < count; i++) {
        const char *row = (const char *)start + offsets[i];
        for (int k = 0; k < 4; k++) sums[k] = _mm256_add_epi64(sums[k], _mm256_loadu_si256((const __m256i *)(row + 32 * k)));
    }
    for (int k = 1; k < 4; k++) sums[0] = _mm256_add_epi64(sums[0], sums[k]);
    uint64_t lanes[4];
    _mm256_storeu_si256((__m256i *)lanes, sums[0]);
    return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}
#endif

uint64_t spike_read_rows(const void *start, const uint32_t *offsets, size_t count) {
#if defined(__x86_64__)
    if (spike_isa_supported(SPIKE_ISA_AVX2)) return spike_read_rows_avx2(start, offsets, count);
#endif
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t words[16];
        memcpy(words, (const char *)start + offsets[i], sizeof(words));
        for (int k = 0; k < 16; k++) sum += words[k];
    }
    return sum;
}
