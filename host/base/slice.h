/* Borrowed bytes. A slice owns nothing and is dead when the call that handed it over returns. */
#ifndef LN_BASE_SLICE_H
#define LN_BASE_SLICE_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

struct ln_slice {
  const uint8_t *p;
  size_t n;
};

static inline struct ln_slice ln_slice(const void *p, size_t n)
{
  struct ln_slice s = {(const uint8_t *)p, n};
  return s;
}

static inline struct ln_slice ln_slice_str(const char *s)
{
  return ln_slice(s, strlen(s));
}

static inline bool ln_slice_equal(struct ln_slice a, struct ln_slice b)
{
  return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* The rest of s from byte `from` on; empty when from is past the end. */
static inline struct ln_slice ln_slice_from(struct ln_slice s, size_t from)
{
  if (from > s.n) from = s.n;
  return ln_slice(s.n ? s.p + from : s.p, s.n - from);
}

/* Little-endian loads and stores, free of alignment. */
static inline uint32_t ln_le32(const void *p)
{
  const uint8_t *b = (const uint8_t *)p;
  return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t ln_le64(const void *p)
{
  return (uint64_t)ln_le32(p) | (uint64_t)ln_le32((const uint8_t *)p + 4) << 32;
}

static inline void ln_put_le32(void *p, uint32_t v)
{
  uint8_t *b = (uint8_t *)p;
  b[0] = (uint8_t)v;
  b[1] = (uint8_t)(v >> 8);
  b[2] = (uint8_t)(v >> 16);
  b[3] = (uint8_t)(v >> 24);
}

static inline void ln_put_le64(void *p, uint64_t v)
{
  ln_put_le32(p, (uint32_t)v);
  ln_put_le32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}

#endif
