// HDF5 files as trees of groups, numbers and texts, through libhdf5.
//
// Without the macro NIR (the package trait of this name) everything here fails with CHDF5_ABSENT.

#ifndef CHDF5TREE_H
#define CHDF5TREE_H

#include <stddef.h>
#include <stdint.h>

/// How a call ended.
enum {
    CHDF5_DONE = 0,
    /// Built without libhdf5.
    CHDF5_ABSENT,
    /// What is wrong with the file stands in the message.
    CHDF5_REFUSED,
    /// The reading process was ended by a signal: libhdf5 met something that it cannot handle.
    CHDF5_CRASHED,
    /// It used up its time.
    CHDF5_TIMED_OUT,
    /// No memory, or no process.
    CHDF5_NO_RESOURCES,
};

typedef struct {
    int status;
    /// CHDF5_CRASHED: the signal.
    int signal;
    /// CHDF5_DONE: the tree, as chdf5_read describes. To be given to free().
    uint8_t *bytes;
    size_t count;
    /// CHDF5_REFUSED: why, with a zero at its end.
    char message[512];
} chdf5_result;

typedef struct {
    /// The most elements of one array.
    uint64_t elements;
    /// The most bytes of all names and values together.
    uint64_t bytes;
    /// The most groups and arrays.
    uint64_t objects;
    /// The deepest nesting of groups.
    uint32_t depth;
    /// The most seconds of processor time.
    uint32_t seconds;
} chdf5_limits;

/// Reads a file in a process of its own, so that a hostile file can end that one alone.
///
/// The tree comes as a row of items; numbers are little-endian, a text is its length (uint32) and its bytes:
///   'G' name       a group begins; the root has the name ""
///   'E'            it ends
///   'F' name rank (uint32) sizes (uint64 each) values (float32 each)
///   'I' name rank sizes values (int64 each)
///   'S' name rank sizes texts
chdf5_result chdf5_read(const char *path, chdf5_limits limits);

typedef struct chdf5_writer chdf5_writer;

/// A new file in memory; the same thread has to close it, and others wait until then. NULL where there is no memory or no libhdf5.
chdf5_writer *chdf5_writer_open(void);
/// The calls between open and close return 0, or −1 where libhdf5 fails.
int chdf5_begin_group(chdf5_writer *writer, const char *name);
int chdf5_end_group(chdf5_writer *writer);
/// `count` floats of a shape. Where all are the same they are stored as one (the fill value).
int chdf5_put_floats(chdf5_writer *writer, const char *name, int rank, const uint64_t *sizes, const float *values);
int chdf5_put_integers(chdf5_writer *writer, const char *name, int rank, const uint64_t *sizes, const int64_t *values);
/// Texts of variable length, UTF-8.
int chdf5_put_texts(chdf5_writer *writer, const char *name, int rank, const uint64_t *sizes, const char *const *values);
/// Ends the file and frees the writer. `bytes` has the file (to be given to free()), or is NULL where something failed.
chdf5_result chdf5_writer_close(chdf5_writer *writer);

#endif
