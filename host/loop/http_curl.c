/* Opens libcurl: see http_curl.h. */
#ifdef LN_HAVE_CURL
#include "loop/http_curl.h"

#include <dlfcn.h>

struct ln_curl ln_curl;

int ln_curl_open(const char **why)
{
#ifdef __APPLE__
  static const char *const names[] = {"libcurl.4.dylib", "libcurl.dylib"};
#else
  static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so"};
#endif
  static bool open;
  void *lib = NULL;
  if (open) return LN_OK;
  for (size_t i = 0; !lib && i < sizeof names / sizeof *names; i++)
    lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (!lib) {
    *why = "libcurl is missing: install the package libcurl4 (Debian), libcurl (Fedora, Alpine) or curl";
    return LN_E_NOT_FOUND;
  }
  struct {
    const char *name;
    void **at;
  } table[] = {
#define LN_CURL_ROW(name) {"curl_" #name, (void **)&ln_curl.name},
      LN_CURL_FUNCTIONS(LN_CURL_ROW)
#undef LN_CURL_ROW
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    *table[i].at = dlsym(lib, table[i].name);
    if (!*table[i].at) {
      *why = "libcurl is too old: 7.80 or later is needed";
      return LN_E_NOT_FOUND;
    }
  }
  const curl_version_info_data *version = ln_curl.version_info(CURLVERSION_NOW);
  if (version->version_num < 0x075000 || !(version->features & CURL_VERSION_SSL)) {
    *why = "libcurl is too old (7.80 or later is needed) or has no TLS";
    return LN_E_NOT_FOUND;
  }
  if (ln_curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    *why = "libcurl would not start";
    return LN_E_NOT_FOUND;
  }
  open = true; /* and stays so: the library is not unloaded */
  return LN_OK;
}

const char *ln_http_version(void)
{
  return ln_curl.version_info(CURLVERSION_NOW)->version;
}
#else
typedef int ln_http_curl_is_not_built;
#endif
