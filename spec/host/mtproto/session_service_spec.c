/* What a server says about messages, sessions and salts, made by hand: the client's session does what the
 * protocol's tables ask. */
#include "sessions.h"

/* --- bad_msg_notification, code by code --- */

static void refuse(struct pair *p, uint64_t id, uint32_t code)
{
  uint32_t b[5] = {LN_ID_bad_msg_notification, LO(id), HI(id), 1, code};
  assert_int_equal(pair_client_gets(p, pair_forge(p, pair_server_id(p, 0, 1), 100, ln_slice(b, sizeof b))),
                   LN_OK);
}

static void the_servers_complaints_are_answered_by_their_code(void **state)
{
  (void)state;
  const struct {
    uint32_t code;
    size_t renewed; /* sessions made after the first */
    size_t copies;  /* of the request that the server has seen in the end */
  } cases[] = {{16, 0, 2}, {17, 1, 2}, {20, 0, 1}, {32, 1, 2}, {33, 1, 2},
               {18, 1, 2}, {19, 1, 2}, {34, 1, 2}, {35, 1, 2}, {64, 1, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct pair *p = pair_open(40 + i);
    pair_ask(p, PAIR_ECHO, 1);
    pair_run(p);
    pair_ask(p, PAIR_HOLD, 2);
    pair_run(p);
    uint64_t session = p->session_id;
    refuse(p, p->requests[1], cases[i].code);
    pair_run(p);
    assert_int_equal(p->session_id != session, cases[i].renewed);
    assert_int_equal(p->n_requests, 1 + cases[i].copies);
    if (cases[i].copies == 2) assert_int_not_equal(p->requests[1], p->requests[2]);
    pair_answer(p, p->requests[p->n_requests - 1], 2);
    pair_run(p);
    assert_int_equal(p->answers[2].results, 1);
    pair_close(p);
  }
}

static void a_server_that_calls_us_malformed_again_and_again_stops_us(void **state)
{
  (void)state;
  struct pair *p = pair_open(60);
  pair_ask(p, PAIR_HOLD, 1);
  int err = LN_OK;
  for (int i = 0; i < 4; i++) {
    assert_int_equal(err, LN_OK);
    pair_run(p);
    uint64_t id = p->requests[p->n_requests - 1];
    uint32_t b[5] = {LN_ID_bad_msg_notification, LO(id), HI(id), 1, 64};
    err = pair_client_gets(p, pair_forge(p, pair_server_id(p, 0, 1), 100, ln_slice(b, sizeof b)));
  }
  assert_int_equal(err, LN_E_HALT);
  pair_close(p);
}

static void salts_without_end_are_not_followed(void **state)
{
  (void)state;
  struct pair *p = pair_open(61);
  pair_ask(p, PAIR_HOLD, 1);
  pair_run(p);
  int err = LN_OK, fixes = 0;
  while (!err && fixes < 20) {
    uint64_t id = p->requests[p->n_requests - 1];
    uint32_t b[7] = {LN_ID_bad_server_salt, LO(id), HI(id), 1, 48, (uint32_t)fixes++, 1};
    err = pair_client_gets(p, pair_forge(p, pair_server_id(p, 0, 1), 100, ln_slice(b, sizeof b)));
  }
  assert_int_equal(err, LN_E_RECONNECT);
  assert_in_range(fixes, 4, 7);
  pair_close(p);
}

static void three_strangers_end_the_connection(void **state)
{
  (void)state;
  struct pair *p = pair_open(62);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  uint32_t b[2] = {PAIR_UPDATE, 1};
  p->session_id++;
  for (int i = 0; i < 3; i++) {
    int err = pair_client_gets(p, pair_forge(p, pair_server_id(p, 0, 3), 101, ln_slice(b, 8)));
    assert_int_equal(err, i < 2 ? LN_OK : LN_E_RECONNECT);
  }
  pair_close(p);
}

/* --- service messages of a server that we do not play ourselves --- */

static void a_state_request_is_answered(void **state)
{
  (void)state;
  struct pair *p = pair_open(63);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  uint64_t known = pair_push(p, 1), never = pair_server_id(p, -LN_US_PER_S, 3);
  pair_run(p);
  uint32_t b[7] = {LN_ID_msgs_state_req, LN_TL_VECTOR, 2, LO(known), HI(known), LO(never), HI(never)};
  uint64_t req = pair_server_id(p, 0, 3);
  pair_client_gets(p, pair_forge(p, req, 101, ln_slice(b, sizeof b)));
  pair_flush(p);
  assert_int_equal(p->to_server.n, 1);
  struct packet k = link_take(&p->to_server, 0);
  uint64_t session_id;
  struct ln_slice bytes;
  struct ln_plain plain;
  assert_int_equal(ln_server_open(&p->key, k.p, k.n, &session_id, &bytes), LN_OK);
  assert_int_equal(ln_plain_parse(bytes, &plain), LN_OK);
  struct ln_message m[LN_CONTAINER_MAX_IN];
  size_t n, found = 0;
  assert_int_equal(ln_container_parse(plain.body, plain.msg_id, m, &n), LN_OK);
  for (size_t i = 0; i < n; i++) {
    if (ln_le32(m[i].body.p) != LN_ID_msgs_state_info) continue;
    found++;
    assert_int_equal(ln_le64(m[i].body.p + 4), req);
    assert_int_equal(m[i].body.p[12], 2); /* two bytes: */
    assert_int_equal(m[i].body.p[13], 4 | 8);
    assert_int_equal(m[i].body.p[14], 3);
  }
  assert_int_equal(found, 1);
  free(k.p);
  pair_close(p);
}

static void an_answer_that_is_offered_is_asked_for(void **state)
{
  (void)state;
  struct pair *p = pair_open(64);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  pair_ask(p, PAIR_ECHO, 2);
  pair_flush(p);
  while (p->to_server.n) pair_server_gets(p, link_take(&p->to_server, 0));
  pair_flush(p);
  struct packet lost = link_take(&p->to_client, 0);
  struct ln_plain plain;
  assert_int_equal(ln_envelope_open(&p->key, LN_TO_CLIENT, lost.p, lost.n, &plain), LN_OK);
  assert_int_equal(ln_le32(plain.body.p), LN_ID_msg_container); /* future_salts came along */
  struct ln_message m[LN_CONTAINER_MAX_IN];
  size_t n;
  uint64_t answer = 0;
  assert_int_equal(ln_container_parse(plain.body, plain.msg_id, m, &n), LN_OK);
  for (size_t i = 0; i < n; i++)
    if (ln_le32(m[i].body.p) == LN_ID_rpc_result) answer = m[i].msg_id;
  free(lost.p);
  uint64_t req = p->requests[1];
  uint32_t b[7] = {LN_ID_msg_detailed_info, LO(req), HI(req), LO(answer), HI(answer), 24, 0};
  pair_client_gets(p, pair_forge(p, pair_server_id(p, 0, 3), 101, ln_slice(b, sizeof b)));
  assert_int_equal(p->answers[2].results, 0);
  pair_run(p);
  assert_int_equal(p->answers[2].results, 1);
  pair_close(p);
}

static void an_error_about_the_prefix_brings_it_back(void **state)
{
  (void)state;
  static const uint8_t prefix[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  struct pair *p = pair_open_with(65, 0, ln_slice(prefix, sizeof prefix));
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  pair_ask(p, PAIR_HOLD, 2);
  pair_run(p);
  assert_false(p->under_prefix[1]);
  ln_server_session_error(p->server, p->requests[1], 400, "CONNECTION_NOT_INITED");
  pair_run(p);
  assert_int_equal(p->n_requests, 3);
  assert_true(p->under_prefix[2]);
  assert_int_equal(p->answers[2].errors, 0);
  pair_close(p);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_servers_complaints_are_answered_by_their_code),
      cmocka_unit_test(a_server_that_calls_us_malformed_again_and_again_stops_us),
      cmocka_unit_test(salts_without_end_are_not_followed),
      cmocka_unit_test(three_strangers_end_the_connection),
      cmocka_unit_test(a_state_request_is_answered),
      cmocka_unit_test(an_answer_that_is_offered_is_asked_for),
      cmocka_unit_test(an_error_about_the_prefix_brings_it_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
