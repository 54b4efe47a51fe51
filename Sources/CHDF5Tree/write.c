// Writes a tree into an HDF5 file in memory.

#ifdef NIR
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

#include "chdf5tree.h"
#include "lock.h"

pthread_mutex_t chdf5_lock = PTHREAD_MUTEX_INITIALIZER;

enum { MAX_DEPTH = 64 };

struct chdf5_writer {
    hid_t file, plain, text;
    hid_t groups[MAX_DEPTH];
    int depth;
};

chdf5_writer *chdf5_writer_open(void) {
    chdf5_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return NULL;
    pthread_mutex_lock(&chdf5_lock);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1 << 16, 0);
    writer->file = H5Fcreate("memory.nir", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    // Without the time of writing, the same tree gives the same bytes.
    writer->plain = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(writer->plain, 0);
    writer->text = H5Tcopy(H5T_C_S1);
    H5Tset_size(writer->text, H5T_VARIABLE);
    H5Tset_cset(writer->text, H5T_CSET_UTF8);
    writer->groups[0] = writer->file;
    if (writer->file < 0 || writer->plain < 0 || writer->text < 0) {
        chdf5_writer_close(writer);
        return NULL;
    }
    return writer;
}

static hid_t here(const chdf5_writer *writer) { return writer->groups[writer->depth]; }

int chdf5_begin_group(chdf5_writer *writer, const char *name) {
    if (writer->depth + 1 >= MAX_DEPTH) return -1;
    hid_t group = H5Gcreate2(here(writer), name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0) return -1;
    writer->groups[++writer->depth] = group;
    return 0;
}

int chdf5_end_group(chdf5_writer *writer) {
    if (writer->depth == 0) return -1;
    return H5Gclose(writer->groups[writer->depth--]) < 0 ? -1 : 0;
}

static int put(
    chdf5_writer *writer, const char *name, hid_t stored, hid_t given, int rank, const uint64_t *sizes, const void *values,
    hid_t properties) {
    hsize_t dimensions[32];
    if (rank > 32) return -1;
    for (int axis = 0; axis < rank; axis++) dimensions[axis] = sizes[axis];
    hid_t space = rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, dimensions, NULL);
    hid_t set = H5Dcreate2(here(writer), name, stored, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    int result = set < 0 ? -1 : 0;
    if (set >= 0 && values) result = H5Dwrite(set, given, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0 ? -1 : 0;
    if (set >= 0) H5Dclose(set);
    if (space >= 0) H5Sclose(space);
    return result;
}

static size_t count_of(int rank, const uint64_t *sizes) {
    size_t count = 1;
    for (int axis = 0; axis < rank; axis++) count *= sizes[axis];
    return count;
}

int chdf5_put_floats(chdf5_writer *writer, const char *name, int rank, const uint64_t *sizes, const float *values) {
    size_t count = count_of(rank, sizes), same = 1;
    while (same < count && memcmp(values + same, values, sizeof *values) == 0) same++;
    if (rank == 0 || count < 2 || same < count) {
        return put(writer, name, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, rank, sizes, values, writer->plain);
    }
    // Never written, so never allocated: readers see the fill value everywhere.
    hid_t properties = H5Pcopy(writer->plain);
    H5Pset_fill_value(properties, H5T_NATIVE_FLOAT, values);
    int result = put(writer, name, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, rank, sizes, NULL, properties);
    H5Pclose(properties);
    return result;
}

int chdf5_put_integers(chdf5_writer *writer, const char *name, int rank, const uint64_t *sizes, const int64_t *values) {
    return put(writer, name, H5T_STD_I64LE, H5T_NATIVE_INT64, rank, sizes, values, writer->plain);
}

int chdf5_put_texts(chdf5_writer *writer, const char *name, int rank, const uint64_t *sizes, const char *const *values) {
    return put(writer, name, writer->text, writer->text, rank, sizes, values, writer->plain);
}

chdf5_result chdf5_writer_close(chdf5_writer *writer) {
    chdf5_result result = {.status = CHDF5_NO_RESOURCES};
    while (writer->depth > 0) chdf5_end_group(writer);
    ssize_t size = writer->file >= 0 && H5Fflush(writer->file, H5F_SCOPE_GLOBAL) >= 0 ? H5Fget_file_image(writer->file, NULL, 0) : -1;
    if (size > 0) {
        result.bytes = malloc((size_t)size);
        if (result.bytes && H5Fget_file_image(writer->file, result.bytes, (size_t)size) == size) {
            result.status = CHDF5_DONE;
            result.count = (size_t)size;
        }
    }
    if (writer->text >= 0) H5Tclose(writer->text);
    if (writer->plain >= 0) H5Pclose(writer->plain);
    if (writer->file >= 0) H5Fclose(writer->file);
    pthread_mutex_unlock(&chdf5_lock);
    free(writer);
    return result;
}
#endif
