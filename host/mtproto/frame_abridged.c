/* Abridged framing: the length in words, in one byte or in four, then the payload.
 * https://core.telegram.org/mtproto/mtproto-transports#abridged Called by frame.c through its codec. */
#include "mtproto/frame_impl.h"

#define LONG_FORM 0x7f
#define QUICK_ACK 0x80 /* from a client: it asks for one; from a server: this is one */

static int parse(struct ln_frame *f, const uint8_t *data, size_t n, struct ln_frame_span *span)
{
  if (n < 1) return LN_E_AGAIN;
  if (data[0] & QUICK_ACK && !f->server) {
    if (n < 4) return LN_E_AGAIN;
    span->quick_ack = true;
    /* Here alone the token stands in big-endian order, so that the mark comes first. */
    span->token = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
    span->whole = 4;
    return LN_OK;
  }
  size_t words = data[0] & LONG_FORM;
  span->at = 1;
  if (words == LONG_FORM) {
    if (n < 4) return LN_E_AGAIN;
    words = (size_t)data[1] | (size_t)data[2] << 8 | (size_t)data[3] << 16;
    span->at = 4;
  }
  span->len = words * 4;
  if (!ln_frame_length_fits(span->len)) return LN_E_FRAME;
  span->whole = span->at + span->len;
  return n < span->whole ? LN_E_AGAIN : LN_OK;
}

static size_t head_size(size_t len)
{
  return len / 4 < LONG_FORM ? 1 : 4;
}

static int tail_size(struct ln_frame *f, size_t *tail)
{
  (void)f;
  *tail = 0;
  return LN_OK;
}

static int close_frame(struct ln_frame *f, uint8_t *frame, size_t head, size_t len, size_t tail)
{
  (void)f;
  (void)tail;
  size_t words = len / 4;
  if (head == 1) {
    frame[0] = (uint8_t)words;
  } else {
    ln_put_le32(frame, (uint32_t)words << 8 | LONG_FORM);
  }
  return LN_OK;
}

const struct ln_frame_codec ln_frame_abridged = {
    .tag = LN_TAG_ABRIDGED,
    .tag_size = 1,
    .parse = parse,
    .head_size = head_size,
    .tail_size = tail_size,
    .close = close_frame,
};
