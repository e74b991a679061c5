/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "yard.h"

/* Of the program. */
static Fixture *fixture;
static void (*add_own_tests) (void);
static const char *end;

static void
run (gconstpointer data)
{
  YardTest test = (YardTest) data;
  g_autoptr (Yard) y = yard_new ();
  g_autoptr (Card) card = yard_plug (y, CARD, 4);

  test (y, card);
}

void
yard_add (const char *path,
          YardTest    test)
{
  g_test_add_data_func (path, (gconstpointer) test, run);
}

static void
test_the_bus_goes (void)
{
  g_clear_pointer (&fixture, fixture_free);
}

static void
add_tests_and_end (void)
{
  fixture = fixture_new_in_process ();
  add_own_tests ();
  g_test_add_func (end, test_the_bus_goes);
}

int
yard_main (int          argc,
           char        *argv[],
           void       (*add_tests) (void),
           const char  *end_path)
{
  add_own_tests = add_tests;
  end = end_path;
  return fixture_main (argc, argv, add_tests_and_end);
}

Yard *
yard_new (void)
{
  Yard *self = g_new0 (Yard, 1);
  const char *directories[] = { fixture->directory, NULL };
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;

  self->fixture = fixture;
  fake_polkit_set_answer (fixture->polkit, FAKE_POLKIT_YES);
  self->bus = fixture_connect (fixture);
  self->person = fixture_connect (fixture);
  self->daemon = regiond_daemon_new (self->bus, regiond_settings_load (directories, NULL), &error);
  g_assert_no_error (error);
  reply = g_dbus_connection_call_sync (self->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "RequestName",
                                       g_variant_new ("(su)", REGIOND_BUS_NAME, 4), NULL, G_DBUS_CALL_FLAGS_NONE, -1,
                                       NULL, &error);
  g_assert_no_error (error);
  return self;
}

void
yard_free (Yard *self)
{
  /* What is still to be announced or answered keeps leases, and must not outlive the daemon. */
  yard_idle (20);
  regiond_daemon_free (self->daemon);
  client_leave (self->person);
  client_leave (self->bus);
  g_free (self);
}

Card *
yard_plug (Yard       *self,
           const char *address,
           int         group)
{
  Card *card = card_new ();
  g_autofree char *id = g_strdelimit (g_strdup (address), ":.", '_');
  char *members[] = { (char *) CARD, (char *) SIBLING, NULL };
  RegiondIdentity identity = {
    .address = (char *) address, .id = id, .vendor = 0x1af4, .device = 0x1110, .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100, .class = 0x050000, .driver = (char *) "vfio-pci", .iommu_group = group,
    .group_devices = members, .description = (char *) "Card",
  };
  RegiondDeviceTerms terms = {
    .id = id, .description = "Card", .identity = &identity, .backend = REGIOND_BACKEND (card),
  };
  g_autoptr (GError) error = NULL;

  regiond_daemon_add_device (self->daemon, &terms, &error);
  g_assert_no_error (error);
  return card;
}

RegiondDevice *
yard_find (Yard       *self,
           const char *address)
{
  return regiond_daemon_find_device (self->daemon, address, NULL);
}

gboolean
yard_sees (Yard              *self,
           const char        *address,
           RegiondDeviceState state)
{
  return regiond_device_get_state (yard_find (self, address)) == state;
}

static char *
name_path (const char *address)
{
  g_autofree char *id = g_strdelimit (g_strdup (address), ":.", '_');

  return g_strconcat ("/org/regiond1/devices/", id, NULL);
}

void
yard_call_open (GDBusConnection *client,
                const char      *address,
                const char      *region,
                const char      *access,
                const char      *text,
                Promise         *promise)
{
  g_autofree char *path = name_path (address);

  client_call_later (client, path, "Device", "OpenRegion",
                     g_variant_new ("(ss@a{sv})", region, access, options (text)), promise);
}

RegiondLease *
yard_open (Yard            *self,
           GDBusConnection *client,
           const char      *address,
           const char      *region,
           const char      *access,
           const char      *text,
           GError         **error)
{
  g_auto (Promise) promise = { FALSE, NULL, NULL };
  g_autoptr (GDBusInterface) lease = NULL;
  const char *path;

  yard_call_open (client, address, region, access, text, &promise);
  wait_until (promise.done);
  if (promise.error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&promise.error));
      return NULL;
    }

  g_variant_get (promise.reply, "(h&o)", NULL, &path);
  lease = g_dbus_object_manager_get_interface (G_DBUS_OBJECT_MANAGER (self->daemon->objects), path,
                                               "org.regiond1.Lease");
  return REGIOND_LEASE (g_steal_pointer (&lease));
}

RegiondLease *
yard_must_open (Yard            *self,
                GDBusConnection *client,
                const char      *address,
                const char      *region,
                const char      *access)
{
  g_autoptr (GError) error = NULL;
  RegiondLease *lease = yard_open (self, client, address, region, access, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (lease);
  return lease;
}

void
yard_must_refuse (Yard            *self,
                  GDBusConnection *client,
                  const char      *address,
                  const char      *access,
                  const char      *text,
                  int              code,
                  const char      *word)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (yard_open (self, client, address, "bar2", access, text, &error));
  assert_error_says (error, REGIOND_ERROR, code, address, word);
}

void
yard_call_reset (GDBusConnection *client,
                 const char      *address,
                 Promise         *promise)
{
  g_autofree char *path = name_path (address);

  client_call_later (client, path, "Device", "Reset", g_variant_new ("(@a{sv})", options (NULL)), promise);
}

void
yard_call_revoke (GDBusConnection *client,
                  RegiondLease    *lease,
                  Promise         *promise)
{
  client_call_later (client, regiond_lease_get_path (lease), "Lease", "Revoke",
                     g_variant_new ("(s@a{sv})", "why", options (NULL)), promise);
}

void
yard_release (GDBusConnection *client,
              RegiondLease    *lease)
{
  g_auto (Promise) promise = { FALSE, NULL, NULL };

  client_call_later (client, regiond_lease_get_path (lease), "Lease", "Release", NULL, &promise);
  wait_until (promise.done);
  g_assert_no_error (promise.error);
}

void
yard_idle (guint milliseconds)
{
  gint64 until = g_get_monotonic_time () + milliseconds * G_GINT64_CONSTANT (1000);

  while (g_get_monotonic_time () < until)
    fixture_turn ();
}

void
yard_expect_told (Card       *card,
                  const char *told)
{
  g_autoptr (GString) all = g_string_new (NULL);
  gint64 until = g_get_monotonic_time () + 10 * G_TIME_SPAN_SECOND;

  do
    {
      g_autofree char *more = card_take_told (card);

      if (more[0] != '\0')
        g_string_append_printf (all, "%s%s", all->len > 0 ? " " : "", more);
      fixture_turn ();
    }
  while (!g_str_equal (all->str, told) && strlen (all->str) <= strlen (told) && g_get_monotonic_time () < until);
  g_assert_cmpstr (all->str, ==, told);
}
