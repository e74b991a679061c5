/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "alarm.h"

#define MS G_GINT64_CONSTANT (1000)

static GString *rung;
static RegiondAlarm *ending; /* freed by the item that rings */

static void
on_ring (gpointer item)
{
  g_string_append (rung, item);
  g_clear_pointer (&ending, regiond_alarm_free);
}

static gpointer
letter (const char *text)
{
  return (gpointer) text;
}

static void
test_order (void)
{
  g_autoptr (RegiondAlarm) alarm = regiond_alarm_new (on_ring);
  gint64 now = g_get_monotonic_time ();

  g_string_truncate (rung, 0);
  regiond_alarm_set (alarm, now + 60 * MS, letter ("c"));
  regiond_alarm_set (alarm, now + 20 * MS, letter ("a"));
  regiond_alarm_set (alarm, now + 40 * MS, letter ("b"));
  regiond_alarm_set (alarm, now + 40 * MS, letter ("B"));
  wait_until (rung->len == 4);
  g_assert_cmpstr (rung->str, ==, "abBc");
  g_assert_cmpint (g_get_monotonic_time (), >=, now + 60 * MS);
}

static void
test_past (void)
{
  g_autoptr (RegiondAlarm) alarm = regiond_alarm_new (on_ring);

  g_string_truncate (rung, 0);
  regiond_alarm_set (alarm, g_get_monotonic_time () - 1000 * MS, letter ("a"));
  g_assert_cmpstr (rung->str, ==, "");
  wait_until (rung->len == 1);
}

static void
test_cleared (void)
{
  g_autoptr (RegiondAlarm) alarm = regiond_alarm_new (on_ring);
  gint64 now = g_get_monotonic_time ();
  GSequenceIter *first;

  g_string_truncate (rung, 0);
  first = regiond_alarm_set (alarm, now + 10 * MS, letter ("a"));
  regiond_alarm_set (alarm, now + 40 * MS, letter ("b"));
  regiond_alarm_clear (first);
  wait_until (rung->len > 0);
  g_assert_cmpstr (rung->str, ==, "b");
}

static void
test_freed (void)
{
  gint64 now = g_get_monotonic_time ();
  g_autoptr (RegiondAlarm) other = regiond_alarm_new (on_ring);

  g_string_truncate (rung, 0);
  ending = regiond_alarm_new (on_ring);
  regiond_alarm_set (ending, now, letter ("a"));
  regiond_alarm_set (ending, now, letter ("never"));
  regiond_alarm_set (other, now + 20 * MS, letter ("b"));
  wait_until (rung->len > 1);
  g_assert_cmpstr (rung->str, ==, "ab");
}

static void
add_tests (void)
{
  g_test_add_func ("/alarm/the-next-one-first-and-none-too-early", test_order);
  g_test_add_func ("/alarm/what-is-past-rings-too", test_past);
  g_test_add_func ("/alarm/what-is-cleared-is-silent", test_cleared);
  g_test_add_func ("/alarm/it-may-be-freed-when-it-rings", test_freed);
}

int
main (int   argc,
      char *argv[])
{
  rung = g_string_new (NULL);
  return fixture_main (argc, argv, add_tests);
}
