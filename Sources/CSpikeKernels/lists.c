#include "internal.h"

// Lists of active rows: from bits, and from counts (an entry for each spike of a count).

void spike_list_bits__scalar(spike_list_job *job) {
    const int begin = job->channel_begin, count = job->channel_count;
    SPIKE_EACH_PIXEL(uint8_t, job->bits, {
        for (int c = 0; c < count; c++) {
            if (pixel[(c + begin) >> 3] >> ((c + begin) & 7) & 1) *entry++ = (uint16_t)(base + (uint32_t)c);
        }
    })
}

/// Appends a row as often as its count says. Four places are written whatever the count is, which costs less than a branch on it; a list
/// has room behind its last entry.
static inline uint16_t *spike_repeat(uint16_t *entry, uint16_t row, int count) {
    const uint64_t four = row * UINT64_C(0x0001000100010001);
    memcpy(entry, &four, sizeof four);
    for (int more = 4; more < count; more++) entry[more] = row;
    return entry + (count > 0 ? count : 0);
}

void spike_list_counts__scalar(spike_list_job *job) {
    const int channels = job->channel_count, whole = channels / 4 * 4;
    SPIKE_EACH_PIXEL(int16_t, job->counts, {
        const int16_t *counts = pixel + job->channel_begin;
        for (int c = 0; c < whole; c += 4) {
            // Most counts are 0: four of them are one comparison.
            uint64_t word;
            memcpy(&word, counts + c, sizeof word);
            if (!word) continue;
            for (int lane = c; lane < c + 4; lane++) entry = spike_repeat(entry, (uint16_t)(base + (uint32_t)lane), counts[lane]);
        }
        for (int c = whole; c < channels; c++) entry = spike_repeat(entry, (uint16_t)(base + (uint32_t)c), counts[c]);
    })
}

#define SPIKE_POPCOUNT                                                                                                  \
    {                                                                                                                   \
        uint64_t total = 0;                                                                                             \
        for (size_t i = 0; i < count; i++) total += (uint64_t)__builtin_popcountll(words[i]);                           \
        return total;                                                                                                   \
    }

#if defined(__x86_64__)
// One instruction for each word, on every processor since 2008; without it a dozen.
__attribute__((target("popcnt"))) static uint64_t popcount_by_instruction(const uint64_t *words, size_t count) SPIKE_POPCOUNT
#endif

static uint64_t popcount_plainly(const uint64_t *words, size_t count) SPIKE_POPCOUNT

uint64_t spike_popcount(const uint64_t *words, size_t count) {
#if defined(__x86_64__)
    if (spike_isa_supported(SPIKE_ISA_AVX512)) return spike_popcount__avx512(words, count);
    if (__builtin_cpu_supports("popcnt")) return popcount_by_instruction(words, count);
#endif
    return popcount_plainly(words, count);
}

void spike_count_bits(
    const uint8_t *bits, spike_strides strides, int32_t steps, int32_t height, int32_t width, int32_t channels, float *counts) {
    for (int step = 0; step < steps; step++) {
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                const uint8_t *pixel = bits + (size_t)step * strides.step + (size_t)y * strides.row + (size_t)x * strides.pixel;
                for (int byte = 0; byte * 8 < channels; byte++) {
                    for (unsigned some = pixel[byte]; some; some &= some - 1) {
                        counts[((size_t)(byte * 8 + __builtin_ctz(some)) * (size_t)height + (size_t)y) * (size_t)width + (size_t)x] += 1;
                    }
                }
            }
        }
    }
}
