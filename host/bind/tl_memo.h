/* Users and chats come with every container of updates, nearly always the same bytes as the time before. So
 * the table made from such bytes is kept and given again: half of an echo's garbage was copies of two users.
 * The tables are shared: who gets one from an Updates object must not change it. Called by tl_decode.c. */
#ifndef LN_BIND_TL_MEMO_H
#define LN_BIND_TL_MEMO_H

#include <lua.h>

#include "base/slice.h"

struct ln_tl_type;
struct ln_bind_tl_memo;

/* What the Lua state remembers; stays valid as long as the state. */
struct ln_bind_tl_memo *ln_bind_tl_memos(lua_State *L);
/* Pushes the table made before from an object of that type whose bytes are the first of `rest`; how many
 * those are, or 0 and nothing. */
size_t ln_bind_tl_memo_get(lua_State *L, const struct ln_bind_tl_memo *memos, const struct ln_tl_type *type,
                           struct ln_slice rest);
/* Keeps the table on top for these bytes (at most 2 KiB, 512 of them at a time; a newer one takes an older
 * one's place). */
void ln_bind_tl_memo_put(lua_State *L, struct ln_bind_tl_memo *memos, const struct ln_tl_type *type,
                         struct ln_slice bytes);

#endif
