/* libedit, opened when a terminal first needs it: it and what it pulls in cost every other program start a
 * millisecond and a megabyte. Only stdio.c uses it. */
#ifndef LN_BIND_EDITLINE_H
#define LN_BIND_EDITLINE_H

#include <stdio.h>
#include <editline/readline.h>

#define LN_EDITLINE_FUNCTIONS(X) \
  X(rl_initialize)               \
  X(rl_callback_handler_install) \
  X(rl_callback_handler_remove)  \
  X(rl_callback_read_char)       \
  X(rl_forced_update_display)    \
  X(rl_set_prompt)               \
  X(add_history)                 \
  X(read_history)                \
  X(write_history)               \
  X(stifle_history)

struct ln_editline {
#define LN_EDITLINE_MEMBER(name) __typeof__(&name) name;
  LN_EDITLINE_FUNCTIONS(LN_EDITLINE_MEMBER)
#undef LN_EDITLINE_MEMBER
  __typeof__(rl_readline_name) *rl_readline_name;
  __typeof__(rl_catch_signals) *rl_catch_signals;
  __typeof__(rl_line_buffer) *rl_line_buffer;
  __typeof__(rl_attempted_completion_function) *rl_attempted_completion_function;
  __typeof__(rl_attempted_completion_over) *rl_attempted_completion_over;
  __typeof__(rl_completion_append_character) *rl_completion_append_character;
};

/* NULL where the library is not installed or lacks something. */
const struct ln_editline *ln_editline(void);

#endif
