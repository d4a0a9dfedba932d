/* See log.h. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#define MAX_SECRETS 64
#define MAX_SECRET_LEN 512
#define LINE_MAX_BYTES 4096

static struct {
  pthread_mutex_t lock;
  atomic_int level; /* read by every thread that logs */
  ln_log_sink sink;
  void *ctx;
  char secrets[MAX_SECRETS][MAX_SECRET_LEN + 1];
  size_t n_secrets, next;
} g = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LN_LOG_NOTICE};

void ln_log_set_level(enum ln_log_level level)
{
  g.level = level;
}

enum ln_log_level ln_log_get_level(void)
{
  return (enum ln_log_level)atomic_load_explicit(&g.level, memory_order_relaxed);
}

void ln_log_set_sink(ln_log_sink sink, void *ctx)
{
  pthread_mutex_lock(&g.lock);
  g.sink = sink;
  g.ctx = ctx;
  pthread_mutex_unlock(&g.lock);
}

bool ln_log_wants(enum ln_log_level level)
{
  return level <= ln_log_get_level();
}

void ln_log_secret(struct ln_slice text)
{
  if (text.n < 8 || text.n > MAX_SECRET_LEN || memchr(text.p, 0, text.n)) return;
  pthread_mutex_lock(&g.lock);
  for (size_t i = 0; i < g.n_secrets; i++)
    if (strlen(g.secrets[i]) == text.n && memcmp(g.secrets[i], text.p, text.n) == 0) goto done;
  memcpy(g.secrets[g.next], text.p, text.n);
  g.secrets[g.next][text.n] = 0;
  g.next = (g.next + 1) % MAX_SECRETS;
  if (g.n_secrets < MAX_SECRETS) g.n_secrets++;
done:
  pthread_mutex_unlock(&g.lock);
}

static void redact_locked(char *line)
{
  for (size_t i = 0; i < g.n_secrets; i++) {
    size_t n = strlen(g.secrets[i]);
    for (char *at = strstr(line, g.secrets[i]); at; at = strstr(at + 3, g.secrets[i])) {
      memcpy(at, "***", 3);
      memmove(at + 3, at + n, strlen(at + n) + 1);
    }
  }
}

void ln_log_redact(char *line)
{
  pthread_mutex_lock(&g.lock);
  redact_locked(line);
  pthread_mutex_unlock(&g.lock);
}

void ln_log(enum ln_log_level level, const char *room, const char *format, ...)
{
  char line[LINE_MAX_BYTES];
  va_list args;
  if (!ln_log_wants(level)) return;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  pthread_mutex_lock(&g.lock);
  redact_locked(line);
  ln_log_sink sink = g.sink;
  void *ctx = g.ctx;
  pthread_mutex_unlock(&g.lock);
  if (sink)
    sink(ctx, level, room, line);
  else
    fprintf(stderr, "luna: %s: %s\n", room, line);
}
