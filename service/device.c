/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "device.h"

#include "catalogue.h"
#include "error.h"
#include "log.h"
#include "news.h"
#include "opening.h"
#include "parking.h"
#include "reset.h"
#include "text.h"
#include "verification.h"

struct _RegiondDevice {
  RegiondDBusDeviceSkeleton parent_instance;
  RegiondDaemon            *daemon;
  char                     *key; /* the last element of its path */
  char                     *id;
  char                     *path;
  char                     *description;
  GPtrArray                *regions;
  RegiondBackend           *backend;
  RegiondTenancy           *tenancy;
  RegiondTurns             *turns;
  RegiondVerifications     *verifications;
  gboolean                  severs; /* RegiondBackendClass */
  gboolean                  resetting;
  gboolean                  parking; /* a turn that parks waits */
  gboolean                  must_settle;
  gboolean                  stuck; /* a turn has not come back */
  gboolean                  exported;
  gboolean                  leaving;
  guint                     grace; /* the timer of that */
  gboolean                  gone;
  guint                     remains; /* that the backend has last had */
  GError                   *failure;
  RegiondNews              *news;
};

static void regiond_device_iface_init (RegiondDBusDeviceIface *iface);

G_DEFINE_TYPE_WITH_CODE (RegiondDevice, regiond_device, REGIOND_DBUS_TYPE_DEVICE_SKELETON,
                         G_IMPLEMENT_INTERFACE (REGIOND_DBUS_TYPE_DEVICE, regiond_device_iface_init))

enum { PROP_EXCLUSIVE = 1, PROP_LEASES, PROP_LINGERING, PROP_STATE };

static void
regiond_device_finalize (GObject *object)
{
  RegiondDevice *self = REGIOND_DEVICE (object);

  regiond_news_free (self->news);
  g_clear_handle_id (&self->grace, g_source_remove);
  g_clear_pointer (&self->verifications, regiond_verifications_free);
  g_clear_pointer (&self->tenancy, regiond_tenancy_free);
  g_clear_pointer (&self->turns, regiond_turns_free);
  g_clear_object (&self->backend);
  g_clear_error (&self->failure);
  g_ptr_array_unref (self->regions);
  g_free (self->description);
  g_free (self->path);
  g_free (self->id);
  g_free (self->key);

  G_OBJECT_CLASS (regiond_device_parent_class)->finalize (object);
}

guint
regiond_device_count_lingering (RegiondDevice *self)
{
  return regiond_tenancy_count_lingering (self->tenancy) + regiond_backend_count_remains (self->backend);
}

static gboolean
is_draining (RegiondDevice *self)
{
  return self->severs ? regiond_device_count_lingering (self) > 0 : regiond_tenancy_is_draining (self->tenancy);
}

RegiondDeviceState
regiond_device_get_state (RegiondDevice *self)
{
  if (self->gone)
    return REGIOND_DEVICE_GONE;
  if (self->failure != NULL)
    return REGIOND_DEVICE_FAILED;
  if (self->resetting)
    return REGIOND_DEVICE_RESETTING;
  if (regiond_tenancy_count_active (self->tenancy) > 0)
    return REGIOND_DEVICE_LEASED;
  return is_draining (self) ? REGIOND_DEVICE_DRAINING : REGIOND_DEVICE_PARKED;
}

static void
regiond_device_get_property (GObject    *object,
                             guint       property,
                             GValue     *value,
                             GParamSpec *spec)
{
  RegiondDevice *self = REGIOND_DEVICE (object);

  if (property == PROP_LEASES)
    g_value_take_boxed (value, regiond_leases_list (regiond_tenancy_get_active (self->tenancy)));
  else if (property == PROP_EXCLUSIVE)
    g_value_set_string (value, regiond_tenancy_get_exclusive (self->tenancy));
  else if (property == PROP_LINGERING)
    g_value_set_uint (value, regiond_device_count_lingering (self));
  else
    g_value_set_static_string (value, regiond_device_state_to_string (regiond_device_get_state (self)));
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

static void
publish (RegiondDevice *self,
         gboolean       leases)
{
  if (self->exported)
    regiond_news_publish (self->news, leases);
}

void
regiond_device_log_reset (RegiondDevice *self,
                          const char    *reason,
                          const GError  *error)
{
  RegiondRecord record = {
    .event = "reset",
    .device = self->id,
    .reason = error != NULL ? error->message : reason,
  };

  regiond_log (&record);
}

static void
on_changed (gpointer owner)
{
  RegiondDevice *self = owner;

  publish (self, TRUE);
  regiond_verifications_update (self->verifications, self, self->gone);
}

static void
on_emptied (gpointer owner)
{
  RegiondDevice *self = owner;

  g_clear_handle_id (&self->grace, g_source_remove);

  /* A real device is not parked before nothing reaches it any more. */
  if (self->severs && regiond_tenancy_is_unsettled (self->tenancy))
    regiond_turns_hold (self->turns, TRUE);

  /* At once, before any turn that waits: what was lent is not lent again. */
  if (regiond_backend_spend (self->backend, NULL))
    regiond_parking_push (self);
  else
    regiond_device_log_reset (self, "last close", NULL);
}

static void
on_vacated (gpointer       owner,
            RegiondRegion *region)
{
  RegiondDevice *self = owner;

  if (regiond_backend_spend (self->backend, region))
    regiond_parking_push_renewal (self);
}

/* Memory that has been removed has no more turns; a real device is let go of when
 * nothing reaches it any more. */
static void
on_unsettled (gpointer owner,
              gboolean wait)
{
  RegiondDevice *self = owner;

  regiond_turns_hold (self->turns, wait && (self->severs || !self->gone));
}

static void
on_drained (gpointer owner)
{
  RegiondDevice *self = owner;

  self->must_settle = TRUE;
  regiond_parking_push (self);
}

static const RegiondTenancyEvents tenancy_events = { on_emptied, on_changed, on_unsettled, on_vacated, on_drained };

gboolean
regiond_device_begin_settling (RegiondDevice *self)
{
  if (!self->must_settle || self->stuck || regiond_tenancy_is_laden (self->tenancy) ||
      regiond_backend_count_remains (self->backend) > 0)
    return FALSE;

  self->must_settle = FALSE;
  return TRUE;
}

void
regiond_device_put_off_settling (RegiondDevice *self)
{
  self->must_settle = TRUE;
}

gboolean
regiond_device_can_park (RegiondDevice *self)
{
  if (self->stuck || regiond_tenancy_count_active (self->tenancy) > 0)
    return FALSE;
  if (!self->severs)
    return !self->gone;
  if (regiond_tenancy_is_unsettled (self->tenancy))
    return FALSE;
  return self->gone || self->leaving || regiond_tenancy_find_uncut (self->tenancy) == NULL;
}

gboolean
regiond_device_is_parking (RegiondDevice *self)
{
  return self->parking;
}

void
regiond_device_set_parking (RegiondDevice *self,
                            gboolean       parking)
{
  self->parking = parking;
}

/* What comes back late has not worked, whatever it says: it is let go of, and a
 * Reset has to show that the device still does. */
static void
on_stuck (gpointer owner,
          gboolean stuck)
{
  RegiondDevice *self = owner;
  g_autoptr (GError) error = NULL;

  self->stuck = stuck;
  if (!stuck)
    {
      regiond_parking_push (self);
      return;
    }

  g_set_error (&error, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED, "what was done to it last has not come back for %d s",
               REGIOND_DEVICE_TURN_MOST_MS / 1000);
  regiond_device_set_failure (self, error);
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
  if (self->exported)
    regiond_groups_put (self->daemon->groups, self, identity->iommu_group);
}

/* Openings and leases keep what they have of former ones. */
static void
show_catalogue (RegiondDevice *self)
{
  RegiondDBusDevice *device = REGIOND_DBUS_DEVICE (self);
  g_autoptr (GPtrArray) former = self->regions;

  self->regions = regiond_backend_get_regions (self->backend);
  regiond_dbus_device_set_isolation (device, regiond_backend_get_isolation (self->backend));
  regiond_dbus_device_set_reset_methods (device, regiond_backend_get_reset_methods (self->backend));
  regiond_dbus_device_set_regions (device, regiond_catalogue_describe (self->backend, self->regions));
}

static void
on_backend_changed (RegiondBackend *backend,
                    RegiondDevice  *self)
{
  guint remains = regiond_backend_count_remains (backend);

  show_catalogue (self);
  if (remains == 0 && self->remains > 0)
    on_drained (self);
  self->remains = remains;
  publish (self, FALSE);
  regiond_verifications_update (self->verifications, self, self->gone);
}

static void
on_backend_failed (RegiondBackend *backend,
                   const GError   *failure,
                   RegiondDevice  *self)
{
  g_warning ("Device %s has failed: %s", self->id, failure->message);
  regiond_device_set_failure (self, failure);
}

static gboolean
on_grace_over (gpointer data)
{
  RegiondDevice *self = data;

  self->grace = 0;
  regiond_tenancy_end_all (self->tenancy, REGIOND_END_UNPLUGGED);
  return G_SOURCE_REMOVE;
}

/* The kernel has it back when it is parked. */
static void
on_backend_leaving (RegiondBackend *backend,
                    guint           grace,
                    RegiondDevice  *self)
{
  if (self->gone)
    return;
  if (self->leaving)
    {
      /* The first time it may have been parked before all of it was let go of. */
      regiond_parking_push (self);
      return;
    }

  self->leaving = TRUE;
  regiond_tenancy_warn (self->tenancy, regiond_end_to_string (REGIOND_END_UNPLUGGED), grace);
  if (regiond_tenancy_count_active (self->tenancy) > 0)
    self->grace = g_timeout_add (grace, on_grace_over, self);
  else
    regiond_parking_push (self);
}

static void
listen_to_backend (RegiondDevice *self)
{
  g_signal_connect_object (self->backend, "changed", G_CALLBACK (on_backend_changed), self, 0);
  g_signal_connect_object (self->backend, "failed", G_CALLBACK (on_backend_failed), self, 0);
  g_signal_connect_object (self->backend, "leaving", G_CALLBACK (on_backend_leaving), self, 0);
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
  RegiondTenancyRules rules = { terms->tolerate, klass->severs, terms->authorization };

  self->daemon = daemon;
  self->key = g_strdup (terms->id);
  self->id = g_strdup (terms->identity != NULL ? terms->identity->address : terms->id);
  self->path = g_strdup_printf (REGIOND_DEVICES_PATH "/%s", terms->id);
  self->description = g_strdup (terms->description);
  self->backend = g_object_ref (terms->backend);
  self->severs = klass->severs;
  self->tenancy = regiond_tenancy_new (&tenancy_events, G_OBJECT (self), &rules);
  self->turns = regiond_turns_new (G_OBJECT (self), on_stuck);
  self->verifications = regiond_verifications_new ();
  self->news = regiond_news_new (self);
  self->remains = regiond_backend_count_remains (self->backend);

  /* Memory is never stuck, but much of it takes its time. */
  if (self->severs)
    regiond_turns_set_limit (self->turns, REGIOND_DEVICE_TURN_MOST_MS);
  listen_to_backend (self);

  regiond_dbus_device_set_id (device, self->id);
  regiond_dbus_device_set_backend (device, klass->name);
  regiond_dbus_device_set_description (device, self->description);
  regiond_device_set_identity (self, terms->identity != NULL ? terms->identity : &nothing);
  show_catalogue (self);
  return self;
}

void
regiond_device_export (RegiondDevice *self)
{
  g_autoptr (GDBusObjectSkeleton) object = g_dbus_object_skeleton_new (self->path);

  regiond_news_skip (self->news);
  self->exported = TRUE;
  regiond_groups_put (self->daemon->groups, self, regiond_dbus_device_get_iommu_group (REGIOND_DBUS_DEVICE (self)));
  g_dbus_interface_skeleton_flush (G_DBUS_INTERFACE_SKELETON (self));
  g_dbus_object_skeleton_add_interface (object, G_DBUS_INTERFACE_SKELETON (self));
  g_dbus_object_manager_server_export (self->daemon->objects, object);
}

/* When what waits has got its Gone, and nothing reaches it any more. */
static void
let_go (RegiondDevice *self)
{
  regiond_tenancy_look (self->tenancy);
  regiond_parking_push (self);
}

void
regiond_device_remove (RegiondDevice *self,
                       RegiondEnd     end)
{
  self->gone = TRUE;
  regiond_news_announce (self->news);
  self->exported = FALSE;
  regiond_groups_put (self->daemon->groups, self, -1);
  g_clear_handle_id (&self->grace, g_source_remove);
  if (end == REGIOND_END_UNPLUGGED && !self->leaving)
    regiond_tenancy_warn (self->tenancy, regiond_end_to_string (end), 0);
  regiond_tenancy_end_all (self->tenancy, end);

  /* Memory gives back what it has declared; what is held is given back when it is
   * proved gone. */
  if (!self->severs)
    g_object_run_dispose (G_OBJECT (self->backend));

  /* Whoever waits for a turn gets Gone. */
  regiond_turns_hold (self->turns, FALSE);
  regiond_verifications_update (self->verifications, self, TRUE);
  g_dbus_object_manager_server_unexport (self->daemon->objects, self->path);
  if (self->severs)
    let_go (self);
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
  if (self->leaving)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE,
                   "Device %s is being unplugged or given to another driver", self->id);
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

gboolean
regiond_device_admits_beside (RegiondDevice *self,
                              RegiondClient *client,
                              gboolean       exclusive,
                              const char    *wanted,
                              GError       **error)
{
  if (!regiond_tenancy_admits (self->tenancy, client, exclusive, wanted, error))
    return FALSE;
  if (!exclusive || regiond_backend_count_remains (self->backend) == 0)
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_LINGERING,
               "Device %s cannot be opened: of what was lent of device %s before regiond was started references are "
               "left, and it is asked for exclusively; end whoever holds them, and wait with Verify", wanted, self->id);
  return FALSE;
}

gboolean
regiond_device_admits (RegiondDevice *self,
                       RegiondClient *client,
                       gboolean       exclusive,
                       GError       **error)
{
  return regiond_device_check_usable (self, error) && regiond_backend_check (self->backend, error) &&
         regiond_device_admits_beside (self, client, exclusive, self->id, error) &&
         regiond_groups_admit (self->daemon->groups, self, client, exclusive, error);
}

gboolean
regiond_device_severs (RegiondDevice *self)
{
  return self->severs;
}

gboolean
regiond_device_is_present (RegiondDevice *self)
{
  return !self->gone && !self->stuck;
}

gboolean
regiond_device_is_stuck (RegiondDevice *self)
{
  return self->stuck;
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
    {
      const RegiondIdentity identity = {
        .address = (char *) regiond_dbus_device_get_address (device),
        .vendor = regiond_dbus_device_get_vendor_id (device),
        .device = regiond_dbus_device_get_device_id (device),
        .class = regiond_dbus_device_get_class (device),
        .driver = (char *) regiond_dbus_device_get_driver (device),
        .iommu_group = regiond_dbus_device_get_iommu_group (device),
      };

      regiond_question_add_identity (question, &identity);
    }
}

void
regiond_device_set_resetting (RegiondDevice *self,
                              gboolean       resetting)
{
  self->resetting = resetting;
  publish (self, FALSE);
}

void
regiond_device_set_failure (RegiondDevice *self,
                            const GError  *failure)
{
  g_clear_error (&self->failure);
  if (failure != NULL)
    self->failure = g_error_copy (failure);
  publish (self, FALSE);
}

static gboolean
handle_open_region (RegiondDBusDevice     *object,
                    GDBusMethodInvocation *invocation,
                    GUnixFDList           *fd_list,
                    const char            *region,
                    const char            *access,
                    GVariant              *options)
{
  GError *error = NULL;
  RegiondRequest *request = regiond_request_new (REGIOND_DEVICE (object), region, access, options, fd_list, &error);

  if (request == NULL)
    return regiond_error_return (invocation, error);
  regiond_opening_start (request, invocation);
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
  GError *error = NULL;

  if (self->gone && !regiond_device_check_usable (self, &error))
    return regiond_error_return (invocation, error);
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
