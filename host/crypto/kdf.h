/* The auth key, its ids, and the keys that MTProto derives from it.
 * https://core.telegram.org/mtproto/description#defining-aes-key-and-initialization-vector */
#ifndef LN_CRYPTO_KDF_H
#define LN_CRYPTO_KDF_H

#include "base/err.h"
#include "base/slice.h"

struct ln_auth_key {
  uint8_t key[256];
  uint64_t id;       /* lower 64 bits of SHA1(key), as it stands on the wire read little-endian */
  uint64_t aux_hash; /* higher 64 bits of SHA1(key) */
};

enum ln_direction {
  LN_TO_SERVER = 0, /* x = 0 */
  LN_TO_CLIENT = 8, /* x = 8 */
};

void ln_auth_key_init(struct ln_auth_key *k, const uint8_t key[256]);
/* msg_key of MTProto 2.0: middle 128 bits of SHA256(key[88+x .. 120+x] + plaintext with padding). */
void ln_msg_key(const struct ln_auth_key *k, enum ln_direction x, struct ln_slice plaintext,
                uint8_t msg_key[16]);
void ln_kdf(const struct ln_auth_key *k, const uint8_t msg_key[16], enum ln_direction x, uint8_t aes_key[32],
            uint8_t aes_iv[32]);
/* MTProto 1.0, built on SHA-1: for the message that binds a temporary key (mtproto/binding.c) and nothing
 * else. msg_key: the lower 128 bits of SHA1(plaintext without padding).
 * https://core.telegram.org/mtproto/description_v1#defining-aes-key-and-initialization-vector */
void ln_kdf_old(const struct ln_auth_key *k, const uint8_t msg_key[16], enum ln_direction x,
                uint8_t aes_key[32], uint8_t aes_iv[32]);
/* The key exchange's temporary AES key: from new_nonce and server_nonce.
 * https://core.telegram.org/mtproto/auth_key#6-client-responds-with */
void ln_kdf_exchange(const uint8_t new_nonce[32], const uint8_t server_nonce[16], uint8_t aes_key[32],
                     uint8_t aes_iv[32]);

#endif
