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
                for (int y = 0; y < w.out_height; y++) {
                    const int sy = y * w.stride_y + ky * w.dilation_y - w.pad_top;
                    if (sy < 0 || sy >= w.height) {
                        memset(target, 0, sizeof(float) * (size_t)w.out_width);
                        target += w.out_width;
                        continue;
                    }
                    for (int x = 0; x < w.out_width; x++) {
                        const int sx = x * w.stride_x + kx * w.dilation_x - w.pad_left;
                        *target++ = sx >= 0 && sx < w.width ? plane[(size_t)sy * w.width + sx] : 0;
                    }
                }
            }
        }
    }
}
