/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "program.h"

#include <sys/wait.h>
#include <unistd.h>

static void
test_living (void)
{
  g_autofree char *name = agent_program_describe (getpid ());
  g_autofree char *expected = g_strdup_printf ("test-agent-program (process %d)", getpid ());

  g_assert_cmpstr (name, ==, expected);
}

static void
test_gone (void)
{
  g_autofree char *name = NULL;
  g_autofree char *expected = NULL;
  pid_t pid = fork ();

  if (pid == 0)
    _exit (0);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  name = agent_program_describe (pid);
  expected = g_strdup_printf ("Process %d", pid);
  g_assert_cmpstr (name, ==, expected);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/program/has-a-name", test_living);
  g_test_add_func ("/program/one-that-has-gone-has-a-number", test_gone);
  return g_test_run ();
}
