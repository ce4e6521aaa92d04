/* The second hash. It takes the digest of the first hash, W0 to W7 in `w`, and returns the last word of the second
 * digest, which is the most significant word of the hash as a number. Include it after sha256d_rounds.h, with
 * SECOND_HASH defined as the function's name.
 *
 * It computes less than a full compression. Round 0 is one addition each for a and e, and h is constant in rounds 1 to
 * 3. The words of the padding are constants. Only word 7 of the digest is needed, which is e of round 60, so rounds 61
 * to 63 are left out, and of rounds 57 to 60 only the half that computes e is done.
 */
TARGET static inline __attribute__((always_inline)) VEC SECOND_HASH(uint32_t w[64][LANES])
{
    VEC a, b, c, d, e, f, g, h;

    /* round 0 starts from the initial value: T1 and T2 are W0 plus a constant */
    a = SET1(IV0); b = SET1(IV1); c = SET1(IV2); e = SET1(IV4); f = SET1(IV5); g = SET1(IV6);
    d = ADD(W(0), SET1(IV3 + IV7 + C_S1(IV4) + C_CH(IV4, IV5, IV6) + sha256_k[0]));
    h = ADD(W(0), SET1(IV7 + C_S1(IV4) + C_CH(IV4, IV5, IV6) + sha256_k[0] + C_S0(IV0) + C_MAJ(IV0, IV1, IV2)));
    ROUND_SUMMED(h, a, b, c, d, e, f, g, ADD(W(1), SET1(IV6 + sha256_k[1])));
    ROUND_SUMMED(g, h, a, b, c, d, e, f, ADD(W(2), SET1(IV5 + sha256_k[2])));
    ROUND_SUMMED(f, g, h, a, b, c, d, e, ADD(W(3), SET1(IV4 + sha256_k[3])));
    ROUND(e, f, g, h, a, b, c, d, KW(4));
    ROUND(d, e, f, g, h, a, b, c, KW(5));
    ROUND(c, d, e, f, g, h, a, b, KW(6));
    ROUND(b, c, d, e, f, g, h, a, KW(7));
    ROUNDS8(a, b, c, d, e, f, g, h, SET1(sha256_k[8] + PAD), K(9), K(10), K(11), K(12), K(13), K(14),
            SET1(sha256_k[15] + SECOND_LENGTH));
    ROUND(a, b, c, d, e, f, g, h, SET_KW(16, ADD(s0(W(1)), W(0))));
    ROUND(h, a, b, c, d, e, f, g, SET_KW(17, ADD(ADD(s0(W(2)), W(1)), SET1(C_s1(SECOND_LENGTH)))));
    ROUND(g, h, a, b, c, d, e, f, SET_KW(18, ADD(ADD(s1(W(16)), s0(W(3))), W(2))));
    ROUND(f, g, h, a, b, c, d, e, SET_KW(19, ADD(ADD(s1(W(17)), s0(W(4))), W(3))));
    ROUND(e, f, g, h, a, b, c, d, SET_KW(20, ADD(ADD(s1(W(18)), s0(W(5))), W(4))));
    ROUND(d, e, f, g, h, a, b, c, SET_KW(21, ADD(ADD(s1(W(19)), s0(W(6))), W(5))));
    ROUND(c, d, e, f, g, h, a, b, SET_KW(22, ADD(ADD(s1(W(20)), s0(W(7))), ADD(W(6), SET1(SECOND_LENGTH)))));
    ROUND(b, c, d, e, f, g, h, a, SET_KW(23, ADD(ADD(s1(W(21)), W(16)), ADD(W(7), SET1(C_s0(PAD))))));
    ROUND(a, b, c, d, e, f, g, h, SET_KW(24, ADD(ADD(s1(W(22)), W(17)), SET1(PAD))));
    ROUND(h, a, b, c, d, e, f, g, SET_KW(25, ADD(s1(W(23)), W(18))));
    ROUND(g, h, a, b, c, d, e, f, SET_KW(26, ADD(s1(W(24)), W(19))));
    ROUND(f, g, h, a, b, c, d, e, SET_KW(27, ADD(s1(W(25)), W(20))));
    ROUND(e, f, g, h, a, b, c, d, SET_KW(28, ADD(s1(W(26)), W(21))));
    ROUND(d, e, f, g, h, a, b, c, SET_KW(29, ADD(s1(W(27)), W(22))));
    ROUND(c, d, e, f, g, h, a, b, SET_KW(30, ADD(ADD(s1(W(28)), W(23)), SET1(C_s0(SECOND_LENGTH)))));
    ROUND(b, c, d, e, f, g, h, a, SET_KW(31, ADD(ADD(s1(W(29)), W(24)), ADD(s0(W(16)), SET1(SECOND_LENGTH)))));
    KEEP_ROLLED
    for (int t = 32; t < 56; t += 8) {
        ROUNDS8_NEXT(a, b, c, d, e, f, g, h, t);
    }
    ROUND(a, b, c, d, e, f, g, h, SET_KW(56, NEXT(56)));
    ROUND_E(h, a, b, c, d, e, f, g, SET_KW(57, NEXT(57)));
    ROUND_E(g, h, a, b, c, d, e, f, SET_KW(58, NEXT(58)));
    ROUND_E(f, g, h, a, b, c, d, e, SET_KW(59, NEXT(59)));
    ROUND_E(e, f, g, h, a, b, c, d, SET_KW(60, NEXT(60)));
    return BSWAP(ADD(h, SET1(IV7)));
}
#undef SECOND_HASH
