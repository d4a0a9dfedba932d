/* Names of files from strangers: whatever the bytes, one harmless component of a path comes out, and cleaning
 * it again changes nothing. */
#include <stdlib.h>

#include "base/filename.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
  if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char out[LN_FILENAME_MAX + 1], again[LN_FILENAME_MAX + 1];
  ln_filename_clean(ln_slice(data, size), out);
  size_t n = strlen(out);
  check(n >= 1 && n <= LN_FILENAME_MAX);
  for (size_t i = 0; i < n; i++)
    check((uint8_t)out[i] >= 0x20 && out[i] != 0x7f && !strchr("/\\:*?\"<>|", out[i]));
  check(out[0] != '.' && out[0] != ' ' && out[0] != '-' && out[n - 1] != '.' && out[n - 1] != ' ');
  ln_filename_clean(ln_slice_str(out), again);
  check(strcmp(out, again) == 0);
  return 0;
}
