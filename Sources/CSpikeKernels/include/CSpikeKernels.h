#ifndef SPIKE_KERNELS_H
#define SPIKE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The engine's hot loops. Every kernel exists as plain C (`__scalar`), and beside it for instruction sets that are worth it.
//
// Layouts. Spikes: bits, [steps][height][width][channels], the channels of a pixel filled up to whole bytes and rows to whole
// 64-bit words; channel c is bit c % 8 of byte c / 8, so that bit x·C + c of a row is channel c of pixel x. Unused bits are 0.
// Currents and membranes: [tile], a tile being up to 128 lanes, float or int32; a lane is an output channel, or a channel of
// one of several neighbouring pixels where layers are narrow. Weights: one row of a tile for each (kernel row, kernel column,
// input channel).
//
// Active rows. Synapses read spikes as lists: for every step and every row of the output, the positions (x·K + ky)·C + c (modulo
// 2^16) of what is active in the K rows of the input that the output row sees, in order, with a start for every x. Then what a
// window sees, all of its rows, is one contiguous run of the list, whatever the stride and the padding.

// What fits. A number that is kept in fewer bits than it could need has its bound here, once: `Limits` in SpikeRuntime asks for it
// when a program is made, and sends what exceeds it another way. Kernels keep to their own arrays whatever they are given.

/// Positions of a column of a list, and channels of one that is read by channel: entries are told apart modulo this.
#define SPIKE_LARGEST_COLUMN (1 << 16)
/// Entries of a list of one sample and block of steps: starts are 32-bit numbers.
#define SPIKE_LARGEST_LIST UINT32_MAX
/// Spikes of a neuron in a step: counts are 16-bit numbers.
#define SPIKE_LARGEST_COUNT (1 << 12)
/// A neuron's spikes in a whole simulation where a pool adds them up: its running sums are 32-bit numbers.
#define SPIKE_LARGEST_SUM INT32_MAX
/// Coordinates of windows, padding included; weight rows; numbers of a depthwise layer's weights.
#define SPIKE_LARGEST_EXTENT (1 << 30)
/// Steps of a radix code: sums over them double 16 times.
#define SPIKE_LARGEST_RADIX 16
/// Lanes of a tile.
#define SPIKE_LARGEST_TILE 128
/// Places of a window over which spikes are maximised.
#define SPIKE_LARGEST_POOL 4096
/// Places of a window that the dense kernel takes, and places of the output that it works on together.
#define SPIKE_LARGEST_DENSE 128
#define SPIKE_POSITIONS 8

typedef enum { SPIKE_ISA_SCALAR = 0, SPIKE_ISA_AVX2 = 1, SPIKE_ISA_NEON = 2, SPIKE_ISA_AVX512 = 3, SPIKE_ISA_COUNT = 4 } spike_isa;

/// Lists of active rows. `starts[step * step_stride + y * (width + 1) + x]` is the first entry of column x for output row y.
typedef struct {
    const uint16_t *entries;
    const uint32_t *starts;
    size_t step_stride;
} spike_lists;

/// current[step][tile] += (or −=) the sum of the weight rows that a run of the list selects: entries e of [starts[from], starts[to])
/// select row (e − base) mod 2^16. float32: weights [rows][tile]. int8: weights packed by spike_pack_i8, sums shifted left by
/// `shift`, currents int32. Up to two entries behind the run may be read.
typedef struct {
    spike_lists lists;
    uint32_t from, to;
    uint16_t base;
    bool negative;
    /// Nothing stands in the currents yet: they are written instead of added to.
    bool first;
    int32_t tile;
    int32_t steps;
    int32_t shift;
    const void *weights;
    /// Bytes from the weights to a row of zeros.
    size_t zeros;
    void *current;
} spike_gather;

/// current[position] += (or −=) weights · numbers, for some places of the output at once: what gathering does in many steps, where
/// so many neurons spike that choosing rows does not pay. `numbers`: for each place of the kernel and each position, the numbers
/// of all channels there (below 128), zeros where it lies outside. weights: [tile / 32][places][groups][32 lanes][4 channels], so that
/// they are read from front to back: where they are not in the cache yet, nothing else is half as fast.
typedef struct {
    const uint8_t *const *numbers;
    int32_t places;
    int32_t positions;
    /// Of four channels.
    int32_t groups;
    int32_t tile;
    int32_t shift;
    bool negative;
    /// The largest number there can be.
    int32_t largest;
    const int8_t *weights;
    int32_t *current;
    size_t current_stride;
} spike_dense;

/// One place of a depthwise window: the spikes of the tile's channels (bytes, step 0) and the weights [tile] of that place.
typedef struct {
    const uint8_t *bits;
    const void *weights;
} spike_tap;

/// current[step][tile] += (or −=) weights where a spike is: depthwise and identity synapses on bits. Whole numbers: the weights
/// are int16, their sum over the taps has to be one too, and is shifted left by `shift`.
typedef struct {
    const spike_tap *taps;
    size_t step_bytes;
    int32_t tap_count;
    int32_t tile;
    int32_t steps;
    int32_t shift;
    bool negative;
    void *current;
} spike_masked;

/// current[tile] += (or −=) weights · numbers: what masked synapses do in many steps, for the numbers of a radix code. A tap's `bits`
/// are the numbers of the tile's channels; weights int16; sums are shifted left by `shift`.
typedef struct {
    const spike_tap *taps;
    int32_t tap_count;
    int32_t tile;
    int32_t shift;
    bool negative;
    int32_t *current;
} spike_weighted;

/// current[step][tile] += (or −=) counts · weights: synapses from sums of many neurons' spikes. counts [steps][count_stride],
/// weights [channels][tile].
typedef struct {
    const float *counts;
    size_t count_stride;
    int32_t channels;
    int32_t tile;
    int32_t steps;
    bool negative;
    const float *weights;
    float *current;
} spike_counted;

/// The numbers that the bits of `steps` steps (below 8) are the digits of, most significant first: 64 of them for each word.
typedef struct {
    const uint8_t *bits;
    size_t step_bytes;
    int32_t steps;
    size_t words;
    uint8_t *numbers;
} spike_digits;

/// A run of a list: entries e of [starts[from], starts[to]) are channels (e − base) mod 2^16 with weights from `row` on.
typedef struct {
    uint32_t from, to;
    uint32_t row;
    uint16_t base;
} spike_segment;

/// The same on lists (of single rows): an entry is channel c = e − base of its segment; its weight is weights[row + c], its target
/// the current of channel c + offset, if that lies in 0..<tile. Used where channels do not line up with bytes, and for counts.
typedef struct {
    spike_lists lists;
    const spike_segment *segments;
    int32_t segment_count;
    int32_t tile;
    int32_t steps;
    int32_t offset;
    bool negative;
    const void *weights;
    void *current;
} spike_scatter;

/// membrane ← growth · membrane + current[step], for all steps. record: NULL, or [steps][record_stride] for what stands after each.
typedef struct {
    const void *current;
    void *membrane;
    void *record;
    size_t record_stride;
    int32_t tile;
    int32_t steps;
    int32_t growth;
    uint64_t *saturations;
} spike_integrate;

/// Neurons of one pixel and tile over all steps: v ← v + (current[step] + offset), of which either may be missing, then emit.
typedef struct {
    const void *current;
    /// The same in every step: [tile], or NULL.
    const void *offset;
    void *membrane;
    /// Signed neurons: the number of spikes that stand.
    void *memory;
    const void *threshold;
    /// NULL for reset by subtraction.
    const void *reset;
    uint8_t *plus;
    uint8_t *minus;
    size_t step_bytes;
    /// Burst neurons.
    int16_t *counts;
    size_t count_stride;
    int32_t tile;
    /// The lanes that are neurons, a multiple of 8; nothing else is written.
    int32_t lanes;
    int32_t steps;
    /// The threshold of step t is threshold · 2^(exponent − t) if `halving`.
    int32_t exponent;
    bool halving;
    /// The most spikes of a burst, or that may stand; negative for no bound.
    int32_t limit;
    /// int32: how often a membrane met its bound; NULL where it is known that none can.
    uint64_t *saturations;
} spike_fire;

/// Gathering and firing at once, where the last synapses of a stage are gathered ones: their sums go from registers into the membranes.
/// `gather.current` holds what arrived before, unless `gather.first`. The same as firing on what gathering left in the currents, but
/// the currents need not be written.
typedef struct {
    spike_gather gather;
    spike_fire fire;
} spike_gather_fire;

/// How the bits of a spike train lie in memory: bytes from pixel to pixel, row to row, step to step.
typedef struct {
    size_t pixel, row, step;
} spike_strides;

/// A window over an input: where output (x, y) looks.
typedef struct {
    int32_t height, width;
    int32_t out_height, out_width;
    int32_t kernel_height, kernel_width;
    int32_t stride_y, stride_x;
    int32_t dilation_y, dilation_x;
    int32_t pad_top, pad_left;
} spike_window;

/// Which rows of an image an output row sees.
typedef struct {
    int32_t out_height;
    int32_t kernel_height, stride, dilation, pad;
} spike_rows;

/// Makes the lists of steps [step_begin, step_end) of channels [channel_begin, channel_begin + channel_count), as positions
/// (x · kernel_height + ky) · entry_stride + (c − channel_begin). A pixel of the image that `rows` looks at is a window over the
/// spikes, and its entries are those of all places of the window, so that sums (average pooling) are lists with repeated entries.
/// Vector stores may write up to 32 entries beyond the last.
typedef struct {
    const uint8_t *bits;
    const int16_t *counts;
    /// Of the bits; of the counts, in numbers.
    spike_strides strides;
    int32_t channel_begin, channel_count;
    int32_t entry_stride;
    int32_t step_begin, step_end;
    spike_window window;
    spike_rows rows;
    uint16_t *entries;
    uint32_t *starts;
    uint32_t first_entry;
    /// Out: one past the last entry written.
    uint32_t end_entry;
} spike_list_job;

/// Running-maximum pooling of output rows [row_begin, row_end): Σ ← growth·Σ + spikes, emits max Σ − growth·(max Σ before).
/// `sums`: Σ before the first step, [height][width][sum_stride], or NULL for zeros; strides are multiples of 16. Instantaneous: max of
/// the spikes. Windows of up to SPIKE_LARGEST_POOL places, of which at least one lies in the input.
typedef struct {
    const uint8_t *plus;
    const uint8_t *minus;
    uint8_t *out_plus;
    uint8_t *out_minus;
    const int16_t *counts;
    int16_t *out_counts;
    spike_strides strides, out_strides;
    int32_t channels;
    int32_t steps;
    int32_t row_begin, row_end;
    int32_t growth;
    bool instantaneous;
    const int32_t *sums;
    int32_t sum_stride;
    spike_window window;
} spike_pool;

/// Σ ← growth·Σ + spikes over all steps: what running-maximum pooling carries to its next steps.
typedef struct {
    const uint8_t *plus;
    const uint8_t *minus;
    const int16_t *counts;
    spike_strides strides;
    int32_t *sums;
    int32_t sum_stride;
    int32_t height, width;
    int32_t channels;
    int32_t steps;
    int32_t growth;
} spike_pool_sums;

/// A convolution of an analog image, straight into the lanes of the neurons behind it, as whole numbers: what comes in one step of
/// int8 networks with a constant input. image: [channels][window.height][window.width]; weights [channels][kernel places][lanes] and
/// bias [lanes], float32, in the unit of the neurons; sums are rounded to nearest and limited to ± `limit`. Rows [row_begin, row_end)
/// of the output; pixel x of row y goes to target + (y · columns + x / block) · stride + (x % block) · lanes.
typedef struct {
    const float *image;
    spike_window window;
    int32_t channels;
    int32_t row_begin, row_end;
    /// Of a pixel, a multiple of 8.
    int32_t lanes;
    int32_t block, columns, stride;
    const float *weights;
    const float *bias;
    float limit;
    int32_t *target;
    /// Out: how many sums were limited.
    uint64_t limited;
} spike_analog;

// ---- Whole numbers: what spikes of a layer-synchronous code say together. ----
//
// Rows of numbers times weights that are packed in panels of 64 columns: for each group of 4 (bytes), 2 (shorts) or 1 (float32) of the
// depth, the group's weights of each column. Each sum is made in the order of the depth, whatever the rows and columns around it.

/// Columns of a panel.
#define SPIKE_PANEL 64

/// out[row][column] = scale[column] · (start[column] + Σ a[row][k] · w[k][column]) + bias[column]; float32: Σ + bias alone.
typedef struct {
    /// uint8, int16 or float32, [rows][row_stride], of which the first depth · 4, 2 or 1 of a row are read.
    const void *rows;
    size_t row_stride;
    const void *panels;
    /// Groups of the depth.
    int32_t depth;
    int32_t row_count;
    int32_t columns;
    /// [columns] each; NULL for zeros, or ones. Up to 64 numbers are read where columns are left over: arrays are filled up to panels.
    const int32_t *start;
    const float *scale;
    const float *bias;
    float *out;
    size_t out_stride;
} spike_row_products;

/// The function of spike_function_job.
typedef enum {
    SPIKE_FUNCTION_ABS,
    SPIKE_FUNCTION_CLIP,       // alpha … beta
    SPIKE_FUNCTION_ELU,        // alpha
    SPIKE_FUNCTION_ERF,
    SPIKE_FUNCTION_EXP,
    SPIKE_FUNCTION_GELU,
    SPIKE_FUNCTION_GELU_TANH,
    SPIKE_FUNCTION_HARD_SIGMOID, // alpha, beta
    SPIKE_FUNCTION_HARD_SWISH,
    SPIKE_FUNCTION_LEAKY,      // alpha
    SPIKE_FUNCTION_RECIPROCAL,
    SPIKE_FUNCTION_SCALE,      // alpha
    SPIKE_FUNCTION_SIGMOID,
    SPIKE_FUNCTION_SWISH,      // alpha
    SPIKE_FUNCTION_SQRT,
    SPIKE_FUNCTION_TANH,
    SPIKE_FUNCTION_COUNT,
} spike_function;

/// y[i] = f(x[i]). Every instruction set gives the same bits.
typedef struct {
    spike_function function;
    float alpha, beta;
    const float *x;
    float *y;
    size_t count;
} spike_function_job;

typedef enum { SPIKE_PAIR_ADD, SPIKE_PAIR_SUBTRACT, SPIKE_PAIR_MULTIPLY, SPIKE_PAIR_DIVIDE } spike_pair;

/// y[i] = a[i] ∘ b[i]; an operand with step 0 is one number.
typedef struct {
    spike_pair pair;
    const float *a, *b;
    float *y;
    size_t count;
    uint8_t a_step, b_step;
} spike_pair_job;

typedef enum { SPIKE_NUMBERS_FLOAT, SPIKE_NUMBERS_BYTES, SPIKE_NUMBERS_SHORTS } spike_numbers;

/// n = sign(u) · min(⌊|u| + ½⌋, largest) of u = x · inverse; with `is_signed` false of max(u, 0). Written as float32 n · step, as bytes
/// n + offset, or as shorts. Columns may have steps of their own: [columns], or one for all.
/// Of a latency code of so many `steps`, in float32 alone, n is the sum of the weights of the steps t in which u, less the weights before, reaches
/// first[t], or last[t] for the last of `most_spikes`.
typedef struct {
    const float *x;
    size_t count;
    size_t columns;
    const float *inverse, *step;
    bool has_columns, is_signed;
    float largest;
    spike_numbers kind;
    int32_t offset;
    /// 0: binary digits.
    int32_t steps;
    int32_t most_spikes;
    const float *weights, *first, *last;
    void *out;
    /// Set: how many of x are no numbers, how many binary digits that are 1, or spikes of a latency code, were sent.
    uint64_t invalid, spikes;
} spike_encoding;

/// Rows of `length` numbers: y = (x − mean) / √(variance + epsilon) · gain + bias; sums in float64. Without `is_centred` the mean is 0.
typedef struct {
    const float *x;
    float *y;
    size_t rows, length;
    double epsilon;
    bool is_centred;
    const float *gain, *bias;
} spike_standardisation;

typedef enum { SPIKE_REDUCE_SUM, SPIKE_REDUCE_MEAN, SPIKE_REDUCE_MAXIMUM } spike_reduction;

/// y[o][i] of x[o][length][i]; a maximum of what holds no number is none.
typedef struct {
    spike_reduction reduction;
    const float *x;
    float *y;
    size_t outer, length, inner;
} spike_reduction_job;

/// out[y][x][c] = bias[c] + Σ w[place][c] · image[…][…][c] of an image [height][width][channels] for rows y of the output.
typedef struct {
    spike_window window;
    int32_t channels;
    const float *image, *weights, *bias;
    float *out;
    int32_t row_begin, row_end;
} spike_depthwise;

// ---- Layers of a radix code, in the numbers that spikes are the digits of. ----
//
// An image of numbers: bytes [height][width][channels], with so wide a border of zeros that no window leaves it.

/// What a layer reads of an image. Its windows are runs of bytes that follow one another, [run_rows][run_columns] of them.
typedef struct {
    /// The first byte of the window of output (0, 0); of synapses from each channel to itself, that of lane 0.
    const uint8_t *image;
    /// Bytes from the window of an output row, or pixel, to that of the next.
    size_t row, pixel;
    int32_t run_rows, run_columns;
    /// Bytes from run to run.
    size_t run_row, run_column;
    /// Of four bytes in a run. 0: each lane reads its own channel, one byte a run.
    int32_t groups;
    /// The lanes it adds to; the weights of others are zeros, and need not be read.
    int32_t lane_begin, lane_end;
    /// int8 [lanes / 32][runs][groups][32 lanes][4 channels], of which the last block may have 16 lanes; of a channel to itself int16
    /// [runs][lanes].
    const void *weights;
    /// What sums are shifted left by; the same for all that have groups.
    int32_t shift;
} spike_layer_branch;

/// Places of the output that are worked on together.
#define SPIKE_LAYER_PLACES 8

/// number = min(largest, max(0, ⌊(start + added + Σ weights · numbers) / threshold⌋)) for the rows [row_begin, row_end) of a layer: what a radix
/// neuron's spikes say in all steps together. Sums stay within 32 bits, thresholds are above 0.
typedef struct {
    /// Those with groups come first.
    const spike_layer_branch *branches;
    int32_t dense_count, branch_count;
    int32_t row_begin, row_end, width;
    /// A multiple of 16.
    int32_t lanes;
    /// Of them those that are computed, from a multiple of 32 on to another, or to the end.
    int32_t lane_begin, lane_end;
    /// [lanes]
    const int32_t *start;
    /// [row][pixel][lanes], or NULL.
    const int32_t *added;
    size_t added_row, added_pixel;
    /// [lanes], and 1 / threshold.
    const int32_t *threshold;
    const float *inverse;
    int32_t largest;
    /// The largest number that those with groups read, 127 at most.
    int32_t largest_read;
    /// An image; of each pixel so many bytes are written.
    uint8_t *target;
    size_t target_row, target_pixel;
    int32_t channels;
} spike_layer;

#include "kernels.def"

/// One function for each kernel; ``spike_table`` fills it.
typedef struct {
#define SPIKE_SLOT(name, job, avx2, avx512, neon) void (*name)(job *);
    SPIKE_KERNELS(SPIKE_SLOT)
} spike_kernel_table;

/// The kernels of kernels.def: how many there are, the name of each, and whose function an instruction set runs for it, which is its own
/// or that of another one.
size_t spike_kernel_count(void);
const char *spike_kernel_name(size_t kernel);
spike_isa spike_kernel_isa(size_t kernel, spike_isa isa);

/// Whether this machine can run it.
bool spike_isa_supported(spike_isa isa);
const char *spike_isa_name(spike_isa isa);
/// The best of this machine, or what the environment variable SPIKELET_ISA names if the machine has it.
spike_isa spike_isa_default(void);
/// The kernels of an instruction set; where it has none, the plain ones. Unsupported sets give the plain table.
const spike_kernel_table *spike_table(spike_isa isa);

/// int32 membranes are kept within ± this, so that one more step (at most as much) cannot overflow.
#define SPIKE_MEMBRANE_LIMIT (1 << 29)

/// Packs one row of a tile (a multiple of 32) for gather_i8: of each 32 channels, byte 2i holds channel i plus 128, byte 2i+1
/// channel 16+i. A 16-bit word then carries two sums at once.
void spike_pack_i8(const int8_t *row, int32_t tile, uint8_t *packed);

/// Reads rows of 128 bytes and adds them up, which is the least that gathering has to do: for measuring its bound.
uint64_t spike_read_rows(const void *start, const uint32_t *offsets, size_t count);

/// The number of set bits.
uint64_t spike_popcount(const uint64_t *words, size_t count);

/// The set bits of each channel over all pixels of an area, step by step: sums [steps][8 · bytes].
void spike_sum_bits(
    const uint8_t *bits, spike_strides strides, int32_t steps, int32_t height, int32_t width, int32_t bytes, float *sums);

/// counts[channel][y][x] += the set bits over all steps.
void spike_count_bits(
    const uint8_t *bits, spike_strides strides, int32_t steps, int32_t height, int32_t width, int32_t channels, float *counts);

/// Where an image [channels][height][width] goes: [height][blocks][lanes], lane p · channel_stride + c of block b being channel c
/// of pixel b · block + p. Other lanes are left as they are.
typedef struct {
    int32_t height, width, channels;
    int32_t block, channel_stride, lanes;
} spike_lane_layout;

void spike_to_lanes_f32(const float *image, const spike_lane_layout *layout, float *target);
/// The same, each value times scale[channel], as whole numbers rounded to nearest and limited to ± `limit`. Returns how many were
/// limited.
uint64_t spike_to_lanes_i32(const float *image, const spike_lane_layout *layout, const float *scale, float limit, int32_t *target);
/// Unrolls an image [channels][height][width] for a convolution: [channels][kernel][out pixels].
void spike_unroll_f32(const float *image, int32_t channels, const spike_window *window, float *target);

/// Copies the pixels of spikes to other places: `pixels` holds, for each of the target, the source's number, counted row after row, or −1
/// where nothing is written. Strides are in bytes; a pixel has as many as from one to the next.
typedef struct {
    const uint8_t *source;
    uint8_t *target;
    spike_strides strides, out_strides;
    const int32_t *pixels;
    int32_t width, out_width;
    int32_t row_begin, row_end;
    int32_t steps;
} spike_move;

void spike_move_pixels(const spike_move *job);

// ---- A whole stage: synapses of all branches, integration, firing and packing, for one tile, one sample, some rows. ----

typedef enum {
    SPIKE_BRANCH_GATHER,
    SPIKE_BRANCH_DENSE,
    SPIKE_BRANCH_MASKED,
    SPIKE_BRANCH_WEIGHTED,
    SPIKE_BRANCH_COUNTED,
    SPIKE_BRANCH_SCATTER,
    SPIKE_BRANCH_VALUES
} spike_branch_kind;

typedef struct {
    spike_branch_kind kind;
    bool negative;
    /// A run for each column of the kernel instead of one for all: with dilation, and where a kernel has more than 2^16 rows.
    bool each_column;
    spike_window window;
    /// Positions a pixel of the lists has (gather, scatter).
    int32_t channels;
    spike_lists lists;
    /// Gather, counted: weight rows of a tile.
    int32_t rows;
    /// Dense: the sample's numbers at the first channel of the branch, with `strides` from place to place, as many zeros, and the largest
    /// number there can be.
    const uint8_t *numbers;
    const uint8_t *zeros;
    int32_t largest;
    /// Masked: the sample's spikes at the byte of the tile's first lane (weighted: the numbers at it); whole numbers: what is left to shift.
    int32_t masked_shift;
    const uint8_t *bits;
    spike_strides strides;
    /// Of this tile. Masked: [places][tile]; scatter: [places][channels] whole.
    const void *weights;
    int32_t scatter_offset;
    /// Values: [steps][pixels][value_stride] at the tile's first channel. Counted: the sample's counts, [steps][value_stride].
    const void *values;
    int64_t value_stride;
} spike_branch;

typedef enum { SPIKE_NEURON_IF, SPIKE_NEURON_SIGNED, SPIKE_NEURON_BURST, SPIKE_NEURON_NONE } spike_neuron_kind;

typedef struct {
    const spike_branch *branches;
    int32_t branch_count;
    int32_t tile;
    int32_t out_width;
    /// Of the whole output.
    int64_t pixels;
    int32_t row_begin, row_end;
    int32_t steps;
    /// The first of them, in which layer-synchronous neurons that integrate in all of them send nothing: steps above a layer's own digits.
    int32_t silent;
    bool integers;
    int32_t shift;
    /// Added in every step, or in the last alone: at the tile's first channel; 0 strides repeat.
    const void *offsets;
    int64_t offset_pixel_stride, offset_step_stride;
    bool offsets_last_only;
    /// Emit after all steps have been integrated.
    bool layer_synchronous;
    int32_t growth;
    spike_neuron_kind neuron;
    /// What is added before emission under the layer-synchronous schedule, [tile], or NULL.
    const void *rounding;
    /// fire.current, .offset, .membrane, .memory, .plus, .minus, .counts are set for each pixel from what follows.
    spike_fire fire;
    /// [pixels][state_stride] at the tile's first channel, or NULL to start from `initial` and forget.
    void *membranes;
    void *memories;
    int64_t state_stride;
    const void *initial;
    uint8_t *plus;
    uint8_t *minus;
    /// From block to block where a pixel of the stage is a block of pixels.
    spike_strides strides;
    int16_t *counts;
    spike_strides count_strides;
    /// Neurons of the last block of a row.
    int32_t last_lanes;
    /// Neurons of kind NONE: the sums after each step, [steps][pixels][record_pixel_stride], or NULL.
    void *record;
    int64_t record_pixel_stride;
    int64_t record_step_stride;
    /// Room for [SPIKE_POSITIONS][steps][tile] of 4 bytes.
    void *scratch;
} spike_stage;

void spike_run_stage(const spike_stage *stage, const spike_kernel_table *table);

/// Axes of a value that is put into another order.
#define SPIKE_LARGEST_RANK 12

/// Packs w[k][column] = weights[k · row_stride + column · column_stride] for spike_rows_f32 and spike_rows_i16; what fills up a panel,
/// or a group of the depth, is 0.
void spike_pack_f32(const float *weights, size_t row_stride, size_t column_stride, int32_t depth, int32_t columns, float *panels);
void spike_pack_i16(const int16_t *numbers, size_t row_stride, size_t column_stride, int32_t depth, int32_t columns, int16_t *panels);
/// (number − offset) · step, of as many columns as there are steps; of 0 columns one step for all.
void spike_decode(const void *numbers, spike_numbers kind, int32_t offset, const float *step, size_t columns, size_t count, float *target);
/// Bytes less their offset.
void spike_widen(const uint8_t *bytes, int32_t offset, size_t count, int16_t *target);
/// Elements of 1, 2 or 4 bytes in another order: target in row-major order of `sizes`, the source's strides given for each axis.
void spike_permute(const void *source, void *target, int32_t rank, const size_t *sizes, const size_t *strides, size_t element);

/// Some channels of an image [height][width][channels], as rows of what each output position sees, filled up to row_bytes.
typedef struct {
    spike_window window;
    const void *image;
    size_t pixel_bytes, channel_bytes, row_bytes;
    /// The byte that padding consists of.
    uint8_t padding;
} spike_unrolling;

void spike_unroll_rows(const spike_unrolling *job, int32_t first, int32_t count, void *target);

// ---- Layers of a radix code, in numbers: around them. ----

/// The maximum, or the sum, of the bytes of windows, [row_begin, row_end) of an image of `width` pixels. Sums stay below 256. Up to eight bytes
/// behind a window's last channel may be read.
typedef struct {
    const uint8_t *image;
    /// Bytes from the window of an output row, or pixel, to that of the next; from place to place in a window.
    size_t row, pixel, place_row, place_column;
    int32_t places_y, places_x;
    bool sums;
    int32_t row_begin, row_end, width;
    uint8_t *target;
    size_t target_row, target_pixel;
    /// A multiple of 8.
    int32_t channels;
} spike_image_pool;

void spike_pool_image(const spike_image_pool *given);

/// A layer, or a pool.
typedef struct {
    bool is_pool;
    spike_image_pool pool;
    spike_layer layer;
    /// Whether what is added comes from an image of real values: it is made some rows before it is read.
    bool is_analog;
    spike_analog analog;
} spike_layer_step;

/// One after the other. Counts what analog jobs limited.
void spike_run_layers(spike_layer_step *steps, int32_t count, const spike_kernel_table *table);

/// The steps of numbers, digits with the most significant first: what spike_digits makes numbers of. bytes: of a step's bits, 8 numbers each.
void spike_digits_of(const uint8_t *numbers, size_t bytes, int32_t steps, uint8_t *bits, size_t step_bytes);
/// counts[channel][pixel] += the ones among the digits of an image of numbers.
void spike_count_digits(const uint8_t *image, size_t row, size_t pixel, int32_t height, int32_t width, int32_t channels, float *counts);

// ---- Threads that work on a layer together. ----

typedef struct spike_crew spike_crew;

/// So many threads, the caller among them; fewer where the system gives no more, NULL without memory.
spike_crew *spike_crew_make(int32_t threads);
/// Calls `work(context, slot)` for every slot below `slots`, each on a thread of its own, slot 0 on the caller's, and waits for all.
/// Returns false, with nothing done, where the crew is at work already or smaller than that.
bool spike_crew_run(spike_crew *crew, int32_t slots, void (*work)(void *context, int32_t slot), void *context);
/// Nothing may be running.
void spike_crew_free(spike_crew *crew);

#endif
