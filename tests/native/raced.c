/* Searches in several threads while another thread changes the stop word, under the thread sanitizer. */
#include <pthread.h>
#include <stdio.h>

#include "sha256d.h"

enum { SEARCHERS = 3 };

static sha256d_stop_word stop;

static void *search(void *kernel)
{
    sha256d_work work = {.nonce_count = UINT64_C(1) << 32};
    sha256d_hit hit;
    sha256d_progress progress;
    sha256d_search(*(int *)kernel, &work, 0, work.nonce_count, &stop, 0, &hit, 1, &progress);
    return NULL;
}

int main(void)
{
    for (int kernel = 0; kernel < sha256d_kernel_count(); kernel++) {
        if (!sha256d_kernel_usable(kernel))
            continue;
        pthread_t threads[SEARCHERS];
        stop.count = 0;
        for (int i = 0; i < SEARCHERS; i++)
            if (pthread_create(&threads[i], NULL, search, &kernel))
                return 1;
        if (sha256d_stop_word_bump(&stop) != 1)
            return 1;
        for (int i = 0; i < SEARCHERS; i++)
            pthread_join(threads[i], NULL);
        printf("%s\n", sha256d_kernel_name(kernel));
    }
    return 0;
}
