// bcrypt of libcrypt, behind one function: the library's own header needs a large structure from its caller.
#ifndef KINDLING_CCRYPT_H
#define KINDLING_CCRYPT_H
#include <stddef.h>

// Hashes a phrase with the setting of another hash (its prefix says method, cost and salt). Writes the hash with its zero byte
// into `output`. Gives 0, or a negative errno where the method is unknown, the setting is malformed or the room too small.
int kd_crypt(const char *phrase, const char *setting, char *output, size_t capacity);

#endif
