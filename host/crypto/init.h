/* OpenSSL as this program wants it: opened when it is first needed (openssl.h), and without its configuration
 * file. */
#ifndef LN_CRYPTO_INIT_H
#define LN_CRYPTO_INIT_H

/* What brings a library that uses OpenSSL too calls this first, so that the library's own use does not load
 * the configuration. Any thread, any number of times. */
void ln_crypto_init(void);
/* OpenSSL as it was loaded, with its version. */
const char *ln_crypto_library(void);

#endif
