/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client.h"

#include "error.h"

#define BUS_NAME "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"

/* About so many strangers the bus is asked at once. However many there are,
 * whatever else is sent to it waits for no more of these questions. */
#define ASKED_AT_ONCE 16

struct _RegiondClients {
  GDBusConnection    *connection;
  GHashTable         *table; /* unique name -> RegiondClient, no references */
  RegiondVanishedFunc vanished;
  guint               subscription;
  GQueue              strangers; /* RegiondClient: about whom the bus is yet to be asked */
  guint               n_asked;
  gboolean            newest; /* who is asked about next */
};

struct _RegiondClient {
  grefcount       references;
  RegiondClients *clients; /* NULL when they have been freed */
  char           *name;
  gboolean        process; /* and no bus name */
  gboolean        known;
  guint32         uid;
  guint32         pid;
  GQueue          curious; /* GTask: those who wait to hear who it is */
  GCancellable   *gone;
  GHashTable     *leases; /* a set */
};

RegiondClient *
regiond_client_ref (RegiondClient *self)
{
  g_ref_count_inc (&self->references);
  return self;
}

void
regiond_client_unref (RegiondClient *self)
{
  if (!g_ref_count_dec (&self->references))
    return;

  if (self->clients != NULL)
    g_hash_table_remove (self->clients->table, self->name);
  g_hash_table_unref (self->leases);
  g_object_unref (self->gone);
  g_free (self->name);
  g_free (self);
}

static void
vanish (RegiondClient *client)
{
  g_autoptr (RegiondClient) self = regiond_client_ref (client);
  g_autoptr (GList) leases = g_hash_table_get_keys (self->leases);

  if (self->known)
    regiond_client_unref (self); /* what on_credentials took */

  g_cancellable_cancel (self->gone);
  for (GList *l = leases; l != NULL; l = l->next)
    {
      /* Ending one may have ended another. */
      if (g_hash_table_contains (self->leases, l->data))
        self->clients->vanished (l->data);
    }
}

static void
on_name_owner_changed (GDBusConnection *connection,
                       const char      *sender,
                       const char      *path,
                       const char      *interface,
                       const char      *signal,
                       GVariant        *parameters,
                       gpointer         data)
{
  RegiondClients *self = data;
  RegiondClient *client;
  const char *name, *new_owner;

  g_variant_get (parameters, "(&s&s&s)", &name, NULL, &new_owner);
  if (new_owner[0] != '\0')
    return;

  client = g_hash_table_lookup (self->table, name);
  if (client != NULL)
    vanish (client);
}

RegiondClients *
regiond_clients_new (GDBusConnection    *connection,
                     RegiondVanishedFunc vanished)
{
  RegiondClients *self = g_new0 (RegiondClients, 1);

  self->connection = connection;
  self->vanished = vanished;
  self->table = g_hash_table_new (g_str_hash, g_str_equal);
  g_queue_init (&self->strangers);
  self->subscription = g_dbus_connection_signal_subscribe (connection, BUS_NAME, BUS_NAME, "NameOwnerChanged",
                                                           BUS_PATH, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                                           on_name_owner_changed, self, NULL);
  return self;
}

/* Everybody who wants to know hears that the client is known, or why not. */
static void
tell (RegiondClient *self,
      gboolean       known,
      const char    *why)
{
  GTask *next;

  while ((next = g_queue_pop_head (&self->curious)) != NULL)
    {
      g_autoptr (GTask) task = next;

      if (known)
        g_task_return_boolean (task, TRUE);
      else
        g_task_return_new_error (task, REGIOND_ERROR, REGIOND_ERROR_GONE, "The bus does not say who %s is: %s",
                                 self->name, why);
    }
}

void
regiond_clients_free (RegiondClients *self)
{
  g_autoptr (GList) remembered = g_hash_table_get_values (self->table);
  RegiondClient *stranger;

  g_dbus_connection_signal_unsubscribe (self->connection, self->subscription);
  for (GList *l = remembered; l != NULL; l = l->next)
    {
      RegiondClient *client = l->data;

      client->clients = NULL;

      /* Who has vanished has been forgotten then. */
      if (client->known && !regiond_client_is_gone (client))
        regiond_client_unref (client);
    }
  while ((stranger = g_queue_pop_head (&self->strangers)) != NULL)
    {
      tell (stranger, FALSE, "the service ends");
      regiond_client_unref (stranger);
    }
  g_hash_table_unref (self->table);
  g_free (self);
}

/* Takes @name. */
static RegiondClient *
client_new (char *name)
{
  RegiondClient *self = g_new0 (RegiondClient, 1);

  g_ref_count_init (&self->references);
  self->name = name;
  self->uid = G_MAXUINT32;
  g_queue_init (&self->curious);
  self->gone = g_cancellable_new ();
  self->leases = g_hash_table_new (NULL, NULL);
  return self;
}

RegiondClient *
regiond_clients_get (RegiondClients *self,
                     const char     *name)
{
  RegiondClient *client = g_hash_table_lookup (self->table, name);

  if (client != NULL)
    return regiond_client_ref (client);

  client = client_new (g_strdup (name));
  client->clients = self;
  g_hash_table_insert (self->table, client->name, client);
  return client;
}

RegiondClient *
regiond_client_new_process (guint32 uid,
                            guint32 pid)
{
  RegiondClient *self = client_new (g_strdup_printf ("process %u", pid));

  self->process = self->known = TRUE;
  self->uid = uid;
  self->pid = pid;
  return self;
}

gboolean
regiond_client_is_process (RegiondClient *self)
{
  return self->process;
}

/* Until it vanishes. */
static void
remember (RegiondClient *self)
{
  if (self->known || regiond_client_is_gone (self))
    return;

  self->known = TRUE;
  regiond_client_ref (self);
}

static void ask_next (RegiondClients *self);

/* The subscription was there before the question: whoever has credentials
 * now will be seen to leave. */
static void
on_credentials (GObject      *source,
                GAsyncResult *result,
                gpointer      data)
{
  g_autoptr (RegiondClient) self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  g_autoptr (GVariant) credentials = NULL;
  gboolean known;

  if (reply != NULL)
    credentials = g_variant_get_child_value (reply, 0);
  known = reply != NULL && g_variant_lookup (credentials, "UnixUserID", "u", &self->uid);
  if (known)
    {
      g_variant_lookup (credentials, "ProcessID", "u", &self->pid);
      remember (self);
    }

  if (self->clients != NULL)
    {
      self->clients->n_asked--;
      ask_next (self->clients);
    }
  tell (self, known, error != NULL ? error->message : "no user id");
}

/* The one who came last and the one who has waited longest in turn: one who
 * comes while there are hundreds does not wait for all of them, nor does
 * anybody wait for those who keep coming. */
static RegiondClient *
pop_stranger (RegiondClients *self)
{
  self->newest = !self->newest;
  return self->newest ? g_queue_pop_tail (&self->strangers) : g_queue_pop_head (&self->strangers);
}

static void
ask_next (RegiondClients *self)
{
  RegiondClient *client;

  while (self->n_asked < ASKED_AT_ONCE && (client = pop_stranger (self)) != NULL)
    {
      if (regiond_client_is_gone (client))
        {
          tell (client, FALSE, "it has left");
          regiond_client_unref (client);
          continue;
        }

      self->n_asked++;
      g_dbus_connection_call (self->connection, BUS_NAME, BUS_PATH, BUS_NAME, "GetConnectionCredentials",
                              g_variant_new ("(s)", client->name), G_VARIANT_TYPE ("(a{sv})"), G_DBUS_CALL_FLAGS_NONE,
                              -1, NULL, on_credentials, client);
    }
}

gboolean
regiond_client_is_known (RegiondClient *self)
{
  return self->known;
}

void
regiond_client_identify (RegiondClient      *self,
                         GAsyncReadyCallback callback,
                         gpointer            data)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, callback, data);

  if (self->known)
    {
      g_task_return_boolean (task, TRUE);
      return;
    }

  /* Once, however many calls of his come before the answer. */
  g_queue_push_tail (&self->curious, g_steal_pointer (&task));
  if (g_queue_get_length (&self->curious) == 1)
    {
      g_queue_push_tail (&self->clients->strangers, regiond_client_ref (self));
      ask_next (self->clients);
    }
}

gboolean
regiond_client_identify_finish (RegiondClient *self,
                                GAsyncResult  *result,
                                GError       **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

const char *
regiond_client_get_name (RegiondClient *self)
{
  return self->name;
}

guint32
regiond_client_get_uid (RegiondClient *self)
{
  return self->uid;
}

guint32
regiond_client_get_pid (RegiondClient *self)
{
  return self->pid;
}

void
regiond_client_describe (RegiondClient *self,
                         RegiondRecord *record)
{
  record->owner = self->name;
  record->uid = self->uid;
  record->pid = self->pid;
}

GCancellable *
regiond_client_get_gone (RegiondClient *self)
{
  return self->gone;
}

gboolean
regiond_client_is_gone (RegiondClient *self)
{
  return g_cancellable_is_cancelled (self->gone);
}

void
regiond_client_add_lease (RegiondClient *self,
                          gpointer       lease)
{
  g_hash_table_add (self->leases, lease);
}

void
regiond_client_remove_lease (RegiondClient *self,
                             gpointer       lease)
{
  g_hash_table_remove (self->leases, lease);
}
