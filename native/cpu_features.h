/* Which instruction sets this CPU and this operating system support. */
#ifndef STRATUM_MINER_CPU_FEATURES_H
#define STRATUM_MINER_CPU_FEATURES_H

#include <stddef.h>
#include <stdint.h>

enum {
    CPU_SSE2 = 1 << 0,
    CPU_AVX2 = 1 << 1,
    CPU_AVX512 = 1 << 2, /* F and BW, with the upper registers saved by the system */
    CPU_SHANI = 1 << 3,  /* the SHA extensions, and SSE4.1 */
    CPU_NEON = 1 << 4,
    CPU_ARMV8_SHA2 = 1 << 5,
};

/* CPU_* bits. The environment variable STRATUM_MINER_CPU_DISABLE takes bits away: a list of CPU_FEATURE_NAMES with
 * commas between them, in either case and with blanks. It is read at each call, so that tests can try every subset.
 * Aborts when it has another name; see cpu_features_unknown_name. */
uint32_t cpu_features(void);

#define CPU_FEATURE_NAMES "sse2, avx2, avx512, shani, neon, armv8_sha2"

/* The first name in STRATUM_MINER_CPU_DISABLE that is not one of CPU_FEATURE_NAMES, of `*length` characters; NULL when
 * there is none. */
const char *cpu_features_unknown_name(size_t *length);

#endif
