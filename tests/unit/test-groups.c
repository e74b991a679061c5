/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "yard.h"

#include <unistd.h>

/* Of another user, or of the same where there is but one. */
static GDBusConnection *
connect_other (Yard *y)
{
  return geteuid () == 0 ? fixture_connect_as (y->fixture, 1) : NULL;
}

static void
test_one_user (Yard *y,
               Card *card)
{
  g_autoptr (Card) sibling = yard_plug (y, SIBLING, 4);
  GDBusConnection *other = connect_other (y), *mine = fixture_connect (y->fixture);
  g_autoptr (RegiondLease) lease = NULL, beside = NULL, theirs = NULL;

  if (other == NULL)
    {
      g_test_skip ("two users' parts need root");
      client_leave (mine);
      return;
    }

  /* Another program of the same user may have the other device. */
  lease = yard_must_open (y, y->person, CARD, "bar2", "rw");
  beside = yard_must_open (y, mine, SIBLING, "bar2", "rw");
  yard_release (mine, beside);
  yard_must_refuse (y, other, SIBLING, "rw", NULL, REGIOND_ERROR_BUSY, CARD);
  yard_must_refuse (y, other, SIBLING, "rw", NULL, REGIOND_ERROR_BUSY, g_dbus_connection_get_unique_name (y->person));

  /* The devices of a group, not those who share one of them. */
  theirs = yard_must_open (y, other, CARD, "bar2", "rw");
  yard_release (other, theirs);
  g_clear_object (&theirs);
  yard_release (y->person, lease);
  theirs = yard_must_open (y, other, SIBLING, "bar2", "rw");
  yard_must_refuse (y, y->person, CARD, "rw", NULL, REGIOND_ERROR_BUSY, SIBLING);
  client_leave (other);
  client_leave (mine);
}

static void
test_exclusive (Yard *y,
                Card *card)
{
  g_autoptr (Card) sibling = yard_plug (y, SIBLING, 4);
  GDBusConnection *other = fixture_connect (y->fixture);
  const char *alone = "{'exclusive': <true>}";
  g_autoptr (RegiondLease) lease = yard_open (y, y->person, CARD, "bar2", "rwm", alone, NULL), own = NULL, again = NULL;

  g_assert_nonnull (lease);
  yard_must_refuse (y, other, SIBLING, "rw", NULL, REGIOND_ERROR_BUSY, regiond_lease_get_path (lease));
  own = yard_must_open (y, y->person, SIBLING, "bar2", "rw");
  yard_release (y->person, own);
  bar_let_go (regiond_lease_get_hold (own));

  /* Cut, and still held: it is in the way of whoever wants the group alone. */
  yard_release (y->person, lease);
  wait_until (card->claimed);
  yard_must_refuse (y, other, SIBLING, "rw", alone, REGIOND_ERROR_LINGERING, regiond_lease_get_path (lease));
  again = yard_must_open (y, other, SIBLING, "bar2", "rw");
  yard_must_refuse (y, y->person, CARD, "rw", alone, REGIOND_ERROR_BUSY, regiond_lease_get_path (again));
  yard_release (other, again);
  client_leave (other);
}

/* Nobody else is let in before it is known whether somebody who has died still has something. */
static void
test_dying_beside (Yard *y,
                   Card *card)
{
  g_autoptr (Card) sibling = yard_plug (y, SIBLING, 4);
  GDBusConnection *dying = fixture_connect (y->fixture);
  g_autoptr (RegiondLease) lease = yard_must_open (y, dying, CARD, "bar2", "rwm");
  g_auto (Promise) next = { FALSE, NULL, NULL };

  card->by_hand = TRUE;
  client_leave (dying);
  wait_until (card_count_cutting (card) == 1);
  yard_call_open (y->person, SIBLING, "bar2", "rwm", NULL, &next);
  yard_idle (100);
  g_assert_false (next.done);
  yard_expect_told (sibling, "");
  card_finish_cut (card, TRUE);
  wait_until (next.done);
  g_assert_no_error (next.error);
}

static void
test_leaves_while_opening (Yard *y,
                           Card *card)
{
  g_autoptr (Card) sibling = yard_plug (y, SIBLING, 4);
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  g_auto (Promise) next = { FALSE, NULL, NULL };

  card->by_hand = TRUE;
  g_mutex_lock (&sibling->gate);
  sibling->hangs = TRUE;
  yard_call_open (y->person, SIBLING, "bar2", "rwm", NULL, &next);
  yard_expect_told (sibling, "attach");
  yard_release (y->person, lease);
  sibling->hangs = FALSE;
  g_mutex_unlock (&sibling->gate);
  wait_until (card_count_cutting (card) == 1);
  g_assert_false (next.done);
  card_finish_cut (card, TRUE);
  wait_until (next.done);
  g_assert_no_error (next.error);
}

static void
test_uncut_beside (Yard *y,
                   Card *card)
{
  g_autoptr (Card) sibling = yard_plug (y, SIBLING, 4);
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");

  card->uncuttable = TRUE;
  yard_release (y->person, lease);
  wait_until (!regiond_tenancy_is_unsettled (regiond_device_get_tenancy (yard_find (y, CARD))));
  yard_must_refuse (y, y->person, SIBLING, "rw", NULL, REGIOND_ERROR_LINGERING, CARD);
  bar_let_go (regiond_lease_get_hold (lease));
  yard_expect_told (card, "attach open settle park");
  g_object_unref (yard_must_open (y, y->person, SIBLING, "bar2", "rw"));
}

static void
test_remains_beside (Yard *y,
                     Card *card)
{
  g_autoptr (Card) sibling = yard_plug (y, SIBLING, 4);

  card->remains = 1;
  yard_must_refuse (y, y->person, SIBLING, "rw", "{'exclusive': <true>}", REGIOND_ERROR_LINGERING, CARD);
  g_object_unref (yard_must_open (y, y->person, SIBLING, "bar2", "rw"));
}

static void
test_no_group (Yard *y,
               Card *card)
{
  g_autoptr (Card) sibling = yard_plug (y, SIBLING, -1), far = yard_plug (y, "0000:01:00.0", 5);
  GDBusConnection *other = fixture_connect (y->fixture);
  char *members[] = { (char *) CARD, NULL };
  RegiondIdentity moved = { .address = (char *) SIBLING, .driver = (char *) "vfio-pci", .iommu_group = 4,
                            .group_devices = members };
  g_autoptr (RegiondLease) lease = yard_open (y, y->person, CARD, "bar2", "rw", "{'exclusive': <true>}", NULL);
  g_autoptr (RegiondLease) apart = yard_must_open (y, other, SIBLING, "bar2", "rw");
  g_autoptr (RegiondLease) elsewhere = yard_must_open (y, other, "0000:01:00.0", "bar2", "rw");

  /* It comes into the group, and its leases are in the way of others; it goes with its device. */
  yard_release (y->person, lease);
  g_clear_object (&lease);
  regiond_device_set_identity (yard_find (y, SIBLING), &moved);
  yard_must_refuse (y, y->person, CARD, "rw", "{'exclusive': <true>}", REGIOND_ERROR_BUSY, SIBLING);
  regiond_daemon_remove_device (y->daemon, yard_find (y, SIBLING), REGIOND_END_UNPLUGGED);
  lease = yard_open (y, y->person, CARD, "bar2", "rw", "{'exclusive': <true>}", NULL);
  g_assert_nonnull (lease);
  client_leave (other);
}

static void
add_tests (void)
{
  yard_add ("/groups/one-user-at-a-time", test_one_user);
  yard_add ("/groups/exclusive-is-the-whole-group", test_exclusive);
  yard_add ("/groups/one-who-dies-is-waited-for", test_dying_beside);
  yard_add ("/groups/one-who-leaves-meanwhile-is-waited-for", test_leaves_while_opening);
  yard_add ("/groups/what-cannot-be-cut-keeps-everybody-out-of-all-of-it", test_uncut_beside);
  yard_add ("/groups/exclusive-waits-for-what-a-former-run-has-left", test_remains_beside);
  yard_add ("/groups/others-are-no-business-of-its", test_no_group);
}

int
main (int   argc,
      char *argv[])
{
  return yard_main (argc, argv, add_tests, "/groups/the-bus-may-go");
}
