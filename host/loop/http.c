/* libcurl's multi handle on the loop: see http.h. libcurl says which sockets and which time it waits for, the
 * loop tells it when; what has ended goes back to http_request.c. */
#ifdef LN_HAVE_CURL
#include "loop/http_curl.h"
#include "base/alloc.h"

#include <stdlib.h>

struct ln_http_watch { /* one of libcurl's sockets */
  struct ln_http *http;
  struct ln_poll *poll;
  curl_socket_t fd;
  struct ln_http_watch *next, **at;
};

static void collect_ended(struct ln_http *h)
{
  CURLMsg *m;
  int left;
  while ((m = ln_curl.multi_info_read(h->multi, &left))) {
    if (m->msg != CURLMSG_DONE) continue;
    struct ln_http_request *r = NULL;
    CURLcode code = m->data.result;
    ln_curl.easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r);
    if (r) ln_http_request_ended(r, code);
  }
}

static void act(struct ln_http *h, curl_socket_t fd, int mask)
{
  int running;
  locale_t before = h->utf8 ? uselocale(h->utf8) : (locale_t)0;
  ln_curl.multi_socket_action(h->multi, fd, mask, &running);
  if (h->utf8) uselocale(before);
  collect_ended(h);
}

static void on_ready(void *ctx, int events)
{
  struct ln_http_watch *w = ctx; /* gone, perhaps, once libcurl has been told */
  int mask =
      (events & LN_POLL_READABLE ? CURL_CSELECT_IN : 0) | (events & LN_POLL_WRITABLE ? CURL_CSELECT_OUT : 0);
  act(w->http, w->fd, mask);
}

static void unwatch(struct ln_http_watch *w)
{
  *w->at = w->next;
  if (w->next) w->next->at = w->at;
  ln_poll_close(w->poll);
  ln_free(w);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
  (void)easy;
  struct ln_http *h = ctx;
  struct ln_http_watch *w = known;
  if (what == CURL_POLL_REMOVE) {
    if (w) unwatch(w);
    return 0;
  }
  if (!w) {
    if (!(w = ln_calloc(1, sizeof *w))) return -1;
    w->http = h;
    w->fd = fd;
    if (ln_poll_open(h->loop, fd, on_ready, w, &w->poll)) {
      ln_free(w);
      return -1;
    }
    w->next = h->watches;
    w->at = &h->watches;
    if (w->next) w->next->at = &w->next;
    h->watches = w;
    ln_curl.multi_assign(h->multi, fd, w);
  }
  ln_poll_set(w->poll,
              (what & CURL_POLL_IN ? LN_POLL_READABLE : 0) | (what & CURL_POLL_OUT ? LN_POLL_WRITABLE : 0));
  return 0;
}

static void on_time(struct ln_timer *t)
{
  act((struct ln_http *)((char *)t - offsetof(struct ln_http, timer)), CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
  (void)multi;
  struct ln_http *h = ctx;
  if (ms < 0) {
    ln_timer_stop(&h->timer);
    return 0;
  }
  struct ln_clock *clock = ln_loop_clock(h->loop);
  return ln_timer_start(clock, &h->timer, ln_clock_fresh(clock) + (int64_t)ms * 1000) ? -1 : 0;
}

int ln_http_new(struct ln_loop *loop, struct ln_http **out, const char **why)
{
  int err = ln_curl_open(why);
  if (err) return err;
  struct ln_http *h = ln_calloc(1, sizeof *h);
  *why = ln_err_text(LN_E_NOMEM);
  if (!h) return LN_E_NOMEM;
  h->loop = loop;
  h->timer.fn = on_time;
  if (!(h->multi = ln_curl.multi_init())) {
    ln_free(h);
    return LN_E_NOMEM;
  }
  h->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
  ln_curl.multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  ln_curl.multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
  ln_curl.multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  ln_curl.multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
  ln_curl.multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
  ln_curl.multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, 32L); /* idle ones kept */
  *out = h;
  return LN_OK;
}

void ln_http_free(struct ln_http *h)
{
  if (!h) return;
  ln_curl.multi_cleanup(h->multi);
  while (h->watches) unwatch(h->watches);
  ln_timer_stop(&h->timer);
  if (h->utf8) freelocale(h->utf8);
  ln_free(h);
}

/* --- URLs --- */

static int get_part(CURLU *u, CURLUPart part, unsigned flags, char *to, size_t size)
{
  char *text = NULL;
  if (ln_curl.url_get(u, part, &text, flags) != CURLUE_OK) return LN_E_INVAL;
  size_t n = strlen(text);
  int err = n < size ? LN_OK : LN_E_TOOBIG;
  if (!err) memcpy(to, text, n + 1);
  ln_curl.free(text);
  return err;
}

int ln_http_parse(const char *url, char *scheme, char *host, size_t size, int *port)
{
  char number[16];
  CURLU *u = ln_curl.url();
  if (!u) return LN_E_NOMEM;
  int err =
      ln_curl.url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK ? LN_OK : LN_E_INVAL;
  if (!err) err = get_part(u, CURLUPART_SCHEME, 0, scheme, size);
  if (!err && get_part(u, CURLUPART_HOST, 0, host, size)) *host = 0; /* file:///x has none */
  *port = !err && get_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, number, sizeof number) == LN_OK
              ? (int)strtol(number, NULL, 10)
              : 0;
  ln_curl.url_cleanup(u);
  return err;
}

int ln_http_resolve(const char *base, const char *url, char **out)
{
  CURLU *u = ln_curl.url();
  if (!u) return LN_E_NOMEM;
  int err = LN_E_INVAL;
  if (ln_curl.url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
      ln_curl.url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE) == CURLUE_OK &&
      ln_curl.url_get(u, CURLUPART_URL, out, 0) == CURLUE_OK)
    err = LN_OK;
  ln_curl.url_cleanup(u);
  return err;
}

void ln_http_free_text(char *text)
{
  ln_curl.free(text);
}

/* --- cookies --- */

int ln_http_jar_new(struct ln_http *h, struct ln_http_jar **out)
{
  (void)h;
  struct ln_http_jar *j = ln_calloc(1, sizeof *j);
  if (!j) return LN_E_NOMEM;
  if (!(j->share = ln_curl.share_init())) {
    ln_free(j);
    return LN_E_NOMEM;
  }
  ln_curl.share_setopt(j->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
  j->users = 1;
  *out = j;
  return LN_OK;
}

void ln_http_jar_release(struct ln_http_jar *j)
{
  if (!j || --j->users > 0) return;
  ln_curl.share_cleanup(j->share);
  ln_free(j);
}

void ln_http_jar_free(struct ln_http_jar *j)
{
  ln_http_jar_release(j);
}

/* An easy handle that only looks into the jar. */
static CURL *jar_hand(struct ln_http_jar *j)
{
  CURL *easy = ln_curl.easy_init();
  if (!easy) return NULL;
  ln_curl.easy_setopt(easy, CURLOPT_SHARE, j->share);
  ln_curl.easy_setopt(easy, CURLOPT_COOKIEFILE, "");
  return easy;
}

int ln_http_jar_list(struct ln_http_jar *j, void (*each)(void *ctx, const char *line), void *ctx)
{
  CURL *easy = jar_hand(j);
  struct curl_slist *list = NULL;
  if (!easy) return LN_E_NOMEM;
  ln_curl.easy_getinfo(easy, CURLINFO_COOKIELIST, &list);
  for (struct curl_slist *at = list; at; at = at->next) each(ctx, at->data);
  ln_curl.slist_free_all(list);
  ln_curl.easy_cleanup(easy);
  return LN_OK;
}

int ln_http_jar_set(struct ln_http_jar *j, const char *line)
{
  CURL *easy = jar_hand(j);
  if (!easy) return LN_E_NOMEM;
  CURLcode code = ln_curl.easy_setopt(easy, CURLOPT_COOKIELIST, line);
  ln_curl.easy_cleanup(easy);
  return code == CURLE_OK ? LN_OK : LN_E_INVAL;
}
#else
typedef int ln_http_is_not_built;
#endif
