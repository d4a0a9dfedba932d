/* What survives kill -9, and what a full disk does. */
#include "store_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* The child writes groups: an update, the state, and the number of the group; it reports each commit that it
 * was told of. Every second group also ends the update before it. */
struct child {
  struct fixture *f;
  int report;
};

static void committed(void *ctx, uint64_t tag, int err)
{
  struct child *c = ctx;
  if (err || write(c->report, &tag, sizeof tag) != sizeof tag) _exit(2);
}

static void child_main(struct fixture *f, int report, uint64_t from)
{
  struct child c = {f, report};
  char errtext[LN_STORE_ERRTEXT];
  if (fixture_try_open(f, f->path, LN_DURABILITY_NORMAL, errtext) ||
      ln_store_account(f->store, "", &f->account))
    _exit(3);
  uint64_t before = 0;
  for (uint64_t i = from;; i++) {
    char text[400];
    uint64_t seq;
    int n = snprintf(text, sizeof text, "%lu", (unsigned long)i);
    memset(text + n, 'x', sizeof text - (size_t)n);
    struct ln_store_update u = {.pts = (int32_t)i, .layer = 230, .body = ln_slice(text, sizeof text)};
    if (ln_store_begin(f->store) || ln_store_inbox_add(f->store, f->account, &u, &seq) ||
        ln_store_set(f->store, f->account, "state", ln_slice(text, (size_t)n)) ||
        ln_store_pts_set(f->store, f->account, 0, (int32_t)i) ||
        (i % 2 == 0 && before && ln_store_inbox_done(f->store, before)) ||
        ln_store_commit(f->store, committed, &c, i))
      _exit(4);
    before = seq;
    /* A burst now and then, so that kills meet large batches too. */
    if (i % 64 < 32) continue;
    struct pollfd p = {.fd = f->wake[0], .events = POLLIN};
    char bytes[64];
    if (poll(&p, 1, 5000) != 1 || read(f->wake[0], bytes, sizeof bytes) <= 0) _exit(5);
    ln_store_poll(f->store);
  }
}

struct rows {
  uint64_t first, last, n;
  int broken;
};

static int look(void *ctx, const struct ln_store_update *u)
{
  struct rows *r = ctx;
  char number[32];
  size_t n = (size_t)snprintf(number, sizeof number, "%d", u->pts);
  if (u->body.n != 400 || memcmp(u->body.p, number, n) != 0 || u->body.p[399] != 'x') r->broken++;
  if (!r->n++) r->first = (uint64_t)u->pts;
  r->last = (uint64_t)u->pts;
  return 0;
}

static void kill_9(void **state)
{
  struct fixture *f = *state;
  uint64_t known = 0; /* the last group that any child was told of */
  for (int round = 0; round < 10; round++) {
    int report[2];
    uint64_t tag, reports = 0, wanted = 1 + (uint64_t)round * 9;
    assert_int_equal(pipe(report), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
      close(report[0]);
      child_main(f, report[1], known + 1000);
    }
    close(report[1]);
    while (reports < wanted && read(report[0], &tag, sizeof tag) == sizeof tag) reports++, known = tag;
    assert_true(reports == wanted);
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (read(report[0], &tag, sizeof tag) == sizeof tag) known = tag;
    close(report[0]);
    int status;
    assert_true(waitpid(pid, &status, 0) == pid);
    assert_true(WIFSIGNALED(status));

    fixture_open(f, false);
    struct rows r = {0};
    int32_t pts;
    assert_int_equal(ln_store_inbox_each(f->store, f->account, 0, 0, look, &r), LN_OK);
    assert_int_equal(ln_store_pts_get(f->store, f->account, 0, &pts), LN_OK);
    assert_int_equal(r.broken, 0);
    assert_true((uint64_t)pts >= known);  /* what was reported is there */
    assert_true(r.last == (uint64_t)pts); /* the update and the state of a group: both or none */
    char text[32];
    snprintf(text, sizeof text, "%d", pts);
    assert_value(f, "state", text);
    known = (uint64_t)pts;
    fixture_close(f);
  }
}

static void kill_9_at_creation(void **state)
{
  struct fixture *f = *state;
  for (int round = 0; round < 20; round++) {
    int ready[2];
    char c;
    unlink(f->path);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
      char errtext[LN_STORE_ERRTEXT];
      if (write(ready[1], "x", 1) != 1) _exit(1);
      fixture_try_open(f, f->path, LN_DURABILITY_FULL, errtext);
      for (;;) pause();
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    /* Spin a little more each round, so that the kill falls into ever later moments of the creation. */
    for (volatile int i = 0; i < round * 100000; i++) {
    }
    kill(pid, SIGKILL);
    assert_true(waitpid(pid, NULL, 0) == pid);
    close(ready[0]);
    close(ready[1]);
    fixture_open(f, false);
    put(f, "k", "v");
    fixture_reopen(f, false);
    assert_value(f, "k", "v");
    fixture_close(f);
  }
}

struct heard {
  int n, errors;
};

static void hear(void *ctx, uint64_t tag, int err)
{
  struct heard *h = ctx;
  (void)tag;
  h->n++;
  if (err) h->errors++;
}

static void limit_files(rlim_t bytes)
{
  struct rlimit l;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
  l.rlim_cur = bytes;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void group(struct fixture *f, struct heard *h, char c)
{
  static char value[200000];
  memset(value, c, sizeof value);
  assert_int_equal(ln_store_begin(f->store), LN_OK);
  assert_int_equal(ln_store_set(f->store, f->account, "big", ln_slice(value, sizeof value)), LN_OK);
  assert_int_equal(ln_store_set(f->store, f->account, "which", ln_slice(&c, 1)), LN_OK);
  assert_int_equal(ln_store_commit(f->store, hear, h, 0), LN_OK);
}

/* A file-size limit stands for the full disk: the same writes fail in the same way. */
static void a_full_disk(void **state)
{
  struct fixture *f = *state;
  struct heard h = {0, 0};
  signal(SIGXFSZ, SIG_IGN);
  fixture_open(f, false);
  group(f, &h, 'a');
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  ln_store_poll(f->store);
  assert_int_equal(h.n, 1);

  limit_files(4096);
  group(f, &h, 'b');
  put(f, "small", "b");
  assert_int_equal(ln_store_flush(f->store), LN_E_IO);
  ln_store_poll(f->store);
  assert_int_equal(h.n, 1); /* nothing is reported as done */
  assert_int_equal(ln_store_status(f->store), LN_E_IO);
  assert_int_equal(f->status_calls, 1);
  assert_int_equal(f->last_status, LN_E_IO);
  assert_true(strlen(f->last_why) > 5);
  assert_value(f, "which", "b"); /* and nothing is forgotten */
  group(f, &h, 'c');

  limit_files(RLIM_INFINITY);
  while (h.n < 3) fixture_wait(f); /* by itself, with nobody asking */
  assert_int_equal(h.errors, 0);
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  ln_store_poll(f->store);
  assert_int_equal(ln_store_status(f->store), LN_OK);
  assert_int_equal(f->last_status, LN_OK);
  fixture_reopen(f, false);
  assert_value(f, "which", "c");
  assert_value(f, "small", "b");
}

static void a_full_disk_at_the_end(void **state)
{
  struct fixture *f = *state;
  struct heard h = {0, 0};
  signal(SIGXFSZ, SIG_IGN);
  fixture_open(f, false);
  group(f, &h, 'a');
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  limit_files(4096);
  group(f, &h, 'b');
  fixture_close(f);
  limit_files(RLIM_INFINITY);
  assert_int_equal(h.n, 2);
  assert_int_equal(h.errors, 1);
  fixture_open(f, false);
  assert_value(f, "which", "a");
}

static void a_full_disk_with_many_updates(void **state)
{
  struct fixture *f = *state;
  struct heard h = {0, 0};
  char *body = calloc(1, 1 << 20);
  struct ln_store_update u = {.body = ln_slice(body, 1 << 20)};
  int err = LN_OK, n = 0;
  signal(SIGXFSZ, SIG_IGN);
  fixture_open(f, false);
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  limit_files(4096);
  for (; n < 100 && !err; n++) {
    uint64_t seq;
    assert_int_equal(ln_store_begin(f->store), LN_OK);
    assert_int_equal(ln_store_inbox_add(f->store, f->account, &u, &seq), LN_OK);
    err = ln_store_commit(f->store, hear, &h, 0);
  }
  assert_int_equal(err, LN_E_FULL); /* memory is bounded */
  assert_in_range(n, 60, 65);
  limit_files(RLIM_INFINITY);
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  ln_store_poll(f->store);
  assert_int_equal(h.n, n - 1);
  assert_int_equal(h.errors, 0);
  free(body);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(kill_9),
      TEST(kill_9_at_creation),
      TEST(a_full_disk),
      TEST(a_full_disk_at_the_end),
      TEST(a_full_disk_with_many_updates),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
