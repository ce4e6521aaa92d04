/* Eight nonces at a time. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#include "cpu_features.h"

#define LANES 8
#define VERSIONS 16
#define VEC __m256i
#define TARGET __attribute__((target("avx2")))
#define SET1(x) _mm256_set1_epi32((int)(x))
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define STORE(p, x) _mm256_storeu_si256((__m256i *)(p), x)
#define ADD(x, y) _mm256_add_epi32(x, y)
#define XOR(x, y) _mm256_xor_si256(x, y)
#define AND(x, y) _mm256_and_si256(x, y)
#define SHR(x, n) _mm256_srli_epi32(x, n)
#define ROR(x, n) _mm256_or_si256(_mm256_srli_epi32(x, n), _mm256_slli_epi32(x, 32 - (n)))
#define XOR3(x, y, z) XOR(XOR(x, y), z)
#define CH(x, y, z) XOR(z, AND(x, XOR(y, z)))
#define MAJ(x, y, z) XOR(y, AND(XOR(x, y), XOR(y, z))) /* y ^ z is x ^ y of the previous round */
#define NONCES(n) _mm256_add_epi32(SET1(n), _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0))
/* AVX2 compares signed words only, so the sign bit is flipped first; x <= y is the opposite of x > y */
#define FLIP(x) XOR(x, SET1(0x80000000u))
#define NOT_ABOVE(x, y) \
    (0xffu ^ (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(FLIP(x), FLIP(y)))))

#include "sha256d_plain.h"
#include "sha256d_rolling.h"

const sha256d_kernel sha256d_kernel_avx2 = {"avx2", LANES, VERSIONS, CPU_AVX2, scan_plain, scan_rolling};
#endif
