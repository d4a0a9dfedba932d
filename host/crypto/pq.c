/* Primality and factoring of 64-bit numbers: Miller-Rabin, and Pollard's rho with Brent's cycle search, in
 * Montgomery form. Client: factor; server: make. */
#include "crypto/pq.h"

#define MAX_STEPS (UINT32_C(1) << 22)
#define BATCH 128 /* differences multiplied together before a gcd */

typedef unsigned __int128 u128;

static uint64_t mul_mod(uint64_t a, uint64_t b, uint64_t n)
{
  return (uint64_t)((u128)a * b % n);
}

static uint64_t pow_mod(uint64_t a, uint64_t e, uint64_t n)
{
  uint64_t r = 1;
  for (; e; e >>= 1) {
    if (e & 1) r = mul_mod(r, a, n);
    a = mul_mod(a, a, n);
  }
  return r;
}

bool ln_is_prime_u64(uint64_t v)
{
  /* These twelve bases decide every number below 2^64 (Sorenson and Webster, 2015). */
  static const uint8_t bases[12] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
  if (v < 2) return false;
  for (size_t i = 0; i < sizeof bases; i++)
    if (v % bases[i] == 0) return v == bases[i];
  uint64_t d = v - 1;
  int twos = 0;
  for (; d % 2 == 0; d /= 2) twos++;
  for (size_t i = 0; i < sizeof bases; i++) {
    uint64_t x = pow_mod(bases[i], d, v);
    bool passes = x == 1 || x == v - 1;
    for (int r = 1; r < twos && !passes; r++) {
      x = mul_mod(x, x, v);
      passes = x == v - 1;
    }
    if (!passes) return false;
  }
  return true;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
  while (b) {
    uint64_t t = a % b;
    a = b;
    b = t;
  }
  return a;
}

struct mont {
  uint64_t n;
  uint64_t inverse; /* -n^-1 mod 2^64 */
};

/* a * b / 2^64 mod n, for odd n < 2^63 and a, b < n. */
static inline uint64_t mont_mul(const struct mont *m, uint64_t a, uint64_t b)
{
  u128 t = (u128)a * b;
  uint64_t q = (uint64_t)t * m->inverse;
  uint64_t r = (uint64_t)((t + (u128)q * m->n) >> 64);
  return r >= m->n ? r - m->n : r;
}

static inline uint64_t step(const struct mont *m, uint64_t x, uint64_t c)
{
  uint64_t r = mont_mul(m, x, x) + c;
  return r >= m->n ? r - m->n : r;
}

static inline uint64_t distance(uint64_t a, uint64_t b)
{
  return a > b ? a - b : b - a;
}

/* One walk of x -> x^2 + c. A divisor of n greater than 1 (n itself where the walk was useless), or 0 once
 * *steps has reached the limit. */
static uint64_t walk(const struct mont *m, uint64_t c, uint32_t *steps)
{
  uint64_t y = 2, x = y, start = y, product = 1, d = 1;
  for (uint32_t r = 1; d == 1; r *= 2) {
    x = y;
    for (uint32_t i = 0; i < r; i++) y = step(m, y, c);
    *steps += r;
    for (uint32_t k = 0; k < r && d == 1; k += BATCH) {
      if (*steps >= MAX_STEPS) return 0;
      start = y;
      uint32_t count = r - k < BATCH ? r - k : BATCH;
      for (uint32_t i = 0; i < count; i++) {
        y = step(m, y, c);
        product = mont_mul(m, product, distance(x, y));
      }
      *steps += count;
      d = gcd(product, m->n);
    }
  }
  if (d != m->n) return d;
  /* Both factors fell into the same batch (or the product was 0): again, one difference at a time. */
  do {
    start = step(m, start, c);
    d = gcd(distance(x, start), m->n);
    if (++*steps >= MAX_STEPS) return 0;
  } while (d == 1);
  return d;
}

static uint64_t square_root(uint64_t v)
{
  uint64_t r = 0;
  for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1) {
    uint64_t t = r | bit;
    if (t <= v / t) r = t;
  }
  return r;
}

static int accept(uint64_t a, uint64_t b, uint32_t *p, uint32_t *q)
{
  if (a > b) {
    uint64_t t = a;
    a = b;
    b = t;
  }
  if (a == b || b > UINT32_MAX || !ln_is_prime_u64(a) || !ln_is_prime_u64(b)) return LN_E_BAD_VALUE;
  *p = (uint32_t)a;
  *q = (uint32_t)b;
  return LN_OK;
}

int ln_pq_factor(uint64_t pq, uint32_t *p, uint32_t *q)
{
  if (pq <= 3 || pq >> 63 || pq % 2 == 0 || ln_is_prime_u64(pq)) return LN_E_BAD_VALUE;
  uint64_t root = square_root(pq);
  if (root * root == pq) return LN_E_BAD_VALUE;
  /* A walk modulo a tiny prime closes before it tells anything. */
  for (uint64_t d = 3; d < 256 && d <= root; d += 2)
    if (pq % d == 0) return accept(d, pq / d, p, q);

  struct mont m = {pq, 0};
  uint64_t inverse = pq; /* right in 3 bits; each turn doubles them */
  for (int i = 0; i < 5; i++) inverse *= 2 - pq * inverse;
  m.inverse = 0 - inverse;
  uint32_t steps = 0;
  for (uint64_t c = 1; steps < MAX_STEPS; c++) {
    uint64_t d = walk(&m, c, &steps);
    if (d == 0) break;
    if (d != pq) return accept(d, pq / d, p, q);
  }
  return LN_E_TIMEOUT;
}

/* The first prime at or after an odd number below 2^31; 2^31 - 1 is prime, so there is one below 2^31. */
static uint32_t next_prime(uint32_t v)
{
  while (!ln_is_prime_u64(v)) v += 2;
  return v;
}

uint64_t ln_pq_make(const uint8_t rand[16], uint32_t *p, uint32_t *q)
{
  uint32_t a = next_prime((ln_le32(rand) & 0x3fffffff) | 0x40000001);
  uint32_t b = next_prime((ln_le32(rand + 8) & 0x3fffffff) | 0x40000001);
  if (a == b) b = next_prime(a == 0x7fffffff ? 0x40000001 : a + 2);
  *p = a < b ? a : b;
  *q = a < b ? b : a;
  return (uint64_t)a * b;
}
