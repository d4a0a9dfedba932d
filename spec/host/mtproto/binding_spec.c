/* The message that binds a temporary key: gotd's, byte by byte; ours and back; and none that was touched. */
#include "spec.h"
#include "mtproto/binding.h"
#include "mtproto/envelope.h"

static int fill_cd(void *ctx, void *out, size_t n)
{
  (void)ctx;
  memset(out, 0xcd, n);
  return LN_OK;
}

static const struct ln_rng rng_cd = {fill_cd, NULL};

static struct ln_auth_key falling_key(void)
{
  uint8_t bytes[256];
  struct ln_auth_key k;
  for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)(255 - i);
  ln_auth_key_init(&k, bytes);
  return k;
}

static struct ln_binding sample(const struct ln_auth_key *k)
{
  return (struct ln_binding){
      .msg_id = UINT64_C(0x0112233445566770),
      .nonce = UINT64_C(0x0001020304050607),
      .temp_key_id = UINT64_C(0x0011223344556677),
      .perm_key_id = k->id,
      .session_id = UINT64_C(0x1020304050607080),
      .expires_at = 1735689600,
  };
}

/* What EncryptBindMessage of gotd/td 0.159 makes of the same. */
static void the_message_of_another_client(void **state)
{
  (void)state;
  static const char theirs[] =
      "96d1b10e8f724a1311690d983ad97b4a6683cb1979a5754a83027570fe6ab795278fb432db61843eb1e909bad542a7de"
      "1b108c9e8ccea2b06bd975006ac0598e503e8121812bc9ec30b0eb2eabffaa36a8fb0379f8a991578a69c40daefe65ab"
      "ce336655c18dfa53";
  uint8_t want[LN_BINDING_SIZE], have[LN_BINDING_SIZE];
  struct ln_auth_key k = falling_key();
  struct ln_binding b = sample(&k);
  assert_int_equal(spec_hex(theirs, want, sizeof want), LN_BINDING_SIZE);
  assert_int_equal(ln_binding_seal(&k, &rng_cd, &b, have), LN_OK);
  assert_memory_equal(have, want, LN_BINDING_SIZE);
}

static void ours_and_back(void **state)
{
  (void)state;
  uint8_t sealed[LN_BINDING_SIZE], again[LN_BINDING_SIZE];
  struct ln_rng rng = ln_rng_system();
  struct ln_auth_key k = falling_key();
  struct ln_binding b = sample(&k), out;
  assert_int_equal(ln_binding_seal(&k, &rng, &b, sealed), LN_OK);
  assert_int_equal(ln_binding_open(&k, ln_slice(sealed, sizeof sealed), &out), LN_OK);
  assert_true(out.msg_id == b.msg_id && out.seqno == 0 && out.nonce == b.nonce);
  assert_true(out.temp_key_id == b.temp_key_id && out.perm_key_id == k.id);
  assert_true(out.session_id == b.session_id && out.expires_at == b.expires_at);
  assert_int_equal(ln_binding_seal(&k, &rng, &b, again), LN_OK);
  assert_memory_not_equal(sealed + 8, again + 8, 16); /* other random bytes, another msg_key */
}

static void refuses(const struct ln_auth_key *k, const uint8_t *p, size_t n)
{
  struct ln_binding out;
  uint8_t *exact = malloc(n ? n : 1); /* the sanitizer sees what is read past its end */
  memcpy(exact, p, n);
  assert_int_equal(ln_binding_open(k, ln_slice(exact, n), &out), LN_E_DECRYPT);
  free(exact);
}

static void none_that_was_touched(void **state)
{
  (void)state;
  uint8_t sealed[LN_BINDING_SIZE + 1024] = {0}, other[256];
  struct ln_rng rng = ln_rng_system();
  struct ln_auth_key k = falling_key(), foreign;
  struct ln_binding b = sample(&k);
  assert_int_equal(ln_binding_seal(&k, &rng, &b, sealed), LN_OK);
  for (size_t n = 0; n < LN_BINDING_SIZE; n++) refuses(&k, sealed, n);
  refuses(&k, sealed, LN_BINDING_SIZE + 16);
  refuses(&k, sealed, LN_BINDING_SIZE + 1024);
  for (size_t i = 0; i < LN_BINDING_SIZE - 16;
       i++) { /* the last block holds the padding, which is nobody's */
    sealed[i] ^= 1;
    refuses(&k, sealed, LN_BINDING_SIZE);
    sealed[i] ^= 1;
  }
  memset(other, 7, sizeof other);
  ln_auth_key_init(&foreign, other);
  refuses(&foreign, sealed, LN_BINDING_SIZE);
  ln_put_le64(sealed, foreign.id);
  refuses(&foreign, sealed, LN_BINDING_SIZE);
}

/* MTProto 1.0 is for this alone: as a message of a session it is none. */
static void no_message_of_a_session(void **state)
{
  (void)state;
  uint8_t sealed[LN_BINDING_SIZE];
  struct ln_rng rng = ln_rng_system();
  struct ln_auth_key k = falling_key();
  struct ln_binding b = sample(&k);
  struct ln_plain plain;
  for (int x = 0; x <= 8; x += 8) {
    assert_int_equal(ln_binding_seal(&k, &rng, &b, sealed), LN_OK);
    assert_int_equal(ln_envelope_open(&k, (enum ln_direction)x, sealed, sizeof sealed, &plain), LN_E_DECRYPT);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_message_of_another_client),
      cmocka_unit_test(ours_and_back),
      cmocka_unit_test(none_that_was_touched),
      cmocka_unit_test(no_message_of_a_session),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
