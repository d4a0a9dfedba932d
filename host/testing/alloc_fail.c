/* See alloc_fail.h. */
#include "testing/alloc_fail.h"
#include "base/alloc.h"

static size_t countdown, seen;

static int gate(size_t n)
{
  (void)n;
  seen++;
  return countdown && --countdown == 0;
}

void ln_alloc_fail_at(size_t nth)
{
  countdown = nth;
  seen = 0;
  ln_alloc_gate = gate;
}

size_t ln_alloc_seen(void)
{
  return seen;
}
