/* The Lua sources inside the program, as the generator writes them (build/gen/lua_embedded.c). */
#ifndef LN_BIND_EMBEDDED_H
#define LN_BIND_EMBEDDED_H

#include <stddef.h>

struct ln_embedded {
  const char *name; /* "luna.promise" */
  const unsigned char *bytes;
  size_t size;
};

extern const struct ln_embedded ln_embedded_modules[]; /* sorted by name; ends with a NULL name */
extern const char ln_embedded_root[]; /* source root where modules are read from disk, or "" */

#endif
