#define _GNU_SOURCE
#include "CCrypt.h"

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int kd_crypt(const char *phrase, const char *setting, char *output, size_t capacity) {
    struct crypt_data *data = calloc(1, sizeof *data);
    if (!data) return -ENOMEM;
    int result = 0;
    const char *hash = crypt_r(phrase, setting, data);
    // A hash that begins with an asterisk is the library's word for failure.
    if (!hash || hash[0] == '*') {
        result = -EINVAL;
    } else if (strlen(hash) >= capacity) {
        result = -ERANGE;
    } else {
        strcpy(output, hash);
    }
    explicit_bzero(data, sizeof *data);
    free(data);
    return result;
}
