/* Sealing and opening: both directions, all lengths, every single damaged byte; and that every failure before
 * and at msg_key's comparison looks the same. */
#include "sessions.h"

static struct ln_auth_key a_key(unsigned seed)
{
  struct ln_auth_key k;
  uint8_t bytes[256];
  spec_pattern(bytes, sizeof bytes, seed);
  ln_auth_key_init(&k, bytes);
  return k;
}

static size_t seal(const struct ln_auth_key *k, enum ln_direction x, uint8_t *payload, size_t n, size_t more)
{
  struct ln_rng_seeded seed;
  struct ln_rng rng = ln_rng_seeded(&seed, n);
  struct ln_plain plain = {1, 2, 3, 4, {NULL, 0}};
  spec_pattern(payload + LN_ENVELOPE_BODY, n, 3);
  size_t size = ln_envelope_size(n) + more;
  assert_int_equal(ln_envelope_seal(k, x, &rng, &plain, payload, size, n), LN_OK);
  return size;
}

static void what_is_sealed_opens(void **state)
{
  (void)state;
  struct ln_auth_key k = a_key(1);
  static uint8_t payload[8192], expected[4096];
  const enum ln_direction ways[] = {LN_TO_SERVER, LN_TO_CLIENT};
  for (int w = 0; w < 2; w++)
    for (size_t n = 0; n <= 260; n += 4)
      for (size_t tail = 0; tail < 16; tail += 5) { /* padded intermediate leaves up to 15 bytes behind */
        struct ln_plain got;
        size_t size = seal(&k, ways[w], payload, n, 0);
        assert_int_equal(size % 16, LN_ENVELOPE_OUTER % 16);
        assert_int_equal(ln_envelope_open(&k, ways[w], payload, size + tail, &got), LN_OK);
        assert_int_equal(got.salt, 1);
        assert_int_equal(got.session_id, 2);
        assert_int_equal(got.msg_id, 3);
        assert_int_equal(got.seqno, 4);
        spec_pattern(expected, n, 3);
        assert_true(ln_slice_equal(got.body, ln_slice(expected, n)));
      }
}

static void the_two_directions_are_two_ciphers(void **state)
{
  (void)state;
  struct ln_auth_key k = a_key(1);
  uint8_t payload[256];
  struct ln_plain got;
  size_t size = seal(&k, LN_TO_SERVER, payload, 64, 0);
  assert_int_equal(ln_envelope_open(&k, LN_TO_CLIENT, payload, size, &got), LN_E_DECRYPT);
}

static void another_key_opens_nothing(void **state)
{
  (void)state;
  struct ln_auth_key k = a_key(1), other = a_key(2);
  uint8_t payload[256];
  struct ln_plain got;
  size_t size = seal(&k, LN_TO_SERVER, payload, 64, 0);
  ln_put_le64(payload, other.id);
  assert_int_equal(ln_envelope_open(&other, LN_TO_SERVER, payload, size, &got), LN_E_DECRYPT);
}

static void every_damaged_byte_is_noticed(void **state)
{
  (void)state;
  struct ln_auth_key k = a_key(1);
  uint8_t whole[256], payload[256];
  size_t size = seal(&k, LN_TO_CLIENT, whole, 64, 32);
  for (size_t i = 0; i < size; i++)
    for (int bit = 0; bit < 8; bit += 7) {
      struct ln_plain got;
      memcpy(payload, whole, size);
      payload[i] ^= (uint8_t)(1 << bit);
      assert_int_equal(ln_envelope_open(&k, LN_TO_CLIENT, payload, size, &got), LN_E_DECRYPT);
    }
}

static void every_shortened_payload_is_refused(void **state)
{
  (void)state;
  struct ln_auth_key k = a_key(1);
  uint8_t whole[512], payload[512];
  size_t size = seal(&k, LN_TO_CLIENT, whole, 128, 0);
  for (size_t n = 0; n < size; n++) {
    struct ln_plain got;
    memcpy(payload, whole, size);
    assert_int_equal(ln_envelope_open(&k, LN_TO_CLIENT, payload, n, &got), LN_E_DECRYPT);
  }
}

static void sizes_that_cannot_be_sealed_are_refused(void **state)
{
  (void)state;
  struct ln_auth_key k = a_key(1);
  static uint8_t payload[4096];
  struct ln_rng_seeded seed;
  struct ln_rng rng = ln_rng_seeded(&seed, 1);
  struct ln_plain plain = {0};
  size_t good = ln_envelope_size(64);
  assert_int_equal(ln_envelope_seal(&k, LN_TO_SERVER, &rng, &plain, payload, good, 64), LN_OK);
  assert_int_equal(ln_envelope_seal(&k, LN_TO_SERVER, &rng, &plain, payload, good + 4, 64), LN_E_INVAL);
  assert_int_equal(ln_envelope_seal(&k, LN_TO_SERVER, &rng, &plain, payload, good - 16, 64), LN_E_INVAL);
  assert_int_equal(ln_envelope_seal(&k, LN_TO_SERVER, &rng, &plain, payload, good + 1024, 64), LN_E_INVAL);
  assert_int_equal(ln_envelope_seal(&k, LN_TO_SERVER, &rng, &plain, payload, good, 62), LN_E_INVAL);
}

/* The padding is random: the same message twice gives two payloads that share nothing. */
static void equal_messages_do_not_look_equal(void **state)
{
  (void)state;
  struct ln_auth_key k = a_key(1);
  struct ln_rng_seeded seed;
  struct ln_rng rng = ln_rng_seeded(&seed, 1);
  struct ln_plain plain = {1, 2, 3, 4, {NULL, 0}};
  uint8_t a[256] = {0}, b[256] = {0};
  size_t size = ln_envelope_size(64);
  assert_int_equal(ln_envelope_seal(&k, LN_TO_SERVER, &rng, &plain, a, size, 64), LN_OK);
  assert_int_equal(ln_envelope_seal(&k, LN_TO_SERVER, &rng, &plain, b, size, 64), LN_OK);
  for (size_t i = 8; i + 16 <= size; i += 16) assert_memory_not_equal(a + i, b + i, 16);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_sealed_opens),
      cmocka_unit_test(the_two_directions_are_two_ciphers),
      cmocka_unit_test(another_key_opens_nothing),
      cmocka_unit_test(every_damaged_byte_is_noticed),
      cmocka_unit_test(every_shortened_payload_is_refused),
      cmocka_unit_test(sizes_that_cannot_be_sealed_are_refused),
      cmocka_unit_test(equal_messages_do_not_look_equal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
