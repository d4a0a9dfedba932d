/* Files that are watched (watch_file.h): bursts are told of once, replaced files are still watched, others
 * are not; and nothing is left open (the sanitizers' part). */
#include "loop/watch_file.h"
#include "place.h"

#include <fcntl.h>

static struct {
  struct place at;
  struct ln_file_watch *watch;
  char other[80], fresh[80], missing[96];
  int calls;
  bool close_in_call;
} t;

static int set_up(void **state)
{
  (void)state;
  memset(&t, 0, sizeof t);
  int err = place_open(&t.at, "a.lua");
  snprintf(t.other, sizeof t.other, "%s/b.lua", t.at.folder);
  snprintf(t.fresh, sizeof t.fresh, "%s/a.lua.new", t.at.folder);
  snprintf(t.missing, sizeof t.missing, "%s/none/c.lua", t.at.folder);
  return err;
}

static int tear_down(void **state)
{
  (void)state;
  unlink(t.other);
  unlink(t.fresh);
  return place_close(&t.at);
}

static void put(const char *path, const char *text)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
}

static void changed(void *ctx)
{
  assert_ptr_equal(ctx, &t);
  t.calls++;
  if (t.close_in_call) {
    ln_file_watch_close(t.watch);
    t.watch = NULL;
  }
  ln_loop_stop(t.at.loop);
}

/* Until the next call, or so long. */
static void run(int64_t us)
{
  place_run(&t.at, us);
}

static void watch(void)
{
  const char *paths[] = {t.at.path, t.missing, t.at.path};
  bool left[3] = {true, false, true};
  assert_int_equal(ln_file_watch_open(t.at.loop, paths, 3, changed, &t, &t.watch, left), LN_OK);
  assert_false(left[0]);
  assert_true(left[1]); /* there is no folder */
  assert_false(left[2]);
}

static void a_burst_is_one_call(void **state)
{
  (void)state;
  put(t.at.path, "1");
  watch();
  for (int i = 0; i < 10; i++) put(t.at.path, "2");
  run(5 * LN_US_PER_S);
  assert_int_equal(t.calls, 1);
  run(200 * 1000);
  assert_int_equal(t.calls, 1);
  ln_file_watch_close(t.watch);
}

static void a_replaced_file_is_still_watched(void **state)
{
  (void)state;
  put(t.at.path, "1");
  watch();
  for (int i = 1; i <= 3; i++) {
    put(t.fresh, "2");
    assert_int_equal(rename(t.fresh, t.at.path), 0);
    run(5 * LN_US_PER_S);
    assert_int_equal(t.calls, i);
  }
  unlink(t.at.path);
  run(5 * LN_US_PER_S);
  assert_int_equal(t.calls, 4);
  put(t.at.path, "made again");
  run(5 * LN_US_PER_S);
  assert_int_equal(t.calls, 5);
  /* left open: the loop closes it */
}

static void others_are_not_its_business(void **state)
{
  (void)state;
  put(t.at.path, "1");
  watch();
  put(t.other, "1");
  run(200 * 1000);
  assert_int_equal(t.calls, 0);
  put(t.at.path, "2");
  run(5 * LN_US_PER_S);
  assert_int_equal(t.calls, 1);
  ln_file_watch_close(t.watch);
  put(t.at.path, "3");
  run(200 * 1000);
  assert_int_equal(t.calls, 1);
}

static void a_star_is_any_name(void **state)
{
  (void)state;
  char any[80];
  snprintf(any, sizeof any, "%s/*", t.at.folder);
  const char *paths[] = {any};
  bool left[1];
  assert_int_equal(ln_file_watch_open(t.at.loop, paths, 1, changed, &t, &t.watch, left), LN_OK);
  put(t.other, "1");
  run(5 * LN_US_PER_S);
  assert_int_equal(t.calls, 1);
  ln_file_watch_close(t.watch);
}

static void closes_in_its_own_call(void **state)
{
  (void)state;
  put(t.at.path, "1");
  watch();
  t.close_in_call = true;
  put(t.at.path, "2");
  run(5 * LN_US_PER_S);
  put(t.at.path, "3");
  run(200 * 1000);
  assert_int_equal(t.calls, 1);
  ln_file_watch_close(t.watch); /* NULL */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_burst_is_one_call, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_replaced_file_is_still_watched, set_up, tear_down),
      cmocka_unit_test_setup_teardown(others_are_not_its_business, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_star_is_any_name, set_up, tear_down),
      cmocka_unit_test_setup_teardown(closes_in_its_own_call, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
