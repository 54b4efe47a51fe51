#ifndef SPIKE_LIBCRYPTO_SHIM_H
#define SPIKE_LIBCRYPTO_SHIM_H

#include <openssl/evp.h>

#endif
