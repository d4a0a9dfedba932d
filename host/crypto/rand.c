/* Two sources of random bytes behind struct ln_rng: the kernel's CSPRNG, and ChaCha20 from a seed for what
 * must be repeatable. OpenSSL's own generator would cost each start a fourth of its instructions. */
#include "crypto/rand.h"

#include <pthread.h>
#include <unistd.h>

/* A call of the kernel costs a microsecond or two, and a message wants 16 to 32 bytes of padding. So each
 * thread takes 512 bytes at a time. A byte leaves the pool as it is handed out, and a child of fork never
 * sees what its parent has drawn. */
#define POOL_SIZE 512
#define POOL_LARGEST 64
#define ENTROPY_LARGEST 256 /* getentropy's own maximum */

struct pool {
  uint8_t bytes[POOL_SIZE];
  size_t left; /* unused bytes at the end of the array */
  unsigned generation;
};

static _Thread_local struct pool pool;
static unsigned fork_generation = 1;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void after_fork(void)
{
  __atomic_add_fetch(&fork_generation, 1, __ATOMIC_RELAXED);
}

static void watch_forks(void)
{
  pthread_atfork(NULL, NULL, after_fork);
}

static int draw(uint8_t *out, size_t n)
{
  while (n > 0) {
    size_t step = n > ENTROPY_LARGEST ? ENTROPY_LARGEST : n;
    if (getentropy(out, step)) return LN_E_CRYPTO;
    out += step;
    n -= step;
  }
  return LN_OK;
}

static int system_fill(void *ctx, void *out, size_t n)
{
  (void)ctx;
  if (n == 0) return LN_OK;
  pthread_once(&fork_once, watch_forks);
  if (n > POOL_LARGEST) return draw(out, n);
  unsigned generation = __atomic_load_n(&fork_generation, __ATOMIC_RELAXED);
  if (pool.generation != generation || pool.left < n) {
    int err = draw(pool.bytes, sizeof pool.bytes);
    if (err) {
      pool.left = 0;
      return err;
    }
    pool.left = sizeof pool.bytes;
    pool.generation = generation;
  }
  uint8_t *from = pool.bytes + (sizeof pool.bytes - pool.left);
  memcpy(out, from, n);
  explicit_bzero(from, n);
  pool.left -= n;
  return LN_OK;
}

struct ln_rng ln_rng_system(void)
{
  struct ln_rng r = {system_fill, NULL};
  return r;
}

/* state: the key (the seed, little-endian, then zeros), then at byte 32 the position in the stream. The block
 * is computed anew in each call: the stream does not depend on how it is cut, and there is nothing to buffer.
 */
static void quarter(uint32_t x[16], int a, int b, int c, int d)
{
#define ROTL(v, k) ((v) << (k) | (v) >> (32 - (k)))
  x[a] += x[b], x[d] = ROTL(x[d] ^ x[a], 16);
  x[c] += x[d], x[b] = ROTL(x[b] ^ x[c], 12);
  x[a] += x[b], x[d] = ROTL(x[d] ^ x[a], 8);
  x[c] += x[d], x[b] = ROTL(x[b] ^ x[c], 7);
#undef ROTL
}

static void chacha_block(const uint8_t key[32], uint64_t counter, uint8_t out[64])
{
  uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, x[16];
  for (int i = 0; i < 8; i++) in[4 + i] = ln_le32(key + 4 * i);
  in[12] = (uint32_t)counter;
  in[13] = (uint32_t)(counter >> 32);
  memcpy(x, in, sizeof x);
  for (int i = 0; i < 10; i++) {
    quarter(x, 0, 4, 8, 12);
    quarter(x, 1, 5, 9, 13);
    quarter(x, 2, 6, 10, 14);
    quarter(x, 3, 7, 11, 15);
    quarter(x, 0, 5, 10, 15);
    quarter(x, 1, 6, 11, 12);
    quarter(x, 2, 7, 8, 13);
    quarter(x, 3, 4, 9, 14);
  }
  for (int i = 0; i < 16; i++) ln_put_le32(out + 4 * i, x[i] + in[i]);
}

static int seeded_fill(void *ctx, void *out, size_t n)
{
  struct ln_rng_seeded *s = ctx;
  uint8_t *to = out, block[64];
  uint64_t at = ln_le64(s->state + 32);
  while (n > 0) {
    size_t from = (size_t)(at % sizeof block), step = sizeof block - from;
    if (step > n) step = n;
    chacha_block(s->state, at / sizeof block, block);
    memcpy(to, block + from, step);
    to += step;
    n -= step;
    at += step;
  }
  ln_put_le64(s->state + 32, at);
  return LN_OK;
}

struct ln_rng ln_rng_seeded(struct ln_rng_seeded *s, uint64_t seed)
{
  memset(s, 0, sizeof *s);
  ln_put_le64(s->state, seed);
  struct ln_rng r = {seeded_fill, s};
  return r;
}
