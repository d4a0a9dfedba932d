/* Which addresses count as private. */
#include "loop/http.h"
#include "spec.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static const char *const privates[] = {"127.0.0.1",
                                       "127.255.255.254",
                                       "0.0.0.0",
                                       "0.1.2.3",
                                       "10.0.0.1",
                                       "10.255.255.255",
                                       "172.16.0.1",
                                       "172.31.255.255",
                                       "192.168.1.1",
                                       "169.254.169.254",
                                       "100.64.0.1",
                                       "100.127.255.255",
                                       "192.0.0.1",
                                       "198.18.0.1",
                                       "198.19.255.255",
                                       "224.0.0.1",
                                       "239.1.1.1",
                                       "240.0.0.1",
                                       "255.255.255.255",
                                       "::",
                                       "::1",
                                       "::ffff:127.0.0.1",
                                       "::ffff:10.0.0.1",
                                       "::127.0.0.1",
                                       "64:ff9b::7f00:1",
                                       "2002:7f00:1::",
                                       "2002:a00:1::",
                                       "fc00::1",
                                       "fdff::1",
                                       "fe80::1",
                                       "febf::1",
                                       "fec0::1",
                                       "ff02::1"};
static const char *const publics[] = {"1.1.1.1",
                                      "9.255.255.255",
                                      "11.0.0.0",
                                      "126.255.255.255",
                                      "128.0.0.1",
                                      "172.15.255.255",
                                      "172.32.0.0",
                                      "192.167.255.255",
                                      "192.169.0.0",
                                      "192.0.1.1",
                                      "100.63.255.255",
                                      "100.128.0.0",
                                      "169.253.255.255",
                                      "198.17.255.255",
                                      "198.20.0.0",
                                      "223.255.255.255",
                                      "149.154.167.51",
                                      "2001:b28:f23d:f001::a",
                                      "2606:4700:4700::1111",
                                      "::ffff:8.8.8.8",
                                      "64:ff9b::808:808",
                                      "2002:808:808::",
                                      "fb00::1"};

static bool of(const char *text)
{
  union {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
  } a;
  memset(&a, 0, sizeof a);
  if (inet_pton(AF_INET, text, &a.four.sin_addr) == 1) {
    a.any.sa_family = AF_INET;
  } else {
    assert_int_equal(inet_pton(AF_INET6, text, &a.six.sin6_addr), 1);
    a.any.sa_family = AF_INET6;
  }
  return ln_address_is_private(&a.any);
}

static void addresses(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof privates / sizeof *privates; i++) {
    if (!of(privates[i]) || !ln_host_is_private(privates[i])) fail_msg("%s is private", privates[i]);
  }
  for (size_t i = 0; i < sizeof publics / sizeof *publics; i++) {
    if (of(publics[i]) || ln_host_is_private(publics[i])) fail_msg("%s is public", publics[i]);
  }
}

static void hosts(void **state)
{
  (void)state;
  assert_true(ln_host_is_private("localhost"));
  assert_true(ln_host_is_private("LocalHost."));
  assert_true(ln_host_is_private("a.localhost"));
  assert_false(ln_host_is_private("notlocalhost"));
  assert_false(ln_host_is_private("localhost.example.org"));
  assert_true(ln_host_is_private("[::1]"));
  assert_true(ln_host_is_private("[fe80::1%eth0]"));
  assert_false(ln_host_is_private("[2606:4700:4700::1111]"));
  assert_false(ln_host_is_private(""));
  assert_false(ln_host_is_private("example.org"));
}

static void others(void **state)
{
  (void)state;
  struct sockaddr a = {.sa_family = AF_UNIX};
  assert_true(ln_address_is_private(&a));
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(addresses), cmocka_unit_test(hosts),
                                     cmocka_unit_test(others)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
