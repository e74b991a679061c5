/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "request.h"

#include <string.h>

/* A service in this process. */
static Fixture *shared;
static GDBusConnection *bus;
static RegiondDaemon *service;

static RegiondRequest *
make (const char *region,
      const char *access,
      const char *text,
      GError    **error)
{
  g_autoptr (GVariant) dictionary = g_variant_ref_sink (options (text));

  return regiond_request_new (regiond_daemon_find_device (service, "shm0", NULL), region, access, dictionary, NULL, error);
}

static void
expect_refused (const char *region,
                const char *access,
                const char *text,
                GQuark      domain,
                int         code,
                const char *word)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (make (region, access, text, &error));
  assert_error_says (error, domain, code, word);
}

static void
test_bad_input (void)
{
  expect_refused ("bar9", "r", NULL, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "bar0, bar2");
  expect_refused ("bar2", "wr", NULL, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "wr");
  expect_refused ("bar2", "r", "{'length': <uint64 0>}", G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "length");
  expect_refused ("bar2", "r", "{'offset': <uint64 18446744073709551615>}", G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "offset");
  expect_refused ("bar2", "r", "{'revocation': <'soon'>}", G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "soon");
  expect_refused ("bar2", "r", "{'label': <'two\\nlines'>}", G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "label");
}

static void
test_settled (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RegiondRequest) mapped = make ("bar2", "rwm", NULL, &error);
  g_autoptr (RegiondRequest) part = make ("bar2", "r", "{'offset': <uint64 16>, 'revocation': <'immediate'>}", &error);

  g_assert_no_error (error);
  g_assert_cmpint (mapped->mechanism, ==, REGIOND_MECHANISM_NONE);
  g_assert_true (regiond_request_settle (mapped, &error));
  g_assert_cmpint (mapped->mechanism, ==, REGIOND_MECHANISM_MEMFD);
  g_assert_cmpint (mapped->revocation, ==, REGIOND_REVOCATION_DETACHED);
  g_assert_cmpuint (mapped->window.length, ==, BAR2_SIZE);
  g_assert_true (regiond_request_settle (part, &error));
  g_assert_cmpint (part->mechanism, ==, REGIOND_MECHANISM_PROXY);
  g_assert_cmpuint (part->window.offset, ==, 16);
  g_assert_cmpuint (part->window.length, ==, BAR2_SIZE - 16);
}

/* The arguments are right, and nobody could have it. */
static void
expect_unsettled (const char *access,
                  const char *text,
                  const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RegiondRequest) request = make ("bar2", access, text, &error);

  g_assert_no_error (error);
  g_assert_false (regiond_request_settle (request, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, word);
}

static void
test_unsettled (void)
{
  expect_unsettled ("rm", "{'revocation': <'immediate'>}", "immediate");
  expect_unsettled ("rm", "{'offset': <uint64 4096>}", "whole region");
  expect_unsettled ("rm", "{'write-combining': <true>}", "write-combining");
}

static void
test_check (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (RegiondRequest) request = make ("bar2", "rm", NULL, &error);
  g_autoptr (RegiondClient) client = regiond_clients_get (service->clients, ":9.1");
  RegiondPurchase purchase;

  g_assert_true (regiond_request_settle (request, &error));
  g_assert_true (regiond_request_check (request, client, &error));
  g_assert_true (regiond_request_is_worthwhile (request, client, &error));
  purchase = regiond_request_make_purchase (request, client);
  g_assert_cmpstr (purchase.connection, ==, ":9.1");
  g_assert_cmpuint (purchase.memory, ==, BAR0_SIZE + BAR2_SIZE);
  g_assert_false (purchase.proxied);

  /* It is not what polkit was asked about any more. */
  request->revocation = REGIOND_REVOCATION_IMMEDIATE;
  g_assert_false (regiond_request_check (request, client, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_BUSY, "call again");
}

static void
test_end (void)
{
  regiond_daemon_free (service);
  client_leave (bus);
  fixture_free (shared);
}

static void
add_tests (void)
{
  const char *directories[2] = { NULL, NULL };
  g_autoptr (GError) error = NULL;

  shared = fixture_new_in_process ();
  bus = fixture_connect (shared);
  directories[0] = shared->directory;
  service = regiond_daemon_new (bus, regiond_settings_load (directories, NULL), &error);
  g_assert_no_error (error);
  g_test_add_func ("/request/wrong-arguments-are-named", test_bad_input);
  g_test_add_func ("/request/how-it-can-be-had", test_settled);
  g_test_add_func ("/request/what-nobody-could-have", test_unsettled);
  g_test_add_func ("/request/whether-it-could-be-had-now", test_check);
  g_test_add_func ("/request/the-service-may-end", test_end);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
