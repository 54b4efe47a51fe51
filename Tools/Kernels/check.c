// Draws arguments for every kernel of kernels.def and compares those of an instruction set with the plain ones, byte for byte. The Swift
// tests do that and more on the machine they run on; this runs where no Swift is, such as under qemu, and with sanitizers. With
// `--times` it tells how long the jobs take instead.
#include "CSpikeKernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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

// Everything lies on the heap, as large as a job needs and no larger, so that sanitizers watch the ends. It stays until the check ends.
static void *blocks[64];
static int block_count = 0;

static void *zeros(size_t bytes) {
    void *memory = calloc(bytes ? bytes : 1, 1);
    if (!memory || block_count == 64) abort();
    return blocks[block_count++] = memory;
}

static void release(void) {
    while (block_count > 0) free(blocks[--block_count]);
}

static int failures = 0, cases = 0;

/// How often each job runs, to be timed, and the nanoseconds of the kernels and of the plain ones.
static int repeats = 1;
static double spent[2];

/// Of processor time.
static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/// The kernel's own turn (0), then that of the plain one (1), with a job of its own each.
#define RUN(turn, job)                                                                                                  \
    do {                                                                                                                \
        const double begin = now();                                                                                     \
        for (int i = 0; i < repeats; i++) ((turn) ? plain : kernel)(job);                                               \
        spent[turn] += now() - begin;                                                                                   \
    } while (0)

static void expect_same(const char *name, const char *what, const void *a, const void *b, size_t bytes, int seed) {
    if (repeats > 1 || memcmp(a, b, bytes) == 0) return;
    if (failures++ < 20) printf("%s: %s differ from the plain kernel's, seed %d\n", name, what, seed);
}

static int is_float(const char *name) { return strstr(name, "_f32") != NULL; }

static void store(int floats, void *target, int index, int value) {
    if (floats) {
        ((float *)target)[index] = (float)value / 8;
    } else {
        ((int32_t *)target)[index] = value;
    }
}

/// Numbers of 32 bits: multiples of 1/8, of which every order of adding gives the same sum, or whole ones.
static void *numbers(int floats, int count, int low, int high) {
    void *target = zeros((size_t)count * 4);
    for (int i = 0; i < count; i++) store(floats, target, i, between(low, high));
    return target;
}

static uint8_t *bytes(size_t count, int below) {
    uint8_t *target = zeros(count);
    for (size_t i = 0; i < count; i++) target[i] = (uint8_t)draw((uint32_t)below);
    return target;
}

/// Lists of single columns: positions x · stride + c.
static spike_lists lists(int steps, int width, int stride) {
    const int density = between(0, 10);
    uint32_t *starts = zeros((size_t)steps * (size_t)(width + 1) * 4), end = 0;
    uint16_t *entries = zeros(((size_t)(steps * width * stride) + 4) * 2);
    for (int step = 0; step < steps; step++) {
        for (int x = 0; x <= width; x++) {
            starts[step * (width + 1) + x] = end;
            for (int c = 0; x < width && c < stride; c++) {
                if (between(0, 9) < density) entries[end++] = (uint16_t)(x * stride + c);
            }
        }
    }
    return (spike_lists){entries, starts, (size_t)width + 1};
}

static spike_gather gathering(int floats, int seed) {
    const int tile = floats ? 8 << between(0, 3) : 32 << between(0, 2);
    const int steps = between(1, STEPS), width = between(1, 6);
    const int stride = between(1, ROWS / 6 / 8) * 8, rows = width * stride, from = between(0, width - 1);
    const size_t row_bytes = (size_t)tile * (floats ? 4 : 1);
    uint8_t *weights = zeros((size_t)(rows + 1) * row_bytes);
    for (int i = 0; i < rows * tile; i++) {
        if (floats) {
            store(1, weights, i, between(-64, 64));
        } else {
            weights[i] = (uint8_t)draw(256);
        }
    }
    if (!floats) {
        int8_t nothing[TILE] = {0};
        spike_pack_i8(nothing, tile, weights + (size_t)rows * (size_t)tile);
    }
    return (spike_gather){
        .lists = lists(steps, width, stride), .from = (uint32_t)from, .to = (uint32_t)width, .base = (uint16_t)(from * stride),
        .negative = seed % 3 == 0, .first = seed % 2, .tile = tile, .steps = steps, .shift = floats ? 0 : seed % 9, .weights = weights,
        .zeros = (size_t)rows * row_bytes};
}

static void check_gather(const char *name, void (*kernel)(const spike_gather *), void (*plain)(const spike_gather *), int seed) {
    spike_gather job = gathering(is_float(name), seed);
    const size_t size = (size_t)job.steps * (size_t)job.tile * 4;
    void *currents[2];
    for (int k = 0; k < 2; k++) {
        job.current = currents[k] = zeros(size);
        RUN(k, &job);
    }
    expect_same(name, "currents", currents[0], currents[1], size, seed);
}

static void check_gather_fire(
    const char *name, void (*kernel)(const spike_gather_fire *), void (*plain)(const spike_gather_fire *), int seed) {
    spike_gather_fire job = {.gather = gathering(0, seed)};
    const int tile = job.gather.tile, steps = job.gather.steps;
    job.gather.shift = seed % 5;
    job.fire = (spike_fire){
        .threshold = numbers(0, tile, 100, 4000), .step_bytes = (size_t)(tile / 8), .tile = tile, .lanes = tile, .steps = steps, .limit = -1};
    void *membranes[2], *spikes[2];
    for (int k = 0; k < 2; k++) {
        job.gather.current = zeros((size_t)(steps * tile) * 4);
        job.fire.membrane = membranes[k] = zeros((size_t)tile * 4);
        job.fire.plus = spikes[k] = zeros((size_t)(steps * tile / 8));
        RUN(k, &job);
    }
    expect_same(name, "spikes", spikes[0], spikes[1], (size_t)(steps * tile / 8), seed);
    expect_same(name, "membranes", membranes[0], membranes[1], (size_t)tile * 4, seed);
}

static void check_scatter(const char *name, void (*kernel)(const spike_scatter *), void (*plain)(const spike_scatter *), int seed) {
    const int tile = 8 * between(1, 8), steps = between(1, STEPS), width = between(1, 6), channels = between(1, 70), count = between(0, 9);
    spike_segment segments[9];
    for (int s = 0; s < count; s++) {
        const int x = between(0, width - 1);
        segments[s] = (spike_segment){(uint32_t)x, (uint32_t)x + 1, (uint32_t)(s * channels), (uint16_t)(x * channels)};
    }
    spike_scatter job = {
        .lists = lists(steps, width, channels), .segments = segments, .segment_count = count, .tile = tile, .steps = steps,
        .offset = between(-channels, tile), .negative = seed % 3 == 0, .weights = numbers(is_float(name), count * channels, -64, 64)};
    void *currents[2];
    for (int k = 0; k < 2; k++) {
        job.current = currents[k] = zeros((size_t)(steps * tile) * 4);
        RUN(k, &job);
    }
    expect_same(name, "currents", currents[0], currents[1], (size_t)(steps * tile) * 4, seed);
}

static void check_masked(const char *name, void (*kernel)(const spike_masked *), void (*plain)(const spike_masked *), int seed) {
    const int floats = is_float(name), tile = 32 << between(0, floats ? 1 : 2), steps = between(1, STEPS), count = between(0, 9);
    const uint8_t *bits = bytes((size_t)(steps * (count + 1) * tile / 8), 256);
    void *weights = numbers(1, count * tile, -64, 64);
    for (int i = 0; i < count * tile && !floats; i++) ((int16_t *)weights)[i] = (int16_t)between(-3000, 3000);
    spike_tap taps[9];
    for (int t = 0; t < count; t++) taps[t] = (spike_tap){bits + t * tile / 8, (char *)weights + (size_t)(t * tile) * (floats ? 4 : 2)};
    spike_masked job = {
        .taps = taps, .step_bytes = (size_t)(count * tile / 8), .tap_count = count, .tile = tile, .steps = steps, .shift = seed % 5,
        .negative = seed % 3 == 0};
    void *currents[2];
    for (int k = 0; k < 2; k++) {
        job.current = currents[k] = zeros((size_t)(steps * tile) * 4);
        RUN(k, &job);
    }
    expect_same(name, "currents", currents[0], currents[1], (size_t)(steps * tile) * 4, seed);
}

static void check_dense(const char *name, void (*kernel)(const spike_dense *), void (*plain)(const spike_dense *), int seed) {
    const int tile = 32 << between(0, 2), positions = between(1, SPIKE_POSITIONS), places = between(1, 9), groups = between(1, 40);
    const int largest = (1 << between(1, 7)) - 1;
    const uint8_t *numbers[9 * SPIKE_POSITIONS], *values = bytes((size_t)(places * positions * groups) * 4, largest + 1);
    for (int i = 0; i < places * positions; i++) numbers[i] = values + (size_t)i * (size_t)groups * 4;
    int8_t *weights = zeros((size_t)(places * groups * tile) * 4);
    for (int i = 0; i < places * groups * tile * 4; i++) weights[i] = (int8_t)between(-127, 127);
    spike_dense job = {
        .numbers = numbers, .places = places, .positions = positions, .groups = groups, .tile = tile, .shift = seed % 9,
        .negative = seed % 3 == 0, .largest = largest, .weights = weights, .current_stride = (size_t)tile};
    void *currents[2];
    for (int k = 0; k < 2; k++) {
        job.current = currents[k] = zeros((size_t)(positions * tile) * 4);
        RUN(k, &job);
    }
    expect_same(name, "currents", currents[0], currents[1], (size_t)(positions * tile) * 4, seed);
}

static void check_digits(const char *name, void (*kernel)(const spike_digits *), void (*plain)(const spike_digits *), int seed) {
    const int steps = between(1, 7), words = between(1, 9);
    spike_digits job = {
        .bits = bytes((size_t)(steps * words) * 8, 256), .step_bytes = (size_t)words * 8, .steps = steps, .words = (size_t)words};
    void *found[2];
    for (int k = 0; k < 2; k++) {
        job.numbers = found[k] = zeros((size_t)words * 64);
        RUN(k, &job);
    }
    expect_same(name, "numbers", found[0], found[1], (size_t)words * 64, seed);
}

static void check_layer(const char *name, void (*kernel)(const spike_layer *), void (*plain)(const spike_layer *), int seed) {
    const int channels = 8 * between(1, 9), lanes = (channels + 15) / 16 * 16, width = between(1, 11), height = between(1, 5);
    const int dense = between(0, 2), count = dense + between(0, 2), largest_read = (1 << between(1, 7)) - 1, shift = between(0, 4);
    spike_layer_branch branches[4];
    for (int b = 0; b < count; b++) {
        spike_layer_branch *branch = branches + b;
        const int groups = b < dense ? between(1, 12) : 0, stride = between(1, 2);
        const int rows = between(1, 3), columns = between(1, 3), runs = rows * columns;
        const size_t pixel = (size_t)(groups ? 4 * groups : lanes), row = pixel * (size_t)(width * stride + columns);
        const size_t room = row * (size_t)(height * stride + rows) + 64;
        *branch = (spike_layer_branch){
            .image = bytes(room, largest_read + 1), .row = (size_t)stride * row, .pixel = (size_t)stride * pixel, .run_rows = rows,
            .run_columns = columns, .run_row = row, .run_column = pixel, .groups = groups, .lane_end = lanes,
            .shift = groups ? shift : between(0, 4)};
        if (groups) {
            int8_t *weights = zeros((size_t)(4 * groups * runs * lanes));
            for (int i = 0; i < 4 * groups * runs * lanes; i++) weights[i] = (int8_t)between(-127, 127);
            branch->weights = weights;
        } else {
            int16_t *weights = zeros((size_t)(runs * lanes) * 2);
            for (int i = 0; i < runs * lanes; i++) weights[i] = (int16_t)between(-3000, 3000);
            branch->weights = weights;
        }
    }
    spike_layer job = {
        .branches = branches, .dense_count = dense, .branch_count = count, .row_begin = between(0, height - 1), .row_end = height, .width = width,
        .lanes = lanes, .lane_begin = 32 * between(0, (lanes - 1) / 32), .lane_end = lanes, .start = numbers(0, lanes, -4000, 40000), .added_row = (size_t)(width * lanes), .added_pixel = (size_t)lanes,
        .threshold = numbers(0, lanes, 1, 1 << between(1, 20)), .largest = (1 << between(1, 7)) - 1, .largest_read = largest_read,
        .target_row = (size_t)(width * channels), .target_pixel = (size_t)channels, .channels = channels};
    job.added = seed % 2 ? numbers(0, height * width * lanes, -100000, 100000) : NULL;
    float *inverse = zeros((size_t)lanes * 4);
    for (int i = 0; i < lanes; i++) inverse[i] = 1 / (float)job.threshold[i];
    job.inverse = inverse;
    void *found[2];
    for (int k = 0; k < 2; k++) {
        job.target = found[k] = zeros((size_t)(height * width * channels));
        RUN(k, &job);
    }
    expect_same(name, "numbers", found[0], found[1], (size_t)(height * width * channels), seed);
}

static void check_weighted(const char *name, void (*kernel)(const spike_weighted *), void (*plain)(const spike_weighted *), int seed) {
    const int tile = 8 << between(0, 4), count = between(0, 9);
    const uint8_t *values = bytes((size_t)(count * tile), 128);
    int16_t *weights = zeros((size_t)(count * tile) * 2);
    for (int i = 0; i < count * tile; i++) weights[i] = (int16_t)between(-32768, 32767);
    spike_tap taps[9];
    for (int t = 0; t < count; t++) taps[t] = (spike_tap){values + t * tile, weights + t * tile};
    spike_weighted job = {.taps = taps, .tap_count = count, .tile = tile, .shift = seed % 5, .negative = seed % 3 == 0};
    void *currents[2];
    for (int k = 0; k < 2; k++) {
        job.current = currents[k] = zeros((size_t)tile * 4);
        RUN(k, &job);
    }
    expect_same(name, "currents", currents[0], currents[1], (size_t)tile * 4, seed);
}

static void check_counted(const char *name, void (*kernel)(const spike_counted *), void (*plain)(const spike_counted *), int seed) {
    const int tile = 8 * between(1, 8), channels = between(1, 70), steps = between(1, STEPS);
    spike_counted job = {
        .counts = numbers(1, steps * channels, 0, 2400), .count_stride = (size_t)channels, .channels = channels, .tile = tile,
        .steps = steps, .negative = seed % 3 == 0, .weights = numbers(1, channels * tile, -60, 60)};
    void *currents[2];
    for (int k = 0; k < 2; k++) {
        job.current = currents[k] = zeros((size_t)(steps * tile) * 4);
        RUN(k, &job);
    }
    expect_same(name, "currents", currents[0], currents[1], (size_t)(steps * tile) * 4, seed);
}

static void check_analog(const char *name, void (*kernel)(spike_analog *), void (*plain)(spike_analog *), int seed) {
    const int channels = between(1, 3), lanes = 8 * between(1, 18), block = 1 << between(0, 2), side = between(1, 3);
    spike_window w = {.height = between(side, 9), .width = between(side, 24), .kernel_height = side, .kernel_width = side};
    w.stride_y = w.stride_x = between(1, 2);
    w.dilation_y = w.dilation_x = 1;
    w.pad_top = w.pad_left = between(0, side - 1);
    w.out_height = (w.height + 2 * w.pad_top - side) / w.stride_y + 1;
    w.out_width = (w.width + 2 * w.pad_left - side) / w.stride_x + 1;
    const int columns = (w.out_width + block - 1) / block, stride = block * lanes, begin = between(0, w.out_height - 1);
    const size_t size = (size_t)w.out_height * (size_t)columns * (size_t)stride * 4;
    spike_analog job = {
        .image = numbers(1, channels * w.height * w.width, -60, 60), .window = w, .channels = channels, .lanes = lanes, .block = block,
        .columns = columns, .stride = stride, .row_begin = begin, .row_end = between(begin + 1, w.out_height),
        .weights = numbers(1, channels * side * side * lanes, -60, 60), .bias = numbers(1, lanes, -60, 60),
        .limit = seed % 2 ? 20 : 1000000};
    void *targets[2];
    uint64_t limited[2];
    for (int k = 0; k < 2; k++) {
        job.target = targets[k] = zeros(size);
        job.limited = 0;
        RUN(k, &job);
        limited[k] = job.limited;
    }
    expect_same(name, "sums", targets[0], targets[1], size, seed);
    expect_same(name, "limited sums", &limited[0], &limited[1], sizeof limited[0], seed);
}

static void check_integrate(const char *name, void (*kernel)(const spike_integrate *), void (*plain)(const spike_integrate *), int seed) {
    const int floats = is_float(name), tile = 8 << between(0, 4), steps = between(1, STEPS);
    const size_t size = (size_t)tile * 4;
    spike_integrate job = {
        .current = numbers(floats, steps * tile, -60, 60), .record_stride = (size_t)tile, .tile = tile, .steps = steps,
        .growth = between(1, 2)};
    const void *start = numbers(floats, tile, -25, 25);
    void *membranes[2], *records[2];
    uint64_t saturations[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        job.membrane = membranes[k] = memcpy(zeros(size), start, size);
        job.record = records[k] = seed % 2 ? zeros((size_t)steps * size) : NULL;
        job.saturations = seed % 3 ? &saturations[k] : NULL;
        RUN(k, &job);
    }
    expect_same(name, "membranes", membranes[0], membranes[1], size, seed);
    if (records[0]) expect_same(name, "records", records[0], records[1], (size_t)steps * size, seed);
    expect_same(name, "saturations", &saturations[0], &saturations[1], sizeof saturations[0], seed);
}

static void check_fire(const char *name, void (*kernel)(const spike_fire *), void (*plain)(const spike_fire *), int seed) {
    const int floats = is_float(name), is_if = strstr(name, "_if_") != NULL, is_burst = strstr(name, "_burst_") != NULL;
    const int tile = 8 << between(0, 4), steps = between(1, STEPS), halving = is_if && between(0, 3) == 0;
    const size_t size = (size_t)tile * 4, bits = (size_t)(steps * tile / 8);
    spike_fire job = {
        .current = is_if && between(0, 4) == 0 ? NULL : numbers(floats, steps * tile, -60, 60),
        .offset = seed % 3 ? numbers(floats, tile, -20, 20) : NULL, .threshold = numbers(floats, tile, 8, 40),
        .reset = is_if && !halving && between(0, 4) == 0 ? zeros(size) : NULL, .step_bytes = (size_t)(tile / 8), .count_stride = (size_t)tile,
        .tile = tile, .lanes = between(1, tile / 8) * 8, .steps = steps, .exponent = steps - 1, .halving = halving,
        .limit = is_burst ? 4 : -1};
    const void *start = numbers(floats, tile, -200, 200);
    const int counts = !is_if || between(0, 1);
    void *membranes[2], *memories[2], *plus[2], *minus[2], *bursts[2];
    uint64_t saturations[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        job.membrane = membranes[k] = memcpy(zeros(size), start, size);
        job.memory = memories[k] = zeros(size);
        job.plus = plus[k] = zeros(bits);
        job.minus = minus[k] = zeros(bits);
        job.counts = bursts[k] = zeros((size_t)(steps * tile) * 2);
        job.saturations = counts ? &saturations[k] : NULL;
        RUN(k, &job);
    }
    expect_same(name, "membranes", membranes[0], membranes[1], size, seed);
    expect_same(name, "memories", memories[0], memories[1], size, seed);
    expect_same(name, "spikes", plus[0], plus[1], bits, seed);
    expect_same(name, "negative spikes", minus[0], minus[1], bits, seed);
    expect_same(name, "counts", bursts[0], bursts[1], (size_t)(steps * tile) * 2, seed);
    expect_same(name, "saturations", &saturations[0], &saturations[1], sizeof saturations[0], seed);
}

/// Spikes of an image, and a window over it: bits, or counts if `counted`.
typedef struct {
    spike_window window;
    spike_strides strides, out_strides;
    int channels, steps;
    void *plus, *minus, *counts;
} train;

static train spikes(int counted) {
    const int height = between(1, 6), width = between(1, 6), channels = between(1, 70), steps = between(1, STEPS);
    spike_window w = {height, width, 0, 0, between(1, height), between(1, width), between(1, 2), between(1, 2), 1, 1, 0, 0};
    if (draw(2)) w.kernel_height = w.kernel_width = w.stride_y = w.stride_x = 1;
    // Padding is less than the kernel: each window has a place in the input.
    w.pad_top = draw(2) ? between(0, w.kernel_height - 1) : 0;
    w.pad_left = draw(2) ? between(0, w.kernel_width - 1) : 0;
    w.out_height = (height + w.pad_top - w.kernel_height) / w.stride_y + 1;
    w.out_width = (width + w.pad_left - w.kernel_width) / w.stride_x + 1;
    train t = {.window = w, .channels = channels, .steps = steps};
    const size_t pixel = counted ? (size_t)channels : (size_t)(channels + 7) / 8;
    const size_t row = counted ? pixel * (size_t)width : (pixel * (size_t)width + 7) / 8 * 8;
    const size_t out_row = counted ? pixel * (size_t)w.out_width : (pixel * (size_t)w.out_width + 7) / 8 * 8;
    t.strides = (spike_strides){pixel, row, row * (size_t)height};
    t.out_strides = (spike_strides){pixel, out_row, out_row * (size_t)w.out_height};
    const size_t size = t.strides.step * (size_t)steps;
    t.plus = zeros(size + 8), t.minus = zeros(size + 8), t.counts = zeros(counted ? size * 2 : 0);
    for (int place = 0; place < steps * height * width; place++) {
        const size_t at = (size_t)(place / width) * row + (size_t)(place % width) * pixel;
        for (int c = 0; c < channels; c++) {
            const int some = (int)draw(8);
            if (counted) {
                ((int16_t *)t.counts)[at + (size_t)c] = (int16_t)(some < 4 ? some : 0);
            } else if (some < 3) {
                ((uint8_t *)(some < 2 ? t.plus : t.minus))[at + (size_t)(c >> 3)] |= (uint8_t)(1 << (c & 7));
            }
        }
    }
    return t;
}

static void check_list_job(const char *name, void (*kernel)(spike_list_job *), void (*plain)(spike_list_job *), int seed) {
    const int counted = strstr(name, "counts") != NULL;
    const train t = spikes(counted);
    const spike_window w = t.window;
    spike_rows rows = {w.out_height, 1, 1, 1, 0};
    if (draw(2)) rows = (spike_rows){between(1, 4), between(1, 4), between(1, 2), between(1, 2), between(0, 2)};
    const int begin = draw(2) ? 0 : between(0, t.channels - 1), count = begin ? between(1, t.channels - begin) : t.channels;
    const size_t most = (size_t)(t.steps * rows.out_height * rows.kernel_height) *
                        (size_t)(w.out_width * w.kernel_height * w.kernel_width * t.channels) * (counted ? 3 : 1);
    const size_t start_count = (size_t)(t.steps * rows.out_height * (w.out_width + 1));
    spike_list_job job = {
        .bits = t.plus, .counts = t.counts, .strides = t.strides, .channel_begin = begin, .channel_count = count,
        .entry_stride = (count + 7) / 8 * 8, .step_end = t.steps, .window = w, .rows = rows};
    void *entries[2], *starts[2];
    uint32_t ends[2];
    for (int k = 0; k < 2; k++) {
        job.entries = entries[k] = zeros((most + 32) * 2);
        job.starts = starts[k] = zeros(start_count * 4);
        RUN(k, &job);
        ends[k] = job.end_entry;
    }
    expect_same(name, "ends", &ends[0], &ends[1], sizeof ends[0], seed);
    expect_same(name, "entries", entries[0], entries[1], ends[1] * sizeof(uint16_t), seed);
    expect_same(name, "starts", starts[0], starts[1], start_count * 4, seed);
}

static void check_pool(const char *name, void (*kernel)(const spike_pool *), void (*plain)(const spike_pool *), int seed) {
    const int counted = strstr(name, "counts") != NULL;
    const train t = spikes(counted);
    // After many steps running sums are large, and lie far apart.
    const int sum_stride = (t.channels + 15) / 16 * 16, growth = 1 + seed % 2, has_sums = growth == 1 && draw(2);
    const int sum_count = t.window.height * t.window.width * sum_stride, far = seed % 4 == 0;
    const size_t size = t.out_strides.step * (size_t)t.steps;
    spike_pool job = {
        .plus = t.plus, .minus = seed % 5 ? NULL : t.minus, .counts = counted ? t.counts : NULL, .strides = t.strides,
        .out_strides = t.out_strides, .channels = t.channels, .steps = t.steps, .row_end = t.window.out_height, .growth = growth,
        .instantaneous = seed % 7 == 0,
        .sums = has_sums ? numbers(0, sum_count, far ? 2000000000 : 0, far ? 2000060000 : 9) : NULL, .sum_stride = sum_stride,
        .window = t.window};
    void *plus[2], *minus[2], *counts[2];
    for (int k = 0; k < 2; k++) {
        job.out_plus = plus[k] = zeros(size + 8);
        job.out_minus = minus[k] = zeros(size + 8);
        job.out_counts = counted ? zeros(size * 2) : NULL;
        counts[k] = job.out_counts;
        RUN(k, &job);
    }
    expect_same(name, "spikes", plus[0], plus[1], size, seed);
    expect_same(name, "negative spikes", minus[0], minus[1], size, seed);
    if (counted) expect_same(name, "counts", counts[0], counts[1], size * 2, seed);
}

static void check_pool_sums(const char *name, void (*kernel)(const spike_pool_sums *), void (*plain)(const spike_pool_sums *), int seed) {
    const int counted = seed % 2;
    const train t = spikes(counted);
    const int sum_stride = (t.channels + 15) / 16 * 16;
    const size_t size = (size_t)(t.window.height * t.window.width * sum_stride) * 4;
    spike_pool_sums job = {
        .plus = t.plus, .minus = seed % 5 ? NULL : t.minus, .counts = counted ? t.counts : NULL, .strides = t.strides,
        .sum_stride = sum_stride, .height = t.window.height, .width = t.window.width, .channels = t.channels, .steps = t.steps,
        .growth = 1 + (int)draw(2)};
    void *sums[2];
    for (int k = 0; k < 2; k++) {
        job.sums = sums[k] = zeros(size);
        RUN(k, &job);
    }
    expect_same(name, "sums", sums[0], sums[1], size, seed);
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
    expect_same("crew", "turns", job.done, expected, sizeof expected, 0);
    spike_crew_free(job.crew);
}

static spike_window window_over(int height, int width) {
    spike_window w = {
        .height = height, .width = width, .kernel_height = between(1, 3), .kernel_width = between(1, 4), .stride_y = between(1, 2),
        .stride_x = between(1, 3), .dilation_y = between(1, 2), .dilation_x = between(1, 2), .pad_top = between(0, 2), .pad_left = between(0, 2),
        .out_height = between(1, 5), .out_width = between(1, 6)};
    return w;
}

static void check_row_products(const char *name, void (*kernel)(const spike_row_products *), void (*plain)(const spike_row_products *), int seed) {
    const int size = is_float(name) ? 4 : strstr(name, "i16") ? 2 : 1;
    const int depth = between(1, 70), count = between(0, 15), columns = between(1, 150), panels = (columns + 63) / 64 * 64;
    const int stride = depth * (4 / size) + between(0, 3) * (4 / size);
    spike_row_products job = {
        .row_stride = (size_t)stride, .depth = depth, .row_count = count, .columns = columns, .out_stride = (size_t)columns + (size_t)between(0, 5),
        .start = size < 4 && seed % 2 ? numbers(0, panels, -9000, 9000) : NULL, .scale = size < 4 && seed % 3 ? numbers(1, panels, 1, 64) : NULL,
        .bias = seed % 5 ? numbers(1, panels, -64, 64) : NULL};
    if (size == 4) {
        job.rows = numbers(1, count * stride, -64, 64);
        job.panels = numbers(1, panels * depth, -64, 64);
    } else if (size == 2) {
        int16_t *rows = zeros((size_t)(count * stride) * 2), *weights = zeros((size_t)(panels * depth) * 4);
        for (int i = 0; i < count * stride; i++) rows[i] = (int16_t)between(-4095, 4095);
        for (int i = 0; i < panels * depth * 2; i++) weights[i] = (int16_t)between(-127, 127);
        job.rows = rows;
        job.panels = weights;
    } else {
        int8_t *weights = zeros((size_t)(panels * depth) * 4);
        for (int i = 0; i < panels * depth * 4; i++) weights[i] = (int8_t)between(-127, 127);
        job.rows = bytes((size_t)(count * stride), 256);
        job.panels = weights;
    }
    float *out[2];
    for (int k = 0; k < 2; k++) {
        job.out = out[k] = zeros((size_t)count * job.out_stride * 4);
        RUN(k, &job);
    }
    expect_same(name, "sums", out[0], out[1], (size_t)count * job.out_stride * 4, seed);
}

/// Any float32 numbers: those of everyday sizes mostly, and what is none.
static float *any_floats(int count) {
    static const float odd[] = {0, -0.0f, 1e-40f, -1e-30f, 3e38f, -3e38f, 88.7f, -103.9f, 0.5f, -2.5f};
    float *target = zeros((size_t)count * 4);
    for (int i = 0; i < count; i++) {
        const int kind = between(0, 30);
        target[i] = kind < 10 ? odd[kind] : kind == 10 ? __builtin_inff() : kind == 11 ? -__builtin_inff() : kind == 12 ? __builtin_nanf("")
                    : (float)between(-1000000, 1000000) / (float)(1 << between(15, 22));
    }
    return target;
}

static void check_function(const char *name, void (*kernel)(const spike_function_job *), void (*plain)(const spike_function_job *), int seed) {
    const int count = between(0, 200);
    spike_function_job job = {
        .function = (spike_function)(seed % SPIKE_FUNCTION_COUNT), .alpha = (float)between(-8, 8) / 8, .beta = (float)between(8, 24) / 8,
        .x = any_floats(count), .count = (size_t)count};
    float *y[2];
    for (int k = 0; k < 2; k++) {
        job.y = y[k] = zeros((size_t)count * 4);
        RUN(k, &job);
        // Of what is no number every kind is the same.
        for (int i = 0; i < count; i++) y[k][i] = y[k][i] != y[k][i] ? 12345 : y[k][i];
    }
    expect_same(name, "values", y[0], y[1], (size_t)count * 4, seed);
}

static void check_pair(const char *name, void (*kernel)(const spike_pair_job *), void (*plain)(const spike_pair_job *), int seed) {
    const int count = between(0, 200);
    spike_pair_job job = {
        .pair = (spike_pair)(seed % 4), .a = numbers(1, count + 1, -640, 640), .b = numbers(1, count + 1, 1, 640), .count = (size_t)count,
        .a_step = (uint8_t)between(0, 1), .b_step = (uint8_t)between(0, 1)};
    void *y[2];
    for (int k = 0; k < 2; k++) {
        job.y = y[k] = zeros((size_t)count * 4);
        RUN(k, &job);
    }
    expect_same(name, "values", y[0], y[1], (size_t)count * 4, seed);
}

static void check_encoding(const char *name, void (*kernel)(spike_encoding *), void (*plain)(spike_encoding *), int seed) {
    const int columns = between(1, 70), count = between(0, 5) * columns, digits = between(1, 15), is_signed = seed % 2;
    spike_encoding job = {
        .x = any_floats(count), .count = (size_t)count, .columns = (size_t)columns, .inverse = numbers(1, columns, 1, 64),
        .step = numbers(1, columns, 1, 64), .has_columns = seed % 3 == 0, .is_signed = is_signed, .kind = (spike_numbers)between(0, 2)};
    const int most = job.kind == SPIKE_NUMBERS_BYTES ? (is_signed ? 7 : 8) : 15;
    job.largest = (float)((1 << (digits < most ? digits : most)) - 1);
    job.offset = job.kind == SPIKE_NUMBERS_BYTES && is_signed ? 128 : 0;
    void *out[2];
    uint64_t facts[2][2];
    const size_t size = (size_t)count * (job.kind == SPIKE_NUMBERS_FLOAT ? 4 : job.kind == SPIKE_NUMBERS_SHORTS ? 2 : 1);
    for (int k = 0; k < 2; k++) {
        job.out = out[k] = zeros(size);
        RUN(k, &job);
        facts[k][0] = job.invalid;
        facts[k][1] = job.spikes;
    }
    expect_same(name, "numbers", out[0], out[1], size, seed);
    expect_same(name, "counts", facts[0], facts[1], sizeof facts[0], seed);
}

static void check_standardisation(
    const char *name, void (*kernel)(const spike_standardisation *), void (*plain)(const spike_standardisation *), int seed) {
    const int rows = between(0, 5), length = between(1, 150);
    spike_standardisation job = {
        .x = numbers(1, rows * length, -640, 640), .rows = (size_t)rows, .length = (size_t)length, .epsilon = 1e-5, .is_centred = seed % 3 > 0,
        .gain = seed % 2 ? numbers(1, length, -64, 64) : NULL, .bias = seed % 5 ? numbers(1, length, -64, 64) : NULL};
    void *y[2];
    for (int k = 0; k < 2; k++) {
        job.y = y[k] = zeros((size_t)(rows * length) * 4);
        RUN(k, &job);
    }
    expect_same(name, "values", y[0], y[1], (size_t)(rows * length) * 4, seed);
}

static void check_reduction(const char *name, void (*kernel)(const spike_reduction_job *), void (*plain)(const spike_reduction_job *), int seed) {
    const int outer = between(0, 4), length = between(1, 100), inner = seed % 2 ? 1 : between(1, 150);
    spike_reduction_job job = {
        .reduction = (spike_reduction)(seed % 3), .outer = (size_t)outer, .length = (size_t)length, .inner = (size_t)inner,
        .x = seed % 3 == SPIKE_REDUCE_MAXIMUM && seed % 7 == 0 ? any_floats(outer * length * inner) : numbers(1, outer * length * inner, -640, 640)};
    float *y[2];
    for (int k = 0; k < 2; k++) {
        job.y = y[k] = zeros((size_t)(outer * inner) * 4);
        RUN(k, &job);
        for (int i = 0; i < outer * inner; i++) y[k][i] = y[k][i] != y[k][i] ? 12345 : y[k][i] == 0 ? 0 : y[k][i];
    }
    expect_same(name, "values", y[0], y[1], (size_t)(outer * inner) * 4, seed);
}

static void check_depthwise(const char *name, void (*kernel)(const spike_depthwise *), void (*plain)(const spike_depthwise *), int seed) {
    const int height = between(1, 7), width = between(1, 9), channels = between(1, 150);
    spike_depthwise job = {.window = window_over(height, width), .channels = channels, .image = numbers(1, height * width * channels, -64, 64)};
    const int places = job.window.kernel_height * job.window.kernel_width, outputs = job.window.out_height * job.window.out_width;
    job.weights = numbers(1, places * channels, -64, 64);
    job.bias = seed % 2 ? numbers(1, channels, -64, 64) : NULL;
    job.row_begin = between(0, job.window.out_height - 1);
    job.row_end = between(job.row_begin, job.window.out_height);
    void *out[2];
    for (int k = 0; k < 2; k++) {
        job.out = out[k] = zeros((size_t)(outputs * channels) * 4);
        RUN(k, &job);
    }
    expect_same(name, "sums", out[0], out[1], (size_t)(outputs * channels) * 4, seed);
}

/// A kernel is checked by the job it takes: one with a job that nothing here draws does not compile.
#define CHECK_OF(kernel)                                                                                                \
    _Generic((kernel),                                                                                                  \
        void (*)(const spike_gather *): check_gather, void (*)(const spike_gather_fire *): check_gather_fire,           \
        void (*)(const spike_scatter *): check_scatter, void (*)(const spike_masked *): check_masked,                   \
        void (*)(const spike_dense *): check_dense, void (*)(const spike_digits *): check_digits,                       \
        void (*)(const spike_layer *): check_layer,                                                                    \
        void (*)(const spike_weighted *): check_weighted, void (*)(const spike_counted *): check_counted,               \
        void (*)(const spike_integrate *): check_integrate, void (*)(const spike_fire *): check_fire,                   \
        void (*)(const spike_pool *): check_pool, void (*)(const spike_pool_sums *): check_pool_sums,                   \
        void (*)(spike_list_job *): check_list_job, void (*)(spike_analog *): check_analog,                             \
        void (*)(const spike_row_products *): check_row_products, void (*)(const spike_function_job *): check_function, \
        void (*)(const spike_pair_job *): check_pair, void (*)(spike_encoding *): check_encoding,                       \
        void (*)(const spike_standardisation *): check_standardisation,                                                 \
        void (*)(const spike_reduction_job *): check_reduction, void (*)(const spike_depthwise *): check_depthwise)

#define CHECK(name, job, avx2, avx512, neon)                                                                            \
    spent[0] = spent[1] = 0;                                                                                            \
    for (int seed = 0; seed < 400; seed++, cases++) {                                                                   \
        CHECK_OF(table->name)(#name, table->name, plain->name, seed);                                                   \
        release();                                                                                                      \
    }                                                                                                                   \
    if (repeats > 1) {                                                                                                  \
        const double each = spent[0] / (400 * repeats), other = spent[1] / (400 * repeats);                             \
        printf("%-16s %9.0f ns a job, plain C %9.0f ns: %5.1f times as fast\n", #name, each, other, other / each);       \
    }

int main(int count, char **arguments) {
    const spike_isa isa = spike_isa_default();
    const spike_kernel_table *table = spike_table(isa), *plain = spike_table(SPIKE_ISA_SCALAR);
    if (count > 1 && strcmp(arguments[1], "--times") == 0) repeats = 100;
    SPIKE_KERNELS(CHECK)
    if (repeats == 1) {
        check_crew();
        printf("%s against plain kernels: %d kernels, %d cases, %d differences\n", spike_isa_name(isa), (int)spike_kernel_count(), cases, failures);
    }
    return failures != 0;
}
