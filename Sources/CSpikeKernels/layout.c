#include "internal.h"

#include <math.h>

// Between images [channels][height][width] and the engine's [height][width][channels].

void spike_nhwc_f32(const float *source, int64_t pixels, int32_t channels, int32_t stride, const float *scale, float *target) {
    for (int32_t c = 0; c < channels; c++) {
        const float factor = scale ? scale[c] : 1;
        for (int64_t pixel = 0; pixel < pixels; pixel++) target[pixel * stride + c] = source[c * pixels + pixel] * factor;
    }
    for (int64_t pixel = 0; pixel < pixels; pixel++) {
        for (int32_t c = channels; c < stride; c++) target[pixel * stride + c] = 0;
    }
}

uint64_t spike_nhwc_i32(
    const float *source, int64_t pixels, int32_t channels, int32_t stride, const float *scale, float limit, int32_t *target) {
    uint64_t limited = 0;
    for (int32_t c = 0; c < channels; c++) {
        const float factor = scale ? scale[c] : 1;
        for (int64_t pixel = 0; pixel < pixels; pixel++) {
            float value = nearbyintf(source[c * pixels + pixel] * factor);
            if (value > limit || value < -limit) {
                value = value > 0 ? limit : -limit;
                limited++;
            }
            target[pixel * stride + c] = (int32_t)value;
        }
    }
    for (int64_t pixel = 0; pixel < pixels; pixel++) {
        for (int32_t c = channels; c < stride; c++) target[pixel * stride + c] = 0;
    }
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
