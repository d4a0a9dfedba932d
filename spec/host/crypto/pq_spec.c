/* pq: the published sample, and everything that a hostile server could send in its place. */
#include "spec.h"
#include "crypto/pq.h"
#include "crypto/rand.h"

static void check(uint64_t pq, uint32_t want_p, uint32_t want_q)
{
  uint32_t p = 0, q = 0;
  assert_int_equal(ln_pq_factor(pq, &p, &q), LN_OK);
  assert_true(p == want_p && q == want_q);
}

static void refuse(uint64_t pq)
{
  uint32_t p = 77, q = 78;
  assert_int_equal(ln_pq_factor(pq, &p, &q), LN_E_BAD_VALUE);
  assert_true(p == 77 && q == 78);
}

static void known_products(void **state)
{
  (void)state;
  check(UINT64_C(0x17ed48941a08f981), 0x494c553b, 0x53911073);  /* the published sample */
  check(UINT64_C(2378568025395039337), 1353596743, 1757220559); /* seen from Telegram's servers */
  check(UINT64_C(0x31f05bcc5ce66ccd), 0x6f7b6a45, 0x72ad24e9);
  check(UINT64_C(0x256edefca64f89db), 0x5556e63f, 0x704a8d65);
  check(15, 3, 5);
  check(21, 3, 7);
  check(UINT64_C(3) * 4294967291u, 3, 4294967291u);
  check(UINT64_C(251) * 257, 251, 257); /* around the end of trial division */
  check(UINT64_C(257) * 263, 257, 263);
  check(UINT64_C(2147483629) * 2147483647, 2147483629, 2147483647);
  check(UINT64_C(2147483647) * 4294967291u, 2147483647, 4294967291u); /* just below 2^63 */
}

static void refused(void **state)
{
  (void)state;
  for (uint64_t v = 0; v < 15; v++) refuse(v);
  refuse(UINT64_MAX);
  refuse(UINT64_C(1) << 63);
  refuse((UINT64_C(1) << 63) + 15);
  refuse(UINT64_C(0x17ed48941a08f981) - 1); /* even */
  refuse(2 * UINT64_C(2147483647));
  refuse(UINT64_C(9223372036854775783)); /* the largest prime below 2^63 */
  refuse(UINT64_C(2147483647));
  refuse(9);
  refuse(UINT64_C(2147483647) * 2147483647); /* squares */
  refuse(UINT64_C(3037000493) * 3037000493);
  refuse(27);
  refuse(UINT64_C(2097143) * 2097143 * 2097143); /* a cube */
  refuse(105);
  refuse(UINT64_C(3) * 1000003 * 1000033);
  refuse(UINT64_C(65537) * 65539 * 65543); /* three primes, none of them small */
  refuse(UINT64_C(1009) * 1013 * 1019 * 1021);
  refuse(UINT64_C(3) * 3 * 1000003);
  refuse(UINT64_C(3) * UINT64_C(3074457345618258523)); /* q of more than 32 bits */
  refuse(UINT64_C(257) * UINT64_C(4294967311));
}

static void every_product_of_two_small_primes(void **state)
{
  (void)state;
  for (uint32_t pq = 4; pq < 20000; pq++) {
    uint32_t want_p = 0, want_q = 0, p, q;
    for (uint32_t d = 2; d * d < pq && !want_p; d++)
      if (pq % d == 0) want_p = d, want_q = pq / d;
    bool fine = want_p > 2 && ln_is_prime_u64(want_q) && want_p != want_q;
    assert_int_equal(ln_pq_factor(pq, &p, &q), fine ? LN_OK : LN_E_BAD_VALUE);
    if (fine) assert_true(p == want_p && q == want_q);
  }
}

static void primes(void **state)
{
  (void)state;
  int count = 0;
  for (uint64_t v = 0; v < 10000; v++) count += ln_is_prime_u64(v);
  assert_int_equal(count, 1229);
  assert_true(ln_is_prime_u64(UINT64_C(18446744073709551557))); /* the largest below 2^64 */
  assert_false(ln_is_prime_u64(UINT64_C(18446744073709551559)));
  /* Strong pseudoprimes to the first few bases. */
  assert_false(ln_is_prime_u64(2047));
  assert_false(ln_is_prime_u64(UINT64_C(3215031751)));
  assert_false(ln_is_prime_u64(UINT64_C(3474749660383)));
  assert_false(ln_is_prime_u64(UINT64_C(341550071728321)));
  assert_false(ln_is_prime_u64(UINT64_C(3825123056546413051)));
}

static void what_the_server_makes_the_client_factors(void **state)
{
  (void)state;
  struct ln_rng_seeded s;
  struct ln_rng rng = ln_rng_seeded(&s, 7);
  uint8_t draw[16];
  for (int i = 0; i < 60; i++) {
    uint32_t p, q;
    ln_rng_fill(&rng, draw, 16);
    if (i == 0) memset(draw, 0, 16);    /* both start at the same number */
    if (i == 1) memset(draw, 0xff, 16); /* and at the end of the range */
    uint64_t pq = ln_pq_make(draw, &p, &q);
    assert_true(p < q && q <= 0x7fffffff && p >= 0x40000000 && pq == (uint64_t)p * q);
    assert_true(ln_is_prime_u64(p) && ln_is_prime_u64(q));
    check(pq, p, q);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_products),
      cmocka_unit_test(refused),
      cmocka_unit_test(every_product_of_two_small_primes),
      cmocka_unit_test(primes),
      cmocka_unit_test(what_the_server_makes_the_client_factors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
