/* Reads TL primitives from borrowed bytes. The first error sticks: later reads give zeros and change nothing,
 * so a parser may check `err` once at its end. Format: https://core.telegram.org/mtproto/serialize */
#ifndef LN_TL_READER_H
#define LN_TL_READER_H

#include "base/err.h"
#include "base/slice.h"

#define LN_TL_VECTOR UINT32_C(0x1cb5c415)
#define LN_TL_BOOL_TRUE UINT32_C(0x997275b5)
#define LN_TL_BOOL_FALSE UINT32_C(0xbc799737)
#define LN_TL_MAX_DEPTH 64

struct ln_reader {
  const uint8_t *p;
  const uint8_t *end;
  int err; /* LN_OK, or the first LN_E_* met */
};

void ln_reader_init(struct ln_reader *r, struct ln_slice bytes);
static inline size_t ln_reader_left(const struct ln_reader *r)
{
  return r->err ? 0 : (size_t)(r->end - r->p);
}
void ln_reader_fail(struct ln_reader *r, int err); /* keeps the first error */
uint32_t ln_read_u32(struct ln_reader *r);
int32_t ln_read_i32(struct ln_reader *r);
uint64_t ln_read_u64(struct ln_reader *r);
int64_t ln_read_i64(struct ln_reader *r);
double ln_read_double(struct ln_reader *r);
/* n raw bytes (int128, int256, nested objects), n % 4 == 0. */
struct ln_slice ln_read_raw(struct ln_reader *r, size_t n);
/* bytes and string: the length, the bytes, the padding to 4 (whose content is not looked at). */
struct ln_slice ln_read_bytes(struct ln_reader *r);
/* The count of a vector, after its constructor where `boxed`; refused where count * min_item_size exceeds
 * what is left. */
uint32_t ln_read_vector(struct ln_reader *r, bool boxed, size_t min_item_size);
/* The next 32 bits without taking them; 0 and no error when fewer are left. */
uint32_t ln_peek_u32(const struct ln_reader *r);
/* LN_E_TRAILING where bytes are left; gives r->err. */
int ln_reader_finish(struct ln_reader *r);

#endif
