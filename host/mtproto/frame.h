/* Transport framing, both roles: bytes of a socket to payloads and back. A payload is a whole MTProto message
 * (plaintext or encrypted). https://core.telegram.org/mtproto/mtproto-transports The owner keeps two ln_buf:
 * what came in (frames are decrypted in it, in place) and what goes out. */
#ifndef LN_MTPROTO_FRAME_H
#define LN_MTPROTO_FRAME_H

#include "base/buf.h"
#include "crypto/rand.h"

#define LN_FRAME_MAX ((size_t)16 << 20) /* M1: larger payloads are refused */

enum ln_frame_kind {
  LN_FRAME_ABRIDGED,
  LN_FRAME_INTERMEDIATE,
  LN_FRAME_PADDED,
  LN_FRAME_FULL,
};

struct ln_frame_config {
  enum ln_frame_kind kind;
  bool obfuscated;
  int dc; /* goes into the obfuscated header */
};

/* "abridged", "intermediate", "padded", "full", with "obfuscated-" before it if wanted. LN_E_INVAL. */
int ln_frame_config_parse(const char *name, struct ln_frame_config *out);

struct ln_frame;

int ln_frame_client_new(const struct ln_frame_config *config, const struct ln_rng *rng,
                        struct ln_frame **out);
/* A server's end finds out kind and obfuscation from the first bytes. */
int ln_frame_server_new(const struct ln_rng *rng, struct ln_frame **out);
void ln_frame_free(struct ln_frame *f);
const struct ln_frame_config *
ln_frame_get_config(const struct ln_frame *f); /* server: valid after the first payload */

/* What a client sends before its first payload; appended to out. */
int ln_frame_hello(struct ln_frame *f, struct ln_buf *out);

enum ln_frame_event_kind {
  LN_FRAME_PAYLOAD,    /* payload: mutable, inside `in`, dead at the next call on `in` */
  LN_FRAME_ERROR_CODE, /* code: 404, 429, 444 (positive); unauthenticated, see T1 */
  LN_FRAME_QUICK_ACK,  /* token; a hint, never durability (T2) */
};

struct ln_frame_event {
  enum ln_frame_event_kind kind;
  uint8_t *payload;
  size_t len; /* with the random bytes that padded intermediate adds (< 16): the envelope cuts them */
  int code;
  uint32_t token;
};

/* The next event of `in`. The bytes of the event before are consumed first, so the payload stays valid
 * between calls (do not append to `in` while it is used). LN_E_AGAIN: more bytes are needed. LN_E_FRAME:
 * broken, close. Never allocates, save for a server's two ciphers as an obfuscated stream opens. */
int ln_frame_next(struct ln_frame *f, struct ln_buf *in, struct ln_frame_event *ev);

/* Writes one frame without copying its payload: begin appends the header and reserves len bytes for the
 * caller to fill; end completes it (padding, CRC, obfuscation). Exactly one begin/end pair at a time. len % 4
 * == 0. */
int ln_frame_begin(struct ln_frame *f, struct ln_buf *out, size_t len, uint8_t **payload);
int ln_frame_end(struct ln_frame *f, struct ln_buf *out);
/* Server: a transport error code (404, …) as a frame. */
int ln_frame_error(struct ln_frame *f, struct ln_buf *out, int code);

#endif
