// Header blocks of SPDY/3.1: zlib with the protocol's dictionary, one stream for each direction of a connection.
#ifndef KINDLING_CSPDY_H
#define KINDLING_CSPDY_H

#include <stddef.h>
#include <stdint.h>

#define KSPDY_BAD (-1)        // not what zlib and the dictionary make
#define KSPDY_TOO_LARGE (-2)  // longer than the room given

/// Opaque. NULL when no memory is left.
void *kspdy_decoder_create(void);
/// Appends nothing of other blocks: gives the bytes of this block, or KSPDY_BAD or KSPDY_TOO_LARGE, after which the decoder is
/// of no use any more.
long kspdy_decode(void *decoder, const uint8_t *block, size_t length, uint8_t *out, size_t capacity);
void kspdy_decoder_destroy(void *decoder);

void *kspdy_encoder_create(void);
long kspdy_encode(void *encoder, const uint8_t *block, size_t length, uint8_t *out, size_t capacity);
void kspdy_encoder_destroy(void *encoder);

#endif
