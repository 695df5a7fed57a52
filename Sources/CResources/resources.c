#include "CResources.h"

// #embed is C23, which SwiftPM's language setting does not know yet; clang takes it in any mode.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char schemas[] = {
#embed "../../etc/schemas/kinds.json"
};
const unsigned char *const kindling_schemas = schemas;
const size_t kindling_schemas_length = sizeof schemas;
