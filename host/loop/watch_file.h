/* Files that are watched for changes, as an editor makes them: written in place, or replaced by a rename.
 * What is watched is the folders, since a replaced file is another one. For bind/watch_files.c. */
#ifndef LN_LOOP_WATCH_FILE_H
#define LN_LOOP_WATCH_FILE_H

#include "loop/loop.h"

#include <stdbool.h>

struct ln_file_watch;

/* Watches that many paths, each in its folder; "folder/" and a star is whatever is in it. left[i] says
 * whether the i-th was left out, since its folder cannot be watched. fn runs on the loop once for a burst of
 * changes: 50 ms after the last, or half a second after the first, whichever comes sooner. It may close the
 * watch. Does not keep the program alive. LN_E_NOMEM. */
int ln_file_watch_open(struct ln_loop *loop, const char *const *paths, size_t n, void (*fn)(void *ctx),
                       void *ctx, struct ln_file_watch **out, bool *left);
void ln_file_watch_close(struct ln_file_watch *w); /* NULL is fine */

#endif
