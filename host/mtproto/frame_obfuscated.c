/* The 64 bytes that open an obfuscated stream, from which both ends take their AES-CTR ciphers. Called by
 * frame.c. It hides the protocol from a simple filter and protects nothing.
 * https://core.telegram.org/mtproto/mtproto-transports#transport-obfuscation */
#include "mtproto/frame_impl.h"

#include "crypto/hash.h"
#include "mtproto/check.h"

#define KEYS_AT 8 /* 32 bytes of key, 16 of counter; read backwards they are the other direction's */
#define KEYS_LEN 48
#define TAG_AT 56
#define DC_AT 60

bool ln_frame_forbidden(const uint8_t first[8])
{
  static const uint8_t taken[][4] = {
      {'H', 'E', 'A', 'D'},     {'P', 'O', 'S', 'T'},     {'G', 'E', 'T', ' '},     {'O', 'P', 'T', 'I'},
      {0x16, 0x03, 0x01, 0x02}, {0xdd, 0xdd, 0xdd, 0xdd}, {0xee, 0xee, 0xee, 0xee},
  };
  if (first[0] == 0xef || ln_le32(first + 4) == 0) return true;
  for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
    if (memcmp(first, taken[i], 4) == 0) return true;
  return false;
}

static int make_ciphers(const uint8_t header[LN_OBFUSCATED_HEADER], struct ln_aes_ctr *forth,
                        struct ln_aes_ctr *back)
{
  uint8_t reversed[KEYS_LEN];
  const uint8_t *keys = header + KEYS_AT;
  for (int i = 0; i < KEYS_LEN; i++) reversed[i] = keys[KEYS_LEN - 1 - i];
  int err = ln_aes_ctr_init(forth, keys, keys + 32);
  if (!err) err = ln_aes_ctr_init(back, reversed, reversed + 32);
  ln_cleanse(reversed, sizeof reversed);
  return err;
}

int ln_obfuscated_open(struct ln_frame *f, uint32_t tag, uint8_t header[LN_OBFUSCATED_HEADER])
{
  /* One draw in sixty or so is refused; a generator that keeps giving such bytes is broken. */
  int tries = 0, err;
  do {
    if (tries++ == 64) return LN_E_CRYPTO;
    err = ln_rng_fill(&f->rng, header, LN_OBFUSCATED_HEADER);
    if (err) return err;
  } while (!LN_CHECK(T4, !ln_frame_forbidden(header)));
  ln_put_le32(header + TAG_AT, tag);
  header[DC_AT] = (uint8_t)f->config.dc;
  header[DC_AT + 1] = (uint8_t)(f->config.dc >> 8);
  err = make_ciphers(header, &f->tx, &f->rx);
  if (err) return err;
  uint8_t hidden[LN_OBFUSCATED_HEADER];
  memcpy(hidden, header, sizeof hidden);
  ln_aes_ctr_apply(&f->tx, hidden, sizeof hidden);
  memcpy(header + TAG_AT, hidden + TAG_AT, LN_OBFUSCATED_HEADER - TAG_AT);
  ln_cleanse(hidden, sizeof hidden);
  return LN_OK;
}

int ln_obfuscated_accept(struct ln_frame *f, uint8_t header[LN_OBFUSCATED_HEADER], uint32_t *tag)
{
  int err = make_ciphers(header, &f->rx, &f->tx);
  if (err) return err;
  ln_aes_ctr_apply(&f->rx, header, LN_OBFUSCATED_HEADER);
  *tag = ln_le32(header + TAG_AT);
  f->config.dc = (int16_t)(header[DC_AT] | header[DC_AT + 1] << 8);
  f->config.obfuscated = true;
  return LN_OK;
}
