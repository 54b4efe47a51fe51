// What is left without libhdf5.

#ifndef NIR
#include "chdf5tree.h"

chdf5_result chdf5_read(const char *path, chdf5_limits limits) { return (chdf5_result){.status = CHDF5_ABSENT}; }
chdf5_writer *chdf5_writer_open(void) { return NULL; }
int chdf5_begin_group(chdf5_writer *writer, const char *name) { return -1; }
int chdf5_end_group(chdf5_writer *writer) { return -1; }
int chdf5_put_floats(chdf5_writer *writer, const char *name, int rank, const uint64_t *sizes, const float *values) { return -1; }
int chdf5_put_integers(chdf5_writer *writer, const char *name, int rank, const uint64_t *sizes, const int64_t *values) { return -1; }
int chdf5_put_texts(chdf5_writer *writer, const char *name, int rank, const uint64_t *sizes, const char *const *values) { return -1; }
chdf5_result chdf5_writer_close(chdf5_writer *writer) { return (chdf5_result){.status = CHDF5_ABSENT}; }
#endif
