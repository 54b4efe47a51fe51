#include "CDense.h"

#include <stddef.h>

#if defined(__APPLE__)
#define ACCELERATE_NEW_LAPACK
#include <Accelerate/Accelerate.h>
#else
#include <cblas.h>

// LAPACK, which OpenBLAS holds. Its texts have hidden lengths behind all other arguments.
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t);
void dpotrs_(const char *uplo, const int *n, const int *nrhs, const double *a, const int *lda, double *b, const int *ldb, int *info, size_t);
#endif

#if defined(__APPLE__)
int spike_dense_reserve(void) { return 1; }
static void begin(void) {}
static void end(void) {}
#else
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

// Threads belong to the caller: a product that split itself would add up in another order.
__attribute__((constructor)) static void spike_dense_use_one_thread(void) { openblas_set_num_threads(1); }

// OpenBLAS's own, exported by every build so far; without them one product at a time is computed under a limit.
void *blas_memory_alloc(int) __attribute__((weak));
void blas_memory_free(void *) __attribute__((weak));

// Each product that runs takes a buffer of OpenBLAS's for its time: 128 MiB of address space, which are kept for the next one. Where they
// cannot be had, OpenBLAS asks again for ever. So under a limit of the address space the buffers are taken once, while there is room, and
// only so many products run at a time. Results do not depend on it.
enum { most_buffers = 64 };
static const size_t buffer_size = (size_t)160 << 20;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed = PTHREAD_COND_INITIALIZER;
// Whether there is a limit, how many buffers were had, and how many are not in use.
static int is_limited, reserved, available;

static int has_room(size_t size) {
    void *place = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) return 0;
    munmap(place, size);
    return 1;
}

static void reserve(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    is_limited = 1;
    if (!has_room(buffer_size)) return;
    if (!blas_memory_alloc || !blas_memory_free) {
        available = reserved = 1;
        return;
    }
    long wanted = sysconf(_SC_NPROCESSORS_ONLN);
    void *buffers[most_buffers];
    // The first one whatever it leaves, the others only while half of the limit is left for the rest of the program.
    while (reserved < most_buffers && reserved < wanted && has_room(buffer_size + (reserved ? limit.rlim_cur / 2 : 0))) {
        buffers[reserved++] = blas_memory_alloc(0);
    }
    for (int i = 0; i < reserved; i++) blas_memory_free(buffers[i]);
    available = reserved;
}

int spike_dense_reserve(void) {
    pthread_once(&once, reserve);
    return is_limited ? reserved : most_buffers;
}

static void begin(void) {
    if (spike_dense_reserve() == 0) {
        // Who did not ask before: a product has no way to say no.
        fputs("no memory for a matrix product: the limit of virtual memory (ulimit -v) is too low\n", stderr);
        abort();
    }
    if (!is_limited) return;
    pthread_mutex_lock(&lock);
    while (available == 0) pthread_cond_wait(&freed, &lock);
    available--;
    pthread_mutex_unlock(&lock);
}

static void end(void) {
    if (!is_limited) return;
    pthread_mutex_lock(&lock);
    available++;
    pthread_cond_signal(&freed);
    pthread_mutex_unlock(&lock);
}
#endif

void spike_dense_product(int transpose_a, int transpose_b, int m, int n, int k, const float *a, const float *b, float beta, float *c) {
    begin();
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, m, n, k, 1.0f, a,
                transpose_a ? m : k, b, transpose_b ? k : n, beta, c, n);
    end();
}

int spike_dense_solve(int n, int m, double *a, double *b) {
    int info = 0;
    begin();
    // Row-major B is column-major Bᵀ, and A is its own transpose.
#if defined(__APPLE__)
    dpotrf_("L", &n, a, &n, &info);
    if (info == 0) dpotrs_("L", &n, &m, a, &n, b, &n, &info);
#else
    dpotrf_("L", &n, a, &n, &info, 1);
    if (info == 0) dpotrs_("L", &n, &m, a, &n, b, &n, &info, 1);
#endif
    end();
    return info;
}
