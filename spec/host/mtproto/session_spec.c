/* The client's session against the server's, in memory: requests, updates, acks, containers, pings, salts,
 * renewal, reconnection. */
#include "sessions.h"

static void a_request_gets_its_answer(void **state)
{
  (void)state;
  struct pair *p = pair_open(1);
  pair_ask(p, PAIR_ECHO, 7);
  pair_ask(p, PAIR_FAIL, 8);
  assert_int_equal(ln_session_in_flight(p->client), 2);
  pair_run(p);
  assert_int_equal(p->answers[7].results, 1);
  assert_int_equal(p->answers[7].errors, 0);
  assert_int_equal(p->answers[7].word, 7);
  assert_int_equal(p->answers[8].results, 0);
  assert_int_equal(p->answers[8].code, 400);
  assert_string_equal(p->answers[8].text, "FAILED");
  assert_int_equal(ln_session_in_flight(p->client), 0);
  assert_int_equal(p->n_new_sessions, 1);
  pair_close(p);
}

static void what_is_queued_by_a_flush_shares_a_payload(void **state)
{
  (void)state;
  struct pair *p = pair_open(2);
  for (uint32_t i = 0; i < 500; i++) pair_ask(p, PAIR_ECHO, i);
  pair_flush(p);
  assert_int_equal(p->to_server.n, 1);
  pair_run(p);
  for (uint32_t i = 0; i < 500; i++) {
    assert_int_equal(p->answers[i].results, 1);
    assert_int_equal(p->answers[i].word, i);
  }
  pair_close(p);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_request_gets_its_answer),
      cmocka_unit_test(what_is_queued_by_a_flush_shares_a_payload),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
