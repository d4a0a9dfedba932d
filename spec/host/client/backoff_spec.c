/* The waits between tries: their bounds, and when they begin anew. The connection that uses them is tested in
 * spec/host/sandbox, where there is somebody to connect to. */
#include "spec.h"
#include "client/backoff.h"

static struct ln_rng_seeded seed;

static void doubles_to_a_minute(void **state)
{
  (void)state;
  for (uint64_t n = 1; n <= 200; n++) {
    struct ln_backoff b = {0};
    struct ln_rng rng = ln_rng_seeded(&seed, n);
    int64_t most = LN_US_PER_S;
    for (int i = 0; i < 100; i++) {
      int64_t us = ln_backoff_after_failure(&b, &rng);
      assert_in_range(us, most / 2, most);
      most = most * 2 < LN_BACKOFF_MAX_US ? most * 2 : LN_BACKOFF_MAX_US;
    }
    assert_int_equal(ln_backoff_after_good(&b), 0);
    assert_in_range(ln_backoff_after_failure(&b, &rng), 500000, 1000000);
  }
}

static void cuts_wait_less_than_failures(void **state)
{
  (void)state;
  struct ln_backoff b = {0};
  struct ln_rng rng = ln_rng_seeded(&seed, 3);
  int64_t most = LN_US_PER_S;
  for (int i = 0; i < 100; i++) {
    assert_in_range(ln_backoff_after_cut(&b, &rng), most / 2, most);
    most = most * 2 < LN_BACKOFF_CUT_MAX_US ? most * 2 : LN_BACKOFF_CUT_MAX_US;
  }
  /* a minute of failures is over with the first link that works */
  for (int i = 0; i < 100; i++) ln_backoff_after_failure(&b, &rng);
  assert_in_range(ln_backoff_after_cut(&b, &rng), LN_BACKOFF_CUT_MAX_US / 2, LN_BACKOFF_CUT_MAX_US);
  assert_in_range(ln_backoff_after_failure(&b, &rng), LN_BACKOFF_CUT_MAX_US / 2, 2 * LN_BACKOFF_CUT_MAX_US);
}

static void floods_wait_longer(void **state)
{
  (void)state;
  struct ln_backoff b = {0};
  struct ln_rng rng = ln_rng_seeded(&seed, 1);
  int64_t least = LN_BACKOFF_FLOOD_MIN_US;
  for (int i = 0; i < 100; i++) {
    int64_t us = ln_backoff_after_flood(&b, &rng);
    assert_in_range(us, least, LN_BACKOFF_FLOOD_MAX_US);
    assert_true(us <= least + least / 2);
    least = least * 2 < LN_BACKOFF_FLOOD_MAX_US ? least * 2 : LN_BACKOFF_FLOOD_MAX_US;
  }
}

static void spreads(void **state)
{
  (void)state;
  struct ln_rng rng = ln_rng_seeded(&seed, 2);
  int low = 0;
  for (int i = 0; i < 1000; i++) {
    struct ln_backoff b = {0};
    low += ln_backoff_after_failure(&b, &rng) < 750000;
  }
  assert_in_range(low, 400, 600);
}

static int no_randomness(void *ctx, void *out, size_t n)
{
  (void)ctx, (void)out, (void)n;
  return LN_E_CRYPTO;
}

static void waits_without_randomness(void **state)
{
  (void)state;
  struct ln_backoff b = {0};
  struct ln_rng rng = {no_randomness, NULL};
  assert_in_range(ln_backoff_after_failure(&b, &rng), 500000, 1000000);
  assert_in_range(ln_backoff_after_flood(&b, &rng), 3000000, 4500000);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(doubles_to_a_minute),      cmocka_unit_test(cuts_wait_less_than_failures),
      cmocka_unit_test(floods_wait_longer),       cmocka_unit_test(spreads),
      cmocka_unit_test(waits_without_randomness),
  };
  return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
