/* SHA-256d nonce search over 80-byte block headers: the public interface.
 *
 * The functions take pointers and sizes and return numbers. They allocate nothing and have no mutable globals, so any
 * number of threads may search at the same time. Byte order: `header` is serialized, `target` is a 256-bit
 * little-endian number, nonces and versions are numbers.
 */
#ifndef STRATUM_MINER_SHA256D_H
#define STRATUM_MINER_SHA256D_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* A number that stops searches when it changes. Any thread may change it while others search. It publishes no other
 * data, so relaxed memory order is enough for every access. */
typedef struct {
    _Atomic uint32_t count;
} sha256d_stop_word;

typedef struct {
    uint8_t header[80];    /* the nonce and the version bits inside the mask are ignored */
    uint8_t target[32];    /* a hash equal to the target is a hit too */
    uint32_t version_mask; /* the version bits to roll; 0 rolls none */
    uint32_t first_nonce;  /* the first nonce of the range, which wraps at 2^32 */
    uint64_t nonce_count;  /* number of nonces, 1 to 2^32 */
    uint32_t midstate[8];  /* the state after header bytes 0-63, used instead of them; only with a mask of 0 */
    int midstate_given;    /* whether to use `midstate` */
    int big_endian_nonces; /* whether the first byte of a nonce in the header is its most significant one, as in the
                            * counter of a mining chip; consecutive nonces then differ in the last byte there */
} sha256d_work;

typedef struct {
    uint32_t nonce;
    uint32_t version;
} sha256d_hit;

typedef struct {
    uint64_t done;       /* number of points tried; the next search starts at position + done */
    size_t hits;         /* number of hits written */
    uint64_t started_ns; /* CLOCK_MONOTONIC on entry */
} sha256d_progress;

/* Return the number of kernels in this build. They are numbered from 0; the one that is expected to be slowest is 0. */
int sha256d_kernel_count(void);
const char *sha256d_kernel_name(int kernel);
/* Return the number of nonces that the kernel tries at a time without version rolling. */
int sha256d_kernel_lanes(int kernel);
/* Return the number of versions that the kernel tries at a time when it rolls them: a power of two. */
int sha256d_kernel_versions(int kernel);
/* Return whether every processor of this architecture can run the kernel. */
int sha256d_kernel_plain(int kernel);
/* Return whether this CPU can run the kernel: it has the features, and STRATUM_MINER_CPU_DISABLE does not disable
 * them. */
int sha256d_kernel_usable(int kernel);
/* Return the first name in STRATUM_MINER_CPU_DISABLE that is not one of sha256d_feature_names, with its length in
 * `*length`; NULL if all names are known. As long as it holds an unknown name, sha256d_kernel_usable and
 * sha256d_self_test abort. */
const char *sha256d_unknown_feature(size_t *length);
/* Return the names that the variable may hold, separated by commas. */
const char *sha256d_feature_names(void);
/* Return 1 if the kernel computes every known answer, else 0. */
int sha256d_self_test(int kernel);

uint32_t sha256d_stop_word_value(const sha256d_stop_word *word);
/* Increment the stop word, which wraps from 2^32 - 1 to 0, and return the new value. */
uint32_t sha256d_stop_word_bump(sha256d_stop_word *word);

/* Try `count` points from `position` on. A point is one nonce with one version; the work has
 * nonce_count << bits(version_mask) points.
 *
 * The kernel decides the order of the points. If the mask has at least as many versions as the kernel rolls, the kernel
 * takes one group of versions after the other and tries each nonce with all versions of the group. If the mask has
 * fewer, the kernel takes one version after the other and tries all nonces with it.
 *
 * The search ends when all points are tried, when `capacity` hits are written, or less than a millisecond after
 * `*stop_word != expected`. It reports every hit among the first `done` points exactly once, so a call with
 * position + done and count - done continues without a gap.
 *
 * The caller must check that the kernel is usable. Every build asserts the rest: `kernel` is an index of the table,
 * `nonce_count` is 1 to 2^32, a midstate comes only without a mask, the work has fewer than 2^64 points (with a mask of
 * 32 bits, at most 2^32 - 1 nonces), position + count does not exceed them, and `capacity` is at least 1.
 */
void sha256d_search(int kernel, const sha256d_work *work, uint64_t position, uint64_t count,
                    const sha256d_stop_word *stop_word, uint32_t expected, sha256d_hit *hits, size_t capacity,
                    sha256d_progress *progress);

#endif
