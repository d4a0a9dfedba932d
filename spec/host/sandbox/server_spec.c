/* Client and sandbox together while all goes well: key exchange, requests, pushes, sessions; over a pipe in
 * virtual time, and over TCP with each framing. What goes wrong is in faults_spec.c. */
#include "net_world.h"

static struct person ann, bob;

static bool ann_has_result(void)
{
  return ann.n_results + ann.n_errors > 0;
}

static bool ann_has_ten(void)
{
  return ann.n_results + ann.n_errors == 10;
}

static void exchange_and_first_request(void **state)
{
  (void)state;
  struct ln_connection_config config = person_config(&ann, "intermediate");
  person_start(&ann, &config);
  person_ask(&ann, 5); /* before there is a key, or a socket */
  assert_int_equal(ln_connection_in_flight(ann.c), 1);
  world_run(ann_has_result, 30);
  assert_int_equal(ann.n_results, 1);
  assert_int_equal(ann.last_word, 5);
  assert_int_equal(ln_connection_in_flight(ann.c), 0);
  assert_int_equal(ann.n_fresh, 1);
  assert_int_equal(world.n_keys, 1);
  assert_memory_equal(ann.key.key, world.key.key, 256);
  assert_int_equal(ann.key.id, ln_sandbox_session_auth_key_id(world.session));
  assert_int_equal(ln_sandbox_session_dc(world.session), 2);
  assert_int_equal(ann.n_new_sessions, 1);
  assert_int_equal(ln_connection_server_time(ann.c), ln_clock_wall(world.clock) / LN_US_PER_S);
  /* the same key again, as after a restart: no second exchange */
  struct ln_auth_key key = ann.key;
  uint64_t salt = ann.salt;
  person_stop(&ann);
  config = person_config(&ann, "padded");
  config.key = &key;
  config.salt = salt;
  person_start(&ann, &config);
  person_ask(&ann, 6);
  world_run(ann_has_result, 30);
  assert_int_equal(ann.last_word, 6);
  assert_int_equal(ann.n_fresh, 0);
  assert_int_equal(world.n_keys, 1);
  person_stop(&ann);
}

static void each_framing(void **state)
{
  (void)state;
  static const char *const ways[] = {"abridged",
                                     "intermediate",
                                     "padded",
                                     "full",
                                     "obfuscated-abridged",
                                     "obfuscated-intermediate",
                                     "obfuscated-padded",
                                     "obfuscated-full"};
  struct ln_auth_key key;
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    struct ln_connection_config config = person_config(&ann, ways[i]);
    if (i % 4) person_has_key(&config, &key); /* two of them with an exchange */
    person_start(&ann, &config);
    for (uint32_t k = 1; k <= 10; k++) person_ask(&ann, k);
    world_run(ann_has_ten, 30);
    assert_int_equal(ann.n_results, 10);
    for (int k = 1; k <= 10; k++) assert_int_equal(ann.answers[k], 1);
    assert_int_equal(ann.n_down, 0);
    person_stop(&ann);
  }
  assert_int_equal(world.n_keys, 2);
}

static void errors_drops_and_order(void **state)
{
  (void)state;
  struct ln_auth_key key;
  struct ln_connection_config config = person_config(&ann, "abridged");
  person_has_key(&config, &key);
  person_start(&ann, &config);
  uint8_t body[8] = {0xe0, 0xe0, 0xe0, 0xe0};
  struct ln_request *first, *second;
  /* While they wait: a chain, a link of which is taken out; one that is silent. */
  first = person_ask(&ann, 1);
  assert_int_equal(ln_connection_request(ann.c, ln_slice(body, 8), (void *)2, first, 0, &second), LN_OK);
  assert_int_equal(
      ln_connection_request(ann.c, ln_slice(body, 8), (void *)3, second, LN_REQUEST_NO_RESPONSE, NULL),
      LN_OK);
  ln_connection_cancel(ann.c, first);
  assert_int_equal(ln_connection_request(ann.c, ln_slice(body, 7), NULL, NULL, 0, NULL), LN_E_INVAL);
  assert_int_equal(ln_connection_in_flight(ann.c), 2);
  world_run(ann_has_result, 30);
  assert_int_equal(ann.n_errors, 1);
  assert_int_equal(ann.answers[2], 1);
  assert_int_equal(ann.last_err, 0);
  assert_int_equal(ann.last_code, 420);
  assert_int_equal(ann.answers[1] + ann.answers[3], 0);
  /* Once it has left, cancelling tells the server. */
  world.hold_answers = true;
  first = person_ask(&ann, 4);
  world_run(NULL, 2);
  assert_int_equal(world.n_held, 1);
  ln_connection_cancel(ann.c, first);
  assert_int_equal(ln_connection_in_flight(ann.c), 0);
  world_run(NULL, 2);
  assert_int_equal(world.n_drops, 1);
  assert_int_equal(ann.answers[4], 0);
  person_stop(&ann);
}

static bool server_has_ack(void)
{
  return world.n_acks > 0;
}

static bool ann_has_update(void)
{
  return ann.n_updates > 0;
}

static void push_and_ack(void **state)
{
  (void)state;
  struct ln_auth_key key;
  struct ln_connection_config config = person_config(&ann, "obfuscated-padded");
  uint8_t update[8] = {1, 1, 1, 1, 99};
  uint64_t id = 0;
  person_has_key(&config, &key);
  person_start(&ann, &config);
  person_ask(&ann, 1);
  world_run(ann_has_result, 30);
  assert_int_equal(ln_sandbox_push(world.session, ln_slice(update, 8), &id), LN_OK);
  world_run(ann_has_update, 5);
  assert_int_equal(ann.last_word, 99);
  assert_int_equal(ann.update_id, id);
  world_run(NULL, 60);
  assert_int_equal(world.n_acks, 0); /* not before its owner says so */
  ln_connection_ack(ann.c, ann.update_id);
  world_run(server_has_ack, 60);
  assert_int_equal(world.acked, id);
  assert_int_equal(ann.n_updates, 1);
  person_stop(&ann);
}

static bool ann_has_all(void)
{
  return ann.n_results == 300;
}

static void large_answers(void **state)
{
  (void)state;
  struct ln_auth_key key;
  struct ln_connection_config config = person_config(&ann, "intermediate");
  person_has_key(&config, &key);
  person_start(&ann, &config);
  world.answer_size = 100000;
  for (uint32_t i = 0; i < 300; i++) person_ask(&ann, i);
  world_run(ann_has_all, 60);
  for (int i = 0; i < 300; i++) assert_int_equal(ann.answers[i], 1);
  assert_int_equal(ann.sum, 300 * 100000);
  assert_int_equal(ann.n_down, 0);
  assert_true(ln_sandbox_idle(world.sandbox));
  person_stop(&ann);
}

static void two_clients_one_key(void **state)
{
  (void)state;
  struct ln_auth_key key;
  struct ln_connection_config config = person_config(&ann, "full");
  person_has_key(&config, &key);
  person_start(&ann, &config);
  config = person_config(&bob, "abridged");
  person_has_key(&config, &key);
  person_start(&bob, &config);
  person_ask(&ann, 1);
  person_ask(&bob, 2);
  world_run(NULL, 2);
  assert_int_equal(ann.answers[1], 1);
  assert_int_equal(bob.answers[2], 1);
  assert_int_equal(world.n_up, 2); /* a session each */
  person_stop(&ann);
  world_run(NULL, 1);
  assert_int_equal(world.n_down, 1);
  person_ask(&bob, 3);
  world_run(NULL, 2);
  assert_int_equal(bob.answers[3], 1);
  person_stop(&bob);
}

static void sessions_live_for_an_hour(void **state)
{
  (void)state;
  struct ln_auth_key key;
  struct ln_connection_config config = person_config(&ann, "intermediate");
  person_has_key(&config, &key);
  person_start(&ann, &config);
  person_ask(&ann, 1);
  world_run(ann_has_result, 30);
  person_stop(&ann);
  world_run(NULL, 3590);
  assert_int_equal(world.n_down, 1);
  assert_int_equal(world.n_gone, 0);
  uint8_t update[8] = {1};
  assert_int_equal(ln_sandbox_push(world.session, ln_slice(update, 8), NULL), LN_OK); /* waits for it */
  world_run(NULL, 20);
  assert_int_equal(world.n_gone, 1);
}

static void the_sandboxs_key_on_loopback(void **state)
{
  (void)state;
  struct ln_connection_config config = person_config(&ann, "intermediate");
  config.n_keys = 0;
  config.loopback_key = world_public;
  person_start(&ann, &config);
  person_ask(&ann, 1);
  world_run(ann_has_result, 30);
  assert_int_equal(ann.n_fresh, 1);
  person_stop(&ann);
}

static void an_address_of_its_own(void **state)
{
  (void)state;
  int port;
  assert_int_equal(ln_sandbox_listen(world.sandbox, "0.0.0.0", 0, 2, &port), LN_E_PERMISSION);
  assert_int_equal(ln_sandbox_listen(world.sandbox, "192.0.2.1", 0, 2, &port), LN_E_PERMISSION);
  assert_int_equal(ln_sandbox_listen(world.sandbox, "example.org", 0, 2, &port), LN_E_PERMISSION);
  assert_int_equal(ln_sandbox_listen(world.sandbox, "127.0.0.1", 0, 4, &port), LN_OK);
  assert_int_not_equal(port, 0);
}

#define VIRTUAL(test) cmocka_unit_test_setup_teardown(test, world_open_virtual, world_close)
#define TCP(test)                                           \
  {                                                         \
#test " (tcp)", test, world_open_tcp, world_close, NULL \
  }

int main(void)
{
  const struct CMUnitTest tests[] = {
      VIRTUAL(exchange_and_first_request),
      TCP(exchange_and_first_request),
      VIRTUAL(each_framing),
      TCP(each_framing),
      VIRTUAL(errors_drops_and_order),
      VIRTUAL(push_and_ack),
      VIRTUAL(large_answers),
      TCP(large_answers),
      VIRTUAL(two_clients_one_key),
      VIRTUAL(sessions_live_for_an_hour),
      VIRTUAL(the_sandboxs_key_on_loopback),
      TCP(the_sandboxs_key_on_loopback),
      VIRTUAL(an_address_of_its_own),
  };
  return cmocka_run_group_tests_name("server", tests, world_make_key, world_free_key);
}
