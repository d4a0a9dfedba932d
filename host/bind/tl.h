/* TL bytes to Lua tables and back, by the schema's tables. Shapes of values: objects are tables with `_`,
 * absent flags nil, true-flags true or nil, Bool boolean, long integer, bytes and int128/256 strings, vectors
 * sequences. All of these may throw for want of memory: call them protected, holding nothing. */
#ifndef LN_BIND_TL_H
#define LN_BIND_TL_H

#include <lua.h>

#include "base/buf.h"
#include "tl/schema.h"

/* Each pushes one value, or gives an LN_E_* and pushes nothing. Objects of any supported layer come under
 * their newest name. The whole of bytes has to be the value (LN_E_TRAILING). Users and chats inside of an
 * Updates object are shared, see tl_memo.h. */
int ln_bind_tl_decode(lua_State *L, struct ln_slice bytes,
                      const struct ln_tl_type *type); /* type NULL: any object */
int ln_bind_tl_decode_result(lua_State *L, struct ln_slice bytes, const struct ln_tl_method *method);
int ln_bind_tl_decode_method(
    lua_State *L, struct ln_slice bytes); /* { _ = "messages.sendMessage", … }, wrappers nested in `query` */

/* Each appends to out, or gives an LN_E_* and pushes one sentence that says what does not fit and where. */
int ln_bind_tl_encode_method(lua_State *L, int index, const struct ln_tl_method *method, struct ln_buf *out,
                             int layer);
/* The same; *at gets the offset in out where the field of that name number (of the method itself) begins, or
 * SIZE_MAX. */
int ln_bind_tl_encode_marked(lua_State *L, int index, const struct ln_tl_method *method, struct ln_buf *out,
                             int layer, int name, size_t *at);
int ln_bind_tl_encode_object(lua_State *L, int index, const struct ln_tl_type *type, struct ln_buf *out,
                             int layer);
int ln_bind_tl_encode_result(lua_State *L, int index, const struct ln_tl_method *method, struct ln_buf *out,
                             int layer);

/* Whether the table at index is a list: *n items under 1…n and nothing else, but for table.pack's own count.
 * Pushes a sentence where it is none. */
bool ln_bind_tl_list(lua_State *L, int index, lua_Integer *n);

/* Pushes the table that holds the schema's names as Lua strings, those that were used so far: thousands of
 * strings that no bot needs would be looked at in every cycle of the garbage collector. */
void ln_bind_tl_names(lua_State *L);
void ln_bind_tl_make_name(lua_State *L, int names, uint16_t name); /* pushes one that is not there yet */
extern uint16_t ln_bind_tl_places[];

/* Pushes a name by its number; names: the stack index of that table. */
static inline void ln_bind_tl_push_name(lua_State *L, int names, uint16_t name)
{
  uint16_t place = ln_bind_tl_places[name];
  if (place && lua_rawgeti(L, names, place) == LUA_TSTRING) return;
  if (place) lua_pop(L, 1);
  ln_bind_tl_make_name(L, names, name);
}

/* Pushes the best guess for a misspelt word as a string, or nil; the candidates come from next(ctx, i), NULL
 * at the end. */
void ln_bind_tl_guess(lua_State *L, const char *word, const char *(*next)(const void *ctx, size_t i),
                      const void *ctx);
/* Puts the metatable registered for a constructor (setMetatable) on the table on top. */
void ln_bind_tl_dress(lua_State *L, int names, const struct ln_tl_def *d);

#endif
