#include "CDense.h"

#if defined(__APPLE__)
#define ACCELERATE_NEW_LAPACK
#include <Accelerate/Accelerate.h>
#else
#include <cblas.h>
#endif

#if !defined(__APPLE__)
// Threads belong to the caller: a product that split itself would add up in another order.
__attribute__((constructor)) static void spike_dense_use_one_thread(void) { openblas_set_num_threads(1); }
#endif

void spike_dense_product(int transpose_a, int transpose_b, int m, int n, int k, const float *a, const float *b, float beta, float *c) {
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, m, n, k, 1.0f, a,
                transpose_a ? m : k, b, transpose_b ? k : n, beta, c, n);
}
