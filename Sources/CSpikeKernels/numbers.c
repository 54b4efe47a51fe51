#include "internal.h"

// What moves whole numbers, and puts them in the order that spike_rows_… read.

void spike_pack_f32(const float *weights, size_t row_stride, size_t column_stride, int32_t depth, int32_t columns, float *panels) {
    for (int first = 0; first < columns; first += SPIKE_PANEL) {
        const int count = columns - first < SPIKE_PANEL ? columns - first : SPIKE_PANEL;
        for (int k = 0; k < depth; k++, panels += SPIKE_PANEL) {
            const float *row = weights + (size_t)k * row_stride + (size_t)first * column_stride;
            for (int column = 0; column < count; column++) panels[column] = row[(size_t)column * column_stride];
            for (int column = count; column < SPIKE_PANEL; column++) panels[column] = 0;
        }
    }
}

void spike_pack_i16(const int16_t *numbers, size_t row_stride, size_t column_stride, int32_t depth, int32_t columns, int16_t *panels) {
    for (int first = 0; first < columns; first += SPIKE_PANEL) {
        const int count = columns - first < SPIKE_PANEL ? columns - first : SPIKE_PANEL;
        for (int k = 0; k < depth; k += 2, panels += 2 * SPIKE_PANEL) {
            const int16_t *row = numbers + (size_t)k * row_stride + (size_t)first * column_stride;
            const size_t next = k + 1 < depth ? row_stride : 0;
            const int16_t has_next = k + 1 < depth;
            for (int column = 0; column < count; column++) {
                panels[2 * column] = row[(size_t)column * column_stride];
                panels[2 * column + 1] = (int16_t)(row[(size_t)column * column_stride + next] * has_next);
            }
            for (int column = 2 * count; column < 2 * SPIKE_PANEL; column++) panels[column] = 0;
        }
    }
}

#define SPIKE_DECODE(number)                                                                                            \
    if (columns) {                                                                                                      \
        for (size_t begin = 0; begin < count; begin += columns) {                                                       \
            for (size_t i = 0; i < columns && begin + i < count; i++) target[begin + i] = (float)(number[begin + i] - offset) * step[i]; \
        }                                                                                                               \
    } else {                                                                                                            \
        for (size_t i = 0; i < count; i++) target[i] = (float)(number[i] - offset) * *step;                             \
    }

void spike_decode(const void *numbers, spike_numbers kind, int32_t offset, const float *step, size_t columns, size_t count, float *target) {
    const uint8_t *bytes = numbers;
    const int16_t *shorts = numbers;
    if (kind == SPIKE_NUMBERS_BYTES) {
        SPIKE_DECODE(bytes)
    } else {
        SPIKE_DECODE(shorts)
    }
}

void spike_widen(const uint8_t *bytes, int32_t offset, size_t count, int16_t *target) {
    for (size_t i = 0; i < count; i++) target[i] = (int16_t)(bytes[i] - offset);
}

#define SPIKE_PERMUTE(type)                                                                                             \
    for (size_t row = 0; row < rows; row++) {                                                                           \
        const type *from = (const type *)source + at;                                                                   \
        type *to = (type *)target + row * length;                                                                       \
        if (stride == 1) {                                                                                              \
            memcpy(to, from, length * sizeof(type));                                                                    \
        } else {                                                                                                        \
            for (size_t i = 0; i < length; i++) to[i] = from[i * stride];                                               \
        }                                                                                                               \
        for (int axis = rank - 2; axis >= 0; axis--) {                                                                  \
            at += strides[axis];                                                                                        \
            if (++place[axis] < sizes[axis]) break;                                                                     \
            at -= strides[axis] * sizes[axis];                                                                          \
            place[axis] = 0;                                                                                            \
        }                                                                                                               \
    }

void spike_permute(const void *source, void *target, int32_t rank, const size_t *sizes, const size_t *strides, size_t element) {
    size_t place[SPIKE_LARGEST_RANK] = {0}, rows = 1, at = 0;
    SPIKE_REQUIRE(rank >= 1 && rank <= SPIKE_LARGEST_RANK);
    for (int axis = 0; axis < rank - 1; axis++) rows *= sizes[axis];
    const size_t length = sizes[rank - 1], stride = strides[rank - 1];
    if (!length) return;
    switch (element) {
    case 1: SPIKE_PERMUTE(uint8_t) break;
    case 2: SPIKE_PERMUTE(uint16_t) break;
    default: SPIKE_REQUIRE(element == 4); SPIKE_PERMUTE(uint32_t)
    }
}

void spike_unroll_rows(const spike_unrolling *job, int32_t first, int32_t count, void *target) {
    const spike_window w = job->window;
    uint8_t *row = target;
    for (int position = first; position < first + count; position++, row += job->row_bytes) {
        const int y = position / w.out_width, x = position % w.out_width;
        uint8_t *place = row;
        for (int ky = 0; ky < w.kernel_height; ky++) {
            const int64_t line = (int64_t)y * w.stride_y - w.pad_top + (int64_t)ky * w.dilation_y;
            for (int kx = 0; kx < w.kernel_width; kx++, place += job->channel_bytes) {
                const int64_t column = (int64_t)x * w.stride_x - w.pad_left + (int64_t)kx * w.dilation_x;
                if (line < 0 || line >= w.height || column < 0 || column >= w.width) {
                    memset(place, job->padding, job->channel_bytes);
                } else {
                    memcpy(place, (const uint8_t *)job->image + ((size_t)line * (size_t)w.width + (size_t)column) * job->pixel_bytes, job->channel_bytes);
                }
            }
        }
        memset(place, job->padding, (size_t)(row + job->row_bytes - place));
    }
}
