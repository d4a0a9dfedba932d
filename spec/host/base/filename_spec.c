/* Names of files that strangers give: whatever comes in, one harmless component of a path comes out. */
#include "base/filename.h"
#include "spec.h"

static const char *clean_n(const char *name, size_t n)
{
  static char out[LN_FILENAME_MAX + 1];
  memset(out, 'x', sizeof out);
  ln_filename_clean(ln_slice(name, n), out);
  return out;
}

static const char *clean(const char *name)
{
  return clean_n(name, strlen(name));
}

static void keeps_good_names(void **state)
{
  (void)state;
  assert_string_equal(clean("photo.jpg"), "photo.jpg");
  assert_string_equal(clean("Отчёт (2) 最終.tar.gz"), "Отчёт (2) 最終.tar.gz");
  assert_string_equal(clean("a b"), "a b");
}

static void never_leaves_the_folder(void **state)
{
  (void)state;
  assert_string_equal(clean("../../etc/passwd"), "_.._etc_passwd");
  assert_string_equal(clean("/etc/passwd"), "_etc_passwd");
  assert_string_equal(clean(".."), "file");
  assert_string_equal(clean("."), "file");
  assert_string_equal(clean(""), "file");
  assert_string_equal(clean("C:\\x\\y.exe"), "C__x_y.exe");
  assert_string_equal(clean(".bashrc"), "bashrc");
  assert_string_equal(clean("-rf"), "rf");
  assert_string_equal(clean("name. . ."), "name");
}

static void hides_nothing(void **state)
{
  (void)state;
  assert_string_equal(clean_n("a\0b.txt", 7), "a b.txt");
  assert_string_equal(clean("a\nb\x1b[2J\x7f.txt"), "a b [2J.txt");
  assert_string_equal(clean("gpj.\xe2\x80\xae"
                            "exe"),
                      "gpj.exe"); /* right-to-left override */
  assert_string_equal(clean("\xe2\x81\xa6x\xe2\x80\x8by\xef\xbb\xbf"), "xy");
  assert_string_equal(clean("a\xff\xc0\xaf"
                            "b"),
                      "a___b"); /* no UTF-8, and a slash in too many bytes */
  assert_string_equal(clean("\xed\xa0\x80z"), "___z");
}

static void cuts_long_names(void **state)
{
  (void)state;
  char name[3000];
  for (size_t i = 0; i + 2 < sizeof name; i += 2) memcpy(name + i, "\xc3\xa9", 2);
  memcpy(name + 1000, ".jpeg", 6);
  const char *out = clean(name);
  assert_true(strlen(out) <= LN_FILENAME_MAX && strlen(out) > LN_FILENAME_MAX - 4);
  assert_string_equal(out + strlen(out) - 5, ".jpeg");
  for (size_t i = 0; i < strlen(out) - 5; i += 2) assert_memory_equal(out + i, "\xc3\xa9", 2);
  memset(name, 'a', sizeof name);
  assert_int_equal(strlen(clean_n(name, sizeof name)), LN_FILENAME_MAX);
  memset(name, '.', 500);
  assert_int_equal(strlen(clean_n(name, sizeof name)), LN_FILENAME_MAX);
}

/* Any bytes at all: one component, ended, valid. */
static void takes_anything(void **state)
{
  (void)state;
  uint32_t seed = 1;
  for (int round = 0; round < 20000; round++) {
    char name[300];
    size_t n = 0;
    for (size_t len = (size_t)round % sizeof name; n < len; n++) {
      seed = seed * 1664525 + 1013904223;
      static const char some[] = "./\\ \0\xe2\x80\xae\xc3\xa9"
                                 "a~-:";
      name[n] = seed >> 28 < 12 ? some[(seed >> 8) % (sizeof some - 1)] : (char)(seed >> 16);
    }
    const char *out = clean_n(name, n);
    size_t len = strlen(out);
    assert_true(len >= 1 && len <= LN_FILENAME_MAX);
    assert_null(strpbrk(out, "/\\:*?\"<>|\n\r\t\x1b"));
    assert_true(out[0] != '.' && out[0] != ' ' && out[len - 1] != '.' && out[len - 1] != ' ');
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keeps_good_names), cmocka_unit_test(never_leaves_the_folder),
      cmocka_unit_test(hides_nothing),    cmocka_unit_test(cuts_long_names),
      cmocka_unit_test(takes_anything),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
