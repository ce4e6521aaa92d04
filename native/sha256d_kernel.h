/* An entry of the table of kernels: a name, widths, the features that the kernel needs, and two search functions. */
#ifndef STRATUM_MINER_SHA256D_KERNEL_H
#define STRATUM_MINER_SHA256D_KERNEL_H

#include <stdatomic.h>
#include <stdint.h>

#include "sha256d.h"

enum { SHA256D_MAX_VERSIONS = 32 };

/* Check the widths that sha256d.c and the arrays below rely on, for a kernel that takes `lanes` versions at a time. */
#define SHA256D_CHECK_WIDTHS(lanes, versions)                                                             \
    _Static_assert((int)(versions) >= 1, "a rolling search has a version");                               \
    _Static_assert((int)(versions) <= SHA256D_MAX_VERSIONS, "the arrays have a place for each version");  \
    _Static_assert(((versions) & ((versions) - 1)) == 0, "a mask gives a power of two of versions");      \
    _Static_assert((versions) % (lanes) == 0, "the versions fill all lanes")
_Static_assert(SHA256D_MAX_VERSIONS <= 64, "sha256d_scan returns a bit for each version in 64");

/* The values of a unit that do not depend on the nonce, computed once per search. Message words are called W0 to W63 as
 * in FIPS 180-4. The "second block" is header bytes 64 to 79 and the padding. The arrays have one entry for each
 * version; a plain search uses entry 0 only. */
typedef struct {
    uint32_t midstate[8][SHA256D_MAX_VERSIONS];  /* after header bytes 0-63 */
    uint32_t state[8][SHA256D_MAX_VERSIONS];     /* before round 3 of the second block, the first that uses the nonce */
    uint32_t d_round3[SHA256D_MAX_VERSIONS];     /* d and h after round 3, before W3 is added */
    uint32_t h_round3[SHA256D_MAX_VERSIONS];
    uint32_t hk[3][SHA256D_MAX_VERSIONS];        /* h + W + K of rounds 4 to 6 */
    uint32_t w[3];        /* W0 to W2 of the second block */
    uint32_t w16, w17;    /* they do not depend on the nonce */
    uint32_t w18, w19;    /* the parts of later words that do not depend on the nonce */
    uint32_t w31;
    uint32_t target_top;  /* the most significant 32 bits of the target */
    int big_endian_nonces; /* whether W3 is the nonce itself; else its bytes reversed */
} sha256d_prepared;

/* Return W3 of the second block, for kernels that compute it in a general register. */
static inline uint32_t word3(const sha256d_prepared *unit, uint32_t nonce)
{
    return unit->big_endian_nonces ? nonce : __builtin_bswap32(nonce);
}

/* Return whether the stop word has changed. A relaxed load compiles to an ordinary load, so it costs nothing. */
static inline int has_changed(const sha256d_stop_word *stop_word, uint32_t expected)
{
    return atomic_load_explicit(&stop_word->count, memory_order_relaxed) != expected;
}

/* Try up to `steps` steps from `nonce` on, and return the number of steps done. In a plain search a step is `lanes`
 * nonces with one version, in a rolling search one nonce with all `versions` versions. The function returns after the
 * first step in which the top word of some hash is not above that of the target, and sets `*candidates` to a bitmask of
 * those lanes or versions. It also returns if *stop_word != expected. */
typedef uint64_t sha256d_scan(const sha256d_prepared *unit, uint32_t nonce, uint64_t steps,
                              const sha256d_stop_word *stop_word, uint32_t expected, uint64_t *candidates);

typedef struct {
    const char *name;
    int lanes;
    int versions;      /* see SHA256D_CHECK_WIDTHS */
    uint32_t features; /* CPU_* bits, all of which the CPU must have */
    sha256d_scan *plain, *rolling;
} sha256d_kernel;

/* All kernels for the architecture of this build, the simplest first. `sha256d_NAME.c` defines
 * `sha256d_kernel_NAME`. */
#if defined(__x86_64__)
#define SHA256D_KERNELS(EACH) \
    EACH(scalar)              \
    EACH(sse2)                \
    EACH(shani)               \
    EACH(avx2)                \
    EACH(avx512)
#elif defined(__aarch64__)
#define SHA256D_KERNELS(EACH) \
    EACH(scalar)              \
    EACH(neon)                \
    EACH(armv8_sha2)
#else
#define SHA256D_KERNELS(EACH) EACH(scalar)
#endif

#define SHA256D_DECLARE(name) extern const sha256d_kernel sha256d_kernel_##name;
SHA256D_KERNELS(SHA256D_DECLARE)
#undef SHA256D_DECLARE

#endif
