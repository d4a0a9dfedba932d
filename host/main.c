/* The program `luna`: makes the host and gives the word to lua/luna/cli. */
#include "bind/host.h"
#include "base/err.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#ifdef __linux__
#include <malloc.h>
#include <sys/prctl.h>
#endif

/* A program may be started without its standard files; the next file that it opened, a session perhaps, would
 * be taken for one of them. */
static void standard_files(void)
{
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0) (void)open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
}

/* Instead of ignoring SIGPIPE, which programs that a script starts would inherit: a handler ends with exec.
 */
static void broken_pipe(int number)
{
  (void)number;
}

int main(int argc, char **argv)
{
  struct ln_host *host = NULL;
  struct rlimit no_core = {0, 0};
  standard_files();
#ifdef M_ARENA_MAX
  mallopt(M_ARENA_MAX, 1); /* an arena for each thread of the pool would only lie there */
#endif
  mode_t given = umask(077); /* session, history, sandbox data: for their owner alone */
  sigaction(SIGPIPE, &(struct sigaction){.sa_handler = broken_pipe, .sa_flags = SA_RESTART}, NULL);
  setrlimit(RLIMIT_CORE, &no_core); /* keys never land in a core file */
#ifdef PR_SET_DUMPABLE
  prctl(PR_SET_DUMPABLE, 0);
#endif
  int err = ln_host_new(argc, argv, &host);
  if (err) {
    fprintf(stderr, "luna: cannot start: %s\n", ln_err_text(err));
    return 1;
  }
  host->umask = given;
  int status = ln_host_run(host, "luna.cli");
  ln_host_free(host);
  fflush(stdout);
  return status;
}
