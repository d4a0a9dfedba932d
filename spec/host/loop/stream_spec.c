/* Streams: the same scenes over TCP on loopback and over a pipe, closing in every callback; then what only
 * one of the two has (refused ports, filters). */
#include "spec.h"
#include "loop/stream.h"
#include "base/log.h"

static struct ln_loop *loop;
static bool over_tcp;
static struct ln_listener *listener;
static const char *refusal;

#define CHUNK ((size_t)100000)
#define BIG ((size_t)5 << 20)

enum where { NOWHERE, ON_OPEN, ON_DATA, ON_DRAIN, ON_CLOSE };

struct end {
  struct ln_stream *s;
  const char *name;
  size_t to_send, sent, got;
  unsigned in_sum, out_sum; /* of bytes, weighted by place */
  bool echo, slow, opened;
  int closes, err, opens, datas, after_close;
  char why[128];
  enum where close_at; /* closes itself there */
  bool stop_at_close;
  struct ln_timer timer;
};

static struct end client, server;

static unsigned sum(unsigned before, const uint8_t *p, size_t n)
{
  for (size_t i = 0; i < n; i++) before = before * 31 + p[i];
  return before;
}

static void shut(struct end *e)
{
  ln_stream_close(e->s);
  e->s = NULL;
}

static void fill(struct end *e)
{
  while (e->s && e->sent < e->to_send && ln_stream_unsent(e->s) == 0) {
    size_t n = e->to_send - e->sent < CHUNK ? e->to_send - e->sent : CHUNK;
    uint8_t *to;
    assert_int_equal(ln_buf_extend(ln_stream_out(e->s), n, &to), LN_OK);
    for (size_t i = 0; i < n; i++) to[i] = (uint8_t)((e->sent + i) * 7 + ((e->sent + i) >> 9));
    e->out_sum = sum(e->out_sum, to, n);
    e->sent += n;
    ln_stream_send(e->s);
  }
}

static void on_open(void *ctx)
{
  struct end *e = ctx;
  assert_non_null(e->s); /* never inside the dialling call */
  e->opens++;
  if (e->close_at == ON_OPEN)
    shut(e);
  else
    fill(e);
}

static void on_data(void *ctx, struct ln_buf *in)
{
  struct end *e = ctx;
  assert_non_null(e->s);
  size_t n = in->len;
  e->datas++;
  if (e->slow && n > 1000) n = 1000; /* leaves the rest for later */
  e->in_sum = sum(e->in_sum, ln_buf_data(in), n);
  e->got += n;
  if (e->echo) {
    assert_int_equal(ln_buf_append(ln_stream_out(e->s), ln_buf_data(in), n), LN_OK);
    ln_stream_send(e->s);
  }
  ln_buf_consume(in, n);
  if (e->close_at == ON_DATA) {
    shut(e);
    return;
  }
  if (e->slow) {
    ln_stream_pause(e->s, true);
    ln_timer_start(ln_loop_clock(loop), &e->timer, ln_clock_now(ln_loop_clock(loop)) + (in->len ? 0 : 200));
  }
  if (e == &client && e->to_send && e->got == e->to_send) ln_loop_stop(loop);
}

static void on_slow(struct ln_timer *t)
{
  struct end *e = (struct end *)((char *)t - offsetof(struct end, timer));
  if (e->s) ln_stream_pause(e->s, false);
}

static void on_drain(void *ctx)
{
  struct end *e = ctx;
  assert_int_equal(ln_stream_unsent(e->s), 0);
  if (e->close_at == ON_DRAIN)
    shut(e);
  else
    fill(e);
}

static void on_close(void *ctx, int err, const char *why)
{
  struct end *e = ctx;
  e->closes++;
  e->err = err;
  snprintf(e->why, sizeof e->why, "%s", why);
  if (e->close_at == ON_CLOSE) ln_stream_close(e->s); /* too late, but no harm */
  e->s = NULL;
  if (e->stop_at_close) ln_loop_stop(loop);
}

static const struct ln_stream_ops ops = {
    .on_open = on_open, .on_data = on_data, .on_drain = on_drain, .on_close = on_close};

static void on_accept(void *ctx, struct ln_stream *s)
{
  struct end *e = ctx;
  e->s = s;
  if (e->close_at == ON_OPEN) {
    shut(e);
    return;
  }
  ln_stream_adopt(s, &ops, e);
}

static void connect_both(void)
{
  if (over_tcp) {
    assert_int_equal(ln_tcp_listen(loop, "127.0.0.1", 0, on_accept, &server, &listener, &refusal), LN_OK);
    assert_int_equal(
        ln_tcp_dial(loop, "127.0.0.1", ln_listener_port(listener), LN_US_PER_S * 5, &ops, &client, &client.s),
        LN_OK);
  } else {
    struct ln_stream *b;
    assert_int_equal(ln_pipe_pair(loop, &ops, &client, &client.s, &b), LN_OK);
    on_accept(&server, b);
  }
  assert_int_equal(client.opens, 0);
}

static int set_up(void **state)
{
  (void)state;
  memset(&client, 0, sizeof client);
  memset(&server, 0, sizeof server);
  client.timer.fn = server.timer.fn = on_slow;
  listener = NULL;
  over_tcp = false;
  return ln_loop_new(&loop);
}

static int set_up_tcp(void **state)
{
  int r = set_up(state);
  over_tcp = true;
  return r;
}

static int tear_down(void **state)
{
  (void)state;
  ln_timer_stop(&client.timer);
  ln_timer_stop(&server.timer);
  ln_listener_close(listener);
  ln_loop_free(loop); /* closes the rest, without a word to the owners */
  return 0;
}

static void on_enough(struct ln_timer *t)
{
  (void)t;
  ln_loop_stop(loop);
}

/* Until ln_loop_stop; a scene that hangs is cut. */
static void run(void)
{
  struct ln_timer limit = {.fn = on_enough};
  ln_timer_start(ln_loop_clock(loop), &limit, ln_clock_now(ln_loop_clock(loop)) + 20 * LN_US_PER_S);
  ln_loop_run(loop);
  assert_true(ln_timer_running(&limit)); /* it was not cut */
  ln_timer_stop(&limit);
}

static void echo(void **state)
{
  (void)state;
  client.to_send = BIG;
  server.echo = true;
  connect_both();
  run();
  assert_int_equal(server.got, BIG);
  assert_int_equal(client.got, BIG);
  assert_int_equal(server.in_sum, client.out_sum);
  assert_int_equal(client.in_sum, client.out_sum);
  assert_true(ln_stream_peer_is_loopback(client.s));
  if (over_tcp)
    assert_memory_equal(ln_stream_peer(client.s), "127.0.0.1:", 10);
  else
    assert_string_equal(ln_stream_peer(client.s), "pipe");
  assert_int_equal(client.opens, 1);
}

static void echo_slow_reader(void **state)
{
  client.slow = true;
  server.slow = true;
  echo(state);
  assert_true(client.datas > 100);
}

static void nobody_reads(void **state)
{
  (void)state;
  connect_both();
  server.close_at = NOWHERE;
  client.to_send = 1;
  server.echo = true;
  run(); /* connected, one byte each way */
  ln_stream_pause(server.s, true);
  struct ln_buf *out = ln_stream_out(client.s);
  int err = LN_OK;
  size_t most = 0;
  for (int i = 0; i < 200 && !err; i++) {
    uint8_t *to;
    err = ln_buf_extend(out, 1 << 20, &to);
    if (err) break;
    memset(to, i, 1 << 20);
    ln_stream_send(client.s);
    if (ln_stream_unsent(client.s) > most) most = ln_stream_unsent(client.s);
  }
  assert_int_equal(err, LN_E_TOOBIG);
  assert_true(most <= LN_STREAM_OUT_MAX);
}

static void peer_closes(void **state)
{
  (void)state;
  client.to_send = 10;
  server.close_at = ON_DATA;
  client.stop_at_close = true;
  connect_both();
  run();
  assert_int_equal(client.closes, 1);
  assert_int_equal(client.err, LN_E_CLOSED);
  assert_int_equal(server.got, 10);
  assert_int_equal(server.closes, 0); /* never after one's own close */
}

static void what_was_sent_still_leaves(void **state)
{
  (void)state;
  server.stop_at_close = true;
  connect_both();
  uint8_t *to;
  assert_int_equal(ln_buf_extend(ln_stream_out(client.s), BIG, &to), LN_OK);
  memset(to, 1, BIG);
  client.close_at = ON_DRAIN;
  ln_stream_send(client.s); /* not connected yet: goes out when it is */
  run();
  assert_int_equal(server.got, BIG);
  assert_int_equal(client.closes, 0);
}

static void close_behind_a_slow_peer(void **state)
{
  (void)state;
  server.slow = true;
  server.stop_at_close = true;
  client.to_send = 3 * CHUNK;
  client.close_at = ON_DRAIN;
  connect_both();
  run();
  assert_true(server.got >= CHUNK); /* all that was sent before the close, whole chunks */
  assert_int_equal(server.got, client.sent);
  assert_int_equal(server.in_sum, client.out_sum);
}

static void close_in_each_callback(void **state)
{
  (void)state;
  static const struct {
    enum where client, server;
  } scenes[] = {{ON_OPEN, NOWHERE},  {NOWHERE, ON_OPEN}, {ON_DATA, NOWHERE}, {ON_DRAIN, NOWHERE},
                {ON_CLOSE, ON_DATA}, {ON_DATA, ON_DATA}, {ON_OPEN, ON_OPEN}, {ON_DRAIN, ON_DRAIN}};
  for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
    memset(&client, 0, sizeof client);
    memset(&server, 0, sizeof server);
    client.timer.fn = server.timer.fn = on_slow;
    client.close_at = scenes[i].client;
    server.close_at = scenes[i].server;
    client.to_send = 100;
    server.echo = true;
    server.stop_at_close = scenes[i].client != ON_CLOSE;
    client.stop_at_close = true;
    connect_both();
    struct ln_timer limit = {.fn = on_enough};
    ln_timer_start(ln_loop_clock(loop), &limit, ln_clock_now(ln_loop_clock(loop)) + 30000);
    ln_loop_run(loop);
    ln_timer_stop(&limit);
    assert_true(client.closes + (client.s == NULL) + server.closes + (server.s == NULL) > 0);
    if (client.s) shut(&client);
    if (server.s) shut(&server);
    ln_listener_close(listener);
    listener = NULL;
  }
}

static void close_while_dialling(void **state)
{
  (void)state;
  connect_both();
  shut(&client);
  assert_int_equal(ln_tcp_dial(loop, "localhost", 9, LN_US_PER_S, &ops, &client, &client.s), LN_OK);
  shut(&client); /* its look-up is still out */
  struct ln_timer limit = {.fn = on_enough};
  ln_timer_start(ln_loop_clock(loop), &limit, ln_clock_now(ln_loop_clock(loop)) + 20000);
  ln_loop_run(loop);
  assert_int_equal(client.opens + client.closes, 0);
}

static void refused_port(void **state)
{
  (void)state;
  client.stop_at_close = true;
  assert_int_equal(ln_tcp_listen(loop, "127.0.0.1", 0, on_accept, &server, &listener, &refusal), LN_OK);
  int port = ln_listener_port(listener);
  ln_listener_close(listener);
  listener = NULL;
  assert_int_equal(ln_tcp_dial(loop, "127.0.0.1", port, LN_US_PER_S, &ops, &client, &client.s), LN_OK);
  run();
  assert_int_equal(client.err, LN_E_CONNECT);
  assert_non_null(strstr(client.why, "127.0.0.1"));
  assert_non_null(strstr(client.why, "refused"));
}

static void localhost_by_name(void **state)
{
  (void)state;
  client.to_send = 3;
  server.echo = true;
  assert_int_equal(ln_tcp_listen(loop, "127.0.0.1", 0, on_accept, &server, &listener, &refusal), LN_OK);
  assert_int_equal(
      ln_tcp_dial(loop, "localhost", ln_listener_port(listener), 5 * LN_US_PER_S, &ops, &client, &client.s),
      LN_OK);
  run(); /* ::1, where it comes first, refuses: the next address has to be tried */
  assert_int_equal(client.got, 3);
}

static void bad_arguments(void **state)
{
  (void)state;
  assert_int_equal(ln_tcp_dial(loop, "127.0.0.1", 0, 1, &ops, &client, &client.s), LN_E_INVAL);
  assert_int_equal(ln_tcp_dial(loop, "", 80, 1, &ops, &client, &client.s), LN_E_INVAL);
  assert_int_equal(ln_tcp_listen(loop, "203.0.113.1", 0, on_accept, &server, &listener, &refusal),
                   LN_E_NOT_FOUND);
  assert_int_equal(ln_tcp_listen(loop, "not an address", 0, on_accept, &server, &listener, &refusal),
                   LN_E_INVAL);
  listener = NULL;
}

static void ignore(void *ctx, struct ln_stream *s)
{
  (void)ctx, (void)s; /* neither adopted nor closed */
}

static void not_adopted(void **state)
{
  (void)state;
  client.stop_at_close = true;
  assert_int_equal(ln_tcp_listen(loop, "127.0.0.1", 0, ignore, NULL, &listener, &refusal), LN_OK);
  assert_int_equal(
      ln_tcp_dial(loop, "127.0.0.1", ln_listener_port(listener), LN_US_PER_S, &ops, &client, &client.s),
      LN_OK);
  run();
  assert_int_equal(client.closes, 1);
}

/* --- pipes alone --- */

struct faults {
  int pieces, drop_at;
  int64_t delay;
  bool flip, eat;
};

static enum ln_pipe_verdict filter(void *ctx, bool from_a, struct ln_buf *bytes, int64_t *delay_us)
{
  struct faults *f = ctx;
  f->pieces++;
  if (f->flip && from_a) ln_buf_data(bytes)[0] ^= 0xff;
  if (f->eat) ln_buf_clear(bytes);
  if (f->drop_at == f->pieces) return LN_PIPE_DROP_CONNECTION;
  if (!f->delay) return LN_PIPE_PASS;
  *delay_us = f->delay;
  return LN_PIPE_HOLD;
}

static struct ln_clock *virtual_clock;

static bool move_on(void *ctx)
{
  (void)ctx;
  int64_t next = ln_clock_next(virtual_clock);
  if (next == LN_NEVER) {
    ln_loop_stop(loop);
    return true;
  }
  ln_clock_move(virtual_clock, next);
  return true;
}

static void pipe_filters(void **state)
{
  (void)state;
  struct faults f = {.delay = 250000, .flip = true};
  assert_int_equal(ln_clock_new_virtual(loop, 0, &virtual_clock), LN_OK);
  ln_loop_set_idle(loop, move_on, NULL);
  client.to_send = 1;
  server.echo = true;
  connect_both();
  ln_pipe_set_filter(client.s, virtual_clock, filter, &f);
  int64_t before = ln_clock_now(virtual_clock);
  ln_loop_run(loop);
  assert_int_equal(client.got, 1);
  assert_int_equal(ln_clock_now(virtual_clock) - before, 500000); /* there and back */
  assert_int_equal(client.in_sum, 0xff);
  /* held pieces keep their order: the second, not held itself, stays behind the first */
  uint8_t *out;
  f.flip = false;
  f.delay = 1000;
  server.echo = false;
  server.in_sum = 0;
  ln_buf_extend(ln_stream_out(client.s), 1, &out);
  *out = 3;
  ln_stream_send(client.s);
  f.delay = 0;
  ln_buf_extend(ln_stream_out(client.s), 1, &out);
  *out = 4;
  ln_stream_send(client.s);
  assert_int_equal(ln_stream_unsent(client.s), 2);
  ln_loop_run(loop);
  assert_int_equal(server.in_sum, 3 * 31 + 4);
  assert_int_equal(ln_stream_unsent(client.s), 0);
  /* one that vanishes, then the cut */
  f.eat = true;
  ln_buf_extend(ln_stream_out(client.s), 1, &out);
  ln_stream_send(client.s);
  ln_loop_run(loop);
  assert_int_equal(server.in_sum, 3 * 31 + 4);
  f.eat = false;
  f.drop_at = f.pieces + 1;
  ln_buf_extend(ln_stream_out(client.s), 1, &out);
  ln_stream_send(client.s);
  assert_int_equal(client.closes, 0); /* not inside of send */
  ln_loop_run(loop);
  assert_int_equal(client.closes, 1);
  assert_int_equal(server.closes, 1);
  assert_int_equal(client.err, LN_E_IO);
  ln_clock_free(virtual_clock);
}

static void pipe_larger_than_the_buffer(void **state)
{
  (void)state;
  uint8_t *out;
  size_t n = LN_STREAM_IN_MAX * 2 + 17;
  connect_both();
  assert_int_equal(ln_buf_extend(ln_stream_out(client.s), n, &out), LN_OK);
  memset(out, 5, n);
  client.close_at = ON_DRAIN;
  server.stop_at_close = true;
  ln_stream_send(client.s);
  run();
  assert_int_equal(server.got, n);
}

static void data_before_adoption(void **state)
{
  (void)state;
  struct ln_stream *b;
  client.to_send = 9;
  client.stop_at_close = true;
  assert_int_equal(ln_pipe_pair(loop, &ops, &client, &client.s, &b), LN_OK);
  struct ln_timer limit = {.fn = on_enough};
  ln_timer_start(ln_loop_clock(loop), &limit, ln_clock_now(ln_loop_clock(loop)) + 1000);
  ln_loop_run(loop); /* it has arrived where nobody is */
  server.s = b;
  server.close_at = ON_DATA;
  ln_stream_adopt(b, &ops, &server);
  assert_int_equal(server.got, 0);
  run();
  assert_int_equal(server.got, 9);
}

#define BOTH(test)                                          \
  cmocka_unit_test_setup_teardown(test, set_up, tear_down), \
  {                                                         \
#test " (tcp)", test, set_up_tcp, tear_down, NULL       \
  }

int main(void)
{
  const struct CMUnitTest tests[] = {
      BOTH(echo),
      BOTH(echo_slow_reader),
      BOTH(nobody_reads),
      BOTH(peer_closes),
      BOTH(what_was_sent_still_leaves),
      BOTH(close_behind_a_slow_peer),
      BOTH(close_in_each_callback),
      BOTH(close_while_dialling),
      cmocka_unit_test_setup_teardown(refused_port, set_up_tcp, tear_down),
      cmocka_unit_test_setup_teardown(localhost_by_name, set_up_tcp, tear_down),
      cmocka_unit_test_setup_teardown(bad_arguments, set_up_tcp, tear_down),
      cmocka_unit_test_setup_teardown(not_adopted, set_up_tcp, tear_down),
      cmocka_unit_test_setup_teardown(pipe_filters, set_up, tear_down),
      cmocka_unit_test_setup_teardown(pipe_larger_than_the_buffer, set_up, tear_down),
      cmocka_unit_test_setup_teardown(data_before_adoption, set_up, tear_down),
  };
  return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
