/* What spec/bench/async.lua does, as far as libuv has the like, in plain C. Run: libuv [sleepers | echo] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define SLEEPERS 100000
#define TIMERS 100000
#define CHAIN 200000

static double cpu(void)
{
  uv_rusage_t u;
  uv_getrusage(&u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void report(const char *name, double number, const char *unit)
{
  printf("%s\t%.4g\t%s\n", name, number, unit);
}

static void *make(size_t size)
{
  void *p = malloc(size);
  if (!p) abort();
  return p;
}

static void freed(uv_handle_t *h)
{
  free(h);
}

/* --- a function for the next turn: an idle handle runs it, and is stopped when there is none --- */

static uv_idle_t idle;
static void (*deferred)(void);

static void on_idle(uv_idle_t *h)
{
  void (*fn)(void) = deferred;
  deferred = NULL;
  fn();
  if (!deferred) uv_idle_stop(h);
}

static void defer(void (*fn)(void))
{
  deferred = fn;
  uv_idle_start(&idle, on_idle); /* nothing where it is active */
}

static int left;

static void again(void)
{
  if (--left > 0) defer(again);
}

static double chain(int n)
{
  double start = cpu();
  left = n;
  defer(again);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return (cpu() - start) / n * 1e9;
}

static void defer_chain(void)
{
  uv_idle_init(uv_default_loop(), &idle);
  double best = chain(CHAIN / 10);
  for (int i = 0; i < 3; i++) {
    double ns = chain(CHAIN);
    if (i == 0 || ns < best) best = ns;
  }
  report("defer_chain", best, "ns");
}

/* --- timers --- */

static void on_timer(uv_timer_t *t)
{
  uv_close((uv_handle_t *)t, freed);
}

static void start_timer(unsigned ms)
{
  uv_timer_t *t = make(sizeof *t);
  uv_timer_init(uv_default_loop(), t);
  uv_timer_start(t, on_timer, ms, 0);
}

static double rss(void)
{
  size_t bytes = 0;
  uv_resident_set_memory(&bytes);
  return (double)bytes;
}

static void sleepers(void)
{
  double before = rss(), start = cpu();
  for (int i = 0; i < SLEEPERS; i++) start_timer(1500);
  double created = cpu() - start, bytes = rss() - before;
  start = cpu();
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  report("sleepers_create", created / SLEEPERS * 1e9, "ns");
  report("sleepers_fire", (cpu() - start) / SLEEPERS * 1e9, "ns");
  report("sleepers_bytes", bytes / SLEEPERS, "B");
}

static void timers(void)
{
  double best = 0;
  for (int i = 0; i < 2; i++) {
    unsigned seed = 1;
    double start = cpu();
    for (int k = 0; k < TIMERS; k++) {
      seed = (seed * 1103515245u + 12345u) & 0x7fffffff;
      start_timer(seed % 1000);
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    double s = cpu() - start;
    if (i == 0 || s < best) best = s;
  }
  report("timers", best, "s");
}

/* --- the echo server --- */

static char in[65536]; /* of whatever is read: it is sent before the next */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
  (void)h;
  (void)suggested;
  *buf = uv_buf_init(in, sizeof in);
}

static void on_written(uv_write_t *w, int status)
{
  (void)status;
  free(w);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
  if (n < 0) {
    uv_close((uv_handle_t *)s, freed);
    return;
  }
  uv_buf_t out = uv_buf_init(buf->base, (unsigned)n);
  int sent = uv_try_write(s, &out, 1);
  if (sent < 0) sent = 0;
  if (sent == n) return;
  size_t rest = (size_t)(n - sent);
  uv_write_t *w = make(sizeof *w + rest);
  out = uv_buf_init(memcpy(w + 1, buf->base + sent, rest), (unsigned)rest);
  if (uv_write(w, s, &out, 1, on_written)) free(w);
}

static void on_connection(uv_stream_t *server, int status)
{
  if (status) return;
  uv_tcp_t *s = make(sizeof *s);
  uv_tcp_init(server->loop, s);
  uv_accept(server, (uv_stream_t *)s);
  uv_tcp_nodelay(s, 1);
  uv_read_start((uv_stream_t *)s, on_alloc, on_read);
}

static void on_line(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
  (void)s;
  (void)buf;
  if (n < 0) exit(0);
  printf("%.6f\n", cpu());
  fflush(stdout);
}

static void echo(void)
{
  static uv_tcp_t server;
  static uv_pipe_t lines;
  struct sockaddr_in a;
  int len = sizeof a;
  uv_ip4_addr("127.0.0.1", 0, &a);
  uv_tcp_init(uv_default_loop(), &server);
  uv_tcp_bind(&server, (struct sockaddr *)&a, 0);
  uv_listen((uv_stream_t *)&server, 512, on_connection);
  uv_tcp_getsockname(&server, (struct sockaddr *)&a, &len);
  uv_pipe_init(uv_default_loop(), &lines, 0);
  uv_pipe_open(&lines, 0);
  uv_read_start((uv_stream_t *)&lines, on_alloc, on_line);
  printf("%d\n", ntohs(a.sin_port));
  fflush(stdout);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
  if (argc > 1 && strcmp(argv[1], "echo") == 0) {
    echo();
  } else if (argc > 1 && strcmp(argv[1], "sleepers") == 0) {
    sleepers();
  } else {
    printf("# libuv %s\n", uv_version_string());
    defer_chain();
    timers();
  }
  return 0;
}
