/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device.h"

#include "error.h"
#include "log.h"
#include "offer.h"
#include "opening.h"
#include "reset.h"
#include "text.h"
#include "verification.h"

#define DEVICE_INTERFACE "org.regiond1.Device"

/* The properties that change. They are made when they are asked for. */
typedef struct {
  RegiondDeviceState state;
  guint              lingering;
  char              *exclusive;
} RegiondDeviceNews;

struct _RegiondDevice {
  RegiondDBusDeviceSkeleton parent_instance;
  RegiondDaemon            *daemon;
  char                     *key; /* the last element of its path */
  char                     *id;
  char                     *path;
  char                     *description;
  GPtrArray                *regions; /* the last of these */
  GPtrArray                *all_regions;
  RegiondBackend           *backend;
  RegiondTenancy           *tenancy;
  RegiondTurns             *turns;
  RegiondVerifications     *verifications;
  gboolean                  resetting;
  gboolean                  exported;
  gboolean                  gone;
  GError                   *failure;
  RegiondDeviceNews         announced; /* what the bus has been told */
  gboolean                  leases_changed; /* since then */
  GSource                  *announcement; /* pending */
};

static void regiond_device_iface_init (RegiondDBusDeviceIface *iface);

G_DEFINE_TYPE_WITH_CODE (RegiondDevice, regiond_device, REGIOND_DBUS_TYPE_DEVICE_SKELETON,
                         G_IMPLEMENT_INTERFACE (REGIOND_DBUS_TYPE_DEVICE, regiond_device_iface_init))

enum { PROP_EXCLUSIVE = 1, PROP_LEASES, PROP_LINGERING, PROP_STATE };

static void
cancel_announcement (RegiondDevice *self)
{
  if (self->announcement != NULL)
    g_source_destroy (self->announcement);
  g_clear_pointer (&self->announcement, g_source_unref);
}

static void
regiond_device_finalize (GObject *object)
{
  RegiondDevice *self = REGIOND_DEVICE (object);

  cancel_announcement (self);
  g_free (self->announced.exclusive);
  g_clear_pointer (&self->verifications, regiond_verifications_free);
  g_clear_pointer (&self->tenancy, regiond_tenancy_free);
  g_clear_pointer (&self->turns, regiond_turns_free);
  g_clear_object (&self->backend);
  g_clear_error (&self->failure);
  g_ptr_array_unref (self->all_regions);
  g_free (self->description);
  g_free (self->path);
  g_free (self->id);
  g_free (self->key);

  G_OBJECT_CLASS (regiond_device_parent_class)->finalize (object);
}

static RegiondDeviceState
get_state (RegiondDevice *self)
{
  if (self->gone)
    return REGIOND_DEVICE_GONE;
  if (self->failure != NULL)
    return REGIOND_DEVICE_FAILED;
  if (self->resetting)
    return REGIOND_DEVICE_RESETTING;
  if (regiond_tenancy_count_active (self->tenancy) > 0)
    return REGIOND_DEVICE_LEASED;
  return regiond_tenancy_is_draining (self->tenancy) ? REGIOND_DEVICE_DRAINING : REGIOND_DEVICE_PARKED;
}

static void
regiond_device_get_property (GObject    *object,
                             guint       property,
                             GValue     *value,
                             GParamSpec *spec)
{
  RegiondDevice *self = REGIOND_DEVICE (object);

  if (property == PROP_LEASES)
    g_value_take_boxed (value, regiond_tenancy_list_active (self->tenancy));
  else if (property == PROP_EXCLUSIVE)
    g_value_set_string (value, regiond_tenancy_get_exclusive (self->tenancy));
  else if (property == PROP_LINGERING)
    g_value_set_uint (value, regiond_tenancy_count_lingering (self->tenancy));
  else
    g_value_set_static_string (value, regiond_device_state_to_string (get_state (self)));
}

static void
regiond_device_set_property (GObject      *object,
                             guint         property,
                             const GValue *value,
                             GParamSpec   *spec)
{
  g_assert_not_reached ();
}

static void
regiond_device_class_init (RegiondDeviceClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = regiond_device_finalize;
  object_class->get_property = regiond_device_get_property;
  object_class->set_property = regiond_device_set_property;
  g_object_class_override_property (object_class, PROP_EXCLUSIVE, "exclusive");
  g_object_class_override_property (object_class, PROP_LEASES, "leases");
  g_object_class_override_property (object_class, PROP_LINGERING, "lingering");
  g_object_class_override_property (object_class, PROP_STATE, "state");
}

static void
regiond_device_init (RegiondDevice *self)
{
}

/* Adds what is new, and takes note that it has been told. */
static void
add_news (RegiondDevice   *self,
          GVariantBuilder *changed)
{
  RegiondDeviceNews *told = &self->announced;
  const char *exclusive = regiond_tenancy_get_exclusive (self->tenancy);
  RegiondDeviceState state = get_state (self);
  guint lingering = regiond_tenancy_count_lingering (self->tenancy);

  if (state != told->state)
    g_variant_builder_add (changed, "{sv}", "State", g_variant_new_string (regiond_device_state_to_string (state)));
  if (lingering != told->lingering)
    g_variant_builder_add (changed, "{sv}", "Lingering", g_variant_new_uint32 (lingering));
  if (g_strcmp0 (exclusive, told->exclusive) != 0)
    g_variant_builder_add (changed, "{sv}", "Exclusive", g_variant_new_string (exclusive));

  g_free (told->exclusive);
  *told = (RegiondDeviceNews){ state, lingering, g_strdup (exclusive) };
}

static gboolean
has_news (RegiondDevice *self)
{
  const RegiondDeviceNews *told = &self->announced;

  return get_state (self) != told->state || regiond_tenancy_count_lingering (self->tenancy) != told->lingering ||
         g_strcmp0 (regiond_tenancy_get_exclusive (self->tenancy), told->exclusive) != 0;
}

/* One signal for all that has changed in a turn of the loop: the skeleton's own
 * would be a second one for each lease that comes and goes. */
static gboolean
announce (gpointer data)
{
  RegiondDevice *self = data;
  g_auto (GVariantBuilder) changed = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  const char *const invalidated[] = { self->leases_changed ? "Leases" : NULL, NULL };
  g_autoptr (GVariant) news = NULL;

  cancel_announcement (self);
  self->leases_changed = FALSE;
  add_news (self, &changed);
  news = g_variant_ref_sink (g_variant_builder_end (&changed));
  if (invalidated[0] == NULL && g_variant_n_children (news) == 0)
    return G_SOURCE_REMOVE;

  g_debug ("device %s: %s", self->id, regiond_device_state_to_string (self->announced.state));
  g_dbus_connection_emit_signal (self->daemon->connection, NULL, self->path, "org.freedesktop.DBus.Properties",
                                 "PropertiesChanged", g_variant_new ("(s@a{sv}^as)", DEVICE_INTERFACE, news, invalidated),
                                 NULL);
  return G_SOURCE_REMOVE;
}

/* The list of leases alone can wait until there is nothing else to do. */
static void
publish (RegiondDevice *self)
{
  int priority = has_news (self) ? G_PRIORITY_DEFAULT : G_PRIORITY_DEFAULT_IDLE;

  if (!self->exported || (priority != G_PRIORITY_DEFAULT && !self->leases_changed))
    return;
  if (self->announcement == NULL)
    {
      self->announcement = g_idle_source_new ();
      g_source_set_priority (self->announcement, priority);
      g_source_set_callback (self->announcement, announce, self, NULL);
      g_source_attach (self->announcement, NULL);
    }
  else if (priority == G_PRIORITY_DEFAULT)
    g_source_set_priority (self->announcement, priority);
}

static void
log_reset (RegiondDevice *self,
           const GError  *error)
{
  RegiondRecord record = {
    .event = "reset",
    .device = self->id,
    .reason = error != NULL ? error->message : "last close",
  };

  regiond_log (&record);
}

static void
on_changed (gpointer owner)
{
  RegiondDevice *self = owner;

  self->leases_changed = TRUE;
  publish (self);
  regiond_verifications_update (self->verifications, self, self->gone);
}

static void
on_emptied (gpointer owner)
{
  RegiondDevice *self = owner;

  /* At once, before any turn that waits: what was lent is not lent again. */
  if (regiond_backend_spend (self->backend, NULL))
    regiond_device_park (self);
  else
    log_reset (self, NULL);
}

static void push_parking (RegiondDevice *self, gboolean leased);

static void
on_vacated (gpointer       owner,
            RegiondRegion *region)
{
  RegiondDevice *self = owner;

  if (regiond_backend_spend (self->backend, region))
    push_parking (self, TRUE);
}

static void
on_unsettled (gpointer owner,
              gboolean wait)
{
  RegiondDevice *self = owner;

  regiond_turns_hold (self->turns, wait && !self->gone);
}

static const RegiondTenancyEvents tenancy_events = { on_emptied, on_changed, on_unsettled, on_vacated };

/* Parking: a turn like any other. While other regions stay leased, contents that
 * persist are taken over in the same way: at once, before somebody who still
 * has the old memory changes them. */

typedef struct {
  RegiondDevice *device;
  gboolean       leased;
  GError        *error;
} Parking;

static void
parking_free (Parking *self)
{
  g_clear_error (&self->error);
  g_object_unref (self->device);
  g_free (self);
}

static RegiondTurnLength
begin_parking (gpointer data)
{
  Parking *parking = data;

  if (parking->device->gone || (regiond_tenancy_count_active (parking->device->tenancy) > 0) != parking->leased)
    {
      parking_free (parking);
      return REGIOND_TURN_OVER;
    }

  if (!parking->leased)
    regiond_device_set_resetting (parking->device, TRUE);
  return REGIOND_TURN_LONG;
}

static void
work_parking (gpointer data)
{
  Parking *parking = data;

  if (parking->leased)
    regiond_backend_attach (parking->device->backend, NULL, &parking->error);
  else
    regiond_backend_park (parking->device->backend, &parking->error);
}

static void
done_parking (gpointer data)
{
  Parking *parking = data;
  RegiondDevice *self = parking->device;

  /* What cannot be taken over now, is at the next opening, or refused there. */
  if (parking->leased)
    {
      parking_free (parking);
      return;
    }

  log_reset (self, parking->error);

  /* Contents that there is no room to copy now stay where they are, unlent,
   * and are copied at the next open. */
  if (parking->error != NULL && !g_error_matches (parking->error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED))
    regiond_device_set_failure (self, parking->error);
  regiond_device_set_resetting (self, FALSE);
  parking_free (parking);
}

static void
push_parking (RegiondDevice *self,
              gboolean       leased)
{
  static const RegiondTurn turn = { begin_parking, work_parking, done_parking };
  Parking *parking = g_new0 (Parking, 1);

  parking->device = g_object_ref (self);
  parking->leased = leased;
  regiond_turns_push (self->turns, &turn, parking);
}

void
regiond_device_park (RegiondDevice *self)
{
  push_parking (self, FALSE);
}

void
regiond_device_set_identity (RegiondDevice         *self,
                             const RegiondIdentity *identity)
{
  RegiondDBusDevice *device = REGIOND_DBUS_DEVICE (self);

  regiond_dbus_device_set_address (device, identity->address);
  regiond_dbus_device_set_vendor_id (device, identity->vendor);
  regiond_dbus_device_set_device_id (device, identity->device);
  regiond_dbus_device_set_subsystem_vendor_id (device, identity->subsystem_vendor);
  regiond_dbus_device_set_subsystem_id (device, identity->subsystem);
  regiond_dbus_device_set_class (device, identity->class);
  regiond_dbus_device_set_driver (device, identity->driver);
  regiond_dbus_device_set_iommu_group (device, identity->iommu_group);
  regiond_dbus_device_set_group_devices (device, (const char *const *) identity->group_devices);
}

/* The arrays are kept: openings and leases have regions of former ones. */
static void
show_offer (RegiondDevice *self)
{
  RegiondDBusDevice *device = REGIOND_DBUS_DEVICE (self);

  self->regions = regiond_backend_get_regions (self->backend);
  g_ptr_array_add (self->all_regions, self->regions);
  regiond_dbus_device_set_isolation (device, regiond_backend_get_isolation (self->backend));
  regiond_dbus_device_set_reset_methods (device, regiond_backend_get_reset_methods (self->backend));
  regiond_dbus_device_set_regions (device, regiond_offer_describe (self->backend, self->regions));
}

RegiondDevice *
regiond_device_new (RegiondDaemon            *daemon,
                    const RegiondDeviceTerms *terms)
{
  static const char *const nobody[] = { NULL };
  static const RegiondIdentity nothing = { .address = (char *) "", .driver = (char *) "", .iommu_group = -1,
                                           .group_devices = (char **) nobody };
  RegiondDevice *self = g_object_new (REGIOND_TYPE_DEVICE, NULL);
  RegiondDBusDevice *device = REGIOND_DBUS_DEVICE (self);
  RegiondBackendClass *klass = REGIOND_BACKEND_GET_CLASS (terms->backend);

  self->daemon = daemon;
  self->key = g_strdup (terms->id);
  self->id = g_strdup (terms->identity != NULL ? terms->identity->address : terms->id);
  self->path = g_strdup_printf (REGIOND_DEVICES_PATH "/%s", terms->id);
  self->description = g_strdup (terms->description);
  self->all_regions = g_ptr_array_new_with_free_func ((GDestroyNotify) g_ptr_array_unref);
  self->backend = g_object_ref (terms->backend);
  self->tenancy = regiond_tenancy_new (&tenancy_events, G_OBJECT (self), terms->tolerate);
  self->turns = regiond_turns_new (G_OBJECT (self));
  self->verifications = regiond_verifications_new ();

  regiond_dbus_device_set_id (device, self->id);
  regiond_dbus_device_set_backend (device, klass->name);
  regiond_dbus_device_set_description (device, self->description);
  regiond_device_set_identity (self, terms->identity != NULL ? terms->identity : &nothing);
  show_offer (self);
  return self;
}

void
regiond_device_export (RegiondDevice *self)
{
  g_autoptr (GDBusObjectSkeleton) object = g_dbus_object_skeleton_new (self->path);
  g_auto (GVariantBuilder) old = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  /* What has been set so far is no news: InterfacesAdded says it all. */
  add_news (self, &old);
  self->exported = TRUE;
  g_dbus_interface_skeleton_flush (G_DBUS_INTERFACE_SKELETON (self));
  g_dbus_object_skeleton_add_interface (object, G_DBUS_INTERFACE_SKELETON (self));
  g_dbus_object_manager_server_export (self->daemon->objects, object);
}

void
regiond_device_remove (RegiondDevice *self,
                       RegiondEnd     end)
{
  self->gone = TRUE;
  announce (self);
  self->exported = FALSE;
  regiond_tenancy_end_all (self->tenancy, end);

  /* It gives back what it has declared; what is held is given back when it is
   * proved gone. */
  g_object_run_dispose (G_OBJECT (self->backend));

  /* Whoever waits for a turn gets Gone. */
  regiond_turns_hold (self->turns, FALSE);
  regiond_verifications_update (self->verifications, self, TRUE);
  g_dbus_object_manager_server_unexport (self->daemon->objects, self->path);
}

const char *
regiond_device_get_key (RegiondDevice *self)
{
  return self->key;
}

const char *
regiond_device_get_id (RegiondDevice *self)
{
  return self->id;
}

const char *
regiond_device_get_path (RegiondDevice *self)
{
  return self->path;
}

RegiondDaemon *
regiond_device_get_daemon (RegiondDevice *self)
{
  return self->daemon;
}

RegiondBackend *
regiond_device_get_backend (RegiondDevice *self)
{
  return self->backend;
}

RegiondTenancy *
regiond_device_get_tenancy (RegiondDevice *self)
{
  return self->tenancy;
}

RegiondTurns *
regiond_device_get_turns (RegiondDevice *self)
{
  return self->turns;
}

guint64
regiond_device_get_size (RegiondDevice *self)
{
  return regiond_region_total_memory (self->regions);
}

RegiondRegion *
regiond_device_find_region (RegiondDevice *self,
                            const char    *name,
                            GError       **error)
{
  RegiondRegion *region = regiond_region_find (self->regions, name);
  g_autoptr (GString) names = NULL;
  g_autofree char *quoted = NULL;

  if (region != NULL)
    return region;

  names = g_string_new (NULL);
  quoted = regiond_text_quote (name);

  for (guint i = 0; i < self->regions->len; i++)
    g_string_append_printf (names, "%s%s", i > 0 ? ", " : "",
                            ((RegiondRegion *) g_ptr_array_index (self->regions, i))->name);
  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "Device %s has no region %s; it has %s", self->id,
               quoted, names->str);
  return NULL;
}

gboolean
regiond_device_check_usable (RegiondDevice *self,
                             GError       **error)
{
  if (self->gone)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "Device %s has been removed", self->id);
      return FALSE;
    }
  if (self->failure != NULL)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED,
                   "Nothing of device %s is handed out until a Reset succeeds: %s", self->id, self->failure->message);
      return FALSE;
    }
  return TRUE;
}

static void
add_identity (RegiondDBusDevice *device,
              RegiondQuestion   *question)
{
  g_autofree char *vendor = g_strdup_printf ("0x%04x", regiond_dbus_device_get_vendor_id (device));
  g_autofree char *model = g_strdup_printf ("0x%04x", regiond_dbus_device_get_device_id (device));
  g_autofree char *class = g_strdup_printf ("0x%06x", regiond_dbus_device_get_class (device));
  g_autofree char *group = g_strdup_printf ("%d", regiond_dbus_device_get_iommu_group (device));

  regiond_question_add (question, "address", regiond_dbus_device_get_address (device));
  regiond_question_add (question, "vendor", vendor);
  regiond_question_add (question, "model", model);
  regiond_question_add (question, "class", class);
  regiond_question_add (question, "driver", regiond_dbus_device_get_driver (device));
  if (regiond_dbus_device_get_iommu_group (device) >= 0)
    regiond_question_add (question, "iommu_group", group);
}

void
regiond_device_add_details (RegiondDevice   *self,
                            RegiondQuestion *question)
{
  RegiondDBusDevice *device = REGIOND_DBUS_DEVICE (self);

  regiond_question_add (question, "device", self->id);
  regiond_question_add (question, "backend", REGIOND_BACKEND_GET_CLASS (self->backend)->name);
  regiond_question_add (question, "description", self->description);
  if (regiond_dbus_device_get_address (device)[0] != '\0')
    add_identity (device, question);
}

void
regiond_device_set_resetting (RegiondDevice *self,
                              gboolean       resetting)
{
  self->resetting = resetting;
  publish (self);
}

void
regiond_device_set_failure (RegiondDevice *self,
                            const GError  *failure)
{
  g_clear_error (&self->failure);
  if (failure != NULL)
    self->failure = g_error_copy (failure);
  publish (self);
}

static gboolean
handle_open_region (RegiondDBusDevice     *object,
                    GDBusMethodInvocation *invocation,
                    GUnixFDList           *fd_list,
                    const char            *region,
                    const char            *access,
                    GVariant              *options)
{
  regiond_opening_start (REGIOND_DEVICE (object), invocation, region, access, options);
  return TRUE;
}

static gboolean
handle_reset (RegiondDBusDevice     *object,
              GDBusMethodInvocation *invocation,
              GVariant              *options)
{
  regiond_reset_start (REGIOND_DEVICE (object), invocation, options);
  return TRUE;
}

static gboolean
handle_verify (RegiondDBusDevice     *object,
               GDBusMethodInvocation *invocation,
               GVariant              *options)
{
  RegiondDevice *self = REGIOND_DEVICE (object);

  regiond_verifications_start (self->verifications, self, invocation, options);
  return TRUE;
}

static void
regiond_device_iface_init (RegiondDBusDeviceIface *iface)
{
  iface->handle_open_region = handle_open_region;
  iface->handle_reset = handle_reset;
  iface->handle_verify = handle_verify;
}
