/* The rolling search: each lane has another version, and all lanes have the same nonce. Before this file is included,
 * define what sha256d_rounds.h lists and
 *
 *   VERSIONS         number of versions that share a message schedule; a multiple of LANES
 *   NONCES(n)        n, n+1, ... n+LANES-1
 *
 * The version is in the first block and the nonce in the second. All versions of a nonce therefore have the same
 * message schedule in the second block: W18 to W63 with their constants. It is computed for LANES nonces at a time, one
 * per lane, and stored in memory. Then the words of each nonce are broadcast to all versions.
 */
#include "sha256d_kernel.h"
#include "sha256d_rounds.h"

#define SECOND_HASH rolling_second_hash
#include "sha256d_second_hash.h"

SHA256D_CHECK_WIDTHS(LANES, VERSIONS);

#define GROUPS (VERSIONS / LANES)

/* Compute kw[t][i]: for t = 3 W3 of nonce + i, and for t = 18 to 63 word t with its round constant. */
TARGET static void schedule(const sha256d_prepared *unit, uint32_t nonce, uint32_t kw[64][LANES])
{
    uint32_t w[64][LANES] __attribute__((aligned(64)));
    SET_W(3, unit->big_endian_nonces ? NONCES(nonce) : BSWAP(NONCES(nonce)));
    SET_W(16, SET1(unit->w16));
    SET_W(17, SET1(unit->w17));
    SET_W(18, ADD(s0(W(3)), SET1(unit->w18)));
    SET_W(19, ADD(W(3), SET1(unit->w19)));
    SET_W(20, ADD(s1(W(18)), SET1(PAD)));
    SET_W(21, s1(W(19)));
    SET_W(22, ADD(s1(W(20)), SET1(FIRST_LENGTH)));
    for (int t = 23; t < 30; t++)
        SET_W(t, ADD(s1(W(t - 2)), W(t - 7)));
    SET_W(30, ADD(ADD(s1(W(28)), W(23)), SET1(C_s0(FIRST_LENGTH))));
    SET_W(31, ADD(ADD(s1(W(29)), W(24)), SET1(unit->w31)));
    for (int t = 32; t < 64; t++)
        SET_W(t, NEXT(t));
    STORE(kw[3], W(3));
    for (int t = 18; t < 64; t++)
        STORE(kw[t], KW(t));
}

/* OF_GROUP loads the values of one group of versions; SHARED is the word that all versions of a nonce share. */
#define OF_GROUP(array) LOAD((array) + group * LANES)
#define SHARED(t) SET1(kw[t][i])

TARGET static uint64_t scan_rolling(const sha256d_prepared *unit, uint32_t nonce, uint64_t nonces,
                                    const sha256d_stop_word *stop_word, uint32_t expected, uint64_t *candidates)
{
    uint32_t kw[64][LANES] __attribute__((aligned(64)));
    const VEC target_top = SET1(unit->target_top);
    uint32_t i = LANES;
    *candidates = 0;
    for (uint64_t done = 0; done < nonces; done++, i++) {
        if (has_changed(stop_word, expected))
            return done;
        if (i == LANES) {
            schedule(unit, nonce + (uint32_t)done, kw);
            i = 0;
        }
        uint64_t hits = 0;
        for (int group = 0; group < GROUPS; group++) {
            VEC a, b, c, d, e, f, g, h;
            uint32_t w[64][LANES] __attribute__((aligned(64)));
            a = OF_GROUP(unit->state[0]); b = OF_GROUP(unit->state[1]); c = OF_GROUP(unit->state[2]);
            e = OF_GROUP(unit->state[4]); f = OF_GROUP(unit->state[5]); g = OF_GROUP(unit->state[6]);
            d = ADD(SHARED(3), OF_GROUP(unit->d_round3)); /* round 3 */
            h = ADD(SHARED(3), OF_GROUP(unit->h_round3));
            ROUND_SUMMED(h, a, b, c, d, e, f, g, OF_GROUP(unit->hk[0]));
            ROUND_SUMMED(g, h, a, b, c, d, e, f, OF_GROUP(unit->hk[1]));
            ROUND_SUMMED(f, g, h, a, b, c, d, e, OF_GROUP(unit->hk[2]));
            ROUND(e, f, g, h, a, b, c, d, K(7));
            ROUNDS8(d, e, f, g, h, a, b, c, K(8), K(9), K(10), K(11), K(12), K(13), K(14),
                    SET1(sha256_k[15] + FIRST_LENGTH));
            ROUNDS8(d, e, f, g, h, a, b, c, SET1(unit->w16 + sha256_k[16]), SET1(unit->w17 + sha256_k[17]),
                    SHARED(18), SHARED(19), SHARED(20), SHARED(21), SHARED(22), SHARED(23));
            KEEP_ROLLED
            for (int t = 24; t < 64; t += 8) {
                ROUNDS8(d, e, f, g, h, a, b, c, SHARED(t), SHARED(t + 1), SHARED(t + 2), SHARED(t + 3), SHARED(t + 4),
                        SHARED(t + 5), SHARED(t + 6), SHARED(t + 7));
            }

            /* The variables have rotated: d now holds state word a, e holds b, and so on. */
            SET_W(0, ADD(d, OF_GROUP(unit->midstate[0])));
            SET_W(1, ADD(e, OF_GROUP(unit->midstate[1])));
            SET_W(2, ADD(f, OF_GROUP(unit->midstate[2])));
            SET_W(3, ADD(g, OF_GROUP(unit->midstate[3])));
            SET_W(4, ADD(h, OF_GROUP(unit->midstate[4])));
            SET_W(5, ADD(a, OF_GROUP(unit->midstate[5])));
            SET_W(6, ADD(b, OF_GROUP(unit->midstate[6])));
            SET_W(7, ADD(c, OF_GROUP(unit->midstate[7])));
            hits |= (uint64_t)NOT_ABOVE(rolling_second_hash(w), target_top) << (group * LANES);
        }
        if (__builtin_expect(hits != 0, 0)) {
            *candidates = hits;
            return done + 1;
        }
    }
    return nonces;
}

#undef GROUPS
#undef OF_GROUP
#undef SHARED
