/* The plain search: each lane has another nonce. Before this file is included, define what sha256d_rounds.h lists and
 *
 *   NONCES(n)        n, n+1, ... n+LANES-1
 *
 * Rounds 0 to 2, W16, W17 and the parts of W18, W19 and W31 that do not depend on the nonce are computed once per unit.
 * The zero words of the padding are left out of every sum.
 */
#include "sha256d_kernel.h"
#include "sha256d_rounds.h"

#define SECOND_HASH plain_second_hash
#include "sha256d_second_hash.h"

_Static_assert(LANES <= 32, "NOT_ABOVE returns a bit for each lane in 32");

TARGET static uint64_t scan_plain(const sha256d_prepared *unit, uint32_t nonce, uint64_t batches,
                                  const sha256d_stop_word *stop_word, uint32_t expected, uint64_t *candidates)
{
    const VEC target_top = SET1(unit->target_top);
    *candidates = 0;
    for (uint64_t batch = 0; batch < batches; batch++, nonce += LANES) {
        if (has_changed(stop_word, expected))
            return batch;
        VEC a, b, c, d, e, f, g, h;
        uint32_t w[64][LANES] __attribute__((aligned(64)));
        const VEC w3 = unit->big_endian_nonces ? NONCES(nonce) : BSWAP(NONCES(nonce));
        a = SET1(unit->state[0][0]); b = SET1(unit->state[1][0]); c = SET1(unit->state[2][0]);
        e = SET1(unit->state[4][0]); f = SET1(unit->state[5][0]); g = SET1(unit->state[6][0]);
        d = ADD(w3, SET1(unit->d_round3[0])); /* round 3 */
        h = ADD(w3, SET1(unit->h_round3[0]));
        ROUND_SUMMED(h, a, b, c, d, e, f, g, SET1(unit->hk[0][0]));
        ROUND_SUMMED(g, h, a, b, c, d, e, f, SET1(unit->hk[1][0]));
        ROUND_SUMMED(f, g, h, a, b, c, d, e, SET1(unit->hk[2][0]));
        ROUND(e, f, g, h, a, b, c, d, K(7));
        ROUNDS8(d, e, f, g, h, a, b, c, K(8), K(9), K(10), K(11), K(12), K(13), K(14),
                SET1(sha256_k[15] + FIRST_LENGTH));
        ROUND(d, e, f, g, h, a, b, c, SET1(unit->w16 + sha256_k[16]));
        ROUND(c, d, e, f, g, h, a, b, SET1(unit->w17 + sha256_k[17]));
        SET_W(16, SET1(unit->w16));
        SET_W(17, SET1(unit->w17));
        ROUND(b, c, d, e, f, g, h, a, SET_KW(18, ADD(s0(w3), SET1(unit->w18))));
        ROUND(a, b, c, d, e, f, g, h, SET_KW(19, ADD(w3, SET1(unit->w19))));
        ROUND(h, a, b, c, d, e, f, g, SET_KW(20, ADD(s1(W(18)), SET1(PAD))));
        ROUND(g, h, a, b, c, d, e, f, SET_KW(21, s1(W(19))));
        ROUND(f, g, h, a, b, c, d, e, SET_KW(22, ADD(s1(W(20)), SET1(FIRST_LENGTH))));
        ROUND(e, f, g, h, a, b, c, d, SET_KW(23, ADD(s1(W(21)), SET1(unit->w16))));
        ROUND(d, e, f, g, h, a, b, c, SET_KW(24, ADD(s1(W(22)), SET1(unit->w17))));
        ROUND(c, d, e, f, g, h, a, b, SET_KW(25, ADD(s1(W(23)), W(18))));
        ROUND(b, c, d, e, f, g, h, a, SET_KW(26, ADD(s1(W(24)), W(19))));
        ROUND(a, b, c, d, e, f, g, h, SET_KW(27, ADD(s1(W(25)), W(20))));
        ROUND(h, a, b, c, d, e, f, g, SET_KW(28, ADD(s1(W(26)), W(21))));
        ROUND(g, h, a, b, c, d, e, f, SET_KW(29, ADD(s1(W(27)), W(22))));
        ROUND(f, g, h, a, b, c, d, e, SET_KW(30, ADD(ADD(s1(W(28)), W(23)), SET1(C_s0(FIRST_LENGTH)))));
        ROUND(e, f, g, h, a, b, c, d, SET_KW(31, ADD(ADD(s1(W(29)), W(24)), SET1(unit->w31))));
        KEEP_ROLLED
        for (int t = 32; t < 64; t += 8) {
            ROUNDS8_NEXT(d, e, f, g, h, a, b, c, t);
        }

        /* The variables have rotated: d now holds state word a, e holds b, and so on. */
        SET_W(0, ADD(d, SET1(unit->midstate[0][0])));
        SET_W(1, ADD(e, SET1(unit->midstate[1][0])));
        SET_W(2, ADD(f, SET1(unit->midstate[2][0])));
        SET_W(3, ADD(g, SET1(unit->midstate[3][0])));
        SET_W(4, ADD(h, SET1(unit->midstate[4][0])));
        SET_W(5, ADD(a, SET1(unit->midstate[5][0])));
        SET_W(6, ADD(b, SET1(unit->midstate[6][0])));
        SET_W(7, ADD(c, SET1(unit->midstate[7][0])));
        const uint64_t hits = NOT_ABOVE(plain_second_hash(w), target_top);
        if (__builtin_expect(hits != 0, 0)) {
            *candidates = hits;
            return batch + 1;
        }
    }
    return batches;
}
