#include "CResources.h"

static const unsigned char schemas[] = {
#embed "../../etc/schemas/kinds.json"
};
const unsigned char *const kindling_schemas = schemas;
const size_t kindling_schemas_length = sizeof schemas;
