#ifndef SPIKE_X86_H
#define SPIKE_X86_H

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,popcnt,bmi")))
#define INLINE_AVX2 SPIKE_INLINE AVX2
#define AVX512 __attribute__((target("avx2,fma,popcnt,bmi,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define INLINE_AVX512 SPIKE_INLINE AVX512

// Sums stay in registers: a loop over them that is not unrolled would have them in memory.
#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED
#endif

/// A run of a list, and what is needed to find the weights of its entries.
typedef struct {
    const char *weights;
    size_t row_bytes, zeros;
    uint16_t base;
} spike_rows_of_weights;

/// Where the weights of an entry begin. The register keeps the compiler from computing four of them as a vector, which the vector
/// units have no time for.
SPIKE_INLINE size_t spike_offset(const spike_rows_of_weights *rows, uint16_t entry) {
    uint32_t row = (uint16_t)(entry - rows->base);
    __asm__("" : "+r"(row));
    return (size_t)row * rows->row_bytes;
}

SPIKE_INLINE const char *spike_row(const spike_rows_of_weights *rows, const uint16_t *entry) {
    return rows->weights + spike_offset(rows, *entry);
}

/// The same for entry `k` of a run of which `rest` are left; zeros behind it. Short runs are the rule, and a branch on their
/// length a misprediction: this has none.
SPIKE_INLINE const char *spike_row_or_zeros(
    const spike_rows_of_weights *rows, const uint16_t *entry, ptrdiff_t k, ptrdiff_t rest) {
    const size_t offset = spike_offset(rows, entry[k]);
    const size_t inside = (size_t)((k - rest) >> (8 * sizeof(ptrdiff_t) - 1));
    return rows->weights + (rows->zeros ^ ((offset ^ rows->zeros) & inside));
}

#define SPIKE_ROW(find, k, add)                                                                                         \
    {                                                                                                                   \
        const char *const row = find;                                                                                   \
        add(row, k)                                                                                                     \
    }

/// `add(row, k)` for every row of a run from `entry` to `stop`, four at a time (k is a constant), zeros filling up the last
/// three. Leaves `entry` behind all that were added.
#define SPIKE_EACH_ROW(rows, entry, stop, add)                                                                          \
    for (; (stop) - (entry) >= 4; (entry) += 4) {                                                                       \
        SPIKE_ROW(spike_row(&(rows), (entry)), 0, add)                                                                  \
        SPIKE_ROW(spike_row(&(rows), (entry) + 1), 1, add)                                                              \
        SPIKE_ROW(spike_row(&(rows), (entry) + 2), 2, add)                                                              \
        SPIKE_ROW(spike_row(&(rows), (entry) + 3), 3, add)                                                              \
    }                                                                                                                   \
    if ((entry) < (stop)) {                                                                                             \
        const ptrdiff_t rest = (stop) - (entry);                                                                        \
        SPIKE_ROW(spike_row(&(rows), (entry)), 0, add)                                                                  \
        SPIKE_ROW(spike_row_or_zeros(&(rows), (entry), 1, rest), 1, add)                                                \
        SPIKE_ROW(spike_row_or_zeros(&(rows), (entry), 2, rest), 2, add)                                                \
        (entry) += 3;                                                                                                   \
    }

#endif
