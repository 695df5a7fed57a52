/*
 * An empty package of ICU data under the name that Foundation's ICU looks for. Linked before Foundation's archives it takes the
 * place of their 34 MB (languages, calendars, collations), which nothing here reads: dates, cases and patterns come from Swift's
 * own library or are ours. ICU finds a valid package without entries and falls back to its built-in root rules. A toolchain whose
 * ICU has another number links its full data, and all else stays the same.
 *
 * The layout is ICU's: a UDataInfo header (common/unicode/udata.h), then a table of pointers of format "ToCP" (common/ucmndata.h).
 */
#include <stddef.h>
#include <stdint.h>

struct package {
    uint16_t header_size; /* bytes, up to `count` */
    uint8_t magic1, magic2;
    uint16_t information_size, reserved1; /* bytes, from here up to `padding` */
    uint8_t is_big_endian, charset_family, bytes_of_character, reserved2;
    uint8_t format[4], format_version[4], data_version[4];
    uint8_t padding[8];
    uint32_t count, reserved3; /* entries in the table */
};

_Static_assert(offsetof(struct package, count) == 32, "the table begins where the header ends");

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
enum { big_endian = 1 };
#else
enum { big_endian = 0 };
#endif

#define EMPTY_PACKAGE {.header_size = 32, .magic1 = 0xda, .magic2 = 0x27, .information_size = 20, .is_big_endian = big_endian, \
                       .bytes_of_character = 2, .format = "ToCP", .format_version = {1}}

__attribute__((aligned(16))) const struct package icudt74_dat = EMPTY_PACKAGE; /* Swift 6.0 */
__attribute__((aligned(16))) const struct package icudt76_dat = EMPTY_PACKAGE; /* Swift 6.1 and later */
