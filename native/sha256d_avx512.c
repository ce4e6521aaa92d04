/* Sixteen nonces at a time. AVX-512 rotates and combines three inputs in single instructions. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#include "cpu_features.h"

#define TARGET __attribute__((target("avx512f,avx512bw")))

#define LANES 16
#define VEC __m512i
#define SET1(x) _mm512_set1_epi32((int)(x))
#define LOAD(p) _mm512_loadu_si512(p)
#define STORE(p, x) _mm512_storeu_si512(p, x)
#define ADD(x, y) _mm512_add_epi32(x, y)
#define XOR(x, y) _mm512_xor_si512(x, y)
#define AND(x, y) _mm512_and_si512(x, y)
#define SHR(x, n) _mm512_srli_epi32(x, n)
#define ROR(x, n) _mm512_ror_epi32(x, n)
#define XOR3(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0x96)
#define CH(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xca)
#define MAJ(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xe8)
#define NONCES(n) _mm512_add_epi32(SET1(n), _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
#define NOT_ABOVE(x, y) ((uint32_t)_mm512_cmple_epu32_mask(x, y))

#include "sha256d_plain.h"

enum { PLAIN_LANES = LANES };

#include "sha256d_avx512_pair.h"

#define VERSIONS 32

#include "sha256d_rolling.h"

const sha256d_kernel sha256d_kernel_avx512 = {
    "avx512", PLAIN_LANES, VERSIONS, CPU_AVX512, scan_plain, scan_rolling,
};
#endif
