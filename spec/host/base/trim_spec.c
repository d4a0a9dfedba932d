/* Memory given back: pages of code go, and all that stood in memory that may be written stays as it was. */
#include "base/trim.h"
#include "spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = {"relocated", "pointers", "to", "constants"};

/* KiB of pages that come from files. */
static long from_files(void)
{
  char line[256];
  long kib = -1;
  FILE *f = fopen("/proc/self/status", "r");
  if (!f) return -1;
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "RssFile: %ld", &kib) == 1) break;
  fclose(f);
  return kib;
}

static void gives_back_what_comes_from_files(void **state)
{
  (void)state;
  long before = from_files();
  if (before < 0) skip();
  ln_trim();
  assert_true(from_files() < before);
}

static void leaves_everything_as_it_was(void **state)
{
  (void)state;
  char *kept = malloc(100000);
  assert_non_null(kept);
  memset(kept, 7, 100000);
  ln_trim();
  for (int i = 0; i < 100000; i++) assert_int_equal(kept[i], 7);
  assert_string_equal(words[0], "relocated");
  assert_string_equal(words[3], "constants");
  char text[32];
  snprintf(text, sizeof text, "%d %s", 42, strerror(0) ? "libc" : "");
  assert_string_equal(text, "42 libc");
  free(kept);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gives_back_what_comes_from_files),
      cmocka_unit_test(leaves_everything_as_it_was),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
