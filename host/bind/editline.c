/* See editline.h. */
#include "bind/editline.h"

#include <dlfcn.h>
#include <string.h>

const struct ln_editline *ln_editline(void)
{
  static struct ln_editline lib;
  static void *handle;
  static const char *const names[] = {"libedit.so.2", "libedit.so.0", "libedit.so", "libedit.3.dylib"};
  if (handle) return &lib;
  for (size_t i = 0; i < sizeof names / sizeof *names && !handle; i++)
    handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (!handle) return NULL;
  int missing = 0;
  void *p;
#define LN_EDITLINE_LOAD(name) \
  p = dlsym(handle, #name);    \
  missing += !p;               \
  memcpy(&lib.name, &p, sizeof p); /* ISO C has no cast from object to function pointers */
  LN_EDITLINE_FUNCTIONS(LN_EDITLINE_LOAD)
  LN_EDITLINE_LOAD(rl_readline_name)
  LN_EDITLINE_LOAD(rl_catch_signals)
  LN_EDITLINE_LOAD(rl_line_buffer)
  LN_EDITLINE_LOAD(rl_attempted_completion_function)
  LN_EDITLINE_LOAD(rl_attempted_completion_over)
  LN_EDITLINE_LOAD(rl_completion_append_character)
#undef LN_EDITLINE_LOAD
  if (!missing) return &lib;
  dlclose(handle);
  handle = NULL;
  return NULL;
}
