/* See alloc.h. */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

int (*ln_alloc_gate)(size_t n) = NULL;

void *ln_malloc(size_t n)
{
  if (ln_alloc_gate && ln_alloc_gate(n)) return NULL;
  return malloc(n ? n : 1);
}

void *ln_calloc(size_t count, size_t size)
{
  if (ln_alloc_gate && ln_alloc_gate(size)) return NULL;
  return calloc(count ? count : 1, size ? size : 1);
}

void *ln_realloc(void *p, size_t n)
{
  if (ln_alloc_gate && ln_alloc_gate(n)) return NULL;
  return realloc(p, n ? n : 1);
}

void ln_free(void *p)
{
  free(p);
}

char *ln_strdup(const char *s)
{
  size_t n = strlen(s) + 1;
  char *copy = ln_malloc(n);
  if (copy) memcpy(copy, s, n);
  return copy;
}
