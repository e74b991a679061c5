/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tally.h"

#define ALICE 1000
#define BOB 1001
#define SECOND G_USEC_PER_SEC

/* Counts @n of @uid's at @now: how many are told, and how many the last of those says were not. */
static guint
count (RegiondTally *tally,
       guint32       uid,
       gint64        now,
       guint         n,
       guint        *omitted)
{
  guint told = 0;

  for (guint i = 0; i < n; i++)
    told += regiond_tally_count (tally, uid, now, omitted);
  return told;
}

static void
test_a_flood (void)
{
  g_autoptr (RegiondTally) tally = regiond_tally_new ();
  guint omitted = 99;

  g_assert_cmpuint (count (tally, ALICE, SECOND, 1000, &omitted), ==, REGIOND_TALLY_MOST);
  g_assert_cmpuint (omitted, ==, 0);
  g_assert_cmpuint (count (tally, ALICE, 2 * SECOND - 1, 10, &omitted), ==, 0);
  g_assert_cmpuint (count (tally, ALICE, 2 * SECOND, 1, &omitted), ==, 1);
  g_assert_cmpuint (omitted, ==, 1000);
  g_assert_cmpuint (count (tally, ALICE, 2 * SECOND, 1, &omitted), ==, 1);
  g_assert_cmpuint (omitted, ==, 0);
}

static void
test_a_neighbour (void)
{
  g_autoptr (RegiondTally) tally = regiond_tally_new ();
  guint omitted = 99;

  count (tally, ALICE, SECOND, 1000, &omitted);
  g_assert_cmpuint (count (tally, BOB, SECOND, 1, &omitted), ==, 1);
  g_assert_cmpuint (omitted, ==, 0);
  /* Whoever comes first makes room, and what is owed is not forgotten. */
  g_assert_cmpuint (count (tally, BOB + 1, 60 * SECOND, 1, &omitted), ==, 1);
  g_assert_cmpuint (count (tally, ALICE, 60 * SECOND, 1, &omitted), ==, 1);
  g_assert_cmpuint (omitted, ==, 1000 - REGIOND_TALLY_MOST);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tally/a-flood-is-counted-not-told", test_a_flood);
  g_test_add_func ("/tally/a-flood-silences-no-neighbour", test_a_neighbour);
  return g_test_run ();
}
