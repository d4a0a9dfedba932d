/* A folder of its own for each test of the store, and what most of them need: an open store whose callbacks
 * are counted, and waiting for commits without sleeping. */
#ifndef LN_SPEC_STORE_FIXTURE_H
#define LN_SPEC_STORE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "store/store.h"

struct fixture {
  char folder[64];
  char path[128];
  int wake[2]; /* notify writes a byte here */
  struct ln_store *store;
  int32_t account;
  int status_calls, last_status;
  char last_why[256];
};

static void fixture_notify(void *ctx)
{
  struct fixture *f = ctx;
  ssize_t n = write(f->wake[1], "x", 1);
  (void)n; /* full: a wake-up is waiting already */
}

static void fixture_status(void *ctx, int err, const char *why)
{
  struct fixture *f = ctx;
  f->status_calls++;
  f->last_status = err;
  snprintf(f->last_why, sizeof f->last_why, "%s", why);
}

static inline int fixture_try_open(struct fixture *f, const char *path, enum ln_durability durability,
                                   char errtext[LN_STORE_ERRTEXT])
{
  struct ln_store_config config = {path, durability, fixture_notify, fixture_status, f};
  return ln_store_open(&config, &f->store, errtext);
}

static inline void fixture_open(struct fixture *f, bool memory)
{
  char errtext[LN_STORE_ERRTEXT];
  int err = fixture_try_open(f, memory ? NULL : f->path, LN_DURABILITY_NORMAL, errtext);
  if (err) print_error("%s\n", errtext);
  assert_int_equal(err, LN_OK);
  assert_int_equal(ln_store_account(f->store, "", &f->account), LN_OK);
}

static inline void fixture_close(struct fixture *f)
{
  ln_store_close(f->store);
  f->store = NULL;
}

/* A store in memory forgets: there it stays open, so that a test runs for both kinds. */
static inline void fixture_reopen(struct fixture *f, bool memory)
{
  if (memory) {
    assert_int_equal(ln_store_flush(f->store), LN_OK);
    ln_store_poll(f->store);
    return;
  }
  fixture_close(f);
  fixture_open(f, false);
}

/* Waits for the store to ask for a poll (10 s at most), and polls. */
static inline void fixture_wait(struct fixture *f)
{
  struct pollfd p = {.fd = f->wake[0], .events = POLLIN};
  char bytes[64];
  assert_int_equal(poll(&p, 1, 10000), 1);
  assert_true(read(f->wake[0], bytes, sizeof bytes) > 0);
  ln_store_poll(f->store);
}

static inline int fixture_setup(void **state)
{
  struct fixture *f = calloc(1, sizeof *f);
  if (!f) return -1;
  strcpy(f->folder, "/tmp/ln_store_XXXXXX");
  if (!mkdtemp(f->folder) || pipe(f->wake) != 0) return -1;
  snprintf(f->path, sizeof f->path, "%s/a.session", f->folder);
  ln_log_set_level(LN_LOG_FATAL_ERROR); /* failures are made on purpose here */
  *state = f;
  return 0;
}

static int fixture_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
  (void)st, (void)kind, (void)ftw;
  return remove(path);
}

static inline int fixture_teardown(void **state)
{
  struct fixture *f = *state;
  ln_store_close(f->store);
  nftw(f->folder, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
  close(f->wake[0]);
  close(f->wake[1]);
  free(f);
  return 0;
}

static inline void assert_value(struct fixture *f, const char *key, const char *want)
{
  struct ln_buf b;
  ln_buf_init(&b, 32 << 20);
  int err = ln_store_get(f->store, f->account, key, &b);
  if (!want) {
    assert_int_equal(err, LN_E_NOT_FOUND);
  } else {
    assert_int_equal(err, LN_OK);
    assert_int_equal(b.len, strlen(want));
    assert_memory_equal(ln_buf_data(&b), want, b.len);
  }
  ln_buf_deinit(&b);
}

static inline void put(struct fixture *f, const char *key, const char *value)
{
  assert_int_equal(ln_store_set(f->store, f->account, key, ln_slice_str(value)), LN_OK);
}

#define BOTH(test)                           \
  static void test##_in_a_file(void **state) \
  {                                          \
    test(*state, false);                     \
  }                                          \
  static void test##_in_memory(void **state) \
  {                                          \
    test(*state, true);                      \
  }
#define TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
#define TEST_BOTH(test) TEST(test##_in_a_file), TEST(test##_in_memory)

#endif
