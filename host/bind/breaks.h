/* Break points: a line hook that suspends one task at a line while everything else goes on. Used by task.c
 * (the gate, the end of a task, cancelling) and watchdog.c (whose hook it shares a thread with); the points
 * and what to do at one are Lua's (lua/luna/repl/breaks.lua). While there is neither a point nor a step, no
 * thread has the hook and the gate pays one comparison. */
#ifndef LN_BIND_BREAKS_H
#define LN_BIND_BREAKS_H

#include "bind/task.h"

/* Points, tasks that step, tasks that an error is to end: as long as it is above 0, every thread that runs
 * has the hook. */
extern int ln_breaks_armed;

void ln_breaks_arm(lua_State *L); /* this thread runs now, or the watchdog has taken its hook off */
void ln_breaks_hook(lua_State *L, lua_Debug *ar);
/* The held task goes on: raises the error on top of L (popped) at its next instruction. */
void ln_breaks_raise(struct ln_task *t, lua_State *L);
bool ln_breaks_holds(const struct ln_task *t);
void ln_breaks_forget(const struct ln_task *t); /* it ended, or is another's from now on */

#endif
