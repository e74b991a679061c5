/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "bond.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process that does nothing until it is ended. */
static GPid
start_process (int *pidfd)
{
  GPid pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      for (;;)
        pause ();
    }
  *pidfd = syscall (SYS_pidfd_open, pid, 0);
  g_assert_cmpint (*pidfd, >=, 0);
  return pid;
}

static void
end_process (GPid pid)
{
  kill (pid, SIGKILL);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
}

static void
test_process (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PolkitSubject) subject = NULL, known = NULL;
  g_autoptr (RegiondBond) bond = NULL;
  int pidfd;
  GPid pid = start_process (&pidfd);

  bond = regiond_bond_new (pidfd, &error);
  close (pidfd);
  g_assert_no_error (error);
  g_assert_cmpuint (regiond_bond_get_pid (bond), ==, pid);
  g_assert_cmpuint (regiond_bond_get_uid (bond), ==, getuid ());
  g_assert_true (regiond_bond_check (bond, NULL));

  /* The library finds the same out by itself. */
  subject = regiond_bond_make_subject (bond);
  known = polkit_unix_process_new_for_owner (pid, 0, -1);
  g_assert_cmpuint (polkit_unix_process_get_start_time (POLKIT_UNIX_PROCESS (subject)), ==,
                    polkit_unix_process_get_start_time (POLKIT_UNIX_PROCESS (known)));
  g_assert_cmpint (polkit_unix_process_get_uid (POLKIT_UNIX_PROCESS (subject)), ==, getuid ());

  end_process (pid);
  g_assert_false (regiond_bond_check (bond, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "has ended");
}

/* It executes a program that is another user's, or leaves its rights behind. */
static void
test_another_user (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RegiondBond) bond = NULL;
  int pidfd, ends[2];
  char byte = 'x';
  GPid pid;

  if (getuid () != 0)
    {
      g_test_skip ("only the super-user can become somebody else");
      return;
    }

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  pid = fork ();
  if (pid == 0)
    {
      prctl (PR_SET_PDEATHSIG, SIGKILL);
      if (read (ends[1], &byte, 1) != 1 || setuid (65534) != 0 || write (ends[1], &byte, 1) != 1)
        _exit (1);
      for (;;)
        pause ();
    }
  pidfd = syscall (SYS_pidfd_open, pid, 0);
  bond = regiond_bond_new (pidfd, &error);
  g_assert_no_error (error);
  g_assert_true (regiond_bond_check (bond, NULL));

  g_assert_cmpint (write (ends[0], &byte, 1), ==, 1);
  g_assert_cmpint (read (ends[0], &byte, 1), ==, 1);
  g_assert_false (regiond_bond_check (bond, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_BUSY, "is user 65534's", "call again");
  end_process (pid);
  close (ends[0]);
  close (ends[1]);
  close (pidfd);
}

static void
must_not_bind (int         fd,
               GQuark      domain,
               int         code,
               const char *word)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (regiond_bond_new (fd, &error));
  assert_error_says (error, domain, code, "'bind-to'", word);
}

static void
test_no_process (void)
{
  int pidfd, file = memfd_create ("plain", MFD_CLOEXEC), ends[2];
  GPid pid = start_process (&pidfd);

  g_assert_cmpint (pipe (ends), ==, 0);
  must_not_bind (file, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "no pidfd");
  must_not_bind (ends[0], G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "no pidfd");
  must_not_bind (-1, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "no pidfd");

  /* Not waited for yet, and then. */
  kill (pid, SIGKILL);
  waitid (P_PID, pid, NULL, WEXITED | WNOWAIT);
  must_not_bind (pidfd, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "has ended");
  waitpid (pid, NULL, 0);
  must_not_bind (pidfd, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "has ended");

  close (ends[0]);
  close (ends[1]);
  close (file);
  close (pidfd);
}

/* In a PID namespace with a /proc of its own, where the outer process has no number. */
static int
bind_from_within (int outer)
{
  GPid child = fork ();
  int status;

  if (child == 0)
    {
      if (mount ("proc", "/proc", "proc", 0, NULL) < 0)
        _exit (77);
      must_not_bind (outer, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "namespace");
      _exit (0);
    }
  waitpid (child, &status, 0);
  return WIFEXITED (status) ? WEXITSTATUS (status) : 1;
}

static void
test_foreign_namespace (void)
{
  int pidfd, status;
  GPid process = start_process (&pidfd), child = fork ();

  if (child == 0)
    {
      if (unshare (CLONE_NEWPID | CLONE_NEWNS) < 0 || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        _exit (77);
      _exit (bind_from_within (pidfd));
    }
  waitpid (child, &status, 0);
  end_process (process);
  close (pidfd);
  g_assert_true (WIFEXITED (status));
  if (WEXITSTATUS (status) == 77)
    g_test_skip ("no namespace of its own can be had");
  else
    g_assert_cmpint (WEXITSTATUS (status), ==, 0);
}

static void
on_ended (gpointer data)
{
  (*(guint *) data)++;
}

static void
test_watch (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RegiondBonds) bonds = regiond_bonds_new (&error);
  g_autoptr (RegiondBond) bond = NULL, same = NULL, other = NULL;
  guint ended = 0, same_ended = 0, other_ended = 0;
  int pidfd, other_pidfd;
  GPid pid = start_process (&pidfd), other_pid = start_process (&other_pidfd);

  bond = regiond_bond_new (pidfd, &error);
  same = regiond_bond_new (pidfd, &error);
  other = regiond_bond_new (other_pidfd, &error);
  g_assert_no_error (error);
  g_assert_true (regiond_bond_watch (bond, bonds, on_ended, &ended, &error));
  g_assert_true (regiond_bond_watch (same, bonds, on_ended, &same_ended, &error));
  g_assert_true (regiond_bond_watch (other, bonds, on_ended, &other_ended, &error));

  end_process (pid);
  wait_until (ended > 0 && same_ended > 0);
  fixture_turn ();
  g_assert_cmpuint (ended, ==, 1);
  g_assert_cmpuint (same_ended, ==, 1);
  g_assert_cmpuint (other_ended, ==, 0);

  /* Who is freed is told nothing. */
  g_clear_pointer (&other, regiond_bond_free);
  end_process (other_pid);
  fixture_turn ();
  g_assert_cmpuint (other_ended, ==, 0);
  close (pidfd);
  close (other_pidfd);
}

static void
test_ended_before (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RegiondBonds) bonds = regiond_bonds_new (&error);
  g_autoptr (RegiondBond) bond = NULL;
  guint ended = 0;
  int pidfd;
  GPid pid = start_process (&pidfd);

  bond = regiond_bond_new (pidfd, &error);
  close (pidfd);
  end_process (pid);
  g_assert_true (regiond_bond_watch (bond, bonds, on_ended, &ended, &error));
  g_assert_cmpuint (ended, ==, 0);
  wait_until (ended == 1);
}

static void
test_unit (void)
{
  static const char *const cases[][2] = {
    { "0::/system.slice/podman.service\n", "podman.service" },
    { "0::/machine.slice/libpod-1234.scope/container\n", "libpod-1234.scope" },
    /* What is below is the user's own to name. */
    { "0::/user.slice/user-1000.slice/user@1000.service/app.slice/sshd.service\n", "user@1000.service" },
    { "0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope" },
    { "12:pids:/x.service\n1:name=systemd:/system.slice/cron.service\n0::/init.scope\n", "cron.service" },
    { "0::/user.slice/user-1000.slice/user@1000.service/x:name=systemd:/trusted.service\n", "user@1000.service" },
    { "0::/user.slice/x:0::/trusted.service\n", "" },
    /* Nor what is where no unit is. */
    { "0::/docker/1234/sshd.service\n", "" },
    { "0::/machine.slice/1234/sshd.service\n", "" },
    { "0::/\n", "" },
    { "", "" },
    { "12:pids:/x.service\n", "" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *unit = regiond_bond_find_unit (cases[i][0]);

      g_assert_cmpstr (unit, ==, cases[i][1]);
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/bond/the-process-is-known-by-its-pidfd", test_process);
  g_test_add_func ("/bond/a-process-that-has-become-another-users-is-not-the-one", test_another_user);
  g_test_add_func ("/bond/what-is-no-living-process-is-refused", test_no_process);
  g_test_add_func ("/bond/a-process-without-a-number-here-is-refused", test_foreign_namespace);
  g_test_add_func ("/bond/its-end-is-told-once-and-to-nobody-else", test_watch);
  g_test_add_func ("/bond/an-end-before-the-watch-is-told", test_ended_before);
  g_test_add_func ("/bond/the-unit-is-the-systems-own-word", test_unit);
  return g_test_run ();
}
