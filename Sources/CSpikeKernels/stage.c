#include "internal.h"

// A stage: for every output pixel, the currents of all steps from all branches, then the neurons over all steps. Currents of a
// pixel stay in the L1 cache, membranes in registers; the weights of a tile are read from L2 for all pixels and steps.

/// Places of a depthwise window that are worked on together; windows of more take several turns.
#define SPIKE_TOGETHER 1024

/// What gathering for pixel (x, y) is, where a window is one run of the list. `first`: nothing stands in the currents.
static spike_gather spike_gather_job(const spike_stage *stage, const spike_branch *branch, int y, int x, bool first, void *currents) {
    const spike_window w = branch->window;
    const spike_walk columns = spike_walk_columns(&w, x);
    const uint32_t from = (uint32_t)y * (uint32_t)(w.width + 1) + (uint32_t)columns.at;
    const uint32_t row = (uint32_t)(columns.at - columns.place) * (uint32_t)w.kernel_height * (uint32_t)branch->channels;
    return (spike_gather){
        .lists = branch->lists, .from = from, .to = from + (uint32_t)(columns.end - columns.place), .base = (uint16_t)row,
        .negative = branch->negative, .first = first, .tile = stage->tile, .steps = stage->steps, .shift = stage->shift, .weights = branch->weights,
        .zeros = (size_t)branch->rows * (size_t)stage->tile * (stage->integers ? 1 : 4), .current = currents};
}

/// Gathering for pixel (x, y): one run of the list, or one for each column of the kernel.
static void spike_gather_window(
    const spike_stage *stage, const spike_branch *branch, const spike_kernel_table *table, int y, int x, bool first, void *currents) {
    void (*gather)(const spike_gather *) = stage->integers ? table->gather_i8 : table->gather_f32;
    const spike_gather whole = spike_gather_job(stage, branch, y, x, first, currents);
    if (!branch->each_column) {
        gather(&whole);
        return;
    }
    const spike_window w = branch->window;
    const spike_walk columns = spike_walk_columns(&w, x);
    // Where the window sees nothing a first branch still writes.
    if (first && columns.place == columns.end) {
        gather(&whole);
        return;
    }
    const int column_rows = w.kernel_height * branch->channels;
    const uint32_t line = (uint32_t)y * (uint32_t)(w.width + 1);
    spike_gather job = whole;
    SPIKE_EACH(column, columns) {
        job.from = line + (uint32_t)column.at;
        job.to = job.from + 1;
        job.base = (uint16_t)((uint32_t)column.at * (uint32_t)column_rows);
        const size_t offset = (size_t)column.place * (size_t)column_rows * (size_t)stage->tile * (stage->integers ? 1 : 4);
        job.weights = (const char *)whole.weights + offset;
        job.zeros = whole.zeros - offset;
        gather(&job);
        job.first = false;
    }
}

static void spike_add_values(const spike_stage *stage, const spike_branch *branch, int64_t pixel, void *currents) {
    for (int step = 0; step < stage->steps; step++) {
        const size_t from = (size_t)((step * stage->pixels + pixel) * branch->value_stride), to = (size_t)step * (size_t)stage->tile;
        if (stage->integers) {
            const int32_t *values = (const int32_t *)branch->values + from;
            int32_t *current = (int32_t *)currents + to;
            for (int i = 0; i < stage->tile; i++) current[i] += values[i];
        } else {
            const float *values = (const float *)branch->values + from;
            float *current = (float *)currents + to;
            for (int i = 0; i < stage->tile; i++) current[i] += values[i];
        }
    }
}

/// Offsets, or nothing, in `steps` currents.
static void spike_start_currents(const spike_stage *stage, int64_t pixel, int steps, bool empty, char *currents) {
    const size_t bytes = (size_t)stage->tile * 4;
    for (int step = 0; step < steps; step++) {
        if (empty || !stage->offsets || (stage->offsets_last_only && step != steps - 1)) {
            memset(currents + (size_t)step * bytes, 0, bytes);
        } else {
            const int64_t place = pixel * stage->offset_pixel_stride + step * stage->offset_step_stride;
            memcpy(currents + (size_t)step * bytes, (const char *)stage->offsets + place * 4, bytes);
        }
    }
}

static void spike_scatter_segments(
    const spike_stage *stage, const spike_branch *branch, const spike_kernel_table *table, const spike_segment *segments, int count,
    void *currents) {
    const spike_scatter job = {
        .lists = branch->lists, .segments = segments, .segment_count = count, .tile = stage->tile, .steps = stage->steps,
        .offset = branch->scatter_offset, .negative = branch->negative, .weights = branch->weights, .current = currents};
    (stage->integers ? table->scatter_i32 : table->scatter_f32)(&job);
}

/// Depthwise synapses on lists of single rows to pixel (x, y): each place of the window is a run.
static void spike_scatter_window(
    const spike_stage *stage, const spike_branch *branch, const spike_kernel_table *table, int y, int x, void *currents) {
    const spike_window w = branch->window;
    const uint32_t channels = (uint32_t)branch->channels;
    spike_segment segments[SPIKE_TOGETHER];
    int count = 0;
    const spike_walk columns = spike_walk_columns(&w, x);
    SPIKE_EACH(row, spike_walk_rows(&w, y)) {
        const uint32_t line = (uint32_t)row.at * (uint32_t)(w.width + 1);
        SPIKE_EACH(column, columns) {
            if (count == SPIKE_TOGETHER) {
                spike_scatter_segments(stage, branch, table, segments, count, currents);
                count = 0;
            }
            segments[count++] = (spike_segment){
                line + (uint32_t)column.at, line + (uint32_t)column.at + 1,
                ((uint32_t)row.place * (uint32_t)w.kernel_width + (uint32_t)column.place) * channels,
                (uint16_t)((uint32_t)column.at * channels)};
        }
    }
    spike_scatter_segments(stage, branch, table, segments, count, currents);
}

static void spike_mask_taps(
    const spike_stage *stage, const spike_branch *branch, const spike_kernel_table *table, const spike_tap *taps, int count,
    void *currents) {
    if (branch->kind == SPIKE_BRANCH_WEIGHTED) {
        const spike_weighted job = {
            .taps = taps, .tap_count = count, .tile = stage->tile, .shift = branch->masked_shift, .negative = branch->negative,
            .current = currents};
        table->weighted_i16(&job);
        return;
    }
    const spike_masked job = {
        .taps = taps, .step_bytes = branch->strides.step, .tap_count = count, .tile = stage->tile,
        .steps = stage->steps, .shift = branch->masked_shift, .negative = branch->negative, .current = currents};
    (stage->integers ? table->masked_i16 : table->masked_f32)(&job);
}

/// Depthwise synapses on bits, or on numbers, to pixel (x, y).
static void spike_mask_window(
    const spike_stage *stage, const spike_branch *branch, const spike_kernel_table *table, int y, int x, void *currents) {
    const spike_window w = branch->window;
    spike_tap taps[SPIKE_TOGETHER];
    int count = 0;
    const spike_walk columns = spike_walk_columns(&w, x);
    const size_t bytes = (size_t)stage->tile * (stage->integers ? 2 : 4);
    SPIKE_EACH(row, spike_walk_rows(&w, y)) {
        const uint8_t *line = branch->bits + (size_t)row.at * branch->strides.row;
        const char *weights = (const char *)branch->weights + (size_t)row.place * (size_t)w.kernel_width * bytes;
        SPIKE_EACH(column, columns) {
            if (count == SPIKE_TOGETHER) {
                spike_mask_taps(stage, branch, table, taps, count, currents);
                count = 0;
            }
            taps[count++] = (spike_tap){line + (size_t)column.at * branch->strides.pixel, weights + (size_t)column.place * bytes};
        }
    }
    spike_mask_taps(stage, branch, table, taps, count, currents);
}

/// Synapses of one branch to one pixel, in each step. `first`: nothing stands in the currents; only gathering may be first.
static void spike_synapses(
    const spike_stage *stage, const spike_branch *branch, const spike_kernel_table *table, int64_t pixel, bool first, void *currents) {
    const int y = (int)(pixel / stage->out_width), x = (int)(pixel % stage->out_width);
    switch (branch->kind) {
    case SPIKE_BRANCH_GATHER: spike_gather_window(stage, branch, table, y, x, first, currents); break;
    case SPIKE_BRANCH_SCATTER: spike_scatter_window(stage, branch, table, y, x, currents); break;
    case SPIKE_BRANCH_MASKED:
    case SPIKE_BRANCH_WEIGHTED: spike_mask_window(stage, branch, table, y, x, currents); break;
    case SPIKE_BRANCH_VALUES: spike_add_values(stage, branch, pixel, currents); break;
    case SPIKE_BRANCH_COUNTED: {
        const spike_counted job = {
            .counts = branch->values, .count_stride = (size_t)branch->value_stride, .channels = branch->rows, .tile = stage->tile,
            .steps = stage->steps, .negative = branch->negative, .weights = branch->weights, .current = currents};
        table->counted_f32(&job);
        break;
    }
    case SPIKE_BRANCH_DENSE: break;
    }
}

/// Dense synapses of one branch to `count` pixels; the sum over all steps goes to the currents at `currents`.
static void spike_dense_synapses(
    const spike_stage *stage, const spike_branch *branch, const spike_kernel_table *table, int64_t pixel, int count, int32_t *currents,
    size_t current_stride) {
    const spike_window w = branch->window;
    SPIKE_REQUIRE((int64_t)w.kernel_height * w.kernel_width <= SPIKE_LARGEST_DENSE && count <= SPIKE_POSITIONS);
    const uint8_t *numbers[SPIKE_LARGEST_DENSE * SPIKE_POSITIONS];
    int y = (int)(pixel / stage->out_width), x = (int)(pixel % stage->out_width);
    for (int p = 0; p < count; p++) {
        const uint8_t **target = numbers + p;
        int sy = y * w.stride_y - w.pad_top;
        for (int ky = 0; ky < w.kernel_height; ky++, sy += w.dilation_y) {
            const bool has_row = sy >= 0 && sy < w.height;
            const uint8_t *row = branch->numbers + (has_row ? (size_t)sy * branch->strides.row : 0);
            int sx = x * w.stride_x - w.pad_left;
            for (int kx = 0; kx < w.kernel_width; kx++, sx += w.dilation_x, target += count) {
                const bool inside = has_row && sx >= 0 && sx < w.width;
                *target = inside ? row + (size_t)sx * branch->strides.pixel : branch->zeros;
            }
        }
        if (++x == stage->out_width) {
            x = 0;
            y++;
        }
    }
    const spike_dense job = {
        .numbers = numbers, .places = w.kernel_height * w.kernel_width, .positions = count, .groups = branch->channels / 4,
        .tile = stage->tile, .shift = stage->shift, .negative = branch->negative, .largest = branch->largest, .weights = branch->weights,
        .current = currents, .current_stride = current_stride};
    table->dense_i8(&job);
}

/// Without `restrict` the compiler would have to read the number of lanes again for each of them.
static void spike_round(const spike_stage *restrict stage, void *restrict membrane) {
    const int tile = stage->tile;
    if (stage->integers) {
        const int32_t *rounding = stage->rounding;
        int32_t *restrict v = membrane;
        for (int i = 0; i < tile; i++) v[i] += rounding[i];
    } else {
        const float *rounding = stage->rounding;
        float *restrict v = membrane;
        for (int i = 0; i < tile; i++) v[i] += rounding[i];
    }
}

/// What fires at one pixel, and where the spikes go.
static spike_fire spike_firing(const spike_stage *stage, int64_t pixel) {
    const size_t y = (size_t)(pixel / stage->out_width), x = (size_t)(pixel % stage->out_width);
    const size_t place = y * stage->strides.row + x * stage->strides.pixel;
    spike_fire fire = stage->fire;
    // Where neurons are silent there are zeros already.
    const size_t begin = place + (size_t)stage->silent * stage->strides.step;
    fire.plus = stage->plus ? stage->plus + begin : NULL;
    fire.minus = stage->minus ? stage->minus + begin : NULL;
    fire.step_bytes = stage->strides.step;
    fire.counts = stage->counts ? stage->counts + y * stage->count_strides.row + x * stage->count_strides.pixel : NULL;
    fire.count_stride = stage->count_strides.step;
    fire.tile = stage->tile;
    fire.lanes = (int32_t)x == stage->out_width - 1 ? stage->last_lanes : stage->fire.lanes;
    fire.steps = stage->steps - stage->silent;
    return fire;
}

/// Integrates what has arrived at one pixel in `arriving` currents (none: NULL), fires and packs. `last`: what is still to be
/// gathered, at once with firing.
static void spike_neurons(
    const spike_stage *stage, const spike_kernel_table *table, int64_t pixel, const void *currents, const void *offset,
    const spike_gather *last, int arriving, int growth) {
    int32_t own_membrane[SPIKE_LARGEST_TILE], own_memory[SPIKE_LARGEST_TILE];
    const size_t bytes = (size_t)stage->tile * 4;
    void *membrane = own_membrane, *memory = own_memory;
    if (stage->membranes) {
        membrane = (char *)stage->membranes + pixel * stage->state_stride * 4;
    } else {
        memcpy(membrane, stage->initial, bytes);
    }
    if (stage->memories) {
        memory = (char *)stage->memories + pixel * stage->state_stride * 4;
    } else {
        memset(memory, 0, bytes);
    }
    if (stage->layer_synchronous || stage->neuron == SPIKE_NEURON_NONE) {
        const spike_integrate job = {
            .current = currents, .membrane = membrane,
            .record = stage->record ? (char *)stage->record + pixel * stage->record_pixel_stride * 4 : NULL,
            .record_stride = (size_t)stage->record_step_stride, .tile = stage->tile, .steps = arriving,
            .growth = growth, .saturations = stage->fire.saturations};
        (stage->integers ? table->integrate_i32 : table->integrate_f32)(&job);
        if (stage->neuron == SPIKE_NEURON_NONE) return;
        if (stage->rounding) spike_round(stage, membrane);
    }
    spike_fire fire = spike_firing(stage, pixel);
    fire.current = stage->layer_synchronous ? NULL : currents;
    fire.offset = offset;
    fire.membrane = membrane;
    fire.memory = memory;
    if (last) {
        const spike_gather_fire job = {*last, fire};
        table->gather_fire_i8(&job);
        return;
    }
    switch (stage->neuron) {
    case SPIKE_NEURON_IF: (stage->integers ? table->fire_if_i32 : table->fire_if_f32)(&fire); break;
    case SPIKE_NEURON_SIGNED: (stage->integers ? table->fire_signed_i32 : table->fire_signed_f32)(&fire); break;
    case SPIKE_NEURON_BURST: (stage->integers ? table->fire_burst_i32 : table->fire_burst_f32)(&fire); break;
    case SPIKE_NEURON_NONE: break;
    }
}

/// Synapses of some branches to `count` pixels, each with `steps` currents of its own in the stage's scratch.
static void spike_arrive(
    const spike_stage *stage, const spike_kernel_table *table, int branches, int64_t pixel, int count, int steps, bool writes) {
    const size_t size = (size_t)steps * (size_t)stage->tile;
    for (int b = 0; b < branches; b++) {
        const spike_branch *branch = stage->branches + b;
        // The sum over all steps comes with the last.
        const bool is_sum = branch->kind == SPIKE_BRANCH_DENSE || branch->kind == SPIKE_BRANCH_WEIGHTED;
        int32_t *currents = (int32_t *)stage->scratch + (is_sum ? (size_t)(steps - 1) * (size_t)stage->tile : 0);
        if (branch->kind == SPIKE_BRANCH_DENSE) {
            spike_dense_synapses(stage, branch, table, pixel, count, currents, size);
        } else {
            for (int p = 0; p < count; p++) {
                spike_synapses(stage, branch, table, pixel + p, writes && b == 0, currents + (size_t)p * size);
            }
        }
    }
}

/// Neurons of whole numbers to which the sum over all steps comes at once: it is added to membranes, in any order.
static void spike_run_sums(const spike_stage *stage, const spike_kernel_table *table, int together) {
    int32_t resting[SPIKE_LARGEST_TILE];
    static const int32_t none[SPIKE_LARGEST_TILE];
    const int tile = stage->tile;
    const int32_t *initial = stage->initial, *rounding = stage->rounding, *offsets = stage->offsets;
    const int growth = stage->growth == 2 ? 1 << stage->steps : stage->growth;
    const bool varies = offsets && stage->offset_pixel_stride != 0;
    for (int i = 0; i < tile; i++) {
        resting[i] = growth * initial[i] + (rounding ? rounding[i] : 0) + (offsets && !varies ? offsets[i] : 0);
    }
    const int64_t end = (int64_t)stage->row_end * stage->out_width;
    for (int64_t first = (int64_t)stage->row_begin * stage->out_width; first < end;) {
        // As many at a time as leave no short rest.
        const int64_t left = end - first, blocks = (left + together - 1) / together;
        const int count = (int)((left + blocks - 1) / blocks);
        int32_t *membranes = stage->scratch;
        for (int p = 0; p < count; p++) {
            int32_t *restrict membrane = membranes + (size_t)p * (size_t)tile;
            const int32_t *restrict offset = varies ? offsets + (first + p) * stage->offset_pixel_stride : none;
            for (int i = 0; i < tile; i++) membrane[i] = resting[i] + offset[i];
        }
        spike_arrive(stage, table, stage->branch_count, first, count, 1, false);
        for (int p = 0; p < count; p++) {
            spike_fire fire = spike_firing(stage, first + p);
            fire.membrane = membranes + (size_t)p * (size_t)tile;
            table->fire_if_i32(&fire);
        }
        first += count;
    }
}

void spike_run_stage(const spike_stage *stage, const spike_kernel_table *table) {
    SPIKE_REQUIRE(stage->tile <= SPIKE_LARGEST_TILE && stage->steps >= 1);
    // Only what is integrated first can be held back; counts never are.
    SPIKE_REQUIRE(stage->silent == 0 || (stage->silent > 0 && stage->silent < stage->steps && stage->layer_synchronous && !stage->counts));
    SPIKE_REQUIRE(stage->growth != 2 || stage->steps <= SPIKE_LARGEST_RADIX);
    int sums = 0;
    for (int b = 0; b < stage->branch_count; b++) {
        sums += stage->branches[b].kind == SPIKE_BRANCH_DENSE || stage->branches[b].kind == SPIKE_BRANCH_WEIGHTED;
    }
    // Synapses of numbers give the sum over all steps, and an analog current comes with the last alone. Where there is nothing else,
    // that one current is all that is integrated.
    const bool fused = sums == stage->branch_count && stage->layer_synchronous && stage->offsets_last_only &&
                       stage->neuron != SPIKE_NEURON_NONE;
    const int arriving = fused ? 1 : stage->steps, growth = fused && stage->growth == 2 ? 1 << stage->steps : stage->growth;
    const int together = sums > 0 ? SPIKE_POSITIONS : 1;
    if (fused && stage->integers && stage->neuron == SPIKE_NEURON_IF && !stage->membranes && !stage->fire.saturations) {
        spike_run_sums(stage, table, together);
        return;
    }
    // An offset that is the same in each step is added by the neurons; a first branch that gathers writes its currents. Then
    // there is nothing to begin with.
    const bool streams = !stage->layer_synchronous && stage->neuron != SPIKE_NEURON_NONE;
    const bool fires_offset = streams && stage->offsets && stage->offset_step_stride == 0 && !stage->offsets_last_only;
    const bool writes = stage->branch_count > 0 && stage->branches[0].kind == SPIKE_BRANCH_GATHER && (fires_offset || !stage->offsets);
    const bool is_silent = streams && stage->branch_count == 0 && (fires_offset || !stage->offsets);
    const int final = stage->branch_count - 1;
    const bool gathers_last = streams && stage->integers && stage->neuron == SPIKE_NEURON_IF && final >= 0 &&
                              stage->branches[final].kind == SPIKE_BRANCH_GATHER && !stage->branches[final].each_column;
    const size_t size = (size_t)arriving * (size_t)stage->tile * 4;
    const int64_t end = (int64_t)stage->row_end * stage->out_width;
    for (int64_t first = (int64_t)stage->row_begin * stage->out_width; first < end; first += together) {
        const int count = end - first < together ? (int)(end - first) : together;
        char *scratch = stage->scratch;
        for (int p = 0; p < count && !writes && !is_silent; p++) {
            spike_start_currents(stage, first + p, arriving, fires_offset, scratch + (size_t)p * size);
        }
        spike_arrive(stage, table, stage->branch_count - gathers_last, first, count, arriving, writes);
        for (int p = 0; p < count; p++) {
            const int64_t place = (first + p) * stage->offset_pixel_stride * 4;
            const void *offset = fires_offset ? (const char *)stage->offsets + place : NULL;
            char *currents = is_silent ? NULL : scratch + (size_t)p * size;
            spike_gather last;
            if (gathers_last) {
                const int y = (int)((first + p) / stage->out_width), x = (int)((first + p) % stage->out_width);
                last = spike_gather_job(stage, stage->branches + final, y, x, writes && final == 0, currents);
            }
            spike_neurons(stage, table, first + p, currents, offset, gathers_last ? &last : NULL, arriving, growth);
        }
    }
}
