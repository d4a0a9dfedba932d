/* What a start with a saved session does of cryptography does not open libcrypto; what does, gets it without
 * a configuration. */
#include "spec.h"

#include <dlfcn.h>
#include <openssl/opensslv.h>
#include "crypto/aes.h"
#include "crypto/dh.h"
#include "crypto/hash.h"
#include "crypto/rand.h"
#include "crypto/rsa.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

static bool is_open(void)
{
  void *library = dlopen("libcrypto.so." TEXT(OPENSSL_SHLIB_VERSION), RTLD_NOLOAD | RTLD_LAZY);
  if (library) dlclose(library);
  return library != NULL;
}

static const char pem[] = "-----BEGIN RSA PUBLIC KEY-----\n"
                          "MIIBCgKCAQEA6LszBcC1LGzyr992NzE0ieY+BSaOW622Aa9Bd4ZHLl+TuFQ4lo4g\n"
                          "5nKaMBwK/BIb9xUfg0Q29/2mgIR6Zr9krM7HjuIcCzFvDtr+L0GQjae9H0pRB2OO\n"
                          "62cECs5HKhT5DZ98K33vmWiLowc621dQuwKWSQKjWf50XYFw42h21P2KXUGyp2y/\n"
                          "+aEyZ+uVgLLQbRA1dEjSDZ2iGRy12Mk5gpYc397aYp438fsJoHIgJ2lgMv5h7WY9\n"
                          "t6N/byY9Nw9p21Og3AoXSL2q/2IJ1WRUhebgAdGVMlV1fkuOQoEzR7EdpqtQD9Cs\n"
                          "5+bfo3Nhmcyvk5ftB0WkJ9z6bNZ7yxrP8wIDAQAB\n"
                          "-----END RSA PUBLIC KEY-----\n";

static void hashes_aes_randomness_and_keys_do_without_it(void **state)
{
  (void)state;
  if (is_open()) skip(); /* linked as usual: there is no archive here */
  uint8_t key[32], iv[32] = {0}, block[16] = {0}, sha[32];
  struct ln_rng rng = ln_rng_system();
  struct ln_rsa *rsa = NULL;
  assert_int_equal(ln_rng_fill(&rng, key, sizeof key), LN_OK);
  ln_sha256(ln_slice(key, sizeof key), sha);
  assert_int_equal(ln_rsa_parse_public(ln_slice(pem, sizeof pem - 1), &rsa, NULL), LN_OK);
  assert_true(ln_rsa_fingerprint(rsa) == UINT64_C(0xd09d1d85de64fd85));
  ln_rsa_free(rsa);
  ln_aes_ige_encrypt(key, iv, block, block, sizeof block);
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("aes")) return; /* EVP then */
#endif
  assert_false(is_open());
}

static void a_power_opens_it(void **state)
{
  (void)state;
  uint8_t secret[256] = {0}, out[256], want[256] = {0};
  secret[255] = 5;
  want[255] = 243;
  assert_int_equal(ln_dh_public(ln_slice(ln_dh_telegram_prime, 256), 3, secret, out), LN_OK);
  assert_memory_equal(out, want, 256);
  assert_true(is_open());
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hashes_aes_randomness_and_keys_do_without_it),
      cmocka_unit_test(a_power_opens_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
