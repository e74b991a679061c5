/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "news.h"

#include "device.h"

#define DEVICE_INTERFACE "org.regiond1.Device"

struct _RegiondNews {
  RegiondDevice     *device;
  RegiondDeviceState state; /* what the bus has been told */
  guint              lingering;
  char              *exclusive;
  gboolean           leases_changed; /* since then */
  GSource           *announcement; /* pending */
};

RegiondNews *
regiond_news_new (RegiondDevice *device)
{
  RegiondNews *self = g_new0 (RegiondNews, 1);

  self->device = device;
  return self;
}

static void
cancel_announcement (RegiondNews *self)
{
  if (self->announcement != NULL)
    g_source_destroy (self->announcement);
  g_clear_pointer (&self->announcement, g_source_unref);
}

void
regiond_news_free (RegiondNews *self)
{
  cancel_announcement (self);
  g_free (self->exclusive);
  g_free (self);
}

/* Adds what is new, and takes note that it has been told. */
static void
add_news (RegiondNews     *self,
          GVariantBuilder *changed)
{
  const char *exclusive = regiond_tenancy_get_exclusive (regiond_device_get_tenancy (self->device));
  RegiondDeviceState state = regiond_device_get_state (self->device);
  guint lingering = regiond_device_count_lingering (self->device);

  if (state != self->state)
    g_variant_builder_add (changed, "{sv}", "State", g_variant_new_string (regiond_device_state_to_string (state)));
  if (lingering != self->lingering)
    g_variant_builder_add (changed, "{sv}", "Lingering", g_variant_new_uint32 (lingering));
  if (g_strcmp0 (exclusive, self->exclusive) != 0)
    g_variant_builder_add (changed, "{sv}", "Exclusive", g_variant_new_string (exclusive));

  self->state = state;
  self->lingering = lingering;
  g_free (self->exclusive);
  self->exclusive = g_strdup (exclusive);
}

static gboolean
has_news (RegiondNews *self)
{
  return regiond_device_get_state (self->device) != self->state ||
         regiond_device_count_lingering (self->device) != self->lingering ||
         g_strcmp0 (regiond_tenancy_get_exclusive (regiond_device_get_tenancy (self->device)), self->exclusive) != 0;
}

void
regiond_news_skip (RegiondNews *self)
{
  g_auto (GVariantBuilder) old = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  add_news (self, &old);
}

void
regiond_news_announce (RegiondNews *self)
{
  g_auto (GVariantBuilder) changed = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  const char *const invalidated[] = { self->leases_changed ? "Leases" : NULL, NULL };
  g_autoptr (GVariant) news = NULL;

  cancel_announcement (self);
  self->leases_changed = FALSE;
  add_news (self, &changed);
  news = g_variant_ref_sink (g_variant_builder_end (&changed));
  if (invalidated[0] == NULL && g_variant_n_children (news) == 0)
    return;

  g_debug ("device %s: %s", regiond_device_get_id (self->device), regiond_device_state_to_string (self->state));
  g_dbus_connection_emit_signal (regiond_device_get_daemon (self->device)->connection, NULL,
                                 regiond_device_get_path (self->device), "org.freedesktop.DBus.Properties",
                                 "PropertiesChanged", g_variant_new ("(s@a{sv}^as)", DEVICE_INTERFACE, news, invalidated),
                                 NULL);
}

static gboolean
on_time (gpointer data)
{
  regiond_news_announce (data);
  return G_SOURCE_REMOVE;
}

void
regiond_news_publish (RegiondNews *self,
                      gboolean     leases)
{
  int priority = has_news (self) ? G_PRIORITY_DEFAULT : G_PRIORITY_DEFAULT_IDLE;

  self->leases_changed |= leases;
  if (priority != G_PRIORITY_DEFAULT && !self->leases_changed)
    return;

  if (self->announcement == NULL)
    {
      self->announcement = g_idle_source_new ();
      g_source_set_priority (self->announcement, priority);
      g_source_set_callback (self->announcement, on_time, self, NULL);
      g_source_attach (self->announcement, NULL);
    }
  else if (priority == G_PRIORITY_DEFAULT)
    g_source_set_priority (self->announcement, priority);
}
