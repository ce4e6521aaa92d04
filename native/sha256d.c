/* The table of kernels, the driver round their inner loops, and the self-test. */
#include "sha256d.h"

#include <string.h>
#include <time.h>

#include "cpu_features.h"
#include "sha256d_kernel.h"

static const sha256d_kernel *const kernels[] = {
    &sha256d_kernel_scalar,
#if defined(__x86_64__)
    &sha256d_kernel_sse2,
    &sha256d_kernel_avx2,
    &sha256d_kernel_avx512,
#endif
};

enum { KERNELS = sizeof kernels / sizeof *kernels };

static const uint32_t initial_value[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* ---- plain SHA-256, for what is done once per unit or per candidate ---------------------------------------- */

static uint32_t ror(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static uint32_t big_sigma0(uint32_t x) { return ror(x, 2) ^ ror(x, 13) ^ ror(x, 22); }
static uint32_t big_sigma1(uint32_t x) { return ror(x, 6) ^ ror(x, 11) ^ ror(x, 25); }
static uint32_t small_sigma0(uint32_t x) { return ror(x, 7) ^ ror(x, 18) ^ x >> 3; }
static uint32_t small_sigma1(uint32_t x) { return ror(x, 17) ^ ror(x, 19) ^ x >> 10; }
static uint32_t choose(uint32_t x, uint32_t y, uint32_t z) { return z ^ (x & (y ^ z)); }
static uint32_t majority(uint32_t x, uint32_t y, uint32_t z) { return (x & y) | (z & (x | y)); }

static uint32_t load_be(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t load_le(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* Rounds first..last-1 over state, with the words of one block already expanded. */
static void rounds(uint32_t state[8], const uint32_t w[64], int first, int last)
{
    for (int t = first; t < last; t++) {
        const uint32_t t1 = state[7] + big_sigma1(state[4]) + choose(state[4], state[5], state[6]) + sha256_k[t] + w[t];
        const uint32_t t2 = big_sigma0(state[0]) + majority(state[0], state[1], state[2]);
        memmove(state + 1, state, 7 * sizeof *state);
        state[4] += t1;
        state[0] = t1 + t2;
    }
}

static void compress(uint32_t state[8], const uint32_t block[16])
{
    uint32_t w[64], working[8];
    memcpy(w, block, 16 * sizeof *w);
    for (int t = 16; t < 64; t++)
        w[t] = small_sigma1(w[t - 2]) + w[t - 7] + small_sigma0(w[t - 15]) + w[t - 16];
    memcpy(working, state, sizeof working);
    rounds(working, w, 0, 64);
    for (int i = 0; i < 8; i++)
        state[i] += working[i];
}

/* ---- a unit ------------------------------------------------------------------------------------------------- */

static void prepare(sha256d_prepared *prepared, const sha256d_work *work)
{
    uint32_t block[16], w[64] = {0}, *state = prepared->state;
    for (int i = 0; i < 16; i++)
        block[i] = load_be(work->header + 4 * i);
    memcpy(prepared->midstate, initial_value, sizeof initial_value);
    compress(prepared->midstate, block);

    for (int i = 0; i < 3; i++)
        w[i] = load_be(work->header + 64 + 4 * i);
    memcpy(state, prepared->midstate, sizeof prepared->midstate);
    rounds(state, w, 0, 3);
    prepared->t1_round3 = state[7] + big_sigma1(state[4]) + choose(state[4], state[5], state[6]) + sha256_k[3];
    prepared->t2_round3 = big_sigma0(state[0]) + majority(state[0], state[1], state[2]);
    prepared->w16 = small_sigma0(w[1]) + w[0];
    prepared->w17 = small_sigma1(640) + small_sigma0(w[2]) + w[1];
    prepared->kw16 = prepared->w16 + sha256_k[16];
    prepared->kw17 = prepared->w17 + sha256_k[17];
    prepared->w18 = small_sigma1(prepared->w16) + w[2];
    prepared->w19 = small_sigma1(prepared->w17) + small_sigma0(0x80000000);
    prepared->w31 = small_sigma0(prepared->w16) + 640;
    prepared->target_top = load_le(work->target + 28);
}

/* The full test of one nonce: all 256 bits. */
static int is_hit(const sha256d_prepared *prepared, const sha256d_work *work, uint32_t nonce)
{
    uint32_t block[16] = {0}, state[8], digest[8];
    for (int i = 0; i < 3; i++)
        block[i] = load_be(work->header + 64 + 4 * i);
    block[3] = nonce >> 24 | (nonce >> 8 & 0xff00) | (nonce << 8 & 0xff0000) | nonce << 24;
    block[4] = 0x80000000;
    block[15] = 640;
    memcpy(state, prepared->midstate, sizeof state);
    compress(state, block);

    memcpy(block, state, sizeof state);
    memset(block + 8, 0, 8 * sizeof *block);
    block[8] = 0x80000000;
    block[15] = 256;
    memcpy(digest, initial_value, sizeof digest);
    compress(digest, block);

    for (int i = 7; i >= 0; i--) { /* most significant word first */
        const uint32_t word = digest[i] >> 24 | (digest[i] >> 8 & 0xff00) | (digest[i] << 8 & 0xff0000) | digest[i] << 24;
        const uint32_t limit = load_le(work->target + 4 * i);
        if (word != limit)
            return word < limit;
    }
    return 1;
}

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void sha256d_search(int kernel, const sha256d_work *work, uint32_t first_nonce, uint64_t count,
                    const volatile uint32_t *stop_word, uint32_t expected, sha256d_hit *hits, size_t capacity,
                    sha256d_progress *progress)
{
    const sha256d_kernel *const chosen = kernels[kernel];
    const uint32_t lanes = (uint32_t)chosen->lanes;
    const uint32_t version = load_le(work->header);
    sha256d_prepared prepared;
    uint64_t done = 0;
    size_t found = 0;

    progress->started_ns = monotonic_ns();
    prepare(&prepared, work);
    while (done < count && found < capacity) {
        uint32_t candidates;
        const uint64_t left = count - done, batches = left / lanes + (left % lanes != 0);
        const uint64_t scanned =
            chosen->scan(&prepared, first_nonce + (uint32_t)done, batches, stop_word, expected, &candidates);
        if (!candidates) { /* all tried, or stopped */
            done = scanned * lanes < left ? done + scanned * lanes : count;
            break;
        }
        const uint64_t group = done + (scanned - 1) * lanes; /* the group that has candidates */
        done = group + lanes < count ? group + lanes : count;
        for (uint32_t lane = 0; lane < lanes; lane++) {
            const uint32_t nonce = first_nonce + (uint32_t)(group + lane);
            if (!(candidates >> lane & 1) || group + lane >= count || !is_hit(&prepared, work, nonce))
                continue;
            if (found == capacity) { /* no room for this one: resume at it */
                done = group + lane;
                break;
            }
            hits[found].nonce = nonce;
            hits[found++].version = version;
        }
    }
    progress->done = done;
    progress->hits = found;
}

/* ---- the table ---------------------------------------------------------------------------------------------- */

int sha256d_kernel_count(void)
{
    return KERNELS;
}

const char *sha256d_kernel_name(int kernel)
{
    return kernels[kernel]->name;
}

int sha256d_kernel_lanes(int kernel)
{
    return kernels[kernel]->lanes;
}

int sha256d_kernel_usable(int kernel)
{
    return (cpu_features() & kernels[kernel]->features) == kernels[kernel]->features;
}

/* ---- self-test: known answers from the main chain ------------------------------------------------------------ */

typedef struct {
    const char *header; /* 80 bytes, hex */
    const char *hash;   /* internal order, hex */
} known_block;

static const known_block known_blocks[] = {
    {"010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3"
     "c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299", /* block 1 */
     "4860eb18bf1b1620e37e9490fc8a427514416fd75159ab86688e9a8300000000"},
    {"0060592ee3c96a8a70ca15fe215e99f84ab64c43e1b5d2c43b540100000000000000000076f63a35f1b8b5016d3eb0cce2eebbdf58bf8f"
     "bea4e870c8f770346bdfcf622d69c19a678a9a021702fb05ff", /* block 881423, a rolled version */
     "dd6ca99ae2d471d7905d09ab3a61251245ea242cd56902000000000000000000"},
};

static void from_hex(uint8_t *bytes, const char *hex)
{
    for (; *hex; hex += 2) {
        const int high = hex[0] <= '9' ? hex[0] - '0' : hex[0] - 'a' + 10;
        const int low = hex[1] <= '9' ? hex[1] - '0' : hex[1] - 'a' + 10;
        *bytes++ = (uint8_t)(high << 4 | low);
    }
}

/* The 256-bit number one below. */
static void decrement(uint8_t number[32])
{
    for (int i = 0; i < 32; i++)
        if (number[i]--)
            return;
}

/* With the hash itself as the target its nonce is found, whatever lane it falls into; one below, it is not. */
static int finds_at_the_boundary(int kernel, const known_block *block)
{
    static const volatile uint32_t never = 0;
    const uint32_t span = 3 * (uint32_t)kernels[kernel]->lanes + 1;
    sha256d_work work;
    sha256d_hit hit;
    sha256d_progress progress;
    from_hex(work.header, block->header);
    const uint32_t nonce = load_le(work.header + 76);
    for (uint32_t before = 0; before < span; before++) {
        from_hex(work.target, block->hash);
        sha256d_search(kernel, &work, nonce - before, span, &never, 0, &hit, 1, &progress);
        if (progress.hits != 1 || hit.nonce != nonce)
            return 0;
        decrement(work.target);
        sha256d_search(kernel, &work, nonce - before, span, &never, 0, &hit, 1, &progress);
        if (progress.hits != 0 || progress.done != span)
            return 0;
    }
    return 1;
}

/* When every hash wins, each nonce comes once and in order, through a buffer of any size and over the wrap. */
static int floods_in_order(int kernel)
{
    static const volatile uint32_t never = 0;
    enum { COUNT = 101 };
    for (size_t capacity = 1; capacity <= 7; capacity++) {
        sha256d_work work;
        sha256d_hit hits[7];
        sha256d_progress progress;
        const uint32_t first = 0xffffffc0u;
        uint64_t done = 0;
        from_hex(work.header, known_blocks[0].header);
        memset(work.target, 0xff, sizeof work.target);
        while (done < COUNT) {
            sha256d_search(kernel, &work, first + (uint32_t)done, COUNT - done, &never, 0, hits, capacity, &progress);
            if (progress.hits == 0 || progress.done != progress.hits)
                return 0;
            for (size_t i = 0; i < progress.hits; i++)
                if (hits[i].nonce != first + (uint32_t)(done + i))
                    return 0;
            done += progress.done;
        }
    }
    return 1;
}

int sha256d_self_test(int kernel)
{
    if (!sha256d_kernel_usable(kernel))
        return 0;
    for (size_t i = 0; i < sizeof known_blocks / sizeof *known_blocks; i++)
        if (!finds_at_the_boundary(kernel, &known_blocks[i]))
            return 0;
    return floods_in_order(kernel);
}
