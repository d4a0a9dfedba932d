/* Inside loop/: libcurl as a table of functions, filled by dlopen. Who includes this sees curl.h. */
#ifndef LN_LOOP_HTTP_CURL_H
#define LN_LOOP_HTTP_CURL_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include <locale.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#include "loop/http.h"
#include "loop/poll.h"
#include "loop/timer.h"

#define LN_CURL_FUNCTIONS(X) \
  X(global_init)             \
  X(version_info)            \
  X(free)                    \
  X(easy_init)               \
  X(easy_cleanup)            \
  X(easy_setopt)             \
  X(easy_getinfo)            \
  X(easy_pause)              \
  X(easy_strerror)           \
  X(slist_append)            \
  X(slist_free_all)          \
  X(multi_init)              \
  X(multi_cleanup)           \
  X(multi_setopt)            \
  X(multi_add_handle)        \
  X(multi_remove_handle)     \
  X(multi_socket_action)     \
  X(multi_assign)            \
  X(multi_info_read)         \
  X(share_init)              \
  X(share_setopt)            \
  X(share_cleanup)           \
  X(url)                     \
  X(url_cleanup)             \
  X(url_set)                 \
  X(url_get)

struct ln_curl {
#define LN_CURL_MEMBER(name) __typeof__(&curl_##name) name;
  LN_CURL_FUNCTIONS(LN_CURL_MEMBER)
#undef LN_CURL_MEMBER
};

/* The table; valid after ln_curl_open. */
extern struct ln_curl ln_curl;
int ln_curl_open(const char **why);

struct ln_http {
  struct ln_loop *loop;
  CURLM *multi;
  struct ln_timer timer;
  struct ln_http_watch *watches;
  locale_t utf8; /* libcurl reads names of hosts in the locale's charset; 0 where there is no such locale */
};

struct ln_http_jar {
  CURLSH *share;
  int users; /* the jar's owner and the requests that use it */
};

struct ln_http_request {
  struct ln_http *http;
  CURL *easy; /* NULL once it has ended */
  struct curl_slist *headers;
  struct ln_http_jar *jar;
  void (*changed)(void *ctx);
  void *ctx;
  struct ln_buf head, in, out;
  uint64_t received, limit;
  bool head_done, collecting, recv_paused, send_paused, wanted, out_end, out_failed, streamed;
  bool allow_private, by_proxy, private_met, too_big;
  bool ended, unsent;
  const char *failure;
  char error[CURL_ERROR_SIZE];
  struct ln_timer idle;
  int64_t idle_us, active_at; /* when a byte last came or went; 0: not connected yet */
  int64_t uploaded;           /* what had been sent when `idle` last looked */
  struct ln_http_progress progress;
  int64_t progress_at;
  bool progress_news;
  char address[64];
  struct ln_http_info info;
};

/* http_request.c: options onto the easy handle. */
int ln_http_prepare(struct ln_http_request *r, const struct ln_http_options *o);
void ln_http_request_ended(struct ln_http_request *r, CURLcode code);
void ln_http_jar_release(struct ln_http_jar *j);

#endif
