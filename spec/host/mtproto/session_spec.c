/* The client's session against the server's, in memory: requests, updates, acks, containers, pings, salts,
 * reconnection. (What a server says by hand: session_service_spec.c.) */
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

static void updates_are_acknowledged_when_they_are_safe(void **state)
{
  (void)state;
  struct pair *p = pair_open(3);
  p->ack_updates = false;
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  uint64_t id = pair_push(p, 77);
  pair_run(p);
  assert_int_equal(p->n_updates, 1);
  assert_int_equal(p->updates[0], id);
  assert_int_equal(p->update_words[0], 77);
  pair_pass(p, 20 * LN_US_PER_S);
  pair_run(p);
  assert_int_equal(p->n_acked, 0);
  ln_session_ack(p->client, id);
  ln_session_ack(p->client, id); /* twice is once */
  pair_pass(p, 5 * LN_US_PER_S);
  pair_run(p);
  assert_int_equal(p->n_acked, 1);
  assert_int_equal(p->acked_pushes[0], id);
  pair_close(p);
}

/* The ack got lost: the server sends the update again, and it is acknowledged again, but not handled. */
static void an_update_that_comes_again_is_acknowledged_again(void **state)
{
  (void)state;
  struct pair *p = pair_open(4);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  pair_push(p, 1);
  pair_run(p);
  pair_pass(p, 5 * LN_US_PER_S);
  pair_flush(p);
  assert_true(p->to_server.n > 0);
  link_clear(&p->to_server); /* with the acks */
  assert_int_equal(p->n_acked, 0);
  ln_server_session_disconnected(p->server);
  ln_server_session_connected(p->server);
  pair_run(p);
  pair_pass(p, 5 * LN_US_PER_S);
  pair_run(p);
  assert_int_equal(p->n_updates, 1);
  assert_int_equal(p->n_acked, 1);
  pair_close(p);
}

static void more_than_sixteen_acks_do_not_wait(void **state)
{
  (void)state;
  struct pair *p = pair_open(5);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  pair_pass(p, 5 * LN_US_PER_S);
  pair_run(p);
  for (uint32_t i = 0; i < 16; i++) pair_push(p, i);
  pair_run(p);
  assert_int_equal(p->n_acked, 0);
  pair_push(p, 16);
  pair_run(p);
  assert_int_equal(p->n_acked, 17);
  pair_close(p);
}

static void a_result_packed_or_large_arrives_whole(void **state)
{
  (void)state;
  struct pair *p = pair_open(6);
  pair_ask(p, PAIR_BIG, 9);
  pair_flush(p);
  assert_int_equal(pair_server_gets(p, link_take(&p->to_server, 0)), LN_OK);
  pair_flush(p);
  assert_true(p->to_client.at[0].n < 2000); /* it went packed */
  pair_run(p);
  assert_int_equal(p->answers[9].results, 1);
  assert_int_equal(p->answers[9].len, 65536);
  assert_int_equal(p->answers[9].word, 9);
  pair_close(p);
}

static void large_requests_are_packed_where_it_pays(void **state)
{
  (void)state;
  struct pair *p = pair_open(7);
  static uint8_t body[20000];
  ln_put_le32(body, PAIR_ECHO);
  ln_put_le32(body + 4, 5);
  assert_int_equal(ln_session_request(p->client, ln_slice(body, sizeof body), (void *)5, NULL, 0, NULL),
                   LN_OK);
  pair_flush(p);
  assert_true(p->to_server.at[0].n < 1000);
  pair_run(p);
  assert_int_equal(p->answers[5].results, 1);
  assert_int_equal(p->answers[5].word, 5);
  pair_close(p);
}

static void many_megabytes_leave_in_several_payloads(void **state)
{
  (void)state;
  struct pair *p = pair_open(8);
  uint8_t *part = malloc(400000);
  assert_non_null(part);
  spec_pattern(part, 400000, 1);
  for (uint32_t i = 0; i < 8; i++) {
    ln_put_le32(part, PAIR_ECHO);
    ln_put_le32(part + 4, i);
    assert_int_equal(
        ln_session_request(p->client, ln_slice(part, 400000), (void *)(uintptr_t)i, NULL, 0, NULL), LN_OK);
  }
  pair_flush(p);
  assert_int_equal(p->to_server.n, 4);
  for (size_t i = 0; i < 4; i++) assert_true(p->to_server.at[i].n < (size_t)1 << 20);
  pair_run(p);
  for (int i = 0; i < 8; i++) assert_int_equal(p->answers[i].results, 1);
  free(part);
  pair_close(p);
}

static void too_much_is_refused_at_the_door(void **state)
{
  (void)state;
  struct pair *p = pair_open(9);
  uint8_t b[8] = {0};
  assert_int_equal(ln_session_request(p->client, ln_slice(b, 6), NULL, NULL, 0, NULL), LN_E_INVAL);
  assert_int_equal(ln_session_request(p->client, ln_slice(b, 0), NULL, NULL, 0, NULL), LN_E_INVAL);
  assert_int_equal(ln_session_request(p->client, ln_slice(b, LN_FRAME_MAX), NULL, NULL, 0, NULL),
                   LN_E_TOOBIG);
  for (int i = 0; i < 8192; i++)
    assert_int_equal(ln_session_request(p->client, ln_slice(b, 8), NULL, NULL, LN_REQUEST_NO_RESPONSE, NULL),
                     LN_OK);
  assert_int_equal(ln_session_request(p->client, ln_slice(b, 8), NULL, NULL, 0, NULL), LN_E_FULL);
  pair_close(p);
}

static void pending_requests_end_with_the_session(void **state)
{
  (void)state;
  struct pair *p = pair_open(10);
  pair_ask(p, PAIR_HOLD, 1);
  pair_run(p);
  pair_ask(p, PAIR_ECHO, 2);
  pair_ask_after(p, PAIR_ECHO, 3, NULL, LN_REQUEST_NO_RESPONSE);
  ln_session_free(p->client);
  p->client = NULL;
  assert_int_equal(p->answers[1].err, LN_E_CLOSED);
  assert_int_equal(p->answers[2].err, LN_E_CLOSED);
  assert_int_equal(p->answers[1].errors + p->answers[2].errors, 2);
  assert_int_equal(p->answers[3].errors, 0);
  pair_close(p);
}

static void a_cancelled_request_is_silent_and_dropped(void **state)
{
  (void)state;
  struct pair *p = pair_open(11);
  struct ln_request *queued = pair_ask(p, PAIR_ECHO, 1);
  ln_session_cancel(p->client, queued);
  pair_run(p);
  assert_int_equal(p->n_requests, 0); /* it never left */
  struct ln_request *sent = pair_ask(p, PAIR_HOLD, 2);
  pair_run(p);
  ln_session_cancel(p->client, sent);
  pair_run(p);
  assert_int_equal(p->n_dropped, 1);
  assert_int_equal(ln_session_in_flight(p->client), 0);
  assert_int_equal(p->answers[1].errors + p->answers[1].results, 0);
  assert_int_equal(p->answers[2].errors + p->answers[2].results, 0);
  pair_close(p);
}

static void the_prefix_is_there_until_an_answer_came(void **state)
{
  (void)state;
  static const uint8_t prefix[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  struct pair *p = pair_open_with(12, 0, ln_slice(prefix, sizeof prefix));
  pair_ask(p, PAIR_HOLD, 1);
  pair_ask_after(p, PAIR_HOLD, 2, NULL, LN_REQUEST_NO_PREFIX);
  pair_run(p);
  pair_ask(p, PAIR_ECHO, 3);
  pair_run(p);
  pair_ask(p, PAIR_ECHO, 4);
  pair_run(p);
  assert_true(p->under_prefix[0]);
  assert_false(p->under_prefix[1]);
  assert_true(p->under_prefix[2]);
  assert_false(p->under_prefix[3]);
  /* a server that forgot the session forgot the layer with it */
  ln_server_session_forget(p->server);
  pair_ask(p, PAIR_ECHO, 5);
  pair_run(p);
  pair_ask(p, PAIR_ECHO, 6);
  pair_run(p);
  assert_int_equal(p->answers[6].results, 1);
  size_t prefixed = 0;
  for (size_t i = 4; i < p->n_requests; i++) prefixed += p->under_prefix[i];
  assert_true(prefixed >= 1);
  pair_close(p);
}

static void a_request_waits_for_the_one_before_it(void **state)
{
  (void)state;
  struct pair *p = pair_open(13);
  struct ln_request *a = pair_ask(p, PAIR_HOLD, 1);
  struct ln_request *b = pair_ask_after(p, PAIR_HOLD, 2, a, 0);
  pair_ask_after(p, PAIR_HOLD, 3, b, 0);
  pair_run(p);
  assert_int_equal(p->n_requests, 3);
  assert_int_equal(p->after[0], 0);
  assert_int_equal(p->after[1], p->requests[0]);
  assert_int_equal(p->after[2], p->requests[1]);
  /* once it is answered there is nothing to wait for */
  pair_answer(p, p->requests[0], 1);
  pair_answer(p, p->requests[1], 2);
  struct ln_request *c = pair_ask_after(p, PAIR_HOLD, 4, b, 0);
  (void)c;
  pair_run(p);
  assert_int_equal(p->answers[1].results, 1);
  assert_int_equal(p->answers[2].results, 1);
  struct ln_request *d = pair_ask(p, PAIR_HOLD, 5);
  struct ln_request *e = pair_ask_after(p, PAIR_HOLD, 6, d, 0);
  ln_session_cancel(p->client, d);
  pair_ask_after(p, PAIR_HOLD, 7, e, 0);
  pair_run(p);
  assert_int_equal(p->after[4], 0);
  assert_int_equal(p->after[5], p->requests[4]);
  pair_close(p);
}

/* All of a refused container goes out again, and the order that was asked for still names living ids. */
static void order_survives_a_refused_salt(void **state)
{
  (void)state;
  struct pair *p = pair_open(14);
  p->server_config.first_salt++; /* ours is wrong */
  struct ln_request *a = pair_ask(p, PAIR_HOLD, 1);
  pair_ask_after(p, PAIR_HOLD, 2, a, 0);
  pair_run(p);
  assert_int_equal(p->n_requests, 2);
  assert_int_equal(p->request_words[0], 1);
  assert_int_equal(p->request_words[1], 2);
  assert_int_equal(p->after[1], p->requests[0]);
  assert_true(p->n_states > 0);
  pair_close(p);
}

static void a_wrong_salt_is_put_right(void **state)
{
  (void)state;
  struct pair *p = pair_open(15);
  p->server_config.first_salt++;
  for (uint32_t i = 0; i < 40; i++) {
    pair_ask(p, PAIR_ECHO, i);
    pair_flush(p); /* forty payloads with the wrong salt are one mistake */
  }
  pair_run(p);
  for (int i = 0; i < 40; i++) assert_int_equal(p->answers[i].results, 1);
  struct ln_salt salts[64];
  size_t n = ln_session_salts(p->client, salts, 64);
  assert_true(n > 0);
  assert_int_not_equal(salts[0].salt, p->salt);
  pair_close(p);
}

/* Whatever the clock was thought to be, the first answer comes. */
static void a_wrong_clock_is_put_right(void **state)
{
  (void)state;
  const int64_t skews[] = {600, -600, 3600, -3600, 86400 * 400, -86400 * 400, 250, -250, 29, -29};
  for (size_t i = 0; i < sizeof skews / sizeof skews[0]; i++) {
    struct pair *p = pair_open_with(16 + i, skews[i] * LN_US_PER_S, ln_slice(NULL, 0));
    pair_ask(p, PAIR_ECHO, 1);
    pair_ask(p, PAIR_ECHO, 2);
    pair_run(p);
    assert_int_equal(p->answers[1].results, 1);
    assert_int_equal(p->answers[2].results, 1);
    int64_t off = ln_session_offset_us(p->client) - PAIR_EPOCH;
    assert_true(off > -LN_US_PER_S && off < LN_US_PER_S);
    pair_push(p, 3);
    pair_run(p);
    assert_int_equal(p->n_updates, 1);
    pair_close(p);
  }
}

/* The server's clock is set while we are connected. */
static void a_server_whose_clock_jumps_is_followed(void **state)
{
  (void)state;
  const int64_t jumps[] = {3600, -3600};
  for (int i = 0; i < 2; i++) {
    struct pair *p = pair_open(30);
    pair_ask(p, PAIR_ECHO, 1);
    pair_run(p);
    p->wall += jumps[i] * LN_US_PER_S;
    pair_ask(p, PAIR_ECHO, 2);
    for (int k = 0; k < 20 && !p->answers[2].results; k++) {
      pair_run(p);
      pair_pass(p, 5 * LN_US_PER_S);
    }
    assert_int_equal(p->answers[2].results, 1);
    pair_ask(p, PAIR_ECHO, 3);
    pair_run(p);
    assert_int_equal(p->answers[3].results, 1);
    pair_close(p);
  }
}

static void salts_are_asked_for_once_and_change_in_time(void **state)
{
  (void)state;
  struct pair *p = pair_open(31);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  pair_ask(p, PAIR_ECHO, 2);
  pair_run(p);
  struct ln_salt salts[64], later[64];
  assert_int_equal(ln_session_salts(p->client, salts, 64), 64);
  size_t states = p->n_states;
  for (uint32_t hour = 0; hour < 20; hour++) {
    for (int k = 0; k < 60; k++) {
      assert_int_equal(pair_pass(p, 60 * LN_US_PER_S), LN_OK);
      pair_run(p);
    }
    pair_ask(p, PAIR_ECHO, 100 + hour);
    pair_run(p);
    assert_int_equal(p->answers[100 + hour].results, 1);
  }
  ln_session_salts(p->client, later, 64);
  assert_int_not_equal(later[0].salt, salts[0].salt);
  assert_int_equal(p->n_states, states); /* nobody had to say that a salt was wrong, nor give new ones */
  pair_close(p);
}

static void silence_is_noticed(void **state)
{
  (void)state;
  struct pair *p = pair_open(32);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  int err = LN_OK;
  int seconds = 0;
  while (!err && seconds < 200) { /* the link is dead; nothing comes back */
    pair_flush(p);
    link_clear(&p->to_server);
    err = pair_pass(p, LN_US_PER_S);
    seconds++;
  }
  assert_int_equal(err, LN_E_RECONNECT);
  assert_in_range(seconds, 60, 76);
  pair_close(p);
}

/* Half-open the other way: much comes in, and nothing of ours gets through. */
static void a_stream_of_updates_does_not_hide_a_dead_uplink(void **state)
{
  (void)state;
  struct pair *p = pair_open(33);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  int err = LN_OK;
  int seconds = 0;
  while (!err && seconds < 200) {
    pair_push(p, 1);
    pair_flush(p);
    link_clear(&p->to_server);
    while (p->to_client.n) pair_client_gets(p, link_take(&p->to_client, 0));
    err = pair_pass(p, LN_US_PER_S);
    seconds++;
  }
  assert_int_equal(err, LN_E_RECONNECT);
  assert_in_range(seconds, 60, 76);
  pair_close(p);
}

static void pings_keep_a_quiet_connection(void **state)
{
  (void)state;
  struct pair *p = pair_open(34);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  for (int s = 0; s < 1000; s++) {
    assert_int_equal(pair_pass(p, LN_US_PER_S), LN_OK);
    pair_run(p);
  }
  assert_int_equal(p->n_closed, 0); /* ping_delay_disconnect never ran out */
  for (int s = 0; s < 80; s++) ln_server_session_tick(p->server, p->wall += LN_US_PER_S);
  assert_int_equal(p->n_closed, 1); /* and does, without pings */
  pair_close(p);
}

static void reconnect(struct pair *p)
{
  link_clear(&p->to_server);
  link_clear(&p->to_client);
  ln_session_disconnected(p->client, p->now);
  assert_false(ln_session_pending(p->client, p->now));
  assert_int_equal(ln_session_deadline(p->client), LN_NEVER);
  ln_session_connected(p->client, p->now);
  if (p->server) {
    ln_server_session_disconnected(p->server);
    ln_server_session_connected(p->server);
  }
}

static void what_was_lost_with_the_connection_is_sent_again_once(void **state)
{
  (void)state;
  struct pair *p = pair_open(35);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  pair_ask(p, PAIR_ECHO, 2); /* never arrives */
  pair_flush(p);
  reconnect(p);
  pair_run(p);
  assert_int_equal(p->answers[2].results, 1);
  pair_ask(p, PAIR_ECHO, 3); /* arrives, but its answer does not */
  pair_flush(p);
  while (p->to_server.n) pair_server_gets(p, link_take(&p->to_server, 0));
  pair_flush(p);
  reconnect(p);
  pair_run(p);
  assert_int_equal(p->answers[3].results, 1);
  pair_ask(p, PAIR_HOLD, 4); /* is running */
  pair_run(p);
  reconnect(p);
  pair_run(p);
  pair_answer(p, p->requests[p->n_requests - 1], 4);
  pair_run(p);
  assert_int_equal(p->answers[4].results, 1);
  assert_int_equal(p->n_requests, 4); /* none of them ran twice */
  pair_close(p);
}

static void a_server_that_forgot_everything_gets_it_again(void **state)
{
  (void)state;
  struct pair *p = pair_open(36);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  pair_ask(p, PAIR_HOLD, 2);
  pair_run(p);
  assert_int_equal(p->n_requests, 2);
  ln_server_session_forget(p->server);
  reconnect(p);
  pair_run(p);
  assert_int_equal(p->n_requests, 3);
  assert_int_equal(p->request_words[2], 2);
  assert_int_equal(p->n_new_sessions, 2);
  pair_answer(p, p->requests[2], 2);
  pair_run(p);
  assert_int_equal(p->answers[2].results, 1);
  pair_close(p);
}

/* Callbacks may ask and cancel at once. */
static struct ln_request *to_cancel;

static void ask_and_cancel(struct pair *p)
{
  pair_ask(p, PAIR_ECHO, 50 + (uint32_t)p->n_updates);
  if (to_cancel) ln_session_cancel(p->client, to_cancel);
  to_cancel = NULL;
}

static void callbacks_may_call_back(void **state)
{
  (void)state;
  struct pair *p = pair_open(66);
  pair_ask(p, PAIR_ECHO, 1);
  to_cancel = pair_ask(p, PAIR_HOLD, 2);
  pair_run(p);
  p->on_update_hook = ask_and_cancel;
  for (uint32_t i = 0; i < 5; i++) pair_push(p, i);
  pair_run(p);
  for (int i = 51; i <= 55; i++) assert_int_equal(p->answers[i].results, 1);
  assert_int_equal(ln_session_in_flight(p->client), 0);
  pair_close(p);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_request_gets_its_answer),
      cmocka_unit_test(what_is_queued_by_a_flush_shares_a_payload),
      cmocka_unit_test(updates_are_acknowledged_when_they_are_safe),
      cmocka_unit_test(an_update_that_comes_again_is_acknowledged_again),
      cmocka_unit_test(more_than_sixteen_acks_do_not_wait),
      cmocka_unit_test(a_result_packed_or_large_arrives_whole),
      cmocka_unit_test(large_requests_are_packed_where_it_pays),
      cmocka_unit_test(many_megabytes_leave_in_several_payloads),
      cmocka_unit_test(too_much_is_refused_at_the_door),
      cmocka_unit_test(pending_requests_end_with_the_session),
      cmocka_unit_test(a_cancelled_request_is_silent_and_dropped),
      cmocka_unit_test(the_prefix_is_there_until_an_answer_came),
      cmocka_unit_test(a_request_waits_for_the_one_before_it),
      cmocka_unit_test(order_survives_a_refused_salt),
      cmocka_unit_test(a_wrong_salt_is_put_right),
      cmocka_unit_test(a_wrong_clock_is_put_right),
      cmocka_unit_test(a_server_whose_clock_jumps_is_followed),
      cmocka_unit_test(salts_are_asked_for_once_and_change_in_time),
      cmocka_unit_test(silence_is_noticed),
      cmocka_unit_test(a_stream_of_updates_does_not_hide_a_dead_uplink),
      cmocka_unit_test(pings_keep_a_quiet_connection),
      cmocka_unit_test(what_was_lost_with_the_connection_is_sent_again_once),
      cmocka_unit_test(a_server_that_forgot_everything_gets_it_again),
      cmocka_unit_test(callbacks_may_call_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
