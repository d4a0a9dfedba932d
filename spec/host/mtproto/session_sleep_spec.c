/* A machine that slept for days with its connection: salts and clocks have moved on, and the first word after
 * it, be it a ping alone, must not cost the connection. */
#include "sessions.h"

static void wakes(int64_t slept_us, bool asks)
{
  struct pair *p = pair_open(7);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  assert_int_equal(p->answers[1].results, 1);
  assert_int_equal(pair_pass(p, slept_us), LN_OK);
  if (asks) pair_ask(p, PAIR_ECHO, 2);
  for (int i = 0; i < 600; i++) {
    pair_run(p);
    assert_int_equal(pair_pass(p, LN_US_PER_S), LN_OK); /* LN_E_RECONNECT: no pong came */
  }
  if (asks) assert_int_equal(p->answers[2].results, 1);
  pair_close(p);
}

static void a_ping_after_a_long_sleep(void **state)
{
  (void)state;
  wakes(INT64_C(3600) * LN_US_PER_S, false);
  wakes(INT64_C(72) * 3600 * LN_US_PER_S, false);
}

static void a_request_after_a_long_sleep(void **state)
{
  (void)state;
  wakes(INT64_C(72) * 3600 * LN_US_PER_S, true);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_ping_after_a_long_sleep),
      cmocka_unit_test(a_request_after_a_long_sleep),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
