/* Inside crypto/: what an RSA key is made of; rsa_pem.c reads and writes it, rsa.c computes with it. */
#ifndef LN_CRYPTO_RSA_KEY_H
#define LN_CRYPTO_RSA_KEY_H

#include "crypto/rsa.h"

enum ln_rsa_part {
  LN_RSA_N,
  LN_RSA_E,
  LN_RSA_D, /* from here on zero in a public key */
  LN_RSA_P,
  LN_RSA_Q,
  LN_RSA_DP,
  LN_RSA_DQ,
  LN_RSA_QINV,
  LN_RSA_PARTS
};

#define LN_RSA_BYTES 256

struct ln_rsa {
  uint8_t part[LN_RSA_PARTS][LN_RSA_BYTES]; /* big-endian, zeros in front */
  bool private;
  uint64_t fingerprint;
};

/* A part without the zeros in front of it: empty where it is zero. */
struct ln_slice ln_rsa_part(const struct ln_rsa *k, int part);
/* Checks size, exponent and (where there is one) the private half, and fills in the fingerprint.
 * LN_E_BAD_KEY, LN_E_NOMEM, LN_E_CRYPTO. */
int ln_rsa_key_finish(struct ln_rsa *k);

#endif
