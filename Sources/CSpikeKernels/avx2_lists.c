#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"

/// For each byte, the positions of its set bits, packed to the front.
static uint8_t positions[256][8];

__attribute__((constructor)) static void fill_positions(void) {
    for (int byte = 0; byte < 256; byte++) {
        int count = 0;
        for (int bit = 0; bit < 8; bit++) {
            if (byte >> bit & 1) positions[byte][count++] = (uint8_t)bit;
        }
    }
}

/// The entries of a byte: all eight positions are stored, and as many kept as there are bits, so that there is nothing to
/// mispredict.
AVX2 static inline uint16_t *emit(uint16_t *entry, uint8_t byte, uint32_t base) {
    const __m128i places = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)positions[byte]));
    _mm_storeu_si128((__m128i *)entry, _mm_add_epi16(places, _mm_set1_epi16((int16_t)base)));
    return entry + _mm_popcnt_u32(byte);
}

AVX2 void spike_list_bits__avx2(spike_list_job *job) {
    const int begin = job->channel_begin, end = begin + job->channel_count;
    const int first = begin >> 3, last = (end - 1) >> 3;
    const uint8_t first_mask = (uint8_t)(0xff << (begin & 7)), last_mask = (uint8_t)(0xff >> (7 - ((end - 1) & 7)));
    const bool whole = (begin & 7) == 0;
    SPIKE_EACH_PIXEL(uint8_t, job->bits, {
        const uint32_t position = base - (uint32_t)begin;
        int byte = first;
        if (whole) {
            for (; byte + 8 <= last; byte += 8) {
                uint64_t eight;
                memcpy(&eight, pixel + byte, 8);
                for (uint32_t at = position + (uint32_t)byte * 8; eight; eight >>= 8, at += 8) entry = emit(entry, (uint8_t)eight, at);
            }
        }
        for (; byte <= last; byte++) {
            uint8_t some = pixel[byte];
            if (byte == first) some &= first_mask;
            if (byte == last) some &= last_mask;
            entry = emit(entry, some, position + (uint32_t)byte * 8);
        }
    })
}

/// Sixteen bits as sixteen 16-bit masks.
AVX2 static inline __m256i expand(uint32_t bits) {
    const __m256i place = _mm256_setr_epi16(
        1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, (int16_t)0x8000);
    return _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16((int16_t)bits), place), place);
}

/// Sixteen 16-bit masks as sixteen bits.
AVX2 static inline uint16_t pack(__m256i masks) {
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(masks), _mm256_extracti128_si256(masks, 1));
    return (uint16_t)_mm_movemask_epi8(bytes);
}

#define SMALL_POOL 16

/// Sixteen running sums less the largest of them, in 16 bits. What lies further below than these hold cannot become the largest in
/// 2^15 steps.
AVX2 static inline __m256i less(const int32_t *sums, __m256i first_most, __m256i last_most) {
    const __m256i first = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)sums), first_most);
    const __m256i last = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(sums + 8)), last_most);
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(first, last), 0xd8);
}

// Sixteen channels at a time, their sums in registers over all steps, in 16 bits: what is emitted depends on differences alone, so
// that sums of earlier steps are taken relative to the largest. Binary spikes, windows of up to 16 places.
AVX2 void spike_pool_bits__avx2(const spike_pool *given) {
    // A copy, as the plain kernel makes one.
    const spike_pool copy = *given, *const job = &copy;
    const spike_window w = job->window;
    const bool fits = job->growth == 1 ? job->steps <= INT16_MAX : job->steps <= 15 && !job->sums;
    if (job->minus || !fits || (int64_t)w.kernel_height * w.kernel_width > SMALL_POOL) {
        spike_pool_bits__scalar(given);
        return;
    }
    const __m128i growth = _mm_cvtsi32_si128(job->growth == 2 ? 1 : 0);
    for (int y = job->row_begin; y < job->row_end; y++) {
        for (int x = 0; x < w.out_width; x++) {
            size_t places[SMALL_POOL], pixels[SMALL_POOL];
            const int count = spike_pool_places(job, y, x, places, pixels);
            uint8_t *out = job->out_plus + (size_t)y * job->out_strides.row + (size_t)x * job->out_strides.pixel;
            for (int c = 0; c < job->channels; c += 16) {
                __m256i sums[SMALL_POOL], before = _mm256_setzero_si256();
                const uint16_t valid = (uint16_t)(job->channels - c >= 16 ? 0xffff : (1 << (job->channels - c)) - 1);
                __m256i first = _mm256_set1_epi32(INT32_MIN), last = first;
                for (int p = 0; p < count && job->sums; p++) {
                    const int32_t *of = job->sums + pixels[p] * (size_t)job->sum_stride + c;
                    first = _mm256_max_epi32(first, _mm256_loadu_si256((const __m256i *)of));
                    last = _mm256_max_epi32(last, _mm256_loadu_si256((const __m256i *)(of + 8)));
                }
                for (int p = 0; p < count; p++) {
                    sums[p] = job->sums ? less(job->sums + pixels[p] * (size_t)job->sum_stride + c, first, last)
                                        : _mm256_setzero_si256();
                }
                for (int step = 0; step < job->steps; step++) {
                    const uint8_t *in = job->plus + (size_t)step * job->strides.step + (size_t)(c >> 3);
                    uint16_t bits;
                    if (job->instantaneous) {
                        bits = 0;
                        for (int p = 0; p < count; p++) {
                            uint16_t some;
                            memcpy(&some, in + places[p], 2);
                            bits |= some;
                        }
                    } else {
                        __m256i most = _mm256_set1_epi16(INT16_MIN);
                        for (int p = 0; p < count; p++) {
                            uint16_t some;
                            memcpy(&some, in + places[p], 2);
                            sums[p] = _mm256_sub_epi16(_mm256_sll_epi16(sums[p], growth), expand(some));
                            most = _mm256_max_epi16(most, sums[p]);
                        }
                        bits = pack(_mm256_cmpgt_epi16(most, _mm256_sll_epi16(before, growth)));
                        before = most;
                    }
                    bits &= valid;
                    // The last eight channels have one byte.
                    memcpy(out + (size_t)step * job->out_strides.step + (size_t)(c >> 3), &bits, job->channels - c > 8 ? 2 : 1);
                }
            }
        }
    }
}
#else
typedef int spike_avx2_lists_are_for_x86_64;
#endif
