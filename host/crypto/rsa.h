/* RSA keys of 2048 bits as the key exchange uses them: RSA_PAD and, on the sandbox's side alone, the older
 * padding.
 * https://core.telegram.org/mtproto/auth_key#41-rsa-paddata-server-public-key-mentioned-above-is-implemented-as-follows
 */
#ifndef LN_CRYPTO_RSA_H
#define LN_CRYPTO_RSA_H

#include "base/buf.h"
#include "crypto/rand.h"

struct ln_rsa; /* public key, or a key pair */

/* PEM: public as PKCS#1 or SubjectPublicKeyInfo, private as PKCS#1 or PKCS#8. `pem` may hold more text around
 * the block; `used` (may be NULL) gets the bytes up to the end of the block, so that a file of several keys
 * can be walked. LN_E_BAD_KEY for anything but a 2048-bit modulus (first bit set) with exponent 65537 or 17.
 * LN_E_NOT_FOUND: no block left. */
int ln_rsa_parse_public(struct ln_slice pem, struct ln_rsa **out, size_t *used);
int ln_rsa_parse_private(struct ln_slice pem, struct ln_rsa **out);
int ln_rsa_generate(struct ln_rsa **out); /* 2048 bits, e = 65537; takes a second: call it off the loop */
void ln_rsa_free(struct ln_rsa *k);       /* NULL is fine */
/* Appends PEM: PKCS#1 public, PKCS#8 private. */
int ln_rsa_write_public(const struct ln_rsa *k, struct ln_buf *out);
int ln_rsa_write_private(const struct ln_rsa *k, struct ln_buf *out);
/* Lower 64 bits of SHA1 of the TL-serialised bare rsa_public_key n:string e:string. */
uint64_t ln_rsa_fingerprint(const struct ln_rsa *k);

/* RSA_PAD of data (<= 144 bytes); fresh temp_key until the padded number is below n. out: exactly 256 bytes.
 */
int ln_rsa_pad_encrypt(const struct ln_rsa *k, const struct ln_rng *rng, struct ln_slice data,
                       uint8_t out[256]);
/* Inverse, with the private key: 192 bytes data_with_padding. LN_E_DECRYPT where the hash does not fit. */
int ln_rsa_pad_decrypt(const struct ln_rsa *k, const uint8_t in[256], uint8_t out[192]);
/* The older padding, server side: SHA1(data) + data + random to 255 bytes. Gives the 235 bytes after the
 * hash; the caller parses the object in them and compares the hash (first 20) over its exact bytes. */
int ln_rsa_old_decrypt(const struct ln_rsa *k, const uint8_t in[256], uint8_t hash[20], uint8_t out[235]);
/* The older padding, client side: for specs of the server alone. */
int ln_rsa_old_encrypt(const struct ln_rsa *k, const struct ln_rng *rng, struct ln_slice data,
                       uint8_t out[256]);

#endif
