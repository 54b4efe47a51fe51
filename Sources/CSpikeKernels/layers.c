#include "internal.h"
#include "layers.inc"

// Layers of a radix code in whole numbers: each neuron's spikes are the digits of one, and what it reads are such numbers.

void spike_layer_u8__scalar(const spike_layer *job) {
    const int lane_end = job->lane_end < job->channels ? job->lane_end : job->channels;
    for (int y = job->row_begin; y < job->row_end; y++) {
        for (int x = 0; x < job->width; x++) {
            uint8_t *target = job->target + (size_t)y * job->target_row + (size_t)x * job->target_pixel;
            for (int lane = job->lane_begin; lane < lane_end; lane++) {
                int32_t sum = job->start[lane];
                if (job->added) sum += job->added[(size_t)y * job->added_row + (size_t)x * job->added_pixel + (size_t)lane];
                for (int b = 0; b < job->branch_count; b++) {
                    const spike_layer_branch *branch = job->branches + b;
                    if (lane < branch->lane_begin || lane >= branch->lane_end) continue;
                    const uint8_t *window = branch->image + (size_t)y * branch->row + (size_t)x * branch->pixel;
                    const int32_t runs = branch->run_rows * branch->run_columns;
                    int32_t part = 0;
                    for (int run = 0; run < runs; run++) {
                        const uint8_t *numbers = window + (size_t)(run / branch->run_columns) * branch->run_row +
                                                 (size_t)(run % branch->run_columns) * branch->run_column;
                        if (branch->groups == 0) {
                            part += numbers[lane] * ((const int16_t *)branch->weights)[(size_t)run * (size_t)job->lanes + (size_t)lane];
                            continue;
                        }
                        const size_t step = 4 * layer_block(job, lane);
                        const int8_t *weights = layer_weights(branch, lane) + (size_t)run * (size_t)branch->groups * step;
                        for (int g = 0; g < branch->groups; g++, weights += step) {
                            for (int c = 0; c < 4; c++) part += numbers[4 * g + c] * weights[c];
                        }
                    }
                    sum += part * ((int32_t)1 << branch->shift);
                }
                const int32_t number = sum <= 0 ? 0 : sum / job->threshold[lane];
                target[lane] = (uint8_t)(number < job->largest ? number : job->largest);
            }
        }
    }
}

typedef uint8_t bytes16 __attribute__((vector_size(16)));

/// 16 channels of a window.
SPIKE_INLINE bytes16 pool_window(const uint8_t *window, size_t place_row, size_t place_column, int places_y, int places_x, const bool sums) {
    bytes16 result = {0};
    for (int y = 0; y < places_y; y++, window += place_row) {
        const uint8_t *place = window;
        for (int x = 0; x < places_x; x++, place += place_column) {
            bytes16 some;
            memcpy(&some, place, 16);
            const bytes16 is_less = (bytes16)(result < some);
            result = sums ? result + some : (some & is_less) | (result & ~is_less);
        }
    }
    return result;
}

SPIKE_INLINE void pool_rows(const spike_image_pool *job, int places_y, int places_x, const bool sums) {
    const size_t place_row = job->place_row, place_column = job->place_column, row = job->row, pixel = job->pixel;
    const size_t target_row = job->target_row, target_pixel = job->target_pixel;
    const int width = job->width, channels = job->channels;
    for (int y = job->row_begin; y < job->row_end; y++) {
        const uint8_t *window = job->image + (size_t)y * row;
        uint8_t *target = job->target + (size_t)y * target_row;
        for (int x = 0; x < width; x++, window += pixel, target += target_pixel) {
            int c = 0;
            for (; c + 16 <= channels; c += 16) {
                const bytes16 result = pool_window(window + c, place_row, place_column, places_y, places_x, sums);
                memcpy(target + c, &result, 16);
            }
            if (c < channels) {
                const bytes16 result = pool_window(window + c, place_row, place_column, places_y, places_x, sums);
                memcpy(target + c, &result, 8);
            }
        }
    }
}

void spike_pool_image(const spike_image_pool *given) {
    // A copy: bytes that are written could be part of the job, which would be read again for each of them.
    const spike_image_pool job = *given;
    const bool is_usual = job.places_y == 2 && job.places_x == 2;
    if (is_usual && job.sums) {
        pool_rows(&job, 2, 2, true);
    } else if (is_usual) {
        pool_rows(&job, 2, 2, false);
    } else if (job.sums) {
        pool_rows(&job, job.places_y, job.places_x, true);
    } else {
        pool_rows(&job, job.places_y, job.places_x, false);
    }
}

/// Rows of an analog layer that are made, and read, together: they stay in the cache.
#define SPIKE_ANALOG_ROWS 4

static void spike_run_analog(spike_layer_step *step, const spike_kernel_table *table) {
    spike_layer layer = step->layer;
    spike_analog analog = step->analog;
    for (int row = step->layer.row_begin; row < step->layer.row_end; row += SPIKE_ANALOG_ROWS) {
        const int left = step->layer.row_end - row;
        layer.row_begin = analog.row_begin = row;
        layer.row_end = analog.row_end = row + (left < SPIKE_ANALOG_ROWS ? left : SPIKE_ANALOG_ROWS);
        table->analog_i32(&analog);
        table->layer_u8(&layer);
    }
    step->analog.limited = analog.limited;
}

void spike_run_layers(spike_layer_step *steps, int32_t count, const spike_kernel_table *table) {
    for (int i = 0; i < count; i++) {
        if (steps[i].is_pool) {
            spike_pool_image(&steps[i].pool);
        } else if (steps[i].is_analog) {
            spike_run_analog(steps + i, table);
        } else {
            table->layer_u8(&steps[i].layer);
        }
    }
}

void spike_digits_of(const uint8_t *numbers, size_t bytes, int32_t steps, uint8_t *bits, size_t step_bytes) {
    for (size_t byte = 0; byte < bytes; byte++) {
        uint64_t eight;
        memcpy(&eight, numbers + 8 * byte, 8);
        for (int step = 0; step < steps; step++) {
            // One bit of each byte, moved together to the highest byte.
            const uint64_t ones = eight >> (steps - 1 - step) & 0x0101010101010101u;
            bits[(size_t)step * step_bytes + byte] = (uint8_t)((ones * 0x0102040810204080u) >> 56);
        }
    }
}

void spike_count_digits(const uint8_t *image, size_t row, size_t pixel, int32_t height, int32_t width, int32_t channels, float *counts) {
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const uint8_t *numbers = image + (size_t)y * row + (size_t)x * pixel;
            for (int c = 0; c < channels; c++) {
                counts[((size_t)c * (size_t)height + (size_t)y) * (size_t)width + (size_t)x] += (float)__builtin_popcount(numbers[c]);
            }
        }
    }
}
