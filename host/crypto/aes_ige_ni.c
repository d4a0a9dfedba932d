/* AES-256-IGE by the processor's AES instructions, one stream. In both directions each block waits for the
 * block before it, so what counts is the length of that chain: the exclusive-ors that do not depend on the
 * previous block are folded into the first and the last round key. */
#include "crypto/aes_ige.h"

#if defined(__x86_64__) || defined(__i386__)

#include <cpuid.h>
#include <string.h>
#include <emmintrin.h>
#include <wmmintrin.h>

#define NI __attribute__((target("aes,sse2")))
#define ROUNDS 14

bool ln_aes_ige_ni_usable(void)
{
  /* __builtin_cpu_supports would ask for a dozen leaves at each start, and each is a trap on a virtual
   * machine. */
  static signed char known; /* 0: not yet */
  if (!__atomic_load_n(&known, __ATOMIC_RELAXED)) {
    unsigned a, b, c = 0, d = 0;
    bool usable = __get_cpuid(1, &a, &b, &c, &d) && c & bit_AES && d & bit_SSE2;
    __atomic_store_n(&known, usable ? 1 : -1, __ATOMIC_RELAXED);
  }
  return __atomic_load_n(&known, __ATOMIC_RELAXED) > 0;
}

NI static inline __m128i expand_even(__m128i a, __m128i assist)
{
  assist = _mm_shuffle_epi32(assist, 0xff);
  a = _mm_xor_si128(a, _mm_slli_si128(a, 4));
  a = _mm_xor_si128(a, _mm_slli_si128(a, 8));
  return _mm_xor_si128(a, assist);
}

NI static inline __m128i expand_odd(__m128i b, __m128i a)
{
  __m128i assist = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(a, 0), 0xaa);
  b = _mm_xor_si128(b, _mm_slli_si128(b, 4));
  b = _mm_xor_si128(b, _mm_slli_si128(b, 8));
  return _mm_xor_si128(b, assist);
}

NI static void expand(const uint8_t key[32], __m128i rk[ROUNDS + 1])
{
  rk[0] = _mm_loadu_si128((const __m128i *)key);
  rk[1] = _mm_loadu_si128((const __m128i *)(key + 16));
/* The round constant has to be a literal in the instruction. */
#define STEP(i, rcon)                                                         \
  rk[i] = expand_even(rk[(i)-2], _mm_aeskeygenassist_si128(rk[(i)-1], rcon)); \
  if ((i) < ROUNDS) rk[((i) < ROUNDS) ? (i) + 1 : ROUNDS] = expand_odd(rk[(i)-1], rk[i])
  STEP(2, 0x01);
  STEP(4, 0x02);
  STEP(6, 0x04);
  STEP(8, 0x08);
  STEP(10, 0x10);
  STEP(12, 0x20);
  STEP(14, 0x40);
#undef STEP
}

NI void ln_aes_ige_encrypt_ni(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                              size_t n)
{
  __m128i rk[ROUNDS + 1];
  expand(key, rk);
  __m128i c = _mm_loadu_si128((const __m128i *)iv);        /* previous ciphertext block */
  __m128i m = _mm_loadu_si128((const __m128i *)(iv + 16)); /* previous plaintext block */
  for (; n >= 16; n -= 16, in += 16, out += 16) {
    __m128i next = _mm_loadu_si128((const __m128i *)in);
    __m128i last = _mm_xor_si128(rk[ROUNDS], m);
    __m128i x = _mm_xor_si128(_mm_xor_si128(next, rk[0]), c);
    for (int i = 1; i < ROUNDS; i++) x = _mm_aesenc_si128(x, rk[i]);
    c = _mm_aesenclast_si128(x, last);
    m = next;
    _mm_storeu_si128((__m128i *)out, c);
  }
  explicit_bzero(rk, sizeof rk);
}

NI void ln_aes_ige_decrypt_ni(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                              size_t n)
{
  __m128i ek[ROUNDS + 1], rk[ROUNDS + 1];
  expand(key, ek);
  rk[0] = ek[ROUNDS];
  for (int i = 1; i < ROUNDS; i++) rk[i] = _mm_aesimc_si128(ek[ROUNDS - i]);
  rk[ROUNDS] = ek[0];
  __m128i c = _mm_loadu_si128((const __m128i *)iv);
  __m128i m = _mm_loadu_si128((const __m128i *)(iv + 16));
  for (; n >= 16; n -= 16, in += 16, out += 16) {
    __m128i next = _mm_loadu_si128((const __m128i *)in);
    __m128i last = _mm_xor_si128(rk[ROUNDS], c);
    __m128i x = _mm_xor_si128(_mm_xor_si128(next, rk[0]), m);
    for (int i = 1; i < ROUNDS; i++) x = _mm_aesdec_si128(x, rk[i]);
    m = _mm_aesdeclast_si128(x, last);
    c = next;
    _mm_storeu_si128((__m128i *)out, m);
  }
  explicit_bzero(ek, sizeof ek);
  explicit_bzero(rk, sizeof rk);
}

#else

bool ln_aes_ige_ni_usable(void)
{
  return false;
}

void ln_aes_ige_encrypt_ni(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                           size_t n)
{
  ln_aes_ige_encrypt_portable(key, iv, in, out, n);
}

void ln_aes_ige_decrypt_ni(const uint8_t key[32], const uint8_t iv[32], const uint8_t *in, uint8_t *out,
                           size_t n)
{
  ln_aes_ige_decrypt_portable(key, iv, in, out, n);
}

#endif
