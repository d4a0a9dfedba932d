/* AES-256-IGE and CTR: published vectors, and the two makers of IGE against each other. */
#include "spec.h"
#include "sample.h"
#include "crypto/aes.h"
#include "crypto/aes_ige.h"
#include "crypto/rand.h"

typedef void (*ige)(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out, size_t n);

/* Each vector by all three entries. */
static void check_ige(const char *key_hex, const char *iv_hex, const char *plain_hex, const char *cipher_hex)
{
  static const ige encrypt[] = {ln_aes_ige_encrypt, ln_aes_ige_encrypt_portable, ln_aes_ige_encrypt_ni};
  static const ige decrypt[] = {ln_aes_ige_decrypt, ln_aes_ige_decrypt_portable, ln_aes_ige_decrypt_ni};
  uint8_t key[32], iv[32], iv_before[32], plain[1024], cipher[1024], out[1024];
  assert_int_equal(spec_hex(key_hex, key, 32), 32);
  assert_int_equal(spec_hex(iv_hex, iv, 32), 32);
  size_t n = spec_hex(plain_hex, plain, sizeof plain);
  assert_int_equal(spec_hex(cipher_hex, cipher, sizeof cipher), n);
  memcpy(iv_before, iv, 32);
  for (int i = 0; i < (ln_aes_ige_ni_usable() ? 3 : 2); i++) {
    encrypt[i](key, iv, plain, out, n);
    assert_memory_equal(out, cipher, n);
    decrypt[i](key, iv, cipher, out, n);
    assert_memory_equal(out, plain, n);
    encrypt[i](key, iv, out, out, n); /* in place */
    assert_memory_equal(out, cipher, n);
    decrypt[i](key, iv, out, out, n);
    assert_memory_equal(out, plain, n);
    assert_memory_equal(iv, iv_before, 32);
  }
}

static void published_vectors(void **state)
{
  (void)state;
  /* OpenSSL's second IGE vector with the key said twice, as mtcute's tests have it. */
  check_ige("5468697320697320616e20696d706c655468697320697320616e20696d706c65",
            "6d656e746174696f6e206f6620494745206d6f646520666f72204f70656e5353",
            "99706487a1cde613bc6de0b6f24b1c7aa448c8b9c3403e3467a8cad89340f53b",
            "792ea8ae577b1a66cb3bd92679b8030ca54ee631976bd3a04547fdcb4639fa69");
  /* From the tests of grammers. */
  static const char counting[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
  check_ige(counting, counting, counting, "e28112a53e5c89c7b1ea8071c133699fd4e86b26c4bac9fc5af1ab8ce27a44a4");
  check_ige(counting, counting, "e5777afacd7b2c16f7ac40cae61ef603fee6098fb8a8860ab9ee672cd7e5bacc", counting);
}

static void the_answer_of_the_published_sample(void **state)
{
  (void)state;
  uint8_t key[32], iv[32], cipher[1024], plain[1024], g_a[256], head[4] = {0xba, 0x0d, 0x89, 0xb5};
  spec_hex(SAMPLE_TMP_AES_KEY, key, 32);
  spec_hex(SAMPLE_TMP_AES_IV, iv, 32);
  spec_hex(sample_g_a, g_a, 256);
  size_t n = spec_hex(sample_encrypted_answer, cipher, sizeof cipher);
  assert_int_equal(n, 592);
  ln_aes_ige_decrypt(key, iv, cipher, plain, n);
  assert_memory_equal(plain + 20, head, 4); /* server_DH_inner_data, after its SHA-1 */
  assert_memory_equal(plain + 20 + 4 + 16 + 16 + 4 + 260 + 4, g_a, 256);
}

static void both_makers_agree(void **state)
{
  (void)state;
  static uint8_t in[4096], a[4096], b[4096];
  uint8_t key[32], iv[32], draw[2];
  struct ln_rng_seeded s;
  struct ln_rng rng = ln_rng_seeded(&s, 1);
  if (!ln_aes_ige_ni_usable()) skip();
  for (int i = 0; i < 300; i++) {
    ln_rng_fill(&rng, key, 32);
    ln_rng_fill(&rng, iv, 32);
    ln_rng_fill(&rng, in, sizeof in);
    ln_rng_fill(&rng, draw, 2);
    size_t n = (size_t)(draw[0] | draw[1] << 8) % 257 * 16;
    memset(a, 0xee, sizeof a);
    memset(b, 0xee, sizeof b);
    ln_aes_ige_encrypt_ni(key, iv, in, a, n);
    ln_aes_ige_encrypt_portable(key, iv, in, b, n);
    assert_memory_equal(a, b, sizeof a); /* and nothing past n */
    ln_aes_ige_decrypt_ni(key, iv, in, a, n);
    ln_aes_ige_decrypt_portable(key, iv, in, b, n);
    assert_memory_equal(a, b, sizeof a);
  }
}

static void addresses_of_any_alignment(void **state)
{
  (void)state;
  uint8_t key[33], iv[33], in[80], out[80], want[64];
  spec_pattern(key, sizeof key, 1);
  spec_pattern(iv, sizeof iv, 2);
  spec_pattern(in, sizeof in, 3);
  ln_aes_ige_encrypt_portable(key + 1, iv + 1, in + 1, want, 64);
  for (int i = 0; i < 16; i++) {
    memmove(in + i, in + (i ? i - 1 : 1), 64);
    ln_aes_ige_encrypt(key + 1, iv + 1, in + i, out + 15 - i, 64);
    assert_memory_equal(out + 15 - i, want, 64);
  }
}

/* NIST SP 800-38A, F.5.5. */
static void ctr_vector(void **state)
{
  (void)state;
  uint8_t key[32], iv[16], plain[64], cipher[64], out[64];
  struct ln_aes_ctr c;
  spec_hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", key, 32);
  spec_hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", iv, 16);
  spec_hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
           "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
           plain, 64);
  spec_hex("601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
           "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
           cipher, 64);
  for (size_t step = 1; step <= 64; step++) { /* however it is cut */
    memcpy(out, plain, 64);
    assert_int_equal(ln_aes_ctr_init(&c, key, iv), LN_OK);
    for (size_t at = 0; at < 64; at += step) ln_aes_ctr_apply(&c, out + at, step < 64 - at ? step : 64 - at);
    ln_aes_ctr_deinit(&c);
    assert_memory_equal(out, cipher, 64);
  }
  assert_int_equal(ln_aes_ctr_init(&c, key, iv), LN_OK);
  ln_aes_ctr_apply(&c, out, 64);
  ln_aes_ctr_deinit(&c);
  assert_memory_equal(out, plain, 64);
}

static void the_ctr_counter_carries_through_all_bytes(void **state)
{
  (void)state;
  uint8_t key[32], iv[16], a[48] = {0}, b[16] = {0};
  struct ln_aes_ctr c;
  spec_pattern(key, 32, 9);
  memset(iv, 0xff, 16);
  assert_int_equal(ln_aes_ctr_init(&c, key, iv), LN_OK);
  ln_aes_ctr_apply(&c, a, 48);
  ln_aes_ctr_deinit(&c);
  memset(iv, 0, 16);
  assert_int_equal(ln_aes_ctr_init(&c, key, iv), LN_OK);
  ln_aes_ctr_apply(&c, b, 16);
  ln_aes_ctr_deinit(&c);
  assert_memory_equal(a + 16, b, 16);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(published_vectors), cmocka_unit_test(the_answer_of_the_published_sample),
      cmocka_unit_test(both_makers_agree), cmocka_unit_test(addresses_of_any_alignment),
      cmocka_unit_test(ctr_vector),        cmocka_unit_test(the_ctr_counter_carries_through_all_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
