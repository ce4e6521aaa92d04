/* Every kernel under the sanitizers: the self-test, odd counts and starts, a buffer that fills, a stop word. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sha256d.h"

static void fail(int kernel, const char *what)
{
    fprintf(stderr, "%s: %s\n", sha256d_kernel_name(kernel), what);
    exit(1);
}

/* All kernels agree with the first on every start, count and capacity, through buffers of exactly that size. */
static void compare_with_scalar(int kernel, const sha256d_work *work)
{
    const volatile uint32_t never = 0;
    for (uint64_t count = 0; count < 70; count += 3)
        for (size_t capacity = 1; capacity < 40; capacity += 7) {
            sha256d_hit *expected = malloc(capacity * sizeof *expected), *got = malloc(capacity * sizeof *got);
            sha256d_progress first, second;
            const uint32_t start = 0xfffffff0u + (uint32_t)(count * 7);
            sha256d_search(0, work, start, count, &never, 0, expected, capacity, &first);
            sha256d_search(kernel, work, start, count, &never, 0, got, capacity, &second);
            if (first.hits != second.hits || memcmp(expected, got, first.hits * sizeof *got))
                fail(kernel, "differs from the scalar kernel");
            if (second.hits < capacity && second.done != count)
                fail(kernel, "stopped early");
            free(expected);
            free(got);
        }
}

int main(void)
{
    sha256d_work work;
    for (size_t i = 0; i < sizeof work.header; i++)
        work.header[i] = (uint8_t)(i * 7 + 1);
    for (int kernel = 0; kernel < sha256d_kernel_count(); kernel++) {
        if (!sha256d_kernel_usable(kernel))
            continue;
        if (!sha256d_self_test(kernel))
            fail(kernel, "self-test");
        for (int top = 0; top < 256; top += 51) {
            memset(work.target, 0x80, sizeof work.target);
            work.target[31] = (uint8_t)top;
            compare_with_scalar(kernel, &work);
        }
        const volatile uint32_t stopped = 1;
        sha256d_hit hit;
        sha256d_progress progress;
        memset(work.target, 0, sizeof work.target);
        sha256d_search(kernel, &work, 0, UINT64_C(1) << 32, &stopped, 0, &hit, 1, &progress);
        if (progress.done || progress.hits)
            fail(kernel, "ran although the stop word had changed");
        printf("%s\n", sha256d_kernel_name(kernel));
    }
    return 0;
}
