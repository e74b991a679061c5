/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <grp.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "user.h"

static void
test_who_is_there (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (CtlUser) root = ctl_user_find ("root", &error);
  g_auto (GStrv) environment = NULL;
  g_autoptr (CtlUser) nobody = NULL;

  g_assert_no_error (error);
  g_assert_cmpuint (root->uid, ==, 0);
  g_assert_cmpint (root->n_groups, >, 0);
  environment = ctl_user_set_environment (root, NULL);
  g_assert_cmpstr (g_environ_getenv (environment, "HOME"), ==, "/root");
  g_assert_cmpstr (g_environ_getenv (environment, "USER"), ==, "root");
  g_assert_cmpstr (g_environ_getenv (environment, "LOGNAME"), ==, "root");

  nobody = ctl_user_find ("no-such-user", &error);
  g_assert_null (nobody);
  g_assert_nonnull (strstr (error->message, "no-such-user"));
}

static void
test_for_good (void)
{
  g_autoptr (CtlUser) nobody = ctl_user_find ("nobody", NULL);
  gid_t groups[64];
  int status;
  pid_t pid;

  if (geteuid () != 0)
    {
      g_test_skip ("only root can become somebody else");
      return;
    }

  pid = fork ();
  if (pid == 0)
    _exit (!(ctl_user_become (nobody) && getuid () == nobody->uid && getgid () == nobody->gid &&
             getgroups (G_N_ELEMENTS (groups), groups) == nobody->n_groups && groups[0] == nobody->groups[0] &&
             setresuid (0, 0, 0) == -1));
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (ctl_child_get_status (status), ==, 0);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/user/who-is-there", test_who_is_there);
  g_test_add_func ("/user/for-good", test_for_good);
  return g_test_run ();
}
