/* SHA-256d nonce search over 80-byte block headers: the public interface.
 *
 * Pointers and sizes in, numbers out: no allocation, no mutable globals. A search may run in any number of threads.
 * Byte order: `header` as serialized, `target` as a 256-bit little-endian number; nonces and versions are numbers.
 */
#ifndef STRATUM_MINER_SHA256D_H
#define STRATUM_MINER_SHA256D_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t header[80]; /* the nonce field is ignored */
    uint8_t target[32]; /* inclusive: a hash equal to it is a hit */
} sha256d_work;

typedef struct {
    uint32_t nonce;
    uint32_t version; /* the header's own, until kernels roll it */
} sha256d_hit;

typedef struct {
    uint64_t done;       /* nonces tried: the search resumes at first_nonce + done */
    size_t hits;         /* how many were written */
    uint64_t started_ns; /* CLOCK_MONOTONIC on entry */
} sha256d_progress;

/* Kernels this build contains, slowest first by expectation. */
int sha256d_kernel_count(void);
const char *sha256d_kernel_name(int kernel);
int sha256d_kernel_lanes(int kernel);
/* Whether this CPU can run it: its features are there and not switched off by STRATUM_MINER_CPU_DISABLE. */
int sha256d_kernel_usable(int kernel);
/* 1 when the kernel computes every known answer, 0 otherwise. */
int sha256d_self_test(int kernel);

/* Try `count` nonces from `first_nonce` on, wrapping at 2^32.
 *
 * Ends when all are tried, when `capacity` hits are written, or soon (well within a millisecond) after
 * `*stop_word != expected`. No hit among the first `done` nonces is missing and none is reported twice, so calling
 * again with first_nonce + done and count - done continues without loss. `capacity` must be at least 1.
 */
void sha256d_search(int kernel, const sha256d_work *work, uint32_t first_nonce, uint64_t count,
                    const volatile uint32_t *stop_word, uint32_t expected, sha256d_hit *hits, size_t capacity,
                    sha256d_progress *progress);

#endif
