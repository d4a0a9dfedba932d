/* See buf.h. */
#include "base/buf.h"
#include "base/alloc.h"

#include <stdatomic.h>

void ln_buf_init(struct ln_buf *b, size_t max)
{
  memset(b, 0, sizeof *b);
  b->max = max;
}

void ln_buf_deinit(struct ln_buf *b)
{
  ln_free(b->base);
  b->base = NULL;
  b->start = b->len = b->cap = 0;
}

void ln_buf_deinit_secret(struct ln_buf *b)
{
  if (b->base) {
    memset(b->base, 0, b->cap);
    atomic_signal_fence(memory_order_seq_cst); /* the free below must not make the memset dead */
    __asm__ __volatile__("" : : "r"(b->base) : "memory");
  }
  ln_buf_deinit(b);
}

int ln_buf_grow(struct ln_buf *b, size_t n)
{
  if (n > b->max || b->len > b->max - n) return LN_E_TOOBIG;
  size_t need = b->len + n;
  if (need <= b->cap && b->start >= b->len) { /* slide only where it is cheap: amortised O(1) per byte */
    memmove(b->base, b->base + b->start, b->len);
    b->start = 0;
    return LN_OK;
  }
  size_t cap = b->cap ? b->cap : 256;
  while (cap < need) cap = cap > b->max / 2 ? b->max : cap * 2;
  uint8_t *fresh = ln_malloc(cap);
  if (!fresh) return LN_E_NOMEM;
  if (b->len) memcpy(fresh, b->base + b->start, b->len);
  ln_free(b->base);
  b->base = fresh;
  b->start = 0;
  b->cap = cap;
  return LN_OK;
}

int ln_buf_extend(struct ln_buf *b, size_t n, uint8_t **out)
{
  int err = ln_buf_reserve(b, n);
  if (err) return err;
  *out = b->base + b->start + b->len;
  b->len += n;
  return LN_OK;
}

int ln_buf_append(struct ln_buf *b, const void *p, size_t n)
{
  uint8_t *to;
  if (n == 0) return LN_OK;
  int err = ln_buf_extend(b, n, &to);
  if (err) return err;
  memcpy(to, p, n);
  return LN_OK;
}

void ln_buf_truncate(struct ln_buf *b, size_t n)
{
  if (n < b->len) b->len = n;
}

void ln_buf_clear(struct ln_buf *b)
{
  b->start = b->len = 0;
}

void ln_buf_trim(struct ln_buf *b, size_t keep)
{
  if (b->len == 0 && b->cap > keep) ln_buf_deinit(b);
}
