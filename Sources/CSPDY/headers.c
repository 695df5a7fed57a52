// Compression of header blocks as SPDY/3.1 has it (specification, 2.6.10.1): one zlib stream a direction, flushed after each
// block, that begins with a dictionary of words which both sides know.
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "include/cspdy.h"

#define DICTIONARY_BYTES 1423

// In the dictionary each of these has its length, as four bytes, in front of it.
static const char *const words[] = {
    "options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding",
    "accept-language", "accept-ranges", "age", "allow", "authorization", "cache-control", "connection",
    "content-base", "content-encoding", "content-language", "content-length", "content-location", "content-md5",
    "content-range", "content-type", "date", "etag", "expect", "expires", "from", "host", "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified", "location",
    "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer", "retry-after",
    "server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via", "warning",
    "www-authenticate", "method", "get", "status", "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie",
    "keep-alive", "origin",
};
static const char text[] =
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritat"
    "ive Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found5"
    "00 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct N"
    "ov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,applic"
    "ation/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf"
    "-8charset=iso-8859-1,utf-,*,enq=0.";

static size_t make_dictionary(uint8_t *out) {
    size_t length = 0;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i]);
        memset(out + length, 0, 3);
        out[length + 3] = (uint8_t)size;
        memcpy(out + length + 4, words[i], size);
        length += 4 + size;
    }
    memcpy(out + length, text, sizeof text - 1);
    return length + sizeof text - 1;
}

void *kspdy_decoder_create(void) {
    z_stream *stream = calloc(1, sizeof *stream);
    if (stream && inflateInit(stream) == Z_OK) return stream;
    free(stream);
    return NULL;
}

long kspdy_decode(void *decoder, const uint8_t *block, size_t length, uint8_t *out, size_t capacity) {
    z_stream *stream = decoder;
    stream->next_in = (Bytef *)block;
    stream->avail_in = (uInt)length;
    stream->next_out = out;
    stream->avail_out = (uInt)capacity;
    while (stream->avail_in > 0) {
        int result = inflate(stream, Z_SYNC_FLUSH);
        if (result == Z_NEED_DICT) {
            uint8_t dictionary[DICTIONARY_BYTES];
            size_t size = make_dictionary(dictionary);
            if (inflateSetDictionary(stream, dictionary, (uInt)size) != Z_OK) return KSPDY_BAD;
            continue;
        }
        if (stream->avail_out == 0) return KSPDY_TOO_LARGE;
        if (result == Z_BUF_ERROR) break;
        // The end of the stream would be the end of the connection's headers.
        if (result != Z_OK) return KSPDY_BAD;
    }
    return stream->avail_out == 0 ? KSPDY_TOO_LARGE : (long)(capacity - stream->avail_out);
}

void kspdy_decoder_destroy(void *decoder) {
    if (decoder) inflateEnd(decoder);
    free(decoder);
}

void *kspdy_encoder_create(void) {
    z_stream *stream = calloc(1, sizeof *stream);
    uint8_t dictionary[DICTIONARY_BYTES];
    size_t size = make_dictionary(dictionary);
    // Small windows do: our blocks are a few bytes.
    if (stream && deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 12, 3, Z_DEFAULT_STRATEGY) == Z_OK) {
        if (deflateSetDictionary(stream, dictionary, (uInt)size) == Z_OK) return stream;
        deflateEnd(stream);
    }
    free(stream);
    return NULL;
}

long kspdy_encode(void *encoder, const uint8_t *block, size_t length, uint8_t *out, size_t capacity) {
    z_stream *stream = encoder;
    stream->next_in = (Bytef *)block;
    stream->avail_in = (uInt)length;
    stream->next_out = out;
    stream->avail_out = (uInt)capacity;
    if (deflate(stream, Z_SYNC_FLUSH) != Z_OK) return KSPDY_BAD;
    return stream->avail_out == 0 ? KSPDY_TOO_LARGE : (long)(capacity - stream->avail_out);
}

void kspdy_encoder_destroy(void *encoder) {
    if (encoder) deflateEnd(encoder);
    free(encoder);
}
