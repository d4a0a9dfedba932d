/* Writes TL primitives to an ln_buf. The first error (LN_E_TOOBIG, LN_E_NOMEM) sticks in `err`; later writes
 * do nothing. Format: https://core.telegram.org/mtproto/serialize */
#ifndef LN_TL_WRITER_H
#define LN_TL_WRITER_H

#include "base/buf.h"

struct ln_writer {
  struct ln_buf *buf; /* borrowed; appended to */
  int err;
};

void ln_writer_init(struct ln_writer *w, struct ln_buf *buf);
void ln_write_u32(struct ln_writer *w, uint32_t v);
void ln_write_i32(struct ln_writer *w, int32_t v);
void ln_write_u64(struct ln_writer *w, uint64_t v);
void ln_write_i64(struct ln_writer *w, int64_t v);
void ln_write_double(struct ln_writer *w, double v);
void ln_write_raw(struct ln_writer *w, const void *p, size_t n);
/* bytes and string: up to 2^24 - 1 of them, else LN_E_TOOBIG. */
void ln_write_bytes(struct ln_writer *w, struct ln_slice s);
/* The vector constructor where `boxed`, and the count. */
void ln_write_vector(struct ln_writer *w, bool boxed, uint32_t count);

#endif
