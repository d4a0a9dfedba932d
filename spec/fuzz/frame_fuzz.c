/* Framing under bytes of a stranger: a server that has to find out what they are, clients of every way, and
 * true streams with bits flipped. The first byte chooses, the second is the size of the pieces. */
#include <stdlib.h>

#include "base/buf.h"
#include "crypto/rand.h"
#include "mtproto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define IN_MAX ((size_t)1 << 20)

static void check(bool holds)
{
  if (!holds) abort();
}

/* Feeds bytes in pieces and looks at every event. */
static void drink(struct ln_frame *f, const uint8_t *data, size_t size, size_t piece)
{
  struct ln_buf in;
  struct ln_frame_event ev;
  ln_buf_init(&in, IN_MAX);
  int err = LN_E_AGAIN;
  for (size_t at = 0; at < size && err == LN_E_AGAIN; at += piece) {
    size_t n = size - at < piece ? size - at : piece;
    if (ln_buf_append(&in, data + at, n)) break;
    while ((err = ln_frame_next(f, &in, &ev)) == LN_OK) {
      const uint8_t *live = ln_buf_data(&in);
      switch (ev.kind) {
      case LN_FRAME_PAYLOAD:
        check(ev.len >= 20 && ev.payload >= live && ev.payload + ev.len <= live + in.len);
        memset(ev.payload, 0xa5, ev.len); /* it is ours to write to */
        break;
      case LN_FRAME_ERROR_CODE: check(ev.code > 0 && ev.code < 1000); break;
      case LN_FRAME_QUICK_ACK: check(ev.token >> 31); break;
      }
    }
  }
  check(err == LN_E_AGAIN || err == LN_E_FRAME);
  check(in.cap <= 2 * size + 256);
  if (err == LN_E_FRAME) check(ln_frame_next(f, &in, &ev) == LN_E_FRAME);
  ln_buf_deinit(&in);
}

/* A client's true stream of three payloads, with the input's bytes laid over it by xor from the end. */
static void drink_flipped(struct ln_frame *client, struct ln_frame *server, const uint8_t *data, size_t size,
                          size_t piece)
{
  struct ln_buf out;
  uint8_t *to;
  ln_buf_init(&out, IN_MAX);
  check(ln_frame_hello(client, &out) == LN_OK);
  for (size_t i = 0; i < 3; i++) {
    size_t n = 24 + 4 * ((size * 37 + i * 151) % 300);
    check(ln_frame_begin(client, &out, n, &to) == LN_OK);
    memset(to, (int)i, n);
    check(ln_frame_end(client, &out) == LN_OK);
  }
  uint8_t *stream = ln_buf_data(&out);
  for (size_t i = 0; i < size && i < out.len; i++) stream[out.len - 1 - i] ^= data[i];
  drink(server, stream, out.len, piece);
  ln_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct ln_rng_seeded seed;
  struct ln_rng rng = ln_rng_seeded(&seed, size);
  struct ln_frame *client, *server;
  if (size < 2) return 0;
  struct ln_frame_config config = {
      .kind = (enum ln_frame_kind)(data[0] & 3), .obfuscated = data[0] & 4, .dc = 2};
  size_t piece = data[1] ? data[1] : size;
  unsigned mode = data[0] >> 3 & 3;
  data += 2;
  size -= 2;
  check(ln_frame_client_new(&config, &rng, &client) == LN_OK);
  check(ln_frame_server_new(&rng, &server) == LN_OK);
  if (mode == 0) {
    drink(server, data, size, piece);
  } else if (mode == 1) {
    struct ln_buf hello;
    ln_buf_init(&hello, 64);
    check(ln_frame_hello(client, &hello) == LN_OK);
    /* Obfuscated full has no ciphers before its first frame, and may expect nothing yet. */
    if (!(config.obfuscated && config.kind == LN_FRAME_FULL)) drink(client, data, size, piece);
    ln_buf_deinit(&hello);
  } else {
    drink_flipped(client, server, data, size, piece);
  }
  ln_frame_free(client);
  ln_frame_free(server);
  return 0;
}
