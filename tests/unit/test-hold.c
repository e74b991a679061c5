/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "objects.h"

#include <signal.h>
#include <unistd.h>

static void
test_gone (void)
{
  g_auto (Objects) o;
  g_autoptr (RegiondMemfd) memfd = NULL;
  g_autoptr (RegiondHold) one = NULL, other = NULL;
  int first, second;

  objects_init (&o, PAGE);
  memfd = objects_make (&o, PAGE);
  one = objects_open (memfd, RWM, &first);
  other = objects_open (memfd, RWM, &second);
  g_assert_false (regiond_hold_is_gone (one));
  close (first);
  wait_until (regiond_hold_is_gone (one));
  g_assert_false (regiond_hold_is_gone (other));

  /* The last one is known at once: nobody at all is left. */
  close (second);
  g_assert_true (regiond_hold_is_gone (other));
}

static void
test_cut (void)
{
  g_auto (Objects) o;
  g_autoptr (RegiondMemfd) shared = NULL, another = NULL;
  g_autoptr (RegiondHold) one = NULL, other = NULL, apart = NULL;
  int fds[3];

  objects_init (&o, 2 * PAGE);
  shared = objects_make (&o, PAGE);
  another = objects_make (&o, PAGE);
  one = objects_open (shared, RWM, &fds[0]);
  other = objects_open (shared, RM, &fds[1]);
  apart = objects_open (another, RWM, &fds[2]);

  g_assert_true (regiond_hold_shares_fate (one, other));
  g_assert_false (regiond_hold_shares_fate (one, apart));
  g_assert_false (regiond_hold_is_cut (one));
  regiond_hold_cut (one);
  g_assert_true (regiond_hold_is_cut (one));
  g_assert_true (regiond_hold_is_cut (other));
  g_assert_true (regiond_memfd_is_retired (shared));
  g_assert_false (regiond_hold_is_cut (apart));
  g_assert_false (regiond_memfd_is_retired (another));
  for (int i = 0; i < 3; i++)
    close (fds[i]);
}

static void
on_stirred (gpointer data)
{
  (*(guint *) data)++;
}

static void
test_listen (void)
{
  g_auto (Objects) o;
  g_autoptr (RegiondMemfd) memfd = NULL;
  g_autoptr (RegiondHold) one = NULL, other = NULL;
  guint stirred = 0, second_stirred = 0;
  int first, second;

  objects_init (&o, PAGE);
  memfd = objects_make (&o, PAGE);
  one = objects_open (memfd, RWM, &first);
  other = objects_open (memfd, RWM, &second);
  g_assert_true (regiond_hold_listen (one, on_stirred, &stirred, NULL));
  g_assert_true (regiond_hold_listen (other, on_stirred, &second_stirred, NULL));
  close (second);
  wait_until (stirred > 0);
  g_assert_cmpuint (second_stirred, ==, 0);
  stirred = 0;
  close (first);
  wait_until (stirred > 0);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  signal (SIGIO, SIG_IGN);
  g_test_add_func ("/hold/of-two-it-is-told-which-one-is-gone", test_gone);
  g_test_add_func ("/hold/a-cut-hits-whoever-shares-it-and-nobody-else", test_cut);
  g_test_add_func ("/hold/sharers-have-one-listener", test_listen);
  return g_test_run ();
}
