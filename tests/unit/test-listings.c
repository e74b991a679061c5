/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "listings.h"
#include "regiond-dbus.h"

#include <string.h>
#include <unistd.h>

#define OBJECT "/org/regiond1/leases/7"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define OTHER_UID 65534 /* nobody: the bus wants to know its groups */

/* Listings of a connection in this process that has one object. */
typedef struct {
  Fixture                  *fixture;
  GDBusConnection          *service;
  GDBusObjectManagerServer *objects;
  RegiondClients           *clients;
  RegiondListings          *listings;
  GMutex                    lock;
  GString                  *sent; /* a letter for each answer: its destination's, small for an error */
  GHashTable               *letters; /* name -> letter */
} Served;

static void
on_vanished (gpointer lease)
{
  g_assert_not_reached ();
}

static GDBusMessage *
note_answer (GDBusConnection *connection,
             GDBusMessage    *message,
             gboolean         incoming,
             gpointer         data)
{
  Served *self = data;
  gboolean error = g_dbus_message_get_message_type (message) == G_DBUS_MESSAGE_TYPE_ERROR;
  const char *name = g_dbus_message_get_destination (message);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  int letter = !incoming && name != NULL ? GPOINTER_TO_INT (g_hash_table_lookup (self->letters, name)) : 0;

  if (letter != 0)
    g_string_append_c (self->sent, error ? g_ascii_tolower (letter) : letter);
  return message;
}

static void
served_init (Served *self)
{
  g_autoptr (GDBusObjectSkeleton) object = g_dbus_object_skeleton_new (OBJECT);
  g_autoptr (RegiondDBusLease) lease = regiond_dbus_lease_skeleton_new ();

  *self = (Served){ .fixture = fixture_new () };
  self->sent = g_string_new (NULL);
  self->letters = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->service = fixture_connect (self->fixture);
  g_dbus_connection_add_filter (self->service, note_answer, self, NULL);
  regiond_dbus_lease_set_label (lease, "somebody's");
  g_dbus_object_skeleton_add_interface (object, G_DBUS_INTERFACE_SKELETON (lease));
  self->objects = g_dbus_object_manager_server_new (MANAGER_PATH);
  g_dbus_object_manager_server_export (self->objects, object);
  g_dbus_object_manager_server_set_connection (self->objects, self->service);
  self->clients = regiond_clients_new (self->service, on_vanished);
  self->listings = regiond_listings_new (self->service);
  regiond_listings_start (self->listings, G_DBUS_OBJECT_MANAGER (self->objects), self->clients);
}

static void
served_clear (Served *self)
{
  regiond_listings_stop (self->listings);
  regiond_listings_unref (self->listings);
  regiond_clients_free (self->clients);
  g_object_unref (self->objects);
  client_leave (self->service);
  g_string_free (self->sent, TRUE);
  g_hash_table_unref (self->letters);
  fixture_free (self->fixture);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Served, served_clear)

static void
on_identified (GObject      *source,
               GAsyncResult *result,
               gpointer      data)
{
  *(gboolean *) data = TRUE;
}

/* Somebody on the bus whom the service knows; his answers are noted under the letter. */
static GDBusConnection *
join (Served *self,
      uid_t   uid,
      char    letter)
{
  GDBusConnection *client = uid == 0 ? fixture_connect (self->fixture) : fixture_connect_as (self->fixture, uid);
  const char *name = g_dbus_connection_get_unique_name (client);
  g_autoptr (RegiondClient) known = regiond_clients_get (self->clients, name);
  gboolean done = FALSE;

  g_hash_table_insert (self->letters, g_strdup (name), GINT_TO_POINTER (letter));
  regiond_client_identify (known, on_identified, &done);
  wait_until (done);
  return client;
}

static void
ask (Served          *self,
     GDBusConnection *client,
     guint            serial)
{
  GDBusMessage *call = g_dbus_message_new_method_call (NULL, MANAGER_PATH, OBJECT_MANAGER, "GetManagedObjects");

  g_dbus_message_set_sender (call, g_dbus_connection_get_unique_name (client));
  g_dbus_message_set_serial (call, serial);
  regiond_listings_take (self->listings, call);
}

static gsize
count_sent (Served *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->sent->len;
}

#define SERIAL 4711

/* The body of the answer with that number. */
static GDBusMessage *
keep_body (GDBusConnection *connection,
           GDBusMessage    *message,
           gboolean         incoming,
           gpointer         data)
{
  if (incoming && g_dbus_message_get_reply_serial (message) == SERIAL)
    g_atomic_pointer_set ((gpointer *) data, g_variant_ref (g_dbus_message_get_body (message)));
  return message;
}

static void
on_usual (GObject      *source,
          GAsyncResult *result,
          gpointer      data)
{
  g_autoptr (GError) error = NULL;

  *(GVariant **) data = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  g_assert_no_error (error);
}

/* The bus library's own, and this one. */
static void
test_answer (void)
{
  g_auto (Served) served = { NULL };
  g_autoptr (GVariant) usual = NULL;
  gpointer answer = NULL;
  GDBusConnection *client;

  served_init (&served);
  client = join (&served, 0, 'A');
  g_dbus_connection_call (client, g_dbus_connection_get_unique_name (served.service), MANAGER_PATH, OBJECT_MANAGER,
                          "GetManagedObjects", NULL, NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, on_usual, &usual);
  wait_until (usual != NULL);
  g_dbus_connection_add_filter (client, keep_body, &answer, NULL);
  ask (&served, client, SERIAL);
  wait_until (g_atomic_pointer_get (&answer) != NULL);
  g_assert_cmpvariant (answer, usual);
  g_variant_unref (answer);
  client_leave (client);
}

/* Alice's calls were there before: bob waits for one of them, and for none of
 * those that are too many. */
static void
test_turns (void)
{
  g_auto (Served) served = { NULL };
  GDBusConnection *alice, *bob;

  if (geteuid () != 0)
    {
      g_test_skip ("two users' parts need root");
      return;
    }

  served_init (&served);
  alice = join (&served, 0, 'A');
  bob = join (&served, OTHER_UID, 'B');
  for (guint i = 0; i < REGIOND_LISTINGS_EACH + 20; i++)
    ask (&served, alice, 100 + i);
  ask (&served, bob, 100);
  wait_until (count_sent (&served) == REGIOND_LISTINGS_EACH + 21);
  g_assert_true (g_str_has_prefix (served.sent->str, "aaaaaaaaaaaaaaaaaaaa"));
  g_assert_true (g_str_equal (served.sent->str + 20, "BAAAA") || g_str_equal (served.sent->str + 20, "ABAAA"));

  /* Nothing of that stays on her account. */
  ask (&served, alice, 200);
  wait_until (count_sent (&served) == REGIOND_LISTINGS_EACH + 22);
  g_assert_true (g_str_has_suffix (served.sent->str, "A"));
  client_leave (alice);
  client_leave (bob);
}

/* Who has left by then gets his answer as well: it is counted. */
static void
test_stranger (void)
{
  g_auto (Served) served = { NULL };
  g_autoptr (GDBusMessage) call = g_dbus_message_new_method_call (NULL, MANAGER_PATH, OBJECT_MANAGER,
                                                                  "GetManagedObjects");

  served_init (&served);
  g_hash_table_insert (served.letters, g_strdup (":1.4711"), GINT_TO_POINTER ('X'));
  g_dbus_message_set_sender (call, ":1.4711");
  g_dbus_message_set_serial (call, 1);
  regiond_listings_take (served.listings, g_steal_pointer (&call));
  wait_until (count_sent (&served) == 1);
  g_assert_cmpstr (served.sent->str, ==, "x");
}

static void
test_stop (void)
{
  g_auto (Served) served = { NULL };
  GDBusConnection *client;

  served_init (&served);
  client = join (&served, 0, 'A');
  for (guint i = 0; i < REGIOND_LISTINGS_EACH; i++)
    ask (&served, client, 100 + i);
  for (guint i = 0; i < 3; i++)
    g_main_context_iteration (NULL, FALSE);
  ask (&served, client, 200);
  regiond_listings_stop (served.listings);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (count_sent (&served), <=, 3);
  client_leave (client);
}

static void
add_tests (void)
{
  g_test_add_func ("/listings/the-answer-is-the-bus-librarys", test_answer);
  g_test_add_func ("/listings/users-take-turns-and-have-few-each", test_turns);
  g_test_add_func ("/listings/a-stranger-is-answered", test_stranger);
  g_test_add_func ("/listings/nobody-is-answered-after-the-end", test_stop);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
