/* The inbox: order, ends of handlers, and its join with the state in one group. */
#include "store_fixture.h"

struct seen {
  uint64_t seq[64];
  char body[64][16];
  int64_t box[64];
  int32_t pts[64], layer[64];
  int n, stop_at;
};

static int see(void *ctx, const struct ln_store_update *u)
{
  struct seen *s = ctx;
  assert_true(s->n < 64 && u->body.n < 16);
  s->seq[s->n] = u->seq;
  s->box[s->n] = u->box;
  s->pts[s->n] = u->pts;
  s->layer[s->n] = u->layer;
  memcpy(s->body[s->n], u->body.n ? u->body.p : (const uint8_t *)"", u->body.n);
  s->body[s->n++][u->body.n] = 0;
  return s->n == s->stop_at;
}

static uint64_t add(struct fixture *f, int32_t account, int64_t box, int32_t pts, const char *body)
{
  uint64_t seq = 0;
  struct ln_store_update u = {.box = box, .pts = pts, .layer = 230, .body = ln_slice_str(body)};
  assert_int_equal(ln_store_inbox_add(f->store, account, &u, &seq), LN_OK);
  return seq;
}

static void done(struct fixture *f, uint64_t seq)
{
  assert_int_equal(ln_store_inbox_done(f->store, seq), LN_OK);
}

static void order_and_ends(struct fixture *f, bool memory)
{
  struct seen s = {.n = 0};
  int32_t other;
  fixture_open(f, memory);
  assert_int_equal(ln_store_account(f->store, "other", &other), LN_OK);
  uint64_t a = add(f, f->account, 0, 101, "a"), b = add(f, other, 0, 7, "b");
  uint64_t c = add(f, f->account, -1000000000009, 0, ""), d = add(f, f->account, 0, 103, "d\n';--");
  assert_true(a < b && b < c && c < d);
  assert_int_equal(ln_store_inbox_each(f->store, f->account, 0, 0, see, &s), LN_OK);
  assert_int_equal(s.n, 3);
  assert_true(s.seq[0] == a && s.seq[1] == c && s.seq[2] == d);
  assert_true(s.box[1] == -1000000000009 && s.pts[1] == 0 && s.layer[1] == 230 && s.pts[2] == 103);
  assert_string_equal(s.body[0], "a");
  assert_string_equal(s.body[1], "");
  assert_string_equal(s.body[2], "d\n';--");

  fixture_reopen(f, memory);
  done(f, c);
  done(f, c); /* twice is nothing */
  s.n = 0;
  assert_int_equal(ln_store_inbox_each(f->store, f->account, 0, 0, see, &s), LN_OK);
  assert_int_equal(s.n, 2);
  assert_true(s.seq[0] == a && s.seq[1] == d);
  s.n = 0;
  assert_int_equal(ln_store_inbox_each(f->store, f->account, a, 0, see, &s), LN_OK);
  assert_true(s.n == 1 && s.seq[0] == d);
  s.n = 0;
  assert_int_equal(ln_store_inbox_each(f->store, f->account, 0, 1, see, &s), LN_OK);
  assert_true(s.n == 1 && s.seq[0] == a);
  s.n = 0;
  s.stop_at = 1;
  assert_int_equal(ln_store_inbox_each(f->store, f->account, 0, 0, see, &s), LN_OK);
  assert_true(s.n == 1);
  assert_int_equal(ln_store_inbox_done(f->store, 0), LN_E_INVAL);
  assert_int_equal(ln_store_inbox_done(f->store, d + 1), LN_E_INVAL);
  assert_true(add(f, f->account, 0, 0, "e") > d); /* numbers go on after a reopening */
  assert_int_equal(ln_store_account_forget(f->store, other), LN_OK);
  s.n = s.stop_at = 0;
  assert_int_equal(ln_store_inbox_each(f->store, other, 0, 0, see, &s), LN_OK);
  assert_int_equal(s.n, 0);
}
BOTH(order_and_ends)

static int64_t wal_size(struct fixture *f)
{
  char wal[160];
  struct stat st;
  snprintf(wal, sizeof wal, "%s-wal", f->path);
  assert_int_equal(stat(wal, &st), 0);
  return st.st_size;
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

/* What comes and is done between two commits is not written; a group's other writes are, and its callback
 * runs. */
static void a_short_life_costs_no_write(void **state)
{
  struct fixture *f = *state;
  struct heard h = {0, 0};
  struct seen s = {.n = 0};
  fixture_open(f, true); /* in memory commits happen in poll alone: what shares a batch is certain */
  for (int i = 0; i < 40; i++) {
    assert_int_equal(ln_store_begin(f->store), LN_OK);
    uint64_t seq = add(f, f->account, 0, i, "x");
    assert_int_equal(ln_store_pts_set(f->store, f->account, 0, i), LN_OK);
    assert_int_equal(ln_store_commit(f->store, hear, &h, 0), LN_OK);
    if (i % 10) done(f, seq);
  }
  ln_store_poll(f->store);
  assert_int_equal(h.n, 40);
  int32_t pts;
  assert_int_equal(ln_store_pts_get(f->store, f->account, 0, &pts), LN_OK);
  assert_int_equal(pts, 39);
  assert_int_equal(ln_store_inbox_each(f->store, f->account, 0, 0, see, &s), LN_OK);
  assert_int_equal(s.n, 4);
  for (int i = 0; i < 4; i++) assert_int_equal(s.pts[i], 10 * i);
  fixture_close(f);

  fixture_open(f, false);
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  int64_t before = wal_size(f);
  char *big = calloc(1, 1 << 20);
  struct ln_store_update u = {.body = ln_slice(big, 1 << 20)};
  uint64_t seq;
  assert_int_equal(ln_store_begin(f->store), LN_OK); /* one group: certainly one batch */
  for (int i = 0; i < 8; i++) {
    assert_int_equal(ln_store_inbox_add(f->store, f->account, &u, &seq), LN_OK);
    done(f, seq);
  }
  assert_int_equal(ln_store_commit(f->store, hear, &h, 0), LN_OK);
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  ln_store_poll(f->store);
  assert_int_equal(h.n, 41);
  assert_true(wal_size(f) == before);
  assert_int_equal(ln_store_inbox_add(f->store, f->account, &u, &seq), LN_OK);
  assert_int_equal(ln_store_flush(f->store), LN_OK);
  assert_true(wal_size(f) > before + (1 << 20));
  free(big);
}

static void too_much_is_refused(void **state)
{
  struct fixture *f = *state;
  struct ln_store_update u = {.pts = 1};
  struct heard h = {0, 0};
  uint64_t seq, last = 0;
  int err = LN_OK, n = 0;
  fixture_open(f, true); /* nobody polls: as if the disk stood still */
  char *big = calloc(1, (16 << 20) + 1);
  u.body = ln_slice(big, (16 << 20) + 1);
  assert_int_equal(ln_store_inbox_add(f->store, f->account, &u, &seq), LN_E_TOOBIG);
  u.body.n = 8 << 20;
  while (n < 20 && (err = ln_store_inbox_add(f->store, f->account, &u, &seq)) == LN_OK) last = seq, n++;
  assert_int_equal(err, LN_E_FULL);
  assert_in_range(n, 6, 8);
  assert_int_equal(ln_store_begin(f->store), LN_OK);
  assert_int_equal(ln_store_inbox_add(f->store, f->account, &u, &seq), LN_OK);
  assert_int_equal(ln_store_commit(f->store, hear, &h, 0), LN_E_FULL);
  ln_store_poll(f->store);
  assert_int_equal(h.n, 0);
  assert_int_equal(ln_store_inbox_add(f->store, f->account, &u, &seq), LN_OK);
  assert_true(seq > last);
  free(big);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST_BOTH(order_and_ends),
      TEST(a_short_life_costs_no_write),
      TEST(too_much_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
