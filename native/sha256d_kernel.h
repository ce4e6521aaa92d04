/* What a kernel is to the table: a name, a width, the features it needs and one function. */
#ifndef STRATUM_MINER_SHA256D_KERNEL_H
#define STRATUM_MINER_SHA256D_KERNEL_H

#include <stdint.h>

/* Everything about a unit that does not depend on the nonce, computed once per search. Message words are called
 * W0..W63 as in FIPS 180-4; "second block" is header bytes 64 to 79 and padding. */
typedef struct {
    uint32_t midstate[8]; /* after header bytes 0-63 */
    uint32_t state[8];    /* of the second block before round 3, the first round that sees the nonce */
    uint32_t t1_round3;   /* T1 of round 3 without W3 */
    uint32_t t2_round3;   /* T2 of round 3 */
    uint32_t w16, w17;    /* free of the nonce */
    uint32_t kw16, kw17;  /* the same with their round constants */
    uint32_t w18, w19;    /* the nonce-free summands of later words */
    uint32_t w31;
    uint32_t target_top;  /* the most significant 32 bits of the target */
} sha256d_prepared;

typedef struct {
    const char *name;
    int lanes;
    uint32_t features; /* CPU_* bits that must all be there */
    /* Try up to `batches` groups of `lanes` nonces from `nonce` on. Returns the number of groups done; stops after
     * the first group in which some hash's top word is not above the target's, and then sets `*candidates` to a
     * bitmask of those lanes. Also stops when *stop_word != expected. */
    uint64_t (*scan)(const sha256d_prepared *prepared, uint32_t nonce, uint64_t batches,
                     const volatile uint32_t *stop_word, uint32_t expected, uint32_t *candidates);
} sha256d_kernel;

extern const sha256d_kernel sha256d_kernel_scalar;
#if defined(__x86_64__)
extern const sha256d_kernel sha256d_kernel_sse2;
extern const sha256d_kernel sha256d_kernel_avx2;
extern const sha256d_kernel sha256d_kernel_avx512;
#endif

/* FIPS 180-4, 4.2.2; here, so that each kernel folds them into its own constants */
static const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

#endif
