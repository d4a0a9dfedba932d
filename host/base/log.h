/* The one sink of the host's log. Levels are MadelineProto's. Lines go to stderr until a sink is set (the Lua
 * logger sets one). Secrets handed to ln_log_secret are masked in every line, whoever writes it. */
#ifndef LN_BASE_LOG_H
#define LN_BASE_LOG_H

#include "base/slice.h"

enum ln_log_level {
  LN_LOG_FATAL_ERROR = 0,
  LN_LOG_ERROR = 1,
  LN_LOG_WARNING = 2,
  LN_LOG_NOTICE = 3,
  LN_LOG_VERBOSE = 4,
  LN_LOG_ULTRA_VERBOSE = 5,
};

typedef void (*ln_log_sink)(void *ctx, enum ln_log_level level, const char *room, const char *line);

/* Lines above this level are dropped before they are formatted. Default LN_LOG_NOTICE. */
void ln_log_set_level(enum ln_log_level level);
enum ln_log_level ln_log_get_level(void);
void ln_log_set_sink(ln_log_sink sink, void *ctx); /* NULL: stderr */
bool ln_log_wants(enum ln_log_level level);

/* room is the folder's name ("mtproto"). One line, no newline at the end. Any thread. */
void ln_log(enum ln_log_level level, const char *room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* From now on this text (8 bytes or more) shows as "***" in every line. Up to 64 texts of up to 512 bytes,
 * the oldest leaves first. */
void ln_log_secret(struct ln_slice text);
/* Masks the registered secrets in a NUL-terminated line, in place. */
void ln_log_redact(char *line);

#endif
