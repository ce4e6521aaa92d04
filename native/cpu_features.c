#include "cpu_features.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t enabled_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static uint32_t detect(void)
{
    unsigned a, b, c, d;
    uint32_t features = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    if (d >> 26 & 1)
        features |= CPU_SSE2;
    const int has_sse41 = c >> 9 & c >> 19 & 1; /* both SSSE3 and SSE4.1 */
    unsigned leaf7_b = 0;
    if (__get_cpuid_count(7, 0, &a, &leaf7_b, &a, &d) && has_sse41 && (leaf7_b >> 29 & 1))
        features |= CPU_SHANI;
    /* Without OSXSAVE the operating system does not save the wide vector registers, so AVX kernels cannot be used. */
    if (!(c >> 27 & 1))
        return features;
    const uint64_t state = enabled_state();
    const int has_ymm = (state & 0x06) == 0x06;
#if defined(__APPLE__)
    /* The kernel of macOS has damaged the mask registers of AVX-512 (libdeflate, lib/x86/cpu_features.c). */
    const int has_zmm = 0;
#else
    const int has_zmm = (state & 0xe6) == 0xe6;
#endif
    if (has_ymm && (leaf7_b >> 5 & 1))
        features |= CPU_AVX2;
    if (has_zmm && (leaf7_b >> 16 & 1) && (leaf7_b >> 30 & 1))
        features |= CPU_AVX512;
    return features;
}
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

static uint32_t detect(void)
{
    const unsigned long asimd = 1 << 1, sha2 = 1 << 6; /* HWCAP_ASIMD, HWCAP_SHA2 of <asm/hwcap.h> */
    const unsigned long capabilities = getauxval(AT_HWCAP);
    return (capabilities & asimd ? CPU_NEON : 0) | (capabilities & sha2 ? CPU_ARMV8_SHA2 : 0);
}
#elif defined(__aarch64__) && defined(__APPLE__)
static uint32_t detect(void)
{
    return CPU_NEON | CPU_ARMV8_SHA2; /* every 64-bit CPU of Apple has both */
}
#else
static uint32_t detect(void)
{
    return 0;
}
#endif

#define CPU_FEATURE_NAMED(id, name) {name, CPU_##id},

static uint32_t feature_named(const char *name, size_t length)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } names[] = {CPU_FEATURES(CPU_FEATURE_NAMED)};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (length == strlen(names[i].name) && !strncasecmp(name, names[i].name, length))
            return names[i].bit;
    return 0;
}

/* Set `*bits` to the features that the environment variable disables. Return the first unknown name in it, with its
 * length in `*length`, or NULL if all names are known. */
static const char *read_disabled(uint32_t *bits, size_t *length)
{
    static const char between[] = ", \t\n";
    const char *name = getenv("STRATUM_MINER_CPU_DISABLE");
    *bits = 0;
    if (!name)
        return NULL;
    for (name += strspn(name, between); *name; name += strspn(name, between)) {
        *length = strcspn(name, between);
        const uint32_t bit = feature_named(name, *length);
        if (!bit)
            return name;
        *bits |= bit;
        name += *length;
    }
    return NULL;
}

const char *cpu_features_unknown_name(size_t *length)
{
    uint32_t bits;
    return read_disabled(&bits, length);
}

uint32_t cpu_features(void)
{
    uint32_t disabled;
    size_t length;
    const char *const unknown = read_disabled(&disabled, &length);
    if (unknown) {
        fprintf(stderr, "STRATUM_MINER_CPU_DISABLE: expected names out of %s, got %.*s\n", CPU_FEATURE_NAMES,
                (int)length, unknown);
        abort();
    }
    return detect() & ~disabled;
}
