/* Which instruction sets this CPU and this operating system support. */
#ifndef STRATUM_MINER_CPU_FEATURES_H
#define STRATUM_MINER_CPU_FEATURES_H

#include <stddef.h>
#include <stdint.h>

/* All features with their names. AVX512 is F and BW, with the upper registers saved by the system; SHANI is the SHA
 * extensions and SSE4.1. */
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

/* Those that every processor of x86-64 or of aarch64 has. */
#define CPU_PLAIN_FEATURES (uint32_t)(CPU_SSE2 | CPU_NEON)

/* CPU_* bits. The environment variable STRATUM_MINER_CPU_DISABLE takes bits away: a list of CPU_FEATURE_NAMES with
 * commas between them, in either case and with blanks. It is read at each call, so that tests can try every subset.
 * Aborts when it has another name; see cpu_features_unknown_name. */
uint32_t cpu_features(void);

#define CPU_FEATURE_LISTED(id, name) ", " name
#define CPU_FEATURE_NAMES (&CPU_FEATURES(CPU_FEATURE_LISTED)[2])

/* The first name in STRATUM_MINER_CPU_DISABLE that is not one of CPU_FEATURE_NAMES, of `*length` characters; NULL when
 * there is none. */
const char *cpu_features_unknown_name(size_t *length);

#endif
