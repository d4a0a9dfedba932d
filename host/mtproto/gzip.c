/* See gzip.h. Both zlib streams are made at first use and reset for each object: their set-up costs more than
 * the inflation of a usual one. */
#include "mtproto/gzip.h"
#include "mtproto/check.h"
#include "base/alloc.h"
#include "tl/writer.h"
#include "tl_ids.h"

#include <zlib.h>

#define GZIP_ONLY (15 + 16)
#define FIRST_CHUNK 4096

struct ln_gzip {
  z_stream in, out;
  bool in_ready, out_ready;
};

static voidpf zmalloc(voidpf ctx, uInt items, uInt size)
{
  (void)ctx;
  return items && size > SIZE_MAX / items ? NULL : ln_malloc((size_t)items * size);
}

static void zfree(voidpf ctx, voidpf p)
{
  (void)ctx;
  ln_free(p);
}

int ln_gzip_new(struct ln_gzip **out)
{
  *out = ln_calloc(1, sizeof **out);
  return *out ? LN_OK : LN_E_NOMEM;
}

void ln_gzip_free(struct ln_gzip *z)
{
  if (!z) return;
  if (z->in_ready) inflateEnd(&z->in);
  if (z->out_ready) deflateEnd(&z->out);
  ln_free(z);
}

static int in_stream(struct ln_gzip *z)
{
  if (z->in_ready) return inflateReset(&z->in) == Z_OK ? LN_OK : LN_E_CORRUPT;
  z->in = (z_stream){.zalloc = zmalloc, .zfree = zfree};
  if (inflateInit2(&z->in, GZIP_ONLY) != Z_OK) return LN_E_NOMEM;
  z->in_ready = true;
  return LN_OK;
}

static int out_stream(struct ln_gzip *z)
{
  if (z->out_ready) return deflateReset(&z->out) == Z_OK ? LN_OK : LN_E_NOMEM;
  z->out = (z_stream){.zalloc = zmalloc, .zfree = zfree};
  if (deflateInit2(&z->out, Z_BEST_SPEED, Z_DEFLATED, GZIP_ONLY, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return LN_E_NOMEM;
  z->out_ready = true;
  return LN_OK;
}

int ln_gzip_unpack(struct ln_gzip *z, struct ln_slice packed, struct ln_buf *out, size_t cap)
{
  ln_buf_clear(out);
  int err = in_stream(z);
  if (err) return err;
  if (packed.n > UINT32_MAX) return LN_E_TOOBIG;
  z->in.next_in = (Bytef *)(uintptr_t)packed.p; /* zlib's field is not const, its reads are */
  z->in.avail_in = (uInt)packed.n;
  size_t chunk = FIRST_CHUNK;
  while (chunk < packed.n * 4 && chunk < 65536) chunk *= 2;
  for (;;) {
    uint8_t *to;
    size_t had = out->len;
    err = ln_buf_extend(out, chunk, &to);
    if (err == LN_E_TOOBIG && out->max > had) /* the last piece up to the buffer's own limit */
      err = ln_buf_extend(out, chunk = out->max - had, &to);
    if (err) return err;
    z->in.next_out = to;
    z->in.avail_out = (uInt)chunk;
    int rc = inflate(&z->in, Z_NO_FLUSH);
    size_t got = chunk - z->in.avail_out;
    ln_buf_truncate(out, had + got);
    if (!LN_CHECK(M13, out->len <= cap)) return LN_E_TOOBIG;
    if (rc == Z_STREAM_END) break;
    if (rc == Z_MEM_ERROR) return LN_E_NOMEM;
    if (rc != Z_OK || got == 0) return LN_E_CORRUPT; /* damaged, or it ends too early */
    if (chunk < (size_t)1 << 20) chunk *= 2;
  }
  return LN_CHECK(M13, z->in.avail_in == 0) ? LN_OK : LN_E_CORRUPT;
}

int ln_gzip_pack(struct ln_gzip *z, struct ln_slice plain, struct ln_buf *out)
{
  if (plain.n < 64 || plain.n >= (size_t)1 << 24) return LN_E_AGAIN;
  int err = out_stream(z);
  if (err) return err;
  size_t had = out->len, most = plain.n - plain.n / 10;
  uint8_t *to;
  /* 8 bytes before the stream for the constructor and the long form of a length; 4 after it. */
  if ((err = ln_buf_extend(out, 8 + most + 4, &to))) return err;
  z->out.next_in = (Bytef *)(uintptr_t)plain.p;
  z->out.avail_in = (uInt)plain.n;
  z->out.next_out = to + 8;
  z->out.avail_out = (uInt)(most - 8);
  int rc = deflate(&z->out, Z_FINISH);
  if (rc != Z_STREAM_END) { /* no room: it does not pay */
    ln_buf_truncate(out, had);
    return LN_E_AGAIN;
  }
  size_t n = most - 8 - z->out.avail_out, head = 8;
  ln_put_le32(to, LN_ID_gzip_packed);
  if (n < 254) {
    head = 5;
    to[4] = (uint8_t)n;
    memmove(to + 5, to + 8, n);
  } else {
    ln_put_le32(to + 4, (uint32_t)n << 8 | 254);
  }
  size_t whole = (head + n + 3) & ~(size_t)3;
  memset(to + head + n, 0, whole - head - n);
  ln_buf_truncate(out, had + whole);
  return LN_OK;
}

const char *ln_gzip_library(void)
{
  return zlibVersion();
}
