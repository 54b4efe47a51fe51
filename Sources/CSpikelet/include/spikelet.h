/// Spikelet for other languages: networks in, spiking networks out, simulated and measured.
///
/// What all functions have in common:
///
/// - A function that can fail returns SPIKELET_OK, or another status; then spikelet_last_error tells what was wrong, and what the call should
///   have written is left as it was.
/// - Handles (spikelet_graph and the like) belong to the caller, who gives each back by spikelet_release, once. Texts that are written through
///   a `char **` are given back by spikelet_free_text.
/// - Texts are UTF-8. Structure is JSON: an object of options, whose keys each function names, with NULL or "{}" for none. Unknown keys are an
///   error. Numbers in bulk are arrays: a pointer to values in row-major order, and a shape.
/// - Arrays that are passed in are read where they are, and are not changed. They have to stay as they are until the call returns.
/// - Graphs and data may be used by several threads at a time. A simulation works for one of them after the other.
#ifndef SPIKELET_H
#define SPIKELET_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The version of this interface, which spikelet_version ends with: another number is another header.
#define SPIKELET_INTERFACE 1

/// What became of a call.
typedef enum spikelet_status {
    SPIKELET_OK = 0,
    /// spikelet_last_error says what was wrong.
    SPIKELET_FAILED = 1,
    /// A callback asked for the end.
    SPIKELET_STOPPED = 2,
} spikelet_status;

/// The type of an array's values. Inputs of uint8 become float32 by 1/255, as in the files that the command reads.
typedef enum spikelet_type {
    SPIKELET_FLOAT32 = 0,
    SPIKELET_UINT8 = 1,
    SPIKELET_INT64 = 2,
    /// A byte each, 0 or 1.
    SPIKELET_BOOL = 3,
} spikelet_type;

/// Numbers in row-major order.
typedef struct spikelet_array {
    /// What they are of; NULL where the place says it.
    const char *name;
    spikelet_type type;
    int32_t rank;
    /// `rank` sizes.
    const int64_t *shape;
    const void *values;
} spikelet_array;

/// Samples that go through a network together.
typedef struct spikelet_batch {
    /// An array for each input, [N, …].
    const spikelet_array *inputs;
    int32_t input_count;
    /// int64 [N], or [N, …] of a prediction at each place; NULL: none.
    const spikelet_array *labels;
    /// float32 [N, …], of a regression; NULL: none.
    const spikelet_array *targets;
} spikelet_batch;

/// A network, with or without spikes.
typedef struct spikelet_graph spikelet_graph;
/// Samples, for calibration and evaluation.
typedef struct spikelet_data spikelet_data;
/// A spiking network that is being simulated.
typedef struct spikelet_simulation spikelet_simulation;
/// Arrays that a call gave.
typedef struct spikelet_arrays spikelet_arrays;

/// Told several times a second, on the thread that called, how far long work has come.
///
/// `title` says what is done ("calibrating"), `unit` what is counted ("batches"); `total` is -1 where it is not known. Both are NULL
/// where there is nothing to tell. A result other than 0 stops the work: the call then returns SPIKELET_STOPPED.
typedef int32_t (*spikelet_progress)(void *context, const char *title, const char *unit, int64_t completed, int64_t total);

/// Writes the batch `index` of the pass `pass` over the data, both counted from 0, to `batch`; it has to stay as it is until the next call.
/// Every pass has to give the same samples; some end early, and the batch after the last may be asked for more than once. Called on the
/// thread that called.
///
/// Returns 1 with a batch, 0 after the last, -1 to stop with SPIKELET_STOPPED.
typedef int32_t (*spikelet_next_batch)(void *context, int64_t pass, int64_t index, spikelet_batch *batch);

// The library

/// The version, and that of this interface: "0.9.0/1". It stays.
const char *spikelet_version(void);

/// What was wrong in this thread's last call that failed, as JSON: `code`, `what`, `details` (a list of lines), `where`, `remedy`.
/// Valid until the thread's next call.
const char *spikelet_last_error(void);

/// Gives a handle back; NULL is none.
void spikelet_release(void *handle);

/// Gives a text back; NULL is none.
void spikelet_free_text(char *text);

/// How many threads a call may work with; 0: as many as the machine has cores. Applies to calls and simulations made from then on. No result
/// depends on it.
spikelet_status spikelet_set_threads(int32_t threads);

// Graphs

/// An ONNX model from a file. Options: `openAxes` ({"H": 320}), sizes that it leaves open besides the batch, and `data` (a list of the inputs'
/// sample shapes, [[3, 320, 320]]), which says those that have no name there.
spikelet_status spikelet_model_read(const char *path, const char *options, spikelet_graph **graph);

/// An ONNX model from memory: `length` bytes. `name` stands for the file's in messages. Options as in spikelet_model_read.
spikelet_status spikelet_model_from_bytes(
    const void *bytes, int64_t length, const char *name, const char *options, spikelet_graph **graph);

/// A spiking network from a file of spikelet_graph_write, or a NIR file. Options: `data`, as in spikelet_model_read; of a NIR file `reader`,
/// `reset` and `timeStep`, as the command's --as, --reset and --time-step.
spikelet_status spikelet_network_read(const char *path, const char *options, spikelet_graph **graph);

/// Writes a spiking network to a file, as a whole or not at all.
spikelet_status spikelet_network_write(const spikelet_graph *graph, const char *path);

/// Writes a spiking network for others. Options: `format` ("nir", "npz"), `target`, `approximate`, `steps`, as the command's export. With `data`
/// the written file is simulated as its reader will, too. `json` gets what was replaced, what is to be noted, and what the check found.
spikelet_status spikelet_network_export(
    const spikelet_graph *graph, const char *path, const spikelet_data *data, const char *options, spikelet_progress progress,
    void *context, char **json);

/// What a graph is, as JSON: `name`, `isSpiking`, `inputs` and `outputs` (name, type, shape with null for the batch), `text` (a table of
/// its layers); `document`, the graph as a spiking network's file has it, whose constants spikelet_graph_arrays gives; of a spiking network
/// also `recipe`, `steps`, `schedule`, `stepsEndToEnd`, `facts`, `warnings`.
spikelet_status spikelet_graph_describe(const spikelet_graph *graph, char **json);

/// A graph's constants.
spikelet_status spikelet_graph_arrays(const spikelet_graph *graph, spikelet_arrays **arrays);

/// Runs an ANN on an array for each input. `outputs` gets one for each output.
spikelet_status spikelet_graph_run(
    const spikelet_graph *graph, const spikelet_array *inputs, int32_t count, spikelet_progress progress, void *context,
    spikelet_arrays **outputs);

/// One step of the conversion of SpikingJelly's: `pass` is "fuse" (option `fuse`, false to leave
/// batch normalisations), "setVoltageHook" (options `mode`, `momentum`), "calibrate" (with data)
/// or "replaceByIFNode".
spikelet_status spikelet_graph_pass(
    const spikelet_graph *graph, const char *pass, const spikelet_data *data, const char *options, spikelet_progress progress,
    void *context, spikelet_graph **result);

// Data

/// Data from a file or a folder, as the command takes them. Options: `split`, `labels`, `mean` and `std` (a list), `resize`, `crop`,
/// `interpolation`, `grey`, `batchSize`, `limit`, as the command's; `timeVarying`: samples are [T, N, …].
spikelet_status spikelet_data_open(const char *path, const char *options, spikelet_data **data);

/// Data in memory, to be taken in batches. They are copied. Options: `batchSize`, `limit`; `timeVarying`: the only input is [T, N, …].
spikelet_status spikelet_data_from_arrays(const spikelet_batch *all, const char *options, spikelet_data **data);

/// Data that a callback gives, one batch after the other. Options: `batches`, their number, where it is known.
spikelet_status spikelet_data_from_batches(spikelet_next_batch next, void *context, const char *options, spikelet_data **data);

// Conversion

/// Makes a spiking network of an ANN. `data` calibrates; NULL: thresholds without data. Options: `recipe`, `steps`, `base`, `meanSteps`,
/// `targetDrop`, `prefer`, `mode`, `momentum`, `fuse`, `thresholds` ("per-channel", "per-layer"), `pooling`, `schedule`, `readoutDelay` (a text: steps, or
/// "auto"), `weightCorrection`, `allowAnalog`, as the command's convert. `json` gets `warnings`, and with `targetDrop` `search`, what was
/// tried; also where nothing was good enough, which is an error.
spikelet_status spikelet_convert(
    const spikelet_graph *ann, const spikelet_data *data, const char *options, spikelet_progress progress, void *context,
    spikelet_graph **snn, char **json);

// Simulation

/// Prepares a spiking network to be simulated. Options: `precision` ("float32", "int8"), `reference` (true: by the reference executor).
spikelet_status spikelet_simulation_make(const spikelet_graph *snn, const char *options, spikelet_simulation **simulation);

/// Simulates from a fresh state. Options: `steps`, `timeVarying` (inputs are [T, N, …]), `perStep`, `spikeCounts`, `spikes`. `results` gets the
/// outputs under their names; with `perStep` also "step outputs", the first output after each step, [T, N, …]; with `spikeCounts` int64 "counts/LAYER", [N, …]; with
/// `spikes` int64 "spikes/LAYER", what every neuron sent in each step, [T, N, …]. `json` gets `samples`, `steps`, `spikesPerNeuron`, `warnings`.
spikelet_status spikelet_simulation_run(
    spikelet_simulation *simulation, const spikelet_array *inputs, int32_t count, const char *options, spikelet_progress progress,
    void *context, spikelet_arrays **results, char **json);

/// One step of a streaming network, which goes on from the one before; the first after spikelet_simulation_reset begins. `outputs` gets what
/// the step adds to the sum of the outputs.
spikelet_status spikelet_simulation_step(
    spikelet_simulation *simulation, const spikelet_array *inputs, int32_t count, spikelet_arrays **outputs);

/// Back to a fresh state.
spikelet_status spikelet_simulation_reset(spikelet_simulation *simulation);

// Measuring

/// Measures a spiking network on data, against its ANN where one is given. Options: `steps` (a list), `layers`, `activity` (for a report),
/// `precision`, `reference`, `exitConfidence`, `exitLoss`, as the command's evaluate. `json` gets the result, as its --json.
spikelet_status spikelet_evaluate(
    const spikelet_graph *snn, const spikelet_graph *ann, const spikelet_data *data, const char *options, spikelet_progress progress,
    void *context, char **json);

/// A result of spikelet_evaluate, or a list of several, as text for a terminal. `names`: a list of what they are called; NULL: by their
/// networks and recipes.
spikelet_status spikelet_results_text(const char *results, const char *names, char **text);

/// The same as one page of HTML.
spikelet_status spikelet_results_page(const char *results, const char *names, char **html);

// Arrays

/// How many arrays there are.
int64_t spikelet_arrays_count(const spikelet_arrays *arrays);

/// One of them; it lies in the handle's memory, and goes with it.
spikelet_status spikelet_arrays_at(const spikelet_arrays *arrays, int64_t index, spikelet_array *array);

// SpikingJelly's

/// What a VoltageHook makes of a batch of activations. Options: `mode`, `momentum`, and `scale` and `samples`, its state so far; `json` gets
/// the new `scale` and `samples`.
spikelet_status spikelet_voltage_hook(const spikelet_array *values, const char *options, char **json);

/// Downloads a file, going on with what is there of it. Options: `sha256`. `json` gets `bytes`.
spikelet_status spikelet_download(
    const char *url, const char *path, const char *options, spikelet_progress progress, void *context, char **json);

#ifdef __cplusplus
}
#endif

#endif
