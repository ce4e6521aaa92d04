/* Four nonces at a time, on every 64-bit ARM CPU. */
#if defined(__aarch64__)
#include <arm_neon.h>
#include <stdint.h>

#include "cpu_features.h"

#define LANES 4
#define VERSIONS 16
#define VEC uint32x4_t
#define TARGET
#define SET1(x) vdupq_n_u32((uint32_t)(x))
#define LOAD(p) vld1q_u32(p)
#define STORE(p, x) vst1q_u32(p, x)
#define ADD(x, y) vaddq_u32(x, y)
#define XOR(x, y) veorq_u32(x, y)
#define AND(x, y) vandq_u32(x, y)
#define SHR(x, n) vshrq_n_u32(x, n)
#define ROR(x, n) vsriq_n_u32(vshlq_n_u32(x, 32 - (n)), x, n) /* shift left, then insert the bits shifted out */
#define XOR3(x, y, z) XOR(XOR(x, y), z)
#define CH(x, y, z) vbslq_u32(x, y, z)
#define MAJ(x, y, z) vbslq_u32(XOR(x, y), z, y) /* z where x and y differ, else y */
#define NONCES(n) vaddq_u32(SET1(n), (uint32x4_t){0, 1, 2, 3})
#define NOT_ABOVE(x, y) vaddvq_u32(vandq_u32(vcleq_u32(x, y), (uint32x4_t){1, 2, 4, 8}))

#include "sha256d_plain.h"
#include "sha256d_rolling.h"

const sha256d_kernel sha256d_kernel_neon = {"neon", LANES, VERSIONS, CPU_NEON, scan_plain, scan_rolling};
#endif
