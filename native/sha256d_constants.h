/* The constants of FIPS 180-4, the constants of the two messages that are hashed, and the functions of SHA-256 on plain
 * numbers, for constant expressions. */
#ifndef STRATUM_MINER_SHA256D_CONSTANTS_H
#define STRATUM_MINER_SHA256D_CONSTANTS_H

#include <stdint.h>

/* FIPS 180-4, section 4.2.2. They stand in a header, so that each kernel can fold them into its own constants. */
static const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

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
#define FIRST_LENGTH 640u  /* length of a header in bits */
#define SECOND_LENGTH 256u /* length of a digest in bits */

#endif
