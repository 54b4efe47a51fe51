#include "internal.h"

// Max pooling of spike trains. Running maximum: Σ ← g·Σ + s, emits max Σ − g·(max Σ before).

/// What one input place adds in a step: 1, 0 or −1, or a count.
static inline int spike_at(const spike_pool *job, size_t pixel, int c) {
    if (job->counts) return job->counts[pixel * (size_t)job->channels + (size_t)c];
    const size_t word = pixel * (size_t)job->words_per_pixel + (size_t)(c >> 6);
    const int plus = (int)(job->plus[word] >> (c & 63) & 1);
    return job->minus ? plus - (int)(job->minus[word] >> (c & 63) & 1) : plus;
}

static void spike_pool_plain(const spike_pool *job) {
    const spike_window w = job->window;
    const size_t in_pixels = (size_t)w.height * w.width, out_pixels = (size_t)w.out_height * w.out_width;
    const int sum_stride = job->counts ? job->channels : 64 * job->words_per_pixel;
    size_t places[SPIKE_LARGEST_POOL];
    int sums[SPIKE_LARGEST_POOL];
    for (int y = job->row_begin; y < job->row_end; y++) {
        for (int x = 0; x < w.out_width; x++) {
            int count = 0;
            for (int ky = 0; ky < w.kernel_height; ky++) {
                const int sy = y * w.stride_y + ky * w.dilation_y - w.pad_top;
                if (sy < 0 || sy >= w.height) continue;
                for (int kx = 0; kx < w.kernel_width; kx++) {
                    const int sx = x * w.stride_x + kx * w.dilation_x - w.pad_left;
                    if (sx >= 0 && sx < w.width) places[count++] = (size_t)sy * w.width + sx;
                }
            }
            const size_t out = (size_t)y * w.out_width + x;
            for (int c = 0; c < job->channels; c++) {
                int before = INT32_MIN;
                for (int p = 0; p < count; p++) {
                    sums[p] = job->sums ? job->sums[places[p] * (size_t)sum_stride + (size_t)c] : 0;
                    if (sums[p] > before) before = sums[p];
                }
                for (int step = 0; step < job->steps; step++) {
                    int most = INT32_MIN;
                    for (int p = 0; p < count; p++) {
                        const int spike = spike_at(job, (size_t)step * in_pixels + places[p], c);
                        sums[p] = job->instantaneous ? spike : job->growth * sums[p] + spike;
                        if (sums[p] > most) most = sums[p];
                    }
                    const int emitted = job->instantaneous ? most : most - job->growth * before;
                    before = most;
                    const size_t pixel = (size_t)step * out_pixels + out;
                    if (job->out_counts) {
                        job->out_counts[pixel * (size_t)job->channels + (size_t)c] = (int16_t)emitted;
                    } else {
                        const size_t word = pixel * (size_t)job->words_per_pixel + (size_t)(c >> 6);
                        const uint64_t bit = (uint64_t)1 << (c & 63);
                        if (emitted > 0) job->out_plus[word] |= bit;
                        if (emitted < 0) job->out_minus[word] |= bit;
                    }
                }
            }
        }
    }
}

void spike_pool_bits__scalar(const spike_pool *job) { spike_pool_plain(job); }

void spike_pool_counts__scalar(const spike_pool *job) { spike_pool_plain(job); }

void spike_pool_sums__scalar(const spike_pool_sums *job) {
    const int stride = job->counts ? job->channels : 64 * job->words_per_pixel;
    for (int64_t pixel = 0; pixel < job->pixels; pixel++) {
        int16_t *sums = job->sums + pixel * stride;
        for (int step = 0; step < job->steps; step++) {
            const int64_t place = step * job->pixels + pixel;
            if (job->growth != 1) {
                for (int c = 0; c < job->channels; c++) sums[c] = (int16_t)(sums[c] * job->growth);
            }
            if (job->counts) {
                for (int c = 0; c < job->channels; c++) sums[c] = (int16_t)(sums[c] + job->counts[place * job->channels + c]);
                continue;
            }
            for (int word = 0; word < job->words_per_pixel; word++) {
                uint64_t bits = job->plus[place * job->words_per_pixel + word];
                for (; bits; bits &= bits - 1) sums[word * 64 + __builtin_ctzll(bits)] += 1;
                bits = job->minus ? job->minus[place * job->words_per_pixel + word] : 0;
                for (; bits; bits &= bits - 1) sums[word * 64 + __builtin_ctzll(bits)] -= 1;
            }
        }
    }
}
