/* One exchange of HTTP: options onto libcurl's easy handle, its callbacks, backpressure both ways, the end.
 * See http.h. The callbacks only fill buffers and set flags: whoever waits is woken by `changed`, outside of
 * libcurl. */
#ifdef LN_HAVE_CURL
#include "loop/http_curl.h"
#include "base/alloc.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAX ((size_t)64 << 20) /* one piece of a streamed body may be this long */
#define PROGRESS_US (LN_US_PER_S / 10)

#define IDLE_LOOK_US (LN_US_PER_S / 10)

/* --- no byte for too long --- */

static int64_t now_of(struct ln_http_request *r)
{
  return ln_clock_fresh(ln_loop_clock(r->http->loop));
}

static void active(struct ln_http_request *r)
{
  r->active_at = now_of(r);
}

/* What is sent from memory has no callback of ours: so it looks several times. */
static void watch_idle(struct ln_http_request *r, int64_t now)
{
  int64_t look = r->idle_us / 8 > IDLE_LOOK_US ? r->idle_us / 8 : IDLE_LOOK_US;
  int64_t due = r->active_at + r->idle_us;
  ln_timer_start(ln_loop_clock(r->http->loop), &r->idle, due < now + look ? due : now + look);
}

static void on_idle(struct ln_timer *t)
{
  struct ln_http_request *r = (struct ln_http_request *)((char *)t - offsetof(struct ln_http_request, idle));
  int64_t now = now_of(r);
  curl_off_t sent = 0;
  ln_curl.easy_getinfo(r->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
  /* Paused: it is the script that does not read, or has nothing to send. */
  if (r->recv_paused || r->send_paused || sent != r->uploaded) r->active_at = now;
  r->uploaded = sent;
  if (now - r->active_at < r->idle_us) {
    watch_idle(r, now);
    return;
  }
  snprintf(r->error, sizeof r->error, "not a byte for %.3g s", (double)r->idle_us / LN_US_PER_S);
  ln_http_request_ended(r, CURLE_OPERATION_TIMEDOUT);
}

/* --- what libcurl calls --- */

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
  struct ln_http_request *r = ctx;
  n *= size;
  active(r);
  if (r->head_done) return n;                                       /* trailers: nobody asks for them */
  if (n >= 5 && memcmp(p, "HTTP/", 5) == 0) ln_buf_clear(&r->head); /* 100 Continue came before it */
  if (ln_buf_append(&r->head, p, n)) {
    r->too_big = true;
    return 0;
  }
  if (n <= 2 && (p[0] == '\r' || p[0] == '\n')) {
    long status = 0;
    ln_curl.easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 || status == 101) {
      char *ip = NULL;
      ln_curl.easy_getinfo(r->easy, CURLINFO_PRIMARY_IP, &ip);
      snprintf(r->address, sizeof r->address, "%s", ip ? ip : "");
      r->head_done = true;
      r->changed(r->ctx);
    }
  }
  return n;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
  struct ln_http_request *r = ctx;
  n *= size;
  active(r);
  if (!r->collecting && r->in.len >= LN_HTTP_HIGH) {
    r->recv_paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  if (n > r->limit - r->received || ln_buf_append(&r->in, p, n)) {
    r->too_big = true;
    return 0;
  }
  r->received += n;
  r->changed(r->ctx);
  return n;
}

static size_t on_send(char *to, size_t size, size_t n, void *ctx)
{
  struct ln_http_request *r = ctx;
  n *= size;
  active(r);
  if (r->out_failed) return CURL_READFUNC_ABORT;
  if (r->out.len == 0) {
    if (r->out_end) return 0;
    r->send_paused = r->wanted = true;
    r->changed(r->ctx);
    return CURL_READFUNC_PAUSE;
  }
  if (n > r->out.len) n = r->out.len;
  memcpy(to, ln_buf_data(&r->out), n);
  ln_buf_consume(&r->out, n);
  if (r->out.len < LN_HTTP_HIGH) r->changed(r->ctx);
  return n;
}

/* A streamed body has gone and cannot be sent again; libcurl then says so. */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
  (void)ctx;
  (void)offset;
  (void)origin;
  return CURL_SEEKFUNC_CANTSEEK;
}

static int on_progress(void *ctx, curl_off_t receive_total, curl_off_t received, curl_off_t send_total,
                       curl_off_t sent)
{
  struct ln_http_request *r = ctx;
  struct ln_http_progress now = {received, receive_total, sent, send_total};
  if (memcmp(&now, &r->progress, sizeof now) == 0) return 0;
  r->progress = now;
  int64_t at = ln_clock_mono_us();
  if (at - r->progress_at < PROGRESS_US) return 0;
  r->progress_at = at;
  r->progress_news = true;
  r->changed(r->ctx);
  return 0;
}

/* The address about to be dialled. */
static curl_socket_t on_dial(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
  struct ln_http_request *r = ctx;
  if (purpose == CURLSOCKTYPE_IPCXN && !r->allow_private && !r->by_proxy && ln_address_is_private(&a->addr)) {
    r->private_met = true;
    return CURL_SOCKET_BAD;
  }
  return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* A connection of before may have been made by a request that was allowed more. */
static int on_connected(void *ctx, char *ip, char *local, int port, int local_port)
{
  (void)local;
  (void)port;
  (void)local_port;
  struct ln_http_request *r = ctx;
  active(r);
  if (r->idle_us > 0) watch_idle(r, r->active_at);
  if (r->allow_private || r->by_proxy || !ln_host_is_private(ip)) return CURL_PREREQFUNC_OK;
  r->private_met = true;
  return CURL_PREREQFUNC_ABORT;
}

/* --- options --- */

static int set_headers(struct ln_http_request *r, const struct ln_http_options *o)
{
  bool expect = false, type = !o->has_body;
  for (const char *const *at = o->headers; at && *at; at++) {
    if (strncasecmp(*at, "expect:", 7) == 0) expect = true;
    if (strncasecmp(*at, "content-type:", 13) == 0) type = true;
    struct curl_slist *list = ln_curl.slist_append(r->headers, *at);
    if (!list) return LN_E_NOMEM;
    r->headers = list;
  }
  if (!expect) { /* libcurl would wait a second for servers that never answer it */
    struct curl_slist *list = ln_curl.slist_append(r->headers, "Expect:");
    if (!list) return LN_E_NOMEM;
    r->headers = list;
  }
  if (!type) { /* an empty body is no form */
    struct curl_slist *list = ln_curl.slist_append(r->headers, "Content-Type:");
    if (!list) return LN_E_NOMEM;
    r->headers = list;
  }
  ln_curl.easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
  return LN_OK;
}

static void set_body(struct ln_http_request *r, const struct ln_http_options *o)
{
  CURL *e = r->easy;
  bool head = strcmp(o->method, "HEAD") == 0;
  if (o->streamed) {
    ln_curl.easy_setopt(e, CURLOPT_UPLOAD, 1L);
    ln_curl.easy_setopt(e, CURLOPT_READFUNCTION, on_send);
    ln_curl.easy_setopt(e, CURLOPT_READDATA, r);
    ln_curl.easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
    ln_curl.easy_setopt(e, CURLOPT_SEEKDATA, r);
    ln_curl.easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)o->stream_size);
  } else if (o->has_body) {
    ln_curl.easy_setopt(e, CURLOPT_POST, 1L);
    ln_curl.easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body.n);
    ln_curl.easy_setopt(e, CURLOPT_POSTFIELDS, o->body.n ? (const char *)o->body.p : "");
  } else if (head) {
    ln_curl.easy_setopt(e, CURLOPT_NOBODY, 1L);
  }
  if (!head && strcmp(o->method, "GET") != 0) ln_curl.easy_setopt(e, CURLOPT_CUSTOMREQUEST, o->method);
  if (strcmp(o->method, "GET") == 0 && (o->streamed || o->has_body))
    ln_curl.easy_setopt(e, CURLOPT_CUSTOMREQUEST, "GET");
}

int ln_http_prepare(struct ln_http_request *r, const struct ln_http_options *o)
{
  static const long versions[] = {CURL_HTTP_VERSION_2TLS, CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_2_0,
                                  CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE};
  CURL *e = r->easy;
  int err = set_headers(r, o);
  if (err) return err;
  set_body(r, o);
  ln_curl.easy_setopt(e, CURLOPT_PRIVATE, r);
  ln_curl.easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  /* Who gives up while a name is looked up does not wait for the thread that does it. (libcurl 7.87 and
   * later) */
  ln_curl.easy_setopt(e, (CURLoption)(CURLOPTTYPE_LONG + 322) /* QUICK_EXIT */, 1L);
  ln_curl.easy_setopt(e, CURLOPT_ERRORBUFFER, r->error);
#if LIBCURL_VERSION_NUM >= 0x075500
  if (ln_curl.easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK)
#endif
    if (ln_curl.easy_setopt(e, (CURLoption)181 /* PROTOCOLS */, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) !=
        CURLE_OK)
      return LN_E_INVAL;
  ln_curl.easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L); /* lua/luna/http looks at each step */
  if (ln_curl.easy_setopt(e, CURLOPT_URL, o->url) != CURLE_OK) return LN_E_NOMEM;
  ln_curl.easy_setopt(e, CURLOPT_HTTP_VERSION, versions[o->protocol]);
  /* Wait for a connection under way that may turn out to be HTTP/2. Over plain HTTP libcurl would wait for
   * the end of an exchange with a server of HTTP/1.0. */
  ln_curl.easy_setopt(e, CURLOPT_PIPEWAIT, strncasecmp(o->url, "https:", 6) == 0 ? 1L : 0L);
  ln_curl.easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
  ln_curl.easy_setopt(e, CURLOPT_HEADERDATA, r);
  ln_curl.easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
  ln_curl.easy_setopt(e, CURLOPT_WRITEDATA, r);
  ln_curl.easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  ln_curl.easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_dial);
  ln_curl.easy_setopt(e, CURLOPT_OPENSOCKETDATA, r);
  ln_curl.easy_setopt(e, CURLOPT_PREREQFUNCTION, on_connected);
  ln_curl.easy_setopt(e, CURLOPT_PREREQDATA, r);
  ln_curl.easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
  ln_curl.easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                      (long)(o->connect_ms ? o->connect_ms : 1000L * 3600 * 24));
  ln_curl.easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)o->total_ms);
  /* An empty name: no proxy, whatever the environment says. */
  ln_curl.easy_setopt(e, CURLOPT_PROXY, o->proxy ? o->proxy : "");
  if (o->compressed) ln_curl.easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
  if (o->doh) ln_curl.easy_setopt(e, CURLOPT_DOH_URL, o->doh);
  if (o->ca) ln_curl.easy_setopt(e, CURLOPT_CAINFO, o->ca);
  if (o->cert) ln_curl.easy_setopt(e, CURLOPT_SSLCERT, o->cert);
  if (o->key) ln_curl.easy_setopt(e, CURLOPT_SSLKEY, o->key);
  if (o->pin && ln_curl.easy_setopt(e, CURLOPT_PINNEDPUBLICKEY, o->pin) != CURLE_OK) return LN_E_INVAL;
  if (o->user) ln_curl.easy_setopt(e, CURLOPT_USERNAME, o->user);
  if (o->cookie) ln_curl.easy_setopt(e, CURLOPT_COOKIE, o->cookie);
  if (o->password) ln_curl.easy_setopt(e, CURLOPT_PASSWORD, o->password);
  if (o->jar) {
    ln_curl.easy_setopt(e, CURLOPT_SHARE, o->jar->share);
    ln_curl.easy_setopt(e, CURLOPT_COOKIEFILE, "");
    r->jar = o->jar;
    r->jar->users++;
  }
  if (o->progress) {
    ln_curl.easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
    ln_curl.easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
    ln_curl.easy_setopt(e, CURLOPT_XFERINFODATA, r);
  }
  return LN_OK;
}

/* --- beginning and end --- */

static void let_go(struct ln_http_request *r)
{
  ln_timer_stop(&r->idle);
  if (r->easy) ln_curl.easy_cleanup(r->easy);
  r->easy = NULL;
  ln_curl.slist_free_all(r->headers);
  r->headers = NULL;
  ln_http_jar_release(r->jar);
  r->jar = NULL;
}

int ln_http_start(struct ln_http *h, const struct ln_http_options *o, void (*changed)(void *ctx), void *ctx,
                  struct ln_http_request **out, const char **why)
{
  char scheme[256], host[256];
  int port;
  *why = "not a URL";
  if (ln_http_parse(o->url, scheme, host, sizeof host, &port)) return LN_E_INVAL;
  *why = "only http and https are allowed";
  if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) return LN_E_INVAL;
  *why = host;
  if (!o->allow_private && ln_host_is_private(host)) return LN_E_PERMISSION;
  *why = "out of memory";
  struct ln_http_request *r = ln_calloc(1, sizeof *r);
  if (!r) return LN_E_NOMEM;
  r->http = h;
  r->changed = changed;
  r->ctx = ctx;
  r->allow_private = o->allow_private;
  r->by_proxy = o->proxy != NULL;
  r->streamed = o->streamed;
  r->limit = UINT64_MAX;
  r->idle.fn = on_idle;
  r->idle_us = o->idle_us;
  ln_buf_init(&r->head, LN_HTTP_HEAD_MAX);
  ln_buf_init(&r->in, SIZE_MAX / 2);
  ln_buf_init(&r->out, OUT_MAX);
  int err = (r->easy = ln_curl.easy_init()) ? ln_http_prepare(r, o) : LN_E_NOMEM;
  if (err == LN_E_INVAL) *why = "libcurl refuses an option (a pin has the form \"sha256//BASE64\")";
  if (!err && ln_curl.multi_add_handle(h->multi, r->easy) != CURLM_OK) err = LN_E_NOMEM;
  if (err) {
    let_go(r);
    ln_free(r);
    return err;
  }
  *out = r;
  return LN_OK;
}

/* libcurl has limits of its own for headers, and says so in other words. */
static bool is_header_too_big(const struct ln_http_request *r, CURLcode code)
{
  if (r->head_done || !r->active_at) return false;
  return code == CURLE_OUT_OF_MEMORY ||
         (code == CURLE_RECV_ERROR && strncmp(r->error, "Too large response headers", 26) == 0);
}

static const char *name_of(const struct ln_http_request *r, CURLcode code)
{
  if (r->too_big) return "TOOBIG";
  if (r->private_met) return "PRIVATE";
  if (r->out_failed) return "BODY";
  switch (code) {
  case CURLE_OK: return NULL;
  case CURLE_COULDNT_RESOLVE_HOST: return "DNS";
  case CURLE_COULDNT_CONNECT: return "CONNECT";
  case CURLE_OPERATION_TIMEDOUT: return "TIMEOUT";
  case CURLE_SSL_CONNECT_ERROR: return "TLS";
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
  case CURLE_SSL_ISSUER_ERROR: return "CERTIFICATE";
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CACERT_BADFILE: return "FILE";
  case CURLE_URL_MALFORMAT: return "URL";
  case CURLE_FILESIZE_EXCEEDED: return "TOOBIG";
  case CURLE_COULDNT_RESOLVE_PROXY:
  case CURLE_PROXY: return "PROXY";
  case CURLE_GOT_NOTHING:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
  case CURLE_PARTIAL_FILE:
  case CURLE_SEND_FAIL_REWIND: return "CLOSED";
  case CURLE_OUT_OF_MEMORY: return "NOMEM";
  default: return "PROTOCOL";
  }
}

void ln_http_request_ended(struct ln_http_request *r, CURLcode code)
{
  long version = 0, connects = 0;
  double seconds = 0;
  curl_off_t pretransfer = 0, received = 0, sent = 0;
  char *ip = NULL;
  ln_curl.easy_getinfo(r->easy, CURLINFO_HTTP_VERSION, &version);
  ln_curl.easy_getinfo(r->easy, CURLINFO_NUM_CONNECTS, &connects);
  ln_curl.easy_getinfo(r->easy, CURLINFO_TOTAL_TIME, &seconds);
  ln_curl.easy_getinfo(r->easy, CURLINFO_PRETRANSFER_TIME_T, &pretransfer);
  ln_curl.easy_getinfo(r->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
  ln_curl.easy_getinfo(r->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
  r->progress.received = received;
  r->progress.sent = sent;
  ln_curl.easy_getinfo(r->easy, CURLINFO_PRIMARY_IP, &ip);
  if (ip && *ip) snprintf(r->address, sizeof r->address, "%s", ip);
  r->info.version = version == CURL_HTTP_VERSION_1_0   ? 10
                    : version == CURL_HTTP_VERSION_2_0 ? 20
                    : version == 30                    ? 30
                                                       : 11;
  r->info.reused = connects == 0;
  r->info.seconds = seconds;
  r->unsent = pretransfer == 0;
  if (is_header_too_big(r, code)) r->too_big = true;
  r->failure = name_of(r, code);
  if (r->too_big && !r->head_done)
    snprintf(r->error, sizeof r->error, "its headers are");
  else if (r->too_big)
    snprintf(r->error, sizeof r->error, "more than %" PRIu64 " bytes; maxSize says how many", r->limit);
  if (r->failure && !*r->error) snprintf(r->error, sizeof r->error, "%s", ln_curl.easy_strerror(code));
  r->ended = true;
  r->progress_news = true;
  ln_curl.multi_remove_handle(r->http->multi, r->easy);
  let_go(r);
  r->changed(r->ctx);
}

void ln_http_close(struct ln_http_request *r)
{
  if (!r) return;
  if (r->easy) ln_curl.multi_remove_handle(r->http->multi, r->easy);
  let_go(r);
  ln_buf_deinit(&r->head);
  ln_buf_deinit(&r->in);
  ln_buf_deinit(&r->out);
  ln_free(r);
}

/* --- looking at it --- */

bool ln_http_ended(const struct ln_http_request *r)
{
  return r->ended;
}

const char *ln_http_failure(const struct ln_http_request *r, const char **text, bool *unsent)
{
  *text = r->error;
  *unsent = r->unsent;
  return r->ended ? r->failure : NULL;
}

bool ln_http_has_head(const struct ln_http_request *r)
{
  return r->head_done;
}

struct ln_slice ln_http_head(const struct ln_http_request *r)
{
  return ln_buf_slice(&r->head);
}

void ln_http_get_info(const struct ln_http_request *r, struct ln_http_info *out)
{
  *out = r->info;
  out->address = r->address;
}

/* --- the answer's body --- */

static void go_on(struct ln_http_request *r)
{
  if (!r->easy) return;
  ln_curl.easy_pause(r->easy, (r->recv_paused ? CURLPAUSE_RECV : 0) | (r->send_paused ? CURLPAUSE_SEND : 0));
}

static void receive_on(struct ln_http_request *r)
{
  if (!r->recv_paused) return;
  r->recv_paused = false;
  go_on(r);
}

struct ln_slice ln_http_body(const struct ln_http_request *r)
{
  return ln_buf_slice(&r->in);
}

void ln_http_consume(struct ln_http_request *r, size_t n)
{
  ln_buf_consume(&r->in, n < r->in.len ? n : r->in.len);
  if (r->in.len == 0) ln_buf_trim(&r->in, LN_HTTP_HIGH * 2);
  if (r->in.len <= LN_HTTP_HIGH / 2) receive_on(r);
}

void ln_http_limit(struct ln_http_request *r, uint64_t limit)
{
  r->limit = limit > r->received ? limit : r->received;
}

void ln_http_collect(struct ln_http_request *r, uint64_t limit)
{
  ln_http_limit(r, limit < r->limit ? limit : r->limit);
  r->collecting = true;
  receive_on(r);
}

/* --- the request's body --- */

bool ln_http_wants(const struct ln_http_request *r)
{
  return r->wanted;
}

bool ln_http_has_room(const struct ln_http_request *r)
{
  return r->out.len < LN_HTTP_HIGH;
}

static void send_on(struct ln_http_request *r)
{
  if (!r->send_paused) return;
  r->send_paused = false;
  go_on(r);
}

int ln_http_write(struct ln_http_request *r, struct ln_slice bytes)
{
  if (r->ended || r->out_end || !r->streamed) return LN_E_CLOSED;
  int err = ln_buf_append(&r->out, bytes.p, bytes.n);
  if (!err && bytes.n) send_on(r);
  return err;
}

void ln_http_finish(struct ln_http_request *r, bool ok)
{
  if (r->out_end) return;
  r->out_end = true;
  r->out_failed = !ok;
  send_on(r);
}

bool ln_http_has_progress(const struct ln_http_request *r)
{
  return r->progress_news;
}

bool ln_http_progress(struct ln_http_request *r, struct ln_http_progress *out)
{
  bool news = r->progress_news;
  r->progress_news = false;
  *out = r->progress;
  return news;
}
#else
typedef int ln_http_request_is_not_built;
#endif
