/* msg_id: made (strictly increasing, with random low bits, M22) and judged (M6, M8). An id is unix time times
 * 2^32; its lowest two bits say who sent it.
 * https://core.telegram.org/mtproto/description#message-identifier-msg-id */
#ifndef LN_MTPROTO_MSGID_H
#define LN_MTPROTO_MSGID_H

#include "base/err.h"
#include "base/slice.h"

enum ln_msgid_kind {
  LN_MSGID_CLIENT = 0,
  LN_MSGID_RESPONSE = 1,     /* server, in answer to a client's message */
  LN_MSGID_NOTIFICATION = 3, /* server, of its own accord */
};

struct ln_msgid {
  uint64_t last; /* 0: none yet */
};

/* The next id at unix_us (server's time, µs since 1970); stays increasing where the clock steps back.
 * random: any 32 random bits. */
uint64_t ln_msgid_next(struct ln_msgid *m, int64_t unix_us, enum ln_msgid_kind kind, uint32_t random);
/* The time inside an id, µs since 1970. */
int64_t ln_msgid_time(uint64_t id);
/* Not more than 300 s older and 30 s newer than unix_us. */
bool ln_msgid_in_time(uint64_t id, int64_t unix_us);

#endif
