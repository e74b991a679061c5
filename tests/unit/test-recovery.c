/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recovery.h"
#include "yard.h"

/* Of what a former run has lent of it there is something. */
static Card *
plug_lent (Yard       *y,
           const char *address,
           int         group)
{
  Card *card = yard_plug (y, address, group);

  card->remains = 1;
  regiond_backend_emit_changed (REGIOND_BACKEND (card));
  return card;
}

static void
test_first (void)
{
  g_autoptr (Yard) y = yard_new ();
  g_autoptr (Card) card = plug_lent (y, CARD, 4), untouched = yard_plug (y, SIBLING, 5);
  g_autoptr (GPtrArray) devices = g_ptr_array_new ();

  g_ptr_array_add (devices, yard_find (y, CARD));
  g_ptr_array_add (devices, yard_find (y, SIBLING));
  regiond_recovery_push (yard_find (y, CARD));
  regiond_recovery_push (yard_find (y, SIBLING));
  regiond_recovery_wait (devices);
  yard_expect_told (card, "recover");
  yard_expect_told (untouched, "");
  g_assert_true (yard_sees (y, CARD, REGIOND_DEVICE_DRAINING));
  card->remains = 0;
  regiond_backend_emit_changed (REGIOND_BACKEND (card));
  yard_expect_told (card, "settle park");
}

/* It is somebody else's, and then it is not. */
static void
test_again (void)
{
  g_autoptr (Yard) y = yard_new ();
  g_autoptr (Card) card = plug_lent (y, CARD, 4);

  card->recover_error = g_error_new_literal (REGIOND_ERROR, REGIOND_ERROR_BUSY, "held by somebody else");
  g_test_expect_message ("regiond", G_LOG_LEVEL_MESSAGE, "*cannot be claimed now*held by somebody else*");
  regiond_recovery_push (yard_find (y, CARD));
  yard_expect_told (card, "recover");
  yard_expect_told (card, "recover");
  g_test_assert_expected_messages ();
  g_assert_false (yard_sees (y, CARD, REGIOND_DEVICE_FAILED));
  g_clear_error (&card->recover_error);
  g_test_expect_message ("regiond", G_LOG_LEVEL_MESSAGE, "*is claimed now*");
  yard_expect_told (card, "recover");
  yard_idle (1500);
  g_test_assert_expected_messages ();
  yard_expect_told (card, "");
}

static void
test_over (void)
{
  g_autoptr (Yard) y = yard_new ();
  g_autoptr (Card) card = plug_lent (y, CARD, 4);

  card->recover_error = g_error_new_literal (REGIOND_ERROR, REGIOND_ERROR_BUSY, "held by somebody else");
  regiond_recovery_push (yard_find (y, CARD));
  yard_expect_told (card, "recover");
  card->remains = 0;
  regiond_backend_emit_changed (REGIOND_BACKEND (card));
  yard_expect_told (card, "settle park");
  yard_idle (1500);
  yard_expect_told (card, "");
}

/* The others are claimed, and the service starts. */
static void
test_hangs (void)
{
  g_autoptr (Yard) y = yard_new ();
  g_autoptr (Card) card = plug_lent (y, CARD, 4), other = plug_lent (y, SIBLING, 5);
  g_autoptr (GPtrArray) devices = g_ptr_array_new ();
  gint64 before = g_get_monotonic_time ();

  g_ptr_array_add (devices, yard_find (y, CARD));
  g_ptr_array_add (devices, yard_find (y, SIBLING));
  g_mutex_lock (&card->gate);
  card->hangs = TRUE;
  regiond_recovery_push (yard_find (y, CARD));
  regiond_recovery_push (yard_find (y, SIBLING));
  g_test_expect_message ("regiond", G_LOG_LEVEL_WARNING, "*" CARD "*starts without*");
  regiond_recovery_wait (devices);
  g_test_assert_expected_messages ();
  g_assert_cmpint (g_get_monotonic_time () - before, <, 2 * REGIOND_DEVICE_TURN_MOST_MS * G_TIME_SPAN_MILLISECOND);
  yard_expect_told (other, "recover");
  wait_until (yard_sees (y, CARD, REGIOND_DEVICE_FAILED));
  yard_must_refuse (y, y->person, CARD, "r", NULL, REGIOND_ERROR_RESET_FAILED, "has not come back");
  g_assert_true (yard_sees (y, SIBLING, REGIOND_DEVICE_DRAINING));
  card->hangs = FALSE;
  g_mutex_unlock (&card->gate);
  yard_expect_told (card, "recover park");
}

static void
add_tests (void)
{
  g_test_add_func ("/recovery/what-was-lent-is-claimed-first-and-nothing-else", test_first);
  g_test_add_func ("/recovery/what-is-somebody-elses-is-claimed-when-he-lets-go", test_again);
  g_test_add_func ("/recovery/where-nothing-is-left-nothing-is-tried", test_over);
  g_test_add_func ("/recovery/a-device-that-hangs-holds-up-neither-others-nor-the-service", test_hangs);
}

int
main (int   argc,
      char *argv[])
{
  return yard_main (argc, argv, add_tests, "/recovery/the-bus-may-go");
}
