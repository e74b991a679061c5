/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "registers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static void
count_call (gpointer data)
{
  *(guint *) data += 1;
}

static void
test_cut_under_way (void)
{
  int fd, status;
  g_auto (Proxies) p = proxies_set_up ();
  guint told = 0;
  g_autoptr (RegiondHold) hold = proxies_open (&p, R, &fd);
  pid_t pid;

  g_assert_true (regiond_hold_listen (hold, count_call, &told, NULL));
  registers_let (p.registers, FALSE);
  pid = holder_start (read_once, fd);
  wait_until (registers_count_begun (p.registers) == 1);
  g_assert_false (regiond_hold_is_cutting (hold));

  /* The holder hears of it at once; the device is not idle before the access
   * has come back, and so nothing has been taken away until then. */
  regiond_hold_cut (hold);
  wait_until (holder_has_ended (pid, &status));
  g_assert_cmpint (WEXITSTATUS (status), ==, ECONNABORTED);
  g_assert_false (regiond_hold_is_gone (hold));
  g_assert_false (regiond_hold_is_cut (hold));
  g_assert_true (regiond_hold_is_cutting (hold));
  g_assert_true (p.registers->ended);
  g_assert_cmpuint (told, ==, 0);
  registers_let (p.registers, TRUE);
  wait_until (told > 0);
  g_assert_true (regiond_hold_is_cut (hold));
  g_assert_false (regiond_hold_is_cutting (hold));
  g_assert_true (regiond_hold_is_gone (hold));
  close (fd);
}

/* It has ended, and waits to be asked how. */
static gboolean
is_over (pid_t pid)
{
  siginfo_t info = { .si_pid = 0 };

  return waitid (P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

static guint
count_over (const pid_t *pids,
            guint        n)
{
  guint over = 0;

  for (guint i = 0; i < n; i++)
    over += is_over (pids[i]);
  return over;
}

static int
write_once (int fd)
{
  return pwrite (fd, "x", 1, 1) == 1 ? 0 : errno;
}

/* In the kernel, and not running: nothing else lets a holder wait. */
static gboolean
waits (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *stat = NULL;

  g_assert_true (g_file_get_contents (path, &stat, NULL, NULL));
  return strstr (stat, ") S ") != NULL || strstr (stat, ") D ") != NULL;
}

static void
kill_all (Act           act,
          RegiondAccess access)
{
  int fd, status;
  g_auto (Proxies) p = proxies_set_up ();
  g_autoptr (RegiondHold) hold = proxies_open (&p, access, &fd);
  pid_t pids[3];

  registers_let (p.registers, FALSE);
  for (gsize i = 0; i < G_N_ELEMENTS (pids); i++)
    {
      pids[i] = holder_start (act, fd);
      wait_until (registers_count_begun (p.registers) == 1 && waits (pids[i]));
    }

  /* One is at it and two wait: the kernel lets none of them go unanswered. The
   * one at it goes last. */
  for (gsize i = G_N_ELEMENTS (pids); i-- > 0;)
    {
      kill (pids[i], SIGKILL);
      wait_until (holder_has_ended (pids[i], &status));
      g_assert_cmpint (WTERMSIG (status), ==, SIGKILL);
    }
  g_assert_false (regiond_hold_is_gone (hold));
  registers_let (p.registers, TRUE);
  proxies_finish (&hold, fd);
  g_assert_cmpuint (registers_count_begun (p.registers), <=, 3);
}

static void
test_killed (void)
{
  kill_all (read_once, R);
}

static void
test_killed_writing (void)
{
  kill_all (write_once, W);
}

static void
on_alarm (int signal)
{
}

/* Interrupted soon after it has begun. */
static int
read_interrupted (int fd)
{
  const struct itimerval soon = { .it_value.tv_usec = 20 * 1000 };
  const struct sigaction action = { .sa_handler = on_alarm };

  sigaction (SIGALRM, &action, NULL);
  setitimer (ITIMER_REAL, &soon, NULL);
  return read_once (fd);
}

static void
test_interrupted (void)
{
  int fd, status;
  g_auto (Proxies) p = proxies_set_up ();
  g_autoptr (RegiondHold) hold = proxies_open (&p, R, &fd);
  pid_t pid;

  registers_let (p.registers, FALSE);
  pid = holder_start (read_interrupted, fd);
  wait_until (holder_has_ended (pid, &status));
  g_assert_cmpint (WEXITSTATUS (status), ==, EINTR);
  g_assert_cmpuint (registers_count_done (p.registers), ==, 0);
  registers_let (p.registers, TRUE);
  proxies_finish (&hold, fd);
}

static void
test_slow (void)
{
  g_auto (Proxies) p = proxies_set_up ();
  g_autoptr (Registers) slow = g_object_new (TYPE_REGISTERS, NULL);
  RegiondProxyTerms terms = { REGIOND_SOURCE (slow), 0, SIZE, R, HOLDER };
  g_autoptr (RegiondHold) hold = NULL, quick = NULL;
  int fd, stuck;
  char byte;
  pid_t pid;

  registers_let (slow, FALSE);
  hold = regiond_proxy_open (p.objects.server, p.objects.watch, &terms, &stuck, NULL);
  quick = proxies_open (&p, R, &fd);
  pid = holder_start (read_once, stuck);
  wait_until (registers_count_begun (slow) == 1);
  for (int i = 0; i < 100; i++)
    g_assert_cmpint (pread (fd, &byte, 1, 1), ==, 1);
  g_assert_cmpuint (registers_count_done (slow), ==, 0);
  registers_let (slow, TRUE);
  wait_until (holder_has_ended (pid, NULL));
  proxies_finish (&quick, fd);
  proxies_finish (&hold, stuck);
}

/* Those that serve: a pool of workers has its own. */
static guint
count_threads (void)
{
  g_autoptr (GDir) tasks = g_dir_open ("/proc/self/task", 0, NULL);
  const char *task;
  guint n = 0;

  while ((task = g_dir_read_name (tasks)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", task, "comm", NULL);
      g_autofree char *name = NULL;

      n += g_file_get_contents (path, &name, NULL, NULL) && g_str_equal (name, "proxy\n");
    }
  return n;
}

static void
test_idle (void)
{
  g_auto (Proxies) p = proxies_set_up ();
  RegiondHold *holds[50];
  int fds[50];
  guint before;

  holds[0] = proxies_open (&p, R, &fds[0]);
  before = count_threads ();
  for (gsize i = 1; i < G_N_ELEMENTS (holds); i++)
    holds[i] = proxies_open (&p, R, &fds[i]);
  g_assert_cmpuint (count_threads (), <=, before);
  for (gsize i = 0; i < G_N_ELEMENTS (holds); i++)
    proxies_finish (&holds[i], fds[i]);
}

/* It waits for the answer to a request of its own. */
static gboolean
is_asleep (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/wchan", pid);
  g_autofree char *where = NULL;

  return g_file_get_contents (path, &where, NULL, NULL) && g_str_equal (where, "request_wait_answer");
}

/* What waits when the end comes never reaches the device. */
static void
test_waiting (void)
{
  int fd, status;
  g_auto (Proxies) p = proxies_set_up ();
  g_autoptr (RegiondHold) hold = proxies_open (&p, R | W, &fd);
  pid_t reader, writer;

  registers_let (p.registers, FALSE);
  reader = holder_start (read_once, fd);
  wait_until (registers_count_begun (p.registers) == 1);
  writer = holder_start (write_once, fd);
  wait_until (is_asleep (writer));
  regiond_hold_cut (hold);
  registers_let (p.registers, TRUE);
  wait_until (holder_has_ended (reader, &status));
  wait_until (holder_has_ended (writer, &status));
  g_assert_cmpint (WEXITSTATUS (status), !=, 0);
  proxies_finish (&hold, fd);
  g_assert_cmpuint (registers_count_begun (p.registers), ==, 1);
  g_assert_cmpint (p.registers->bytes[1], ==, 1);
}

#define CROWD 400

/* One of a crowd is told, instead of what waits growing for ever. */
static void
test_crowd (void)
{
  int fd, status;
  g_auto (Proxies) p = proxies_set_up ();
  g_autofree pid_t *pids = g_new0 (pid_t, CROWD);
  guint n = 0;
  g_autoptr (RegiondHold) hold = proxies_open (&p, R, &fd);

  registers_let (p.registers, FALSE);
  while (n < CROWD)
    pids[n++] = holder_start (read_once, fd);

  wait_until (count_over (pids, CROWD) > 0);
  g_assert_cmpuint (registers_count_begun (p.registers), ==, 1);
  registers_let (p.registers, TRUE);
  for (guint i = 0; i < CROWD; i++)
    {
      wait_until (holder_has_ended (pids[i], &status));
      g_assert_true (WEXITSTATUS (status) == 0 || WEXITSTATUS (status) == ENOMEM);
    }
  proxies_finish (&hold, fd);
}

#define WRITERS 80
#define WIDTH (1024 * 1024)
#define COPIED_MOST 64 /* of them, in transfers.c */

static int
write_much (int fd)
{
  g_autofree char *bytes = g_malloc0 (WIDTH);

  return pwrite (fd, bytes, WIDTH, 0) == WIDTH ? 0 : errno;
}

/* Before Linux 6.2 the kernel hands on one write of a file at a time. */
static gboolean
writes_are_parallel (void)
{
  struct utsname kernel;
  guint major, minor;

  uname (&kernel);
  return sscanf (kernel.release, "%u.%u", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 2));
}

/* Nor does what they want to write fill the memory: there is room for so much,
 * and afterwards again. */
static void
test_bytes (void)
{
  g_auto (Proxies) p = proxies_set_up ();
  g_autoptr (RegiondHold) hold = NULL;
  pid_t pids[WRITERS], reader;
  int fd, status;

  if (!writes_are_parallel ())
    {
      g_test_skip ("this kernel lets writes wait");
      return;
    }

  hold = proxies_open_part (&p, R | W, 0, WIDTH, &fd);
  for (guint round = 0; round < 2; round++)
    {
      guint refused = 0;

      registers_let (p.registers, FALSE);
      reader = holder_start (read_once, fd);
      wait_until (registers_count_begun (p.registers) == registers_count_done (p.registers) + 1);
      for (guint i = 0; i < WRITERS; i++)
        pids[i] = holder_start (write_much, fd);
      wait_until (count_over (pids, WRITERS) >= WRITERS - COPIED_MOST - 1);
      registers_let (p.registers, TRUE);

      /* This device has no such width. */
      for (guint i = 0; i < WRITERS; i++)
        {
          wait_until (holder_has_ended (pids[i], &status));
          g_assert_true (WEXITSTATUS (status) == EINVAL || WEXITSTATUS (status) == ENOMEM);
          refused += WEXITSTATUS (status) == ENOMEM;
        }
      wait_until (holder_has_ended (reader, &status));
      g_assert_cmpuint (refused, >=, WRITERS - COPIED_MOST - 1);
      g_assert_cmpuint (refused, <=, WRITERS - COPIED_MOST);
    }
  proxies_finish (&hold, fd);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transfers/a-cut-ends-the-access-under-way", test_cut_under_way);
  g_test_add_func ("/transfers/a-client-killed-at-an-access-is-gone", test_killed);
  g_test_add_func ("/transfers/a-client-killed-at-a-write-is-gone", test_killed_writing);
  g_test_add_func ("/transfers/an-interrupted-access-comes-back", test_interrupted);
  g_test_add_func ("/transfers/one-slow-region-stops-no-other", test_slow);
  g_test_add_func ("/transfers/idle-leases-cost-no-thread", test_idle);
  g_test_add_func ("/transfers/what-waits-at-the-cut-is-not-made", test_waiting);
  g_test_add_func ("/transfers/writes-that-wait-take-so-much-memory", test_bytes);
  g_test_add_func ("/transfers/a-crowd-does-not-wait-without-end", test_crowd);
  return g_test_run ();
}
