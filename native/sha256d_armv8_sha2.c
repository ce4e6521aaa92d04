/* The SHA-2 instructions of ARMv8. Two hashes are interleaved, so that one computes while the other waits for its
 * rounds. The templates cannot be used here, because an instruction computes four rounds at once. A state is two
 * vectors, ABCD and EFGH. */
#if defined(__aarch64__)
#include <arm_neon.h>
#include <stdint.h>

#include "cpu_features.h"
#include "sha256d_constants.h"
#include "sha256d_kernel.h"

#ifdef __clang__
#define TARGET __attribute__((target("sha2")))
#else
#define TARGET __attribute__((target("+crypto"))) /* GCC 12 has no name for SHA-2 alone; AES is not used */
#endif
#define INLINE TARGET static inline __attribute__((always_inline))

enum { STREAMS = 2, VERSIONS = 16 };

SHA256D_CHECK_WIDTHS(STREAMS, VERSIONS);

/* Repeat the statements for each stream `s`. */
#define EACH(...)                                                              \
    do {                                                                       \
        { enum { s = 0 }; __VA_ARGS__; }                                       \
        { enum { s = 1 }; __VA_ARGS__; }                                       \
    } while (0)

typedef struct {
    uint32x4_t abcd[STREAMS], efgh[STREAMS];
} states;

#define WORDS(w0, w1, w2, w3) ((uint32x4_t){w0, w1, w2, w3})
#define K4(t) vld1q_u32(sha256_k + (t))

#define FOUR_ROUNDS(x, wk)                                                     \
    EACH(const uint32x4_t wk_ = (wk), abcd_ = (x).abcd[s];                     \
         (x).abcd[s] = vsha256hq_u32(abcd_, (x).efgh[s], wk_);                 \
         (x).efgh[s] = vsha256h2q_u32((x).efgh[s], abcd_, wk_))

/* Words t to t+3 from the previous sixteen words: x0 holds words t-16 to t-13, and so on. */
#define NEXT4(x0, x1, x2, x3) vsha256su1q_u32(vsha256su0q_u32(x0, x1), x2, x3)

INLINE uint32x4_t four_of(const uint32_t state[8][SHA256D_MAX_VERSIONS], int first, int version)
{
    return WORDS(state[first][version], state[first + 1][version], state[first + 2][version],
                 state[first + 3][version]);
}

/* Rounds t to t+15, with the message words computed as needed. */
#define SIXTEEN_ROUNDS(x, t)                                                   \
    do {                                                                       \
        EACH(x0[s] = NEXT4(x0[s], x1[s], x2[s], x3[s]));                       \
        FOUR_ROUNDS(x, vaddq_u32(x0[s], K4(t)));                               \
        EACH(x1[s] = NEXT4(x1[s], x2[s], x3[s], x0[s]));                       \
        FOUR_ROUNDS(x, vaddq_u32(x1[s], K4((t) + 4)));                         \
        EACH(x2[s] = NEXT4(x2[s], x3[s], x0[s], x1[s]));                       \
        FOUR_ROUNDS(x, vaddq_u32(x2[s], K4((t) + 8)));                         \
        EACH(x3[s] = NEXT4(x3[s], x0[s], x1[s], x2[s]));                       \
        FOUR_ROUNDS(x, vaddq_u32(x3[s], K4((t) + 12)));                        \
    } while (0)

/* Hash each stream's digest, and return a bitmask of the streams in which word 7 of the result, with its bytes
 * reversed, is not above `top`. */
INLINE uint32_t second_hash(const states *digest, uint32_t top)
{
    const uint32x4_t padding = WORDS(PAD, 0, 0, 0), length = WORDS(0, 0, 0, SECOND_LENGTH);
    uint32x4_t x0[STREAMS], x1[STREAMS], x2[STREAMS], x3[STREAMS];
    states x;
    EACH(x0[s] = digest->abcd[s]; x1[s] = digest->efgh[s]; x2[s] = padding; x3[s] = length);
    EACH(x.abcd[s] = WORDS(IV0, IV1, IV2, IV3); x.efgh[s] = WORDS(IV4, IV5, IV6, IV7));
    FOUR_ROUNDS(x, vaddq_u32(x0[s], K4(0)));
    FOUR_ROUNDS(x, vaddq_u32(x1[s], K4(4)));
    FOUR_ROUNDS(x, vaddq_u32(padding, K4(8)));
    FOUR_ROUNDS(x, vaddq_u32(length, K4(12)));
    SIXTEEN_ROUNDS(x, 16);
    SIXTEEN_ROUNDS(x, 32);
    SIXTEEN_ROUNDS(x, 48);
    uint32_t hits = 0;
    EACH(hits |= (uint32_t)(__builtin_bswap32(vgetq_lane_u32(x.efgh[s], 3) + IV7) <= top) << s);
    return hits;
}

/* Two nonces at a time. */
TARGET static uint64_t scan_plain(const sha256d_prepared *unit, uint32_t nonce, uint64_t steps,
                                  const sha256d_stop_word *stop_word, uint32_t expected, uint64_t *candidates)
{
    const uint32x4_t padding = WORDS(PAD, 0, 0, 0), length = WORDS(0, 0, 0, FIRST_LENGTH);
    const uint32x4_t mid_abcd = four_of(unit->midstate, 0, 0), mid_efgh = four_of(unit->midstate, 4, 0);
    *candidates = 0;
    for (uint64_t step = 0; step < steps; step++, nonce += STREAMS) {
        if (has_changed(stop_word, expected))
            return step;
        uint32x4_t x0[STREAMS], x1[STREAMS], x2[STREAMS], x3[STREAMS];
        states x;
        EACH(x0[s] = WORDS(unit->w[0], unit->w[1], unit->w[2], word3(unit, nonce + s)));
        EACH(x1[s] = padding; x2[s] = vdupq_n_u32(0); x3[s] = length);
        EACH(x.abcd[s] = mid_abcd; x.efgh[s] = mid_efgh);
        FOUR_ROUNDS(x, vaddq_u32(x0[s], K4(0)));
        FOUR_ROUNDS(x, vaddq_u32(padding, K4(4)));
        FOUR_ROUNDS(x, K4(8));
        FOUR_ROUNDS(x, vaddq_u32(length, K4(12)));
        SIXTEEN_ROUNDS(x, 16);
        SIXTEEN_ROUNDS(x, 32);
        SIXTEEN_ROUNDS(x, 48);
        EACH(x.abcd[s] = vaddq_u32(x.abcd[s], mid_abcd); x.efgh[s] = vaddq_u32(x.efgh[s], mid_efgh));
        const uint32_t hits = second_hash(&x, unit->target_top);
        if (__builtin_expect(hits != 0, 0)) {
            *candidates = hits;
            return step + 1;
        }
    }
    return steps;
}

/* Compute kw[t]: words 4t to 4t+3 of the second block with their round constants. */
INLINE void schedule(const sha256d_prepared *unit, uint32_t nonce, uint32x4_t kw[16])
{
    uint32x4_t x0 = WORDS(unit->w[0], unit->w[1], unit->w[2], word3(unit, nonce)), x1 = WORDS(PAD, 0, 0, 0);
    uint32x4_t x2 = vdupq_n_u32(0), x3 = WORDS(0, 0, 0, FIRST_LENGTH);
    for (int i = 0;; i += 4) {
        kw[i] = vaddq_u32(x0, K4(4 * i));
        kw[i + 1] = vaddq_u32(x1, K4(4 * i + 4));
        kw[i + 2] = vaddq_u32(x2, K4(4 * i + 8));
        kw[i + 3] = vaddq_u32(x3, K4(4 * i + 12));
        if (i == 12)
            return;
        x0 = NEXT4(x0, x1, x2, x3);
        x1 = NEXT4(x1, x2, x3, x0);
        x2 = NEXT4(x2, x3, x0, x1);
        x3 = NEXT4(x3, x0, x1, x2);
    }
}

/* Two versions at a time. All versions of a nonce share its message schedule. */
TARGET static uint64_t scan_rolling(const sha256d_prepared *unit, uint32_t nonce, uint64_t nonces,
                                    const sha256d_stop_word *stop_word, uint32_t expected, uint64_t *candidates)
{
    uint32x4_t mid_abcd[VERSIONS], mid_efgh[VERSIONS], kw[16];
    for (int version = 0; version < VERSIONS; version++) {
        mid_abcd[version] = four_of(unit->midstate, 0, version);
        mid_efgh[version] = four_of(unit->midstate, 4, version);
    }
    *candidates = 0;
    for (uint64_t done = 0; done < nonces; done++, nonce++) {
        if (has_changed(stop_word, expected))
            return done;
        schedule(unit, nonce, kw);
        uint64_t hits = 0;
        for (int version = 0; version < VERSIONS; version += STREAMS) {
            states x;
            EACH(x.abcd[s] = mid_abcd[version + s]; x.efgh[s] = mid_efgh[version + s]);
            for (int i = 0; i < 16; i++)
                FOUR_ROUNDS(x, kw[i]);
            EACH(x.abcd[s] = vaddq_u32(x.abcd[s], mid_abcd[version + s]));
            EACH(x.efgh[s] = vaddq_u32(x.efgh[s], mid_efgh[version + s]));
            hits |= (uint64_t)second_hash(&x, unit->target_top) << version;
        }
        if (__builtin_expect(hits != 0, 0)) {
            *candidates = hits;
            return done + 1;
        }
    }
    return nonces;
}

const sha256d_kernel sha256d_kernel_armv8_sha2 = {
    "armv8_sha2", STREAMS, VERSIONS, CPU_ARMV8_SHA2, scan_plain, scan_rolling,
};
#endif
