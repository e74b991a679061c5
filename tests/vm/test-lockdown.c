/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "bench.h"
#include "guest.h"

/* Run with --append lockdown=integrity. */
static gboolean
is_other_kernel (void)
{
  if (guest_is_locked_down ())
    return FALSE;
  g_test_skip ("needs lockdown=integrity");
  return TRUE;
}

static void
test_mapping_is_refused_with_the_reason (void)
{
  g_autoptr (Bench) bench = NULL;
  g_autofree char *why = NULL;
  g_autoptr (Opened) opened = NULL;

  if (is_other_kernel ())
    return;
  bench = bench_new (GUEST_IVSHMEM);
  opened = person_open (bench->bob, bench->id, "bar2", "r", "{}");
  why = person_open_fails (bench->alice, ERROR ("NotSupported"), bench->id, "bar2", "rwm", "{}");
  g_assert_nonnull (strstr (why, "lockdown"));
}

/* Everything else goes by way of VFIO's fd. */
static void
test_proxied_leases_work (void)
{
  g_autoptr (Bench) bench = NULL;
  g_autoptr (Opened) hers = NULL;
  g_autoptr (Opened) his = NULL;
  g_autofree char *bytes = NULL;

  if (is_other_kernel ())
    return;
  bench = bench_new (GUEST_IVSHMEM);
  hers = person_open (bench->alice, bench->id, "bar2", "rw", "{}");
  his = person_open (bench->bob, bench->id, "bar2", "r", "{}");
  g_free (person_do (bench->alice, "pwrite", hers->fd, "4000", "locked", NULL));
  bytes = person_do (bench->bob, "pread", his->fd, "4000", NULL);
  g_assert_cmpstr (bytes, ==, "locked");
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/lockdown/mapping-is-refused-with-the-reason", test_mapping_is_refused_with_the_reason);
  g_test_add_func ("/lockdown/proxied-leases-work", test_proxied_leases_work);
  return g_test_run ();
}
