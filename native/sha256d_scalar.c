/* One nonce at a time: this kernel runs on every CPU, and the other kernels are compared with it. */
#include <stdint.h>

#define LANES 1
#define VERSIONS 16
#define VEC uint32_t
#define TARGET
#define SET1(x) ((uint32_t)(x))
#define LOAD(p) (*(p))
#define STORE(p, x) (*(p) = (x))
#define ADD(x, y) ((uint32_t)((x) + (y)))
#define XOR(x, y) ((x) ^ (y))
#define AND(x, y) ((x) & (y))
#define ROR(x, n) ((x) >> (n) | (x) << (32 - (n)))
#define SHR(x, n) ((x) >> (n))
#define XOR3(x, y, z) ((x) ^ (y) ^ (z))
#define CH(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define MAJ(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))
#define NONCES(n) (n)
#define NOT_ABOVE(x, y) ((uint32_t)((x) <= (y)))

#include "sha256d_plain.h"
#include "sha256d_rolling.h"

const sha256d_kernel sha256d_kernel_scalar = {"scalar", LANES, VERSIONS, 0, scan_plain, scan_rolling};
