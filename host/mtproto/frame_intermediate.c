/* Intermediate framing: the length in four bytes, then the payload; and its padded sister, which adds up to
 * 15 random bytes (a server: 3) that the length counts. Called by frame.c through their codecs.
 * https://core.telegram.org/mtproto/mtproto-transports#intermediate and #padded-intermediate */
#include "mtproto/frame_impl.h"

#define QUICK_ACK 0x80000000u /* from a client: it asks for one; from a server: this is one */

static int parse_any(struct ln_frame *f, const uint8_t *data, size_t n, struct ln_frame_span *span)
{
  if (n < 4) return LN_E_AGAIN;
  uint32_t word = ln_le32(data);
  if (word & QUICK_ACK && !f->server) {
    span->quick_ack = true;
    span->token = word;
    span->whole = 4;
    return LN_OK;
  }
  span->at = 4;
  span->len = word & ~QUICK_ACK;
  if (!ln_frame_length_fits(span->len)) return LN_E_FRAME;
  span->whole = span->at + span->len;
  return n < span->whole ? LN_E_AGAIN : LN_OK;
}

static int parse(struct ln_frame *f, const uint8_t *data, size_t n, struct ln_frame_span *span)
{
  int err = parse_any(f, data, n, span);
  return (err == LN_OK || err == LN_E_AGAIN) && span->len % 4 != 0 ? LN_E_FRAME : err;
}

static size_t head_size(size_t len)
{
  (void)len;
  return 4;
}

static int no_tail(struct ln_frame *f, size_t *tail)
{
  (void)f;
  *tail = 0;
  return LN_OK;
}

static int random_tail(struct ln_frame *f, size_t *tail)
{
  uint8_t byte;
  int err = ln_rng_fill(&f->rng, &byte, 1);
  /* Some clients cut off only what keeps a payload from being whole words. */
  *tail = err ? 0 : byte & (f->server ? 3 : LN_FRAME_MAX_PAD);
  return err;
}

static int close_frame(struct ln_frame *f, uint8_t *frame, size_t head, size_t len, size_t tail)
{
  ln_put_le32(frame, (uint32_t)(len + tail));
  return tail ? ln_rng_fill(&f->rng, frame + head + len, tail) : LN_OK;
}

const struct ln_frame_codec ln_frame_intermediate = {
    .tag = LN_TAG_INTERMEDIATE,
    .tag_size = 4,
    .parse = parse,
    .head_size = head_size,
    .tail_size = no_tail,
    .close = close_frame,
};

const struct ln_frame_codec ln_frame_padded = {
    .tag = LN_TAG_PADDED,
    .tag_size = 4,
    .parse = parse_any,
    .head_size = head_size,
    .tail_size = random_tail,
    .close = close_frame,
};
