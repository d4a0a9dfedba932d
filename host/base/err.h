/* The one list of errors: the enum, the text and the name that Lua sees all come from LN_ERRORS.
 * C functions return 0 (LN_OK) or one of the negative codes; results travel through out-parameters. */
#ifndef LN_BASE_ERR_H
#define LN_BASE_ERR_H

/* X(NAME, number, text). Numbers are stable within a release only. */
#define LN_ERRORS(X)                                       \
  X(NOMEM, 1, "out of memory")                             \
  X(AGAIN, 2, "more bytes are needed")                     \
  X(INVAL, 3, "invalid argument")                          \
  X(TOOBIG, 4, "larger than allowed")                      \
  X(TRUNCATED, 5, "truncated data")                        \
  X(TRAILING, 6, "bytes left over after the object")       \
  X(DEPTH, 7, "nested too deeply")                         \
  X(UNKNOWN_ID, 8, "unknown constructor")                  \
  X(BAD_TYPE, 9, "a constructor of another type")          \
  X(BAD_VALUE, 10, "a value out of its range")             \
  X(CRYPTO, 11, "the crypto library failed")               \
  X(BAD_KEY, 12, "not a usable key")                       \
  X(FRAME, 13, "broken transport frame")                   \
  X(DECRYPT, 14, "the message did not verify")             \
  X(PROTOCOL, 15, "the peer broke the protocol")           \
  X(DISCARD, 16, "message discarded")                      \
  X(HANDSHAKE, 17, "key exchange failed")                  \
  X(NO_KEY, 18, "the server offers no key that is pinned") \
  X(CLOSED, 19, "closed")                                  \
  X(IO, 20, "input or output failed")                      \
  X(TIMEOUT, 21, "timed out")                              \
  X(BUSY, 22, "in use by another process")                 \
  X(CORRUPT, 23, "the file is damaged")                    \
  X(PERMISSION, 24, "not permitted")                       \
  X(NOT_FOUND, 25, "not found")                            \
  X(CANCELLED, 26, "cancelled")                            \
  X(NEW_SESSION, 27, "the session has to be renewed")      \
  X(RECONNECT, 28, "the connection has to be renewed")     \
  X(LAYER, 29, "not in this layer")                        \
  X(FULL, 30, "a queue is full")                           \
  X(DNS, 31, "the name could not be resolved")             \
  X(CONNECT, 32, "nothing answers there")                  \
  X(HALT, 33, "stopped: it needs a person")                \
  X(RESET, 34, "the connection was reset by the peer")

enum ln_err {
  LN_OK = 0,
#define LN_ERR_ENUM(name, number, text) LN_E_##name = -(number),
  LN_ERRORS(LN_ERR_ENUM)
#undef LN_ERR_ENUM
};

/* The text of a code ("truncated data"); never NULL. */
const char *ln_err_text(int err);
/* The name of a code ("TRUNCATED"); never NULL. */
const char *ln_err_name(int err);

#endif
