/* Owned bytes with a hard maximum: appended at the end, consumed at the front. Every growing buffer of the
 * host is one of these, so that no length field of a peer can make us allocate past `max`. */
#ifndef LN_BASE_BUF_H
#define LN_BASE_BUF_H

#include "base/err.h"
#include "base/slice.h"

struct ln_buf {
  uint8_t *base; /* allocation, or NULL while empty and untouched */
  size_t start;  /* first live byte */
  size_t len;    /* live bytes */
  size_t cap;    /* bytes allocated */
  size_t max;    /* never more live bytes than this */
};

void ln_buf_init(struct ln_buf *b, size_t max);
void ln_buf_deinit(struct ln_buf *b);
/* Like deinit, but the bytes are overwritten first: for keys and what contains them. */
void ln_buf_deinit_secret(struct ln_buf *b);

static inline uint8_t *ln_buf_data(const struct ln_buf *b)
{
  return b->base ? b->base + b->start : NULL;
}

static inline struct ln_slice ln_buf_slice(const struct ln_buf *b)
{
  return ln_slice(ln_buf_data(b), b->len);
}

int ln_buf_grow(struct ln_buf *b, size_t n); /* of ln_buf_reserve, where there is not the room yet */
/* Makes room for n more bytes at the end. LN_E_TOOBIG past max, LN_E_NOMEM. */
static inline int ln_buf_reserve(struct ln_buf *b, size_t n)
{
  size_t used = b->start + b->len;
  bool fits = n <= b->max && b->len <= b->max - n && used <= b->cap && n <= b->cap - used;
  return fits ? LN_OK : ln_buf_grow(b, n);
}
/* Reserves n bytes, counts them as live and gives their address (undefined contents). */
int ln_buf_extend(struct ln_buf *b, size_t n, uint8_t **out);
int ln_buf_append(struct ln_buf *b, const void *p, size_t n);
/* Drops n bytes at the front (n <= len). Memory moves only in a later reserve. */
static inline void ln_buf_consume(struct ln_buf *b, size_t n)
{
  bool all = n >= b->len;
  b->start = all ? 0 : b->start + n;
  b->len = all ? 0 : b->len - n;
}
/* Cuts the live bytes to n (n <= len). */
void ln_buf_truncate(struct ln_buf *b, size_t n);
void ln_buf_clear(struct ln_buf *b);
/* Gives memory back where the buffer is empty and holds more than `keep` bytes. */
void ln_buf_trim(struct ln_buf *b, size_t keep);

#endif
