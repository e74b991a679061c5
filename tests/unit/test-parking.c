/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "yard.h"

#define GRACE_MS 150
#define LIMIT_MS 100

static RegiondTenancy *
get_tenancy (Yard *y)
{
  return regiond_device_get_tenancy (yard_find (y, CARD));
}

static void
set_error (GError    **error,
           int         code,
           const char *why)
{
  g_clear_error (error);
  *error = g_error_new_literal (REGIOND_ERROR, code, why);
}

static void
must_reset (Yard *y)
{
  g_auto (Promise) promise = { FALSE, NULL, NULL };

  yard_call_reset (y->person, CARD, &promise);
  wait_until (promise.done);
  g_assert_no_error (promise.error);
}

static void
verify (Yard    *y,
        Promise *promise)
{
  client_call_later (y->person, CARD_PATH, "Device", "Verify",
                     g_variant_new ("(@a{sv})", options ("{'timeout': <uint32 60000>}")), promise);
}

/* Of what a former run has lent there are references. */
static void
test_remains (Yard *y,
              Card *card)
{
  g_auto (Promise) verified = { FALSE, NULL, NULL };
  gboolean released;

  card->remains = 2;
  card->claimed = TRUE;
  regiond_backend_emit_changed (REGIOND_BACKEND (card));
  g_assert_true (yard_sees (y, CARD, REGIOND_DEVICE_DRAINING));
  g_assert_cmpuint (regiond_device_count_lingering (yard_find (y, CARD)), ==, 2);
  verify (y, &verified);
  yard_must_refuse (y, y->person, CARD, "rw", "{'exclusive': <true>}", REGIOND_ERROR_LINGERING, "before regiond");
  yard_must_refuse (y, y->person, CARD, "rwm", NULL, REGIOND_ERROR_LINGERING, "claimed");
  card->remains = 1;
  regiond_backend_emit_changed (REGIOND_BACKEND (card));
  yard_idle (20);
  g_assert_false (verified.done);
  yard_expect_told (card, "");
  card->remains = 0;
  regiond_backend_emit_changed (REGIOND_BACKEND (card));
  yard_expect_told (card, "settle park");
  wait_until (verified.done && yard_sees (y, CARD, REGIOND_DEVICE_PARKED));
  g_variant_get (verified.reply, "(b@a{sv})", &released, NULL);
  g_assert_true (released);
}

static void
test_remains_beside (Yard *y,
                     Card *card)
{
  g_autoptr (RegiondLease) lease = NULL;

  card->remains = 1;
  regiond_backend_emit_changed (REGIOND_BACKEND (card));
  lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  yard_release (y->person, lease);
  bar_let_go (regiond_lease_get_hold (lease));
  yard_expect_told (card, "attach open park");

  /* Only now is nothing left. */
  card->remains = 0;
  regiond_backend_emit_changed (REGIOND_BACKEND (card));
  yard_expect_told (card, "settle park");
}

/* Nothing was left when it was to be settled, and then something is. */
static void
test_claimed_meanwhile (Yard *y,
                        Card *card)
{
  g_autoptr (RegiondLease) one = yard_must_open (y, y->person, CARD, "bar0", "rwm");
  g_autoptr (RegiondLease) other = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  g_auto (Promise) resetting = { FALSE, NULL, NULL };

  g_mutex_lock (&card->gate);
  card->hangs = TRUE;
  yard_call_reset (y->person, CARD, &resetting);
  yard_expect_told (card, "attach open attach open reset-leased");
  yard_release (y->person, one);
  bar_let_go (regiond_lease_get_hold (one));
  wait_until (regiond_tenancy_count_lingering (get_tenancy (y)) == 0);
  yard_release (y->person, other);
  wait_until (card->claimed);
  card->hangs = FALSE;
  g_mutex_unlock (&card->gate);
  yard_expect_told (card, "park");
  yard_idle (20);
  g_assert_true (card->claimed);
  bar_let_go (regiond_lease_get_hold (other));
  yard_expect_told (card, "settle park");
}

/* More has been cut while the first was to be settled. */
static void
test_cut_before_it_is_settled (Yard *y,
                               Card *card)
{
  g_autoptr (RegiondLease) one = yard_must_open (y, y->person, CARD, "bar2", "rwm"), other = NULL;

  set_error (&card->settle_error, REGIOND_ERROR_LINGERING, "1 reference of ended leases is left");
  yard_release (y->person, one);
  bar_let_go (regiond_lease_get_hold (one));
  yard_expect_told (card, "attach open settle park");
  wait_until (yard_sees (y, CARD, REGIOND_DEVICE_PARKED));

  /* It is settled another time. */
  g_clear_error (&card->settle_error);
  other = yard_must_open (y, y->person, CARD, "bar2", "rw");
  yard_release (y->person, other);
  yard_expect_told (card, "attach open settle park");
}

static void
test_leaving (Yard *y,
              Card *card)
{
  g_autoptr (Ear) ear = ear_new (y->person, "Lease");
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  gint64 before = g_get_monotonic_time ();

  regiond_backend_emit_leaving (REGIOND_BACKEND (card), GRACE_MS);
  regiond_backend_emit_leaving (REGIOND_BACKEND (card), GRACE_MS);
  wait_until (ear_heard (ear, "RevokeRequested('unplugged', 150)"));
  yard_must_refuse (y, y->person, CARD, "rw", NULL, REGIOND_ERROR_GONE, "unplugged");
  g_assert_false (regiond_lease_has_ended (lease));
  wait_until (ear_heard (ear, "Ended('unplugged',)"));
  g_assert_cmpint (g_get_monotonic_time () - before, >=, GRACE_MS * 1000);
  g_assert_cmpuint (ear->heard->len, ==, 2);

  /* Without patience, and though the reference stays. */
  yard_expect_told (card, "attach open park");
  g_assert_true (card->claimed);
}

static void
test_leaving_early (Yard *y,
                    Card *card)
{
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  gint64 before = g_get_monotonic_time ();

  regiond_backend_emit_leaving (REGIOND_BACKEND (card), 3600 * 1000);
  bar_let_go (regiond_lease_get_hold (lease));
  yard_expect_told (card, "attach open park");
  g_assert_cmpint (g_get_monotonic_time () - before, <, 5 * G_TIME_SPAN_SECOND);
}

/* Whom nobody has a lease on is given back at once; what cannot be cut, too. */
static void
test_leaving_anyway (Yard *y,
                     Card *card)
{
  g_autoptr (Card) sibling = yard_plug (y, SIBLING, 5);
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, SIBLING, "bar2", "rwm");

  regiond_backend_emit_leaving (REGIOND_BACKEND (card), 3600 * 1000);
  yard_expect_told (card, "park");
  sibling->uncuttable = TRUE;
  regiond_backend_emit_leaving (REGIOND_BACKEND (sibling), GRACE_MS);
  yard_expect_told (sibling, "attach open park");
}

/* The kernel asks again where something is still held. */
static void
test_leaving_again (Yard *y,
                    Card *card)
{
  regiond_backend_emit_leaving (REGIOND_BACKEND (card), GRACE_MS);
  yard_expect_told (card, "park");
  regiond_backend_emit_leaving (REGIOND_BACKEND (card), GRACE_MS);
  yard_expect_told (card, "park");
}

static void
on_finalized (gpointer data,
              GObject *object)
{
  *(gboolean *) data = TRUE;
}

static void
test_unplugged (Yard *y,
                Card *card)
{
  g_autoptr (Ear) ear = ear_new (y->person, "Lease");
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  g_auto (Promise) verified = { FALSE, NULL, NULL }, waiting = { FALSE, NULL, NULL }, opening = { FALSE, NULL, NULL };
  RegiondHold *hold = g_object_ref (regiond_lease_get_hold (lease));
  gboolean finalized = FALSE;

  /* One is at work, and another waits. */
  yard_expect_told (card, "attach open");
  g_mutex_lock (&card->gate);
  card->hangs = TRUE;
  card->by_hand = TRUE;
  yard_call_open (y->person, CARD, "bar0", "rw", NULL, &opening);
  yard_call_open (y->person, CARD, "bar0", "rw", NULL, &waiting);
  yard_expect_told (card, "attach");
  g_object_weak_ref (G_OBJECT (yard_find (y, CARD)), on_finalized, &finalized);
  regiond_daemon_remove_device (y->daemon, yard_find (y, CARD), REGIOND_END_UNPLUGGED);
  g_assert_null (yard_find (y, CARD));
  wait_until (ear_heard (ear, "RevokeRequested('unplugged', 0)") && ear_heard (ear, "Ended('unplugged',)"));
  card->hangs = FALSE;
  g_mutex_unlock (&card->gate);
  wait_until (opening.done);
  g_assert_error (opening.error, REGIOND_ERROR, REGIOND_ERROR_GONE);

  /* It lets go when the cut is over, off the bus, and though a reference is left; and again when none is. */
  yard_idle (20);
  yard_expect_told (card, "open");
  card_finish_cut (card, TRUE);
  wait_until (waiting.done);
  g_assert_error (waiting.error, REGIOND_ERROR, REGIOND_ERROR_GONE);
  yard_expect_told (card, "park");
  g_assert_false (finalized);
  g_assert_cmpuint (regiond_tenancy_count_lingering (regiond_device_get_tenancy (regiond_lease_get_device (lease))), ==, 1);
  bar_let_go (hold);
  yard_expect_told (card, "settle park");
  g_clear_object (&lease);
  g_object_unref (hold);
  wait_until (finalized);
  verify (y, &verified);
  wait_until (verified.done);
  g_assert_error (verified.error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND);
}

static void
test_unplugged_while_cutting (Yard *y,
                              Card *card)
{
  g_autoptr (Card) next = NULL;
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  g_auto (Promise) revoked = { FALSE, NULL, NULL }, waiting = { FALSE, NULL, NULL }, verified = { FALSE, NULL, NULL };

  card->by_hand = TRUE;
  yard_call_revoke (y->person, lease, &revoked);
  wait_until (card_count_cutting (card) == 1);
  yard_call_open (y->person, CARD, "bar2", "rw", NULL, &waiting);
  verify (y, &verified);
  yard_idle (20);
  g_assert_false (waiting.done || verified.done);

  /* Whoever waits has it at once; who revokes, the truth. Another card may come in its place. */
  regiond_daemon_remove_device (y->daemon, yard_find (y, CARD), REGIOND_END_UNPLUGGED);
  wait_until (waiting.done && verified.done);
  g_assert_error (waiting.error, REGIOND_ERROR, REGIOND_ERROR_GONE);
  g_assert_error (verified.error, REGIOND_ERROR, REGIOND_ERROR_GONE);
  g_assert_false (revoked.done);
  yard_expect_told (card, "attach open");
  next = yard_plug (y, CARD, 4);
  g_object_unref (yard_must_open (y, y->person, CARD, "bar2", "rwm"));
  card_finish_cut (card, TRUE);
  wait_until (revoked.done);
  g_assert_no_error (revoked.error);
  yard_expect_told (card, "park");
  yard_expect_told (next, "attach open");
}

/* What is done to the card hangs. */
static void
expect_stuck (Yard *y,
              Card *card)
{
  g_auto (Promise) resetting = { FALSE, NULL, NULL };

  g_assert_true (yard_sees (y, CARD, REGIOND_DEVICE_FAILED));
  yard_must_refuse (y, y->person, CARD, "rw", NULL, REGIOND_ERROR_RESET_FAILED, "has not come back");
  yard_call_reset (y->person, CARD, &resetting);
  wait_until (resetting.done);
  assert_error_says (resetting.error, REGIOND_ERROR, REGIOND_ERROR_BUSY, "has not come back");

  /* The others go on. */
  g_object_unref (yard_must_open (y, y->person, SIBLING, "bar2", "rw"));
}

static void
test_attach_hangs (Yard *y,
                   Card *card)
{
  g_autoptr (Card) sibling = yard_plug (y, SIBLING, 5);
  g_auto (Promise) first = { FALSE, NULL, NULL }, second = { FALSE, NULL, NULL };

  regiond_turns_set_limit (regiond_device_get_turns (yard_find (y, CARD)), LIMIT_MS);
  g_mutex_lock (&card->gate);
  card->hangs = TRUE;
  yard_call_open (y->person, CARD, "bar2", "rwm", NULL, &first);
  yard_call_open (y->person, CARD, "bar2", "rwm", NULL, &second);
  wait_until (first.done && second.done);
  g_assert_error (first.error, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED);
  g_assert_error (second.error, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED);
  expect_stuck (y, card);
  yard_expect_told (card, "attach");

  /* It comes back and says that it has worked: that is undone, and a Reset asked for. */
  card->hangs = FALSE;
  g_mutex_unlock (&card->gate);
  yard_expect_told (card, "open park");
  g_assert_cmpuint (card->bars->len, ==, 0);
  g_assert_cmpuint (regiond_tenancy_count_active (get_tenancy (y)), ==, 0);
  yard_must_refuse (y, y->person, CARD, "rw", NULL, REGIOND_ERROR_RESET_FAILED, "has not come back");
  must_reset (y);
  yard_expect_told (card, "reset park");
  g_object_unref (yard_must_open (y, y->person, CARD, "bar2", "rwm"));
}

static void
test_reset_hangs (Yard *y,
                  Card *card)
{
  g_autoptr (Card) sibling = yard_plug (y, SIBLING, 5);
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  g_auto (Promise) resetting = { FALSE, NULL, NULL };

  regiond_turns_set_limit (regiond_device_get_turns (yard_find (y, CARD)), LIMIT_MS);
  g_mutex_lock (&card->gate);
  card->hangs = TRUE;
  yard_call_reset (y->person, CARD, &resetting);
  wait_until (resetting.done);
  g_assert_error (resetting.error, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED);
  expect_stuck (y, card);

  /* Leases end meanwhile; what is to be done then is done when it can be. */
  yard_release (y->person, lease);
  bar_let_go (regiond_lease_get_hold (lease));
  wait_until (regiond_tenancy_count_lingering (get_tenancy (y)) == 0);
  yard_expect_told (card, "attach open reset-leased");
  card->hangs = FALSE;
  g_mutex_unlock (&card->gate);
  yard_expect_told (card, "settle park");
  g_assert_true (yard_sees (y, CARD, REGIOND_DEVICE_FAILED));
  must_reset (y);
  wait_until (yard_sees (y, CARD, REGIOND_DEVICE_PARKED));
}

static void
test_park_hangs (Yard *y,
                 Card *card)
{
  g_autoptr (Card) sibling = yard_plug (y, SIBLING, 5);
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rw");

  g_mutex_lock (&card->gate);
  card->hangs = TRUE;
  yard_release (y->person, lease);

  /* Where no test has made the limit shorter. */
  yard_idle (REGIOND_DEVICE_TURN_MOST_MS - 1000);
  g_assert_false (yard_sees (y, CARD, REGIOND_DEVICE_FAILED));
  wait_until (yard_sees (y, CARD, REGIOND_DEVICE_FAILED));
  expect_stuck (y, card);

  /* It is gone, and lets go when it comes back. */
  regiond_daemon_remove_device (y->daemon, yard_find (y, CARD), REGIOND_END_UNPLUGGED);
  yard_expect_told (card, "attach open park");
  card->hangs = FALSE;
  g_mutex_unlock (&card->gate);
  yard_expect_told (card, "park");
}

static void
expect_failed (Yard       *y,
               const char *why)
{
  g_assert_true (yard_sees (y, CARD, REGIOND_DEVICE_FAILED));
  yard_must_refuse (y, y->person, CARD, "r", NULL, REGIOND_ERROR_RESET_FAILED, why);
  must_reset (y);
  g_assert_false (yard_sees (y, CARD, REGIOND_DEVICE_FAILED));
}

static void
test_failures (Yard *y,
               Card *card)
{
  g_autoptr (GError) failure = NULL, error = NULL;

  set_error (&card->attach_error, REGIOND_ERROR_RESET_FAILED, "flr did nothing");
  g_assert_null (yard_open (y, y->person, CARD, "bar2", "r", NULL, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED);
  expect_failed (y, "flr did nothing");

  /* No harm is done where it is somebody else's. */
  set_error (&card->attach_error, REGIOND_ERROR_BUSY, "held by somebody else");
  g_clear_error (&error);
  g_assert_null (yard_open (y, y->person, CARD, "bar2", "r", NULL, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY);
  g_assert_false (yard_sees (y, CARD, REGIOND_DEVICE_FAILED));
  g_clear_error (&card->attach_error);

  set_error (&failure, REGIOND_ERROR_FAILED, "a BAR could not be claimed");
  g_test_expect_message ("regiond", G_LOG_LEVEL_WARNING, "*has failed: a BAR could not be claimed");
  regiond_backend_emit_failed (REGIOND_BACKEND (card), failure);
  g_test_assert_expected_messages ();
  expect_failed (y, "a BAR could not be claimed");
}

static void
test_reset_refused (Yard *y,
                    Card *card)
{
  g_autoptr (RegiondLease) lease = yard_must_open (y, y->person, CARD, "bar2", "rwm");
  g_auto (Promise) busy = { FALSE, NULL, NULL }, none = { FALSE, NULL, NULL };
  const char *const nothing[] = { NULL };
  guint asked;

  yard_expect_told (card, "attach open");
  set_error (&card->reset_error, REGIOND_ERROR_BUSY, "only hot reset, and mappings are out");
  yard_call_reset (y->person, CARD, &busy);
  wait_until (busy.done);
  assert_error_says (busy.error, REGIOND_ERROR, REGIOND_ERROR_BUSY, "mappings are out");
  yard_expect_told (card, "reset-leased");
  g_assert_true (yard_sees (y, CARD, REGIOND_DEVICE_LEASED));

  card->methods = nothing;
  asked = fake_polkit_count_asked (y->fixture->polkit);
  yard_call_reset (y->person, CARD, &none);
  wait_until (none.done);
  assert_error_says (none.error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, "ResetMethods");
  g_assert_cmpuint (fake_polkit_count_asked (y->fixture->polkit), ==, asked);
  yard_expect_told (card, "");
}

static void
test_shutdown (void)
{
  Yard *y = yard_new ();
  g_autoptr (Card) card = yard_plug (y, CARD, 4);
  g_autofree char *told = NULL;

  g_object_unref (yard_must_open (y, y->person, CARD, "bar2", "rwm"));
  yard_free (y);
  told = card_take_told (card);
  g_assert_cmpstr (told, ==, "attach open park");
  g_assert_false (card->isolated);
}

/* Two that do not come back take no longer than one, and keep no other from being parked. */
static void
test_shutdown_hangs (void)
{
  Yard *y = yard_new ();
  g_autoptr (Card) card = yard_plug (y, CARD, 4), other = yard_plug (y, SIBLING, 5), last = yard_plug (y, "0000:00:10.2", 6);
  Card *const hanging[] = { card, other };
  g_autofree char *told = NULL;
  gint64 start;

  for (guint i = 0; i < G_N_ELEMENTS (hanging); i++)
    {
      g_mutex_lock (&hanging[i]->gate);
      hanging[i]->hangs = TRUE;
      g_test_expect_message ("regiond", G_LOG_LEVEL_WARNING, "*is left as it is*");
    }
  start = g_get_monotonic_time ();
  yard_free (y);
  g_test_assert_expected_messages ();
  g_assert_cmpint (g_get_monotonic_time () - start, <, REGIOND_DEVICE_TURN_MOST_MS * 1500);
  told = card_take_told (last);
  g_assert_cmpstr (told, ==, "park park");
  for (guint i = 0; i < G_N_ELEMENTS (hanging); i++)
    {
      hanging[i]->hangs = FALSE;
      g_mutex_unlock (&hanging[i]->gate);
      yard_expect_told (hanging[i], "park");
    }
}

static void
add_tests (void)
{
  yard_add ("/parking/what-a-former-run-has-left-is-waited-for", test_remains);
  yard_add ("/parking/nothing-is-settled-before-that-is-gone", test_remains_beside);
  yard_add ("/parking/nothing-is-settled-that-is-claimed-again", test_claimed_meanwhile);
  yard_add ("/parking/what-is-cut-meanwhile-is-no-failure", test_cut_before_it_is_settled);
  yard_add ("/parking/who-has-what-the-kernel-wants-back-gets-a-grace", test_leaving);
  yard_add ("/parking/the-kernel-has-it-back-as-soon-as-nobody-has-it", test_leaving_early);
  yard_add ("/parking/the-kernel-waits-for-nobody", test_leaving_anyway);
  yard_add ("/parking/asked-for-again-it-is-let-go-of-again", test_leaving_again);
  yard_add ("/parking/what-is-unplugged-is-gone-and-let-go-of", test_unplugged);
  yard_add ("/parking/unplugged-while-it-is-being-cut", test_unplugged_while_cutting);
  yard_add ("/parking/an-opening-that-hangs-holds-up-nobody-else", test_attach_hangs);
  yard_add ("/parking/a-reset-that-hangs-holds-up-nobody-else", test_reset_hangs);
  yard_add ("/parking/a-parking-that-hangs-holds-up-nobody-else", test_park_hangs);
  yard_add ("/parking/nothing-of-a-failed-device-is-handed-out", test_failures);
  yard_add ("/parking/a-reset-that-is-refused-is-no-failure", test_reset_refused);
  g_test_add_func ("/parking/the-service-ends-and-leaves-it-parked", test_shutdown);
  g_test_add_func ("/parking/the-service-ends-and-waits-once-for-all-that-hang", test_shutdown_hangs);
}

int
main (int   argc,
      char *argv[])
{
  return yard_main (argc, argv, add_tests, "/parking/the-bus-may-go");
}
