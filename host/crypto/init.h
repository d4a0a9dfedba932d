/* OpenSSL as this program wants it: without its configuration file, and with the few algorithms that are used
 * again and again fetched once. Every function of crypto/ that needs it calls ln_crypto_init itself; the
 * program calls it first thing, so that no other library's use of OpenSSL loads the configuration. */
#ifndef LN_CRYPTO_INIT_H
#define LN_CRYPTO_INIT_H

/* Any thread, any number of times; a few nanoseconds after the first. */
void ln_crypto_init(void);

#endif
