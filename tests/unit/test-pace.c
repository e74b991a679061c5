/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pace.h"

#include <time.h>

static void
toil (guint milliseconds)
{
  clock_t until = clock () + milliseconds * (CLOCKS_PER_SEC / 1000);

  while (clock () < until)
    ;
}

static void
test_never_done (void)
{
  RegiondPace pace = { 0 };

  g_assert_cmpint (regiond_pace_get_pause (&pace), ==, 0);
  g_assert_cmpint (regiond_pace_get_rest (&pace), ==, 0);
}

static void
test_rests (void)
{
  RegiondPace pace = { 0 };

  regiond_pace_begin (&pace);
  toil (20);
  regiond_pace_end (&pace);
  g_assert_cmpint (regiond_pace_get_pause (&pace), >=, 9 * 15 * 1000);
  g_assert_cmpint (regiond_pace_get_rest (&pace), <=, regiond_pace_get_pause (&pace));
}

static void
test_stands_still (void)
{
  RegiondPace pace = { 0 };

  regiond_pace_begin (&pace);
  g_usleep (100 * 1000);
  regiond_pace_end (&pace);
  g_assert_cmpint (regiond_pace_get_pause (&pace), <, 100 * 1000);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pace/what-was-never-done-needs-no-rest", test_never_done);
  g_test_add_func ("/pace/who-has-worked-rests-nine-times-as-long", test_rests);
  g_test_add_func ("/pace/who-was-held-up-has-not-worked", test_stands_still);
  return g_test_run ();
}
