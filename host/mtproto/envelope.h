/* The encrypted envelope of MTProto 2.0, both directions: a payload is sealed and opened in place, without an
 * allocation. Called by session_send.c, dispatch.c and the server's session. Checks M1–M4.
 * https://core.telegram.org/mtproto/description#encrypted-message */
#ifndef LN_MTPROTO_ENVELOPE_H
#define LN_MTPROTO_ENVELOPE_H

#include "base/err.h"
#include "base/slice.h"
#include "crypto/kdf.h"
#include "crypto/rand.h"

/* auth_key_id, msg_key; then (encrypted) salt, session_id, msg_id, seqno, length, body, padding. */
#define LN_ENVELOPE_OUTER 24
#define LN_ENVELOPE_INNER 32
#define LN_ENVELOPE_BODY (LN_ENVELOPE_OUTER + LN_ENVELOPE_INNER) /* where the body starts in a payload */
#define LN_ENVELOPE_MIN_PADDING 12
#define LN_ENVELOPE_MAX_PADDING 1024

struct ln_plain {
  uint64_t salt, session_id, msg_id;
  uint32_t seqno;
  struct ln_slice body; /* inside the payload */
};

/* Bytes of a payload with a body of n bytes (n % 4 == 0) and the least padding. */
static inline size_t ln_envelope_size(size_t n)
{
  return LN_ENVELOPE_OUTER + ((LN_ENVELOPE_INNER + n + LN_ENVELOPE_MIN_PADDING + 15) & ~(size_t)15);
}

/* Seals a payload of `size` bytes whose body (n bytes) already stands at LN_ENVELOPE_BODY; size is
 * ln_envelope_size(n), or more by a multiple of 16, up to 1024 bytes of padding. plain->body is not read.
 * LN_E_INVAL for other sizes; LN_E_CRYPTO where there is no randomness. */
int ln_envelope_seal(const struct ln_auth_key *key, enum ln_direction x, const struct ln_rng *rng,
                     const struct ln_plain *plain, uint8_t *payload, size_t size, size_t n);

/* Opens a payload in place; up to 15 bytes at its end that padded transports add are cut. Every failure is
 * LN_E_DECRYPT, by one path and with the same work for the same length; the payload's content is garbage
 * then. */
int ln_envelope_open(const struct ln_auth_key *key, enum ln_direction x, uint8_t *payload, size_t len,
                     struct ln_plain *out);

/* Reads the header of what ln_envelope_open has verified: `plain` is everything from the salt to the end of
 * the body. LN_E_TRUNCATED. */
int ln_plain_parse(struct ln_slice plain, struct ln_plain *out);

#endif
