/* msg_container: taken apart completely, and checked (M12), before anyone acts on a part of it; and put
 * together by the senders with ln_container_*. https://core.telegram.org/mtproto/service_messages#containers
 */
#ifndef LN_MTPROTO_CONTAINER_H
#define LN_MTPROTO_CONTAINER_H

#include "base/err.h"
#include "base/slice.h"

#define LN_CONTAINER_MAX 1020                    /* messages that we put into one */
#define LN_CONTAINER_MAX_IN 1024                 /* and accept */
#define LN_CONTAINER_MAX_BYTES ((size_t)1044448) /* of a container that we make */
#define LN_CONTAINER_HEAD 8                      /* constructor, count */
#define LN_MESSAGE_HEAD 16                       /* msg_id, seqno, length */

struct ln_message {
  uint64_t msg_id;
  uint32_t seqno;
  struct ln_slice body; /* borrowed; starts with a constructor */
};

/* body starts with the constructor of msg_container; outer: its msg_id. Fills out (LN_CONTAINER_MAX_IN
 * entries) and *n. LN_E_PROTOCOL: the whole frame is to be refused. */
int ln_container_parse(struct ln_slice body, uint64_t outer, struct ln_message *out, size_t *n);

/* The head of a container of n messages (8 bytes), and of one message in it (16). */
void ln_container_head(uint8_t *to, uint32_t n);
void ln_message_head(uint8_t *to, uint64_t msg_id, uint32_t seqno, size_t len);

#endif
