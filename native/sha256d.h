/* SHA-256d nonce search over 80-byte block headers: the public interface.
 *
 * Pointers and sizes in, numbers out: no allocation, no mutable globals. A search may run in any number of threads.
 * Byte order: `header` as serialized, `target` as a 256-bit little-endian number; nonces and versions are numbers.
 */
#ifndef STRATUM_MINER_SHA256D_H
#define STRATUM_MINER_SHA256D_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* A number that ends searches when it changes, and that any thread may change while others search. Nothing else is
 * published through it, so every access may be relaxed. */
typedef _Atomic uint32_t sha256d_stop_word;

typedef struct {
    uint8_t header[80];    /* the nonce field is ignored, and so are the bits of the version in the mask */
    uint8_t target[32];    /* inclusive: a hash equal to it is a hit */
    uint32_t version_mask; /* the bits of the version to roll; 0 for none */
    uint32_t first_nonce;  /* the nonces run from here on, wrapping at 2^32 */
    uint64_t nonce_count;  /* how many, 1 to 2^32 */
    uint32_t midstate[8];  /* the state after header bytes 0-63, which are then ignored; only with a mask of 0 */
    int midstate_given;    /* whether to use it */
    int big_endian_nonces; /* the nonces are numbers whose first byte in the header is the most significant, as in the
                            * counter of a mining chip, so that consecutive ones differ in the last byte there */
} sha256d_work;

typedef struct {
    uint32_t nonce;
    uint32_t version;
} sha256d_hit;

typedef struct {
    uint64_t done;       /* points tried: the search resumes at position + done */
    size_t hits;         /* how many were written */
    uint64_t started_ns; /* CLOCK_MONOTONIC on entry */
} sha256d_progress;

/* Kernels this build contains, slowest first by expectation. */
int sha256d_kernel_count(void);
const char *sha256d_kernel_name(int kernel);
/* Nonces it tries at a time, without version rolling. */
int sha256d_kernel_lanes(int kernel);
/* Versions it tries at a time when it rolls them: a power of two. */
int sha256d_kernel_versions(int kernel);
/* Whether every processor of its kind can run it. */
int sha256d_kernel_plain(int kernel);
/* Whether this CPU can run it: its features are there and STRATUM_MINER_CPU_DISABLE does not switch them off. */
int sha256d_kernel_usable(int kernel);
/* The first name in that variable that is not one of sha256d_feature_names, of `*length` characters; NULL when there is
 * none. While there is one, no kernel may be asked for: sha256d_kernel_usable and sha256d_self_test abort. */
const char *sha256d_unknown_feature(size_t *length);
/* The names that the variable may hold, with commas between them. */
const char *sha256d_feature_names(void);
/* 1 when the kernel computes every known answer, 0 otherwise. */
int sha256d_self_test(int kernel);

uint32_t sha256d_stop_word_value(const sha256d_stop_word *word);
/* Count up by one, past 2^32 - 1 to 0; returns the new value. */
uint32_t sha256d_stop_word_bump(sha256d_stop_word *word);

/* Try `count` points from `position` on. Work has nonce_count << bits(version_mask) points, each a nonce in a version.
 *
 * Their order is the kernel's own: with as many versions as it rolls or more, it goes through the nonces with one
 * group of versions after the other, each nonce in all versions of the group; with fewer, it goes through the nonces
 * with one version after the other.
 *
 * Ends when all are tried, when `capacity` hits are written, or soon (well within a millisecond) after
 * `*stop_word != expected`. No hit among the first `done` points is missing and none is reported twice, so calling
 * again with position + done and count - done continues without loss.
 *
 * The caller sees to it that the kernel is usable. Everything else is asserted, in every build: `kernel` is a place in
 * the table, `nonce_count` is 1 to 2^32, a midstate comes without a mask, there are fewer than 2^64 points (a mask of 32
 * bits leaves room for 2^32 - 1 nonces), position + count does not exceed them, and `capacity` is at least 1.
 */
void sha256d_search(int kernel, const sha256d_work *work, uint64_t position, uint64_t count,
                    const sha256d_stop_word *stop_word, uint32_t expected, sha256d_hit *hits, size_t capacity,
                    sha256d_progress *progress);

#endif
