/* What a kernel is to the table: a name, widths, the features it needs and two functions. */
#ifndef STRATUM_MINER_SHA256D_KERNEL_H
#define STRATUM_MINER_SHA256D_KERNEL_H

#include <stdatomic.h>
#include <stdint.h>

#include "sha256d.h"

enum { SHA256D_MAX_VERSIONS = 32 };

/* What the driver and the arrays below rely on, for a kernel that goes through its versions `lanes` at a time. */
#define SHA256D_CHECK_WIDTHS(lanes, versions)                                                             \
    _Static_assert((int)(versions) >= 1, "a rolling search has a version");                               \
    _Static_assert((int)(versions) <= SHA256D_MAX_VERSIONS, "the arrays have a place for each version");  \
    _Static_assert(((versions) & ((versions) - 1)) == 0, "a mask gives a power of two of versions");      \
    _Static_assert((versions) % (lanes) == 0, "the versions fill all lanes")
_Static_assert(SHA256D_MAX_VERSIONS <= 64, "sha256d_scan returns a bit for each version in 64");

/* Everything about a unit that does not depend on the nonce, computed once per search. Message words are called
 * W0..W63 as in FIPS 180-4; "second block" is header bytes 64 to 79 and padding. The arrays have one entry per
 * version; a plain search has one version, entry 0. */
typedef struct {
    uint32_t midstate[8][SHA256D_MAX_VERSIONS];  /* after header bytes 0-63 */
    uint32_t state[8][SHA256D_MAX_VERSIONS];     /* of the second block before round 3, the first to see the nonce */
    uint32_t d_round3[SHA256D_MAX_VERSIONS];     /* d and h after round 3, without W3 */
    uint32_t h_round3[SHA256D_MAX_VERSIONS];
    uint32_t hk[3][SHA256D_MAX_VERSIONS];        /* h + W + K of rounds 4 to 6 */
    uint32_t w[3];        /* W0 to W2 of the second block */
    uint32_t w16, w17;    /* free of the nonce */
    uint32_t w18, w19;    /* the nonce-free summands of later words */
    uint32_t w31;
    uint32_t target_top;  /* the most significant 32 bits of the target */
    int big_endian_nonces; /* W3 is the nonce itself, not its bytes reversed */
} sha256d_prepared;

/* W3 of the second block, for the kernels that make it in a general register. */
static inline uint32_t word3(const sha256d_prepared *unit, uint32_t nonce)
{
    return unit->big_endian_nonces ? nonce : __builtin_bswap32(nonce);
}

/* One load, as a plain one would be: it costs a search nothing. */
static inline int has_changed(const sha256d_stop_word *stop_word, uint32_t expected)
{
    return atomic_load_explicit(stop_word, memory_order_relaxed) != expected;
}

/* Try up to `steps` steps from `nonce` on: a step is `lanes` nonces of one version in a plain search, one nonce in
 * all `versions` versions in a rolling one. Returns the number of steps done; stops after the first step in which some
 * hash's top word is not above the target's, and then sets `*candidates` to a bitmask of those lanes or versions. Also
 * stops when *stop_word != expected. */
typedef uint64_t sha256d_scan(const sha256d_prepared *unit, uint32_t nonce, uint64_t steps,
                              const sha256d_stop_word *stop_word, uint32_t expected, uint64_t *candidates);

typedef struct {
    const char *name;
    int lanes;
    int versions;      /* see SHA256D_CHECK_WIDTHS */
    uint32_t features; /* CPU_* bits that must all be there */
    sha256d_scan *plain, *rolling;
} sha256d_kernel;

/* All kernels that this compiler can make, the plainest first. `sha256d_NAME.c` defines `sha256d_kernel_NAME`. */
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
