/* Returns the bits of an index at the positions of a mask's bits, the lowest first: the order of versions in
 * sha256d.h. */

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
