/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/remains.h"
#include "fixture.h"
#include "witnessed.h"

#include <unistd.h>

#define ADDRESS "0000:00:10.0"

static void
add (RegiondRemains *remains,
     gint32          serial)
{
  g_autoptr (GArray) serials = g_array_new (FALSE, FALSE, sizeof serial);

  g_array_append_val (serials, serial);
  regiond_remains_add (remains, serials);
}

static void
test_gone (void)
{
  g_autoptr (RegiondRemains) remains = regiond_remains_new (ADDRESS);
  g_autoptr (GError) error = NULL;
  RegiondWitness witness;
  int fd;

  if (witnessed_skip ())
    return;

  g_assert_true (regiond_remains_check (remains, &error));
  fd = witnessed_open (&witness);
  add (remains, witness.keyring);
  g_assert_cmpuint (regiond_remains_count (remains), ==, 1);
  g_assert_false (regiond_remains_check (remains, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_LINGERING, ADDRESS, "1 references", "Verify");
  close (fd);
  wait_until (regiond_remains_count (remains) == 0);
  g_assert_true (regiond_remains_check (remains, NULL));
}

static void
test_unknown (void)
{
  g_autoptr (RegiondRemains) remains = regiond_remains_new (ADDRESS);

  add (remains, 0);
  g_assert_cmpuint (regiond_remains_count (remains), ==, 1);
  g_assert_false (regiond_remains_check (remains, NULL));
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remains/nothing-is-lent-beside-them-until-they-are-gone", test_gone);
  g_test_add_func ("/remains/of-what-nothing-is-known-something-is-left", test_unknown);
  return g_test_run ();
}
