/* The parts of both searches, for any width. A file that includes this one first defines what a vector is:
 *
 *   LANES            32-bit words in a vector
 *   VEC              a vector of LANES words
 *   TARGET           the function attribute for its instruction set (may be empty)
 *   SET1(x)          a vector with x in every lane
 *   LOAD(p)  STORE(p, x)  read and write LANES words in memory
 *   ADD XOR AND      operations on each word
 *   ROR(x, n)  SHR(x, n)
 *   XOR3(x, y, z)  CH(x, y, z)  MAJ(x, y, z)
 *   NOT_ABOVE(x, y)  bitmask of the lanes in which x <= y, unsigned
 *
 * There is no include guard: a file may include a search once for each kind of vector.
 */
#include "sha256d_constants.h"

#ifndef STRATUM_MINER_SHA256D_ROUNDS
#define STRATUM_MINER_SHA256D_ROUNDS

#define S0(x) XOR3(ROR(x, 2), ROR(x, 13), ROR(x, 22))
#define S1(x) XOR3(ROR(x, 6), ROR(x, 11), ROR(x, 25))
#define s0(x) XOR3(ROR(x, 7), ROR(x, 18), SHR(x, 3))
#define s1(x) XOR3(ROR(x, 17), ROR(x, 19), SHR(x, 10))

#define BSWAP(x) XOR(AND(ROR(x, 24), SET1(0x00ff00ffu)), AND(ROR(x, 8), SET1(0xff00ff00u)))

/* One round of FIPS 180-4; `kw` is the message word plus its constant. The caller rotates the names of the variables
 * instead of their values. A round waits for `e`, so everything else is added before S1(e). */
#define ROUND(a, b, c, d, e, f, g, h, kw) ROUND_SUMMED(a, b, c, d, e, f, g, h, ADD(h, kw))

/* The same round, with h + kw already added. */
#define ROUND_SUMMED(a, b, c, d, e, f, g, h, hkw)                              \
    do {                                                                       \
        const VEC t1 = ADD(ADD(hkw, CH(e, f, g)), S1(e));                      \
        d = ADD(d, t1);                                                        \
        h = ADD(ADD(t1, MAJ(a, b, c)), S0(a));                                 \
    } while (0)

/* The half of a round that computes e. */
#define ROUND_E(a, b, c, d, e, f, g, h, kw) d = ADD(d, ADD(ADD(ADD(h, kw), CH(e, f, g)), S1(e)))

#define K(t) SET1(sha256_k[t])

/* The message schedule is an array `w` of the function, with LANES words in each row. It is in memory because a loop
 * variable indexes its rows; where the index is constant, the compiler keeps the words in registers. W(t) reads word t,
 * SET_W writes a word and returns it, KW(t) adds the round constant. */
#define W(t) LOAD(w[t])
#define SET_W(t, x) ({ const VEC word = (x); STORE(w[t], word); word; })
#define KW(t) ADD(W(t), K(t))
#define SET_KW(t, x) ADD(SET_W(t, x), K(t))

/* Eight rounds, after which each variable has its original meaning again. */
#define ROUNDS8(a, b, c, d, e, f, g, h, k0, k1, k2, k3, k4, k5, k6, k7)        \
    ROUND(a, b, c, d, e, f, g, h, k0); ROUND(h, a, b, c, d, e, f, g, k1);      \
    ROUND(g, h, a, b, c, d, e, f, k2); ROUND(f, g, h, a, b, c, d, e, k3);      \
    ROUND(e, f, g, h, a, b, c, d, k4); ROUND(d, e, f, g, h, a, b, c, k5);      \
    ROUND(c, d, e, f, g, h, a, b, k6); ROUND(b, c, d, e, f, g, h, a, k7)

/* Word t of the message schedule, without any shortcut. */
#define NEXT(t) ADD(ADD(s1(W((t) - 2)), W((t) - 7)), ADD(s0(W((t) - 15)), W((t) - 16)))

/* Eight rounds with words t to t+7. */
#define ROUNDS8_NEXT(a, b, c, d, e, f, g, h, t)                                                                      \
    ROUNDS8(a, b, c, d, e, f, g, h, SET_KW(t, NEXT(t)), SET_KW((t) + 1, NEXT((t) + 1)), SET_KW((t) + 2, NEXT((t) + 2)), \
            SET_KW((t) + 3, NEXT((t) + 3)), SET_KW((t) + 4, NEXT((t) + 4)), SET_KW((t) + 5, NEXT((t) + 5)),           \
            SET_KW((t) + 6, NEXT((t) + 6)), SET_KW((t) + 7, NEXT((t) + 7)))

/* Keep the compiler from unrolling the next loop. A search that is unrolled as a whole does not fit into the CPU's
 * cache of decoded instructions, and its schedule would push other values out of the registers. */
#ifdef __clang__
#define KEEP_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define KEEP_ROLLED _Pragma("GCC unroll 1")
#endif

#endif
