/* The bits of an index laid into the set bits of a mask, the lowest first: the order of versions of sha256d.h. */

#include <stdint.h>

static uint32_t spread(uint64_t index, uint32_t mask)
{
    uint32_t bits = 0;
    for (int position = 0; position < 32; position++)
        if (mask >> position & 1) {
            bits |= (uint32_t)(index & 1) << position;
            index >>= 1;
        }
    return bits;
}
