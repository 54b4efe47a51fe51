#include "internal.h"

// Lists of active rows: from bits, and from counts (an entry for each spike of a count).

void spike_list_bits__scalar(spike_list_job *job) {
    const spike_window w = job->window;
    const size_t row_words = (size_t)w.width * job->words_per_pixel;
    const int first = job->channel_begin / 64, last = (job->channel_begin + job->channel_count - 1) / 64;
    uint16_t *entries = job->entries;
    uint32_t end = job->first_entry;
    for (int step = job->step_begin; step < job->step_end; step++) {
        uint32_t *starts = job->starts + (size_t)step * w.out_height * (w.out_width + 1);
        for (int y = 0; y < w.out_height; y++) {
            for (int x = 0; x < w.out_width; x++) {
                *starts++ = end;
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
                            const uint32_t base = (uint32_t)(x * job->channel_count + word * 64 - job->channel_begin);
                            for (; bits; bits &= bits - 1) entries[end++] = (uint16_t)(base + (uint32_t)__builtin_ctzll(bits));
                        }
                    }
                }
            }
            *starts++ = end;
        }
    }
    job->end_entry = end;
}

void spike_list_counts__scalar(spike_list_job *job) {
    const spike_window w = job->window;
    uint16_t *entries = job->entries;
    uint32_t end = job->first_entry;
    for (int step = job->step_begin; step < job->step_end; step++) {
        uint32_t *starts = job->starts + (size_t)step * w.out_height * (w.out_width + 1);
        for (int y = 0; y < w.out_height; y++) {
            for (int x = 0; x < w.out_width; x++) {
                *starts++ = end;
                for (int ky = 0; ky < w.kernel_height; ky++) {
                    const int sy = y * w.stride_y + ky * w.dilation_y - w.pad_top;
                    if (sy < 0 || sy >= w.height) continue;
                    for (int kx = 0; kx < w.kernel_width; kx++) {
                        const int sx = x * w.stride_x + kx * w.dilation_x - w.pad_left;
                        if (sx < 0 || sx >= w.width) continue;
                        const int16_t *pixel = job->counts + (((size_t)step * w.height + sy) * w.width + sx) * job->count_stride;
                        for (int c = 0; c < job->channel_count; c++) {
                            int count = pixel[job->channel_begin + c];
                            if (job->negative) count = -count;
                            for (; count > 0; count--) entries[end++] = (uint16_t)(x * job->channel_count + c);
                        }
                    }
                }
            }
            *starts++ = end;
        }
    }
    job->end_entry = end;
}

uint64_t spike_popcount(const uint64_t *words, size_t count) {
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) total += (uint64_t)__builtin_popcountll(words[i]);
    return total;
}

void spike_count_bits(
    const uint64_t *words, int32_t steps, int64_t pixels, int32_t words_per_pixel, int32_t channels, float *counts) {
    for (int step = 0; step < steps; step++) {
        for (int64_t pixel = 0; pixel < pixels; pixel++) {
            const uint64_t *row = words + ((size_t)step * (size_t)pixels + (size_t)pixel) * (size_t)words_per_pixel;
            for (int word = 0; word * 64 < channels; word++) {
                for (uint64_t bits = row[word]; bits; bits &= bits - 1) {
                    counts[(int64_t)(word * 64 + __builtin_ctzll(bits)) * pixels + pixel] += 1;
                }
            }
        }
    }
}
