// Uses every function of the C interface once, and wrongly where that can be tried, as a C program does. A test runs it:
//     CDoor MODEL.onnx FOLDER
// The model takes float32 [N, 1, 8, 8] and gives 3 scores. FOLDER gets what is written.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../Sources/CSpikelet/include/spikelet.h"

enum { samples = 40, size = 64 };

static float images[samples * size];
static int64_t labels[samples];
static const int64_t image_shape[] = {samples, 1, 8, 8}, label_shape[] = {samples};

static void fail(const char *what, int line) {
    const char *error = spikelet_last_error();
    fprintf(stderr, "line %d: %s: %s\n", line, what, error ? error : "no error");
    exit(1);
}

#define REQUIRE(condition) \
    do { \
        if (!(condition)) fail(#condition, __LINE__); \
    } while (0)
#define OK(call) REQUIRE((call) == SPIKELET_OK)
/// The call fails, and its error holds a text.
#define FAILS(call, text) \
    do { \
        REQUIRE((call) == SPIKELET_FAILED); \
        REQUIRE(spikelet_last_error() != NULL && strstr(spikelet_last_error(), text) != NULL); \
    } while (0)

static int32_t count_calls(void *context, const char *title, const char *unit, int64_t completed, int64_t total) {
    (void)title, (void)unit, (void)completed, (void)total;
    ++*(int *)context;
    return 0;
}

static int32_t stop(void *context, const char *title, const char *unit, int64_t completed, int64_t total) {
    (void)context, (void)title, (void)unit, (void)completed, (void)total;
    return 1;
}

static int32_t next_batch(void *context, int64_t pass, int64_t index, spikelet_batch *batch) {
    static const int64_t shape[] = {10, 1, 8, 8};
    static spikelet_array input;
    (void)pass;
    if (index >= 4) return *(int *)context == 0 ? 0 : -1;
    input = (spikelet_array){"input", SPIKELET_FLOAT32, 4, shape, images + index * 10 * size};
    *batch = (spikelet_batch){&input, 1, NULL, NULL};
    return 1;
}

static char *path(const char *folder, const char *name) {
    char *text = malloc(strlen(folder) + strlen(name) + 2);
    sprintf(text, "%s/%s", folder, name);
    return text;
}

static void *release_elsewhere(void *handle) {
    // An error of another thread is not this one's.
    REQUIRE(spikelet_last_error() == NULL);
    spikelet_release(handle);
    return NULL;
}

int main(int count, char **arguments) {
    REQUIRE(count == 3);
    const char *model = arguments[1], *folder = arguments[2];
    uint32_t state = 1;
    for (int i = 0; i < samples * size; i++) {
        state = state * 1664525u + 1013904223u;
        images[i] = (float)(state >> 8) / (float)(1 << 24);
    }

    char version[32];
    snprintf(version, sizeof version, "/%d", SPIKELET_INTERFACE);
    REQUIRE(strstr(spikelet_version(), version) != NULL);
    OK(spikelet_set_threads(2));
    FAILS(spikelet_set_threads(-1), "threads");

    // Models.
    spikelet_graph *ann = NULL, *same = NULL;
    OK(spikelet_model_read(model, NULL, &ann));
    FAILS(spikelet_model_read("no such file.onnx", NULL, &same), "no such file.onnx");
    FAILS(spikelet_model_read(NULL, NULL, &same), "NULL");
    FAILS(spikelet_model_read(model, "{\"openaxes\": {}}", &same), "openaxes");
    FAILS(spikelet_model_read(model, "{\"openAxes\": 3}", &same), "openAxes");
    FAILS(spikelet_model_read(model, "not json", &same), "options");
    FILE *file = fopen(model, "rb");
    REQUIRE(file != NULL);
    static char bytes[1 << 20];
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    OK(spikelet_model_from_bytes(bytes, (int64_t)length, "tiny.onnx", "{}", &same));
    FAILS(spikelet_model_from_bytes(bytes, 10, "tiny.onnx", "{}", &same), "tiny.onnx");
    FAILS(spikelet_model_from_bytes(NULL, 0, NULL, NULL, &same), "bytes");
    spikelet_release(same);

    char *text = NULL;
    OK(spikelet_graph_describe(ann, &text));
    REQUIRE(strstr(text, "\"isSpiking\":false") != NULL);
    spikelet_free_text(text);
    spikelet_arrays *arrays = NULL;
    OK(spikelet_graph_arrays(ann, &arrays));
    REQUIRE(spikelet_arrays_count(arrays) > 0);
    spikelet_array array;
    OK(spikelet_arrays_at(arrays, 0, &array));
    REQUIRE(array.name != NULL && array.values != NULL);
    FAILS(spikelet_arrays_at(arrays, 1000, &array), "1000");
    FAILS(spikelet_arrays_at((spikelet_arrays *)ann, 0, &array), "another kind");
    spikelet_release(arrays);

    spikelet_array input = {"input", SPIKELET_FLOAT32, 4, image_shape, images};
    OK(spikelet_graph_run(ann, &input, 1, NULL, NULL, &arrays));
    OK(spikelet_arrays_at(arrays, 0, &array));
    REQUIRE(array.rank == 2 && array.shape[0] == samples && array.shape[1] == 3);
    for (int i = 0; i < samples; i++) {
        const float *scores = (const float *)array.values + 3 * i;
        labels[i] = scores[1] > scores[0] ? (scores[2] > scores[1] ? 2 : 1) : (scores[2] > scores[0] ? 2 : 0);
    }
    spikelet_release(arrays);
    FAILS(spikelet_graph_run(ann, &input, 2, NULL, NULL, &arrays), "2 inputs");

    // Data, in three ways.
    spikelet_array label = {NULL, SPIKELET_INT64, 1, label_shape, labels};
    spikelet_batch all = {&input, 1, &label, NULL};
    spikelet_data *data = NULL, *streamed = NULL, *filed = NULL;
    int ends_badly = 0, ends_well = 1;
    OK(spikelet_data_from_arrays(&all, "{\"batchSize\": 16}", &data));
    OK(spikelet_data_from_batches(next_batch, &ends_badly, "{\"batches\": 4}", &streamed));
    FAILS(spikelet_data_from_arrays(&all, "{\"batchsize\": 16}", &filed), "batchsize");
    OK(spikelet_data_open("no such file.npz", NULL, &filed));

    // SpikingJelly's conversion, at once and pass by pass.
    spikelet_graph *snn = NULL, *fused = NULL, *hooked = NULL, *calibrated = NULL, *neurons = NULL;
    int calls = 0;
    OK(spikelet_convert(ann, streamed, "{\"recipe\": \"rate-coding\", \"mode\": \"99.9%\"}", count_calls, &calls, &snn, &text));
    spikelet_free_text(text);
    OK(spikelet_graph_pass(ann, "fuse", NULL, NULL, NULL, NULL, &fused));
    OK(spikelet_graph_pass(fused, "setVoltageHook", NULL, "{\"mode\": \"99.9%\"}", NULL, NULL, &hooked));
    OK(spikelet_graph_pass(hooked, "calibrate", streamed, NULL, NULL, NULL, &calibrated));
    OK(spikelet_graph_pass(calibrated, "replaceByIFNode", NULL, NULL, NULL, NULL, &neurons));
    FAILS(spikelet_graph_pass(ann, "fly", NULL, NULL, NULL, NULL, &same), "fly");
    FAILS(spikelet_graph_pass(hooked, "calibrate", NULL, NULL, NULL, NULL, &same), "NULL");
    spikelet_data *broken = NULL;
    OK(spikelet_data_from_batches(next_batch, &ends_well, NULL, &broken));
    REQUIRE(spikelet_graph_pass(hooked, "calibrate", broken, NULL, NULL, NULL, &same) == SPIKELET_STOPPED);
    spikelet_release(broken);
    spikelet_release(fused);
    spikelet_release(hooked);
    spikelet_release(calibrated);
    spikelet_release(neurons);
    FAILS(spikelet_convert(ann, filed, "{\"recipe\": \"radix\"}", NULL, NULL, &same, &text), "no such file.npz");
    FAILS(spikelet_convert(ann, NULL, "{\"recipe\": \"radix\", \"steps\": 4, \"meanSteps\": 3}", NULL, NULL, &same, &text), "steps");
    FAILS(spikelet_convert(ann, data, "{\"recipe\": \"magic\"}", NULL, NULL, &same, &text), "magic");

    // Single steps, and whole runs.
    spikelet_simulation *simulation = NULL;
    OK(spikelet_simulation_make(snn, "{\"precision\": \"float32\"}", &simulation));
    FAILS(spikelet_simulation_make(ann, NULL, &simulation), "not a spiking one");
    for (int step = 0; step < 3; step++) {
        OK(spikelet_simulation_step(simulation, &input, 1, &arrays));
        spikelet_release(arrays);
    }
    const int64_t fewer[] = {8, 1, 8, 8};
    spikelet_array less = {"input", SPIKELET_FLOAT32, 4, fewer, images};
    FAILS(spikelet_simulation_step(simulation, &less, 1, &arrays), "reset");
    OK(spikelet_simulation_reset(simulation));
    OK(spikelet_simulation_run(
        simulation, &input, 1, "{\"steps\": 8, \"perStep\": true, \"spikeCounts\": true, \"spikes\": true}", count_calls, &calls, &arrays,
        &text));
    REQUIRE(strstr(text, "\"samples\":40") != NULL);
    REQUIRE(spikelet_arrays_count(arrays) == 1 + 1 + 3 + 3);
    spikelet_free_text(text);
    spikelet_release(arrays);
    REQUIRE(spikelet_simulation_run(simulation, &input, 1, "{\"steps\": 4096}", stop, NULL, &arrays, &text) == SPIKELET_STOPPED);
    FAILS(spikelet_simulation_run(simulation, &input, 1, "{\"steps\": 0}", NULL, NULL, &arrays, &text), "steps");
    spikelet_array bad = {"input", SPIKELET_FLOAT32, 4, image_shape, NULL};
    FAILS(spikelet_simulation_run(simulation, &bad, 1, NULL, NULL, NULL, &arrays, &text), "no values");
    spikelet_release(simulation);

    // Files.
    char *written = path(folder, "snn.safetensors"), *exported = path(folder, "arrays.npz");
    OK(spikelet_network_write(snn, written));
    OK(spikelet_network_read(written, NULL, &same));
    spikelet_release(same);
    FAILS(spikelet_network_read(model, NULL, &same), "ONNX model");
    FAILS(spikelet_network_write(ann, written), "not a spiking one");
    OK(spikelet_network_export(snn, exported, NULL, "{\"format\": \"npz\", \"approximate\": true}", NULL, NULL, &text));
    spikelet_free_text(text);

    // Measuring.
    OK(spikelet_evaluate(snn, ann, data, "{\"steps\": [1, 8], \"layers\": true, \"activity\": true}", count_calls, &calls, &text));
    char *result = text;
    REQUIRE(strstr(result, "\"spikesPerNeuron\"") != NULL);
    OK(spikelet_results_text(result, NULL, &text));
    spikelet_free_text(text);
    OK(spikelet_results_page(result, "[\"tiny\"]", &text));
    REQUIRE(strstr(text, "<html") != NULL);
    spikelet_free_text(text);
    spikelet_free_text(result);
    FAILS(spikelet_results_text("{}", NULL, &text), "no result of an evaluation");
    FAILS(spikelet_evaluate(snn, NULL, streamed, NULL, NULL, NULL, &text), "labels");

    // SpikingJelly's hook, and a download.
    OK(spikelet_voltage_hook(&input, "{\"mode\": \"max\"}", &text));
    REQUIRE(strstr(text, "\"samples\":40") != NULL);
    spikelet_free_text(text);
    FAILS(spikelet_download("nowhere", exported, NULL, NULL, NULL, &text), "nowhere");

    pthread_t thread;
    pthread_create(&thread, NULL, release_elsewhere, snn);
    pthread_join(thread, NULL);
    spikelet_release(ann);
    spikelet_release(data);
    spikelet_release(streamed);
    spikelet_release(filed);
    spikelet_release(NULL);
    spikelet_free_text(NULL);
    free(written);
    free(exported);
    puts("ok");
    return 0;
}
