/* What runs a fuzz target where the compiler brings no libFuzzer: the files and folders named, then -runs=N
 * inputs that are made of them by simple changes (or of nothing), the same for the same -seed=S. An input
 * that crashes is left in crash.bin. -max_len=L bounds them, -seconds=T the time. */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CORPUS_MAX 4096

/* So that what the sanitizer finds passes keep_crash too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
  return "abort_on_error=1";
}

static struct {
  uint8_t *p;
  size_t n;
} corpus[CORPUS_MAX];
static size_t n_corpus;
static const uint8_t *current;
static size_t current_size;
static uint64_t state = 1;

static uint64_t draw(void)
{
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

/* The sanitizer and abort() both end here; write and _exit are all that may be called. */
static void keep_crash(int signo)
{
  int fd = open("crash.bin", O_CREAT | O_TRUNC | O_WRONLY, 0600);
  if (fd >= 0 && write(fd, current, current_size) < 0) signo |= 0;
  _exit(128 + signo);
}

/* Runs on a copy of exactly this size, so that a read past its end shows. */
static void run_one(const uint8_t *data, size_t size)
{
  uint8_t *copy = malloc(size ? size : 1);
  if (!copy) abort();
  if (size) memcpy(copy, data, size);
  current = copy;
  current_size = size;
  LLVMFuzzerTestOneInput(copy, size);
  current = NULL;
  current_size = 0;
  free(copy);
}

static void take_file(const char *path, size_t max)
{
  FILE *f = fopen(path, "rb");
  if (!f || n_corpus == CORPUS_MAX) {
    if (f) fclose(f);
    return;
  }
  uint8_t *p = malloc(max);
  if (!p) abort();
  corpus[n_corpus].n = fread(p, 1, max, f);
  corpus[n_corpus++].p = p;
  fclose(f);
}

static void take(const char *path, size_t max)
{
  struct stat st;
  DIR *dir;
  if (stat(path, &st) != 0) {
    fprintf(stderr, "%s: not there\n", path);
    exit(1);
  }
  if (!S_ISDIR(st.st_mode)) {
    take_file(path, max);
    return;
  }
  dir = opendir(path);
  if (!dir) return;
  for (struct dirent *e; (e = readdir(dir));) {
    char name[4096];
    snprintf(name, sizeof name, "%s/%s", path, e->d_name);
    if (stat(name, &st) == 0 && S_ISREG(st.st_mode)) take_file(name, max);
  }
  closedir(dir);
}

static size_t make(uint8_t *out, size_t max)
{
  size_t n;
  if (n_corpus > 0 && draw() % 8) {
    size_t which = draw() % n_corpus;
    n = corpus[which].n;
    memcpy(out, corpus[which].p, n);
  } else {
    n = draw() % (max < 256 || draw() % 4 == 0 ? max + 1 : 256);
    for (size_t i = 0; i < n; i++) out[i] = (uint8_t)(draw() >> 11);
  }
  for (uint64_t changes = draw() % 6; changes > 0 && n > 0; changes--) {
    static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff, 4, 16};
    size_t at = draw() % n;
    switch (draw() % 5) {
    case 0: out[at] ^= (uint8_t)(1u << draw() % 8); break;
    case 1: out[at] = telling[draw() % sizeof telling]; break;
    case 2: n = at + 1; break;
    case 3: /* a piece twice */
      for (size_t k = draw() % 32; k > 0 && n < max; k--) {
        out[n] = out[at++];
        n++;
      }
      break;
    default: out[at] = (uint8_t)draw();
    }
  }
  return n;
}

int main(int argc, char **argv)
{
  size_t max = 4096;
  unsigned long runs = 0, seconds = 0;
  ln_log_set_level(LN_LOG_FATAL_ERROR);
  for (int i = 1; i < argc; i++) {
    if (strncmp(argv[i], "-max_len=", 9) == 0) max = strtoul(argv[i] + 9, NULL, 10);
    if (strncmp(argv[i], "-runs=", 6) == 0) runs = strtoul(argv[i] + 6, NULL, 10);
    if (strncmp(argv[i], "-seconds=", 9) == 0) seconds = strtoul(argv[i] + 9, NULL, 10);
    if (strncmp(argv[i], "-seed=", 6) == 0) state = strtoul(argv[i] + 6, NULL, 10) * 2654435761u + 1;
  }
  if (max == 0 || max > (1u << 26)) max = 4096;
  for (int i = 1; i < argc; i++)
    if (argv[i][0] != '-') take(argv[i], max);
  signal(SIGABRT, keep_crash);
  signal(SIGSEGV, keep_crash);
  for (size_t i = 0; i < n_corpus; i++) run_one(corpus[i].p, corpus[i].n);
  uint8_t *input = malloc(max + 32);
  if (!input) abort();
  time_t end = time(NULL) + (time_t)seconds;
  unsigned long done = 0;
  for (; (runs ? done < runs : seconds > 0) && (!seconds || time(NULL) < end); done++)
    run_one(input, make(input, max));
  free(input);
  for (size_t i = 0; i < n_corpus; i++) free(corpus[i].p);
  printf("%zu from files, %lu made\n", n_corpus, done);
  return 0;
}
