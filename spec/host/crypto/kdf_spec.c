/* Key derivation against the numbers of the published sample and of other clients' tests. */
#include "spec.h"
#include "sample.h"
#include "crypto/aes.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"

static struct ln_auth_key counting_key(void)
{
  uint8_t bytes[256];
  struct ln_auth_key k;
  for (int i = 0; i < 256; i++) bytes[i] = (uint8_t)i;
  ln_auth_key_init(&k, bytes);
  return k;
}

static void assert_hex(const uint8_t *have, const char *hex, size_t n)
{
  uint8_t want[512];
  assert_int_equal(spec_hex(hex, want, sizeof want), n);
  assert_memory_equal(have, want, n);
}

static void ids_of_an_auth_key(void **state)
{
  (void)state;
  struct ln_auth_key k = counting_key();
  uint8_t id[8];
  ln_put_le64(id, k.id);
  assert_hex(id, "32d1586ea457dfc8", 8);
  ln_put_le64(id, k.aux_hash);
  assert_hex(id, "4916d6bdb7f78e68", 8);
  ln_auth_key_init(&k, k.key); /* from its own bytes */
  ln_put_le64(id, k.aux_hash);
  assert_hex(id, "4916d6bdb7f78e68", 8);
}

/* new_nonce_hash1 = last 16 bytes of SHA1(new_nonce, 1, aux_hash). */
static void aux_hash_of_the_published_sample(void **state)
{
  (void)state;
  struct ln_auth_key k;
  uint8_t bytes[256], nonce[32], aux[8], sha[20], one = 1;
  assert_int_equal(spec_hex(sample_auth_key, bytes, 256), 256);
  spec_hex(SAMPLE_NEW_NONCE, nonce, 32);
  ln_auth_key_init(&k, bytes);
  ln_put_le64(aux, k.aux_hash);
  ln_sha1_parts((struct ln_slice[]){ln_slice(nonce, 32), ln_slice(&one, 1), ln_slice(aux, 8)}, 3, sha);
  assert_hex(sha + 4, SAMPLE_NEW_NONCE_HASH1, 16);
}

/* The vectors that gotd and grammers share. */
static void message_keys(void **state)
{
  (void)state;
  struct ln_auth_key k = counting_key();
  uint8_t key[32], iv[32];
  ln_kdf(&k, k.key, LN_TO_SERVER, key, iv); /* msg_key 00 01 … 0f */
  assert_hex(key, "704ed09c8b41668ae8f99d244738f71dbddc44469b6bbd4aa8573dd042bd059e", 32);
  assert_hex(iv, "4d266000a550edabbf4c7ce40fd0043cc92230184cd317a5cc9c2482fd3b9318", 32);
  ln_kdf(&k, k.key, LN_TO_CLIENT, key, iv);
  assert_hex(key, "217725799b245806458174a1fcfbc883906807b15033fdd0ea2b4d69cf9c364e", 32);
  assert_hex(iv, "669a6538917a4fa56ca32360a431c9160be4ad887140980dab91ce7bdc47ffbc", 32);
}

/* MTProto 1.0, with the numbers that mtcute comes to. */
static void message_keys_of_the_first_version(void **state)
{
  (void)state;
  struct ln_auth_key k = counting_key();
  uint8_t key[32], iv[32];
  ln_kdf_old(&k, k.key, LN_TO_SERVER, key, iv); /* msg_key 00 01 … 0f */
  assert_hex(key, "17d7295ca9213d1ab656acdb1ad48b2ea7f3a8f7095098d5508b900bbd5fccfc", 32);
  assert_hex(iv, "2d7d16a65a84108e9805656caa474501cc580aa2edc33abfd0bfad785464d1c6", 32);
  ln_kdf_old(&k, k.key, LN_TO_CLIENT, key, iv);
  assert_hex(key, "bb17b07eb91110647098b069bd1a9b6fe5c4bcc3c31f8e67e831d07a61085f68", 32);
  assert_hex(iv, "5197fc1e25b41fe36f18b5a3a8b2b36cb2cb061f1f157b3514fe42e74fb58359", 32);
}

/* A whole message of a client, zeros as padding, from the tests of grammers. */
static void a_message_to_the_server(void **state)
{
  (void)state;
  static const char text[] = "Hello, world! This data should remain secure!";
  static const char sealed[] =
      "32d1586ea457dfc8a81729d46db54019a2bfd7f744f9b96c4f716cfdc4477db2a2c15f6ddb85235fb9552f1d8407c6aa"
      "ea00cc844c5a1bf6ac44b79b5edc2a23868b3d6073a590992c0f2975243d563ea180d218ee757c9a";
  struct ln_auth_key k = counting_key();
  uint8_t out[88], plain[64] = {0}, key[32], iv[32];
  memcpy(plain, text, sizeof text - 1);
  ln_put_le64(out, k.id);
  ln_msg_key(&k, LN_TO_SERVER, ln_slice(plain, 64), out + 8);
  ln_kdf(&k, out + 8, LN_TO_SERVER, key, iv);
  ln_aes_ige_encrypt(key, iv, plain, out + 24, 64);
  assert_hex(out, sealed, 88);
}

/* A message of Telegram's servers with its key, from the same. */
static void a_message_of_the_server(void **state)
{
  (void)state;
  static const char key_hex[] =
      "5d2e7d65f49ec28bd029a88761ea27b8a4c79f12226525443e7d7c596ef3303530db2107e89aa997c7a0164ab694187a"
      "deff156bd6ef7118a1962347753c0e7e89a0354b8ec364f9997e71bc6923fb86e8e43491e010606a6ce845e2fa019409"
      "77ef0aa32adf5a97dbf6d428ec0434d717a2d3ad19622cc05887642113c7965ffb862a3e3ccb0ab95addda57f89245db"
      "d76b492348f8e94bd5a7c0e0b84808523cfd1ea80b32fe9ad198bc2e103fceb7d52492ecc0273a28674bc923eee59265"
      "ab17a002df1f4aa2c59b819a5e5e1d105ec117336f5c76c6b187037d4b4270cee9cc21071d97e9bca220c6d7b01b998c"
      "f2e5cdb9a50ecda1852a36e635690c8e";
  static const char sealed_hex[] =
      "7a7183c2c10e4f4df945fa9a9abd35e7c3840b61f045304f39674c19c0e209784f50f6226a073529d675c92cbf0bfa8c"
      "99a79b3f39c72a5d9a026d431ab7407ca04ecc55187d6c45f17871524edd90cea02ed728e14d7cb18aea2a636158f094"
      "59a9437710d894c79f368c4e8164b7647ea98612aefe942c5d92121acb8db02dccceb66d0f8720ac12a06db0582bfd95"
      "5be34f365118e3bab8cd080ce6b45b28eac56dcd2a29374e";
  static const char plain_hex[] =
      "fc826a02248b28fd60f2c4822443ad6801f0c1c2918b305e0200000058000000dcf8f1730200000001a8c1c2918b305e"
      "010000001c0000000809c29ec4fd33ad918b305e18a88ea607ee5816fc826a02248b28fd01ccc1c2918b305e02000000"
      "14000000c5737734c4fd33ad918b305e6408300000000000fce66704a3cd8ee9d0ae6fab672c60c04a3f1fd4490e51f6";
  struct ln_auth_key k;
  uint8_t bytes[256], sealed[256], msg_key[16], key[32], iv[32];
  assert_int_equal(spec_hex(key_hex, bytes, 256), 256);
  size_t n = spec_hex(sealed_hex, sealed, sizeof sealed);
  ln_auth_key_init(&k, bytes);
  assert_true(ln_le64(sealed) == k.id);
  ln_kdf(&k, sealed + 8, LN_TO_CLIENT, key, iv);
  ln_aes_ige_decrypt(key, iv, sealed + 24, sealed + 24, n - 24);
  assert_hex(sealed + 24, plain_hex, n - 24);
  ln_msg_key(&k, LN_TO_CLIENT, ln_slice(sealed + 24, n - 24), msg_key);
  assert_memory_equal(msg_key, sealed + 8, 16);
  ln_msg_key(&k, LN_TO_SERVER, ln_slice(sealed + 24, n - 24), msg_key);
  assert_memory_not_equal(msg_key, sealed + 8, 16);
}

static void keys_of_the_exchange(void **state)
{
  (void)state;
  uint8_t nonce[32], server[16], key[32], iv[32];
  spec_hex(SAMPLE_NEW_NONCE, nonce, 32);
  spec_hex(SAMPLE_SERVER_NONCE, server, 16);
  ln_kdf_exchange(nonce, server, key, iv);
  assert_hex(key, SAMPLE_TMP_AES_KEY, 32);
  assert_hex(iv, SAMPLE_TMP_AES_IV, 32);

  /* Nonces with zeros in front count in their full length (gotd's vector). */
  for (int i = 0; i < 32; i++) nonce[i] = (uint8_t)i;
  for (int i = 0; i < 16; i++) server[i] = (uint8_t)(i ? 0x20 + i : 0);
  ln_kdf_exchange(nonce, server, key, iv);
  assert_hex(key, "0a2d0f607499a866848e41798a34315e4922c39fe55c6caf5bc322c4b8c08c6a", 32);
  assert_hex(iv, "9cb702d4fd6e5d25e864070e166e6218f6783e8511471a5ab7802cf200010203", 32);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ids_of_an_auth_key),
      cmocka_unit_test(aux_hash_of_the_published_sample),
      cmocka_unit_test(message_keys),
      cmocka_unit_test(message_keys_of_the_first_version),
      cmocka_unit_test(a_message_to_the_server),
      cmocka_unit_test(a_message_of_the_server),
      cmocka_unit_test(keys_of_the_exchange),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
