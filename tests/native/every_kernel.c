/* Runs every usable kernel: self-test, odd counts and starts, wide masks, a full buffer, the stop word. With an
 * argument, it only prints the names of the usable kernels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sha256d.h"
#include "spread.h"

static const sha256d_stop_word never = {0};

static void fail(int kernel, const char *what)
{
    fprintf(stderr, "%s: %s\n", sha256d_kernel_name(kernel), what);
    exit(1);
}

/* All kernels agree with the first on every start, count and capacity, through buffers of exactly that size. */
static void compare_with_scalar(int kernel, sha256d_work *work)
{
    for (uint64_t count = 1; count < 70; count += 3)
        for (size_t capacity = 1; capacity < 40; capacity += 7) {
            sha256d_hit *expected = malloc(capacity * sizeof *expected), *got = malloc(capacity * sizeof *got);
            sha256d_progress first, second;
            work->version_mask = 0;
            work->first_nonce = 0xfffffff0u + (uint32_t)(count * 7);
            work->nonce_count = count;
            sha256d_search(0, work, 0, count, &never, 0, expected, capacity, &first);
            sha256d_search(kernel, work, 0, count, &never, 0, got, capacity, &second);
            if (first.hits != second.hits || memcmp(expected, got, first.hits * sizeof *got))
                fail(kernel, "differs from the scalar kernel");
            if (second.hits < capacity && second.done != count)
                fail(kernel, "stopped early");
            free(expected);
            free(got);
        }
}

/* Searches of any length with any mask find as many hits as one search for each version. */
static void compare_rolling(int kernel, sha256d_work *work)
{
    static const uint32_t masks[] = {0x1fffe000u & 0x3e000u, 0xc0000003u, 0x80000000u, 0xfe000u};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        sha256d_hit hits[3];
        sha256d_progress progress;
        uint64_t expected = 0, points;
        work->version_mask = masks[i];
        work->first_nonce = 0xfffffff9u;
        work->nonce_count = 11;
        points = work->nonce_count << __builtin_popcount(masks[i]);
        for (uint64_t at = 0; at < points; at += progress.done) {
            sha256d_search(0, work, at, points - at, &never, 0, hits, 3, &progress);
            expected += progress.hits;
        }
        for (uint64_t length = 1; length < 200; length = length * 5 + 1) {
            uint64_t found = 0;
            for (uint64_t at = 0; at < points; at += progress.done) {
                const uint64_t count = length < points - at ? length : points - at;
                sha256d_search(kernel, work, at, count, &never, 0, hits, 3, &progress);
                found += progress.hits;
            }
            if (found != expected)
                fail(kernel, "rolls other versions than the scalar kernel");
        }
    }
}

/* Where every hash is a hit, points come in the order of sha256d.h; also with nearly all bits of the version, at the
 * first points, around the end of the first group and at the last points. */
static void check_order_of_wide_masks(int kernel, sha256d_work *work)
{
    static const uint32_t masks[] = {0x3fffffffu, 0x7fffffffu, 0xfffffffeu, 0xffffffffu};
    const uint64_t versions = (uint64_t)sha256d_kernel_versions(kernel);
    memset(work->target, 0xff, sizeof work->target);
    work->first_nonce = 0xfffffffeu;
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        for (work->nonce_count = 3; work->nonce_count < UINT64_C(1) << 32; work->nonce_count += 0xfffffffc) {
            const uint64_t group = work->nonce_count * versions;
            const uint64_t points = work->nonce_count << __builtin_popcount(masks[i]);
            const uint64_t starts[] = {0, group - 5, points - 9};
            work->version_mask = masks[i];
            for (size_t start = 0; start < 3; start++) {
                sha256d_hit hits[9];
                sha256d_progress progress;
                sha256d_search(kernel, work, starts[start], 9, &never, 0, hits, 9, &progress);
                if (progress.hits != 9 || progress.done != 9)
                    fail(kernel, "misses points of a wide mask");
                for (uint64_t j = 0; j < 9; j++) {
                    const uint64_t point = starts[start] + j, offset = point % group;
                    const uint64_t version = point / group * versions + offset % versions;
                    if (hits[j].nonce != work->first_nonce + (uint32_t)(offset / versions) ||
                        (hits[j].version & masks[i]) != spread(version, masks[i]))
                        fail(kernel, "visits the points of a wide mask in another order");
                }
            }
        }
}

int main(int count, char **arguments)
{
    sha256d_work work = {0};
    (void)arguments;
    for (size_t i = 0; i < sizeof work.header; i++)
        work.header[i] = (uint8_t)(i * 7 + 1);
    for (int kernel = 0; kernel < sha256d_kernel_count(); kernel++) {
        if (!sha256d_kernel_usable(kernel))
            continue;
        if (count > 1) {
            printf("%s\n", sha256d_kernel_name(kernel));
            continue;
        }
        if (!sha256d_self_test(kernel))
            fail(kernel, "self-test");
        for (int top = 0; top < 256; top += 127) {
            memset(work.target, 0x80, sizeof work.target);
            work.target[31] = (uint8_t)top;
            for (work.big_endian_nonces = 0; work.big_endian_nonces < 2; work.big_endian_nonces++) {
                compare_with_scalar(kernel, &work);
                compare_rolling(kernel, &work);
            }
            work.big_endian_nonces = 0;
        }
        check_order_of_wide_masks(kernel, &work);
        work.version_mask = 0;
        static const sha256d_stop_word stopped = {1};
        sha256d_hit hit;
        sha256d_progress progress;
        memset(work.target, 0, sizeof work.target);
        work.nonce_count = UINT64_C(1) << 32;
        sha256d_search(kernel, &work, 0, work.nonce_count, &stopped, 0, &hit, 1, &progress);
        if (progress.done || progress.hits)
            fail(kernel, "ran although the stop word had changed");
        printf("%s\n", sha256d_kernel_name(kernel));
    }
    return 0;
}
