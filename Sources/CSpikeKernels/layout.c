#include "internal.h"

// Between images [channels][height][width] and the engine's [height][width][channels].

// Channels innermost: they are read in as many streams and written one after the other. The other way round each number would
// touch a cache line of its own.
#define SPIKE_TO_LANES(type, statement)                                                                                 \
    const spike_lane_layout l = *layout;                                                                                \
    const int blocks = (l.width + l.block - 1) / l.block;                                                               \
    const size_t plane = (size_t)l.height * (size_t)l.width;                                                            \
    for (int y = 0; y < l.height; y++) {                                                                                \
        for (int x = 0; x < l.width; x++) {                                                                             \
            const float *pixel = image + (size_t)y * l.width + x;                                                       \
            type *lane = target + ((size_t)y * blocks + (size_t)(x / l.block)) * l.lanes + (size_t)(x % l.block) * l.channel_stride; \
            for (int c = 0; c < l.channels; c++) {                                                                      \
                const float number = pixel[(size_t)c * plane];                                                          \
                statement                                                                                               \
            }                                                                                                           \
        }                                                                                                               \
    }

void spike_to_lanes_f32(const float *image, const spike_lane_layout *layout, float *target) {
    SPIKE_TO_LANES(float, lane[c] = number;)
}

uint64_t spike_to_lanes_i32(const float *image, const spike_lane_layout *layout, const float *scale, float limit, int32_t *target) {
    uint64_t limited = 0;
    SPIKE_TO_LANES(int32_t, {
        float value = number * scale[c];
        // Not a number is limited too.
        if (!(value <= limit && value >= -limit)) {
            value = value < 0 ? -limit : limit;
            limited++;
        }
        // Halves away from zero, as the compiler of programs rounds.
        lane[c] = (int32_t)(value + (value < 0 ? -0.5f : 0.5f));
    })
    return limited;
}

void spike_unroll_f32(const float *image, int32_t channels, const spike_window *window, float *target) {
    const spike_window w = *window;
    for (int c = 0; c < channels; c++) {
        const float *plane = image + (size_t)c * w.height * w.width;
        for (int ky = 0; ky < w.kernel_height; ky++) {
            for (int kx = 0; kx < w.kernel_width; kx++) {
                // The other way round: the outputs that place of the kernel has in the input.
                const spike_walk columns = spike_walk_inside(w.width, kx * w.dilation_x - w.pad_left, w.stride_x, w.out_width);
                memset(target, 0, sizeof(float) * (size_t)w.out_height * (size_t)w.out_width);
                SPIKE_EACH(row, spike_walk_inside(w.height, ky * w.dilation_y - w.pad_top, w.stride_y, w.out_height)) {
                    const float *line = plane + (size_t)row.at * w.width;
                    SPIKE_EACH(column, columns) target[(size_t)row.place * w.out_width + column.place] = line[column.at];
                }
                target += (size_t)w.out_height * (size_t)w.out_width;
            }
        }
    }
}

void spike_move_pixels(const spike_move *given) {
    const spike_move job = *given;
    for (int step = 0; step < job.steps; step++) {
        for (int y = job.row_begin; y < job.row_end; y++) {
            const int32_t *pixels = job.pixels + (size_t)y * job.out_width;
            const uint8_t *source = job.source + (size_t)step * job.strides.step;
            uint8_t *target = job.target + (size_t)step * job.out_strides.step + (size_t)y * job.out_strides.row;
            for (int x = 0; x < job.out_width;) {
                const int from = pixels[x];
                int count = 1;
                // Neighbours of one row that stay neighbours go together.
                while (from >= 0 && x + count < job.out_width && (from + count) % job.width && pixels[x + count] == from + count) count++;
                if (from >= 0) {
                    const uint8_t *pixel = source + (size_t)(from / job.width) * job.strides.row + (size_t)(from % job.width) * job.strides.pixel;
                    memcpy(target + (size_t)x * job.out_strides.pixel, pixel, (size_t)count * job.strides.pixel);
                }
                x += count;
            }
        }
    }
}
