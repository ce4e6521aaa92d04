/* The table of kernels, the loop around their inner loops, and the self-test. */
#include "sha256d.h"

/* Release builds define NDEBUG, which would remove the asserts below. They stay, because a wrong size would access
 * memory outside the arrays, and they run only once for each call. */
#undef NDEBUG
#include <assert.h>
#include <string.h>
#include <time.h>

#include "cpu_features.h"
#include "sha256d_constants.h"
#include "sha256d_kernel.h"

#define ADDRESS(name) &sha256d_kernel_##name,
static const sha256d_kernel *const kernels[] = {SHA256D_KERNELS(ADDRESS)};

enum { KERNELS = sizeof kernels / sizeof *kernels };

static const uint32_t initial_value[8] = {IV0, IV1, IV2, IV3, IV4, IV5, IV6, IV7};

static const sha256d_kernel *kernel_at(int kernel)
{
    assert(kernel >= 0 && kernel < KERNELS);
    return kernels[kernel];
}

/* ---- plain SHA-256, for the work that is done once per unit or per candidate -------------------------------- */

static uint32_t load_be(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t load_le(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* Compute rounds first to last-1 on `state`; `w` must hold the message words up to last-1. */
static void rounds(uint32_t state[8], const uint32_t *w, int first, int last)
{
    for (int t = first; t < last; t++) {
        const uint32_t t1 = state[7] + C_S1(state[4]) + C_CH(state[4], state[5], state[6]) + sha256_k[t] + w[t];
        const uint32_t t2 = C_S0(state[0]) + C_MAJ(state[0], state[1], state[2]);
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
        w[t] = C_s1(w[t - 2]) + w[t - 7] + C_s0(w[t - 15]) + w[t - 16];
    memcpy(working, state, sizeof working);
    rounds(working, w, 0, 64);
    for (int i = 0; i < 8; i++)
        state[i] += working[i];
}

/* ---- a unit ------------------------------------------------------------------------------------------------- */

/* Return a number that has the low bits of `index` at the positions of the mask's bits. */
static uint32_t deposit(uint64_t index, uint32_t mask)
{
    uint32_t bits = 0;
    for (; mask; mask &= mask - 1, index >>= 1)
        if (index & 1)
            bits |= mask & -mask;
    return bits;
}

static uint32_t version_of(const sha256d_work *work, uint64_t index)
{
    return (load_le(work->header) & ~work->version_mask) | deposit(index, work->version_mask);
}

/* Compute the parts of a unit that do not depend on the version. */
static void prepare(sha256d_prepared *unit, const sha256d_work *work)
{
    uint32_t *const w = unit->w;
    for (int i = 0; i < 3; i++)
        w[i] = load_be(work->header + 64 + 4 * i);
    unit->w16 = C_s0(w[1]) + w[0];
    unit->w17 = C_s1(FIRST_LENGTH) + C_s0(w[2]) + w[1];
    unit->w18 = C_s1(unit->w16) + w[2];
    unit->w19 = C_s1(unit->w17) + C_s0(PAD);
    unit->w31 = C_s0(unit->w16) + FIRST_LENGTH;
    unit->target_top = load_le(work->target + 28);
    unit->big_endian_nonces = work->big_endian_nonces;
}

static void midstate_of(uint32_t state[8], const sha256d_work *work, uint32_t version)
{
    uint32_t block[16];
    if (work->midstate_given) {
        memcpy(state, work->midstate, sizeof work->midstate);
        return;
    }
    block[0] = __builtin_bswap32(version);
    for (int i = 1; i < 16; i++)
        block[i] = load_be(work->header + 4 * i);
    memcpy(state, initial_value, sizeof initial_value);
    compress(state, block);
}

/* Compute the parts of a unit that depend on the version, at index `at` of its arrays. */
static void prepare_version(sha256d_prepared *unit, const sha256d_work *work, uint32_t version, int at)
{
    uint32_t midstate[8], state[8];
    midstate_of(midstate, work, version);
    memcpy(state, midstate, sizeof state);
    rounds(state, unit->w, 0, 3);
    for (int i = 0; i < 8; i++) {
        unit->midstate[i][at] = midstate[i];
        unit->state[i][at] = state[i];
    }
    const uint32_t t1 = state[7] + C_S1(state[4]) + C_CH(state[4], state[5], state[6]) + sha256_k[3];
    unit->d_round3[at] = state[3] + t1;
    unit->h_round3[at] = t1 + C_S0(state[0]) + C_MAJ(state[0], state[1], state[2]);
    unit->hk[0][at] = state[6] + sha256_k[4] + PAD;
    unit->hk[1][at] = state[5] + sha256_k[5];
    unit->hk[2][at] = state[4] + sha256_k[6];
}

/* Return whether the hash of one point is at most the target, compared over all 256 bits. */
static int is_hit(const sha256d_work *work, uint32_t version, uint32_t nonce)
{
    uint32_t block[16], state[8], digest[8];
    midstate_of(state, work, version);
    memset(block, 0, sizeof block);
    for (int i = 0; i < 3; i++)
        block[i] = load_be(work->header + 64 + 4 * i);
    block[3] = work->big_endian_nonces ? nonce : __builtin_bswap32(nonce);
    block[4] = PAD;
    block[15] = FIRST_LENGTH;
    compress(state, block);

    memcpy(block, state, sizeof state);
    memset(block + 8, 0, 8 * sizeof *block);
    block[8] = PAD;
    block[15] = SECOND_LENGTH;
    memcpy(digest, initial_value, sizeof digest);
    compress(digest, block);

    for (int i = 7; i >= 0; i--) { /* most significant word first */
        const uint32_t word = __builtin_bswap32(digest[i]), limit = load_le(work->target + 4 * i);
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

/* The points that share one group of versions: from `begin` up to, but not including, `end`. */
typedef struct {
    sha256d_scan *scan;
    uint64_t begin, end;
    uint64_t first_version; /* index of the group's first combination of mask bits */
    uint32_t per_step;      /* number of points that a step of `scan` tries */
    uint32_t per_nonce;     /* number of versions tried for each nonce */
} point_group;

/* Return the group of points that `position` belongs to, and prepare the unit for it. */
static point_group prepare_group(sha256d_prepared *unit, const sha256d_kernel *kernel, const sha256d_work *work,
                               uint64_t position)
{
    const int rolls = (uint64_t)kernel->versions <= UINT64_C(1) << __builtin_popcount(work->version_mask);
    const uint32_t per_nonce = rolls ? (uint32_t)kernel->versions : 1;
    const uint64_t points = work->nonce_count * per_nonce, index = position / points;
    const point_group found = {
        .scan = rolls ? kernel->rolling : kernel->plain,
        .begin = index * points,
        .end = (index + 1) * points,
        .first_version = index * per_nonce,
        .per_step = rolls ? per_nonce : (uint32_t)kernel->lanes,
        .per_nonce = per_nonce,
    };
    for (uint32_t i = 0; i < per_nonce; i++)
        prepare_version(unit, work, version_of(work, found.first_version + i), (int)i);
    return found;
}

/* The hits that a running search has found. */
typedef struct {
    const sha256d_work *work;
    sha256d_hit *hits;
    size_t found, capacity;
} collection;

/* Test the candidates of the step that begins at point `step`, and write those that are hits and lie in [from, to).
 * Return the point at which the search continues. */
static uint64_t collect(collection *into, const point_group *at, uint64_t candidates, uint64_t step, uint64_t from,
                        uint64_t to)
{
    for (uint32_t i = 0; i < at->per_step; i++) {
        const uint64_t point = step + i, offset = point - at->begin;
        if (!(candidates >> i & 1) || point < from || point >= to)
            continue;
        const uint32_t nonce = into->work->first_nonce + (uint32_t)(offset / at->per_nonce);
        const uint32_t version = version_of(into->work, at->first_version + offset % at->per_nonce);
        if (!is_hit(into->work, version, nonce))
            continue;
        if (into->found == into->capacity)
            return point; /* `hits` is full: continue at this point */
        into->hits[into->found++] = (sha256d_hit){nonce, version};
    }
    return step + at->per_step < to ? step + at->per_step : to;
}

uint32_t sha256d_stop_word_value(const sha256d_stop_word *word)
{
    return atomic_load_explicit(&word->count, memory_order_relaxed);
}

uint32_t sha256d_stop_word_bump(sha256d_stop_word *word)
{
    return atomic_fetch_add_explicit(&word->count, 1, memory_order_relaxed) + 1;
}

/* Assert that the points to search lie within the work. */
static void check_points(const sha256d_work *work, uint64_t position, uint64_t count)
{
    const int bits = __builtin_popcount(work->version_mask);
    assert(work->nonce_count >= 1 && work->nonce_count <= UINT64_C(1) << 32);
    assert(!work->midstate_given || !bits);
    assert(work->nonce_count <= UINT64_MAX >> bits);
    const uint64_t points = work->nonce_count << bits;
    assert(position <= points && count <= points - position);
}

void sha256d_search(int kernel, const sha256d_work *work, uint64_t position, uint64_t count,
                    const sha256d_stop_word *stop_word, uint32_t expected, sha256d_hit *hits, size_t capacity,
                    sha256d_progress *progress)
{
    const sha256d_kernel *const chosen = kernel_at(kernel);
    const uint64_t end = position + count;
    collection into = {work, hits, 0, capacity};
    sha256d_prepared unit;
    uint64_t now = position;

    progress->started_ns = monotonic_ns();
    assert(capacity >= 1);
    check_points(work, position, count);
    prepare(&unit, work);
    while (now < end && into.found < capacity && !has_changed(stop_word, expected)) {
        const point_group at = prepare_group(&unit, chosen, work, now);
        const uint64_t to = at.end < end ? at.end : end;
        while (now < to && into.found < capacity) {
            /* a rolling step tries all versions of its nonce, including the points before `now` */
            const uint64_t first = now - (now - at.begin) % at.per_nonce;
            const uint64_t steps = (to - first + at.per_step - 1) / at.per_step;
            const uint32_t nonce = work->first_nonce + (uint32_t)((first - at.begin) / at.per_nonce);
            uint64_t candidates;
            const uint64_t scanned = at.scan(&unit, nonce, steps, stop_word, expected, &candidates);
            if (candidates) {
                now = collect(&into, &at, candidates, first + (scanned - 1) * at.per_step, now, to);
            } else if (scanned == steps) {
                now = to;
            } else { /* the stop word has changed */
                if (scanned)
                    now = first + scanned * at.per_step;
                break;
            }
        }
        if (now < to)
            break;
    }
    progress->done = now - position;
    progress->hits = into.found;
}

/* ---- the table ---------------------------------------------------------------------------------------------- */

int sha256d_kernel_count(void)
{
    return KERNELS;
}

const char *sha256d_kernel_name(int kernel)
{
    return kernel_at(kernel)->name;
}

int sha256d_kernel_lanes(int kernel)
{
    return kernel_at(kernel)->lanes;
}

int sha256d_kernel_versions(int kernel)
{
    return kernel_at(kernel)->versions;
}

int sha256d_kernel_plain(int kernel)
{
    return !(kernel_at(kernel)->features & ~CPU_PLAIN_FEATURES);
}

int sha256d_kernel_usable(int kernel)
{
    const uint32_t features = kernel_at(kernel)->features;
    return (cpu_features() & features) == features;
}

const char *sha256d_unknown_feature(size_t *length)
{
    return cpu_features_unknown_name(length);
}

const char *sha256d_feature_names(void)
{
    return CPU_FEATURE_NAMES;
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

/* index of the block whose version has enough zero bits and one bits for any mask */
enum { ROLLED = 1 };

static void from_hex(uint8_t *bytes, const char *hex)
{
    for (; *hex; hex += 2) {
        const int high = hex[0] <= '9' ? hex[0] - '0' : hex[0] - 'a' + 10;
        const int low = hex[1] <= '9' ? hex[1] - '0' : hex[1] - 'a' + 10;
        *bytes++ = (uint8_t)(high << 4 | low);
    }
}

/* Subtract 1 from a 256-bit little-endian number. */
static void decrement(uint8_t number[32])
{
    for (int i = 0; i < 32; i++)
        if (number[i]--)
            return;
}

static const sha256d_stop_word never_stop = {0};

/* Return whether the point is found if its hash is the target, and is not found if the target is one less. */
static int finds_at_the_boundary(int kernel, const known_block *block, sha256d_work *work)
{
    const uint64_t points = work->nonce_count << __builtin_popcount(work->version_mask);
    const uint8_t *const field = work->header + 76;
    const uint32_t version = load_le(work->header), nonce = work->big_endian_nonces ? load_be(field) : load_le(field);
    sha256d_hit hit;
    sha256d_progress progress;
    from_hex(work->target, block->hash);
    sha256d_search(kernel, work, 0, points, &never_stop, 0, &hit, 1, &progress);
    if (progress.hits != 1 || hit.nonce != nonce || hit.version != version)
        return 0;
    decrement(work->target);
    sha256d_search(kernel, work, 0, points, &never_stop, 0, &hit, 1, &progress);
    return progress.hits == 0 && progress.done == points;
}

/* Return whether the nonce is found in every lane. */
static int finds_in_every_lane(int kernel, const known_block *block)
{
    const uint32_t span = 3 * (uint32_t)kernel_at(kernel)->lanes + 1;
    sha256d_work work = {.nonce_count = span};
    from_hex(work.header, block->header);
    for (uint32_t before = 0; before < span; before++) {
        work.first_nonce = load_le(work.header + 76) - before;
        if (!finds_at_the_boundary(kernel, block, &work))
            return 0;
    }
    return 1;
}

/* The same with nonces in a chip's byte order, and with the midstate instead of the header. */
static int finds_by_midstate(int kernel, const known_block *block)
{
    const uint32_t span = 3 * (uint32_t)kernel_at(kernel)->lanes + 1;
    sha256d_work work = {.nonce_count = span, .big_endian_nonces = 1};
    from_hex(work.header, block->header);
    midstate_of(work.midstate, &work, load_le(work.header));
    work.midstate_given = 1;
    memset(work.header + 4, 0xa5, 60);
    for (uint32_t before = 0; before < span; before++) {
        work.first_nonce = load_be(work.header + 76) - before;
        if (!finds_at_the_boundary(kernel, block, &work))
            return 0;
    }
    return 1;
}

/* Return a mask of `bits` bits for which `version` is combination number `index`; 0 if no mask is. */
static uint32_t mask_that_selects(uint32_t version, uint32_t index, int bits)
{
    uint32_t mask = 0;
    for (int position = 0; position < 32 && bits; position++)
        if ((version >> position & 1) == (index & 1)) {
            mask |= UINT32_C(1) << position;
            index >>= 1;
            bits--;
        }
    return bits ? 0 : mask;
}

/* Return whether the point is found at every position among the versions and nonces that are tried together. */
static int finds_every_version(int kernel, const known_block *block)
{
    const uint32_t versions = (uint32_t)kernel_at(kernel)->versions;
    sha256d_work work = {0};
    from_hex(work.header, block->header);
    for (uint32_t index = 0; index < versions; index++) {
        work.version_mask = mask_that_selects(load_le(work.header), index, __builtin_ctz(versions));
        work.big_endian_nonces = index % 2;
        work.first_nonce = (index % 2 ? load_be : load_le)(work.header + 76) - index;
        work.nonce_count = index + 2;
        if (!work.version_mask || !finds_at_the_boundary(kernel, block, &work))
            return 0;
    }
    return 1;
}

/* Return whether each point is reported once and in order if every hash is a hit, for any buffer size and across the
 * wrap of the nonce. */
static int floods_in_order(int kernel, int rolling)
{
    enum { NONCES_TRIED = 71, CAPACITY = 7 };
    const uint32_t versions = rolling ? (uint32_t)kernel_at(kernel)->versions : 1;
    sha256d_work work = {.first_nonce = 0xffffffc0, .nonce_count = NONCES_TRIED, .version_mask = (versions - 1) << 13};
    const uint64_t points = work.nonce_count * versions;
    from_hex(work.header, known_blocks[0].header);
    memset(work.target, 0xff, sizeof work.target);
    for (uint64_t done = 0, capacity = 1; done < points; capacity = capacity % CAPACITY + 1) {
        sha256d_hit hits[CAPACITY];
        sha256d_progress progress;
        sha256d_search(kernel, &work, done, points - done, &never_stop, 0, hits, capacity, &progress);
        if (progress.hits == 0 || progress.done != progress.hits)
            return 0;
        for (size_t i = 0; i < progress.hits; i++, done++)
            if (hits[i].nonce != work.first_nonce + (uint32_t)(done / versions) ||
                hits[i].version != version_of(&work, done % versions))
                return 0;
    }
    return 1;
}

int sha256d_self_test(int kernel)
{
    if (!sha256d_kernel_usable(kernel))
        return 0;
    for (size_t i = 0; i < sizeof known_blocks / sizeof *known_blocks; i++)
        if (!finds_in_every_lane(kernel, &known_blocks[i]) || !finds_by_midstate(kernel, &known_blocks[i]))
            return 0;
    return finds_every_version(kernel, &known_blocks[ROLLED]) && floods_in_order(kernel, 0) && floods_in_order(kernel, 1);
}
