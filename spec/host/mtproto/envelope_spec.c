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

/* A message that a server of Telegram once sent, and its key, as the tests of grammers and gotd have them:
 * new_session_created and pong in one container. */
static const char telegrams_key[] =
    "5d2e7d65f49ec28bd029a88761ea27b8a4c79f12226525443e7d7c596ef3303530db2107e89aa997c7a0164ab694187a"
    "deff156bd6ef7118a1962347753c0e7e89a0354b8ec364f9997e71bc6923fb86e8e43491e010606a6ce845e2fa019409"
    "77ef0aa32adf5a97dbf6d428ec0434d717a2d3ad19622cc05887642113c7965ffb862a3e3ccb0ab95addda57f89245db"
    "d76b492348f8e94bd5a7c0e0b84808523cfd1ea80b32fe9ad198bc2e103fceb7d52492ecc0273a28674bc923eee59265"
    "ab17a002df1f4aa2c59b819a5e5e1d105ec117336f5c76c6b187037d4b4270cee9cc21071d97e9bca220c6d7b01b998c"
    "f2e5cdb9a50ecda1852a36e635690c8e";

static const char telegrams_message[] =
    "7a7183c2c10e4f4df945fa9a9abd35e7c3840b61f045304f39674c19c0e209784f50f6226a073529d675c92cbf0bfa8c"
    "99a79b3f39c72a5d9a026d431ab7407ca04ecc55187d6c45f17871524edd90cea02ed728e14d7cb18aea2a636158f094"
    "59a9437710d894c79f368c4e8164b7647ea98612aefe942c5d92121acb8db02dccceb66d0f8720ac12a06db0582bfd95"
    "5be34f365118e3bab8cd080ce6b45b28eac56dcd2a29374e";

static void telegrams_own_message_opens(void **state)
{
  (void)state;
  uint8_t key[256], payload[512];
  struct ln_auth_key k;
  struct ln_plain got;
  assert_int_equal(spec_hex(telegrams_key, key, sizeof key), 256);
  ln_auth_key_init(&k, key);
  size_t n = spec_hex(telegrams_message, payload, sizeof payload);
  assert_int_equal(ln_envelope_open(&k, LN_TO_CLIENT, payload, n, &got), LN_OK);
  assert_int_equal(got.salt, UINT64_C(0xfd288b24026a82fc));
  assert_int_equal(got.session_id, UINT64_C(0x68ad432482c4f260));
  assert_int_equal(got.msg_id, UINT64_C(0x5e308b91c2c1f001));
  assert_int_equal(got.seqno, 2);
  assert_int_equal(got.body.n, 88);
  struct ln_message m[LN_CONTAINER_MAX_IN];
  size_t parts;
  assert_int_equal(ln_container_parse(got.body, got.msg_id, m, &parts), LN_OK);
  assert_int_equal(parts, 2);
  assert_int_equal(m[0].msg_id, UINT64_C(0x5e308b91c2c1a801));
  assert_int_equal(m[0].seqno, 1);
  assert_int_equal(ln_le32(m[0].body.p), LN_ID_new_session_created);
  assert_int_equal(m[1].msg_id, UINT64_C(0x5e308b91c2c1cc01));
  assert_int_equal(ln_le32(m[1].body.p), LN_ID_pong);
  assert_int_equal(m[1].body.n, 20);
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
      cmocka_unit_test(telegrams_own_message_opens),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
