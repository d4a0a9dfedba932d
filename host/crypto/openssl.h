/* Inside crypto/: libcrypto as a table of functions, for all that a start with a saved session does without.
 * Mapping the library and filling in its 20,000 addresses is a sixth of such a start and half a megabyte for
 * as long as the program runs. Hashes and AES by the block, which have to be there always, come from its
 * archive. Where there is none, all of it is linked as usual. */
#ifndef LN_CRYPTO_OPENSSL_H
#define LN_CRYPTO_OPENSSL_H

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#define LN_OPENSSL_FUNCTIONS(X) \
  X(BN_CTX_free)                \
  X(BN_CTX_new)                 \
  X(BN_CTX_secure_new)          \
  X(BN_bin2bn)                  \
  X(BN_bn2binpad)               \
  X(BN_check_prime)             \
  X(BN_clear_free)              \
  X(BN_cmp)                     \
  X(BN_free)                    \
  X(BN_mod_exp_mont)            \
  X(BN_mod_exp_mont_consttime)  \
  X(BN_new)                     \
  X(BN_num_bits)                \
  X(BN_rshift1)                 \
  X(BN_secure_new)              \
  X(BN_set_bit)                 \
  X(BN_set_flags)               \
  X(BN_set_word)                \
  X(BN_sub)                     \
  X(EVP_CIPHER_CTX_free)        \
  X(EVP_CIPHER_CTX_new)         \
  X(EVP_CIPHER_CTX_set_padding) \
  X(EVP_CIPHER_fetch)           \
  X(EVP_CipherInit_ex2)         \
  X(EVP_CipherUpdate)           \
  X(EVP_EncryptInit_ex2)        \
  X(EVP_EncryptUpdate)          \
  X(EVP_PKEY_Q_keygen)          \
  X(EVP_PKEY_free)              \
  X(EVP_PKEY_get_bn_param)      \
  X(OPENSSL_init_crypto)        \
  X(OpenSSL_version)

struct ln_openssl {
#define LN_OPENSSL_MEMBER(name) __typeof__(&name) name;
  LN_OPENSSL_FUNCTIONS(LN_OPENSSL_MEMBER)
#undef LN_OPENSSL_MEMBER
};

/* Ready for use, from any thread. NULL where the library is missing: LN_E_CRYPTO is what the caller gives
 * then. */
const struct ln_openssl *ln_openssl(void);

#endif
