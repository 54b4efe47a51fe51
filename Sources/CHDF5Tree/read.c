// Reads an HDF5 file into a row of bytes, in a process of its own.

#ifdef NIR
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chdf5tree.h"
#include "lock.h"

// MARK: The child

typedef struct {
    int descriptor;
    chdf5_limits limits;
    uint64_t written, objects;
    size_t buffered;
    uint8_t buffer[1 << 16];
} output;

static void flush(output *out) {
    size_t done = 0;
    while (done < out->buffered) {
        ssize_t count = write(out->descriptor, out->buffer + done, out->buffered - done);
        if (count < 0 && errno == EINTR) continue;
        // The parent has gone, or wants no more.
        if (count <= 0) _exit(3);
        done += (size_t)count;
    }
    out->buffered = 0;
}

/// Ends the child with a message: the last bytes are its text and, behind it, its length.
static _Noreturn void refuse(output *out, const char *format, ...) {
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    flush(out);
    uint32_t length = (uint32_t)strlen(text);
    memcpy(out->buffer, text, length);
    memcpy(out->buffer + length, &length, sizeof length);
    out->buffered = length + sizeof length;
    flush(out);
    _exit(2);
}

static void put(output *out, const void *bytes, size_t count) {
    out->written += count;
    if (out->written > out->limits.bytes) refuse(out, "its content is larger than %llu bytes", (unsigned long long)out->limits.bytes);
    const uint8_t *rest = bytes;
    while (count > 0) {
        if (out->buffered == sizeof out->buffer) flush(out);
        size_t room = sizeof out->buffer - out->buffered, piece = count < room ? count : room;
        memcpy(out->buffer + out->buffered, rest, piece);
        out->buffered += piece;
        rest += piece;
        count -= piece;
    }
}

static void put_text(output *out, const char *text, size_t length) {
    uint32_t count = (uint32_t)length;
    put(out, &count, sizeof count);
    put(out, text, length);
}

static void put_head(output *out, char kind, const char *name, int rank, const hsize_t *sizes) {
    put(out, &kind, 1);
    put_text(out, name, strlen(name));
    uint32_t axes = (uint32_t)rank;
    put(out, &axes, sizeof axes);
    for (int axis = 0; axis < rank; axis++) {
        uint64_t size = sizes[axis];
        put(out, &size, sizeof size);
    }
}

static void put_dataset(output *out, hid_t set, const char *name) {
    hid_t space = H5Dget_space(set), type = H5Dget_type(set), properties = H5Dget_create_plist(set);
    if (space < 0 || type < 0 || properties < 0) refuse(out, "the array '%.100s' cannot be opened", name);
    // Both would open files that nobody named.
    if (H5Pget_external_count(properties) != 0) refuse(out, "the array '%.100s' keeps its values in another file", name);
    if (H5Pget_layout(properties) == H5D_VIRTUAL) refuse(out, "the array '%.100s' is made of other files' arrays", name);
    if (H5Sget_simple_extent_type(space) == H5S_NULL) refuse(out, "the array '%.100s' has no shape", name);
    hsize_t sizes[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_dims(space, sizes, NULL);
    if (rank < 0 || rank > H5S_MAX_RANK) refuse(out, "the array '%.100s' has no shape", name);
    uint64_t count = 1;
    for (int axis = 0; axis < rank; axis++) {
        if (sizes[axis] != 0 && count > out->limits.elements / sizes[axis]) {
            refuse(out, "the array '%.100s' has more than %llu elements", name, (unsigned long long)out->limits.elements);
        }
        count *= sizes[axis];
    }
    H5T_class_t class = H5Tget_class(type);
    if (class == H5T_STRING) {
        htri_t variable = H5Tis_variable_str(type);
        size_t length = H5Tget_size(type);
        if (variable < 0 || length == 0 || length > 1 << 20 || count * (variable ? 8 : length) > out->limits.bytes) {
            refuse(out, "the texts of '%.100s' are too large", name);
        }
        put_head(out, 'S', name, rank, sizes);
        hid_t memory = H5Tcopy(H5T_C_S1);
        H5Tset_cset(memory, H5Tget_cset(type));
        H5Tset_size(memory, variable ? H5T_VARIABLE : length);
        size_t step = variable ? sizeof(char *) : length;
        char *values = calloc(count ? count : 1, step);
        if (!values) refuse(out, "there is no memory for '%.100s'", name);
        if (count && H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) refuse(out, "the texts of '%.100s' cannot be read", name);
        for (uint64_t index = 0; index < count; index++) {
            const char *text = variable ? ((char **)values)[index] : values + index * step;
            put_text(out, text ? text : "", text ? (variable ? strlen(text) : strnlen(text, length)) : 0);
        }
        free(values);
        H5Tclose(memory);
    } else if (class == H5T_FLOAT || class == H5T_INTEGER || class == H5T_ENUM) {
        // Truth values are an enumeration of bytes.
        int isFloat = class == H5T_FLOAT;
        put_head(out, isFloat ? 'F' : 'I', name, rank, sizes);
        size_t size = isFloat ? sizeof(float) : sizeof(int64_t);
        hid_t memory = isFloat ? H5T_NATIVE_FLOAT : H5T_NATIVE_INT64;
        hid_t base = class == H5T_ENUM ? H5Tget_super(type) : -1;
        if (class == H5T_ENUM) memory = type;
        size_t stored = class == H5T_ENUM ? H5Tget_size(base) : size;
        if (class == H5T_ENUM && stored != 1) refuse(out, "the array '%.100s' has a type that NIR does not use", name);
        if (count * size > out->limits.bytes - out->written) {
            refuse(out, "its content is larger than %llu bytes", (unsigned long long)out->limits.bytes);
        }
        void *values = calloc(count ? count : 1, size);
        if (!values) refuse(out, "there is no memory for '%.100s'", name);
        if (count && H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) refuse(out, "the values of '%.100s' cannot be read", name);
        if (class == H5T_ENUM) {
            for (uint64_t index = count; index-- > 0;) ((int64_t *)values)[index] = ((int8_t *)values)[index];
        }
        put(out, values, count * size);
        free(values);
    } else {
        refuse(out, "the array '%.100s' has a type that NIR does not use", name);
    }
    H5Pclose(properties);
    H5Tclose(type);
    H5Sclose(space);
}

/// Where a group stands, to find those that contain themselves.
typedef struct place {
    unsigned long file;
    haddr_t address;
    const struct place *outer;
    uint32_t depth;
    output *out;
} place;

static void put_group(output *out, hid_t group, const char *name, const place *outer);

static herr_t put_member(hid_t group, const char *name, const H5L_info_t *link, void *context) {
    const place *here = context;
    output *out = here->out;
    if (strlen(name) > 4096) refuse(out, "a name is longer than 4096 bytes");
    if (link->type != H5L_TYPE_HARD) refuse(out, "'%.100s' is a link to somewhere else", name);
    if (++out->objects > out->limits.objects) refuse(out, "it has more than %llu objects", (unsigned long long)out->limits.objects);
    hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0) refuse(out, "'%.100s' cannot be opened", name);
    switch (H5Iget_type(object)) {
        case H5I_GROUP: put_group(out, object, name, here); break;
        case H5I_DATASET: put_dataset(out, object, name); break;
        default: refuse(out, "'%.100s' is neither a group nor an array", name);
    }
    H5Oclose(object);
    return 0;
}

static void put_group(output *out, hid_t group, const char *name, const place *outer) {
    H5O_info_t info;
    if (H5Oget_info2(group, &info, H5O_INFO_BASIC) < 0) refuse(out, "the group '%.100s' cannot be opened", name);
    place here = {info.fileno, info.addr, outer, outer ? outer->depth + 1 : 0, out};
    for (const place *above = outer; above; above = above->outer) {
        if (above->file == here.file && above->address == here.address) refuse(out, "the group '%.100s' contains itself", name);
    }
    if (here.depth > out->limits.depth) refuse(out, "its groups are nested more than %u deep", out->limits.depth);
    put(out, "G", 1);
    put_text(out, name, strlen(name));
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, put_member, &here) < 0) refuse(out, "the group '%.100s' cannot be listed", name);
    put(out, "E", 1);
}

static _Noreturn void run(const char *path, int descriptor, chdf5_limits limits) {
    // Its own end is all that a crash may leave: no core file, no other file, no time without end.
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0});
    setrlimit(RLIMIT_CPU, &(struct rlimit){limits.seconds, limits.seconds + 1});
    for (int number = 1; number < 32; number++) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    static output out;
    out.descriptor = descriptor;
    out.limits = limits;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    // Files are replaced as a whole, so that no lock is needed; not every file system has them.
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);
#if (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 12, 0)) || H5_VERSION_GE(1, 12, 1)
    H5Pset_file_locking(access, 0, 1);
#endif
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (file < 0) refuse(&out, "libhdf5 cannot open it");
    hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
    if (root < 0) refuse(&out, "it has no root group");
    put_group(&out, root, "", NULL);
    flush(&out);
    _exit(0);
}

// MARK: The parent

static chdf5_result refused(const char *message) {
    chdf5_result result = {.status = CHDF5_REFUSED};
    snprintf(result.message, sizeof result.message, "%s", message);
    return result;
}

/// All bytes until the other end is closed.
///
/// Returns 0; −1 where there is no memory, or −2 where nothing came for so many seconds.
static int collect(int descriptor, uint64_t most, uint32_t seconds, uint8_t **bytes, size_t *count) {
    size_t capacity = 1 << 16;
    *bytes = malloc(capacity);
    *count = 0;
    while (*bytes) {
        if (*count == capacity) {
            if (capacity > most + (1 << 17)) return -1;
            uint8_t *larger = realloc(*bytes, capacity * 2);
            if (!larger) return -1;
            *bytes = larger;
            capacity *= 2;
        }
        // Processor time does not pass while a process sleeps: a lock that nobody opens would hold it for ever.
        struct pollfd waiting = {.fd = descriptor, .events = POLLIN};
        int ready = poll(&waiting, 1, (int)seconds * 1000);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return ready == 0 ? -2 : -1;
        ssize_t got = read(descriptor, *bytes + *count, capacity - *count);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got < 0 ? -1 : 0;
        *count += (size_t)got;
    }
    return -1;
}

chdf5_result chdf5_read(const char *path, chdf5_limits limits) {
    int ends[2];
    if (pipe(ends) != 0) return (chdf5_result){.status = CHDF5_NO_RESOURCES};
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    // libhdf5 may have a lock of its own, which the child would inherit closed from a thread that is writing.
    pthread_mutex_lock(&chdf5_lock);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run(path, ends[1], limits);
    }
    pthread_mutex_unlock(&chdf5_lock);
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return (chdf5_result){.status = CHDF5_NO_RESOURCES};
    }
    chdf5_result result = {.status = CHDF5_DONE};
    // Time on a clock is not the child's own: a busy machine may give it little.
    int collected = collect(ends[0], limits.bytes + (1 << 20), limits.seconds + 60, &result.bytes, &result.count);
    close(ends[0]);
    if (collected != 0) kill(child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (collected != 0) {
        result.status = collected == -2 ? CHDF5_TIMED_OUT : CHDF5_NO_RESOURCES;
    } else if (WIFSIGNALED(status)) {
        int signal = WTERMSIG(status);
        result.status = signal == SIGXCPU || signal == SIGKILL ? CHDF5_TIMED_OUT : CHDF5_CRASHED;
        result.signal = signal;
    } else if (WEXITSTATUS(status) == 2) {
        uint32_t length = 0;
        char message[512] = "it cannot be read";
        if (result.count >= sizeof length) memcpy(&length, result.bytes + result.count - sizeof length, sizeof length);
        if (length > 0 && length < sizeof message && length + sizeof length <= result.count) {
            memcpy(message, result.bytes + result.count - sizeof length - length, length);
            message[length] = 0;
        }
        free(result.bytes);
        return refused(message);
    } else if (WEXITSTATUS(status) != 0) {
        result.status = CHDF5_NO_RESOURCES;
    }
    if (result.status != CHDF5_DONE) {
        free(result.bytes);
        result.bytes = NULL;
        result.count = 0;
    }
    return result;
}
#endif
