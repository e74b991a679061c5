/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "trim.h"

#include <malloc.h>
#include <string.h>

static guint trimmed;

/* Instead of the C library's. */
int
malloc_trim (size_t pad)
{
  trimmed++;
  return 1;
}

static void
call (GDBusConnection *caller,
      GDBusConnection *service,
      const char      *method)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (
      caller, g_dbus_connection_get_unique_name (service), "/nothing", "org.freedesktop.DBus.ObjectManager", method,
      NULL, NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);

  /* There is no such object: the listing is only asked for. */
  g_assert_null (reply);
  g_assert_error (error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD);
}

static void
test_listing (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  GDBusConnection *service = fixture_connect (f), *caller = fixture_connect (f);

  trimmed = 0;
  regiond_trim_after_listings (service);
  for (int i = 0; i < 3; i++)
    call (caller, service, "GetManagedObjects");
  g_assert_cmpuint (trimmed, ==, 0);
  wait_until (trimmed > 0);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (trimmed, ==, 1);

  /* And again after the next one. */
  call (caller, service, "GetManagedObjects");
  wait_until (trimmed == 2);
  client_leave (caller);
  client_leave (service);
}

static void
test_others (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  GDBusConnection *service = fixture_connect (f), *caller = fixture_connect (f);

  trimmed = 0;
  regiond_trim_after_listings (service);
  call (caller, service, "SomethingElse");
  g_assert_null (g_main_context_find_source_by_user_data (NULL, NULL));

  /* As against the timer of a listing. */
  call (caller, service, "GetManagedObjects");
  g_assert_nonnull (g_main_context_find_source_by_user_data (NULL, NULL));
  wait_until (trimmed == 1);
  client_leave (caller);
  client_leave (service);
}

static void
add_tests (void)
{
  g_test_add_func ("/trim/after-listings-memory-is-given-back-once", test_listing);
  g_test_add_func ("/trim/other-calls-wake-nobody", test_others);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
