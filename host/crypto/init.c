/* See init.h. Owns nothing: what OpenSSL sets up lives until the process ends. */
#include "crypto/init.h"

#include <pthread.h>
#include <openssl/crypto.h>

static pthread_once_t init_once = PTHREAD_ONCE_INIT;

static void init(void)
{
  /* The configuration file may load engines and providers: code that we did not choose, and milliseconds. */
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
}

void ln_crypto_init(void)
{
  pthread_once(&init_once, init);
}
