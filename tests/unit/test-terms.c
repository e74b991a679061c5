/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "terms.h"

#include <string.h>

static void
test_access (void)
{
  const char *const valid[] = { "r", "w", "rw", "rm", "rwm" };

  for (gsize i = 0; i < G_N_ELEMENTS (valid); i++)
    {
      RegiondAccess access = 0;

      g_assert_true (regiond_access_parse (valid[i], &access));
      g_assert_cmpstr (regiond_access_to_string (access), ==, valid[i]);
      g_assert_cmpint ((access & REGIOND_ACCESS_WRITE) != 0, ==, strchr (valid[i], 'w') != NULL);
      g_assert_cmpint ((access & REGIOND_ACCESS_MAP) != 0, ==, strchr (valid[i], 'm') != NULL);
      g_assert_cmpint ((access & REGIOND_ACCESS_READ) != 0, ==, strchr (valid[i], 'r') != NULL);
    }
}

static void
test_bad_access (void)
{
  const char *const bad[] = { "", "m", "wm", "rr", "wr", "mr", "mr w", "rwm ", " r", "R", "rwx", "rwmm" };
  g_autofree char *endless = g_strnfill (10000, 'r');
  RegiondAccess access = REGIOND_ACCESS_MAP;

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_false (regiond_access_parse (bad[i], &access));
  g_assert_false (regiond_access_parse (endless, &access));
  g_assert_cmpint (access, ==, REGIOND_ACCESS_MAP);
}

static void
test_revocation (void)
{
  RegiondRevocation on_close, detached, immediate;

  g_assert_true (regiond_revocation_parse ("on-close", &on_close));
  g_assert_true (regiond_revocation_parse ("detached", &detached));
  g_assert_true (regiond_revocation_parse ("immediate", &immediate));
  g_assert_cmpint (on_close, <, detached);
  g_assert_cmpint (detached, <, immediate);
  g_assert_cmpstr (regiond_revocation_to_string (detached), ==, "detached");
  g_assert_false (regiond_revocation_parse ("Immediate", &immediate));
  g_assert_false (regiond_revocation_parse ("", &immediate));
}

static void
test_names (void)
{
  g_assert_cmpstr (regiond_mechanism_to_string (REGIOND_MECHANISM_MEMFD), ==, "memfd");
  g_assert_cmpstr (regiond_device_state_to_string (REGIOND_DEVICE_PARKED), ==, "parked");
  g_assert_cmpstr (regiond_device_state_to_string (REGIOND_DEVICE_LEASED), ==, "leased");
  g_assert_cmpstr (regiond_device_state_to_string (REGIOND_DEVICE_DRAINING), ==, "draining");
  g_assert_cmpstr (regiond_device_state_to_string (REGIOND_DEVICE_RESETTING), ==, "resetting");
  g_assert_cmpstr (regiond_device_state_to_string (REGIOND_DEVICE_FAILED), ==, "failed");
  g_assert_cmpstr (regiond_device_state_to_string (REGIOND_DEVICE_GONE), ==, "gone");
  g_assert_cmpstr (regiond_lease_state_to_string (REGIOND_LEASE_ACTIVE), ==, "active");
  g_assert_cmpstr (regiond_lease_state_to_string (REGIOND_LEASE_REVOKING), ==, "revoking");
  g_assert_cmpstr (regiond_lease_state_to_string (REGIOND_LEASE_LINGERING), ==, "lingering");
}

static void
test_ends (void)
{
  g_assert_cmpstr (regiond_end_to_string (REGIOND_END_RELEASED), ==, "released");
  g_assert_cmpstr (regiond_end_to_string (REGIOND_END_DISCONNECTED), ==, "disconnected");
  g_assert_cmpstr (regiond_end_to_string (REGIOND_END_REVOKED), ==, "revoked");
  g_assert_cmpstr (regiond_end_to_string (REGIOND_END_SUPERSEDED), ==, "superseded");
  g_assert_cmpstr (regiond_end_to_string (REGIOND_END_REMOVED), ==, "removed");
  g_assert_cmpstr (regiond_end_to_string (REGIOND_END_SHUTDOWN), ==, "shutdown");
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/terms/the-five-accesses-are-understood", test_access);
  g_test_add_func ("/terms/any-other-spelling-is-refused", test_bad_access);
  g_test_add_func ("/terms/a-stronger-revocation-is-greater", test_revocation);
  g_test_add_func ("/terms/states-are-spelled-as-on-the-bus", test_names);
  g_test_add_func ("/terms/ends-are-spelled-as-on-the-bus", test_ends);
  return g_test_run ();
}
