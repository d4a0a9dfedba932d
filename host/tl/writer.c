/* See writer.h. */
#include "tl/writer.h"
#include "tl/reader.h"

void ln_writer_init(struct ln_writer *w, struct ln_buf *buf)
{
  w->buf = buf;
  w->err = LN_OK;
}

static uint8_t *room(struct ln_writer *w, size_t n)
{
  uint8_t *to = NULL;
  if (!w->err) w->err = ln_buf_extend(w->buf, n, &to);
  return w->err ? NULL : to;
}

void ln_write_u32(struct ln_writer *w, uint32_t v)
{
  uint8_t *to = room(w, 4);
  if (to) ln_put_le32(to, v);
}

void ln_write_i32(struct ln_writer *w, int32_t v)
{
  ln_write_u32(w, (uint32_t)v);
}

void ln_write_u64(struct ln_writer *w, uint64_t v)
{
  uint8_t *to = room(w, 8);
  if (to) ln_put_le64(to, v);
}

void ln_write_i64(struct ln_writer *w, int64_t v)
{
  ln_write_u64(w, (uint64_t)v);
}

void ln_write_double(struct ln_writer *w, double v)
{
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits);
  ln_write_u64(w, bits);
}

void ln_write_raw(struct ln_writer *w, const void *p, size_t n)
{
  uint8_t *to = n ? room(w, n) : NULL;
  if (to) memcpy(to, p, n);
}

void ln_write_bytes(struct ln_writer *w, struct ln_slice s)
{
  if (s.n >= (size_t)1 << 24) {
    if (!w->err) w->err = LN_E_TOOBIG;
    return;
  }
  size_t head = s.n < 254 ? 1 : 4;
  size_t whole = (head + s.n + 3) & ~(size_t)3;
  uint8_t *to = room(w, whole);
  if (!to) return;
  if (head == 1) {
    to[0] = (uint8_t)s.n;
  } else {
    to[0] = 254;
    to[1] = (uint8_t)s.n;
    to[2] = (uint8_t)(s.n >> 8);
    to[3] = (uint8_t)(s.n >> 16);
  }
  if (s.n) memcpy(to + head, s.p, s.n);
  memset(to + head + s.n, 0, whole - head - s.n);
}

void ln_write_vector(struct ln_writer *w, bool boxed, uint32_t count)
{
  if (boxed) ln_write_u32(w, LN_TL_VECTOR);
  ln_write_u32(w, count);
}
