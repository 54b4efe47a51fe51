#ifndef SPIKE_CDENSE_H
#define SPIKE_CDENSE_H

/// C ← A' · B' + β · C in float32, row-major, on one thread.
///
/// A' is m × k and B' is k × n after the transposition that the flags ask for; C is m × n. All are dense. The result
/// depends on the shapes and the numbers alone, not on how many threads the caller runs.
void spike_dense_product(int transpose_a, int transpose_b, int m, int n, int k, const float *a, const float *b, float beta, float *c);

/// B ← B · A⁻¹ in float64, row-major, on one thread: A is n × n, symmetric and positive definite, B is m × n. A is overwritten.
///
/// Returns 0, or k where A's k-th leading minor is not positive; B then is as it was.
int spike_dense_solve(int n, int m, double *a, double *b);

/// Takes the memory that products need while there is room for it: where the address space is limited (`ulimit -v`), they could wait for
/// it in vain later. Products do so themselves, and end the program where there is none; who asks before can say more.
///
/// Returns how many products may run at a time: 0 where there is not memory for one.
int spike_dense_reserve(void);

#endif
