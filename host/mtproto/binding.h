/* The message that binds a temporary auth key to the permanent one, sealed by MTProto 1.0 under the permanent
 * key: the one place where that is still spoken. A client's session makes it (session_binding.c), the sandbox
 * opens it (bind/server.c). Check P2.
 * https://core.telegram.org/method/auth.bindTempAuthKey, https://core.telegram.org/api/pfs */
#ifndef LN_MTPROTO_BINDING_H
#define LN_MTPROTO_BINDING_H

#include "base/err.h"
#include "base/slice.h"
#include "crypto/kdf.h"
#include "crypto/rand.h"

/* auth_key_id, msg_key; then (encrypted) 16 random bytes, msg_id, seqno, length, bind_auth_key_inner, 8 bytes
 * of padding. */
#define LN_BINDING_SIZE 104

struct ln_binding {
  uint64_t msg_id; /* of the call that carries it */
  uint32_t seqno;  /* 0 */
  uint64_t nonce, temp_key_id, perm_key_id, session_id;
  int32_t expires_at; /* unix seconds by the server's clock */
};

/* LN_E_CRYPTO where there is no randomness. */
int ln_binding_seal(const struct ln_auth_key *perm, const struct ln_rng *rng, const struct ln_binding *b,
                    uint8_t out[LN_BINDING_SIZE]);
/* LN_E_DECRYPT for whatever is not sealed by this key, or is none; what it says is for the caller to
 * compare. */
int ln_binding_open(const struct ln_auth_key *perm, struct ln_slice sealed, struct ln_binding *out);

#endif
