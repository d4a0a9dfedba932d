/* HTTP through libcurl's multi interface on the loop. libcurl is heavy, so it is not linked: it is opened at
 * the first use (http_curl.c); without its headers at build time none of this is there (LN_HAVE_CURL). Made
 * and owned by bind/http.c. What is policy (redirects, proxies, what a body is made of) stands in
 * lua/luna/http. */
#ifndef LN_LOOP_HTTP_H
#define LN_LOOP_HTTP_H

#include "base/buf.h"
#include "loop/loop.h"

struct ln_http;         /* libcurl on one loop: its connections are kept and used again */
struct ln_http_jar;     /* cookies, shared by requests */
struct ln_http_request; /* one exchange: a request and its answer */

/* Opens libcurl. LN_E_NOT_FOUND: *why says what is missing; it stays valid. */
int ln_http_new(struct ln_loop *loop, struct ln_http **out, const char **why);
void ln_http_free(struct ln_http *h); /* every request and jar was closed before */
const char *ln_http_version(void);    /* of the library that was opened */

/* Bytes of an answer's body kept here before the peer is made to wait; the same for what is to be sent. */
#define LN_HTTP_HIGH ((size_t)256 << 10)
#define LN_HTTP_HEAD_MAX ((size_t)256 << 10)

enum ln_http_protocol { LN_HTTP_ANY, LN_HTTP_1_1, LN_HTTP_2, LN_HTTP_2_PRIOR };

struct ln_http_options {
  const char *url, *method;   /* url: http or https, anything else is LN_E_INVAL */
  const char *const *headers; /* "Name: value", NULL at the end */
  struct ln_slice body;       /* has to live as long as the request */
  bool has_body;
  bool streamed;               /* the body comes by ln_http_write */
  int64_t stream_size;         /* its length, or -1 */
  const char *proxy;           /* URL, NULL: none (the environment's are not used) */
  const char *doh;             /* URL of a server of DNS over HTTPS */
  const char *ca, *cert, *key; /* PEM files */
  const char *pin;             /* "sha256//…" of the server's public key */
  const char *user, *password;
  const char *cookie; /* "name=value; …", beside those of the jar */
  enum ln_http_protocol protocol;
  int64_t connect_ms, total_ms; /* 0: no limit */
  int64_t idle_us;    /* so long without a byte, where nobody here is waited for, is a timeout; 0: no limit */
  bool allow_private; /* addresses of this machine and of private networks */
  bool compressed;
  bool progress;
  struct ln_http_jar *jar;
};

/* changed(ctx) says that something below may be different now. It comes from inside of libcurl too: it may
 * note and wake, never call anything of this file. LN_E_INVAL (*why: what is wrong), LN_E_PERMISSION: a
 * private address. */
int ln_http_start(struct ln_http *h, const struct ln_http_options *o, void (*changed)(void *ctx), void *ctx,
                  struct ln_http_request **out, const char **why);
void ln_http_close(struct ln_http_request *r); /* ends it where it runs, and frees it */

bool ln_http_ended(const struct ln_http_request *r);
/* After the end: NULL where all is well, else a short name (DNS, CONNECT, TIMEOUT, TLS, CERTIFICATE, FILE,
 * TOOBIG, CLOSED, PRIVATE, PROXY, BODY, URL, PROTOCOL) and a text; *unsent: it failed before the request was
 * sent. */
const char *ln_http_failure(const struct ln_http_request *r, const char **text, bool *unsent);

bool ln_http_has_head(const struct ln_http_request *r);
struct ln_slice
ln_http_head(const struct ln_http_request *r); /* status line and headers, CRLF, as they came */

struct ln_slice ln_http_body(const struct ln_http_request *r);
void ln_http_consume(struct ln_http_request *r, size_t n);
/* From now on keep all of the body, up to limit bytes (else TOOBIG), and never make the peer wait. */
void ln_http_collect(struct ln_http_request *r, uint64_t limit);
/* The whole body may be no longer than this, whoever reads it. */
void ln_http_limit(struct ln_http_request *r, uint64_t limit);

bool ln_http_wants(
    const struct ln_http_request *r); /* libcurl has asked for the first byte of a streamed body */
bool ln_http_has_room(const struct ln_http_request *r);
int ln_http_write(struct ln_http_request *r,
                  struct ln_slice bytes);                /* LN_E_CLOSED, LN_E_NOMEM, LN_E_TOOBIG */
void ln_http_finish(struct ln_http_request *r, bool ok); /* the body ends; not ok: give up */

struct ln_http_progress {
  int64_t received, receive_total, sent, send_total; /* totals: 0 where unknown */
};
/* True where it is news since the last call. */
bool ln_http_progress(struct ln_http_request *r, struct ln_http_progress *out);
bool ln_http_has_progress(const struct ln_http_request *r);

struct ln_http_info {
  const char *address; /* whom it spoke with */
  int version;         /* 10, 11, 20, 30 */
  bool reused;         /* over a connection of before */
  double seconds;
};
void ln_http_get_info(const struct ln_http_request *r, struct ln_http_info *out);

/* The parts of a URL as libcurl sees them, for any scheme. scheme and host at least 256 bytes. LN_E_INVAL. */
int ln_http_parse(const char *url, char *scheme, char *host, size_t size, int *port);
/* A URL relative to another, in absolute form: ln_http_free_text it. */
int ln_http_resolve(const char *base, const char *url, char **out);
void ln_http_free_text(char *text);

int ln_http_jar_new(struct ln_http *h, struct ln_http_jar **out);
void ln_http_jar_free(struct ln_http_jar *j);
/* Calls each(ctx, line) for every cookie, a line of Netscape's file format. */
int ln_http_jar_list(struct ln_http_jar *j, void (*each)(void *ctx, const char *line), void *ctx);
/* A line of that format, a "Set-Cookie: …" header, or "ALL" (forget all), "SESS", "FLUSH". */
int ln_http_jar_set(struct ln_http_jar *j, const char *line);

/* http_address.c: addresses that a server on the internet does not have: loopback, private, link-local,
 * multicast, and what is mapped onto those. */
struct sockaddr;
bool ln_address_is_private(const struct sockaddr *a);
bool ln_host_is_private(const char *host); /* a literal address, or localhost; false for other names */

#endif
