/* For each check of an encrypted message an attack that is refused, and that gets through once the check is
 * switched off: so the attack is real, and the check is what stops it. */
#include "mtproto/gzip.h"

#include "sessions.h"

#define UPDATE(word)                                          \
  (struct ln_slice)                                           \
  {                                                           \
    (const uint8_t *)(const uint32_t[]){PAIR_UPDATE, word}, 8 \
  }

/* A pair whose client has heard the server, and waits for nothing. */
static struct pair *calm(void)
{
  struct pair *p = pair_open(11);
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  assert_int_equal(p->answers[1].results, 1);
  pair_pass(p, 5 * LN_US_PER_S); /* acks go */
  pair_run(p);
  p->n_updates = p->n_states = p->n_new_sessions = 0;
  return p;
}

static bool verdict(struct pair *p, bool through)
{
  pair_close(p);
  return through;
}

/* One update in a payload of its own; did it arrive? */
static bool gets(struct pair *p, struct packet k)
{
  size_t before = p->n_updates;
  pair_client_gets(p, k);
  return p->n_updates > before;
}

/* --- the envelope --- */

static bool m1_longer_than_a_frame(void)
{
  struct pair *p = calm();
  size_t n = LN_FRAME_MAX;
  uint8_t *body = calloc(1, n);
  assert_non_null(body);
  ln_put_le32(body, PAIR_UPDATE);
  bool in = gets(p, pair_forge(p, pair_server_id(p, 0, 3), 101, ln_slice(body, n)));
  free(body);
  return verdict(p, in);
}

static bool m2_another_key_id(void)
{
  struct pair *p = calm();
  struct packet k = pair_forge(p, pair_server_id(p, 0, 3), 101, UPDATE(1));
  k.p[3] ^= 1;
  return verdict(p, gets(p, k));
}

static bool m3_last_byte_changed(void)
{
  struct pair *p = calm();
  uint32_t words[3] = {PAIR_UPDATE, 1, 2};
  struct ln_plain plain = {p->salt, p->session_id, pair_server_id(p, 0, 3), 101, {(uint8_t *)words, 8}};
  struct packet k = pair_seal_raw(p, LN_TO_CLIENT, &plain, 8, 96);
  k.p[k.n - 1] ^= 1; /* the last block is all padding: nothing else comes out changed */
  return verdict(p, gets(p, k));
}

static bool m4(uint32_t len, size_t inner)
{
  struct pair *p = calm();
  struct ln_plain plain = {p->salt, p->session_id, pair_server_id(p, 0, 3), 101, UPDATE(1)};
  return verdict(p, gets(p, pair_seal_raw(p, LN_TO_CLIENT, &plain, len, inner)));
}

static bool m4_padding_too_short(void)
{
  return m4(8, 48);
}

static bool m4_padding_too_long(void)
{
  return m4(8, 32 + 8 + 1032);
}

static bool m4_odd_length(void)
{
  return m4(6, 64);
}

/* --- the session's id, the message's id --- */

static bool m5_another_session(void)
{
  struct pair *p = calm();
  p->session_id++;
  struct packet k = pair_forge(p, pair_server_id(p, 0, 3), 101, UPDATE(1));
  p->session_id--;
  return verdict(p, gets(p, k));
}

static bool m6_a_clients_id(void)
{
  struct pair *p = calm();
  return verdict(p, gets(p, pair_forge(p, pair_server_id(p, 0, 0), 101, UPDATE(1))));
}

/* n messages with these ids in a container. */
static struct packet container_of(struct pair *p, uint64_t outer, size_t n, const uint64_t *ids,
                                  const struct ln_slice *bodies, size_t more)
{
  static uint8_t b[4096];
  size_t at = LN_CONTAINER_HEAD;
  memset(b, 0, sizeof b);
  ln_container_head(b, (uint32_t)n);
  for (size_t i = 0; i < n; i++) {
    ln_message_head(b + at, ids[i], 101, bodies[i].n);
    memcpy(b + at + LN_MESSAGE_HEAD, bodies[i].p, bodies[i].n);
    at += LN_MESSAGE_HEAD + bodies[i].n;
  }
  return pair_forge(p, outer, 102, ln_slice(b, at + more));
}

static bool m6_a_clients_id_inside(void)
{
  struct pair *p = calm();
  uint64_t inner = pair_server_id(p, 1000, 0);
  struct ln_slice body = UPDATE(1);
  return verdict(p, gets(p, container_of(p, pair_server_id(p, 0, 3), 1, &inner, &body, 0)));
}

static bool m7_the_same_payload_again(void)
{
  struct pair *p = calm();
  struct packet k = pair_forge(p, pair_server_id(p, 0, 3), 101, UPDATE(1));
  struct packet again = packet_copy(k.p, k.n);
  assert_true(gets(p, k));
  return verdict(p, gets(p, again));
}

static bool m7_an_old_one_inside_new_containers(void)
{
  struct pair *p = calm();
  uint64_t inner = pair_server_id(p, 1000, 3);
  struct ln_slice body = UPDATE(1);
  assert_true(gets(p, pair_forge(p, inner, 101, body)));
  return verdict(p, gets(p, container_of(p, pair_server_id(p, 0, 3), 1, &inner, &body, 0)));
}

static bool m7_a_container_again(void)
{
  struct pair *p = calm();
  uint64_t inner = pair_server_id(p, 1000, 3);
  struct ln_slice body = UPDATE(1);
  struct packet k = container_of(p, pair_server_id(p, 0, 3), 1, &inner, &body, 0);
  struct packet again = packet_copy(k.p, k.n);
  assert_true(gets(p, k));
  return verdict(p, gets(p, again));
}

static bool m7_another_container_under_its_id(void)
{
  struct pair *p = calm();
  uint64_t first = pair_server_id(p, 1000, 3), second = pair_server_id(p, 500, 3),
           outer = pair_server_id(p, 0, 3);
  struct ln_slice body = UPDATE(1);
  assert_true(gets(p, container_of(p, outer, 1, &first, &body, 0)));
  return verdict(p, gets(p, container_of(p, outer, 1, &second, &body, 0)));
}

static bool m7_below_the_floor(void)
{
  struct pair *p = calm();
  uint64_t first = pair_server_id(p, LN_US_PER_S, 3);
  struct packet k = pair_forge(p, first, 101, UPDATE(1));
  struct packet again = packet_copy(k.p, k.n);
  assert_true(gets(p, k));
  for (uint64_t i = 1; i <= 4200; i++) {
    p->n_updates = 0;
    assert_true(gets(p, pair_forge(p, first + 4 * i, 101, UPDATE(2))));
  }
  p->n_updates = 0;
  return verdict(p, gets(p, again));
}

static bool m8(int64_t ago)
{
  struct pair *p = calm();
  return verdict(p, gets(p, pair_forge(p, pair_server_id(p, ago, 3), 101, UPDATE(1))));
}

static bool m8_too_old(void)
{
  return m8(305 * LN_US_PER_S);
}

static bool m8_from_the_future(void)
{
  return m8(-35 * LN_US_PER_S);
}

static bool m9_numbers_that_fall(void)
{
  struct pair *p = calm();
  const uint32_t seqnos[] = {901, 701, 501, 301};
  uint64_t id = pair_server_id(p, -LN_US_PER_S, 3);
  for (int i = 0; i < 4; i++) pair_client_gets(p, pair_forge(p, id + 4u * (unsigned)i, seqnos[i], UPDATE(1)));
  return verdict(p, p->n_new_sessions == 0);
}

static bool took_the_salt;

static void note_salt(struct pair *p, const struct ln_plain *plain)
{
  (void)p;
  took_the_salt |= plain->salt == 666;
}

static bool m10_a_salt_in_the_header(void)
{
  struct pair *p = pair_open(12); /* young: with a list of salts it would go by that */
  pair_ask(p, PAIR_ECHO, 1);
  pair_run(p);
  uint64_t salt = p->salt;
  p->salt = 666;
  gets(p, pair_forge(p, pair_server_id(p, 0, 3), 101, UPDATE(1)));
  p->salt = salt;
  p->on_plain = note_salt;
  took_the_salt = false;
  pair_ask(p, PAIR_ECHO, 2);
  pair_run(p);
  return verdict(p, took_the_salt);
}

static bool m11_plain_text(void)
{
  struct pair *p = calm();
  uint8_t plain[40] = {0};
  ln_put_le64(plain + 8, pair_server_id(p, 0, 3));
  ln_put_le32(plain + 16, 20);
  ln_put_le32(plain + 20, PAIR_UPDATE);
  return verdict(p, ln_session_input(p->client, plain, sizeof plain, p->now) == LN_OK);
}

/* --- containers --- */

static bool m12_inner_newer_than_outer(void)
{
  struct pair *p = calm();
  uint64_t outer = pair_server_id(p, 0, 3), inner = outer + 4;
  struct ln_slice body = UPDATE(1);
  return verdict(p, gets(p, container_of(p, outer, 1, &inner, &body, 0)));
}

static bool m12_bytes_after_the_last(void)
{
  struct pair *p = calm();
  uint64_t inner = pair_server_id(p, 1000, 3);
  struct ln_slice body = UPDATE(1);
  return verdict(p, gets(p, container_of(p, pair_server_id(p, 0, 3), 1, &inner, &body, 4)));
}

static bool m12_an_id_twice(void)
{
  struct pair *p = calm();
  uint64_t id = pair_server_id(p, 1000, 3), ids[3] = {id, id - 4, id};
  struct ln_slice bodies[3] = {UPDATE(1), UPDATE(2), UPDATE(3)};
  return verdict(p, gets(p, container_of(p, pair_server_id(p, 0, 3), 3, ids, bodies, 0)));
}

/* What stands before the nested one must not be handled either. */
static bool m12_a_container_inside(void)
{
  struct pair *p = calm();
  uint64_t id = pair_server_id(p, 1000, 3), ids[2] = {id, id + 4};
  uint8_t inner[32];
  ln_container_head(inner, 1);
  ln_message_head(inner + 8, id - 4, 101, 8);
  memcpy(inner + 24, UPDATE(3).p, 8);
  struct ln_slice bodies[2] = {UPDATE(1), ln_slice(inner, 32)};
  return verdict(p, gets(p, container_of(p, pair_server_id(p, 0, 3), 2, ids, bodies, 0)));
}

/* --- packed --- */

static struct packet packed(struct pair *p, size_t n, size_t members)
{
  struct ln_gzip *z;
  struct ln_buf out;
  uint8_t *plain = calloc(1, n);
  assert_non_null(plain);
  ln_put_le32(plain, PAIR_UPDATE);
  ln_buf_init(&out, 1 << 20);
  assert_int_equal(ln_gzip_new(&z), LN_OK);
  assert_int_equal(ln_gzip_pack(z, ln_slice(plain, n), &out), LN_OK);
  struct ln_reader r;
  ln_reader_init(&r, ln_buf_slice(&out));
  ln_read_u32(&r);
  struct ln_slice one = ln_read_bytes(&r);
  struct ln_buf body;
  struct ln_writer w;
  uint8_t *twice = malloc(2 * one.n);
  assert_non_null(twice);
  memcpy(twice, one.p, one.n);
  memcpy(twice + one.n, one.p, one.n);
  ln_buf_init(&body, 1 << 20);
  ln_writer_init(&w, &body);
  ln_write_u32(&w, LN_ID_gzip_packed);
  ln_write_bytes(&w, ln_slice(twice, members * one.n));
  assert_int_equal(w.err, LN_OK);
  struct packet k = pair_forge(p, pair_server_id(p, 0, 3), 101, ln_buf_slice(&body));
  ln_buf_deinit(&body);
  ln_buf_deinit(&out);
  ln_gzip_free(z);
  free(plain);
  free(twice);
  return k;
}

/* A stream of a little more than 16 MiB of zeros. ln_gzip_pack makes at most 2^24 - 1, so the stream is
 * written here: the first block says two zeros and then 258 zeros again and again, in the fixed code (RFC
 * 1951). */
struct bits {
  uint8_t *p;
  size_t n;
};

static void put_bits(struct bits *b, uint32_t value, int count)
{
  for (int i = 0; i < count; i++, b->n++)
    if (value >> i & 1) b->p[b->n / 8] |= (uint8_t)(1 << b->n % 8);
}

static void put_code(struct bits *b, uint32_t code, int count) /* Huffman codes go in from the top bit */
{
  for (int i = count - 1; i >= 0; i--) put_bits(b, code >> i & 1, 1);
}

static struct packet bomb(struct pair *p, uint32_t runs)
{
  size_t cap = 64 + (size_t)runs * 2;
  uint8_t *stream = calloc(1, cap);
  assert_non_null(stream);
  struct bits b = {stream, 0};
  uint8_t head[10];
  assert_int_equal(spec_hex("1f8b08000000000000ff", head, 10), 10);
  memcpy(stream, head, 10);
  b.n = 80;
  put_bits(&b, 3, 3);    /* the last block, fixed codes */
  put_code(&b, 0x30, 8); /* two zeros */
  put_code(&b, 0x30, 8);
  for (uint32_t i = 0; i < runs; i++) {
    put_code(&b, 0xc5, 8); /* length 258 */
    put_code(&b, 0, 5);    /* distance 1 */
  }
  put_code(&b, 0, 7); /* the end */
  size_t at = (b.n + 7) / 8;
  uint32_t size = 2 + runs * 258, crc = ~(uint32_t)0;
  for (uint32_t i = 0; i < size; i++) {
    static uint32_t table[256];
    if (!table[1])
      for (uint32_t k = 0; k < 256; k++) {
        table[k] = k;
        for (int j = 0; j < 8; j++) table[k] = table[k] >> 1 ^ (table[k] & 1 ? 0xedb88320u : 0);
      }
    crc = crc >> 8 ^ table[crc & 255];
  }
  ln_put_le32(stream + at, ~crc);
  ln_put_le32(stream + at + 4, size);
  struct ln_buf body;
  struct ln_writer w;
  ln_buf_init(&body, 1 << 20);
  ln_writer_init(&w, &body);
  ln_write_u32(&w, LN_ID_gzip_packed);
  ln_write_bytes(&w, ln_slice(stream, at + 8));
  assert_int_equal(w.err, LN_OK);
  struct packet k = pair_forge(p, pair_server_id(p, 0, 3), 101, ln_buf_slice(&body));
  ln_buf_deinit(&body);
  free(stream);
  return k;
}

static bool m13_a_bomb(void)
{
  struct pair *p = calm();
  uint32_t runs = 66001; /* 16 MiB are 65,027; odd, so that the size is a multiple of four */
  return verdict(p, gets(p, bomb(p, runs)));
}

static bool m13_two_members(void)
{
  struct pair *p = calm();
  return verdict(p, gets(p, packed(p, 4096, 2)));
}

/* --- service messages --- */

static bool m14_more_than_it_says(void)
{
  struct pair *p = calm();
  uint32_t b[8] = {LN_ID_new_session_created, 1, 0, 77, 78, 5, 5, 0};
  pair_client_gets(p, pair_forge(p, pair_server_id(p, 0, 3), 101, ln_slice(b, sizeof b)));
  return verdict(p, p->n_new_sessions > 0);
}

static bool m15_an_answer_to_nothing(void)
{
  struct pair *p = calm();
  pair_ask(p, PAIR_HOLD, 3);
  pair_run(p);
  uint32_t b[5] = {LN_ID_rpc_result, 12, 34, PAIR_ANSWER, 9};
  pair_client_gets(p, pair_forge(p, pair_server_id(p, 0, 1), 101, ln_slice(b, sizeof b)));
  return verdict(p, p->answers[3].results > 0);
}

static bool m16_a_salt_for_nothing(void)
{
  struct pair *p = calm();
  uint32_t b[7] = {LN_ID_bad_server_salt, 4, 0, 1, 48, 666, 666};
  pair_client_gets(p, pair_forge(p, pair_server_id(p, 0, 1), 100, ln_slice(b, sizeof b)));
  return verdict(p, p->n_states > 0);
}

static size_t sent_requests;

static void count_payloads(struct pair *p, const struct ln_plain *plain)
{
  (void)p, (void)plain;
  sent_requests++;
}

static bool m17_a_state_nobody_asked_for(void)
{
  struct pair *p = calm();
  pair_ask(p, PAIR_HOLD, 3);
  pair_run(p);
  pair_pass(p, 20 * LN_US_PER_S);
  ln_session_disconnected(p->client, p->now);
  ln_session_connected(p->client, p->now);
  pair_flush(p);
  link_clear(&p->to_server); /* the real question gets no answer */
  uint32_t b[4] = {LN_ID_msgs_state_info, 12, 34, 1 | 1 << 8};
  pair_client_gets(p, pair_forge(p, pair_server_id(p, 0, 1), 100, ln_slice(b, sizeof b)));
  p->on_plain = count_payloads;
  sent_requests = 0;
  pair_run(p);
  return verdict(p, sent_requests > 0);
}

static bool m18_a_new_session_twice(void)
{
  struct pair *p = calm();
  uint32_t b[7] = {LN_ID_new_session_created, 1, 0, 77, 78, LO(p->salt), HI(p->salt)};
  pair_client_gets(p, pair_forge(p, pair_server_id(p, 0, 3), 101, ln_slice(b, sizeof b)));
  pair_client_gets(p, pair_forge(p, pair_server_id(p, 0, 3), 103, ln_slice(b, sizeof b)));
  assert_true(p->n_new_sessions >= 1);
  return verdict(p, p->n_new_sessions == 2);
}

static bool m19_an_ack_before_it_is_safe(void)
{
  struct pair *p = calm();
  p->ack_updates = false;
  pair_push(p, 1);
  pair_run(p);
  assert_int_equal(p->n_updates, 1);
  for (int i = 0; i < 8; i++) {
    pair_pass(p, 5 * LN_US_PER_S);
    pair_run(p);
  }
  return verdict(p, p->n_acked > 0);
}

static bool m20_salts_nobody_asked_for(void)
{
  struct pair *p = calm();
  uint32_t b[9] = {LN_ID_future_salts, 12, 34, 1800000000, 1, 1800000000, 1800003600, 666, 666};
  pair_client_gets(p, pair_forge(p, pair_server_id(p, 0, 1), 100, ln_slice(b, sizeof b)));
  return verdict(p, p->n_states > 0);
}

/* --- what leaves --- */

static uint64_t echo_ids[16];
static size_t n_echo_ids;

static void note_echo(struct pair *p, const struct ln_plain *plain)
{
  (void)p;
  static struct ln_message m[LN_CONTAINER_MAX_IN];
  size_t n = 1;
  m[0] = (struct ln_message){plain->msg_id, plain->seqno, plain->body};
  if (ln_le32(plain->body.p) == LN_ID_msg_container)
    assert_int_equal(ln_container_parse(plain->body, plain->msg_id, m, &n), LN_OK);
  for (size_t i = 0; i < n && n_echo_ids < 16; i++)
    if (ln_le32(m[i].body.p) == PAIR_HOLD) echo_ids[n_echo_ids++] = m[i].msg_id;
}

static bool m21_the_same_request_under_its_id(void)
{
  struct pair *p = calm();
  p->on_plain = note_echo;
  n_echo_ids = 0;
  pair_ask(p, PAIR_HOLD, 3);
  pair_run(p);
  ln_server_session_forget(p->server); /* a server that starts anew: it knows of no request */
  ln_session_disconnected(p->client, p->now);
  ln_session_connected(p->client, p->now);
  pair_run(p);
  assert_int_equal(n_echo_ids, 2);
  return verdict(p, echo_ids[0] == echo_ids[1]);
}

static bool m22_a_clock_that_steps_back(void)
{
  struct ln_msgid m = {0};
  uint64_t first = ln_msgid_next(&m, PAIR_EPOCH, LN_MSGID_CLIENT, 1);
  return ln_msgid_next(&m, PAIR_EPOCH - LN_US_PER_S, LN_MSGID_CLIENT, 1) <= first;
}

static bool m23_the_end_of_a_key(void)
{
  struct pair *p = calm();
  uint32_t b[1] = {LN_ID_destroy_auth_key_ok};
  int err = pair_client_gets(p, pair_forge(p, pair_server_id(p, 0, 1), 101, ln_slice(b, sizeof b)));
  return verdict(p, err == LN_E_HALT);
}

static const struct {
  enum ln_check_id check;
  const char *name;
  bool (*attack)(void);
} attacks[] = {
#define ATTACK(check, function)        \
  {                                    \
    LN_CK_##check, #function, function \
  }
    ATTACK(M1, m1_longer_than_a_frame),
    ATTACK(M2, m2_another_key_id),
    ATTACK(M3, m3_last_byte_changed),
    ATTACK(M4, m4_padding_too_short),
    ATTACK(M4, m4_padding_too_long),
    ATTACK(M4, m4_odd_length),
    ATTACK(M5, m5_another_session),
    ATTACK(M6, m6_a_clients_id),
    ATTACK(M6, m6_a_clients_id_inside),
    ATTACK(M7, m7_the_same_payload_again),
    ATTACK(M7, m7_an_old_one_inside_new_containers),
    ATTACK(M7, m7_a_container_again),
    ATTACK(M7, m7_another_container_under_its_id),
    ATTACK(M7, m7_below_the_floor),
    ATTACK(M8, m8_too_old),
    ATTACK(M8, m8_from_the_future),
    ATTACK(M9, m9_numbers_that_fall),
    ATTACK(M10, m10_a_salt_in_the_header),
    ATTACK(M11, m11_plain_text),
    ATTACK(M12, m12_inner_newer_than_outer),
    ATTACK(M12, m12_bytes_after_the_last),
    ATTACK(M12, m12_an_id_twice),
    ATTACK(M12, m12_a_container_inside),
    ATTACK(M13, m13_a_bomb),
    ATTACK(M13, m13_two_members),
    ATTACK(M14, m14_more_than_it_says),
    ATTACK(M15, m15_an_answer_to_nothing),
    ATTACK(M16, m16_a_salt_for_nothing),
    ATTACK(M17, m17_a_state_nobody_asked_for),
    ATTACK(M18, m18_a_new_session_twice),
    ATTACK(M19, m19_an_ack_before_it_is_safe),
    ATTACK(M20, m20_salts_nobody_asked_for),
    ATTACK(M21, m21_the_same_request_under_its_id),
    ATTACK(M22, m22_a_clock_that_steps_back),
    ATTACK(M23, m23_the_end_of_a_key),
};

static void each_attack_is_stopped_by_its_check_alone(void **state)
{
  (void)state;
  int failures = 0;
  for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
    ln_check_off = 0;
    if (attacks[i].attack()) {
      print_error("%s: got through\n", attacks[i].name);
      failures++;
    }
    ln_check_off = UINT64_C(1) << attacks[i].check;
    bool through = attacks[i].attack();
    ln_check_off = 0;
    if (!through) {
      print_error("%s: stopped although its check is off\n", attacks[i].name);
      failures++;
    }
  }
  assert_int_equal(failures, 0);
}

static void every_check_of_a_message_has_an_attack(void **state)
{
  (void)state;
  for (int check = LN_CK_M1; check <= LN_CK_M23; check++) {
    bool found = false;
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++)
      found |= attacks[i].check == (enum ln_check_id)check;
    if (!found) fail_msg("no attack for M%d", check - LN_CK_M1 + 1);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_attack_is_stopped_by_its_check_alone),
      cmocka_unit_test(every_check_of_a_message_has_an_attack),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
