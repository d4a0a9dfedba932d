/* _luna.tl as Lua sees it: which values fit and which do not, what is said about those, layers, limits,
 * metatables. */
#include "spec.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "bind/modules.h"
#include "bind/tl.h"
#include "tl/writer.h"

static int open_state(void **state)
{
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_requiref(L, "_luna.tl", luaopen__luna_tl, 0);
  lua_setglobal(L, "tl");
  *state = L;
  return 0;
}

static int close_state(void **state)
{
  lua_close(*state);
  return 0;
}

static void holds(lua_State *L, const char *code)
{
  if (luaL_dostring(L, code)) fail_msg("%s\n  in: %s", lua_tostring(L, -1), code);
  assert_int_equal(lua_gettop(L), 0);
}

/* The expression raises a string that ends with this sentence. */
static void says(lua_State *L, const char *expression, const char *sentence)
{
  lua_pushfstring(L, "return %s", expression);
  int err = luaL_loadstring(L, lua_tostring(L, -1)) || lua_pcall(L, 0, 0, 0);
  if (!err) fail_msg("no error from %s", expression);
  const char *got = lua_tostring(L, -1);
  assert_non_null(got);
  size_t n = strlen(got), want = strlen(sentence);
  if (n < want || strcmp(got + n - want, sentence) != 0)
    fail_msg("%s\n  said: %s\n  not:  %s", expression, got, sentence);
  lua_settop(L, 0);
}

/* Appends the id of a constructor or method to bytes built by hand. */
static void put_id(struct ln_writer *w, const char *name)
{
  const struct ln_tl_def *d = ln_tl_constructor_by_name(name);
  if (!d) d = ln_tl_method_by_name(name);
  assert_non_null(d);
  ln_write_u32(w, d->id);
}

static int decode(lua_State *L, const struct ln_buf *b, const char *type)
{
  int top = lua_gettop(L);
  int err = ln_bind_tl_decode(L, ln_buf_slice(b), type ? ln_tl_type_by_name(type) : NULL);
  assert_int_equal(lua_gettop(L), top + (err ? 0 : 1));
  return err;
}

/* --- values --- */

static void values_have_the_shapes_of_the_api(void **state)
{
  lua_State *L = *state;
  holds(L, "local u = tl.decode(tl.encode{ _ = 'updateShortMessage', out = true, id = 7, user_id = 1 << 40, "
           "message = 'hi',"
           "  pts = 1, pts_count = 1, date = 5 }, 'Updates')"
           "assert(u._ == 'updateShortMessage' and u.out == true and u.mentioned == nil and u.silent == nil)"
           "assert(math.type(u.user_id) == 'integer' and u.user_id == 1 << 40 and u.message == 'hi')"
           "assert(u.entities == nil and u.flags == nil)");
  holds(L, "local a = tl.decode(tl.encode{ _ = 'jsonArray', value = { { _ = 'jsonBool', value = false },"
           "  { _ = 'jsonNumber', value = 2.5 }, { _ = 'jsonString', value = 'a\\0b' } } }, 'JSONValue')"
           "assert(#a.value == 3 and a.value[1].value == false and a.value[2].value == 2.5 and "
           "a.value[3].value == 'a\\0b')");
  holds(L, "local n = ('\\1'):rep(16) local w = ('\\2'):rep(32)"
           "local p = tl.decode(tl.encode{ _ = 'p_q_inner_data_dc', pq = 'p', p = '', q = '', nonce = n, "
           "server_nonce = n,"
           "  new_nonce = w, dc = -2 })"
           "assert(p.nonce == n and p.new_nonce == w and p.dc == -2)");
  holds(L, "assert(tl.decode(tl.encode(true)) == true and tl.decode(tl.encode(false)) == false)");
}

static void false_is_an_absent_flag(void **state)
{
  lua_State *L = *state;
  holds(L, "local p = { message = 'x', peer = { _ = 'inputPeerSelf' }, random_id = 1 }"
           "local without = tl.encodeMethod('messages.sendMessage', p)"
           "p.silent = false assert(tl.encodeMethod('messages.sendMessage', p) == without)"
           "p.silent = true assert(tl.encodeMethod('messages.sendMessage', p) ~= without)"
           "assert(tl.decodeMethod(tl.encodeMethod('messages.sendMessage', p)).silent == true)");
}

static void whole_floats_are_integers_and_strings_are_not(void **state)
{
  lua_State *L = *state;
  holds(L, "local function back(h) return tl.decode(tl.encode{ _ = 'inputPeerUser', user_id = 1, access_hash "
           "= h }).access_hash end "
           "assert(math.type(back(5.0)) == 'integer' and back(5.0) == 5 and back(-2.0^63) == math.mininteger)"
           "assert(back(math.mininteger) == math.mininteger and back(-1) == -1)");
  says(L, "tl.encode{ _ = 'inputPeerUser', user_id = '1', access_hash = 1 }",
       "field \"user_id\": expected long, got string \"1\"");
  says(L, "tl.encode{ _ = 'inputPeerUser', user_id = 1.5, access_hash = 1 }",
       "field \"user_id\": expected an integer, got number 1.5");
  says(L, "tl.encode{ _ = 'inputPeerUser', user_id = 2.0^63, access_hash = 1 }",
       "field \"user_id\": expected an integer, got number 9.2233720368548e+18");
  holds(L, "for _, v in ipairs{ 0/0, 1/0, -1/0, 2.0^64 } do"
           "  assert(not pcall(tl.encode, { _ = 'inputPeerUser', user_id = v, access_hash = 1 })) end");
}

static void an_int_has_32_bits(void **state)
{
  lua_State *L = *state;
  holds(L, "local function back(v) return tl.decode(tl.encode{ _ = 'inputMessageID', id = v }).id end "
           "assert(back(2^31 - 1) == 2147483647 and back(-2^31) == -2147483648)");
  says(L, "tl.encode{ _ = 'inputMessageID', id = 1 << 31 }",
       "field \"id\": 2147483648 is out of range for an int (32 bits)");
  says(L, "tl.encode{ _ = 'inputMessageID', id = -(1 << 31) - 1 }",
       "field \"id\": -2147483649 is out of range for an int (32 bits)");
}

static void fixed_bytes_have_their_length(void **state)
{
  lua_State *L = *state;
  says(L, "tl.encodeMethod('req_pq_multi', { nonce = 'short' })",
       "req_pq_multi: parameter \"nonce\": expected 16 bytes, got 5");
  says(L, "tl.encodeMethod('req_pq_multi', { nonce = 5 })",
       "req_pq_multi: parameter \"nonce\": expected 16 bytes (a string), got number 5");
}

static void a_string_has_less_than_16_mib(void **state)
{
  lua_State *L = *state;
  says(L, "tl.encode{ _ = 'jsonString', value = ('x'):rep(1 << 24) }", "field \"value\": longer than 16 MiB");
}

/* A bit that stands for several fields: the others may not be missing, or the reader would take the next
 * bytes for them. */
static void fields_that_share_a_bit_come_together(void **state)
{
  lua_State *L = *state;
  says(L, "tl.encode{ _ = 'user', id = 1, bot = true }",
       "missing field \"bot_info_version\": it goes with another that is given");
  says(L,
       "tl.encode{ _ = 'channelFull', id = 1, about = '', read_inbox_max_id = 0, read_outbox_max_id = 0,"
       " unread_count = 0, chat_photo = { _ = 'photoEmpty', id = 0 }, pts = 1, bot_info = {},"
       " notify_settings = { _ = 'peerNotifySettings' }, migrated_from_chat_id = 5 }",
       "missing field \"migrated_from_max_id\": it goes with another that is given");
  holds(L, "local u = tl.decode(tl.encode{ _ = 'user', id = 1, bot_info_version = 3 }) assert(u.bot and "
           "u.bot_info_version == 3)");
}

/* --- what is said --- */

static void mistakes_are_named_with_their_place(void **state)
{
  lua_State *L = *state;
  says(L, "tl.encodeMethod('messages.sendMessage', { peer = 5, message = 'x', random_id = 1 })",
       "messages.sendMessage: parameter \"peer\": expected InputPeer, got number 5");
  says(L, "tl.encodeMethod('messages.sendMessage', { peer = { _ = 'inputPeerSelf' }, random_id = 1 })",
       "messages.sendMessage: missing parameter \"message\" (string)");
  says(L,
       "tl.encodeMethod('messages.sendMessage', { peer = { _ = 'inputPeerSelf' }, message = {}, random_id = "
       "1 })",
       "messages.sendMessage: parameter \"message\": expected string, got a table without _");
  says(L, "tl.encodeMethod('messages.deleteMessages', { id = { 1, 2, 'x' } })",
       "messages.deleteMessages: parameter \"id[3]\": expected int, got string \"x\"");
  says(L, "tl.encodeMethod('messages.deleteMessages', { id = 1 })",
       "messages.deleteMessages: parameter \"id\": expected a list of int, got number 1");
  says(L, "tl.encodeMethod('users.getUsers', { id = { _ = 'inputUserSelf' } })",
       "users.getUsers: parameter \"id\": expected a list of InputUser, got a table of inputUserSelf");
  says(L, "tl.encodeMethod('users.getUsers', { id = { { _ = 'inputPeerSelf' } } })",
       "users.getUsers: parameter \"id[1]\": expected InputUser, got a table of inputPeerSelf");
  says(L,
       "tl.encodeMethod('messages.sendMessage', { peer = { _ = 'inputPeerSelf' }, message = 'x', random_id = "
       "1,"
       " reply_markup = { _ = 'replyKeyboardForceReply', selective = 1 } })",
       "messages.sendMessage: parameter \"reply_markup.selective\": expected true, got number 1");
  says(L,
       "tl.encodeMethod('messages.sendMessage', { peer = { _ = 'inputPeerSelf' }, message = 'x', random_id = "
       "1,"
       " entities = { { _ = 'messageEntityBold', offset = 0, length = true } } })",
       "messages.sendMessage: parameter \"entities[1].length\": expected int, got boolean true");
}

static void what_is_not_there_comes_with_a_guess(void **state)
{
  lua_State *L = *state;
  says(L,
       "tl.encodeMethod('messages.sendMessage', { peer = { _ = 'inputPeerSelf' }, mesage = 'x', message = "
       "'x', random_id = 1 })",
       "messages.sendMessage: it has no parameter \"mesage\" (did you mean \"message\"?)");
  says(L, "tl.encodeMethod('help.getConfig', { quite_another = 1 })",
       "help.getConfig: it has no parameter \"quite_another\"");
  says(L, "tl.encodeMethod('help.getConfig', { 1 })",
       "help.getConfig: it has no parameter number 1: only names");
  says(L,
       "tl.encodeMethod('messages.sendMessage', { peer = { _ = 'inputPeerSef' }, message = 'x', random_id = "
       "1 })",
       "messages.sendMessage: parameter \"peer\": expected InputPeer, got the unknown \"inputPeerSef\" (did "
       "you mean \"inputPeerSelf\"?)");
  says(L, "tl.encode({ _ = 'nothingLikeIt' }, 'InputPeer')",
       "expected InputPeer, got the unknown \"nothingLikeIt\"");
  holds(L,
        "assert(tl.suggest('messages.sendMesage', 'method') == 'messages.sendMessage')"
        "assert(tl.suggest('onUpdateNewMesage', { 'onAny', 'onUpdateNewMessage' }) == 'onUpdateNewMessage')"
        "assert(tl.suggest('qqqqqqqqqqqqqqqqqqqq', 'method') == nil)");
}

static void a_failed_encoding_leaves_the_buffer_as_it_was(void **state)
{
  lua_State *L = *state;
  struct ln_buf b;
  ln_buf_init(&b, 1024);
  assert_int_equal(ln_buf_append(&b, "head", 4), LN_OK);
  assert_int_equal(
      luaL_dostring(L, "return { peer = { _ = 'inputPeerSelf' }, message = 'x', random_id = 'y' }"), 0);
  assert_int_equal(
      ln_bind_tl_encode_method(L, -1, ln_tl_method_by_name("messages.sendMessage"), &b, LN_TL_LAYER),
      LN_E_BAD_TYPE);
  assert_int_equal(lua_gettop(L), 2); /* the table and the sentence */
  assert_int_equal(b.len, 4);
  lua_pop(L, 1);
  lua_pushstring(L, "long enough to pass the buffer's maximum");
  for (int i = 0; i < 6; i++) {
    lua_pushvalue(L, -1);
    lua_concat(L, 2);
  }
  lua_setfield(L, -2, "message");
  lua_pushinteger(L, 1);
  lua_setfield(L, -2, "random_id");
  assert_int_equal(
      ln_bind_tl_encode_method(L, -1, ln_tl_method_by_name("messages.sendMessage"), &b, LN_TL_LAYER),
      LN_E_TOOBIG);
  assert_int_equal(lua_gettop(L), 2);
  assert_int_equal(b.len, 4);
  assert_memory_equal(ln_buf_data(&b), "head", 4);
  ln_buf_deinit(&b);
}

/* Every place in which a buffer can be full: beside a word of flags too, which is written before what it
 * speaks of is known. */
static void a_full_buffer_is_an_error_wherever_it_ends(void **state)
{
  lua_State *L = *state;
  const struct ln_tl_type *type = ln_tl_type_by_name("User");
  struct ln_buf b;
  int err =
      luaL_dostring(L, "return { _ = 'user', id = 1, first_name = 'Ann', usernames = { { _ = 'username',"
                       " username = 'ann' } }, status = { _ = 'userStatusOnline', expires = 5 } }");
  assert_int_equal(err, 0);
  ln_buf_init(&b, 1024);
  assert_int_equal(ln_bind_tl_encode_object(L, 1, type, &b, LN_TL_LAYER), LN_OK);
  size_t whole = b.len;
  ln_buf_deinit(&b);
  assert_true(whole > 40);
  for (size_t max = 0; max <= whole; max++) {
    ln_buf_init(&b, max);
    err = ln_bind_tl_encode_object(L, 1, type, &b, LN_TL_LAYER);
    assert_int_equal(err, max < whole ? LN_E_TOOBIG : LN_OK);
    assert_int_equal(b.len, max < whole ? 0 : whole);
    lua_settop(L, 1);
    ln_buf_deinit(&b);
  }
}

/* --- methods, wrappers, layers --- */

static void methods_nest_in_their_wrappers(void **state)
{
  lua_State *L = *state;
  holds(L, "local bytes = tl.encodeMethod('invokeWithLayer', { layer = 229, query = { _ = 'initConnection', "
           "api_id = 1,"
           "  device_model = 'd', system_version = 's', app_version = 'a', system_lang_code = 'en', "
           "lang_pack = '', lang_code = 'en',"
           "  query = { _ = 'help.getConfig' } } })"
           "local m = tl.decodeMethod(bytes)"
           "assert(m._ == 'invokeWithLayer' and m.layer == 229 and m.query._ == 'initConnection' and "
           "m.query.device_model == 'd')"
           "assert(m.query.query._ == 'help.getConfig')"
           "assert(not pcall(tl.decode, bytes))" /* no object */
           "assert(not pcall(tl.decodeMethod, tl.encode{ _ = 'inputPeerSelf' }))");
  says(L, "tl.encodeMethod('invokeWithLayer', { layer = 229, query = { _ = 'inputPeerSelf' } })",
       "got the unknown \"inputPeerSelf\"");
}

static void an_older_user_comes_under_its_name(void **state)
{
  lua_State *L = *state;
  const struct ln_tl_def *old = ln_tl_by_id(UINT32_C(0x31774388)); /* that of layer 227 */
  assert_non_null(old);
  struct ln_buf b;
  struct ln_writer w;
  ln_buf_init(&b, 1024);
  ln_writer_init(&w, &b);
  ln_write_u32(&w, old->id);
  ln_write_u32(&w, 1u << 0 | 1u << 1 | 1u << 10); /* access_hash, first_name, self */
  ln_write_u32(&w, 0);
  ln_write_u64(&w, 777);
  ln_write_u64(&w, UINT64_C(0xffffffffffffffff));
  ln_write_bytes(&w, ln_slice_str("Ann"));
  assert_int_equal(decode(L, &b, "User"), LN_OK);
  lua_setglobal(L, "u");
  holds(L, "assert(u._ == 'user' and u.self == true and u.id == 777 and u.access_hash == -1 and u.first_name "
           "== 'Ann' and u.bot == nil)");
  lua_pushlstring(L, (const char *)ln_buf_data(&b), b.len);
  lua_setglobal(L, "bytes");
  /* Written for that layer it is those very bytes again; for the newest, others. */
  holds(L, "assert(tl.encode(u, 'User', 227) == bytes and tl.encode(u, 'User') ~= bytes and tl.encode(u, "
           "'User', 231) == tl.encode(u, 'User'))");
  ln_buf_deinit(&b);
}

/* A field that an older variant lacks is left out; a misspelt one is not. What no layer so old has is an
 * error. */
static void older_layers_get_what_they_know(void **state)
{
  lua_State *L = *state;
  holds(L, "local c = { _ = 'botCommand', command = 'c', description = 'd' }"
           "local plain = tl.encode(c, nil, 227)"
           "c.ephemeral = true assert(tl.encode(c, nil, 227) == plain and #tl.encode(c) > #plain)"
           "local back = tl.decode(plain) assert(back._ == 'botCommand' and back.description == 'd')"
           "assert(back.ephemeral == nil)");
  says(L,
       "tl.encode({ _ = 'botCommand', command = 'c', description = 'd', nonsense = 1 }, 'BotCommand', 227)",
       "botCommand has no field \"nonsense\"");
  says(L, "tl.encode({ _ = 'updateWalletGaslessInfo' }, 'Update', 229)",
       "\"updateWalletGaslessInfo\" does not exist in layer 229");
  says(L, "tl.encodeMethod('communities.getJoinedCommunities', {}, 227)",
       "communities.getJoinedCommunities: does not exist in layer 227");
  holds(L, "local m = tl.method 'messages.searchGlobal' assert(m.id ~= 0x4bc6589a)"
           "local p = { q = 'q', filter = { _ = 'inputMessagesFilterEmpty' }, min_date = 0, max_date = 0,"
           "  offset_rate = 0, offset_peer = { _ = 'inputPeerEmpty' }, offset_id = 0, limit = 1 }"
           "local function id(layer)"
           "  return (('<I4'):unpack(tl.encodeMethod('messages.searchGlobal', p, layer))) end "
           "assert(id(227) == 0x4bc6589a and id(229) == m.id and id(230) == m.id)"
           "local back = tl.decodeMethod(tl.encodeMethod('messages.searchGlobal', p, 227))"
           "assert(back._ == 'messages.searchGlobal' and back.limit == 1)");
}

/* --- bytes from outside --- */

static void depth_has_an_end_both_ways(void **state)
{
  lua_State *L = *state;
  struct ln_buf b;
  struct ln_writer w;
  for (int levels = LN_TL_MAX_DEPTH; levels <= LN_TL_MAX_DEPTH + 3; levels++) {
    ln_buf_init(&b, (size_t)1 << 20);
    ln_writer_init(&w, &b);
    for (int i = 1; i < levels; i++) {
      put_id(&w, "jsonArray");
      ln_write_vector(&w, true, 1);
    }
    put_id(&w, "jsonNull");
    assert_int_equal(decode(L, &b, "JSONValue"), levels <= LN_TL_MAX_DEPTH + 1 ? LN_OK : LN_E_DEPTH);
    lua_settop(L, 0);
    ln_buf_deinit(&b);
  }
  ln_buf_init(&b, (size_t)1 << 20);
  ln_writer_init(&w, &b);
  for (int i = 0; i < 100000; i++) put_id(&w, "invokeWithoutUpdates");
  assert_int_equal(ln_bind_tl_decode_method(L, ln_buf_slice(&b)), LN_E_DEPTH);
  assert_int_equal(lua_gettop(L), 0);
  ln_buf_deinit(&b);
  says(L,
       "(function() local v = { _ = 'jsonNull' } for i = 1, 70 do v = { _ = 'jsonArray', value = { v } } end "
       "return tl.encode(v) end)()",
       "nested too deeply");
  says(L, "(function() local v = { _ = 'jsonArray' } v.value = { v } return tl.encode(v) end)()",
       "nested too deeply");
}

static void a_count_that_lies_costs_nothing(void **state)
{
  lua_State *L = *state;
  struct ln_buf b;
  struct ln_writer w;
  static const uint32_t counts[] = {3, 1000, 1u << 24, UINT32_C(0x7fffffff), UINT32_C(0xffffffff)};
  ln_buf_init(&b, 1024);
  ln_bind_tl_names(L); /* made once */
  lua_pop(L, 1);
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    ln_buf_clear(&b);
    ln_writer_init(&w, &b);
    put_id(&w, "jsonArray");
    ln_write_vector(&w, true, counts[i]);
    put_id(&w, "jsonNull");
    put_id(&w, "jsonNull");
    lua_gc(L, LUA_GCCOLLECT);
    int before = lua_gc(L, LUA_GCCOUNT);
    lua_gc(L, LUA_GCSTOP);
    assert_int_equal(decode(L, &b, "JSONValue"), LN_E_TRUNCATED);
    assert_true(lua_gc(L, LUA_GCCOUNT) - before < 64); /* KiB */
    lua_gc(L, LUA_GCRESTART);
  }
  ln_buf_deinit(&b);
}

static void what_is_wrong_with_bytes_is_told_apart(void **state)
{
  lua_State *L = *state;
  struct ln_buf b;
  struct ln_writer w;
  ln_buf_init(&b, 1024);
  ln_writer_init(&w, &b);
  put_id(&w, "updateShort");
  ln_write_u32(&w, UINT32_C(0xdeadbeef));
  ln_write_u32(&w, 0);
  assert_int_equal(decode(L, &b, "Updates"), LN_E_UNKNOWN_ID);
  ln_put_le32(ln_buf_data(&b) + 4, ln_tl_constructor_by_name("inputPeerSelf")->id);
  assert_int_equal(decode(L, &b, "Updates"), LN_E_BAD_TYPE);
  ln_put_le32(ln_buf_data(&b) + 4, ln_tl_constructor_by_name("updateConfig")->id);
  assert_int_equal(decode(L, &b, "Updates"), LN_OK);
  lua_settop(L, 0);
  assert_int_equal(decode(L, &b, "Message"), LN_E_BAD_TYPE);
  ln_write_u32(&w, 0);
  assert_int_equal(decode(L, &b, "Updates"), LN_E_TRAILING);
  ln_buf_clear(&b);
  assert_int_equal(decode(L, &b, "Updates"), LN_E_TRUNCATED);
  ln_buf_deinit(&b);
}

/* --- the rest of the module --- */

static void metatables_are_put_on_what_is_decoded(void **state)
{
  lua_State *L = *state;
  holds(L,
        "local bytes = tl.encode{ _ = 'messageEmpty', id = 1 }"
        "local mt = { __index = { hello = function(m) return m.id end } }"
        "tl.setMetatable('messageEmpty', mt)"
        "local m = tl.decode(bytes) assert(getmetatable(m) == mt and m:hello() == 1 and rawget(m, 'id') == 1)"
        "assert(getmetatable(tl.decode(tl.encode{ _ = 'inputPeerSelf' })) == nil)"
        "assert(tl.encode(m) == bytes)" /* fields are read raw */
        "tl.setMetatable('messageEmpty', nil) assert(getmetatable(tl.decode(bytes)) == nil)"
        "assert(not pcall(tl.setMetatable, 'nothing', mt))");
}

static void the_schema_can_be_asked(void **state)
{
  lua_State *L = *state;
  holds(L,
        "assert(tl.layer == 230 and tl.firstLayer == 227)"
        "local m = tl.method 'messages.sendMessage' assert(m.name == 'messages.sendMessage' and "
        "m.result.type == 'Updates')"
        "local by = {} for i, p in ipairs(m.params) do by[p.name] = p assert(p.type ~= '#') end "
        "assert(by.peer.type == 'InputPeer' and not by.peer.flag and by.silent.type == 'true' and "
        "by.silent.flag)"
        "assert(by.entities.vector and by.entities.type == 'MessageEntity' and by.random_id.type == 'long')"
        "assert(tl.method 'users.getUsers'.result.vector and tl.method 'nothing.here' == nil)"
        "assert(tl.method 'messages.getDialogs'.usersOnly and tl.method 'bots.setBotCommands'.botsOnly)"
        "assert(tl.constructor 'message'.type == 'Message' and tl.constructor(tl.constructor "
        "'message'.id).name == 'message')"
        "assert(tl.constructor 'Message' == nil)");
  holds(
      L,
      "local list, set = tl.type 'Message', {} for _, n in ipairs(list) do assert(not set[n]) set[n] = true "
      "end "
      "assert(#list == 3 and set.message and set.messageEmpty and set.messageService and tl.type 'Nothing' "
      "== nil)"
      "assert(#tl.type 'User' == 2)" /* variants of a name count once */
      "local spaces = tl.namespaces() assert(spaces.messages and spaces.help and not spaces.invokeWithLayer)"
      "local seen = {} for _, n in ipairs(tl.methods()) do assert(not seen[n]) seen[n] = true end "
      "assert(seen['messages.sendMessage'] and seen.invokeWithLayer)"
      "assert(tl.errors()['FLOOD_WAIT_%d'].code == 420 and tl.keys():find 'BEGIN RSA' and tl.keys 'test' ~= "
      "tl.keys())");
}

int main(void)
{
#define LUA_TEST(name) cmocka_unit_test_setup_teardown(name, open_state, close_state)
  const struct CMUnitTest tests[] = {
      LUA_TEST(values_have_the_shapes_of_the_api),
      LUA_TEST(false_is_an_absent_flag),
      LUA_TEST(whole_floats_are_integers_and_strings_are_not),
      LUA_TEST(an_int_has_32_bits),
      LUA_TEST(fixed_bytes_have_their_length),
      LUA_TEST(a_string_has_less_than_16_mib),
      LUA_TEST(fields_that_share_a_bit_come_together),
      LUA_TEST(mistakes_are_named_with_their_place),
      LUA_TEST(what_is_not_there_comes_with_a_guess),
      LUA_TEST(a_failed_encoding_leaves_the_buffer_as_it_was),
      LUA_TEST(a_full_buffer_is_an_error_wherever_it_ends),
      LUA_TEST(methods_nest_in_their_wrappers),
      LUA_TEST(an_older_user_comes_under_its_name),
      LUA_TEST(older_layers_get_what_they_know),
      LUA_TEST(depth_has_an_end_both_ways),
      LUA_TEST(a_count_that_lies_costs_nothing),
      LUA_TEST(what_is_wrong_with_bytes_is_told_apart),
      LUA_TEST(metatables_are_put_on_what_is_decoded),
      LUA_TEST(the_schema_can_be_asked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
