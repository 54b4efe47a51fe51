// Draws arguments for the kernels of an instruction set and compares them with the plain ones, byte for byte. The Swift tests
// do that and more on the machine they run on; this runs where no Swift is, such as under qemu, and with sanitizers.
#include "CSpikeKernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t state = 1;

static uint32_t draw(uint32_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static int between(int low, int high) { return low + (int)draw((uint32_t)(high - low + 1)); }

#define TILE 128
#define STEPS 9
#define ROWS 1200

// Everything lies on the heap, as large as a job needs and no larger, so that sanitizers watch the ends.
static void *zeros(size_t bytes) {
    void *memory = calloc(bytes ? bytes : 1, 1);
    if (!memory) abort();
    return memory;
}

static int failures = 0;

static void expect_same(const char *name, const void *a, const void *b, size_t bytes, int seed) {
    if (memcmp(a, b, bytes) == 0) return;
    if (failures++ < 20) printf("%s differs from the plain kernel, seed %d\n", name, seed);
}

static void store(int is_float, void *target, int index, int value) {
    if (is_float) {
        ((float *)target)[index] = (float)value / 8;
    } else {
        ((int32_t *)target)[index] = value;
    }
}

static void check_gather(const spike_kernel_table *table, const spike_kernel_table *plain, int is_float, int seed) {
    const int tile = is_float ? 8 << between(0, 3) : 32 << between(0, 2);
    const int steps = between(1, STEPS), width = between(1, 6);
    const int stride = between(1, ROWS / 6 / 8) * 8, rows = width * stride, density = between(0, 10);
    uint32_t *starts = zeros((size_t)steps * (size_t)(width + 1) * 4);
    uint16_t *entries = zeros(((size_t)steps * (size_t)rows + 4) * 2);
    uint32_t end = 0;
    for (int step = 0; step < steps; step++) {
        for (int x = 0; x <= width; x++) {
            starts[step * (width + 1) + x] = end;
            for (int c = 0; x < width && c < stride; c++) {
                if (between(0, 9) < density) entries[end++] = (uint16_t)(x * stride + c);
            }
        }
    }
    const size_t row_bytes = (size_t)tile * (is_float ? 4 : 1);
    uint8_t *weights = zeros((size_t)(rows + 1) * row_bytes);
    for (int i = 0; i < rows * tile; i++) {
        if (is_float) {
            store(1, weights, i, between(-64, 64));
        } else {
            weights[i] = (uint8_t)draw(256);
        }
    }
    if (!is_float) {
        int8_t nothing[TILE] = {0};
        spike_pack_i8(nothing, tile, weights + (size_t)rows * (size_t)tile);
    }
    const int from = between(0, width - 1);
    void *currents[2];
    for (int k = 0; k < 2; k++) {
        currents[k] = zeros((size_t)steps * (size_t)tile * 4);
        const spike_gather job = {
            .lists = {entries, starts, (size_t)width + 1}, .from = (uint32_t)from, .to = (uint32_t)width, .base = (uint16_t)(from * stride),
            .negative = seed % 3 == 0, .first = seed % 2, .tile = tile, .steps = steps, .shift = is_float ? 0 : seed % 9,
            .weights = weights, .zeros = (size_t)rows * row_bytes, .current = currents[k]};
        const spike_kernel_table *chosen = k ? plain : table;
        (is_float ? chosen->gather_f32 : chosen->gather_i8)(&job);
    }
    expect_same(is_float ? "gather_f32" : "gather_i8", currents[0], currents[1], (size_t)steps * (size_t)tile * 4, seed);
    if (!is_float) {
        int32_t *threshold = zeros((size_t)tile * 4), *membranes[2];
        uint8_t *bits[2];
        for (int i = 0; i < tile; i++) threshold[i] = between(100, 4000);
        for (int k = 0; k < 2; k++) {
            membranes[k] = zeros((size_t)tile * 4);
            bits[k] = zeros((size_t)(steps * tile / 8));
            const spike_gather_fire job = {
                .gather = {
                    .lists = {entries, starts, (size_t)width + 1}, .from = (uint32_t)from, .to = (uint32_t)width,
                    .base = (uint16_t)(from * stride), .negative = seed % 3 == 0, .first = seed % 2, .tile = tile, .steps = steps,
                    .shift = seed % 5, .weights = weights, .zeros = (size_t)rows * row_bytes, .current = currents[k]},
                .fire = {
                    .membrane = membranes[k], .threshold = threshold, .plus = bits[k], .step_bytes = (size_t)(tile / 8), .tile = tile,
                    .lanes = tile, .steps = steps, .limit = -1}};
            (k ? plain : table)->gather_fire_i8(&job);
        }
        expect_same("gather_fire_i8", bits[0], bits[1], (size_t)(steps * tile / 8), seed);
        expect_same("gather_fire_i8 membrane", membranes[0], membranes[1], (size_t)tile * 4, seed);
        free(threshold), free(membranes[0]), free(membranes[1]), free(bits[0]), free(bits[1]);
    }
    free(starts), free(entries), free(weights), free(currents[0]), free(currents[1]);
}

static void check_masked(const spike_kernel_table *table, const spike_kernel_table *plain, int is_float, int seed) {
    const int tile = 32 << between(0, is_float ? 1 : 2), steps = between(1, STEPS), count = between(0, 9);
    uint8_t *bits = zeros((size_t)steps * (size_t)(count + 1) * (size_t)tile / 8);
    for (int i = 0; i < steps * count * tile / 8; i++) bits[i] = (uint8_t)draw(256);
    void *weights = zeros((size_t)(count + 1) * (size_t)tile * 4);
    for (int i = 0; i < count * tile; i++) {
        if (is_float) {
            store(1, weights, i, between(-64, 64));
        } else {
            ((int16_t *)weights)[i] = (int16_t)between(-3000, 3000);
        }
    }
    spike_tap taps[9];
    for (int t = 0; t < count; t++) taps[t] = (spike_tap){bits + t * tile / 8, (char *)weights + (size_t)(t * tile) * (is_float ? 4 : 2)};
    void *currents[2];
    for (int k = 0; k < 2; k++) {
        currents[k] = zeros((size_t)steps * (size_t)tile * 4);
        const spike_masked job = {
            .taps = taps, .step_bytes = (size_t)(count * tile / 8), .tap_count = count, .tile = tile, .steps = steps, .shift = seed % 5,
            .negative = seed % 3 == 0, .current = currents[k]};
        const spike_kernel_table *chosen = k ? plain : table;
        (is_float ? chosen->masked_f32 : chosen->masked_i16)(&job);
    }
    expect_same(is_float ? "masked_f32" : "masked_i16", currents[0], currents[1], (size_t)steps * (size_t)tile * 4, seed);
    free(bits), free(weights), free(currents[0]), free(currents[1]);
}

static void check_dense(const spike_kernel_table *table, const spike_kernel_table *plain, int seed) {
    const int tile = 32 << between(0, 2), positions = between(1, SPIKE_POSITIONS), places = between(1, 9), groups = between(1, 40);
    const int largest = (1 << between(1, 7)) - 1;
    const uint8_t *numbers[9 * SPIKE_POSITIONS];
    uint8_t *values = zeros((size_t)(places * positions * groups) * 4);
    for (int i = 0; i < places * positions * groups * 4; i++) values[i] = (uint8_t)between(0, largest);
    for (int i = 0; i < places * positions; i++) numbers[i] = values + (size_t)i * (size_t)groups * 4;
    int8_t *weights = zeros((size_t)(places * groups * tile) * 4);
    for (int i = 0; i < places * groups * tile * 4; i++) weights[i] = (int8_t)between(-127, 127);
    int32_t *currents[2];
    for (int k = 0; k < 2; k++) {
        currents[k] = zeros((size_t)positions * (size_t)tile * 4);
        const spike_dense job = {
            .numbers = numbers, .places = places, .positions = positions, .groups = groups, .tile = tile, .shift = seed % 9,
            .negative = seed % 3 == 0, .largest = largest, .weights = weights, .current = currents[k], .current_stride = (size_t)tile};
        (k ? plain : table)->dense_i8(&job);
    }
    expect_same("dense_i8", currents[0], currents[1], (size_t)positions * (size_t)tile * 4, seed);
    free(values), free(weights), free(currents[0]), free(currents[1]);
}

static void check_numbers(const spike_kernel_table *table, const spike_kernel_table *plain, int seed) {
    const int steps = between(1, 7), words = between(1, 9), tile = 8 << between(0, 4), taps = between(0, 9);
    uint8_t *bits = zeros((size_t)(steps * words) * 8), *numbers[2], *values = zeros((size_t)(taps * tile));
    int16_t *weights = zeros((size_t)(taps * tile) * 2);
    for (int i = 0; i < steps * words * 8; i++) bits[i] = (uint8_t)draw(256);
    for (int i = 0; i < taps * tile; i++) {
        values[i] = (uint8_t)between(0, 127);
        weights[i] = (int16_t)between(-32768, 32767);
    }
    spike_tap taken[9];
    for (int t = 0; t < taps; t++) taken[t] = (spike_tap){values + t * tile, weights + t * tile};
    int32_t *currents[2];
    for (int k = 0; k < 2; k++) {
        const spike_kernel_table *chosen = k ? plain : table;
        numbers[k] = zeros((size_t)words * 64);
        const spike_digits digits = {
            .bits = bits, .step_bytes = (size_t)words * 8, .steps = steps, .words = (size_t)words, .numbers = numbers[k]};
        chosen->numbers_u8(&digits);
        currents[k] = zeros((size_t)tile * 4);
        const spike_weighted job = {
            .taps = taken, .tap_count = taps, .tile = tile, .shift = seed % 5, .negative = seed % 3 == 0, .current = currents[k]};
        chosen->weighted_i16(&job);
    }
    expect_same("numbers_u8", numbers[0], numbers[1], (size_t)words * 64, seed);
    expect_same("weighted_i16", currents[0], currents[1], (size_t)tile * 4, seed);
    for (int k = 0; k < 2; k++) free(numbers[k]), free(currents[k]);
    free(bits), free(values), free(weights);
}

static void check_counted(const spike_kernel_table *table, const spike_kernel_table *plain, int seed) {
    const int tile = 8 * between(1, 8), channels = between(1, 70), steps = between(1, STEPS);
    float *counts = zeros((size_t)(steps * channels) * 4), *weights = zeros((size_t)(channels * tile) * 4), *currents[2];
    for (int i = 0; i < steps * channels; i++) counts[i] = (float)between(0, 300);
    for (int i = 0; i < channels * tile; i++) weights[i] = (float)between(-60, 60) / 8;
    for (int k = 0; k < 2; k++) {
        currents[k] = zeros((size_t)(steps * tile) * 4);
        const spike_counted job = {
            .counts = counts, .count_stride = (size_t)channels, .channels = channels, .tile = tile, .steps = steps,
            .negative = seed % 3 == 0, .weights = weights, .current = currents[k]};
        (k ? plain : table)->counted_f32(&job);
    }
    expect_same("counted_f32", currents[0], currents[1], (size_t)(steps * tile) * 4, seed);
    free(counts), free(weights), free(currents[0]), free(currents[1]);
}

/// Values and weights are small dyadic numbers: every order of adding them gives the same sum.
static void check_analog(const spike_kernel_table *table, const spike_kernel_table *plain, int seed) {
    const int channels = between(1, 3), lanes = 8 * between(1, 18), block = 1 << between(0, 2), side = between(1, 3);
    spike_window w = {.height = between(side, 9), .width = between(side, 24), .kernel_height = side, .kernel_width = side};
    w.stride_y = w.stride_x = between(1, 2);
    w.dilation_y = w.dilation_x = 1;
    w.pad_top = w.pad_left = between(0, side - 1);
    w.out_height = (w.height + 2 * w.pad_top - side) / w.stride_y + 1;
    w.out_width = (w.width + 2 * w.pad_left - side) / w.stride_x + 1;
    const int columns = (w.out_width + block - 1) / block, stride = block * lanes;
    float *image = zeros((size_t)(channels * w.height * w.width) * 4), *bias = zeros((size_t)lanes * 4);
    float *weights = zeros((size_t)(channels * side * side * lanes) * 4);
    for (int i = 0; i < channels * w.height * w.width; i++) image[i] = (float)between(-60, 60) / 8;
    for (int i = 0; i < channels * side * side * lanes; i++) weights[i] = (float)between(-60, 60) / 8;
    for (int i = 0; i < lanes; i++) bias[i] = (float)between(-60, 60) / 8;
    const size_t count = (size_t)w.out_height * (size_t)columns * (size_t)stride;
    int32_t *targets[2];
    uint64_t limited[2];
    const int begin = between(0, w.out_height - 1), end = between(begin + 1, w.out_height);
    for (int k = 0; k < 2; k++) {
        targets[k] = zeros(count * 4);
        spike_analog job = {
            .image = image, .window = w, .channels = channels, .lanes = lanes, .block = block, .columns = columns, .stride = stride,
            .row_begin = begin, .row_end = end, .weights = weights, .bias = bias, .limit = seed % 2 ? 20 : 1000000,
            .target = targets[k]};
        (k ? plain : table)->analog_i32(&job);
        limited[k] = job.limited;
    }
    expect_same("analog_i32", targets[0], targets[1], count * 4, seed);
    expect_same("analog_i32 limited", &limited[0], &limited[1], sizeof limited[0], seed);
    for (int k = 0; k < 2; k++) free(targets[k]);
    free(image), free(bias), free(weights);
}

static void check_integrate(const spike_kernel_table *table, const spike_kernel_table *plain, int is_float, int seed) {
    const int tile = 8 << between(0, 4), steps = between(1, STEPS), growth = between(1, 2);
    void *current = zeros((size_t)(steps * tile) * 4);
    for (int i = 0; i < steps * tile; i++) store(is_float, current, i, between(-60, 60));
    void *membranes[2], *records[2];
    uint64_t saturations[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        membranes[k] = zeros((size_t)tile * 4);
        for (int i = 0; i < tile; i++) store(is_float, membranes[k], i, i * 7 % 50 - 25);
        records[k] = seed % 2 ? zeros((size_t)(steps * tile) * 4) : NULL;
        const spike_integrate job = {
            .current = current, .membrane = membranes[k], .record = records[k], .record_stride = (size_t)tile, .tile = tile,
            .steps = steps, .growth = growth, .saturations = seed % 3 ? &saturations[k] : NULL};
        const spike_kernel_table *chosen = k ? plain : table;
        (is_float ? chosen->integrate_f32 : chosen->integrate_i32)(&job);
    }
    expect_same(is_float ? "integrate_f32" : "integrate_i32", membranes[0], membranes[1], (size_t)tile * 4, seed);
    if (records[0]) expect_same("integrate record", records[0], records[1], (size_t)(steps * tile) * 4, seed);
    free(current), free(membranes[0]), free(membranes[1]), free(records[0]), free(records[1]);
}

static void check_other_neurons(const spike_kernel_table *table, const spike_kernel_table *plain, int is_float, int seed) {
    const int tile = 8 << between(0, 4), lanes = between(1, tile / 8) * 8, steps = between(1, STEPS), is_signed = seed % 2;
    void *current = zeros((size_t)(steps * tile) * 4), *threshold = zeros((size_t)tile * 4), *offset = zeros((size_t)tile * 4);
    for (int i = 0; i < steps * tile; i++) store(is_float, current, i, between(-60, 60));
    for (int i = 0; i < tile; i++) store(is_float, threshold, i, between(8, 40)), store(is_float, offset, i, between(-20, 20));
    void *membranes[2], *memories[2];
    uint8_t *plus[2], *minus[2];
    int16_t *counts[2];
    uint64_t saturations[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        membranes[k] = zeros((size_t)tile * 4), memories[k] = zeros((size_t)tile * 4);
        plus[k] = zeros((size_t)(steps * tile / 8)), minus[k] = zeros((size_t)(steps * tile / 8));
        counts[k] = zeros((size_t)(steps * tile) * 2);
        const spike_fire job = {
            .current = current, .offset = seed % 3 ? offset : NULL, .membrane = membranes[k], .memory = memories[k],
            .threshold = threshold, .plus = plus[k],
            .minus = minus[k], .step_bytes = (size_t)(tile / 8), .counts = counts[k], .count_stride = (size_t)tile, .tile = tile,
            .lanes = lanes, .steps = steps, .limit = is_signed ? -1 : 4, .saturations = &saturations[k]};
        const spike_kernel_table *chosen = k ? plain : table;
        if (is_signed) {
            (is_float ? chosen->fire_signed_f32 : chosen->fire_signed_i32)(&job);
        } else {
            (is_float ? chosen->fire_burst_f32 : chosen->fire_burst_i32)(&job);
        }
    }
    const char *name = is_signed ? "fire_signed" : "fire_burst";
    expect_same(name, membranes[0], membranes[1], (size_t)tile * 4, seed);
    expect_same(name, memories[0], memories[1], (size_t)tile * 4, seed);
    expect_same(name, plus[0], plus[1], (size_t)(steps * tile / 8), seed);
    expect_same(name, minus[0], minus[1], (size_t)(steps * tile / 8), seed);
    expect_same(name, counts[0], counts[1], (size_t)(steps * tile) * 2, seed);
    free(current), free(threshold), free(offset);
    for (int k = 0; k < 2; k++) free(membranes[k]), free(memories[k]), free(plus[k]), free(minus[k]), free(counts[k]);
}

static void check_fire(const spike_kernel_table *table, const spike_kernel_table *plain, int is_float, int seed) {
    const int tile = 8 << between(0, 4), lanes = between(1, tile / 8) * 8, steps = between(1, STEPS), halving = between(0, 3) == 0;
    void *current = zeros((size_t)(steps * tile) * 4), *threshold = zeros((size_t)tile * 4), *reset = zeros((size_t)tile * 4);
    void *offset = zeros((size_t)tile * 4);
    for (int i = 0; i < tile; i++) store(is_float, offset, i, between(-20, 20));
    for (int i = 0; i < steps * tile; i++) store(is_float, current, i, between(-60, 60));
    for (int i = 0; i < tile; i++) store(is_float, threshold, i, between(8, 40));
    const int is_hard = !halving && between(0, 4) == 0, has_current = between(0, 4) > 0, counts = between(0, 1);
    void *membranes[2];
    uint8_t *bits[2];
    uint64_t saturations[2] = {0, 0};
    const uint64_t start = state;
    for (int k = 0; k < 2; k++) {
        state = start;
        membranes[k] = zeros((size_t)tile * 4);
        bits[k] = zeros((size_t)steps * (size_t)(tile / 8));
        for (int i = 0; i < tile; i++) store(is_float, membranes[k], i, between(-200, 200));
        const spike_fire job = {
            .current = has_current ? current : NULL, .offset = seed % 3 ? offset : NULL, .membrane = membranes[k], .threshold = threshold, .reset = is_hard ? reset : NULL,
            .plus = bits[k], .step_bytes = (size_t)(tile / 8), .tile = tile, .lanes = lanes, .steps = steps, .exponent = steps - 1,
            .halving = halving, .limit = -1, .saturations = counts ? &saturations[k] : NULL};
        const spike_kernel_table *chosen = k ? plain : table;
        (is_float ? chosen->fire_if_f32 : chosen->fire_if_i32)(&job);
    }
    expect_same(is_float ? "fire_if_f32" : "fire_if_i32", bits[0], bits[1], (size_t)(steps * tile / 8), seed);
    expect_same(is_float ? "fire_if_f32 membrane" : "fire_if_i32 membrane", membranes[0], membranes[1], (size_t)tile * 4, seed);
    free(current), free(threshold), free(reset), free(offset), free(membranes[0]), free(membranes[1]), free(bits[0]), free(bits[1]);
}

static void check_lists_and_pools(const spike_kernel_table *table, const spike_kernel_table *plain, int seed) {
    const int height = between(1, 6), width = between(1, 6), channels = between(1, 70), steps = between(1, STEPS);
    const size_t pixel = (size_t)(channels + 7) / 8, row = (pixel * (size_t)width + 7) / 8 * 8, step = row * (size_t)height;
    const spike_strides strides = {pixel, row, step};
    uint8_t *bits = zeros(step * (size_t)steps + 8);
    for (int s = 0; s < steps; s++) {
        for (int y = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                for (int c = 0; c < channels; c++) {
                    if (draw(4) == 0) bits[(size_t)s * step + (size_t)y * row + (size_t)x * pixel + (size_t)(c >> 3)] |= (uint8_t)(1 << (c & 7));
                }
            }
        }
    }
    spike_window window = {height, width, 0, 0, between(1, height), between(1, width), between(1, 2), between(1, 2), 1, 1, 0, 0};
    if (draw(2)) window = (spike_window){height, width, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0};
    window.out_height = (height - window.kernel_height) / window.stride_y + 1;
    window.out_width = (width - window.kernel_width) / window.stride_x + 1;
    const size_t out_row = (pixel * (size_t)window.out_width + 7) / 8 * 8, out_step = out_row * (size_t)window.out_height;
    spike_rows rows = {window.out_height, 1, 1, 1, 0};
    if (draw(2)) rows = (spike_rows){between(1, 4), between(1, 4), between(1, 2), between(1, 2), between(0, 2)};
    const size_t most = (size_t)steps * (size_t)(rows.out_height * rows.kernel_height) *
                        (size_t)(window.out_width * window.kernel_height * window.kernel_width * channels);
    const size_t start_count = (size_t)(steps * rows.out_height * (window.out_width + 1));
    uint16_t *entries[2];
    uint32_t *starts[2], ends[2];
    uint8_t *pooled[2];
    // After many steps running sums are large, and lie far apart.
    const int sum_stride = (channels + 15) / 16 * 16, growth = 1 + seed % 2, has_sums = growth == 1 && draw(2);
    const size_t sum_count = (size_t)height * (size_t)width * (size_t)sum_stride;
    int32_t *sums = zeros(sum_count * 4);
    for (size_t i = 0; i < sum_count; i++) sums[i] = seed % 4 ? between(0, 9) : between(2000000000, 2000060000);
    const int whole = (int)draw(2), begin = whole ? 0 : between(0, channels - 1), count = whole ? channels : between(1, channels - begin);
    for (int k = 0; k < 2; k++) {
        const spike_kernel_table *chosen = k ? plain : table;
        entries[k] = zeros((most + 32) * 2);
        starts[k] = zeros(start_count * 4);
        pooled[k] = zeros(out_step * (size_t)steps + 8);
        spike_list_job lists = {
            .bits = bits, .strides = strides, .channel_begin = begin, .channel_count = count, .entry_stride = (count + 7) / 8 * 8,
            .step_end = steps, .window = window, .rows = rows, .entries = entries[k], .starts = starts[k]};
        chosen->list_bits(&lists);
        ends[k] = lists.end_entry;
        const spike_pool pool = {
            .plus = bits, .out_plus = pooled[k], .strides = strides, .out_strides = {pixel, out_row, out_step}, .channels = channels,
            .steps = steps, .row_end = window.out_height, .growth = growth, .sums = has_sums ? sums : NULL,
            .sum_stride = sum_stride, .window = window};
        chosen->pool_bits(&pool);
    }
    expect_same("list_bits ends", &ends[0], &ends[1], sizeof(ends[0]), seed);
    expect_same("list_bits entries", entries[0], entries[1], ends[1] * sizeof(uint16_t), seed);
    expect_same("list_bits starts", starts[0], starts[1], start_count * 4, seed);
    expect_same("pool_bits", pooled[0], pooled[1], out_step * (size_t)steps, seed);
    for (int k = 0; k < 2; k++) free(entries[k]), free(starts[k]), free(pooled[k]);
    free(bits), free(sums);
}

typedef struct {
    spike_crew *crew;
    int done[4];
} crew_job;

static void take_turn(void *context, int32_t slot) {
    crew_job *job = context;
    job->done[slot]++;
    // A crew that is at work takes nothing else on.
    if (spike_crew_run(job->crew, 2, take_turn, context)) failures++;
}

/// Every slot once for each job, whether the crew is awake or asleep; memory is watched by ThreadSanitizer.
static void check_crew(void) {
    crew_job job = {.crew = spike_crew_make(4)};
    int expected[4] = {0};
    if (spike_crew_run(job.crew, 5, take_turn, &job)) failures++;
    for (int round = 0; round < 2000; round++) {
        const int slots = between(1, 4);
        for (int slot = 0; slot < slots; slot++) expected[slot]++;
        if (!spike_crew_run(job.crew, slots, take_turn, &job)) failures++;
        if (round % 100 == 0) usleep(2000);
    }
    expect_same("crew", job.done, expected, sizeof expected, 0);
    spike_crew_free(job.crew);
}

int main(void) {
    const spike_isa isa = spike_isa_default();
    const spike_kernel_table *table = spike_table(isa), *plain = spike_table(SPIKE_ISA_SCALAR);
    int cases = 0;
    for (int seed = 0; seed < 400; seed++) {
        for (int is_float = 0; is_float < 2; is_float++) {
            check_gather(table, plain, is_float, seed);
            check_masked(table, plain, is_float, seed);
            check_fire(table, plain, is_float, seed);
            check_integrate(table, plain, is_float, seed);
            check_other_neurons(table, plain, is_float, seed);
            cases += 5;
        }
        check_dense(table, plain, seed);
        check_numbers(table, plain, seed);
        check_analog(table, plain, seed);
        check_counted(table, plain, seed);
        check_lists_and_pools(table, plain, seed);
        cases += 5;
    }
    check_crew();
    printf("%s against plain kernels: %d cases, %d differences\n", spike_isa_name(isa), cases, failures);
    return failures != 0;
}
