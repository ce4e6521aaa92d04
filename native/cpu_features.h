/* Which instruction sets this CPU and this operating system support. */
#ifndef STRATUM_MINER_CPU_FEATURES_H
#define STRATUM_MINER_CPU_FEATURES_H

#include <stdint.h>

enum {
    CPU_SSE2 = 1 << 0,
    CPU_AVX2 = 1 << 1,
    CPU_AVX512 = 1 << 2, /* F and BW, with the upper registers saved by the system */
    CPU_SHANI = 1 << 3,  /* the SHA extensions, and SSE4.1 */
    CPU_NEON = 1 << 4,
    CPU_ARMV8_SHA2 = 1 << 5,
};

/* CPU_* bits. The environment variable STRATUM_MINER_CPU_DISABLE, a comma-separated list of sse2, avx2, avx512,
 * shani, neon, armv8_sha2, takes bits away; it is read at each call, so that tests can try every subset. */
uint32_t cpu_features(void);

#endif
