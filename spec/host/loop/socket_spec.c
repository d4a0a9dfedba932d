/* What streams have for luna.socket, over TCP and over Unix sockets: half-closing, writes without a copy,
 * listeners that pause, resets, addresses, a crowded Unix socket. */
#include "loop/internal.h" /* for the time that the loop has */
#include "loop/unix.h"
#include "place.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct end {
  struct ln_stream *s;
  char got[64];
  size_t n;
  int opens, ends, closes, drains, err;
  bool pause_first;
};

static struct {
  struct place at;
  struct ln_listener *listener;
  struct end client, server;
  int accepted;
  bool (*until)(void);
} t;

static void look(void)
{
  if (t.until && t.until()) ln_loop_stop(t.at.loop);
}

static void on_open(void *ctx)
{
  ((struct end *)ctx)->opens++;
  look();
}

static void on_data(void *ctx, struct ln_buf *in)
{
  struct end *e = ctx;
  for (; in->len && e->n < sizeof e->got - 1; ln_buf_consume(in, 1)) e->got[e->n++] = (char)*ln_buf_data(in);
  look();
}

static void on_end(void *ctx)
{
  ((struct end *)ctx)->ends++;
  look();
}

static void on_drain(void *ctx)
{
  ((struct end *)ctx)->drains++;
  look();
}

static void on_close(void *ctx, int err, const char *why)
{
  struct end *e = ctx;
  (void)why;
  e->closes++;
  e->err = err;
  e->s = NULL;
  look();
}

static const struct ln_stream_ops ops = {
    .on_open = on_open, .on_data = on_data, .on_drain = on_drain, .on_close = on_close, .on_end = on_end};

static void on_accept(void *ctx, struct ln_stream *s)
{
  (void)ctx;
  t.accepted++;
  if (t.server.s) return; /* closed by who calls us */
  t.server.s = s;
  if (t.server.pause_first) ln_stream_pause(s, true);
  ln_stream_adopt(s, &ops, &t.server);
  look();
}

static void run_until(bool (*until)(void))
{
  t.until = until;
  if (!until() && !place_run(&t.at, 10 * LN_US_PER_S)) fail_msg("it never was");
  t.until = NULL;
}

static bool both(void)
{
  return t.client.opens && t.server.s;
}

static bool server_ended(void)
{
  return t.server.ends || t.server.closes;
}

static bool client_ended(void)
{
  return t.client.ends || t.client.closes;
}

static bool client_closed(void)
{
  return t.client.closes;
}

static void start(bool local)
{
  const char *why;
  if (local) {
    assert_int_equal(ln_unix_listen(t.at.loop, t.at.path, false, on_accept, NULL, &t.listener, &why), LN_OK);
  } else {
    assert_int_equal(ln_tcp_listen(t.at.loop, "127.0.0.1", 0, on_accept, NULL, &t.listener, &why), LN_OK);
  }
}

static void dial(bool local)
{
  int err = local ? ln_unix_connect(t.at.loop, t.at.path, LN_US_PER_S, &ops, &t.client, &t.client.s)
                  : ln_tcp_dial(t.at.loop, "127.0.0.1", ln_listener_port(t.listener), LN_US_PER_S, &ops,
                                &t.client, &t.client.s);
  assert_int_equal(err, LN_OK);
  assert_int_equal(t.client.opens, 0); /* never inside of the call */
}

static void connect_both(bool local)
{
  start(local);
  dial(local);
  run_until(both);
}

static void once_more(struct ln_deferred *d)
{
  ln_loop_defer_turn(t.at.loop, d);
}

/* Who has computed for long before he dials still gets the whole time for it. */
static void a_dial_counts_from_when_it_is_asked_for(void **state)
{
  (void)state;
  struct ln_deferred work = {.fn = once_more}; /* the loop has other things to do, too */
  for (int local = 0; local < 2; local++) {
    memset(&t.client, 0, sizeof t.client);
    memset(&t.server, 0, sizeof t.server);
    start(local);
    t.at.loop->now = ln_clock_mono_us() - 60 * LN_US_PER_S;
    t.at.loop->stale = false;
    dial(local);
    ln_loop_defer_turn(t.at.loop, &work);
    run_until(both);
    ln_loop_undefer(t.at.loop, &work);
    ln_listener_close(t.listener);
  }
}

static int set_up(void **state)
{
  (void)state;
  memset(&t, 0, sizeof t);
  return place_open(&t.at, "a.sock");
}

static int tear_down(void **state)
{
  (void)state;
  return place_close(&t.at);
}

static void send_text(struct ln_stream *s, const char *text)
{
  assert_int_equal(ln_buf_append(ln_stream_out(s), text, strlen(text)), LN_OK);
  assert_int_equal(ln_stream_send(s), LN_OK);
}

static void half_close(bool local)
{
  connect_both(local);
  send_text(t.client.s, "question");
  ln_stream_finish(t.client.s);
  ln_stream_finish(t.client.s); /* twice is nothing */
  run_until(server_ended);
  assert_string_equal(t.server.got, "question");
  assert_int_equal(t.server.ends, 1);
  assert_int_equal(t.server.closes, 0);
  send_text(t.server.s, "answer"); /* the other direction is open still */
  ln_stream_finish(t.server.s);
  run_until(client_ended);
  assert_string_equal(t.client.got, "answer");
  ln_stream_pause(t.client.s, true);
  ln_stream_pause(t.client.s, false); /* does not read the end once more */
  int err;
  assert_int_equal(ln_stream_write(t.client.s, ln_slice("x", 1), &err), 0);
  ln_buf_append(ln_stream_out(t.client.s), "x", 1);
  assert_int_equal(ln_stream_send(t.client.s), LN_E_CLOSED);
  assert_int_equal(t.client.ends, 1);
}

static void half_close_over_tcp(void **state)
{
  (void)state;
  half_close(false);
}

static void half_close_over_unix(void **state)
{
  (void)state;
  half_close(true);
}

static size_t expected;

static bool server_has_all(void)
{
  return t.server.n && ln_stream_in(t.server.s)->len + t.server.n == expected;
}

/* The kernel takes what it can, then nothing; what is finished then comes behind what was queued. */
static void finishes_behind_what_waits(void **state)
{
  (void)state;
  static char piece[1 << 20];
  int err;
  t.server.pause_first = true;
  connect_both(false);
  memset(piece, 'x', sizeof piece);
  size_t sent = 0, n;
  while ((n = ln_stream_write(t.client.s, ln_slice(piece, sizeof piece), &err)) > 0) sent += n;
  assert_int_equal(err, LN_OK);
  assert_true(sent > 0);
  assert_int_equal(t.client.drains, 0);
  send_text(t.client.s, "last");
  assert_true(ln_stream_unsent(t.client.s) > 0);
  assert_int_equal(ln_stream_write(t.client.s, ln_slice(piece, 1), &err), 0); /* not past what waits */
  ln_stream_finish(t.client.s);
  ln_stream_pause(t.server.s, false);
  run_until(server_ended);
  assert_int_equal(t.server.ends, 1);
  struct ln_buf *in = ln_stream_in(t.server.s);
  expected = sent + 4;
  assert_true(server_has_all());
  assert_memory_equal(ln_buf_data(in) + in->len - 4, "last", 4);
  assert_int_equal(ln_stream_unsent(t.client.s), 0);
  assert_int_equal(t.client.drains, 1);
}

static void a_reset_is_told_apart_from_an_end(void **state)
{
  (void)state;
  connect_both(false);
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  assert_int_equal(setsockopt(ln_stream_fd(t.server.s), SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
  ln_stream_close(t.server.s);
  run_until(client_closed);
  assert_int_equal(t.client.ends, 0);
  assert_int_equal(t.client.err, LN_E_RESET);
}

static void a_write_that_fails_says_so_at_once_and_closes_later(void **state)
{
  (void)state;
  int err;
  connect_both(true);
  shutdown(ln_stream_fd(t.client.s), SHUT_RDWR);
  assert_int_equal(ln_stream_write(t.client.s, ln_slice("x", 1), &err), 0);
  assert_int_equal(err, LN_E_RESET);
  assert_int_equal(t.client.closes, 0);
  run_until(client_closed);
  assert_int_equal(t.client.err, LN_E_RESET);
}

static bool opened(void)
{
  return t.client.opens;
}

static bool accepted(void)
{
  return t.accepted > 0;
}

static void a_paused_listener_leaves_them_in_the_kernel(void **state)
{
  (void)state;
  for (int local = 0; local < 2; local++) {
    memset(&t.client, 0, sizeof t.client);
    memset(&t.server, 0, sizeof t.server);
    t.accepted = 0;
    start(local);
    ln_listener_pause(t.listener, true);
    dial(local);
    run_until(opened);
    struct ln_stream *second;
    struct end other = {0};
    assert_int_equal(local ? ln_unix_connect(t.at.loop, t.at.path, LN_US_PER_S, &ops, &other, &second)
                           : ln_tcp_dial(t.at.loop, "127.0.0.1", ln_listener_port(t.listener), LN_US_PER_S,
                                         &ops, &other, &second),
                     LN_OK);
    for (int i = 0; i < 20; i++) place_run(&t.at, 0); /* turns */
    assert_int_equal(t.accepted, 0);
    ln_listener_pause(t.listener, false);
    run_until(accepted);
    send_text(t.client.s, "in");
    ln_stream_finish(t.client.s);
    run_until(server_ended);
    assert_string_equal(t.server.got, "in");
    ln_stream_close(second);
    ln_stream_close(t.client.s);
    ln_stream_close(t.server.s);
    ln_listener_close(t.listener);
    t.listener = NULL;
  }
}

static void ends_have_addresses(void **state)
{
  (void)state;
  char a[128], b[128];
  for (int local = 0; local < 2; local++) {
    memset(&t.client, 0, sizeof t.client);
    memset(&t.server, 0, sizeof t.server);
    connect_both(local);
    assert_true(ln_listener_address(t.listener, a, sizeof a) > 0);
    if (local) assert_string_equal(a, t.at.path);
    assert_true(ln_stream_address(t.client.s, true, b, sizeof b) > 0);
    assert_string_equal(a, b);
    assert_true(ln_stream_address(t.server.s, false, b, sizeof b) > 0);
    assert_string_equal(a, b);
    assert_true(ln_stream_address(t.client.s, false, a, sizeof a) > 0); /* Unix: the name it was given */
    assert_true(ln_stream_address(t.server.s, true, b, sizeof b) > 0);
    assert_string_equal(a, b);
    assert_true(local ? *a == '@' : strncmp(a, "127.0.0.1:", 10) == 0);
    assert_int_equal(ln_stream_address(t.client.s, true, b, 3), 0); /* no room: none */
    ln_stream_close(t.client.s);
    ln_stream_close(t.server.s);
    ln_listener_close(t.listener);
  }
}

/* A listener whose queue is full refuses for now: it is asked again until the time is up. */
static void a_crowded_unix_socket(void **state)
{
  (void)state;
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  strcpy(at.sun_path, t.at.path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0), other = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(fd, 0), 0);
  assert_int_equal(connect(other, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(ln_unix_connect(t.at.loop, t.at.path, 20000, &ops, &t.client, &t.client.s), LN_OK);
  run_until(client_closed);
  assert_int_equal(t.client.opens, 0);
  assert_int_equal(t.client.err, LN_E_TIMEOUT);
  memset(&t.client, 0, sizeof t.client);
  assert_int_equal(ln_unix_connect(t.at.loop, t.at.path, 10 * LN_US_PER_S, &ops, &t.client, &t.client.s),
                   LN_OK);
  int one = accept(fd, NULL, NULL);
  run_until(opened);
  assert_int_equal(t.client.closes, 0);
  close(one), close(other), close(fd);
}

static void unix_sockets_of_scripts_want_no_folder_of_their_own(void **state)
{
  (void)state;
  struct end nobody = {0};
  struct ln_stream *s;
  const char *why;
  assert_int_equal(ln_unix_connect(t.at.loop, t.at.path, LN_US_PER_S, &ops, &t.client, &t.client.s), LN_OK);
  run_until(client_closed);
  assert_int_equal(t.client.err, LN_E_CONNECT);
  assert_int_equal(ln_unix_connect(t.at.loop, "here.sock", 1, &ops, &nobody, &s), LN_E_INVAL);
  assert_int_equal(ln_unix_listen(t.at.loop, "here.sock", false, on_accept, NULL, &t.listener, &why),
                   LN_E_IO);
  assert_non_null(strstr(why, "absolute"));
  chmod(t.at.folder, 0755); /* too open for the REPL */
  assert_int_equal(ln_unix_listen(t.at.loop, t.at.path, true, on_accept, NULL, &t.listener, &why),
                   LN_E_PERMISSION);
  memset(&t.client, 0, sizeof t.client);
  connect_both(true);
  ln_stream_close(t.client.s);
  run_until(server_ended);
  assert_int_equal(t.server.ends, 1);
}

static bool a_turn_later(void)
{
  static uint64_t from;
  if (!from) from = ln_loop_turn(t.at.loop);
  bool is = ln_loop_turn(t.at.loop) > from + 8;
  if (is) from = 0;
  return is;
}

static void turn_on(struct ln_deferred *d)
{
  look();
  ln_loop_defer_turn(t.at.loop, d);
}

/* It waits in the kernel, and the end behind it. */
static void what_comes_while_it_is_paused(bool local)
{
  struct ln_deferred turns = {.fn = turn_on};
  int err;
  connect_both(local);
  ln_stream_pause(t.server.s, true);
  assert_int_equal(ln_stream_write(t.client.s, ln_slice("hello", 5), &err), 5);
  ln_stream_finish(t.client.s);
  ln_loop_defer_turn(t.at.loop, &turns);
  run_until(a_turn_later);
  assert_int_equal(t.server.n, 0);
  assert_int_equal(t.server.ends, 0);
  ln_loop_undefer(t.at.loop, &turns);
  ln_stream_pause(t.server.s, false);
  run_until(server_ended);
  assert_string_equal(t.server.got, "hello");
  assert_int_equal(t.server.ends, 1);
  ln_stream_pause(t.server.s, true);
  ln_stream_pause(t.server.s, false); /* nothing comes behind the end */
  ln_loop_defer_turn(t.at.loop, &turns);
  run_until(a_turn_later);
  ln_loop_undefer(t.at.loop, &turns);
  assert_int_equal(t.server.ends, 1);
}

static void what_comes_while_it_is_paused_over_tcp(void **state)
{
  (void)state;
  what_comes_while_it_is_paused(false);
}

static void what_comes_while_it_is_paused_over_unix(void **state)
{
  (void)state;
  what_comes_while_it_is_paused(true);
}

static size_t flood;

static bool all_of_it(void)
{
  return t.server.n + ln_stream_in(t.server.s)->len == flood;
}

/* More than is read in one turn, all of it there at once: nothing comes later that would tell of the rest. */
static void a_flood_and_then_nothing(void **state)
{
  (void)state;
  static const uint8_t bytes[400000];
  int size = sizeof bytes, err;
  connect_both(true);
  setsockopt(ln_stream_fd(t.client.s), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  flood = ln_stream_write(t.client.s, ln_slice(bytes, sizeof bytes), &err);
  assert_true(flood > 250000);
  run_until(all_of_it);
}

int main(void)
{
#define SPEC(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      SPEC(a_dial_counts_from_when_it_is_asked_for),
      SPEC(half_close_over_tcp),
      SPEC(half_close_over_unix),
      SPEC(finishes_behind_what_waits),
      SPEC(a_reset_is_told_apart_from_an_end),
      SPEC(a_write_that_fails_says_so_at_once_and_closes_later),
      SPEC(a_paused_listener_leaves_them_in_the_kernel),
      SPEC(ends_have_addresses),
      SPEC(a_crowded_unix_socket),
      SPEC(unix_sockets_of_scripts_want_no_folder_of_their_own),
      SPEC(what_comes_while_it_is_paused_over_tcp),
      SPEC(what_comes_while_it_is_paused_over_unix),
      SPEC(a_flood_and_then_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
