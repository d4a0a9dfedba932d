/* Message ids: the form, the order under a clock that jumps, the window of time. */
#include "mtproto/msgid.h"
#include "base/clock.h"
#include "spec.h"

#define T (INT64_C(1800000000) * LN_US_PER_S)

static void an_id_carries_its_time_and_its_sender(void **state)
{
  (void)state;
  struct ln_msgid m = {0};
  assert_int_equal(ln_msgid_next(&m, T + 500000, LN_MSGID_CLIENT, 0),
                   UINT64_C(1800000000) << 32 | 0x80000000);
  struct ln_msgid fresh = {0};
  for (int64_t us = 0; us < 3 * LN_US_PER_S; us += 7919) {
    uint64_t id = ln_msgid_next(&fresh, T + us, LN_MSGID_CLIENT, (uint32_t)us * 2654435761u);
    assert_int_equal(id % 4, 0);
    int64_t off = ln_msgid_time(id) - (T + us);
    assert_true(off >= -1 && off <= 1);
  }
  assert_int_equal(ln_msgid_next(&fresh, T, LN_MSGID_RESPONSE, 5) % 4, 1);
  assert_int_equal(ln_msgid_next(&fresh, T, LN_MSGID_NOTIFICATION, 5) % 4, 3);
}

static void ids_rise_whatever_the_clock_does(void **state)
{
  (void)state;
  struct ln_msgid m = {0};
  const int64_t steps[] = {0, 1, 0, -1, 3600 * LN_US_PER_S, -7200 * LN_US_PER_S, 0, 5, -T, T};
  const enum ln_msgid_kind kinds[] = {LN_MSGID_CLIENT, LN_MSGID_NOTIFICATION, LN_MSGID_RESPONSE};
  int64_t now = T;
  uint64_t last = 0;
  for (int i = 0; i < 100000; i++) {
    now += steps[i % 10];
    uint64_t id = ln_msgid_next(&m, now, kinds[i % 3], (uint32_t)i * 2654435761u);
    assert_true(id > last);
    assert_int_equal(id & 3, kinds[i % 3]);
    last = id;
  }
}

/* A burst must not run ahead of the clock, or the server would refuse what comes after it. */
static void a_burst_stays_near_its_time(void **state)
{
  (void)state;
  struct ln_msgid m = {0};
  uint64_t id = 0;
  for (uint32_t i = 0; i < 1000000; i++) id = ln_msgid_next(&m, T, LN_MSGID_CLIENT, i * 2654435761u);
  assert_true(ln_msgid_time(id) - T < LN_US_PER_S);
}

static void the_lowest_bits_are_random(void **state)
{
  (void)state;
  struct ln_msgid a = {0}, b = {0};
  assert_int_not_equal(ln_msgid_next(&a, T, LN_MSGID_CLIENT, 4000),
                       ln_msgid_next(&b, T, LN_MSGID_CLIENT, 2000));
}

static void the_window_is_300_s_back_and_30_ahead(void **state)
{
  (void)state;
  const struct {
    int64_t age_s;
    bool good;
  } cases[] = {{0, true}, {299, true}, {301, false}, {-29, true}, {-31, false}, {600, false}, {-600, false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct ln_msgid m = {0};
    uint64_t id = ln_msgid_next(&m, T - cases[i].age_s * LN_US_PER_S, LN_MSGID_RESPONSE, 9);
    assert_int_equal(ln_msgid_in_time(id, T), cases[i].good);
  }
  assert_false(ln_msgid_in_time(1, T));
  assert_false(ln_msgid_in_time(UINT64_MAX, T));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_id_carries_its_time_and_its_sender),
      cmocka_unit_test(ids_rise_whatever_the_clock_does),
      cmocka_unit_test(a_burst_stays_near_its_time),
      cmocka_unit_test(the_lowest_bits_are_random),
      cmocka_unit_test(the_window_is_300_s_back_and_30_ahead),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
