/* Inside store/: the session file as a file: who owns it, who may read it, who has it open. */
#ifndef LN_STORE_FILE_H
#define LN_STORE_FILE_H

#include <sys/types.h>
#include "store/store.h"

struct ln_store_file {
  int fd;     /* holds the lock; -1: none. It must be closed after SQLite's own descriptors of the same file:
                 closing any of them drops SQLite's locks. */
  char *path; /* absolute, its folder free of links; owned */
  off_t size;
  bool journal; /* an interrupted transaction of rollback mode has to be undone first */
  bool unclean; /* a write-ahead log was left behind */
};

/* Errors and texts as ln_store_open. Nothing of an existing file is changed but its mode. */
int ln_store_file_open(const char *path, struct ln_store_file *f, char errtext[LN_STORE_ERRTEXT]);
void ln_store_file_close(struct ln_store_file *f);

#endif
