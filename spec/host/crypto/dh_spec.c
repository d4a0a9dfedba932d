/* Diffie-Hellman: the groups and values that must be refused, and the published sample. */
#include "spec.h"
#include "sample.h"

#include <openssl/bn.h>
#include "crypto/dh.h"
#include "crypto/hash.h"

/* Two more safe primes: RFC 3526 group 14, and ffdhe2048 of RFC 7919. */
static const char ffdhe2048[] =
    "ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9e13641146433fbcc939dce249b3ef9"
    "7d2fe363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f57c935"
    "984f0c70e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fb"
    "b96adab760d7f4681d4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f61"
    "9172fe9ce98583ff8e4f1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa"
    "886b423861285c97ffffffffffffffff";
static uint8_t rfc3526[256], rfc7919[256];

static int setup(void **state)
{
  (void)state;
  BIGNUM *p = BN_get_rfc3526_prime_2048(NULL);
  BN_bn2binpad(p, rfc3526, 256);
  BN_free(p);
  return spec_hex(ffdhe2048, rfc7919, 256) == 256 ? 0 : -1;
}

static struct ln_slice s256(const uint8_t *p)
{
  return ln_slice(p, 256);
}

/* The prime that is taken on trust is proved here. */
static void telegrams_prime_is_safe(void **state)
{
  (void)state;
  assert_int_equal(ln_dh_prove_safe_prime(s256(ln_dh_telegram_prime)), LN_OK);
}

/* By Euler's criterion: is g a square modulo p? */
static bool is_residue(const uint8_t prime[256], int g)
{
  BN_CTX *ctx = BN_CTX_new();
  BIGNUM *p = BN_bin2bn(prime, 256, NULL), *half = BN_new(), *b = BN_new(), *r = BN_new();
  BN_rshift1(half, p);
  BN_set_word(b, (BN_ULONG)g);
  BN_mod_exp(r, b, half, p, ctx);
  bool yes = BN_is_one(r);
  BN_free(p), BN_free(half), BN_free(b), BN_free(r);
  BN_CTX_free(ctx);
  return yes;
}

/* Also when the prime is remembered: the second round of each. */
static void the_generator_must_be_a_residue(void **state)
{
  (void)state;
  const uint8_t *const primes[] = {ln_dh_telegram_prime, rfc3526, rfc7919};
  int good = 0, bad = 0;
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 3; i++) {
      for (int32_t g = 2; g <= 7; g++) {
        bool fine = is_residue(primes[i], g);
        assert_int_equal(ln_dh_check_group(s256(primes[i]), g), fine ? LN_OK : LN_E_BAD_VALUE);
        if (fine)
          good++;
        else
          bad++;
      }
      static const int32_t never[] = {INT32_MIN, -3, -1, 0, 1, 8, 9, 16, 259, INT32_MAX};
      for (size_t j = 0; j < sizeof never / sizeof *never; j++)
        assert_int_equal(ln_dh_check_group(s256(primes[i]), never[j]), LN_E_BAD_VALUE);
    }
  }
  assert_int_equal(good, 28);
  assert_int_equal(bad, 8);
}

/* No safe prime leaves 1 modulo 3, so this rule is seen on a number that is none. */
static void the_rule_for_three(void **state)
{
  (void)state;
  uint8_t p[256];
  memcpy(p, rfc3526, 256);
  p[255] -= 4; /* 1 modulo 3, and 3 modulo 8 */
  assert_int_equal(ln_dh_check_group(s256(p), 3), LN_E_BAD_VALUE);
}

static void bad_primes(void **state)
{
  (void)state;
  uint8_t p[256], longer[257] = {0};
  /* g = 4 passes for every prime: what is refused here is refused for the prime's sake. */
  BIGNUM *n = BN_bin2bn(ln_dh_telegram_prime, 256, NULL);

  /* A prime whose half is composite: the next prime after Telegram's. */
  BN_add_word(n, 570);
  BN_bn2binpad(n, p, 256);
  BN_CTX *ctx = BN_CTX_new();
  assert_int_equal(BN_check_prime(n, ctx, NULL), 1);
  assert_int_equal(ln_dh_check_group(s256(p), 4), LN_E_BAD_VALUE);

  /* Composite; even; a product of two large primes. */
  BN_add_word(n, 2);
  BN_bn2binpad(n, p, 256);
  assert_int_equal(ln_dh_check_group(s256(p), 4), LN_E_BAD_VALUE);
  BN_add_word(n, 1);
  BN_bn2binpad(n, p, 256);
  assert_int_equal(ln_dh_check_group(s256(p), 4), LN_E_BAD_VALUE);
  BIGNUM *a = BN_get0_nist_prime_521() ? BN_dup(BN_get0_nist_prime_521()) : NULL;
  assert_non_null(a);
  BIGNUM *product = BN_new();
  BN_lshift(n, a, 1526); /* 2047 bits above the 521 of a */
  BN_mul(product, a, a, ctx);
  assert_true(BN_num_bits(product) < 2048);
  BN_bn2binpad(product, p, 256);
  assert_int_equal(ln_dh_check_group(s256(p), 4), LN_E_BAD_VALUE);
  BN_free(a), BN_free(product);

  /* 2047 bits: a real prime, the half of Telegram's, and in as many bytes as wanted. */
  BN_bin2bn(ln_dh_telegram_prime, 256, n);
  BN_rshift1(n, n);
  BN_bn2binpad(n, p, 256);
  assert_int_equal(BN_num_bits(n), 2047);
  assert_int_equal(ln_dh_check_group(s256(p), 4), LN_E_BAD_VALUE);
  assert_int_equal(ln_dh_prove_safe_prime(s256(p)), LN_E_BAD_VALUE);

  /* The right number in another length. */
  memcpy(longer + 1, ln_dh_telegram_prime, 256);
  assert_int_equal(ln_dh_check_group(ln_slice(longer, 257), 4), LN_E_BAD_VALUE);
  assert_int_equal(ln_dh_check_group(ln_slice(ln_dh_telegram_prime, 255), 4), LN_E_BAD_VALUE);
  assert_int_equal(ln_dh_check_group(ln_slice(NULL, 0), 4), LN_E_BAD_VALUE);
  memset(p, 0xff, 256);
  assert_int_equal(ln_dh_check_group(s256(p), 4), LN_E_BAD_VALUE);
  memset(p, 0, 256);
  assert_int_equal(ln_dh_check_group(s256(p), 4), LN_E_BAD_VALUE);

  /* One bit away from the trusted one. */
  memcpy(p, ln_dh_telegram_prime, 256);
  p[128] ^= 1;
  assert_int_equal(ln_dh_check_group(s256(p), 4), LN_E_BAD_VALUE);
  BN_free(n);
  BN_CTX_free(ctx);
}

static int check_public(const BIGNUM *v)
{
  uint8_t bytes[256];
  int n = BN_bn2bin(v, bytes);
  int short_form = ln_dh_check_public(s256(ln_dh_telegram_prime), ln_slice(bytes, (size_t)n));
  BN_bn2binpad(v, bytes, 256);
  /* Zeros in front do not matter. */
  assert_int_equal(ln_dh_check_public(s256(ln_dh_telegram_prime), ln_slice(bytes, 256)), short_form);
  return short_form;
}

static void ranges_of_public_values(void **state)
{
  (void)state;
  uint8_t bytes[257] = {0};
  BIGNUM *p = BN_bin2bn(ln_dh_telegram_prime, 256, NULL), *margin = BN_new(), *v = BN_new();
  BN_set_bit(margin, 1984);
  BN_copy(v, margin);
  assert_int_equal(check_public(v), LN_OK);
  BN_sub_word(v, 1);
  assert_int_equal(check_public(v), LN_E_BAD_VALUE);
  BN_sub(v, p, margin);
  assert_int_equal(check_public(v), LN_OK);
  BN_add_word(v, 1);
  assert_int_equal(check_public(v), LN_E_BAD_VALUE);
  BN_set_word(v, 1);
  assert_int_equal(check_public(v), LN_E_BAD_VALUE);
  BN_copy(v, p);
  assert_int_equal(check_public(v), LN_E_BAD_VALUE);
  BN_sub_word(v, 1);
  assert_int_equal(check_public(v), LN_E_BAD_VALUE);
  BN_rshift1(v, p);
  assert_int_equal(check_public(v), LN_OK);
  struct ln_slice prime = s256(ln_dh_telegram_prime);
  assert_int_equal(ln_dh_check_public(prime, ln_slice(NULL, 0)), LN_E_BAD_VALUE);
  assert_int_equal(ln_dh_check_public(prime, ln_slice(bytes, 256)), LN_E_BAD_VALUE);
  BN_bn2binpad(v, bytes + 1, 256);
  assert_int_equal(ln_dh_check_public(prime, ln_slice(bytes, 257)), LN_E_BAD_VALUE);
  BN_free(p), BN_free(margin), BN_free(v);
}

static void the_published_sample(void **state)
{
  (void)state;
  uint8_t b[256], g_a[256], g_b[256], key[256], out[256];
  assert_int_equal(spec_hex(sample_b, b, 256), 256);
  spec_hex(sample_g_a, g_a, 256);
  spec_hex(sample_g_b, g_b, 256);
  spec_hex(sample_auth_key, key, 256);
  struct ln_slice prime = s256(ln_dh_telegram_prime);
  assert_int_equal(ln_dh_public(prime, 2, b, out), LN_OK);
  assert_memory_equal(out, g_b, 256);
  assert_int_equal(ln_dh_shared(prime, s256(g_a), b, out), LN_OK);
  assert_memory_equal(out, key, 256);
}

static void results_keep_their_leading_zeros(void **state)
{
  (void)state;
  uint8_t secret[256] = {0}, out[256], want[256] = {0}, peer = 5;
  struct ln_slice prime = s256(ln_dh_telegram_prime);
  secret[255] = 2;
  want[255] = 9;
  memset(out, 0xee, 256);
  assert_int_equal(ln_dh_public(prime, 3, secret, out), LN_OK);
  assert_memory_equal(out, want, 256);
  want[255] = 25;
  memset(out, 0xee, 256);
  assert_int_equal(ln_dh_shared(prime, ln_slice(&peer, 1), secret, out), LN_OK);
  assert_memory_equal(out, want, 256);
}

static void both_ends_agree(void **state)
{
  (void)state;
  struct ln_rng_seeded s;
  struct ln_rng rng = ln_rng_seeded(&s, 3);
  uint8_t a[256], b[256], g_a[256], g_b[256], k1[256], k2[256];
  for (int i = 0; i < 4; i++) {
    struct ln_slice prime = s256(i % 2 ? rfc3526 : ln_dh_telegram_prime);
    ln_rng_fill(&rng, a, 256);
    ln_rng_fill(&rng, b, 256);
    if (i == 3) memset(a, 0, 200); /* a short secret */
    assert_int_equal(ln_dh_public(prime, 7, a, g_a), LN_OK);
    assert_int_equal(ln_dh_public(prime, 7, b, g_b), LN_OK);
    assert_int_equal(ln_dh_shared(prime, s256(g_b), a, k1), LN_OK);
    assert_int_equal(ln_dh_shared(prime, s256(g_a), b, k2), LN_OK);
    assert_memory_equal(k1, k2, 256);
    assert_memory_not_equal(g_a, g_b, 256);
  }
}

static void powers_of_bad_arguments(void **state)
{
  (void)state;
  uint8_t secret[256] = {1}, out[256], even[256];
  memcpy(even, ln_dh_telegram_prime, 256);
  even[255] &= 0xfe;
  assert_int_equal(ln_dh_public(s256(even), 3, secret, out), LN_E_BAD_VALUE);
  assert_int_equal(ln_dh_public(ln_slice(even, 200), 3, secret, out), LN_E_BAD_VALUE);
  assert_int_equal(ln_dh_public(s256(ln_dh_telegram_prime), 1, secret, out), LN_E_BAD_VALUE);
  assert_int_equal(ln_dh_public(s256(ln_dh_telegram_prime), -3, secret, out), LN_E_BAD_VALUE);
  assert_int_equal(ln_dh_shared(s256(ln_dh_telegram_prime), ln_slice(NULL, 0), secret, out), LN_E_BAD_VALUE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(telegrams_prime_is_safe),
      cmocka_unit_test(the_generator_must_be_a_residue),
      cmocka_unit_test(the_rule_for_three),
      cmocka_unit_test(bad_primes),
      cmocka_unit_test(ranges_of_public_values),
      cmocka_unit_test(the_published_sample),
      cmocka_unit_test(results_keep_their_leading_zeros),
      cmocka_unit_test(both_ends_agree),
      cmocka_unit_test(powers_of_bad_arguments),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
