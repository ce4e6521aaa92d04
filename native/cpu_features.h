/* Detects which instruction sets this CPU and this operating system support. */
#ifndef STRATUM_MINER_CPU_FEATURES_H
#define STRATUM_MINER_CPU_FEATURES_H

#include <stddef.h>
#include <stdint.h>

/* All features with their names. AVX512 stands for AVX-512 F and BW, if the operating system saves the wide registers.
 * SHANI stands for the SHA extensions and SSE4.1. */
#define CPU_FEATURES(FEATURE) \
    FEATURE(SSE2, "sse2")     \
    FEATURE(AVX2, "avx2")     \
    FEATURE(AVX512, "avx512") \
    FEATURE(SHANI, "shani")   \
    FEATURE(NEON, "neon")     \
    FEATURE(ARMV8_SHA2, "armv8_sha2")

#define CPU_FEATURE_PLACE(id, name) CPU_##id##_PLACE,
enum { CPU_FEATURES(CPU_FEATURE_PLACE) };
#define CPU_FEATURE_BIT(id, name) CPU_##id = 1 << CPU_##id##_PLACE,
enum { CPU_FEATURES(CPU_FEATURE_BIT) };

/* The features that every x86-64 or aarch64 processor has. */
#define CPU_PLAIN_FEATURES (uint32_t)(CPU_SSE2 | CPU_NEON)

/* Return the CPU_* bits of the supported features. The environment variable STRATUM_MINER_CPU_DISABLE removes bits:
 * it holds names from CPU_FEATURE_NAMES, separated by commas or spaces, in upper or lower case. It is read at each
 * call, so that tests can try every subset. Aborts if it holds another name; see cpu_features_unknown_name. */
uint32_t cpu_features(void);

#define CPU_FEATURE_LISTED(id, name) ", " name
#define CPU_FEATURE_NAMES (&CPU_FEATURES(CPU_FEATURE_LISTED)[2])

/* Return the first name in STRATUM_MINER_CPU_DISABLE that is not one of CPU_FEATURE_NAMES, with its length in
 * `*length`. Returns NULL if all names are known. */
const char *cpu_features_unknown_name(size_t *length);

#endif
