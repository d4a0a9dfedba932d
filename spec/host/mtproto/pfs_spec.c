/* Temporary keys in a client's session, and the rules over time: each check (P1–P5, M2, T1) with what gets
 * through once it is switched off; then what becomes of requests while keys change. */
#include "mtproto/temp_key.h"

#include "sessions.h"

#define LIFE (86400 * LN_US_PER_S)

static const uint8_t prefix_bytes[8] = {0x0d, 0x0d, 0xa9, 0xda, 1, 2, 3, 4};

static struct pair *unbound(int64_t skew_us)
{
  struct pair *p = pair_open_as(5, skew_us, ln_slice(prefix_bytes, sizeof prefix_bytes), LIFE);
  p->hold_binding = true;
  return p;
}

static bool verdict(struct pair *p, bool through)
{
  pair_close(p);
  return through;
}

/* --- each check --- */

static bool p1_a_call_before_the_key_is_bound(void)
{
  struct pair *p = unbound(0);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  assert_int_equal(p->n_bindings, 1);
  return verdict(p, p->n_requests > 0);
}

static bool p2_a_binding_for_another_message(void)
{
  struct pair *p = unbound(0);
  pair_run(p);
  assert_int_equal(p->n_bindings, 1);
  return verdict(p, p->n_wrong_bindings > 0);
}

static bool p3_a_call_that_does_not_say_who_calls(void)
{
  struct pair *p = unbound(0);
  p->hold_binding = false;
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  assert_int_equal(p->answers[1].results, 1);
  return verdict(p, !p->under_prefix[0]);
}

static struct ln_auth_key rekey(struct pair *p, bool keep);
static struct pair *bound(void);
static bool hears(struct pair *p, const struct ln_auth_key *key, uint32_t word);

static bool m2_the_key_before_after_a_minute(void)
{
  struct pair *p = bound();
  struct ln_auth_key before = rekey(p, true);
  p->now += 60 * LN_US_PER_S; /* no tick: it is not wiped yet */
  p->wall += 60 * LN_US_PER_S;
  return verdict(p, hears(p, &before, 1));
}

static struct ln_temp_keys keys_at(int64_t now)
{
  struct ln_temp_keys t = {.lifetime_s = 86400};
  struct ln_exchange_result made = {.expires_in = 86400, .salt = 4, .temporary = true};
  made.key.id = 1;
  ln_temp_keys_permanent(&t, 0);
  ln_temp_keys_made(&t, &made, now);
  return t;
}

static bool p4_a_key_that_is_used_to_its_end(void)
{
  struct ln_temp_keys t = keys_at(0);
  return ln_temp_keys_due(&t) > LIFE / 4 * 3;
}

static struct ln_slice invalid(void)
{
  return ln_slice_str("ENCRYPTED_MESSAGE_INVALID");
}

static bool p5_one_refusal(void)
{
  struct ln_temp_keys t = keys_at(0);
  return ln_temp_keys_refused(&t, invalid(), LIFE) == LN_PERM_KEY_DEAD;
}

static bool p5_refusals_of_a_young_key(void)
{
  struct ln_temp_keys t = keys_at(0);
  for (int s = 1; s < 60; s++)
    if (ln_temp_keys_refused(&t, invalid(), s * LN_US_PER_S) == LN_PERM_KEY_DEAD) return true;
  return false;
}

static bool t1_not_found(void)
{
  struct ln_temp_keys t = keys_at(0);
  for (int i = 0; i < 10; i++)
    if (ln_temp_keys_not_found(&t) == LN_PERM_KEY_DEAD) return true;
  return false;
}

static bool t1_other_refusals(void)
{
  struct ln_temp_keys t = keys_at(0);
  for (int i = 0; i < 10; i++)
    if (ln_temp_keys_refused(&t, ln_slice_str("TEMP_AUTH_KEY_EMPTY"), LIFE) == LN_PERM_KEY_DEAD) return true;
  return false;
}

#define ATTACK(check, name)               \
  {                                       \
#check " " #name, LN_CK_##check, name \
  }

static const struct {
  const char *name;
  enum ln_check_id check;
  bool (*attack)(void);
} attacks[] = {
    ATTACK(M2, m2_the_key_before_after_a_minute),
    ATTACK(P1, p1_a_call_before_the_key_is_bound),
    ATTACK(P2, p2_a_binding_for_another_message),
    ATTACK(P3, p3_a_call_that_does_not_say_who_calls),
    ATTACK(P4, p4_a_key_that_is_used_to_its_end),
    ATTACK(P5, p5_one_refusal),
    ATTACK(P5, p5_refusals_of_a_young_key),
    ATTACK(T1, t1_not_found),
    ATTACK(T1, t1_other_refusals),
};

static void each_is_stopped_by_its_check_alone(void **state)
{
  (void)state;
  int failures = 0;
  for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
    ln_check_off = 0;
    bool with = attacks[i].attack();
    ln_check_off = UINT64_C(1) << attacks[i].check;
    bool without = attacks[i].attack();
    ln_check_off = 0;
    if (with || !without) {
      print_error("%s: %s\n", attacks[i].name, with ? "got through" : "stopped although its check is off");
      failures++;
    }
  }
  assert_int_equal(failures, 0);
}

/* --- the binding --- */

/* expires_at counts by the server's clock, whatever ours says. */
static void its_end_by_the_clock_of_the_server(void **state)
{
  (void)state;
  struct pair *p = unbound(0);
  pair_run(p);
  assert_int_equal(p->n_wrong_bindings, 0);
  assert_int_equal(p->binding.expires_at, (PAIR_EPOCH + LIFE) / LN_US_PER_S);
  pair_close(p);
  /* a clock ten minutes behind: it is refused, put right, and bound under another msg_id */
  p = unbound(-600 * LN_US_PER_S);
  p->hold_binding = false;
  pair_run(p);
  assert_int_equal(p->n_bindings, 1);
  assert_int_equal(p->n_wrong_bindings, 0);
  assert_int_equal(p->n_bound, 1);
  assert_in_range(p->binding.expires_at, (PAIR_EPOCH + LIFE) / LN_US_PER_S - 1,
                  (PAIR_EPOCH + LIFE) / LN_US_PER_S + 1);
  pair_close(p);
}

static bool refuse_hook_done;

static void alone(struct pair *p, const struct ln_plain *plain)
{
  (void)p;
  if (refuse_hook_done) return;
  refuse_hook_done = true;
  assert_true(ln_le32(plain->body.p) == LN_ID_auth_bindTempAuthKey);
}

/* The first that the server hears is the binding, in no container; all else follows once it is answered. */
static void it_leaves_first_and_alone(void **state)
{
  (void)state;
  struct pair *p = unbound(0);
  p->on_plain = alone;
  refuse_hook_done = false;
  pair_ask(p, PAIR_ECHO, 1);
  pair_ask(p, PAIR_ECHO, 2);
  ln_session_connected(p->client, p->now); /* a ping is due, too */
  pair_run(p);
  assert_true(refuse_hook_done);
  assert_int_equal(p->n_requests, 0);
  assert_false(ln_session_is_bound(p->client));
  pair_bind_answer(p, p->binding_held);
  pair_run(p);
  assert_true(ln_session_is_bound(p->client));
  assert_int_equal(p->n_bound, 1);
  assert_int_equal(p->answers[1].results + p->answers[2].results, 2);
  assert_true(p->under_prefix[0] && p->under_prefix[1]);
  pair_close(p);
}

/* Another salt, a lost link: it goes out anew, and each time for the msg_id that it has then. */
static void it_is_made_anew_each_time(void **state)
{
  (void)state;
  struct pair *p = unbound(0);
  uint8_t secret[32] = {1};
  pair_run(p);
  uint64_t first = p->binding.msg_id;
  ln_session_disconnected(p->client, p->now);
  ln_server_session_new_salts(p->server, secret); /* bad_server_salt, once */
  ln_session_connected(p->client, p->now);
  p->hold_binding = false;
  pair_run(p);
  assert_int_equal(p->n_bindings, 2);
  assert_int_equal(p->n_wrong_bindings, 0);
  assert_true(p->binding.msg_id > first);
  assert_int_equal(p->n_bound, 1);
  pair_close(p);
}

static void it_is_not_waited_for_for_ever(void **state)
{
  (void)state;
  struct pair *p = unbound(0);
  pair_run(p);
  assert_true(ln_session_deadline(p->client) <= 15 * LN_US_PER_S);
  assert_int_equal(pair_pass(p, 14 * LN_US_PER_S), LN_OK);
  assert_int_equal(pair_pass(p, 2 * LN_US_PER_S), LN_E_RECONNECT);
  pair_close(p);
}

static void a_refusal_holds_everything_back(void **state)
{
  (void)state;
  struct pair *p = unbound(0);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  assert_int_equal(ln_server_session_error(p->server, p->binding_held, 400, "ENCRYPTED_MESSAGE_INVALID"),
                   LN_OK);
  pair_run(p);
  assert_int_equal(p->n_refused, 1);
  assert_int_equal(p->n_requests, 0);
  assert_false(ln_session_pending(p->client, p->now));
  assert_int_equal(ln_session_in_flight(p->client), 1);
  pair_close(p);
}

/* The server knows the key, but not any more to what it is bound: bound anew, and the call with it. */
static void a_binding_that_was_forgotten(void **state)
{
  (void)state;
  struct pair *p = unbound(0);
  p->hold_binding = false;
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  pair_ask(p, PAIR_HOLD, 2);
  pair_run(p);
  assert_int_equal(ln_server_session_error(p->server, p->requests[1], 401, "AUTH_KEY_PERM_EMPTY"), LN_OK);
  pair_run(p);
  assert_int_equal(p->n_bindings, 2);
  assert_int_equal(p->n_wrong_bindings, 0);
  assert_int_equal(p->answers[2].errors, 0);
  assert_int_equal(p->n_requests, 3);
  assert_true(p->under_prefix[2]); /* P3 again */
  pair_answer(p, p->requests[2], 2);
  pair_run(p);
  assert_int_equal(p->answers[2].results, 1);
  pair_close(p);
}

/* --- another key for the same session --- */

/* The client goes on by another key; the server has a session of its own for each. Gives the key before. */
static struct ln_auth_key rekey(struct pair *p, bool keep)
{
  struct ln_auth_key before = p->key, next;
  uint8_t bytes[256];
  static unsigned seed = 99;
  spec_pattern(bytes, sizeof bytes, seed++);
  ln_auth_key_init(&next, bytes);
  assert_int_equal(ln_session_rekey(p->client, &next, p->salt, p->now + LIFE, keep, p->now), LN_OK);
  p->key = next;
  return before;
}

static struct pair *bound(void)
{
  struct pair *p = unbound(0);
  p->hold_binding = false;
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  assert_int_equal(p->n_bound, 1);
  return p;
}

static void what_is_pending_goes_out_by_the_next_key(void **state)
{
  (void)state;
  struct pair *p = bound();
  struct ln_request *second = pair_ask(p, PAIR_HOLD, 2);
  pair_run(p);
  pair_ask_after(p, PAIR_ECHO, 3, second, 0); /* queued */
  struct ln_request *fourth = pair_ask(p, PAIR_ECHO, 4);
  uint64_t session_id = p->session_id;
  rekey(p, false);
  ln_server_session_free(p->server);
  p->server = NULL;
  p->n_requests = 0;
  ln_session_cancel(p->client, fourth);
  p->hold_binding = true;
  pair_run(p);
  assert_int_equal(p->n_bindings, 2);
  assert_int_equal(p->n_wrong_bindings, 0);
  assert_int_equal(p->n_requests, 0); /* P1, as with the first key */
  pair_bind_answer(p, p->binding_held);
  pair_run(p);
  assert_true(p->session_id == session_id);
  assert_int_equal(p->n_requests, 2);
  assert_int_equal(p->request_words[0], 2);
  assert_int_equal(p->request_words[1], 3);
  assert_true(p->under_prefix[0]);            /* P3 */
  assert_true(p->after[1] == p->requests[0]); /* after the one before it, by the id that this has now */
  pair_answer(p, p->requests[0], 2);
  pair_run(p);
  assert_int_equal(p->answers[2].results, 1);
  assert_int_equal(p->answers[3].results, 1);
  pair_close(p);
}

/* A push of the server under that key; does it arrive? */
static bool hears(struct pair *p, const struct ln_auth_key *key, uint32_t word)
{
  uint32_t words[2] = {PAIR_UPDATE, word};
  struct ln_auth_key own = p->key;
  size_t had = p->n_updates;
  p->key = *key;
  struct packet k = pair_forge(p, pair_server_id(p, 0, 3), 201, ln_slice(words, 8));
  p->key = own;
  int err = pair_client_gets(p, k);
  assert_int_equal(err, p->n_updates > had ? LN_OK : LN_E_RECONNECT);
  return p->n_updates > had;
}

static void the_key_before_is_heard_where_it_was_good(void **state)
{
  (void)state;
  struct pair *p = bound();
  struct ln_auth_key before = rekey(p, true), other = p->perm;
  assert_true(hears(p, &before, 1));
  assert_false(hears(p, &other, 2));
  before = rekey(p, false); /* it was lost: nothing by it is to be believed any more */
  assert_false(hears(p, &before, 3));
  pair_close(p);
}

/* --- the rules over time --- */

static void renewed_at_three_quarters(void **state)
{
  (void)state;
  struct ln_temp_keys t = keys_at(1000);
  struct ln_exchange_result made = {.expires_in = 86400, .temporary = true};
  assert_int_equal(ln_temp_keys_due(&t), 1000 + LIFE / 4 * 3);
  assert_true(ln_temp_keys_good(&t, LIFE - 61 * LN_US_PER_S));
  assert_false(ln_temp_keys_good(&t, LIFE - 59 * LN_US_PER_S));
  /* it fails: a minute, then two; never later than its end */
  int64_t now = LIFE / 4 * 3, last = now;
  for (int i = 0; i < 20; i++) {
    ln_temp_keys_renewal_failed(&t, now);
    assert_true(ln_temp_keys_due(&t) > now && ln_temp_keys_due(&t) <= 1000 + LIFE);
    if (i == 1) assert_int_equal(ln_temp_keys_due(&t) - now, 120 * LN_US_PER_S);
    last = ln_temp_keys_due(&t);
    now = last < 1000 + LIFE ? last : LIFE - LN_US_PER_S;
  }
  made.key.id = 2;
  ln_temp_keys_made(&t, &made, LIFE - LN_US_PER_S);
  assert_int_equal(t.now.key.id, 1);
  ln_temp_keys_turn(&t);
  assert_int_equal(t.now.key.id, 2);
  assert_int_equal(t.next.expires, 0);
  ln_temp_keys_turn(&t);
  assert_int_equal(t.now.key.id, 2);
  ln_temp_keys_drop(&t);
  assert_int_equal(ln_temp_keys_due(&t), LN_NEVER);
  assert_false(ln_temp_keys_good(&t, 0));
}

static void the_permanent_key_is_dead_by_two_refusals_alone(void **state)
{
  (void)state;
  struct ln_temp_keys t = keys_at(0);
  assert_int_equal(ln_temp_keys_refused(&t, invalid(), LIFE), LN_TEMP_KEY_ANEW);
  assert_int_equal(t.now.expires, 0); /* the temporary one goes with the first */
  ln_temp_keys_bound(&t);             /* a binding in between */
  assert_int_equal(ln_temp_keys_refused(&t, invalid(), LIFE), LN_TEMP_KEY_ANEW);
  assert_int_equal(ln_temp_keys_not_found(&t), LN_TEMP_KEY_ANEW);
  assert_int_equal(ln_temp_keys_refused(&t, ln_slice_str("ENCRYPTED_MESSAGE_INVALID_"), LIFE),
                   LN_TEMP_KEY_ANEW);
  assert_int_equal(ln_temp_keys_refused(&t, invalid(), LIFE), LN_PERM_KEY_DEAD);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_is_stopped_by_its_check_alone),
      cmocka_unit_test(its_end_by_the_clock_of_the_server),
      cmocka_unit_test(it_leaves_first_and_alone),
      cmocka_unit_test(it_is_made_anew_each_time),
      cmocka_unit_test(it_is_not_waited_for_for_ever),
      cmocka_unit_test(a_refusal_holds_everything_back),
      cmocka_unit_test(a_binding_that_was_forgotten),
      cmocka_unit_test(what_is_pending_goes_out_by_the_next_key),
      cmocka_unit_test(the_key_before_is_heard_where_it_was_good),
      cmocka_unit_test(renewed_at_three_quarters),
      cmocka_unit_test(the_permanent_key_is_dead_by_two_refusals_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
