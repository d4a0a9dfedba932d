/* gzip_packed under bytes of a stranger: the input as a stream, and the input packed and unpacked again,
 * which gives the input. What comes out never exceeds the cap by more than a piece. */
#include <stdlib.h>

#include "mtproto/gzip.h"
#include "tl/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CAP ((size_t)1 << 20)

static void check(bool holds)
{
  if (!holds) abort();
}

static void there_and_back(struct ln_gzip *z, struct ln_slice plain, struct ln_buf *out)
{
  struct ln_buf packed;
  ln_buf_init(&packed, 1 << 24);
  int err = ln_gzip_pack(z, plain, &packed);
  if (err) {
    check(err == LN_E_AGAIN && packed.len == 0);
  } else {
    struct ln_reader r;
    ln_reader_init(&r, ln_buf_slice(&packed));
    ln_read_u32(&r);
    struct ln_slice stream = ln_read_bytes(&r);
    check(ln_reader_finish(&r) == LN_OK);
    check(packed.len <= plain.n - plain.n / 10 + 4);
    check(ln_gzip_unpack(z, stream, out, plain.n) == LN_OK);
    check(ln_slice_equal(ln_buf_slice(out), plain));
  }
  ln_buf_deinit(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct ln_gzip *z; /* kept: a bad stream must not spoil the next one */
  struct ln_buf out;
  if (!z) check(ln_gzip_new(&z) == LN_OK);
  ln_buf_init(&out, 4 * CAP);
  if (ln_gzip_unpack(z, ln_slice(data, size), &out, CAP) == LN_OK) check(out.len <= CAP);
  there_and_back(z, ln_slice(data, size), &out);
  ln_buf_deinit(&out);
  return 0;
}
