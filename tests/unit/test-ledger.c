/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "ledger.h"

#define ALICE 1000
#define BOB 1001

#define ONE ":1.1"
#define TWO ":1.2"

/* Only compared. */
static const char shm0, shm1, object, other;

static const RegiondLimits limits = {
  .leases = 6, .leases_per_user = 4, .leases_per_connection = 3, .proxied_leases_per_user = 2, .memory_per_user = 1000
};

static RegiondCharge *
charge (RegiondLedger *ledger,
        guint32        uid,
        const char    *connection,
        gconstpointer  device,
        guint64        memory)
{
  RegiondPurchase purchase = { uid, connection, device, memory, FALSE };
  g_autoptr (GError) error = NULL;
  gboolean patience;
  RegiondCharge *charge;

  g_assert_true (regiond_ledger_admits (ledger, &purchase, &error));
  charge = regiond_ledger_charge (ledger, &purchase, &patience, &error);
  g_assert_no_error (error);
  return charge;
}

/* Whether with patience. */
static gboolean
refuse (RegiondLedger *ledger,
        guint32        uid,
        const char    *connection,
        gconstpointer  device,
        guint64        memory,
        const char    *key)
{
  RegiondPurchase purchase = { uid, connection, device, memory, FALSE };
  g_autoptr (GError) error = NULL, early = NULL;
  gboolean patience;

  g_assert_null (regiond_ledger_charge (ledger, &purchase, &patience, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, key);
  g_assert_true (regiond_ledger_admits (ledger, &purchase, &early) == patience);
  return patience;
}

static void
test_leases (void)
{
  g_autoptr (RegiondLedger) ledger = regiond_ledger_new (&limits);
  RegiondCharge *charges[6];

  for (int i = 0; i < 3; i++)
    charges[i] = charge (ledger, ALICE, ONE, &shm0, 1);
  refuse (ledger, ALICE, ONE, &shm0, 1, "MaxLeasesPerConnection");
  charges[3] = charge (ledger, ALICE, TWO, &shm0, 1);
  refuse (ledger, ALICE, TWO, &shm0, 1, "MaxLeasesPerUser");
  charges[4] = charge (ledger, BOB, ":1.3", &shm0, 1);
  charges[5] = charge (ledger, BOB, ":1.3", &shm0, 1);
  refuse (ledger, BOB, ":1.3", &shm0, 1, "(MaxLeases)");

  /* An ended one counts like any other. */
  regiond_charge_end (charges[0], &object, 1);
  refuse (ledger, BOB, ":1.3", &shm0, 1, "(MaxLeases)");
  regiond_charge_free (charges[0]);
  charges[0] = charge (ledger, ALICE, ONE, &shm0, 1);
  for (int i = 0; i < 6; i++)
    regiond_charge_free (charges[i]);
}

/* Of all his connections; those that have ended as well, and nobody else's. */
static void
test_proxied (void)
{
  g_autoptr (RegiondLedger) ledger = regiond_ledger_new (&limits);
  const RegiondPurchase purchases[] = {
    { ALICE, ONE, &shm0, 1, TRUE }, { ALICE, TWO, &shm0, 1, TRUE }, { ALICE, ONE, &shm0, 1, FALSE },
    { BOB, ":1.3", &shm0, 1, TRUE },
  };
  RegiondCharge *charges[G_N_ELEMENTS (purchases)];
  g_autoptr (RegiondCharge) again = NULL;
  g_autoptr (GError) error = NULL;
  gboolean patience;

  for (guint i = 0; i < G_N_ELEMENTS (purchases); i++)
    {
      charges[i] = regiond_ledger_charge (ledger, &purchases[i], &patience, &error);
      g_assert_no_error (error);
    }
  regiond_charge_end (charges[0], NULL, 0);
  g_assert_null (regiond_ledger_charge (ledger, &purchases[0], &patience, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "MaxProxiedLeasesPerUser", "2");
  g_assert_false (patience);
  regiond_charge_free (charges[0]);
  again = regiond_ledger_charge (ledger, &purchases[0], &patience, NULL);
  g_assert_nonnull (again);
  for (guint i = 1; i < G_N_ELEMENTS (charges); i++)
    regiond_charge_free (charges[i]);
}

static void
test_root (void)
{
  g_autoptr (RegiondLedger) ledger = regiond_ledger_new (&limits);
  RegiondCharge *charges[3];

  for (int i = 0; i < 3; i++)
    charges[i] = charge (ledger, 0, ONE, &shm0, 1);
  refuse (ledger, 0, ONE, &shm0, 1, "MaxLeasesPerConnection");
  for (int i = 0; i < 3; i++)
    regiond_charge_free (charges[i]);
}

/* However many leases on the device; and each of those who share it. */
static void
test_device_once (void)
{
  g_autoptr (RegiondLedger) ledger = regiond_ledger_new (&limits);
  g_autoptr (RegiondCharge) first = charge (ledger, ALICE, ONE, &shm0, 600), second = NULL, third = NULL, bobs = NULL;

  second = charge (ledger, ALICE, ONE, &shm0, 600);
  g_assert_false (refuse (ledger, ALICE, ONE, &shm1, 401, "MaxMemoryPerUser=1000"));
  third = charge (ledger, ALICE, ONE, &shm1, 400);
  bobs = charge (ledger, BOB, TWO, &shm0, 600);
  g_assert_false (refuse (ledger, BOB, TWO, &shm1, 401, "MaxMemoryPerUser=1000"));
  g_assert_false (refuse (ledger, BOB, TWO, &shm1, G_MAXUINT64, "MaxMemoryPerUser=1000"));

  /* It is the last one that gives it back. */
  g_clear_pointer (&first, regiond_charge_free);
  refuse (ledger, ALICE, ONE, &other, 1, "MaxMemoryPerUser");
  g_clear_pointer (&second, regiond_charge_free);
  second = charge (ledger, ALICE, ONE, &other, 600);
}

/* What is left of ended leases counts once for each object, and may be worth
 * waiting for. */
static void
test_left (void)
{
  g_autoptr (RegiondLedger) ledger = regiond_ledger_new (&limits);
  g_autoptr (RegiondCharge) first = charge (ledger, ALICE, ONE, &shm0, 800), second = NULL, again = NULL;

  second = charge (ledger, ALICE, ONE, &shm0, 800);
  regiond_charge_end (first, &object, 500);
  regiond_charge_end (second, &object, 500);
  g_assert_true (refuse (ledger, ALICE, TWO, &shm0, 501, "MaxMemoryPerUser=1000"));
  again = charge (ledger, ALICE, TWO, &shm0, 500);
  g_clear_pointer (&again, regiond_charge_free);
  g_clear_pointer (&first, regiond_charge_free);
  g_assert_true (refuse (ledger, ALICE, TWO, &shm0, 501, "MaxMemoryPerUser=1000"));
  g_clear_pointer (&second, regiond_charge_free);
  again = charge (ledger, ALICE, TWO, &shm0, 1000);
}

/* A lease that was cut at once has no memory any more, and counts on. */
static void
test_cut (void)
{
  g_autoptr (RegiondLedger) ledger = regiond_ledger_new (&limits);
  RegiondCharge *charges[3];

  for (int i = 0; i < 3; i++)
    {
      charges[i] = charge (ledger, ALICE, ONE, &shm0, 1000);
      regiond_charge_end (charges[i], NULL, 0);
    }
  refuse (ledger, ALICE, ONE, &shm0, 1, "MaxLeasesPerConnection");
  charges[0] = (regiond_charge_free (charges[0]), charge (ledger, ALICE, ONE, &shm0, 1000));
  for (int i = 0; i < 3; i++)
    regiond_charge_free (charges[i]);
}

static void
add_tests (void)
{
  g_test_add_func ("/ledger/leases-have-three-limits", test_leases);
  g_test_add_func ("/ledger/of-proxied-leases-a-user-has-fewer", test_proxied);
  g_test_add_func ("/ledger/root-is-not-exempt", test_root);
  g_test_add_func ("/ledger/a-device-is-charged-once-to-each-of-its-users", test_device_once);
  g_test_add_func ("/ledger/what-is-left-of-a-lease-counts", test_left);
  g_test_add_func ("/ledger/what-was-cut-at-once-has-no-memory", test_cut);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
