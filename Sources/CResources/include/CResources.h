// Files of etc/ that are part of the binary. Each is a NUL-free byte range: pointer and length.
#ifndef KINDLING_CRESOURCES_H
#define KINDLING_CRESOURCES_H
#include <stddef.h>

/// etc/schemas/kinds.json: schemas of the served kinds, derived by etc/schemas/derive.
extern const unsigned char *const kindling_schemas;
extern const size_t kindling_schemas_length;

#endif
