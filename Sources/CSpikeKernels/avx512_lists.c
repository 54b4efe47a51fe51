#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"

#define AVX512_COMPRESS __attribute__((target("avx2,fma,popcnt,bmi,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512vbmi2")))

/// The positions of the set bits of a word, packed to the front: as many are kept as there are bits, so that there is nothing to
/// mispredict unless more than a quarter of the neurons spike.
SPIKE_INLINE AVX512_COMPRESS uint16_t *emit(uint16_t *entry, uint64_t bits, __m512i places, uint32_t base) {
    const __m512i packed = _mm512_maskz_compress_epi8(bits, places);
    const __m256i first = _mm256_set1_epi16((int16_t)base);
    const int64_t count = _mm_popcnt_u64(bits);
    _mm256_storeu_si256((__m256i *)entry, _mm256_add_epi16(_mm256_cvtepu8_epi16(_mm512_castsi512_si128(packed)), first));
    if (__builtin_expect(count > 16, 0)) {
        const __m128i rest[3] = {
            _mm512_extracti32x4_epi32(packed, 1), _mm512_extracti32x4_epi32(packed, 2), _mm512_extracti32x4_epi32(packed, 3)};
        for (int i = 0; 16 * (i + 1) < count; i++) {
            _mm256_storeu_si256((__m256i *)(entry + 16 * (i + 1)), _mm256_add_epi16(_mm256_cvtepu8_epi16(rest[i]), first));
        }
    }
    return entry + count;
}

#define LARGEST_KERNEL 32

/// No pooling and all channels, 64 at a time. Of narrow images (1, 2, 4 or 8 bytes a pixel) the rows of a column follow each other
/// without a gap, so that some of them fill a word together.
SPIKE_INLINE AVX512_COMPRESS void list_columns(spike_list_job *job, const int narrow) {
    const spike_window w = job->window;
    const spike_rows rows = job->rows;
    uint8_t order[64];
    for (int i = 0; i < 64; i++) order[i] = (uint8_t)i;
    const __m512i places = _mm512_loadu_si512(order);
    const int bytes = (int)job->strides.pixel, together = narrow ? 8 / narrow : 1;
    const uint8_t *lines[LARGEST_KERNEL + 8];
    uint16_t *entry = job->entries + job->first_entry;
    for (int step = job->step_begin; step < job->step_end; step++) {
        uint32_t *starts = job->starts + (size_t)step * rows.out_height * (w.out_width + 1);
        const uint8_t *bits = job->bits + (size_t)step * job->strides.step;
        for (int out = 0; out < rows.out_height; out++) {
            const spike_walk seen = spike_walk_list(job, out);
            int count = 0;
            SPIKE_EACH(line, seen) lines[count++] = bits + (size_t)line.at * job->strides.row;
            // A word that is not full repeats a row, of which nothing is taken.
            for (int i = 0; i < 7 && count > 0; i++) lines[count + i] = lines[0];
            for (int x = 0; x < w.out_width; x++) {
                *starts++ = (uint32_t)(entry - job->entries);
                uint32_t base = ((uint32_t)x * (uint32_t)rows.kernel_height + (uint32_t)seen.place) * (uint32_t)job->entry_stride;
                if (narrow) {
                    const size_t column = (size_t)x * (size_t)narrow;
                    for (int row = 0; row < count; row += together, base += 64) {
                        uint64_t word = 0;
                        for (int i = 0; i < together; i++) {
                            uint64_t some = 0;
                            memcpy(&some, lines[row + i] + column, (size_t)narrow);
                            word |= some << (8 * narrow * i & 63);
                        }
                        const int rest = 8 * narrow * (count - row);
                        entry = emit(entry, rest < 64 ? word & (((uint64_t)1 << rest) - 1) : word, places, base);
                    }
                    continue;
                }
                for (int row = 0; row < count; row++, base += (uint32_t)job->entry_stride) {
                    const uint8_t *pixel = lines[row] + (size_t)x * (size_t)bytes;
                    int byte = 0;
                    for (; byte + 8 <= bytes; byte += 8) {
                        uint64_t word;
                        memcpy(&word, pixel + byte, 8);
                        entry = emit(entry, word, places, base + (uint32_t)byte * 8);
                    }
                    for (; byte < bytes; byte++) entry = emit(entry, pixel[byte], places, base + (uint32_t)byte * 8);
                }
            }
            *starts++ = (uint32_t)(entry - job->entries);
        }
    }
    job->end_entry = (uint32_t)(entry - job->entries);
}

AVX512_COMPRESS void spike_list_bits__avx512(spike_list_job *job) {
    const spike_window w = job->window;
    const bool plain = w.kernel_height == 1 && w.kernel_width == 1 && w.stride_y == 1 && w.stride_x == 1 && w.pad_top == 0 &&
                       w.pad_left == 0 && w.out_height == w.height && w.out_width == w.width && job->channel_begin == 0 &&
                       job->channel_count == job->entry_stride && job->entry_stride == (int)job->strides.pixel * 8;
    if (!plain || job->rows.kernel_height > LARGEST_KERNEL || !__builtin_cpu_supports("avx512vbmi2")) {
        spike_list_bits__avx2(job);
        return;
    }
    switch (job->strides.pixel) {
    case 1: list_columns(job, 1); break;
    case 2: list_columns(job, 2); break;
    case 4: list_columns(job, 4); break;
    case 8: list_columns(job, 8); break;
    default: list_columns(job, 0);
    }
}

#define SMALL_POOL 16

/// All steps of up to 64 channels at one place of the output: `bytes` of bits at `in` and `out`.
INLINE_AVX512 void pool_place(
    const spike_pool *job, const size_t *places, int count, const uint8_t *in, uint8_t *out, const size_t bytes) {
    const __m512i one = _mm512_set1_epi8(1), zero = _mm512_setzero_si512();
    __m512i sums[SMALL_POOL], before = zero;
    for (int p = 0; p < count; p++) sums[p] = zero;
    for (int step = 0; step < job->steps; step++, in += job->strides.step, out += job->out_strides.step) {
        uint64_t bits = 0;
        __m512i most = zero;
        for (int p = 0; p < count; p++) {
            uint64_t some = 0;
            memcpy(&some, in + places[p], bytes);
            if (job->instantaneous) {
                bits |= some;
            } else {
                if (job->growth == 2) sums[p] = _mm512_add_epi8(sums[p], sums[p]);
                sums[p] = _mm512_mask_add_epi8(sums[p], some, sums[p], one);
                most = _mm512_max_epu8(most, sums[p]);
            }
        }
        if (!job->instantaneous) {
            if (job->growth == 2) before = _mm512_add_epi8(before, before);
            bits = _mm512_cmpgt_epu8_mask(most, before);
            before = most;
        }
        memcpy(out, &bits, bytes);
    }
}

// As the AVX2 kernel, 64 channels at a time: sums of 8 bits are enough where the whole simulation is one block.
AVX512 void spike_pool_bits__avx512(const spike_pool *job) {
    const spike_window w = job->window;
    const bool fits = job->growth == 2 ? job->steps <= 7 : job->steps <= 127;
    if (job->minus || job->sums || !fits || (int64_t)w.kernel_height * w.kernel_width > SMALL_POOL) {
        spike_pool_bits__avx2(job);
        return;
    }
    for (int y = job->row_begin; y < job->row_end; y++) {
        for (int x = 0; x < w.out_width; x++) {
            size_t places[SMALL_POOL];
            const int count = spike_pool_places(job, y, x, places, NULL);
            const uint8_t *in = job->plus;
            uint8_t *out = job->out_plus + (size_t)y * job->out_strides.row + (size_t)x * job->out_strides.pixel;
            int bytes = (job->channels + 7) / 8;
            while (bytes > 0) {
                const int some = bytes >= 8 ? 8 : bytes >= 4 ? 4 : bytes >= 2 ? 2 : 1;
                switch (some) {
                case 8: pool_place(job, places, count, in, out, 8); break;
                case 4: pool_place(job, places, count, in, out, 4); break;
                case 2: pool_place(job, places, count, in, out, 2); break;
                default: pool_place(job, places, count, in, out, 1);
                }
                in += some, out += some, bytes -= some;
            }
        }
    }
}
/// The ones of each half of a byte are looked up.
AVX512 uint64_t spike_popcount__avx512(const uint64_t *words, size_t count) {
    const __m512i ones = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4)), low = _mm512_set1_epi8(15);
    __m512i sums = _mm512_setzero_si512();
    for (size_t i = 0; i < count; i += 8) {
        const __mmask8 some = count - i < 8 ? (__mmask8)((1u << (count - i)) - 1) : 0xff;
        const __m512i bytes = _mm512_maskz_loadu_epi64(some, words + i);
        const __m512i first = _mm512_shuffle_epi8(ones, _mm512_and_si512(bytes, low));
        const __m512i second = _mm512_shuffle_epi8(ones, _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low));
        sums = _mm512_add_epi64(sums, _mm512_sad_epu8(_mm512_add_epi8(first, second), _mm512_setzero_si512()));
    }
    return (uint64_t)_mm512_reduce_add_epi64(sums);
}
#else
typedef int spike_avx512_lists_are_for_x86_64;
#endif
