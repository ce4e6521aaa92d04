/* Four nonces at a time, on every x86-64. */
#if defined(__x86_64__)
#include <emmintrin.h>
#include <stdint.h>

#include "cpu_features.h"

#define LANES 4
#define VERSIONS 16
#define VEC __m128i
#define TARGET __attribute__((target("sse2")))
#define SET1(x) _mm_set1_epi32((int)(x))
#define LOAD(p) _mm_loadu_si128((const __m128i *)(p))
#define STORE(p, x) _mm_storeu_si128((__m128i *)(p), x)
#define ADD(x, y) _mm_add_epi32(x, y)
#define XOR(x, y) _mm_xor_si128(x, y)
#define AND(x, y) _mm_and_si128(x, y)
#define SHR(x, n) _mm_srli_epi32(x, n)
#define ROR(x, n) _mm_or_si128(_mm_srli_epi32(x, n), _mm_slli_epi32(x, 32 - (n)))
#define XOR3(x, y, z) XOR(XOR(x, y), z)
#define CH(x, y, z) XOR(z, AND(x, XOR(y, z)))
#define MAJ(x, y, z) XOR(y, AND(XOR(x, y), XOR(y, z))) /* y ^ z is x ^ y of the previous round */
#define NONCES(n) _mm_add_epi32(SET1(n), _mm_set_epi32(3, 2, 1, 0))
/* SSE2 compares signed words only, so the sign bit is flipped first; x <= y is the opposite of x > y */
#define FLIP(x) XOR(x, SET1(0x80000000u))
#define NOT_ABOVE(x, y) (0xfu ^ (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpgt_epi32(FLIP(x), FLIP(y)))))

#include "sha256d_plain.h"
#include "sha256d_rolling.h"

const sha256d_kernel sha256d_kernel_sse2 = {"sse2", LANES, VERSIONS, CPU_SSE2, scan_plain, scan_rolling};
#endif
