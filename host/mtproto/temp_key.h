/* Perfect forward secrecy, its rules over time: when a temporary key is due, how long it is used, and what
 * the server's refusals say about it and about the permanent key (P4, P5, T1). Without I/O; a connection
 * owns one, and tells it what happens. https://core.telegram.org/api/pfs */
#ifndef LN_MTPROTO_TEMP_KEY_H
#define LN_MTPROTO_TEMP_KEY_H

#include "mtproto/exchange.h"

#define LN_TEMP_KEY_LIFETIME_S 86400
#define LN_PREVIOUS_KEY_US (60 * LN_US_PER_S) /* M2: how long the one before is still heard */

struct ln_temp_key {
  struct ln_auth_key key;
  uint64_t salt;
  int64_t expires, renew_at; /* µs of `now`; expires 0: there is none */
};

struct ln_temp_keys {
  int32_t lifetime_s;           /* 0: no temporary keys */
  struct ln_temp_key now, next; /* next: made already, to take the place of the other */
  int64_t perm_since;           /* the permanent key was made, or read from the disk */
  unsigned refusals;            /* ENCRYPTED_MESSAGE_INVALID in a row */
  unsigned failures;            /* renewals in a row */
};

enum ln_temp_key_verdict {
  LN_TEMP_KEY_ANEW, /* another temporary key is to be made and bound */
  LN_PERM_KEY_DEAD, /* a person has to log in anew (H) */
};

void ln_temp_keys_deinit(struct ln_temp_keys *t); /* wipes */
void ln_temp_keys_permanent(struct ln_temp_keys *t, int64_t now);
/* The exchange that began at asked_at has made one. It is the present one, or `next` where there is one. */
void ln_temp_keys_made(struct ln_temp_keys *t, const struct ln_exchange_result *made, int64_t asked_at);
/* `next` takes its place, where there is one. */
void ln_temp_keys_turn(struct ln_temp_keys *t);
/* Good for a connection that is made now? */
bool ln_temp_keys_good(const struct ln_temp_keys *t, int64_t now);
/* When it has to be renewed, or has run out where that did not succeed; LN_NEVER. */
int64_t ln_temp_keys_due(const struct ln_temp_keys *t);
void ln_temp_keys_renewal_failed(struct ln_temp_keys *t, int64_t now);
void ln_temp_keys_drop(struct ln_temp_keys *t);
void ln_temp_keys_bound(struct ln_temp_keys *t);
/* The binding was refused with this rpc_error. The temporary keys are gone then. */
enum ln_temp_key_verdict ln_temp_keys_refused(struct ln_temp_keys *t, struct ln_slice text, int64_t now);
/* -404, which nobody vouches for. */
enum ln_temp_key_verdict ln_temp_keys_not_found(struct ln_temp_keys *t);

#endif
