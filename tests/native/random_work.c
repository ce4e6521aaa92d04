/* Gives every kernel random work and compares the hits with those of a SHA-256d that follows FIPS 180-4 step by step.
 *
 *   random_work SEED ROUNDS        as a program
 *   -DLIBFUZZER -fsanitize=fuzzer  with input from libFuzzer
 *
 * Every buffer is on the heap with its exact size, so that a sanitizer detects an access beyond it. A search must
 * report each hit of the simple loop over its points exactly once, in the order of sha256d.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sha256d.h"
#include "spread.h"

enum { MOST_POINTS = 400, MOST_CAPACITY = 9 };

/* ---- an independent SHA-256d ---------------------------------------------------------------------------------- */

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
static const uint32_t IV[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static uint32_t rotated(uint32_t x, int by)
{
    return x >> by | x << (32 - by);
}

static void add_block(uint32_t state[8], const uint8_t block[64])
{
    uint32_t w[64], a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 | (uint32_t)block[4 * t + 2] << 8 |
               block[4 * t + 3];
    for (int t = 16; t < 64; t++)
        w[t] = (rotated(w[t - 2], 17) ^ rotated(w[t - 2], 19) ^ w[t - 2] >> 10) + w[t - 7] +
               (rotated(w[t - 15], 7) ^ rotated(w[t - 15], 18) ^ w[t - 15] >> 3) + w[t - 16];
    for (int t = 0; t < 64; t++) {
        const uint32_t t1 = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g)) + K[t] + w[t];
        const uint32_t t2 = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void put_be(uint8_t *to, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(number >> (24 - 8 * i));
}

/* The hash as a little-endian number, as targets are. */
static void hash_of(uint8_t digest[32], const sha256d_work *work, uint32_t version, uint32_t nonce)
{
    uint8_t block[64];
    uint32_t state[8];
    if (work->midstate_given) {
        memcpy(state, work->midstate, sizeof state);
    } else {
        memcpy(block, work->header, sizeof block);
        for (int i = 0; i < 4; i++)
            block[i] = (uint8_t)(version >> 8 * i);
        memcpy(state, IV, sizeof state);
        add_block(state, block);
    }
    memset(block, 0, sizeof block);
    memcpy(block, work->header + 64, 12);
    for (int i = 0; i < 4; i++)
        block[12 + i] = (uint8_t)(nonce >> 8 * (work->big_endian_nonces ? 3 - i : i));
    block[16] = 0x80;
    put_be(block + 60, 640);
    add_block(state, block);

    memset(block, 0, sizeof block);
    for (int i = 0; i < 8; i++)
        put_be(block + 4 * i, state[i]);
    block[32] = 0x80;
    put_be(block + 60, 256);
    memcpy(state, IV, sizeof state);
    add_block(state, block);

    for (int i = 0; i < 8; i++)
        put_be(digest + 4 * i, state[i]);
}

static int is_hit(const sha256d_work *work, uint32_t version, uint32_t nonce)
{
    uint8_t digest[32];
    hash_of(digest, work, version, nonce);
    for (int i = 31; i >= 0; i--)
        if (digest[i] != work->target[i])
            return digest[i] < work->target[i];
    return 1;
}

/* ---- the points of work, in the order of sha256d.h -------------------------------------------------------------- */

static sha256d_hit point_of(int kernel, const sha256d_work *work, uint64_t position)
{
    const int width = __builtin_ctz((unsigned)sha256d_kernel_versions(kernel));
    const uint64_t versions = __builtin_popcount(work->version_mask) >= width ? UINT64_C(1) << width : 1;
    /* a group has nonce_count * versions points, which may be 2^64 and more where there is one group only */
    const unsigned __int128 group = (unsigned __int128)work->nonce_count * versions;
    const uint64_t index = (uint64_t)(position / group), offset = (uint64_t)(position % group);
    uint32_t version = 0;
    for (int i = 3; i >= 0; i--)
        version = version << 8 | work->header[i];
    return (sha256d_hit){
        .nonce = work->first_nonce + (uint32_t)(offset / versions),
        .version = (version & ~work->version_mask) | spread(index * versions + offset % versions, work->version_mask),
    };
}

/* ---- random work
 * ---------------------------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *next;
    size_t left;
} bytes;

static uint64_t take(bytes *from, int count)
{
    uint64_t number = 0;
    for (int i = 0; i < count; i++) {
        number = number << 8 | (from->left ? *from->next : 0);
        if (from->left) {
            from->next++;
            from->left--;
        }
    }
    return number;
}

static void choose_target(uint8_t target[32], bytes *from)
{
    memset(target, 0xff, 32); /* every hash is a hit */
    switch (take(from, 1) % 6) {
    case 0:
        memset(target, 0, 32); /* none is */
        break;
    case 1: /* one in 256 is */
        target[31] = 0;
        break;
    case 2:
        target[31] = (uint8_t)take(from, 1);
        break;
    case 3: /* a limit that the first word alone does not decide */
        for (int i = 28; i < 32; i++)
            target[i] = (uint8_t)take(from, 1);
        memset(target, (int)take(from, 1), 28);
        break;
    case 4:
        memset(target + 28, 0, 4);
        target[31] = 1;
        break;
    default:
        break;
    }
}

static void choose_work(sha256d_work *work, bytes *from)
{
    uint32_t state = (uint32_t)take(from, 4);
    const unsigned flags = (unsigned)take(from, 1);
    memset(work, 0xa5, sizeof *work);
    for (int i = 0; i < 80; i++, state = state * 1664525u + 1013904223u)
        work->header[i] = (uint8_t)(state >> 24);
    for (int i = 0; i < 8; i++, state = state * 1664525u + 1013904223u)
        work->midstate[i] = state;
    choose_target(work->target, from);
    work->big_endian_nonces = flags & 1;
    work->midstate_given = (flags & 6) == 6;
    work->version_mask = (uint32_t)take(from, 4);
    if (flags & 8)
        work->version_mask &= 0x1fffe000;
    if (flags & 16)
        work->version_mask |= ~(uint32_t)0 << take(from, 1) % 32; /* up to all 32 bits */
    if (flags & 32)
        work->version_mask &= ~(uint32_t)0 >> take(from, 1) % 32;
    if (work->midstate_given || (flags & 192) == 192)
        work->version_mask = 0;
    work->first_nonce = (uint32_t)take(from, 4);
    const unsigned kind = (unsigned)take(from, 1);
    if (kind & 1)
        work->first_nonce |= 0xffffffc0; /* the nonces soon wrap */
    work->nonce_count = kind & 2 ? 1 + take(from, 1) : kind & 4 ? (UINT64_C(1) << 32) - take(from, 1) : 1 + take(from, 4);
    while (work->nonce_count > UINT64_MAX >> __builtin_popcount(work->version_mask))
        work->nonce_count--;
}

static uint64_t searches, points_tried, hits_found;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s, line %d: %s\n", sha256d_kernel_name(kernel), __LINE__, #condition);                   \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Call the kernel once with buffers of their exact size, compare its hits, and return the point to continue at. */
static uint64_t search_once(int kernel, const sha256d_work *work, uint64_t position, uint64_t count, size_t capacity,
                            int stopped)
{
    sha256d_stop_word *const stop_word = malloc(sizeof *stop_word);
    sha256d_hit *const hits = malloc(capacity * sizeof *hits);
    sha256d_progress *const progress = malloc(sizeof *progress);
    atomic_init(&stop_word->count, 7);
    memset(progress, 0xee, sizeof *progress);
    sha256d_search(kernel, work, position, count, stop_word, stopped ? 8 : 7, hits, capacity, progress);
    const uint64_t done = progress->done;
    const size_t found = progress->hits;
    CHECK(found <= capacity && done <= count);
    CHECK(!stopped || (!done && !found));
    CHECK(stopped || !count || done == count || found == capacity);
    CHECK(stopped || done >= found);
    size_t own = 0;
    for (uint64_t at = position; at < position + done; at++) {
        const sha256d_hit point = point_of(kernel, work, at);
        if (is_hit(work, point.version, point.nonce)) {
            CHECK(own < found);
            CHECK(hits[own].nonce == point.nonce && hits[own].version == point.version);
            own++;
        }
    }
    CHECK(own == found);
    searches++, points_tried += done, hits_found += found;
    free(progress);
    free(hits);
    free(stop_word);
    return position + done;
}

static void one(const uint8_t *data, size_t size)
{
    bytes from = {data, size};
    const int kernel = (int)(take(&from, 1) % (unsigned)sha256d_kernel_count());
    if (!sha256d_kernel_usable(kernel))
        return;
    sha256d_work *const work = malloc(sizeof *work);
    choose_work(work, &from);
    const uint64_t total = work->nonce_count << __builtin_popcount(work->version_mask);
    const unsigned kind = (unsigned)take(&from, 1);
    const size_t capacity = 1 + take(&from, 1) % MOST_CAPACITY;
    uint64_t position = kind & 1 ? take(&from, 8) % total : kind & 2 ? total - take(&from, 2) % total : take(&from, 2) % total;
    uint64_t count = take(&from, 2) % MOST_POINTS;
    if (count > total - position)
        count = total - position;
    if ((kind & 192) == 192 && count) { /* the hash of one of the points is the target, or one above it */
        const sha256d_hit point = point_of(kernel, work, position + take(&from, 2) % count);
        hash_of(work->target, work, point.version, point.nonce);
        work->target[0] &= (uint8_t)~(take(&from, 1) & 1);
    }
    if ((kind & 12) == 12) { /* search all remaining points; each is a hit, so the full buffer ends the search */
        memset(work->target, 0xff, sizeof work->target);
        search_once(kernel, work, position, total - position, capacity, 0);
    }
    if ((kind & 48) == 48)
        search_once(kernel, work, position, total - position, capacity, 1);
    for (const uint64_t end = position + count; position < end;)
        position = search_once(kernel, work, position, end - position, capacity, 0);
    free(work);
}

#ifdef LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    one(data, size);
    return 0;
}
#else
int main(int argc, char **argv)
{
    uint64_t state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 1000;
    for (long round = 0; round < rounds; round++) {
        uint8_t data[64];
        for (size_t i = 0; i < sizeof data; i++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            data[i] = (uint8_t)(state >> 56);
        }
        one(data, sizeof data);
    }
    printf("%" PRIu64 " searches, %" PRIu64 " points, %" PRIu64 " hits\n", searches, points_tried, hits_found);
    return 0;
}
#endif
