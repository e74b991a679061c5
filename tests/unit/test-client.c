/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "client.h"

#include <unistd.h>

/* The table of clients in this process, on a connection of its own. */
static guint vanished;

static void
on_vanished (gpointer lease)
{
  (*(guint *) lease)++;
  vanished++;
}

typedef struct {
  gboolean done, known;
  GError  *error;
} Identity;

static RegiondClient *identified;

static void
on_identified (GObject      *source,
               GAsyncResult *result,
               gpointer      data)
{
  Identity *identity = data;

  identity->known = regiond_client_identify_finish (identified, result, &identity->error);
  identity->done = TRUE;
}

static Identity
identify (RegiondClient *client)
{
  Identity identity = { FALSE, FALSE, NULL };

  identified = client;
  regiond_client_identify (client, on_identified, &identity);
  wait_until (identity.done);
  return identity;
}

/* Who has been identified will be seen to leave: the subscription is older. */
static void
must_identify (RegiondClient *client)
{
  Identity identity = identify (client);

  g_assert_no_error (identity.error);
  g_assert_true (identity.known);
}

static void
test_identify (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  GDBusConnection *own = fixture_connect (f), *other = fixture_connect (f);
  RegiondClients *clients = regiond_clients_new (own, on_vanished);
  g_autoptr (RegiondClient) client = regiond_clients_get (clients, g_dbus_connection_get_unique_name (other));

  g_assert_cmpuint (regiond_client_get_uid (client), ==, G_MAXUINT32);
  for (int i = 0; i < 2; i++)
    {
      must_identify (client);
      g_assert_cmpuint (regiond_client_get_uid (client), ==, geteuid ());
      g_assert_cmpuint (regiond_client_get_pid (client), ==, getpid ());
    }
  g_assert_false (regiond_client_is_gone (client));
  g_clear_pointer (&client, regiond_client_unref);
  regiond_clients_free (clients);
  client_leave (own);
  client_leave (other);
}

static void
test_left_before (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  GDBusConnection *own = fixture_connect (f);
  RegiondClients *clients = regiond_clients_new (own, on_vanished);
  g_autoptr (RegiondClient) client = regiond_clients_get (clients, ":1.4711");
  Identity identity = identify (client);

  g_assert_false (identity.known);
  assert_error_says (identity.error, REGIOND_ERROR, REGIOND_ERROR_GONE, ":1.4711");
  g_clear_error (&identity.error);
  g_clear_pointer (&client, regiond_client_unref);
  regiond_clients_free (clients);
  client_leave (own);
}

static void
test_same (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  GDBusConnection *own = fixture_connect (f);
  RegiondClients *clients = regiond_clients_new (own, on_vanished);
  RegiondClient *one = regiond_clients_get (clients, ":1.50"), *same = regiond_clients_get (clients, ":1.50");
  RegiondClient *other = regiond_clients_get (clients, ":1.5");

  g_assert_true (one == same);
  g_assert_true (one != other);
  g_assert_cmpstr (regiond_client_get_name (one), ==, ":1.50");
  regiond_client_unref (one);
  g_assert_cmpstr (regiond_client_get_name (same), ==, ":1.50");
  regiond_client_unref (same);
  regiond_client_unref (other);
  regiond_clients_free (clients);
  client_leave (own);
}

static void
test_vanish (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  GDBusConnection *own = fixture_connect (f), *leaving = fixture_connect (f), *staying = fixture_connect (f);
  RegiondClients *clients = regiond_clients_new (own, on_vanished);
  g_autoptr (RegiondClient) client = regiond_clients_get (clients, g_dbus_connection_get_unique_name (leaving));
  g_autoptr (RegiondClient) other = regiond_clients_get (clients, g_dbus_connection_get_unique_name (staying));
  guint leases[3] = { 0 }, others = 0;

  vanished = 0;
  for (int i = 0; i < 3; i++)
    regiond_client_add_lease (client, &leases[i]);
  regiond_client_add_lease (other, &others);
  regiond_client_remove_lease (client, &leases[1]);
  must_identify (client);
  client_leave (leaving);
  wait_until (regiond_client_is_gone (client));
  g_assert_true (g_cancellable_is_cancelled (regiond_client_get_gone (client)));
  g_assert_cmpuint (leases[0], ==, 1);
  g_assert_cmpuint (leases[1], ==, 0);
  g_assert_cmpuint (leases[2], ==, 1);
  g_assert_cmpuint (others, ==, 0);
  g_assert_false (regiond_client_is_gone (other));
  g_clear_pointer (&client, regiond_client_unref);
  g_clear_pointer (&other, regiond_client_unref);
  regiond_clients_free (clients);
  client_leave (own);
  client_leave (staying);
}

/* Only the lease that vanishes first is told: it ends the other one. */
static RegiondClient *ending;

static void
on_vanished_ends_all (gpointer lease)
{
  guint *leases = lease;

  vanished++;
  regiond_client_remove_lease (ending, leases);
  regiond_client_remove_lease (ending, leases[0] == 0 ? leases + 1 : leases - 1);
}

static void
test_ends_another (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  GDBusConnection *own = fixture_connect (f), *leaving = fixture_connect (f);
  RegiondClients *clients = regiond_clients_new (own, on_vanished_ends_all);
  guint leases[2] = { 0, 1 };

  ending = regiond_clients_get (clients, g_dbus_connection_get_unique_name (leaving));
  vanished = 0;
  regiond_client_add_lease (ending, &leases[0]);
  regiond_client_add_lease (ending, &leases[1]);
  must_identify (ending);
  client_leave (leaving);
  wait_until (regiond_client_is_gone (ending));
  g_assert_cmpuint (vanished, ==, 1);
  g_clear_pointer (&ending, regiond_client_unref);
  regiond_clients_free (clients);
  client_leave (own);
}

static void
test_vanished_but_kept (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  GDBusConnection *own = fixture_connect (f), *leaving = fixture_connect (f);
  g_autofree char *name = g_strdup (g_dbus_connection_get_unique_name (leaving));
  RegiondClients *clients = regiond_clients_new (own, on_vanished);
  RegiondClient *kept, *again;

  kept = regiond_clients_get (clients, name);
  must_identify (kept);
  client_leave (leaving);
  wait_until (regiond_client_is_gone (kept));

  /* It stays in the table, gone, and is not remembered anew. */
  again = regiond_clients_get (clients, name);
  g_assert_true (again == kept);
  must_identify (again);
  regiond_clients_free (clients);

  /* Both references are still ours: the first to go is not the last. */
  regiond_client_unref (again);
  g_assert_cmpstr (regiond_client_get_name (kept), ==, name);
  g_assert_true (regiond_client_is_gone (kept));
  regiond_client_unref (kept);
  client_leave (own);
}

static guint rules;

/* Counts the match rules that go out. */
static GDBusMessage *
count_rules (GDBusConnection *connection,
             GDBusMessage    *message,
             gboolean         incoming,
             gpointer         data)
{
  if (!incoming && g_strcmp0 (g_dbus_message_get_member (message), "AddMatch") == 0)
    g_atomic_int_inc (&rules);
  return message;
}

static void
test_one_rule (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  GDBusConnection *own = fixture_connect (f), *leaving = NULL;
  RegiondClients *clients;
  RegiondClient *table[1000];
  g_autoptr (RegiondClient) last = NULL;
  guint filter = g_dbus_connection_add_filter (own, count_rules, NULL, NULL);

  rules = 0;
  clients = regiond_clients_new (own, on_vanished);
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *name = g_strdup_printf (":2.%zu", i);

      table[i] = regiond_clients_get (clients, name);
    }
  leaving = fixture_connect (f);
  last = regiond_clients_get (clients, g_dbus_connection_get_unique_name (leaving));
  must_identify (last);
  client_leave (leaving);
  wait_until (regiond_client_is_gone (last));
  g_assert_cmpuint (g_atomic_int_get (&rules), ==, 1);

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    regiond_client_unref (table[i]);
  g_clear_pointer (&last, regiond_client_unref);
  regiond_clients_free (clients);
  g_dbus_connection_remove_filter (own, filter);
  client_leave (own);
}

#define STRANGERS 100
#define ASKED_AT_ONCE 16 /* client.c */

/* Of whom the bus has been asked, in order; and how many of those questions were unanswered at most. */
typedef struct {
  GMutex     lock;
  GPtrArray *names;
  GHashTable *open; /* serials */
  guint      most;
} Questions;

static GDBusMessage *
note_question (GDBusConnection *connection,
               GDBusMessage    *message,
               gboolean         incoming,
               gpointer         data)
{
  Questions *self = data;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (incoming)
    g_hash_table_remove (self->open, GUINT_TO_POINTER (g_dbus_message_get_reply_serial (message)));
  else if (g_strcmp0 (g_dbus_message_get_member (message), "GetConnectionCredentials") == 0)
    {
      g_hash_table_add (self->open, GUINT_TO_POINTER (g_dbus_message_get_serial (message)));
      g_ptr_array_add (self->names, g_strdup (g_dbus_message_get_arg0 (message)));
      self->most = MAX (self->most, g_hash_table_size (self->open));
    }
  return message;
}

static guint
find_question (Questions *self,
               guint      stranger)
{
  g_autofree char *name = g_strdup_printf (":3.%u", stranger);
  guint index;

  g_assert_true (g_ptr_array_find_with_equal_func (self->names, name, g_str_equal, &index));
  return index;
}

static guint told;

static void
count_told (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  g_autoptr (RegiondClient) client = data;

  g_assert_false (regiond_client_identify_finish (client, result, NULL));
  told++;
}

/* All come at once: the bus has few questions at a time to answer, and neither
 * the last one nor the first one waits for all the others. */
static void
test_strangers (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  GDBusConnection *own = fixture_connect (f);
  Questions questions = { .names = g_ptr_array_new_with_free_func (g_free), .open = g_hash_table_new (NULL, NULL) };
  guint filter = g_dbus_connection_add_filter (own, note_question, &questions, NULL);
  RegiondClients *clients = regiond_clients_new (own, on_vanished);

  told = 0;
  for (guint i = 0; i < STRANGERS; i++)
    {
      g_autofree char *name = g_strdup_printf (":3.%u", i);
      RegiondClient *client = regiond_clients_get (clients, name);

      regiond_client_identify (client, count_told, client);
    }
  wait_until (told == STRANGERS);
  g_dbus_connection_remove_filter (own, filter);
  g_assert_cmpuint (questions.names->len, ==, STRANGERS);
  g_assert_cmpuint (questions.most, <=, ASKED_AT_ONCE);
  g_assert_cmpuint (find_question (&questions, STRANGERS - 1), <, ASKED_AT_ONCE + 2);
  g_assert_cmpuint (find_question (&questions, ASKED_AT_ONCE), <, ASKED_AT_ONCE + 2);

  regiond_clients_free (clients);
  g_ptr_array_unref (questions.names);
  g_hash_table_unref (questions.open);
  client_leave (own);
}

/* Those about whom the bus has not been asked yet hear that there is nothing to wait for. */
static void
test_strangers_at_the_end (void)
{
  g_autoptr (Fixture) f = fixture_new ();
  GDBusConnection *own = fixture_connect (f);
  RegiondClients *clients = regiond_clients_new (own, on_vanished);

  told = 0;
  for (guint i = 0; i < STRANGERS; i++)
    {
      g_autofree char *name = g_strdup_printf (":3.%u", i);
      RegiondClient *client = regiond_clients_get (clients, name);

      regiond_client_identify (client, count_told, client);
    }
  regiond_clients_free (clients);
  wait_until (told == STRANGERS);
  client_leave (own);
}

static void
add_tests (void)
{
  g_test_add_func ("/client/the-bus-tells-who-it-is", test_identify);
  g_test_add_func ("/client/who-has-left-is-gone", test_left_before);
  g_test_add_func ("/client/one-name-one-client", test_same);
  g_test_add_func ("/client/who-leaves-loses-every-lease", test_vanish);
  g_test_add_func ("/client/a-lease-that-another-ends-is-not-told", test_ends_another);
  g_test_add_func ("/client/who-has-vanished-is-let-go-once", test_vanished_but_kept);
  g_test_add_func ("/client/a-thousand-clients-are-one-subscription", test_one_rule);
  g_test_add_func ("/client/of-many-strangers-none-waits-for-all", test_strangers);
  g_test_add_func ("/client/strangers-do-not-wait-for-a-service-that-ends", test_strangers_at_the_end);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
