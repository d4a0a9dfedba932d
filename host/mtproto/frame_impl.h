/* Inside mtproto's framing: what frame.c and its codecs (frame_<kind>.c, frame_obfuscated.c) share. Nobody
 * else includes it. */
#ifndef LN_MTPROTO_FRAME_IMPL_H
#define LN_MTPROTO_FRAME_IMPL_H

#include "crypto/aes.h"
#include "mtproto/frame.h"

#define LN_FRAME_MIN 24         /* a plaintext message with one number in it; nothing shorter is a message */
#define LN_OBFUSCATED_HEADER 64 /* bytes */
#define LN_FRAME_MAX_PAD 15     /* of padded intermediate */
#define LN_TAG_ABRIDGED 0xefefefefu
#define LN_TAG_INTERMEDIATE 0xeeeeeeeeu
#define LN_TAG_PADDED 0xddddddddu

/* What a codec's parse found at the front of the plain bytes. */
struct ln_frame_span {
  size_t whole;   /* bytes of the frame, all of them there */
  size_t at, len; /* its payload */
  bool quick_ack; /* no payload, but a token */
  uint32_t token;
};

struct ln_frame_codec {
  uint32_t tag;    /* the first word of a stream, and of an obfuscated header; 0: it has none */
  size_t tag_size; /* bytes of it that a plain stream begins with */
  /* LN_OK, LN_E_AGAIN, LN_E_FRAME. Changes f only where it gives LN_OK. */
  int (*parse)(struct ln_frame *f, const uint8_t *data, size_t n, struct ln_frame_span *span);
  /* Size of what stands before a payload of len bytes, and after it. The latter may be drawn at random. */
  size_t (*head_size)(size_t len);
  int (*tail_size)(struct ln_frame *f, size_t *tail);
  /* Writes both around the payload that is in its place by now. */
  int (*close)(struct ln_frame *f, uint8_t *frame, size_t head, size_t len, size_t tail);
};

extern const struct ln_frame_codec ln_frame_abridged, ln_frame_intermediate, ln_frame_padded, ln_frame_full;

struct ln_frame {
  struct ln_frame_config config;
  struct ln_rng rng;
  const struct ln_frame_codec *codec; /* server: NULL until the first bytes told */
  bool server;
  bool greeted; /* the hello is written (client) */
  bool broken;
  struct ln_aes_ctr rx, tx; /* of obfuscated streams */
  size_t eaten;             /* bytes of `in` that the event before covers */
  size_t plain;             /* bytes at the front of `in` that are decrypted already */
  uint32_t rx_seqno, tx_seqno;
  struct {
    bool open;
    size_t at, prefix, head, len, tail; /* at: offset in out; prefix: the late header of obfuscated full */
  } begun;
};

/* Is this the beginning of another protocol, or of a plain stream (T4)? */
bool ln_frame_forbidden(const uint8_t first[8]);
/* Client: makes the 64 bytes that open an obfuscated stream, and both its ciphers. */
int ln_obfuscated_open(struct ln_frame *f, uint32_t tag, uint8_t header[LN_OBFUSCATED_HEADER]);
/* Server: reads them, in place, and gives the tag. */
int ln_obfuscated_accept(struct ln_frame *f, uint8_t header[LN_OBFUSCATED_HEADER], uint32_t *tag);
/* A length field within M1's bounds? Codes of 4 bytes pass too. */
bool ln_frame_length_fits(size_t len);

#endif
