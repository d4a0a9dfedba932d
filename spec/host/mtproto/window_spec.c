/* The window of received ids, against a model that remembers everything. */
#include "mtproto/window.h"
#include "crypto/rand.h"
#include "spec.h"

static struct ln_window w;

static void an_id_is_new_once(void **state)
{
  (void)state;
  ln_window_init(&w);
  assert_int_equal(ln_window_look(&w, 5), LN_SEEN_NEVER);
  assert_null(ln_window_flags(&w, 5));
  ln_window_add(&w, 5, LN_SEEN_ACK);
  assert_int_equal(ln_window_look(&w, 5), LN_SEEN_BEFORE);
  assert_int_equal(*ln_window_flags(&w, 5), LN_SEEN_ACK);
  assert_int_equal(ln_window_look(&w, 4), LN_SEEN_NEVER);
  assert_int_equal(ln_window_look(&w, 6), LN_SEEN_NEVER);
  assert_int_equal(ln_window_newest(&w), 5);
}

static void what_fell_out_is_below_the_floor(void **state)
{
  (void)state;
  ln_window_init(&w);
  for (uint64_t id = 1; id <= 3 * LN_WINDOW_SIZE; id++) {
    assert_int_equal(ln_window_look(&w, id), LN_SEEN_NEVER);
    ln_window_add(&w, id, 0);
  }
  for (uint64_t id = 1; id <= 2 * LN_WINDOW_SIZE; id++)
    assert_int_equal(ln_window_look(&w, id), LN_SEEN_BELOW_FLOOR);
  for (uint64_t id = 2 * LN_WINDOW_SIZE + 1; id <= 3 * LN_WINDOW_SIZE; id++)
    assert_int_equal(ln_window_look(&w, id), LN_SEEN_BEFORE);
}

/* Ids out of order and far apart; the model says what the window may never say: "never" of a known id. */
static void agrees_with_a_model_in_any_order(void **state)
{
  (void)state;
  enum { IDS = 20000 };
  static bool known[IDS];
  struct ln_rng_seeded seed;
  struct ln_rng rng = ln_rng_seeded(&seed, 42);
  ln_window_init(&w);
  memset(known, 0, sizeof known);
  uint64_t base = 0;
  for (int i = 0; i < 60000; i++) {
    uint32_t r;
    assert_int_equal(ln_rng_fill(&rng, &r, sizeof r), LN_OK);
    base = (uint64_t)i / 4;
    uint64_t id = base + r % 64 + 1;
    enum ln_seen seen = ln_window_look(&w, id);
    if (seen == LN_SEEN_BELOW_FLOOR) continue;
    assert_int_equal(seen == LN_SEEN_BEFORE, known[id]);
    if (seen == LN_SEEN_NEVER) ln_window_add(&w, id, (uint8_t)(id & 1));
    known[id] = true;
    assert_int_equal(*ln_window_flags(&w, id) & 1, id & 1);
  }
  assert_true(w.floor > 0 && w.floor < base);
  for (uint64_t id = w.floor + 1; id < base; id++)
    assert_int_equal(ln_window_look(&w, id) == LN_SEEN_BEFORE, known[id]);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_id_is_new_once),
      cmocka_unit_test(what_fell_out_is_below_the_floor),
      cmocka_unit_test(agrees_with_a_model_in_any_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
