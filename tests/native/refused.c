/* Makes one call that breaks the rule of sha256d.h that the argument names. The call must abort the program. */
#include <stdio.h>
#include <string.h>

#include "sha256d.h"

int main(int argc, char **argv)
{
    static const sha256d_stop_word never = {0};
    const char *const rule = argc > 1 ? argv[1] : "";
    sha256d_work work = {.nonce_count = 4};
    sha256d_hit hits[4];
    sha256d_progress progress = {0};
    int kernel = 0;
    uint64_t position = 0, count = 4;
    size_t capacity = 4;
    if (!strcmp(rule, "kernel beyond the table"))
        kernel = sha256d_kernel_count();
    else if (!strcmp(rule, "kernel below zero"))
        kernel = -1;
    else if (!strcmp(rule, "no nonces"))
        work.nonce_count = count = 0;
    else if (!strcmp(rule, "more nonces than there are"))
        work.nonce_count = (UINT64_C(1) << 32) + 1;
    else if (!strcmp(rule, "2^64 points"))
        work = (sha256d_work){.nonce_count = UINT64_C(1) << 32, .version_mask = 0xffffffff};
    else if (!strcmp(rule, "midstate with a mask"))
        work.midstate_given = (int)(work.version_mask = 1);
    else if (!strcmp(rule, "position beyond the end"))
        position = 5, count = 0;
    else if (!strcmp(rule, "count beyond the end"))
        position = 2, count = 3;
    else if (!strcmp(rule, "count that wraps"))
        position = 2, count = UINT64_MAX;
    else if (!strcmp(rule, "no capacity"))
        capacity = 0;
    else if (!strcmp(rule, "name beyond the table"))
        puts(sha256d_kernel_name(sha256d_kernel_count()));
    sha256d_search(kernel, &work, position, count, &never, 0, hits, capacity, &progress);
    printf("came back with %llu points done\n", (unsigned long long)progress.done);
    return 0;
}
