#include "internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma,popcnt,bmi")))

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

// A table gives the positions in a byte; all eight are stored, and as many kept as there are bits: nothing to mispredict.
AVX2 void spike_list_bits__avx2(spike_list_job *job) {
    const spike_window w = job->window;
    const size_t row_words = (size_t)w.width * job->words_per_pixel;
    const int first = job->channel_begin / 64, last = (job->channel_begin + job->channel_count - 1) / 64;
    uint16_t *entry = job->entries + job->first_entry;
    for (int step = job->step_begin; step < job->step_end; step++) {
        uint32_t *starts = job->starts + (size_t)step * w.out_height * (w.out_width + 1);
        for (int y = 0; y < w.out_height; y++) {
            for (int x = 0; x < w.out_width; x++) {
                *starts++ = (uint32_t)(entry - job->entries);
                for (int ky = 0; ky < w.kernel_height; ky++) {
                    const int sy = y * w.stride_y + ky * w.dilation_y - w.pad_top;
                    if (sy < 0 || sy >= w.height) continue;
                    for (int kx = 0; kx < w.kernel_width; kx++) {
                        const int sx = x * w.stride_x + kx * w.dilation_x - w.pad_left;
                        if (sx < 0 || sx >= w.width) continue;
                        const uint64_t *pixel =
                            job->words + ((size_t)step * w.height + sy) * row_words + (size_t)sx * job->words_per_pixel;
                        for (int word = first; word <= last; word++) {
                            uint64_t bits = pixel[word] & spike_channel_mask(job, word);
                            uint32_t base = (uint32_t)(x * job->channel_count + word * 64 - job->channel_begin);
                            for (; bits; bits >>= 8, base += 8) {
                                const uint8_t byte = (uint8_t)bits;
                                const __m128i places = _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)positions[byte]));
                                _mm_storeu_si128((__m128i *)entry, _mm_add_epi16(places, _mm_set1_epi16((int16_t)base)));
                                entry += _mm_popcnt_u32(byte);
                            }
                        }
                    }
                }
            }
            *starts++ = (uint32_t)(entry - job->entries);
        }
    }
    job->end_entry = (uint32_t)(entry - job->entries);
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

// Sixteen channels at a time, their sums in registers over all steps. Binary spikes, windows of up to 16 places.
AVX2 void spike_pool_bits__avx2(const spike_pool *job) {
    const spike_window w = job->window;
    if (job->minus || w.kernel_height * w.kernel_width > SMALL_POOL) {
        spike_pool_bits__scalar(job);
        return;
    }
    const size_t pixel_bytes = (size_t)job->words_per_pixel * 8, in_step = (size_t)w.height * w.width * pixel_bytes;
    const size_t out_step = (size_t)w.out_height * w.out_width * pixel_bytes;
    const __m128i growth = _mm_cvtsi32_si128(job->growth == 2 ? 1 : 0);
    for (int y = job->row_begin; y < job->row_end; y++) {
        for (int x = 0; x < w.out_width; x++) {
            size_t places[SMALL_POOL];
            int count = 0;
            for (int ky = 0; ky < w.kernel_height; ky++) {
                const int sy = y * w.stride_y + ky * w.dilation_y - w.pad_top;
                if (sy < 0 || sy >= w.height) continue;
                for (int kx = 0; kx < w.kernel_width; kx++) {
                    const int sx = x * w.stride_x + kx * w.dilation_x - w.pad_left;
                    if (sx >= 0 && sx < w.width) places[count++] = (size_t)sy * w.width + sx;
                }
            }
            uint8_t *out = (uint8_t *)job->out_plus + ((size_t)y * w.out_width + x) * pixel_bytes;
            for (int c = 0; c < job->channels; c += 16) {
                __m256i sums[SMALL_POOL], before = _mm256_set1_epi16(INT16_MIN);
                for (int p = 0; p < count; p++) {
                    sums[p] = job->sums ? _mm256_loadu_si256((const __m256i *)(job->sums + places[p] * pixel_bytes * 8 + c))
                                        : _mm256_setzero_si256();
                    before = _mm256_max_epi16(before, sums[p]);
                }
                for (int step = 0; step < job->steps; step++) {
                    const uint8_t *in = (const uint8_t *)job->plus + (size_t)step * in_step + (size_t)(c >> 3);
                    uint16_t bits;
                    if (job->instantaneous) {
                        bits = 0;
                        for (int p = 0; p < count; p++) {
                            uint16_t some;
                            memcpy(&some, in + places[p] * pixel_bytes, 2);
                            bits |= some;
                        }
                    } else {
                        __m256i most = _mm256_set1_epi16(INT16_MIN);
                        for (int p = 0; p < count; p++) {
                            uint16_t some;
                            memcpy(&some, in + places[p] * pixel_bytes, 2);
                            sums[p] = _mm256_sub_epi16(_mm256_sll_epi16(sums[p], growth), expand(some));
                            most = _mm256_max_epi16(most, sums[p]);
                        }
                        bits = pack(_mm256_cmpgt_epi16(most, _mm256_sll_epi16(before, growth)));
                        before = most;
                    }
                    memcpy(out + (size_t)step * out_step + (size_t)(c >> 3), &bits, 2);
                }
            }
        }
    }
}
#else
typedef int spike_avx2_lists_are_for_x86_64;
#endif
