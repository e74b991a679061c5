/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "tool.h"
#include "world.h"

/* One user takes as much as he may of what there is little of: others go on. */

#define PROXIED_MOST 128 /* MaxProxiedLeasesPerUser, as shipped */

static void
test_proxied_leases (void)
{
  g_autoptr (World) world = world_new_allowing_all ("");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE), also = person_new ("alice", UID_ALICE);
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (GPtrArray) taken = g_ptr_array_new_with_free_func ((GDestroyNotify) opened_free);
  g_autofree char *message = NULL;

  for (guint i = 0; i < PROXIED_MOST; i++)
    g_ptr_array_add (taken, person_open (i % 2 ? also : alice, "shm0", "bar2", i % 3 ? "rw" : "r", "{}"));
  message = person_open_fails (also, ERROR ("LimitExceeded"), "big", "whole", "r", "{}");
  g_assert_nonnull (strstr (message, "MaxProxiedLeasesPerUser"));

  for (guint i = 0; i < PROXIED_MOST; i++)
    g_ptr_array_add (taken, person_open (bob, "shm0", "bar2", "rw", "{}"));
  g_ptr_array_add (taken, person_open (alice, "shm0", "bar2", "rwm", "{}"));
}

/* Says so often that there are too many, and then that there is nothing. */
static GDBusMessage *
answer_listing (GDBusConnection *connection,
                GDBusMessage *message,
                gboolean incoming,
                gpointer data)
{
  int *refusals = data;
  g_autoptr (GDBusMessage) reply = NULL;

  if (!incoming || g_strcmp0 (g_dbus_message_get_member (message), "GetManagedObjects") != 0)
    return message;
  if (g_atomic_int_add (refusals, -1) > 0)
    reply = g_dbus_message_new_method_error_literal (message, ERROR ("LimitExceeded"), "There are too many");
  else
    {
      reply = g_dbus_message_new_method_reply (message);
      g_dbus_message_set_body (reply, g_variant_new_parsed ("(@a{oa{sa{sv}}} {},)"));
    }
  g_dbus_connection_send_message (connection, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL);
  g_object_unref (message);
  return NULL;
}

/* In regiond's place somebody who is busy for a moment, and then for ever. */
static void
test_regionctl_tries_again (void)
{
  g_autoptr (World) world = world_new_without_service ("");
  int refusals = 3;
  guint filter = g_dbus_connection_add_filter (world->root, answer_listing, &refusals, NULL);
  g_autoptr (Result) listed = NULL, refused = NULL;
  g_autoptr (GVariant) reply = NULL;

  reply = g_dbus_connection_call_sync (world->root, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "RequestName", g_variant_new ("(su)", "org.regiond1", 4),
                                       NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);
  g_assert_nonnull (reply);
  listed = tool_run (NULL, "list", NULL);
  result_assert (listed, 0);
  g_atomic_int_set (&refusals, G_MAXINT);
  refused = tool_run (NULL, "list", NULL);
  result_assert (refused, 1);
  g_assert_nonnull (strstr (refused->err, "There are too many"));
  g_dbus_connection_remove_filter (world->root, filter);
}

int
main (int argc,
      char **argv)
{
  world_init (&argc, &argv);
  g_test_add_func ("/fairness/proxied-leases", test_proxied_leases);
  g_test_add_func ("/fairness/regionctl-tries-again", test_regionctl_tries_again);
  return g_test_run ();
}
