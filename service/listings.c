/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "listings.h"

#include "error.h"
#include "queue.h"
#include "trim.h"

struct _RegiondListings {
  GDBusConnection    *connection; /* which has the guard that keeps this */
  GDBusObjectManager *objects;    /* NULL: not started, or stopped */
  RegiondClients     *clients;
  RegiondQueue       *queue; /* Listing */
  guint               turn;
};

/* One call that has come. */
typedef struct {
  RegiondListings *listings;
  GDBusMessage    *call;
  RegiondClient   *client; /* NULL at first */
} Listing;

static void
listing_free (Listing *self)
{
  regiond_listings_unref (self->listings);
  g_object_unref (self->call);
  g_clear_pointer (&self->client, regiond_client_unref);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Listing, listing_free)

RegiondListings *
regiond_listings_new (GDBusConnection *connection)
{
  RegiondListings *self = g_atomic_rc_box_new0 (RegiondListings);

  self->connection = connection;
  self->queue = regiond_queue_new (1, 1, 0);
  return self;
}

RegiondListings *
regiond_listings_ref (RegiondListings *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
clear (RegiondListings *self)
{
  regiond_queue_free (self->queue);
}

void
regiond_listings_unref (RegiondListings *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

void
regiond_listings_start (RegiondListings    *self,
                        GDBusObjectManager *objects,
                        RegiondClients     *clients)
{
  self->objects = objects;
  self->clients = clients;
}

void
regiond_listings_stop (RegiondListings *self)
{
  Listing *waiting;

  self->objects = NULL;
  self->clients = NULL;
  g_clear_handle_id (&self->turn, g_source_remove);
  while ((waiting = regiond_queue_steal (self->queue)) != NULL)
    listing_free (waiting);
}

static void
send (Listing      *self,
      GDBusMessage *reply)
{
  g_dbus_connection_send_message (self->listings->connection, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL, NULL);
}

static void
refuse (Listing      *self,
        const GError *error)
{
  g_autofree char *name = g_dbus_error_encode_gerror (error);
  g_autoptr (GDBusMessage) reply = g_dbus_message_new_method_error_literal (self->call, name, error->message);

  send (self, reply);
}

static void
add_object (GVariantBuilder *all,
            GDBusObject     *object)
{
  g_autolist (GDBusInterface) interfaces = g_dbus_object_get_interfaces (object);
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{sa{sv}}"));

  for (GList *l = interfaces; l != NULL; l = l->next)
    {
      g_autoptr (GVariant) properties = g_dbus_interface_skeleton_get_properties (l->data);

      g_variant_builder_add (&builder, "{s@a{sv}}", g_dbus_interface_get_info (l->data)->name, properties);
    }
  g_variant_builder_add (all, "{oa{sa{sv}}}", g_dbus_object_get_object_path (object), &builder);
}

static void
answer (Listing *self)
{
  g_autolist (GDBusObject) objects = g_dbus_object_manager_get_objects (self->listings->objects);
  g_autoptr (GDBusMessage) reply = g_dbus_message_new_method_reply (self->call);
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a{oa{sa{sv}}}"));

  for (GList *l = objects; l != NULL; l = l->next)
    add_object (&builder, l->data);
  g_dbus_message_set_body (reply, g_variant_new ("(a{oa{sa{sv}}})", &builder));
  send (self, reply);
  regiond_trim_later ();
}

static gboolean
on_turn (gpointer data)
{
  RegiondListings *self = data;
  g_autoptr (Listing) next = regiond_queue_serve (self->queue);

  if (next == NULL)
    {
      self->turn = 0;
      return G_SOURCE_REMOVE;
    }

  answer (next);
  regiond_queue_done (self->queue, regiond_client_get_uid (next->client));
  return G_SOURCE_CONTINUE;
}

static void
enqueue (Listing *listing)
{
  RegiondListings *self = listing->listings;
  guint32 uid = regiond_client_get_uid (listing->client);
  g_autoptr (GError) error = NULL;

  if (regiond_queue_count (self->queue, uid) >= REGIOND_LISTINGS_EACH)
    {
      g_set_error (&error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
                   "There are %d unanswered GetManagedObjects of user %u; try again in a moment, or ask for single "
                   "objects", REGIOND_LISTINGS_EACH, uid);
      refuse (listing, error);
      listing_free (listing);
      return;
    }

  regiond_queue_push (self->queue, uid, listing);
  if (self->turn == 0)
    self->turn = g_idle_add_full (G_PRIORITY_DEFAULT, on_turn, self, NULL);
}

static void
on_identified (GObject      *source,
               GAsyncResult *result,
               gpointer      data)
{
  g_autoptr (Listing) listing = data;
  g_autoptr (GError) error = NULL;

  if (!regiond_client_identify_finish (listing->client, result, &error))
    refuse (listing, error);
  else if (listing->listings->objects != NULL)
    enqueue (g_steal_pointer (&listing));
}

static gboolean
on_taken (gpointer data)
{
  Listing *listing = data;
  RegiondListings *self = listing->listings;

  if (self->clients == NULL)
    {
      listing_free (listing);
      return G_SOURCE_REMOVE;
    }

  listing->client = regiond_clients_get (self->clients, g_dbus_message_get_sender (listing->call));
  regiond_client_identify (listing->client, on_identified, listing);
  return G_SOURCE_REMOVE;
}

void
regiond_listings_take (gpointer      self,
                       GDBusMessage *call)
{
  Listing *listing = g_new0 (Listing, 1);

  listing->listings = regiond_listings_ref (self);
  listing->call = call;
  g_idle_add_full (G_PRIORITY_DEFAULT, on_taken, listing, NULL);
}
