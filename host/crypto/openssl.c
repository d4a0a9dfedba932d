/* Opens libcrypto: see openssl.h and init.h. Owns the table; the library stays until the process ends. */
#include "crypto/openssl.h"

#include <pthread.h>
#include <stdbool.h>
#include "crypto/init.h"

#ifdef LN_CRYPTO_LATE
#include <dlfcn.h>
#include <openssl/opensslv.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

static struct ln_openssl table;

static bool find(void)
{
  static const struct {
    const char *name;
    void **at;
  } rows[] = {
#define ROW(name) {#name, (void **)&table.name},
      LN_OPENSSL_FUNCTIONS(ROW)
#undef ROW
  };
  void *library = dlopen("libcrypto.so." TEXT(OPENSSL_SHLIB_VERSION), RTLD_NOW | RTLD_LOCAL);
  if (!library) return false;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (!(*rows[i].at = dlsym(library, rows[i].name))) return false;
  return true;
}
#else
static const struct ln_openssl table = {
#define ENTRY(name) name,
    LN_OPENSSL_FUNCTIONS(ENTRY)
#undef ENTRY
};

static bool find(void)
{
  return true;
}
#endif

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool ready;

static void open_library(void)
{
  if (!find()) return;
  /* The configuration file may load engines and providers: code that we did not choose, and milliseconds. */
  table.OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
  ready = true;
}

const struct ln_openssl *ln_openssl(void)
{
  pthread_once(&once, open_library);
  return ready ? &table : NULL;
}

void ln_crypto_init(void)
{
  ln_openssl();
}

const char *ln_crypto_library(void)
{
  const struct ln_openssl *o = ln_openssl();
  return o ? o->OpenSSL_version(OPENSSL_VERSION) : "no OpenSSL";
}
