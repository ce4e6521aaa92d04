/* Two AVX-512 vectors as one vector of thirty-two words. Every operation works on both halves. The halves are
 * independent, so one computes while the other waits for a result. Only a rolling search has enough registers for this,
 * because its message schedule is in memory. This file redefines what sha256d_avx512.c defined for one vector. */
#undef LANES
#undef VEC
#undef SET1
#undef LOAD
#undef STORE
#undef ADD
#undef XOR
#undef AND
#undef SHR
#undef ROR
#undef XOR3
#undef CH
#undef MAJ
#undef NONCES
#undef NOT_ABOVE

typedef struct {
    __m512i low, high;
} pair;

#define LANES 32
#define VEC pair
#define EACH1(intrinsic, x, ...) \
    ({ const pair x_ = (x); (pair){intrinsic(x_.low, ##__VA_ARGS__), intrinsic(x_.high, ##__VA_ARGS__)}; })
#define EACH2(intrinsic, x, y) \
    ({ const pair x_ = (x), y_ = (y); (pair){intrinsic(x_.low, y_.low), intrinsic(x_.high, y_.high)}; })
#define TERNARY(x, y, z, logic)                                                        \
    ({                                                                                 \
        const pair x_ = (x), y_ = (y), z_ = (z);                                       \
        (pair){_mm512_ternarylogic_epi32(x_.low, y_.low, z_.low, logic),               \
               _mm512_ternarylogic_epi32(x_.high, y_.high, z_.high, logic)};           \
    })
#define SET1(x) ({ const __m512i word_ = _mm512_set1_epi32((int)(x)); (pair){word_, word_}; })
#define LOAD(p) ((pair){_mm512_loadu_si512(p), _mm512_loadu_si512((p) + 16)})
#define STORE(p, x)                                                                    \
    ({                                                                                 \
        const pair x_ = (x);                                                           \
        _mm512_storeu_si512(p, x_.low);                                                \
        _mm512_storeu_si512((p) + 16, x_.high);                                        \
    })
#define ADD(x, y) EACH2(_mm512_add_epi32, x, y)
#define XOR(x, y) EACH2(_mm512_xor_si512, x, y)
#define AND(x, y) EACH2(_mm512_and_si512, x, y)
#define SHR(x, n) EACH1(_mm512_srli_epi32, x, n)
#define ROR(x, n) EACH1(_mm512_ror_epi32, x, n)
#define XOR3(x, y, z) TERNARY(x, y, z, 0x96)
#define CH(x, y, z) TERNARY(x, y, z, 0xca)
#define MAJ(x, y, z) TERNARY(x, y, z, 0xe8)
#define COUNT_UP _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define NONCES(n)                                                                      \
    ((pair){_mm512_add_epi32(_mm512_set1_epi32((int)(n)), COUNT_UP),                   \
            _mm512_add_epi32(_mm512_set1_epi32((int)(n) + 16), COUNT_UP)})
#define NOT_ABOVE(x, y)                                                                \
    ({                                                                                 \
        const pair x_ = (x), y_ = (y);                                                 \
        (uint32_t)_mm512_cmple_epu32_mask(x_.low, y_.low) |                            \
            (uint32_t)_mm512_cmple_epu32_mask(x_.high, y_.high) << 16;                 \
    })
