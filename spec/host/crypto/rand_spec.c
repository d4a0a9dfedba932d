/* The seeded stream is ChaCha20 and repeats; the process's does not, and a child does not repeat its
 * parent's. */
#include "spec.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include "crypto/rand.h"

static void seed_0_is_chacha20_with_a_zero_key(void **state)
{
  (void)state;
  struct ln_rng_seeded s;
  struct ln_rng rng = ln_rng_seeded(&s, 0);
  uint8_t out[128], want[128];
  spec_hex("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
           "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
           "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
           "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
           want, 128);
  assert_int_equal(ln_rng_fill(&rng, out, 128), LN_OK);
  assert_memory_equal(out, want, 128);
}

static void the_stream_does_not_depend_on_how_it_is_cut(void **state)
{
  (void)state;
  struct ln_rng_seeded s;
  uint8_t whole[500], cut[500];
  struct ln_rng rng = ln_rng_seeded(&s, 99);
  ln_rng_fill(&rng, whole, sizeof whole);
  for (size_t step = 1; step < 150; step += 7) {
    rng = ln_rng_seeded(&s, 99);
    for (size_t at = 0; at < sizeof cut; at += step)
      ln_rng_fill(&rng, cut + at, step < sizeof cut - at ? step : sizeof cut - at);
    assert_memory_equal(whole, cut, sizeof cut);
  }
  rng = ln_rng_seeded(&s, 100);
  ln_rng_fill(&rng, cut, sizeof cut);
  assert_memory_not_equal(whole, cut, sizeof cut);
}

/* No 8 bytes of the process's stream come twice, whatever the sizes of the requests. */
static void nothing_comes_twice(void **state)
{
  (void)state;
  static uint64_t seen[4000];
  size_t n = 0;
  struct ln_rng rng = ln_rng_system();
  for (size_t size = 8; n < 3900; size = size >= 1024 ? 8 : size + 8) {
    uint8_t bytes[1032];
    assert_int_equal(ln_rng_fill(&rng, bytes, size), LN_OK);
    for (size_t i = 0; i < size && n < 4000; i += 8) seen[n++] = ln_le64(bytes + i);
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++)
      if (seen[i] == seen[j]) fail();
  uint8_t untouched = 0x5a;
  assert_int_equal(ln_rng_fill(&rng, &untouched, 0), LN_OK);
  assert_int_equal(untouched, 0x5a);
}

static void a_child_draws_other_bytes(void **state)
{
  (void)state;
  struct ln_rng rng = ln_rng_system();
  uint8_t mine[32], its[32];
  int fds[2];
  ln_rng_fill(&rng, mine, 8); /* the pool is filled now */
  assert_int_equal(pipe(fds), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    ln_rng_fill(&rng, its, 32);
    _exit(write(fds[1], its, 32) == 32 ? 0 : 1);
  }
  ln_rng_fill(&rng, mine, 32);
  assert_int_equal(read(fds[0], its, 32), 32);
  assert_memory_not_equal(mine, its, 32);
  assert_true(waitpid(pid, NULL, 0) == pid);
  close(fds[0]);
  close(fds[1]);
}

static void *draw(void *out)
{
  struct ln_rng rng = ln_rng_system();
  ln_rng_fill(&rng, out, 32);
  return NULL;
}

static void threads_draw_other_bytes(void **state)
{
  (void)state;
  uint8_t a[32], b[32];
  pthread_t t;
  draw(a);
  assert_int_equal(pthread_create(&t, NULL, draw, b), 0);
  pthread_join(t, NULL);
  assert_memory_not_equal(a, b, 32);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(seed_0_is_chacha20_with_a_zero_key),
      cmocka_unit_test(the_stream_does_not_depend_on_how_it_is_cut),
      cmocka_unit_test(nothing_comes_twice),
      cmocka_unit_test(a_child_draws_other_bytes),
      cmocka_unit_test(threads_draw_other_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
