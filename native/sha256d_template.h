/* The algorithm, once, for any width. A file that includes this defines first:
 *
 *   LANES            nonces per group
 *   VEC              a vector of LANES 32-bit words
 *   TARGET           the function attribute for its instruction set (may be empty)
 *   SET1(x)          broadcast
 *   ADD XOR AND      word-wise operations
 *   ROR(x, n)  SHR(x, n)
 *   XOR3(x, y, z)  CH(x, y, z)  MAJ(x, y, z)
 *   NONCES(n)        n, n+1, ... n+LANES-1
 *   NOT_ABOVE(x, y)  bitmask of lanes with x <= y, unsigned
 *
 * What is saved against two plain SHA-256d compressions (native/README.md has the picture):
 *   first hash   rounds 0-2, W16, W17 and the nonce-free parts of W18, W19, W31 are constants of the unit;
 *                the zero words of the padding are left out of every sum
 *   second hash  round 0 is one addition each for a and e; padding words are constants; only word 7 of the digest is
 *                computed, which is e of round 60: rounds 61-63 are not needed, rounds 57-60 only their e half
 */
#include "sha256d_kernel.h"

#define S0(x) XOR3(ROR(x, 2), ROR(x, 13), ROR(x, 22))
#define S1(x) XOR3(ROR(x, 6), ROR(x, 11), ROR(x, 25))
#define s0(x) XOR3(ROR(x, 7), ROR(x, 18), SHR(x, 3))
#define s1(x) XOR3(ROR(x, 17), ROR(x, 19), SHR(x, 10))

/* The same functions of plain numbers, for constants of the algorithm. */
#define C_ROR(x, n) ((uint32_t)(x) >> (n) | (uint32_t)(x) << (32 - (n)))
#define C_S0(x) (C_ROR(x, 2) ^ C_ROR(x, 13) ^ C_ROR(x, 22))
#define C_S1(x) (C_ROR(x, 6) ^ C_ROR(x, 11) ^ C_ROR(x, 25))
#define C_s0(x) (C_ROR(x, 7) ^ C_ROR(x, 18) ^ (uint32_t)(x) >> 3)
#define C_s1(x) (C_ROR(x, 17) ^ C_ROR(x, 19) ^ (uint32_t)(x) >> 10)
#define C_CH(x, y, z) ((uint32_t)(z) ^ ((uint32_t)(x) & ((uint32_t)(y) ^ (uint32_t)(z))))
#define C_MAJ(x, y, z) (((uint32_t)(x) & (uint32_t)(y)) | ((uint32_t)(z) & ((uint32_t)(x) | (uint32_t)(y))))

#define IV0 0x6a09e667u
#define IV1 0xbb67ae85u
#define IV2 0x3c6ef372u
#define IV3 0xa54ff53au
#define IV4 0x510e527fu
#define IV5 0x9b05688cu
#define IV6 0x1f83d9abu
#define IV7 0x5be0cd19u
#define PAD 0x80000000u
#define FIRST_LENGTH 640u  /* bits of a header */
#define SECOND_LENGTH 256u /* bits of a digest */

#define BSWAP(x) XOR(AND(ROR(x, 24), SET1(0x00ff00ffu)), AND(ROR(x, 8), SET1(0xff00ff00u)))

/* One round of FIPS 180-4; `kw` is the word with its constant. The caller rotates the names instead of the values. */
#define ROUND(a, b, c, d, e, f, g, h, kw)                                      \
    do {                                                                       \
        const VEC t1 = ADD(ADD(ADD(h, kw), CH(e, f, g)), S1(e));               \
        d = ADD(d, t1);                                                        \
        h = ADD(ADD(t1, MAJ(a, b, c)), S0(a));                                 \
    } while (0)

/* Only the e half. */
#define ROUND_E(a, b, c, d, e, f, g, h, kw) d = ADD(d, ADD(ADD(ADD(h, kw), CH(e, f, g)), S1(e)))

#define K(t) SET1(sha256_k[t])
#define KW(t, w) ADD(w, K(t))

#define ROUNDS8(R, k0, k1, k2, k3, k4, k5, k6, k7)                                                       \
    R(a, b, c, d, e, f, g, h, k0); R(h, a, b, c, d, e, f, g, k1); R(g, h, a, b, c, d, e, f, k2);         \
    R(f, g, h, a, b, c, d, e, k3); R(e, f, g, h, a, b, c, d, k4); R(d, e, f, g, h, a, b, c, k5);         \
    R(c, d, e, f, g, h, a, b, k6); R(b, c, d, e, f, g, h, a, k7)

/* Word t in general: w[t] = s1(w[t-2]) + w[t-7] + s0(w[t-15]) + w[t-16], kept modulo 16. */
#define NEXT(t)                                                                                          \
    (w[(t) & 15] = ADD(ADD(s1(w[((t) - 2) & 15]), w[((t) - 7) & 15]), ADD(s0(w[((t) - 15) & 15]), w[(t) & 15])))

/* Round first + i with its word; `first` is a multiple of 16, so that i alone says where the words are. */
#define SCHEDULED(R, a, b, c, d, e, f, g, h, first, i) R(a, b, c, d, e, f, g, h, ADD(NEXT(16 + (i)), K((first) + (i))))
#define SCHEDULED8(a, b, c, d, e, f, g, h, first, i)                                                     \
    SCHEDULED(ROUND, a, b, c, d, e, f, g, h, first, (i) + 0); SCHEDULED(ROUND, h, a, b, c, d, e, f, g, first, (i) + 1); \
    SCHEDULED(ROUND, g, h, a, b, c, d, e, f, first, (i) + 2); SCHEDULED(ROUND, f, g, h, a, b, c, d, e, first, (i) + 3); \
    SCHEDULED(ROUND, e, f, g, h, a, b, c, d, first, (i) + 4); SCHEDULED(ROUND, d, e, f, g, h, a, b, c, first, (i) + 5); \
    SCHEDULED(ROUND, c, d, e, f, g, h, a, b, first, (i) + 6); SCHEDULED(ROUND, b, c, d, e, f, g, h, a, first, (i) + 7)

/* A loop the compiler must not unroll: the whole search unrolled does not fit into the cache of decoded
 * instructions, and AVX2 loses almost a tenth. */
#ifdef __clang__
#define KEEP_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define KEEP_ROLLED _Pragma("GCC unroll 1")
#endif

TARGET static uint64_t scan(const sha256d_prepared *prepared, uint32_t nonce, uint64_t batches,
                            const volatile uint32_t *stop_word, uint32_t expected, uint32_t *candidates)
{
    const VEC target_top = SET1(prepared->target_top);
    *candidates = 0;
    for (uint64_t batch = 0; batch < batches; batch++, nonce += LANES) {
        if (*stop_word != expected)
            return batch;
        VEC a, b, c, d, e, f, g, h, w[16];

        /* ---- first hash, second block ---- */
        const VEC w3 = BSWAP(NONCES(nonce));
        a = SET1(prepared->state[0]); b = SET1(prepared->state[1]); c = SET1(prepared->state[2]);
        d = SET1(prepared->state[3]); e = SET1(prepared->state[4]); f = SET1(prepared->state[5]);
        g = SET1(prepared->state[6]);
        { /* round 3 */
            const VEC t1 = ADD(w3, SET1(prepared->t1_round3));
            d = ADD(d, t1);
            h = ADD(t1, SET1(prepared->t2_round3));
        }
        ROUND(h, a, b, c, d, e, f, g, SET1(sha256_k[4] + PAD));
        ROUND(g, h, a, b, c, d, e, f, K(5));
        ROUND(f, g, h, a, b, c, d, e, K(6));
        ROUND(e, f, g, h, a, b, c, d, K(7));
        ROUND(d, e, f, g, h, a, b, c, K(8));
        ROUND(c, d, e, f, g, h, a, b, K(9));
        ROUND(b, c, d, e, f, g, h, a, K(10));
        ROUND(a, b, c, d, e, f, g, h, K(11));
        ROUND(h, a, b, c, d, e, f, g, K(12));
        ROUND(g, h, a, b, c, d, e, f, K(13));
        ROUND(f, g, h, a, b, c, d, e, K(14));
        ROUND(e, f, g, h, a, b, c, d, SET1(sha256_k[15] + FIRST_LENGTH));
        ROUND(d, e, f, g, h, a, b, c, SET1(prepared->kw16));
        ROUND(c, d, e, f, g, h, a, b, SET1(prepared->kw17));
        w[2] = ADD(s0(w3), SET1(prepared->w18));                       /* W18 */
        ROUND(b, c, d, e, f, g, h, a, KW(18, w[2]));
        w[3] = ADD(w3, SET1(prepared->w19));                           /* W19 */
        ROUND(a, b, c, d, e, f, g, h, KW(19, w[3]));
        w[4] = ADD(s1(w[2]), SET1(PAD));                               /* W20 */
        ROUND(h, a, b, c, d, e, f, g, KW(20, w[4]));
        w[5] = s1(w[3]);                                               /* W21 */
        ROUND(g, h, a, b, c, d, e, f, KW(21, w[5]));
        w[6] = ADD(s1(w[4]), SET1(FIRST_LENGTH));                      /* W22 */
        ROUND(f, g, h, a, b, c, d, e, KW(22, w[6]));
        w[7] = ADD(s1(w[5]), SET1(prepared->w16));                     /* W23 */
        ROUND(e, f, g, h, a, b, c, d, KW(23, w[7]));
        w[8] = ADD(s1(w[6]), SET1(prepared->w17));                     /* W24 */
        ROUND(d, e, f, g, h, a, b, c, KW(24, w[8]));
        w[9] = ADD(s1(w[7]), w[2]);                                    /* W25 */
        ROUND(c, d, e, f, g, h, a, b, KW(25, w[9]));
        w[10] = ADD(s1(w[8]), w[3]);                                   /* W26 */
        ROUND(b, c, d, e, f, g, h, a, KW(26, w[10]));
        w[11] = ADD(s1(w[9]), w[4]);                                   /* W27 */
        ROUND(a, b, c, d, e, f, g, h, KW(27, w[11]));
        w[12] = ADD(s1(w[10]), w[5]);                                  /* W28 */
        ROUND(h, a, b, c, d, e, f, g, KW(28, w[12]));
        w[13] = ADD(s1(w[11]), w[6]);                                  /* W29 */
        ROUND(g, h, a, b, c, d, e, f, KW(29, w[13]));
        w[14] = ADD(ADD(s1(w[12]), w[7]), SET1(C_s0(FIRST_LENGTH)));   /* W30 */
        ROUND(f, g, h, a, b, c, d, e, KW(30, w[14]));
        w[15] = ADD(ADD(s1(w[13]), w[8]), SET1(prepared->w31));        /* W31 */
        ROUND(e, f, g, h, a, b, c, d, KW(31, w[15]));
        w[0] = SET1(prepared->w16);
        w[1] = SET1(prepared->w17);
        KEEP_ROLLED
        for (int t = 32; t < 64; t += 16) {
            SCHEDULED8(d, e, f, g, h, a, b, c, t, 0);
            SCHEDULED8(d, e, f, g, h, a, b, c, t, 8);
        }

        /* ---- second hash: the digest is the message; the names stand five places on ---- */
        w[0] = ADD(d, SET1(prepared->midstate[0])); w[1] = ADD(e, SET1(prepared->midstate[1]));
        w[2] = ADD(f, SET1(prepared->midstate[2])); w[3] = ADD(g, SET1(prepared->midstate[3]));
        w[4] = ADD(h, SET1(prepared->midstate[4])); w[5] = ADD(a, SET1(prepared->midstate[5]));
        w[6] = ADD(b, SET1(prepared->midstate[6])); w[7] = ADD(c, SET1(prepared->midstate[7]));

        /* round 0 from the initial value: T1 and T2 are constants but for W0 */
        a = SET1(IV0); b = SET1(IV1); c = SET1(IV2); e = SET1(IV4); f = SET1(IV5); g = SET1(IV6);
        d = ADD(w[0], SET1(IV3 + IV7 + C_S1(IV4) + C_CH(IV4, IV5, IV6) + 0x428a2f98u));
        h = ADD(w[0], SET1(IV7 + C_S1(IV4) + C_CH(IV4, IV5, IV6) + 0x428a2f98u + C_S0(IV0) + C_MAJ(IV0, IV1, IV2)));
        ROUND(h, a, b, c, d, e, f, g, KW(1, w[1]));
        ROUND(g, h, a, b, c, d, e, f, KW(2, w[2]));
        ROUND(f, g, h, a, b, c, d, e, KW(3, w[3]));
        ROUND(e, f, g, h, a, b, c, d, KW(4, w[4]));
        ROUND(d, e, f, g, h, a, b, c, KW(5, w[5]));
        ROUND(c, d, e, f, g, h, a, b, KW(6, w[6]));
        ROUND(b, c, d, e, f, g, h, a, KW(7, w[7]));
        ROUND(a, b, c, d, e, f, g, h, SET1(sha256_k[8] + PAD));
        ROUND(h, a, b, c, d, e, f, g, K(9));
        ROUND(g, h, a, b, c, d, e, f, K(10));
        ROUND(f, g, h, a, b, c, d, e, K(11));
        ROUND(e, f, g, h, a, b, c, d, K(12));
        ROUND(d, e, f, g, h, a, b, c, K(13));
        ROUND(c, d, e, f, g, h, a, b, K(14));
        ROUND(b, c, d, e, f, g, h, a, SET1(sha256_k[15] + SECOND_LENGTH));
        w[0] = ADD(s0(w[1]), w[0]);                                            /* W16 */
        ROUND(a, b, c, d, e, f, g, h, KW(16, w[0]));
        w[1] = ADD(ADD(s0(w[2]), w[1]), SET1(C_s1(SECOND_LENGTH)));            /* W17 */
        ROUND(h, a, b, c, d, e, f, g, KW(17, w[1]));
        w[2] = ADD(ADD(s1(w[0]), s0(w[3])), w[2]);                             /* W18 */
        ROUND(g, h, a, b, c, d, e, f, KW(18, w[2]));
        w[3] = ADD(ADD(s1(w[1]), s0(w[4])), w[3]);                             /* W19 */
        ROUND(f, g, h, a, b, c, d, e, KW(19, w[3]));
        w[4] = ADD(ADD(s1(w[2]), s0(w[5])), w[4]);                             /* W20 */
        ROUND(e, f, g, h, a, b, c, d, KW(20, w[4]));
        w[5] = ADD(ADD(s1(w[3]), s0(w[6])), w[5]);                             /* W21 */
        ROUND(d, e, f, g, h, a, b, c, KW(21, w[5]));
        w[6] = ADD(ADD(s1(w[4]), s0(w[7])), ADD(w[6], SET1(SECOND_LENGTH)));   /* W22 */
        ROUND(c, d, e, f, g, h, a, b, KW(22, w[6]));
        w[7] = ADD(ADD(s1(w[5]), w[0]), ADD(w[7], SET1(C_s0(PAD))));           /* W23 */
        ROUND(b, c, d, e, f, g, h, a, KW(23, w[7]));
        w[8] = ADD(ADD(s1(w[6]), w[1]), SET1(PAD));                            /* W24 */
        ROUND(a, b, c, d, e, f, g, h, KW(24, w[8]));
        w[9] = ADD(s1(w[7]), w[2]);                                            /* W25 */
        ROUND(h, a, b, c, d, e, f, g, KW(25, w[9]));
        w[10] = ADD(s1(w[8]), w[3]);                                           /* W26 */
        ROUND(g, h, a, b, c, d, e, f, KW(26, w[10]));
        w[11] = ADD(s1(w[9]), w[4]);                                           /* W27 */
        ROUND(f, g, h, a, b, c, d, e, KW(27, w[11]));
        w[12] = ADD(s1(w[10]), w[5]);                                          /* W28 */
        ROUND(e, f, g, h, a, b, c, d, KW(28, w[12]));
        w[13] = ADD(s1(w[11]), w[6]);                                          /* W29 */
        ROUND(d, e, f, g, h, a, b, c, KW(29, w[13]));
        w[14] = ADD(ADD(s1(w[12]), w[7]), SET1(C_s0(SECOND_LENGTH)));          /* W30 */
        ROUND(c, d, e, f, g, h, a, b, KW(30, w[14]));
        w[15] = ADD(ADD(s1(w[13]), w[8]), ADD(s0(w[0]), SET1(SECOND_LENGTH))); /* W31 */
        ROUND(b, c, d, e, f, g, h, a, KW(31, w[15]));
        ROUNDS8(ROUND, KW(32, NEXT(32)), KW(33, NEXT(33)), KW(34, NEXT(34)), KW(35, NEXT(35)),
                KW(36, NEXT(36)), KW(37, NEXT(37)), KW(38, NEXT(38)), KW(39, NEXT(39)));
        ROUNDS8(ROUND, KW(40, NEXT(40)), KW(41, NEXT(41)), KW(42, NEXT(42)), KW(43, NEXT(43)),
                KW(44, NEXT(44)), KW(45, NEXT(45)), KW(46, NEXT(46)), KW(47, NEXT(47)));
        ROUNDS8(ROUND, KW(48, NEXT(48)), KW(49, NEXT(49)), KW(50, NEXT(50)), KW(51, NEXT(51)),
                KW(52, NEXT(52)), KW(53, NEXT(53)), KW(54, NEXT(54)), KW(55, NEXT(55)));
        ROUND(a, b, c, d, e, f, g, h, KW(56, NEXT(56)));
        ROUND_E(h, a, b, c, d, e, f, g, KW(57, NEXT(57)));
        ROUND_E(g, h, a, b, c, d, e, f, KW(58, NEXT(58)));
        ROUND_E(f, g, h, a, b, c, d, e, KW(59, NEXT(59)));
        ROUND_E(e, f, g, h, a, b, c, d, KW(60, NEXT(60)));

        const uint32_t mask = NOT_ABOVE(BSWAP(ADD(h, SET1(IV7))), target_top);
        if (__builtin_expect(mask != 0, 0)) {
            *candidates = mask;
            return batch + 1;
        }
    }
    return batches;
}
