/* The server's session, spoken to by hand: as clients do that are not ours. Each case builds one payload of a
 * client and looks at what comes back. */
#include "mtproto/gzip.h"

#include "sessions.h"

struct reply {
  uint64_t msg_id;
  uint32_t seqno, id;
  uint8_t body[2048];
  size_t n;
};

static struct {
  struct pair *p;
  struct ln_msgid msgid;
  uint32_t content;
  uint64_t salt, session_id;
  struct reply replies[256];
  size_t n;
} t;

static int set_up(void **state)
{
  (void)state;
  memset(&t, 0, sizeof t);
  t.p = pair_open(5);
  t.salt = t.p->salt;
  t.session_id = 77;
  /* The server's end of the wire learns its framing from a first payload. */
  static const uint8_t any[40];
  wire_write(&t.p->w.client, ln_slice(any, sizeof any));
  pair_frames(&t.p->w.client, &t.p->w.server, &t.p->to_server);
  link_clear(&t.p->to_server);
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  pair_close(t.p);
  return 0;
}

static uint64_t new_id(void)
{
  return ln_msgid_next(&t.msgid, t.p->wall, LN_MSGID_CLIENT, 0);
}

static uint32_t new_seqno(bool content)
{
  uint32_t seqno = 2 * t.content + content;
  t.content += content;
  return seqno;
}

/* What the server has to say goes into t.replies. */
static void hear(void)
{
  struct ln_plain plain;
  static struct ln_message m[LN_CONTAINER_MAX_IN];
  t.n = 0;
  if (!t.p->server) return;
  while (ln_server_session_pending(t.p->server)) {
    assert_int_equal(ln_server_session_flush(t.p->server, t.p->w.server.frame, &t.p->w.server.out, t.p->wall),
                     LN_OK);
    pair_frames(&t.p->w.server, &t.p->w.client, &t.p->to_client);
  }
  while (t.p->to_client.n) {
    struct packet k = link_take(&t.p->to_client, 0);
    size_t n = 1;
    assert_int_equal(ln_envelope_open(&t.p->key, LN_TO_CLIENT, k.p, k.n, &plain), LN_OK);
    assert_int_equal(plain.session_id, t.session_id);
    m[0] = (struct ln_message){plain.msg_id, plain.seqno, plain.body};
    if (ln_le32(plain.body.p) == LN_ID_msg_container) {
      assert_int_equal(plain.seqno % 2, 0);
      assert_int_equal(ln_container_parse(plain.body, plain.msg_id, m, &n), LN_OK);
    }
    for (size_t i = 0; i < n; i++) {
      assert_true(t.n < 256);
      struct reply *r = &t.replies[t.n++];
      *r = (struct reply){
          .msg_id = m[i].msg_id, .seqno = m[i].seqno, .id = ln_le32(m[i].body.p), .n = m[i].body.n};
      memcpy(r->body, m[i].body.p, r->n < sizeof r->body ? r->n : sizeof r->body);
      assert_true(m[i].msg_id & 1);
    }
    free(k.p);
  }
}

/* One message of a client; the replies are in t.replies. */
static void say_as(uint64_t msg_id, uint32_t seqno, struct ln_slice body)
{
  struct ln_plain plain = {t.salt, t.session_id, msg_id, seqno, body};
  assert_int_equal(pair_server_gets(t.p, pair_seal(t.p, LN_TO_SERVER, &plain)), LN_OK);
  hear();
}

static uint64_t say(bool content, const uint32_t *words, size_t n)
{
  uint64_t id = new_id();
  say_as(id, new_seqno(content), ln_slice(words, n * 4));
  return id;
}

#define SAY(content, ...) \
  say(content, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static const struct reply *find(uint32_t id)
{
  for (size_t i = 0; i < t.n; i++)
    if (t.replies[i].id == id) return &t.replies[i];
  return NULL;
}

static const struct reply *only(uint32_t id)
{
  const struct reply *r = find(id);
  if (!r) fail_msg("%08x did not come", id);
  assert_int_equal(t.n, 1);
  return r;
}

static void ack(uint64_t id)
{
  SAY(false, LN_ID_msgs_ack, LN_TL_VECTOR, 1, LO(id), HI(id));
}

/* The first message, after which nothing is due. */
static void greet(void)
{
  SAY(true, PAIR_ECHO, 1);
  assert_int_equal(t.n, 2);
  uint64_t created = find(LN_ID_new_session_created)->msg_id, answer = find(LN_ID_rpc_result)->msg_id;
  ack(created);
  ack(answer);
}

static void the_first_message_makes_a_session(void **state)
{
  (void)state;
  uint64_t id = SAY(true, PAIR_ECHO, 1);
  assert_int_equal(t.n, 2);
  const struct reply *r = find(LN_ID_new_session_created);
  assert_non_null(r);
  assert_int_equal(ln_le64(r->body + 4), id);
  assert_int_equal(r->seqno % 2, 1);
  assert_int_equal(r->msg_id & 3, 3);
  uint64_t unique = ln_le64(r->body + 12);
  r = find(LN_ID_rpc_result);
  assert_int_equal(ln_le64(r->body + 4), id);
  assert_int_equal(r->seqno % 2, 1);
  assert_int_equal(r->msg_id & 3, 1);
  id = SAY(true, PAIR_ECHO, 2);
  assert_int_equal(ln_le64(only(LN_ID_rpc_result)->body + 4), id);
  ln_server_session_forget(t.p->server);
  id = SAY(true, PAIR_ECHO, 3);
  r = find(LN_ID_new_session_created);
  assert_non_null(r);
  assert_int_equal(ln_le64(r->body + 4), id);
  assert_int_not_equal(ln_le64(r->body + 12), unique);
}

static void errors_are_rpc_errors(void **state)
{
  (void)state;
  greet();
  SAY(true, PAIR_FAIL, 1);
  const struct reply *r = only(LN_ID_rpc_result);
  assert_int_equal(ln_le32(r->body + 12), LN_ID_rpc_error);
  assert_int_equal(ln_le32(r->body + 16), 400);
  assert_memory_equal(r->body + 20,
                      "\x06"
                      "FAILED\0",
                      8);
}

static void pings_get_pongs(void **state)
{
  (void)state;
  greet();
  uint64_t id = SAY(false, LN_ID_ping, 1, 2);
  const struct reply *r = only(LN_ID_pong);
  assert_int_equal(ln_le64(r->body + 4), id);
  assert_int_equal(ln_le64(r->body + 12), UINT64_C(0x200000001));
  assert_int_equal(r->seqno % 2, 0);
  assert_int_equal(r->msg_id & 3, 1);
  id = SAY(true, LN_ID_ping, 3, 4); /* Telethon's count as content */
  assert_non_null(find(LN_ID_pong));
  assert_int_equal(ln_le64(find(LN_ID_pong)->body + 4), id);
}

static void a_client_that_falls_silent_is_let_go(void **state)
{
  (void)state;
  greet();
  SAY(false, LN_ID_ping_delay_disconnect, 1, 2, 75);
  only(LN_ID_pong);
  assert_true(ln_server_session_deadline(t.p->server) <= t.p->wall + 75 * LN_US_PER_S);
  ln_server_session_tick(t.p->server, t.p->wall += 60 * LN_US_PER_S);
  SAY(false, LN_ID_ping_delay_disconnect, 1, 2, 75);
  ln_server_session_tick(t.p->server, t.p->wall += 74 * LN_US_PER_S);
  assert_int_equal(t.p->n_closed, 0);
  ln_server_session_tick(t.p->server, t.p->wall += 2 * LN_US_PER_S);
  assert_int_equal(t.p->n_closed, 1);
}

static void salts_are_many_and_staggered(void **state)
{
  (void)state;
  greet();
  uint64_t id = SAY(false, LN_ID_get_future_salts, 64);
  const struct reply *r = only(LN_ID_future_salts);
  assert_int_equal(ln_le64(r->body + 4), id);
  assert_int_equal(ln_le32(r->body + 12), t.p->wall / LN_US_PER_S);
  assert_int_equal(ln_le32(r->body + 16), 64);
  for (int i = 0; i < 64; i++) {
    const uint8_t *s = r->body + 20 + 16 * i;
    assert_int_equal(ln_le32(s + 4) - ln_le32(s), 3600);
    if (i) assert_int_equal(ln_le32(s) - ln_le32(s - 16), 1800);
    if (i) assert_int_not_equal(ln_le64(s + 8), ln_le64(s - 8));
  }
  assert_true(ln_le32(r->body + 20) <= t.p->wall / LN_US_PER_S);
  /* and each of them is good at its time */
  uint8_t salts[1024];
  memcpy(salts, r->body + 20, sizeof salts);
  for (int i = 0; i < 64; i++) {
    t.p->wall = (int64_t)ln_le32(salts + 16 * i) * LN_US_PER_S + 5;
    if (t.p->wall < PAIR_EPOCH) t.p->wall = PAIR_EPOCH;
    t.salt = ln_le64(salts + 16 * i + 8);
    SAY(true, PAIR_ECHO, 5);
    assert_non_null(find(LN_ID_rpc_result));
    assert_null(find(LN_ID_bad_server_salt));
  }
  SAY(false, LN_ID_get_future_salts, 0xffffffff);
  assert_int_equal(ln_le32(find(LN_ID_future_salts)->body + 16), 1);
  SAY(false, LN_ID_get_future_salts, 1000000);
  assert_int_equal(ln_le32(find(LN_ID_future_salts)->body + 16), 64);
}

static void a_wrong_salt_names_the_right_one(void **state)
{
  (void)state;
  t.salt ^= 1;
  uint64_t id = new_id();
  say_as(id, 1, ln_slice((const uint32_t[]){PAIR_ECHO, 1}, 8));
  const struct reply *r = only(LN_ID_bad_server_salt); /* no session is made for it */
  assert_int_equal(ln_le64(r->body + 4), id);
  assert_int_equal(ln_le32(r->body + 12), 1);
  assert_int_equal(ln_le32(r->body + 16), 48);
  t.salt = ln_le64(r->body + 20);
  assert_int_equal(t.p->n_requests, 0);
  SAY(true, PAIR_ECHO, 1);
  assert_non_null(find(LN_ID_rpc_result));
  /* the exchange's salt is over after an hour, a half hour's after one and a half */
  t.salt = t.p->salt;
  t.p->wall += 3700 * LN_US_PER_S;
  SAY(true, PAIR_ECHO, 1);
  assert_non_null(find(LN_ID_bad_server_salt));
}

static uint32_t complaint(void)
{
  return ln_le32(only(LN_ID_bad_msg_notification)->body + 16);
}

static void wrong_clocks_are_told(void **state)
{
  (void)state;
  const struct {
    int64_t off_s;
    uint32_t code;
  } cases[] = {{-301, 16}, {-299, 0}, {31, 17}, {29, 0}, {-86400, 16}, {86400, 17}};
  greet();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct ln_msgid m = {0};
    uint64_t id = ln_msgid_next(&m, t.p->wall + cases[i].off_s * LN_US_PER_S, LN_MSGID_CLIENT, 0);
    say_as(id, 2 * t.content + 1, ln_slice((const uint32_t[]){PAIR_ECHO, 1}, 8));
    if (cases[i].code)
      assert_int_equal(complaint(), cases[i].code);
    else
      only(LN_ID_rpc_result);
  }
}

static void wrong_numbers_are_told(void **state)
{
  (void)state;
  const struct ln_slice echo = {(const uint8_t *)(const uint32_t[]){PAIR_ECHO, 1}, 8};
  const struct ln_slice acks = {(const uint8_t *)(const uint32_t[]){LN_ID_msgs_ack, LN_TL_VECTOR, 0}, 12};
  greet();
  say_as(new_id() + 1, 3, echo);
  assert_int_equal(complaint(), 18);
  const struct ln_slice box = {(const uint8_t *)(const uint32_t[]){LN_ID_msg_container, 0}, 8};
  say_as(new_id(), 5, box);
  assert_int_equal(complaint(), 34);
  say_as(new_id(), 5,
         acks); /* a known client counts its acks; a complaint would make it reset its session for ever */
  for (size_t i = 0; i < t.n; i++) assert_int_equal(t.replies[i].id, LN_ID_msgs_ack);
  say_as(new_id(), 4, echo);
  assert_int_equal(complaint(), 35);
  uint64_t between = new_id();
  say_as(new_id(), 1001, echo); /* a jump ahead is nobody's harm */
  only(LN_ID_rpc_result);
  say_as(new_id(), 1, echo);
  assert_int_equal(complaint(), 32);
  say_as(between, 5001, echo);
  assert_int_equal(complaint(), 33);
  say_as(new_id(), 981, echo); /* a little back is a client with threads */
  only(LN_ID_rpc_result);
  const uint32_t broken[] = {LN_ID_msg_container, 5, 1, 2, 3};
  say_as(new_id(), 1002, ln_slice(broken, sizeof broken));
  assert_int_equal(complaint(), 64);
  assert_int_equal(t.p->n_requests, 3);
}

static void what_comes_twice_runs_once(void **state)
{
  (void)state;
  const struct ln_slice echo = {(const uint8_t *)(const uint32_t[]){PAIR_ECHO, 9}, 8};
  const struct ln_slice hold = {(const uint8_t *)(const uint32_t[]){PAIR_HOLD, 9}, 8};
  greet();
  uint64_t id = new_id(), answer;
  say_as(id, 3, echo);
  answer = only(LN_ID_rpc_result)->msg_id;
  say_as(id, 3, echo); /* gotd, whose answer got lost */
  assert_int_equal(only(LN_ID_rpc_result)->msg_id, answer);
  assert_int_equal(t.p->n_requests, 2);
  t.content = 2;
  ack(answer);
  say_as(id, 3, echo);
  assert_null(find(LN_ID_rpc_result)); /* it was received: the copy is late */
  id = new_id();
  say_as(id, 5, hold);
  say_as(id, 5, hold);
  assert_int_equal(t.p->n_requests, 3);
  pair_answer(t.p, id, 9);
  hear();
  assert_non_null(find(LN_ID_rpc_result));
  assert_int_equal(ln_server_session_result(t.p->server, id, echo), LN_E_NOT_FOUND);
  assert_int_equal(ln_server_session_result(t.p->server, 12345, echo), LN_E_NOT_FOUND);
}

static void a_slow_request_is_acknowledged(void **state)
{
  (void)state;
  greet();
  uint64_t id = SAY(true, PAIR_HOLD, 1);
  assert_int_equal(t.n, 0);
  t.p->wall += 1100000;
  ln_server_session_tick(t.p->server, t.p->wall);
  hear();
  const struct reply *r = only(LN_ID_msgs_ack);
  assert_int_equal(ln_le64(r->body + 12), id);
  assert_int_equal(r->seqno % 2, 0);
  /* where its answer comes before the ack has left, that says it, and no ack does */
  id = SAY(true, PAIR_HOLD, 2);
  t.p->wall += 1100000;
  ln_server_session_tick(t.p->server, t.p->wall);
  pair_answer(t.p, id, 2);
  hear();
  only(LN_ID_rpc_result);
}

static void state_is_told(void **state)
{
  (void)state;
  greet();
  uint64_t running = SAY(true, PAIR_HOLD, 1), answered = SAY(true, PAIR_ECHO, 2),
           done = SAY(true, PAIR_ECHO, 3);
  uint64_t between = new_id(); /* never arrives */
  ack(find(LN_ID_rpc_result)->msg_id);
  uint64_t late = new_id() + ((uint64_t)1 << 32);
  const uint64_t ids[] = {running, answered, done, between, late};
  uint32_t b[3 + 10] = {LN_ID_msgs_state_req, LN_TL_VECTOR, 5};
  for (int i = 0; i < 5; i++) {
    b[3 + 2 * i] = LO(ids[i]);
    b[4 + 2 * i] = HI(ids[i]);
  }
  uint64_t id = say(true, b, 13);
  const struct reply *r = find(LN_ID_msgs_state_info);
  assert_non_null(r);
  assert_int_equal(ln_le64(r->body + 4), id);
  const uint8_t expected[] = {5, 4 | 32, 4 | 64, 4, 2, 3};
  assert_memory_equal(r->body + 12, expected, sizeof expected);
  assert_int_equal(ln_le64(find(LN_ID_rpc_result)->body + 4), answered); /* who asks has not got it */
}

static void answers_are_dropped(void **state)
{
  (void)state;
  greet();
  uint64_t running = SAY(true, PAIR_HOLD, 1), answered = SAY(true, PAIR_ECHO, 2);
  uint64_t answer = find(LN_ID_rpc_result)->msg_id;
  uint64_t id = SAY(true, LN_ID_rpc_drop_answer, LO(running), HI(running));
  assert_int_equal(ln_le64(find(LN_ID_rpc_result)->body + 4), id);
  assert_int_equal(ln_le32(find(LN_ID_rpc_result)->body + 12), LN_ID_rpc_answer_dropped_running);
  assert_int_equal(t.p->n_dropped, 1);
  pair_answer(t.p, running, 1);
  hear();
  assert_null(find(LN_ID_rpc_result));
  SAY(true, LN_ID_rpc_drop_answer, LO(answered), HI(answered));
  assert_int_equal(ln_le32(find(LN_ID_rpc_result)->body + 12), LN_ID_rpc_answer_dropped);
  assert_int_equal(ln_le64(find(LN_ID_rpc_result)->body + 16), answer);
  SAY(true, LN_ID_rpc_drop_answer, 1, 2);
  assert_int_equal(ln_le32(find(LN_ID_rpc_result)->body + 12), LN_ID_rpc_answer_unknown);
}

static void unacknowledged_messages_come_again_under_their_ids(void **state)
{
  (void)state;
  greet();
  SAY(true, PAIR_ECHO, 2);
  uint64_t answer = find(LN_ID_rpc_result)->msg_id, update = pair_push(t.p, 5);
  hear();
  assert_int_equal(only(PAIR_UPDATE)->msg_id, update);
  uint32_t seqno = t.replies[0].seqno;
  ln_server_session_disconnected(t.p->server);
  assert_false(ln_server_session_pending(t.p->server));
  uint64_t later = pair_push(t.p, 6);
  assert_false(ln_server_session_pending(t.p->server));
  ln_server_session_connected(t.p->server);
  hear();
  assert_int_equal(find(LN_ID_rpc_result)->msg_id, answer);
  assert_int_equal(find(PAIR_UPDATE)->msg_id, update);
  assert_int_equal(find(PAIR_UPDATE)->seqno, seqno);
  ack(update);
  ack(update); /* once is enough for the owner */
  ack(later);
  ack(answer);
  assert_int_equal(t.p->n_acked, 2);
  assert_int_equal(t.p->acked_pushes[0], update);
  ln_server_session_disconnected(t.p->server);
  ln_server_session_connected(t.p->server);
  hear();
  assert_null(find(LN_ID_rpc_result));
  assert_null(find(PAIR_UPDATE));
}

static void pushes_that_nobody_acknowledges_do_not_pile_up(void **state)
{
  (void)state;
  greet();
  for (uint32_t i = 0; i < 3000; i++) {
    pair_push(t.p, i);
    if (i % 100 == 0) hear();
  }
  hear();
  ln_server_session_disconnected(t.p->server);
  ln_server_session_connected(t.p->server);
  pair_frames(&t.p->w.server, &t.p->w.client, &t.p->to_client);
  size_t pushes = 0;
  static struct ln_message m[LN_CONTAINER_MAX_IN];
  while (ln_server_session_pending(t.p->server)) {
    assert_int_equal(ln_server_session_flush(t.p->server, t.p->w.server.frame, &t.p->w.server.out, t.p->wall),
                     LN_OK);
    pair_frames(&t.p->w.server, &t.p->w.client, &t.p->to_client);
  }
  while (t.p->to_client.n) {
    struct packet k = link_take(&t.p->to_client, 0);
    struct ln_plain plain;
    size_t n;
    assert_int_equal(ln_envelope_open(&t.p->key, LN_TO_CLIENT, k.p, k.n, &plain), LN_OK);
    assert_int_equal(ln_container_parse(plain.body, plain.msg_id, m, &n), LN_OK);
    for (size_t i = 0; i < n; i++) pushes += ln_le32(m[i].body.p) == PAIR_UPDATE;
    free(k.p);
  }
  assert_int_equal(pushes, 1024);
}

static void a_message_is_sent_again_on_request(void **state)
{
  (void)state;
  greet();
  SAY(true, PAIR_ECHO, 2);
  uint64_t answer = find(LN_ID_rpc_result)->msg_id;
  SAY(true, LN_ID_msg_resend_req, LN_TL_VECTOR, 2, LO(answer), HI(answer), 1, 2);
  assert_int_equal(find(LN_ID_rpc_result)->msg_id, answer);
}

static void packed_requests_are_unpacked(void **state)
{
  (void)state;
  greet();
  static uint8_t plain[4096];
  struct ln_gzip *z;
  struct ln_buf out;
  ln_put_le32(plain, PAIR_ECHO);
  ln_put_le32(plain + 4, 55);
  ln_buf_init(&out, 8192);
  assert_int_equal(ln_gzip_new(&z), LN_OK);
  assert_int_equal(ln_gzip_pack(z, ln_slice(plain, sizeof plain), &out), LN_OK);
  say_as(new_id(), new_seqno(true), ln_buf_slice(&out));
  assert_int_equal(ln_le32(only(LN_ID_rpc_result)->body + 16), 55);
  /* packed twice is not */
  struct ln_buf twice;
  ln_buf_init(&twice, 8192);
  ln_buf_clear(&out);
  memset(plain, 0, sizeof plain);
  ln_put_le32(plain, LN_ID_gzip_packed);
  assert_int_equal(ln_gzip_pack(z, ln_slice(plain, sizeof plain), &out), LN_OK);
  say_as(new_id(), new_seqno(true), ln_buf_slice(&out));
  assert_int_equal(ln_le32(find(LN_ID_rpc_result)->body + 12), LN_ID_rpc_error);
  assert_int_equal(t.p->n_requests, 2);
  ln_buf_deinit(&out);
  ln_buf_deinit(&twice);
  ln_gzip_free(z);
}

static void service_messages_never_become_errors(void **state)
{
  (void)state;
  const uint32_t ids[] = {LN_ID_msgs_ack,
                          LN_ID_ping,
                          LN_ID_ping_delay_disconnect,
                          LN_ID_get_future_salts,
                          LN_ID_msgs_state_req,
                          LN_ID_msg_resend_req,
                          LN_ID_rpc_drop_answer,
                          LN_ID_destroy_session,
                          LN_ID_msgs_state_info,
                          LN_ID_msgs_all_info,
                          LN_ID_http_wait};
  greet();
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
    for (size_t n = 1; n < 6; n++) { /* right, too short, too long */
      uint32_t b[6] = {ids[i], LN_TL_VECTOR, 1, 2, 3, 4};
      say(false, b, n);
      const struct reply *r = find(LN_ID_rpc_result);
      if (r) assert_int_not_equal(ln_le32(r->body + 12), LN_ID_rpc_error);
    }
  assert_int_equal(t.p->n_requests, 1);
  SAY(true, PAIR_ECHO, 3); /* and the session goes on */
  assert_non_null(find(LN_ID_rpc_result));
}

static void sessions_are_destroyed(void **state)
{
  (void)state;
  greet();
  SAY(true, LN_ID_destroy_session, 1, 2);
  assert_int_equal(ln_le64(find(LN_ID_destroy_session_none)->body + 4), UINT64_C(0x200000001));
  SAY(true, LN_ID_destroy_session, LO(t.session_id), HI(t.session_id));
  assert_non_null(find(LN_ID_destroy_session_ok));
  ln_server_session_tick(t.p->server, t.p->wall);
  assert_int_equal(t.p->n_closed, 1);
}

static void another_sessions_bytes_are_refused(void **state)
{
  (void)state;
  greet();
  uint8_t plain[64] = {0};
  assert_int_equal(ln_server_session_input(t.p->server, ln_slice(plain, sizeof plain), t.p->wall),
                   LN_E_RECONNECT);
  assert_int_equal(ln_server_session_input(t.p->server, ln_slice(plain, 31), t.p->wall), LN_E_RECONNECT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(the_first_message_makes_a_session),
      TEST(errors_are_rpc_errors),
      TEST(pings_get_pongs),
      TEST(a_client_that_falls_silent_is_let_go),
      TEST(salts_are_many_and_staggered),
      TEST(a_wrong_salt_names_the_right_one),
      TEST(wrong_clocks_are_told),
      TEST(wrong_numbers_are_told),
      TEST(what_comes_twice_runs_once),
      TEST(a_slow_request_is_acknowledged),
      TEST(state_is_told),
      TEST(answers_are_dropped),
      TEST(unacknowledged_messages_come_again_under_their_ids),
      TEST(pushes_that_nobody_acknowledges_do_not_pile_up),
      TEST(a_message_is_sent_again_on_request),
      TEST(packed_requests_are_unpacked),
      TEST(service_messages_never_become_errors),
      TEST(sessions_are_destroyed),
      TEST(another_sessions_bytes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
