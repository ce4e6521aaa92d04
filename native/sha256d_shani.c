/* The SHA extensions of x86. Four hashes are interleaved, so that some compute while others wait for their rounds:
 * two rounds take four cycles and can start every other cycle, and with only two hashes a Zen 5 loses a fifth. The
 * templates cannot be used here, because an instruction computes two rounds at once. A state is two vectors, ABEF
 * and CDGH, as the instructions require. Two rounds turn CDGH into the new ABEF, and the old ABEF is the new CDGH. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#include "cpu_features.h"
#include "sha256d_constants.h"
#include "sha256d_kernel.h"

#define TARGET __attribute__((target("sha,sse4.1")))
#define INLINE TARGET static inline __attribute__((always_inline))

enum { STREAMS = 4, VERSIONS = 32 };

SHA256D_CHECK_WIDTHS(STREAMS, VERSIONS);

/* Repeat the statements for each stream `s`. */
#define EACH(...)                                                              \
    do {                                                                       \
        { enum { s = 0 }; __VA_ARGS__; }                                       \
        { enum { s = 1 }; __VA_ARGS__; }                                       \
        { enum { s = 2 }; __VA_ARGS__; }                                       \
        { enum { s = 3 }; __VA_ARGS__; }                                       \
    } while (0)

typedef struct {
    __m128i abef[STREAMS], cdgh[STREAMS];
} states;

/* Words in memory order, the first in the low lane. */
#define WORDS(w0, w1, w2, w3) _mm_set_epi32((int)(w3), (int)(w2), (int)(w1), (int)(w0))
#define K4(t) _mm_loadu_si128((const __m128i *)(sha256_k + (t)))
#define HIGH_HALF(x) _mm_shuffle_epi32(x, 0x0e)

/* Two rounds, and four rounds. `wk` may differ between streams. TWO_ROUNDS exchanges the meaning of abef and cdgh;
 * TWO_MORE_ROUNDS restores it. */
#define TWO_ROUNDS(x, wk) EACH((x).cdgh[s] = _mm_sha256rnds2_epu32((x).cdgh[s], (x).abef[s], wk))
#define TWO_MORE_ROUNDS(x, wk) EACH((x).abef[s] = _mm_sha256rnds2_epu32((x).abef[s], (x).cdgh[s], wk))
#define FOUR_ROUNDS(x, wk)                                                     \
    do {                                                                       \
        __m128i wk_[STREAMS];                                                  \
        EACH(wk_[s] = (wk));                                                   \
        TWO_ROUNDS(x, wk_[s]);                                                 \
        TWO_MORE_ROUNDS(x, HIGH_HALF(wk_[s]));                                 \
    } while (0)

/* Words t to t+3 from the previous sixteen words: x0 holds words t-16 to t-13, and so on. */
#define NEXT4(x0, x1, x2, x3) \
    _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(x0, x1), _mm_alignr_epi8(x3, x2, 4)), x3)

INLINE __m128i abef_of(const uint32_t state[8][SHA256D_MAX_VERSIONS], int version)
{
    return WORDS(state[5][version], state[4][version], state[1][version], state[0][version]);
}

INLINE __m128i cdgh_of(const uint32_t state[8][SHA256D_MAX_VERSIONS], int version)
{
    return WORDS(state[7][version], state[6][version], state[3][version], state[2][version]);
}

/* Compute the state after rounds 0 and 1 of the second block, which do not depend on the nonce. */
INLINE void first_two_rounds(const sha256d_prepared *unit, int version, __m128i *abef, __m128i *cdgh)
{
    *cdgh = abef_of(unit->midstate, version);
    *abef = _mm_sha256rnds2_epu32(cdgh_of(unit->midstate, version), *cdgh,
                                  WORDS(unit->w[0] + sha256_k[0], unit->w[1] + sha256_k[1], 0, 0));
}

/* Hash each stream's digest, and return a bitmask of the streams in which word 7 of the result, with its bytes
 * reversed, is not above `top`. */
INLINE uint32_t second_hash(const states *digest, uint32_t top)
{
    const __m128i padding = WORDS(PAD, 0, 0, 0), length = WORDS(0, 0, 0, SECOND_LENGTH);
    const __m128i iv_abef = WORDS(IV5, IV4, IV1, IV0), iv_cdgh = WORDS(IV7, IV6, IV3, IV2);
    __m128i x0[STREAMS], x1[STREAMS], x2[STREAMS], x3[STREAMS];
    states x;
    EACH(x0[s] = _mm_unpacklo_epi64(_mm_shuffle_epi32(digest->abef[s], 0x1b), _mm_shuffle_epi32(digest->cdgh[s], 0x1b)));
    EACH(x1[s] = _mm_unpackhi_epi64(_mm_shuffle_epi32(digest->abef[s], 0x1b), _mm_shuffle_epi32(digest->cdgh[s], 0x1b)));
    EACH(x.abef[s] = iv_abef; x.cdgh[s] = iv_cdgh);
    FOUR_ROUNDS(x, _mm_add_epi32(x0[s], K4(0)));
    FOUR_ROUNDS(x, _mm_add_epi32(x1[s], K4(4)));
    FOUR_ROUNDS(x, _mm_add_epi32(padding, K4(8)));
    FOUR_ROUNDS(x, _mm_add_epi32(length, K4(12)));
    /* W16 to W31, without the terms that are zero because the padding is */
    EACH(x0[s] = _mm_sha256msg2_epu32(_mm_sha256msg1_epu32(x0[s], x1[s]), length));
    FOUR_ROUNDS(x, _mm_add_epi32(x0[s], K4(16)));
    EACH(x1[s] = NEXT4(x1[s], padding, length, x0[s]));
    FOUR_ROUNDS(x, _mm_add_epi32(x1[s], K4(20)));
    EACH(x2[s] = _mm_sha256msg2_epu32(_mm_add_epi32(padding, _mm_alignr_epi8(x1[s], x0[s], 4)), x1[s]));
    FOUR_ROUNDS(x, _mm_add_epi32(x2[s], K4(24)));
    EACH(x3[s] = NEXT4(length, x0[s], x1[s], x2[s]));
    FOUR_ROUNDS(x, _mm_add_epi32(x3[s], K4(28)));
    EACH(x0[s] = NEXT4(x0[s], x1[s], x2[s], x3[s]));
    FOUR_ROUNDS(x, _mm_add_epi32(x0[s], K4(32)));
    EACH(x1[s] = NEXT4(x1[s], x2[s], x3[s], x0[s]));
    FOUR_ROUNDS(x, _mm_add_epi32(x1[s], K4(36)));
    EACH(x2[s] = NEXT4(x2[s], x3[s], x0[s], x1[s]));
    FOUR_ROUNDS(x, _mm_add_epi32(x2[s], K4(40)));
    EACH(x3[s] = NEXT4(x3[s], x0[s], x1[s], x2[s]));
    FOUR_ROUNDS(x, _mm_add_epi32(x3[s], K4(44)));
    EACH(x0[s] = NEXT4(x0[s], x1[s], x2[s], x3[s]));
    FOUR_ROUNDS(x, _mm_add_epi32(x0[s], K4(48)));
    EACH(x1[s] = NEXT4(x1[s], x2[s], x3[s], x0[s]));
    FOUR_ROUNDS(x, _mm_add_epi32(x1[s], K4(52)));
    EACH(x2[s] = NEXT4(x2[s], x3[s], x0[s], x1[s]));
    FOUR_ROUNDS(x, _mm_add_epi32(x2[s], K4(56)));
    EACH(x3[s] = NEXT4(x3[s], x0[s], x1[s], x2[s]));
    TWO_ROUNDS(x, _mm_add_epi32(x3[s], K4(60)));
    /* f after round 61 is e after round 60; rounds 62 and 63 only move it to word 7 */
    uint32_t hits = 0;
    EACH(hits |= (uint32_t)(__builtin_bswap32((uint32_t)_mm_cvtsi128_si32(x.cdgh[s]) + IV7) <= top) << s);
    return hits;
}

/* Four nonces at a time. */
TARGET static uint64_t scan_plain(const sha256d_prepared *unit, uint32_t nonce, uint64_t steps,
                                  const sha256d_stop_word *stop_word, uint32_t expected, uint64_t *candidates)
{
    const __m128i padding = WORDS(PAD, 0, 0, 0), length = WORDS(0, 0, 0, FIRST_LENGTH);
    const __m128i mid_abef = abef_of(unit->midstate, 0), mid_cdgh = cdgh_of(unit->midstate, 0);
    __m128i start_abef, start_cdgh;
    first_two_rounds(unit, 0, &start_abef, &start_cdgh);
    *candidates = 0;
    for (uint64_t step = 0; step < steps; step++, nonce += STREAMS) {
        if (has_changed(stop_word, expected))
            return step;
        __m128i x0[STREAMS], x1[STREAMS], x2[STREAMS], x3[STREAMS];
        states x;
        EACH(x0[s] = WORDS(unit->w[0], unit->w[1], unit->w[2], word3(unit, nonce + s)));
        EACH(x.abef[s] = start_abef; x.cdgh[s] = start_cdgh);
        TWO_ROUNDS(x, HIGH_HALF(_mm_add_epi32(x0[s], K4(0)))); /* rounds 2 and 3 exchange abef and cdgh */
        EACH(__m128i abef = x.cdgh[s]; x.cdgh[s] = x.abef[s]; x.abef[s] = abef);
        FOUR_ROUNDS(x, _mm_add_epi32(padding, K4(4)));
        FOUR_ROUNDS(x, K4(8));
        FOUR_ROUNDS(x, _mm_add_epi32(length, K4(12)));
        /* W16 to W31, without the terms that are zero because the padding is */
        EACH(x0[s] = _mm_sha256msg2_epu32(_mm_sha256msg1_epu32(x0[s], padding), length));
        FOUR_ROUNDS(x, _mm_add_epi32(x0[s], K4(16)));
        EACH(x1[s] = _mm_sha256msg2_epu32(_mm_add_epi32(padding, _mm_alignr_epi8(x0[s], length, 4)), x0[s]));
        FOUR_ROUNDS(x, _mm_add_epi32(x1[s], K4(20)));
        EACH(x2[s] = _mm_sha256msg2_epu32(_mm_alignr_epi8(x1[s], x0[s], 4), x1[s]));
        FOUR_ROUNDS(x, _mm_add_epi32(x2[s], K4(24)));
        EACH(x3[s] = NEXT4(length, x0[s], x1[s], x2[s]));
        FOUR_ROUNDS(x, _mm_add_epi32(x3[s], K4(28)));
        for (int t = 32; t < 64; t += 16) {
            EACH(x0[s] = NEXT4(x0[s], x1[s], x2[s], x3[s]));
            FOUR_ROUNDS(x, _mm_add_epi32(x0[s], K4(t)));
            EACH(x1[s] = NEXT4(x1[s], x2[s], x3[s], x0[s]));
            FOUR_ROUNDS(x, _mm_add_epi32(x1[s], K4(t + 4)));
            EACH(x2[s] = NEXT4(x2[s], x3[s], x0[s], x1[s]));
            FOUR_ROUNDS(x, _mm_add_epi32(x2[s], K4(t + 8)));
            EACH(x3[s] = NEXT4(x3[s], x0[s], x1[s], x2[s]));
            FOUR_ROUNDS(x, _mm_add_epi32(x3[s], K4(t + 12)));
        }
        EACH(x.abef[s] = _mm_add_epi32(x.abef[s], mid_abef); x.cdgh[s] = _mm_add_epi32(x.cdgh[s], mid_cdgh));
        const uint32_t hits = second_hash(&x, unit->target_top);
        if (__builtin_expect(hits != 0, 0)) {
            *candidates = hits;
            return step + 1;
        }
    }
    return steps;
}

/* Compute kw[4] to kw[15]: words 16 to 63 of the second block with their round constants, four in each. The caller
 * computes kw[0] to kw[3]. */
INLINE void schedule(__m128i x0, __m128i kw[16])
{
    const __m128i padding = WORDS(PAD, 0, 0, 0), length = WORDS(0, 0, 0, FIRST_LENGTH);
    __m128i x1, x2, x3;
    x0 = _mm_sha256msg2_epu32(_mm_sha256msg1_epu32(x0, padding), length);
    x1 = _mm_sha256msg2_epu32(_mm_add_epi32(padding, _mm_alignr_epi8(x0, length, 4)), x0);
    x2 = _mm_sha256msg2_epu32(_mm_alignr_epi8(x1, x0, 4), x1);
    x3 = NEXT4(length, x0, x1, x2);
    for (int i = 4;; i += 4) {
        kw[i] = _mm_add_epi32(x0, K4(4 * i));
        kw[i + 1] = _mm_add_epi32(x1, K4(4 * i + 4));
        kw[i + 2] = _mm_add_epi32(x2, K4(4 * i + 8));
        kw[i + 3] = _mm_add_epi32(x3, K4(4 * i + 12));
        if (i == 12)
            return;
        x0 = NEXT4(x0, x1, x2, x3);
        x1 = NEXT4(x1, x2, x3, x0);
        x2 = NEXT4(x2, x3, x0, x1);
        x3 = NEXT4(x3, x0, x1, x2);
    }
}

/* Four versions at a time. All versions of a nonce share its message schedule. */
TARGET static uint64_t scan_rolling(const sha256d_prepared *unit, uint32_t nonce, uint64_t nonces,
                                    const sha256d_stop_word *stop_word, uint32_t expected, uint64_t *candidates)
{
    __m128i mid_abef[VERSIONS], mid_cdgh[VERSIONS], start_abef[VERSIONS], start_cdgh[VERSIONS], kw[16];
    for (int version = 0; version < VERSIONS; version++) {
        mid_abef[version] = abef_of(unit->midstate, version);
        mid_cdgh[version] = cdgh_of(unit->midstate, version);
        first_two_rounds(unit, version, &start_abef[version], &start_cdgh[version]);
    }
    kw[1] = _mm_add_epi32(WORDS(PAD, 0, 0, 0), K4(4));
    kw[2] = K4(8);
    kw[3] = _mm_add_epi32(WORDS(0, 0, 0, FIRST_LENGTH), K4(12));
    *candidates = 0;
    for (uint64_t done = 0; done < nonces; done++, nonce++) {
        if (has_changed(stop_word, expected))
            return done;
        const __m128i words = WORDS(unit->w[0], unit->w[1], unit->w[2], word3(unit, nonce));
        kw[0] = HIGH_HALF(_mm_add_epi32(words, K4(0)));
        schedule(words, kw);
        uint64_t hits = 0;
        for (int version = 0; version < VERSIONS; version += STREAMS) {
            states x;
            EACH(x.cdgh[s] = start_cdgh[version + s]; x.abef[s] = start_abef[version + s]);
            TWO_ROUNDS(x, kw[0]); /* rounds 2 and 3 exchange abef and cdgh */
            EACH(__m128i abef = x.cdgh[s]; x.cdgh[s] = x.abef[s]; x.abef[s] = abef);
            for (int i = 1; i < 16; i++)
                FOUR_ROUNDS(x, kw[i]);
            EACH(x.abef[s] = _mm_add_epi32(x.abef[s], mid_abef[version + s]));
            EACH(x.cdgh[s] = _mm_add_epi32(x.cdgh[s], mid_cdgh[version + s]));
            hits |= (uint64_t)second_hash(&x, unit->target_top) << version;
        }
        if (__builtin_expect(hits != 0, 0)) {
            *candidates = hits;
            return done + 1;
        }
    }
    return nonces;
}

const sha256d_kernel sha256d_kernel_shani = {
    "shani", STREAMS, VERSIONS, CPU_SHANI, scan_plain, scan_rolling,
};
#endif
