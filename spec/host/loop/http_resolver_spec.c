/* A name that is looked up for long: who gives up meanwhile, at its time limit or by closing, waits for
 * nothing. libcurl's thread comes to our getaddrinfo, which stands before libc's. */
#ifdef LN_HAVE_CURL
#include "loop/http.h"
#include "base/clock.h"
#include "loop/loop.h"
#include "spec.h"

#include <netdb.h>
#include <stdatomic.h>
#include <unistd.h>

static atomic_int asked, answer;

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict node,
                                                       const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict out)
{
  (void)node, (void)service, (void)hints, (void)out;
  atomic_fetch_add(&asked, 1);
  while (!atomic_load(&answer)) usleep(1000);
  return EAI_AGAIN;
}

static struct ln_loop *loop;
static struct ln_http_request *request;

static void changed(void *ctx)
{
  (void)ctx;
  if (ln_http_ended(request)) ln_loop_stop(loop);
}

static void close_it(void *ctx)
{
  (void)ctx;
  ln_loop_stop(loop);
}

static void gives_up_at_once(void **state)
{
  (void)state;
  const char *why = "", *text;
  bool unsent;
  struct ln_http *http;
  struct ln_waker *waker;
  assert_int_equal(ln_loop_new(&loop), LN_OK);
  if (ln_http_new(loop, &http, &why)) {
    ln_loop_free(loop);
    print_message("%s\n", why);
    skip();
  }
  struct ln_http_options o = {
      .url = "http://slow.invalid/", .method = "GET", .stream_size = -1, .total_ms = 50};
  assert_int_equal(ln_http_start(http, &o, changed, NULL, &request, &why), LN_OK);
  ln_loop_run(loop);
  assert_int_equal(atomic_load(&answer), 0); /* or it would have waited for ever */
  assert_string_equal(ln_http_failure(request, &text, &unsent), "TIMEOUT");
  ln_http_close(request);

  o.total_ms = 0;
  o.url = "http://slower.invalid/";
  assert_int_equal(ln_http_start(http, &o, changed, NULL, &request, &why), LN_OK);
  assert_int_equal(ln_waker_open(loop, close_it, NULL, &waker), LN_OK);
  while (atomic_load(&asked) < 2) {
    ln_waker_wake(waker);
    ln_loop_run(loop);
  }
  ln_http_close(request);
  ln_waker_close(waker);
  ln_http_free(http);
  ln_loop_free(loop);
  atomic_store(&answer, 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(gives_up_at_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
  return 0;
}
#endif
