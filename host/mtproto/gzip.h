/* gzip_packed, both ways: inflated as a stream under a cap (M13), deflated where it pays. The only user of
 * zlib. Called by both sessions. https://core.telegram.org/mtproto/service_messages#packed-object */
#ifndef LN_MTPROTO_GZIP_H
#define LN_MTPROTO_GZIP_H

#include "base/buf.h"

#define LN_GZIP_MAX_OBJECT ((size_t)16 << 20)
#define LN_GZIP_MAX_FRAME ((size_t)32 << 20)

struct ln_gzip; /* keeps zlib's tables between calls */

int ln_gzip_new(struct ln_gzip **out);
void ln_gzip_free(struct ln_gzip *z); /* NULL is allowed */

/* Inflates one gzip member (RFC 1952) into out, which is cleared first. cap: bytes that may come out.
 * LN_E_TOOBIG past it, LN_E_CORRUPT for a damaged or unfinished stream, a wrong CRC, or bytes after it,
 * LN_E_NOMEM. out grows with what really came out. */
int ln_gzip_unpack(struct ln_gzip *z, struct ln_slice packed, struct ln_buf *out, size_t cap);

/* Appends a whole gzip_packed object (constructor and bytes) that stands for plain. LN_E_AGAIN, and out as it
 * was, where it saves less than a tenth. */
int ln_gzip_pack(struct ln_gzip *z, struct ln_slice plain, struct ln_buf *out);

const char *ln_gzip_library(void); /* the version of zlib as it was loaded */

#endif
