/* See reader.h. */
#include "tl/reader.h"

void ln_reader_init(struct ln_reader *r, struct ln_slice bytes)
{
  static const uint8_t nothing[1];
  r->p = bytes.p ? bytes.p : nothing;
  r->end = r->p + bytes.n;
  r->err = LN_OK;
}

void ln_reader_fail(struct ln_reader *r, int err)
{
  if (!r->err) r->err = err;
}

static const uint8_t *take(struct ln_reader *r, size_t n)
{
  if (r->err) return NULL;
  if ((size_t)(r->end - r->p) < n) {
    r->err = LN_E_TRUNCATED;
    return NULL;
  }
  const uint8_t *at = r->p;
  r->p += n;
  return at;
}

uint32_t ln_read_u32(struct ln_reader *r)
{
  const uint8_t *p = take(r, 4);
  return p ? ln_le32(p) : 0;
}

int32_t ln_read_i32(struct ln_reader *r)
{
  return (int32_t)ln_read_u32(r);
}

uint64_t ln_read_u64(struct ln_reader *r)
{
  const uint8_t *p = take(r, 8);
  return p ? ln_le64(p) : 0;
}

int64_t ln_read_i64(struct ln_reader *r)
{
  return (int64_t)ln_read_u64(r);
}

double ln_read_double(struct ln_reader *r)
{
  uint64_t bits = ln_read_u64(r);
  double d;
  memcpy(&d, &bits, sizeof d);
  return d;
}

struct ln_slice ln_read_raw(struct ln_reader *r, size_t n)
{
  const uint8_t *p = take(r, n);
  return p ? ln_slice(p, n) : ln_slice(NULL, 0);
}

struct ln_slice ln_read_bytes(struct ln_reader *r)
{
  const uint8_t *p = take(r, 4);
  if (!p) return ln_slice(NULL, 0);
  size_t n, head;
  if (p[0] < 254) {
    n = p[0];
    head = 1;
  } else if (p[0] == 254) {
    n = (size_t)p[1] | (size_t)p[2] << 8 | (size_t)p[3] << 16;
    head = 4;
  } else {
    ln_reader_fail(r, LN_E_BAD_VALUE);
    return ln_slice(NULL, 0);
  }
  size_t whole = (head + n + 3) & ~(size_t)3;
  if (!take(r, whole - 4) && r->err) return ln_slice(NULL, 0);
  return ln_slice(p + head, n);
}

uint32_t ln_read_vector(struct ln_reader *r, bool boxed, size_t min_item_size)
{
  if (boxed && ln_read_u32(r) != LN_TL_VECTOR) {
    ln_reader_fail(r, LN_E_BAD_TYPE);
    return 0;
  }
  uint32_t count = ln_read_u32(r);
  if (r->err) return 0;
  size_t left = ln_reader_left(r);
  if (min_item_size == 0) min_item_size = 4;
  if (count > left / min_item_size) {
    ln_reader_fail(r, LN_E_TRUNCATED);
    return 0;
  }
  return count;
}

uint32_t ln_peek_u32(const struct ln_reader *r)
{
  return ln_reader_left(r) >= 4 ? ln_le32(r->p) : 0;
}

int ln_reader_finish(struct ln_reader *r)
{
  if (!r->err && r->p != r->end) r->err = LN_E_TRAILING;
  return r->err;
}
