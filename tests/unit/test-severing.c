/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "yard.h"

#include <string.h>

#define PATIENCE_MS 250

static guint
count_lingering (Yard *y)
{
  return regiond_device_count_lingering (yard_find (y, CARD));
}

static void
test_dies_alone (Yard *y,
                 Card *card)
{
  GDBusConnection *dying = fixture_connect (y->fixture);
  g_autoptr (RegiondLease) lease = yard_must_open (y, dying, CARD, "bar2", "rwm");
  g_auto (Promise) next = { FALSE, NULL, NULL };

  yard_expect_told (card, "attach open");
  client_leave (dying);
  wait_until (regiond_lease_has_ended (lease));
  g_assert_true (yard_sees (y, CARD, REGIOND_DEVICE_DRAINING));
  yard_call_open (y->person, CARD, "bar2", "rwm", NULL, &next);
  yard_idle (PATIENCE_MS / 5);

  /* Nobody is let in, nothing is cut or parked, until it is known. */
  g_assert_false (next.done);
  yard_expect_told (card, "");
  bar_let_go (regiond_lease_get_hold (lease));
  wait_until (next.done);
  g_assert_no_error (next.error);
  g_assert_false (card->claimed);
  yard_expect_told (card, "settle park attach open");
}

static void
test_live_holder (Yard *y,
                  Card *card)
{
  GDBusConnection *leaky = fixture_connect (y->fixture);
  g_autoptr (RegiondLease) lease = yard_must_open (y, leaky, CARD, "bar2", "rwm");
  g_auto (Promise) mapped = { FALSE, NULL, NULL }, proxied = { FALSE, NULL, NULL };
  gint64 before = g_get_monotonic_time ();

  card->by_hand = TRUE;
  client_leave (leaky);
  wait_until (card_count_cutting (card) == 1);
  g_assert_cmpint (g_get_monotonic_time () - before, >=, PATIENCE_MS * 1000);
  yard_expect_told (card, "attach open");
  yard_call_open (y->person, CARD, "bar2", "rwm", NULL, &mapped);
  yard_call_open (y->person, CARD, "bar2", "rw", NULL, &proxied);

  /* However long it takes. */
  yard_idle (PATIENCE_MS * 2);
  g_assert_false (mapped.done || proxied.done);
  yard_expect_told (card, "");
  g_assert_true (yard_sees (y, CARD, REGIOND_DEVICE_DRAINING));
  card_finish_cut (card, TRUE);
  wait_until (mapped.done && proxied.done);
  g_assert_error (mapped.error, REGIOND_ERROR, REGIOND_ERROR_LINGERING);
  g_assert_no_error (proxied.error);
  yard_expect_told (card, "park attach open");

  /* Let go of when nothing is left, though somebody has a lease. */
  g_assert_cmpuint (count_lingering (y), ==, 1);
  bar_let_go (regiond_lease_get_hold (lease));
  yard_expect_told (card, "settle");
  g_assert_cmpuint (count_lingering (y), ==, 0);
}

static void
test_superseded (Yard *y,
                 Card *card)
{
  GDBusConnection *other = fixture_connect (y->fixture);
  g_autoptr (RegiondLease) revoked = yard_must_open (y, other, CARD, "bar2", "rwm");
  g_autoptr (RegiondLease) neighbour = yard_must_open (y, y->person, CARD, "bar0", "rwm");
  g_autoptr (RegiondLease) proxied = yard_must_open (y, y->person, CARD, "config", "r");
  g_autoptr (Ear) ear = ear_new (y->person, "Lease");
  g_auto (Promise) promise = { FALSE, NULL, NULL };

  yard_call_revoke (y->person, revoked, &promise);
  wait_until (promise.done);
  g_assert_no_error (promise.error);
  wait_until (ear_heard (ear, "Ended('superseded',)"));
  g_assert_true (regiond_lease_has_ended (neighbour));
  g_assert_false (regiond_lease_is_leaked (revoked));
  g_assert_false (regiond_lease_has_ended (proxied));
  g_assert_cmpuint (ear->heard->len, ==, 1);

  /* One of two is not all. */
  bar_let_go (regiond_lease_get_hold (revoked));
  wait_until (count_lingering (y) == 1);
  yard_expect_told (card, "attach open attach open attach open");
  bar_let_go (regiond_lease_get_hold (neighbour));
  yard_expect_told (card, "settle");
  g_clear_pointer (&ear, ear_free);
  client_leave (other);
}

static void
test_revoke (Yard *y,
             Card *card)
{
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  g_auto (Promise) promise = { FALSE, NULL, NULL }, again = { FALSE, NULL, NULL };

  card->by_hand = TRUE;
  yard_call_revoke (y->person, lease, &promise);
  wait_until (card_count_cutting (card) == 1);

  /* No patience with who has what is taken from him. */
  g_assert_cmpint (regiond_lease_get_patience (lease), ==, 0);
  yard_idle (PATIENCE_MS);
  g_assert_true (regiond_lease_has_ended (lease));
  g_assert_false (promise.done);
  card_finish_cut (card, TRUE);
  wait_until (promise.done);
  g_assert_no_error (promise.error);
  yard_call_revoke (y->person, lease, &again);
  wait_until (again.done);
  g_assert_error (again.error, REGIOND_ERROR, REGIOND_ERROR_GONE);
}

/* It closes what it has while that is being cut: there is nothing to cut any more. */
static void
test_revoke_closed (Yard *y,
                    Card *card)
{
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  g_auto (Promise) promise = { FALSE, NULL, NULL };

  card->by_hand = TRUE;
  yard_call_revoke (y->person, lease, &promise);
  wait_until (card_count_cutting (card) == 1);
  bar_let_go (regiond_lease_get_hold (lease));
  wait_until (promise.done);
  g_assert_no_error (promise.error);
  card_finish_cut (card, TRUE);
}

static void
expect_uncut (Yard         *y,
              Card         *card,
              RegiondLease *lease)
{
  const char *path = regiond_lease_get_path (lease);

  /* Not even a proxied one: what is left still reaches the device. */
  yard_must_refuse (y, y->person, CARD, "r", NULL, REGIOND_ERROR_LINGERING, path);
  g_assert_true (yard_sees (y, CARD, REGIOND_DEVICE_DRAINING));
  yard_idle (PATIENCE_MS);
  yard_expect_told (card, "attach open");
  bar_let_go (regiond_lease_get_hold (lease));
  yard_expect_told (card, "settle park");
  wait_until (yard_sees (y, CARD, REGIOND_DEVICE_PARKED));
  g_object_unref (yard_must_open (y, y->person, CARD, "bar2", "r"));
}

static void
test_uncuttable (Yard *y,
                 Card *card)
{
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  g_auto (Promise) promise = { FALSE, NULL, NULL };

  card->uncuttable = TRUE;
  yard_call_revoke (y->person, lease, &promise);
  wait_until (promise.done);
  assert_error_says (promise.error, REGIOND_ERROR, REGIOND_ERROR_LINGERING, CARD, "Verify");
  expect_uncut (y, card, lease);
}

static void
test_cut_fails (Yard *y,
                Card *card)
{
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  g_auto (Promise) promise = { FALSE, NULL, NULL };

  card->by_hand = TRUE;
  yard_call_revoke (y->person, lease, &promise);
  wait_until (card_count_cutting (card) == 1);
  card_finish_cut (card, FALSE);
  wait_until (promise.done);
  g_assert_error (promise.error, REGIOND_ERROR, REGIOND_ERROR_LINGERING);
  expect_uncut (y, card, lease);
}

static void
test_cut_hangs (Yard *y,
                Card *card)
{
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  g_auto (Promise) promise = { FALSE, NULL, NULL };

  card->by_hand = TRUE;
  yard_call_revoke (y->person, lease, &promise);
  yard_idle (REGIOND_CUT_MOST_MS - 500);
  g_assert_false (promise.done);
  wait_until (promise.done);
  g_assert_error (promise.error, REGIOND_ERROR, REGIOND_ERROR_LINGERING);
  expect_uncut (y, card, lease);
}

static void
test_proxied (Yard *y,
              Card *card)
{
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rw");

  /* It costs nothing to cut, so nobody waits; nor for its last access to return. */
  yard_release (y->person, lease);
  yard_expect_told (card, "attach open park");
  g_assert_cmpuint (count_lingering (y), ==, 1);
  g_object_unref (yard_must_open (y, y->person, CARD, "bar2", "rwm"));
  bar_let_go (regiond_lease_get_hold (lease));
  wait_until (count_lingering (y) == 0);
  yard_idle (20);
  yard_expect_told (card, "attach open");
}

/* Of a lease on a BAR of 16 GiB, where everybody may have 4 MiB of memory. */
static void
test_no_memory (void)
{
  g_autoptr (Yard) y = yard_new ();
  g_autoptr (Card) card = card_new ();
  RegiondDeviceTerms terms = { .id = "big", .description = "", .backend = REGIOND_BACKEND (card) };
  g_autoptr (RegiondLease) lease = NULL;
  g_autoptr (GError) error = NULL;

  ((RegiondRegion *) g_ptr_array_index (card->regions, 1))->size = G_GUINT64_CONSTANT (16) << 30;
  g_assert_nonnull (regiond_daemon_add_device (y->daemon, &terms, &error));
  g_assert_cmpuint (regiond_device_get_size (yard_find (y, "big")), ==, 0);
  lease = yard_must_open (y, y->person, "big", "bar2", "rwm");
  g_assert_null (regiond_daemon_add_device (y->daemon, &terms, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY);
  card->uncuttable = TRUE;
  yard_release (y->person, lease);
  yard_idle (PATIENCE_MS * 2);

  /* What is left of it is none, either. */
  g_object_unref (yard_must_open (y, y->person, "shm0", "bar2", "rwm"));
}

static void
test_shown (Yard *y,
            Card *card)
{
  RegiondDBusDevice *device = REGIOND_DBUS_DEVICE (yard_find (y, CARD));
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar0", "rm");
  g_autofree char *vendor = fake_polkit_get_detail (y->fixture->polkit, "vendor"), *regions = NULL;
  g_autofree char *model = fake_polkit_get_detail (y->fixture->polkit, "model");
  g_autofree char *class = fake_polkit_get_detail (y->fixture->polkit, "class");
  g_autofree char *driver = fake_polkit_get_detail (y->fixture->polkit, "driver");
  g_autofree char *group = fake_polkit_get_detail (y->fixture->polkit, "iommu_group");
  g_autofree char *address = fake_polkit_get_detail (y->fixture->polkit, "address");

  g_assert_cmpstr (vendor, ==, "0x1af4");
  g_assert_cmpstr (model, ==, "0x1110");
  g_assert_cmpstr (class, ==, "0x050000");
  g_assert_cmpstr (driver, ==, "vfio-pci");
  g_assert_cmpstr (group, ==, "4");
  g_assert_cmpstr (address, ==, CARD);

  g_assert_cmpstr (regiond_dbus_device_get_id (device), ==, CARD);
  g_assert_cmpstr (regiond_device_get_path (yard_find (y, "0000_00_10_0")), ==, CARD_PATH);
  g_assert_null (yard_find (y, "0000:00_10.0"));
  g_assert_cmpuint (regiond_dbus_device_get_subsystem_id (device), ==, 0x1100);
  g_assert_cmpint (regiond_dbus_device_get_iommu_group (device), ==, 4);
  g_assert_cmpstr (regiond_dbus_device_get_group_devices (device)[1], ==, SIBLING);
  g_assert_cmpstr (regiond_dbus_device_get_isolation (device), ==, "iommu");
  g_assert_cmpstr (regiond_dbus_lease_get_isolation (REGIOND_DBUS_LEASE (lease)), ==, "iommu");
  regions = g_variant_print (regiond_dbus_device_get_regions (device), FALSE);
  g_assert_nonnull (strstr (regions, "'bar0': {'index': <uint32 0>, 'size': <uint64 8192>, 'kind': <'mmio'>, 'prefetchable': <true>, "
                                     "'64-bit': <false>, 'access': <'rwm'>"));
  g_assert_nonnull (strstr (regions, "'config': {'index': <uint32 2>, 'size': <uint64 256>, 'kind': <'config'>, 'access'"));
}

/* Regions that are there already stay what they are, for those who have them. */
static void
test_learns (Yard *y,
             Card *card)
{
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  RegiondDBusDevice *device = REGIOND_DBUS_DEVICE (yard_find (y, CARD));
  g_autofree char *regions = NULL;

  g_assert_null (regiond_device_find_region (yard_find (y, CARD), "vga", NULL));
  card_learn (card, "vga");
  regions = g_variant_print (regiond_dbus_device_get_regions (device), FALSE);
  g_assert_nonnull (strstr (regions, "'vga': {"));
  g_object_unref (yard_must_open (y, y->person, CARD, "vga", "r"));
  g_assert_cmpstr (regiond_lease_get_window (lease)->region->name, ==, "bar2");
}

static guint freed;

static void
count_freed (gpointer region)
{
  regiond_region_unref (region);
  freed++;
}

/* Who has something of it keeps that, and nobody keeps the rest. */
static void
test_forgets (Yard *y,
              Card *card)
{
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  guint n = card->regions->len;

  g_ptr_array_set_free_func (card->regions, count_freed);
  freed = 0;
  card_learn (card, "vga");
  g_assert_cmpuint (freed, ==, n);
  g_assert_cmpstr (regiond_lease_get_window (lease)->region->name, ==, "bar2");
}

static void
test_changes_meanwhile (Yard *y,
                        Card *card)
{
  g_auto (Promise) weaker = { FALSE, NULL, NULL }, other = { FALSE, NULL, NULL }, blocked = { FALSE, NULL, NULL };
  g_autoptr (GError) error = NULL;
  guint asked = fake_polkit_count_asked (y->fixture->polkit);

  fake_polkit_set_answer (y->fixture->polkit, FAKE_POLKIT_HANG);
  yard_call_open (y->person, CARD, "bar2", "rwm", NULL, &weaker);
  wait_until (fake_polkit_count_asked (y->fixture->polkit) == asked + 1);
  card->revocation = REGIOND_REVOCATION_ON_CLOSE;
  fake_polkit_set_answer (y->fixture->polkit, FAKE_POLKIT_YES);
  wait_until (weaker.done);
  assert_error_says (weaker.error, REGIOND_ERROR, REGIOND_ERROR_BUSY, "call again");

  fake_polkit_set_answer (y->fixture->polkit, FAKE_POLKIT_HANG);
  yard_call_open (y->person, CARD, "bar2", "rwm", NULL, &other);
  wait_until (fake_polkit_count_asked (y->fixture->polkit) == asked + 2);
  card->claimed = TRUE;
  fake_polkit_set_answer (y->fixture->polkit, FAKE_POLKIT_YES);
  wait_until (other.done);
  assert_error_says (other.error, REGIOND_ERROR, REGIOND_ERROR_LINGERING, "bar2", CARD, "claimed");

  card->claimed = FALSE;
  fake_polkit_set_answer (y->fixture->polkit, FAKE_POLKIT_HANG);
  yard_call_open (y->person, CARD, "bar2", "rwm", NULL, &blocked);
  wait_until (fake_polkit_count_asked (y->fixture->polkit) == asked + 3);
  card->blocker = g_error_new_literal (REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED, "a member has another driver");
  fake_polkit_set_answer (y->fixture->polkit, FAKE_POLKIT_YES);
  wait_until (blocked.done);
  g_assert_error (blocked.error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED);
  yard_expect_told (card, "");

  /* Nobody is asked for a password for it. */
  g_assert_null (yard_open (y, y->person, CARD, "bar2", "rwm", NULL, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED);
  g_assert_cmpuint (fake_polkit_count_asked (y->fixture->polkit), ==, asked + 3);
}

static void
test_combining (Yard *y,
                Card *card)
{
  const char *text = "{'write-combining': <true>}";
  g_autoptr (GError) error = NULL;
  g_autoptr (RegiondLease) lease = yard_open (y, y->person, CARD, "bar0", "rwm", text, &error);
  g_autoptr (RegiondLease) alone = NULL, plain = NULL;

  g_assert_no_error (error);
  yard_must_refuse (y, y->person, CARD, "rwm", text, REGIOND_ERROR_NOT_SUPPORTED, "not prefetchable");
  g_assert_null (yard_open (y, y->person, CARD, "bar0", "rw", text, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, "mappings");
  alone = yard_open (y, y->person, CARD, "bar2", "rwm", "{'exclusive': <true>}", NULL);
  plain = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  yard_expect_told (card, "attach open-combining attach open-exclusive attach open");
}

static void
test_not_isolated (Yard *y,
                   Card *card)
{
  card->lies = TRUE;
  yard_must_refuse (y, y->person, CARD, "rwm", NULL, REGIOND_ERROR_NOT_ISOLATED, "not isolated");
  yard_expect_told (card, "attach open park");
  g_assert_cmpuint (card->bars->len, ==, 0);
  g_assert_cmpuint (regiond_tenancy_count_active (regiond_device_get_tenancy (yard_find (y, CARD))), ==, 0);
}

static void
add_tests (void)
{
  yard_add ("/severing/a-dying-process-is-given-a-moment-though-alone", test_dies_alone);
  yard_add ("/severing/a-live-holder-is-cut-and-nobody-let-in-before", test_live_holder);
  yard_add ("/severing/who-is-hit-by-a-cut-is-superseded", test_superseded);
  yard_add ("/severing/a-revocation-is-answered-when-it-is-cut", test_revoke);
  yard_add ("/severing/a-revocation-is-answered-when-nothing-is-left", test_revoke_closed);
  yard_add ("/severing/what-cannot-be-cut-keeps-everybody-out", test_uncuttable);
  yard_add ("/severing/a-cut-that-fails-keeps-everybody-out", test_cut_fails);
  yard_add ("/severing/a-cut-that-hangs-has-failed", test_cut_hangs);
  yard_add ("/severing/a-proxied-lease-holds-up-nobody", test_proxied);
  g_test_add_func ("/severing/a-bar-is-no-memory", test_no_memory);
  yard_add ("/severing/a-pci-device-tells-what-it-is", test_shown);
  yard_add ("/severing/regions-may-be-added", test_learns);
  yard_add ("/severing/what-was-known-before-is-kept-for-nobody", test_forgets);
  yard_add ("/severing/what-changes-while-polkit-is-asked-is-noticed", test_changes_meanwhile);
  yard_add ("/severing/write-combining-is-for-prefetchable-mappings", test_combining);
  yard_add ("/severing/nothing-goes-out-before-it-is-isolated", test_not_isolated);
}

int
main (int   argc,
      char *argv[])
{
  return yard_main (argc, argv, add_tests, "/severing/the-bus-may-go");
}
