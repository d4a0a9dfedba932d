/* Full framing: length, a sequence number of the TCP connection, the payload, a CRC32 over all of them; both
 * are checked (T3). Called by frame.c through its codec.
 * https://core.telegram.org/mtproto/mtproto-transports#full */
#include "mtproto/frame_impl.h"

#include <pthread.h>

#include "mtproto/check.h"

#define OVERHEAD 12 /* length 4, seqno 4, CRC 4 */

/* Eight tables, so that a turn takes eight bytes: files go through here, and a bytewise CRC would cost more
 * than their encryption. */
static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void)
{
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; bit++) c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
    table[0][i] = c;
  }
  for (int t = 1; t < 8; t++)
    for (int i = 0; i < 256; i++) table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
}

static uint32_t crc32_of(const uint8_t *p, size_t n)
{
  uint32_t c = 0xffffffffu;
  pthread_once(&table_once, make_table);
  for (; n >= 8; p += 8, n -= 8) {
    uint32_t a = c ^ ln_le32(p), b = ln_le32(p + 4);
    c = table[7][a & 255] ^ table[6][a >> 8 & 255] ^ table[5][a >> 16 & 255] ^ table[4][a >> 24] ^
        table[3][b & 255] ^ table[2][b >> 8 & 255] ^ table[1][b >> 16 & 255] ^ table[0][b >> 24];
  }
  for (; n > 0; p++, n--) c = c >> 8 ^ table[0][(c ^ *p) & 255];
  return ~c;
}

static int parse(struct ln_frame *f, const uint8_t *data, size_t n, struct ln_frame_span *span)
{
  if (n < 4) return LN_E_AGAIN;
  uint32_t whole = ln_le32(data);
  if (whole < OVERHEAD + 4 || whole % 4 != 0 || !ln_frame_length_fits(whole - OVERHEAD)) return LN_E_FRAME;
  /* The number is looked at as soon as it is there: a stream out of step would make us wait for a length that
   * is none. */
  if (n < 8) return LN_E_AGAIN;
  if (!LN_CHECK(T3, ln_le32(data + 4) == f->rx_seqno)) return LN_E_FRAME;
  if (n < whole) return LN_E_AGAIN;
  if (!LN_CHECK(T3, ln_le32(data + whole - 4) == crc32_of(data, whole - 4))) return LN_E_FRAME;
  span->whole = whole;
  span->at = 8;
  span->len = whole - OVERHEAD;
  f->rx_seqno++;
  return LN_OK;
}

static size_t head_size(size_t len)
{
  (void)len;
  return 8;
}

static int tail_size(struct ln_frame *f, size_t *tail)
{
  (void)f;
  *tail = 4;
  return LN_OK;
}

static int close_frame(struct ln_frame *f, uint8_t *frame, size_t head, size_t len, size_t tail)
{
  ln_put_le32(frame, (uint32_t)(head + len + tail));
  ln_put_le32(frame + 4, f->tx_seqno++);
  ln_put_le32(frame + head + len, crc32_of(frame, head + len));
  return LN_OK;
}

const struct ln_frame_codec ln_frame_full = {
    .parse = parse,
    .head_size = head_size,
    .tail_size = tail_size,
    .close = close_frame,
};
