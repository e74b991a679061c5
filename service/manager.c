/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manager.h"

#include "attach.h"
#include "bind.h"
#include "config.h"
#include "device.h"
#include "error.h"
#include "explain.h"
#include "log.h"
#include "options.h"
#include "permit.h"
#include "text.h"
#include "unbind.h"

#define DESCRIPTION_MOST 256

struct _RegiondManager {
  RegiondDBusManagerSkeleton parent_instance;
  RegiondDaemon             *daemon;
};

static void regiond_manager_iface_init (RegiondDBusManagerIface *iface);

G_DEFINE_TYPE_WITH_CODE (RegiondManager, regiond_manager, REGIOND_DBUS_TYPE_MANAGER_SKELETON,
                         G_IMPLEMENT_INTERFACE (REGIOND_DBUS_TYPE_MANAGER, regiond_manager_iface_init))

static void
regiond_manager_class_init (RegiondManagerClass *klass)
{
}

static void
regiond_manager_init (RegiondManager *self)
{
}

RegiondManager *
regiond_manager_new (RegiondDaemon *daemon)
{
  RegiondManager *self = g_object_new (REGIOND_TYPE_MANAGER, NULL);
  g_autofree char *generation = g_uuid_string_random ();

  self->daemon = daemon;
  regiond_dbus_manager_set_version (REGIOND_DBUS_MANAGER (self), REGIOND_VERSION);
  regiond_dbus_manager_set_generation (REGIOND_DBUS_MANAGER (self), generation);
  return self;
}

/* One AddMemoryDevice or RemoveDevice under way. */
typedef struct {
  RegiondManager        *manager;
  GDBusMethodInvocation *invocation;
  RegiondClient         *caller;
  RegiondDeviceSettings *settings; /* to add */
  char                  *path;     /* to remove */
  gboolean               force;
} Change;

static void
change_free (Change *self)
{
  g_clear_pointer (&self->settings, regiond_device_settings_free);
  g_free (self->path);
  regiond_client_unref (self->caller);
  g_object_unref (self->manager);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Change, change_free)

static Change *
change_new (RegiondManager        *manager,
            GDBusMethodInvocation *invocation)
{
  Change *self = g_new0 (Change, 1);

  self->manager = g_object_ref (manager);
  self->invocation = invocation;
  self->caller = regiond_clients_get (manager->daemon->clients, g_dbus_method_invocation_get_sender (invocation));
  return self;
}

static void
log_change (Change     *self,
            const char *event,
            const char *device,
            const char *reason)
{
  RegiondRecord record = { .event = event, .device = device, .reason = reason };

  regiond_client_describe (self->caller, &record);
  regiond_log (&record);
}

/* Takes @error. */
static void
refuse (Change     *self,
        const char *device,
        GError     *error)
{
  log_change (self, "refusal", device, error->message);
  regiond_error_return (self->invocation, error);
}

static gboolean
handle_get_device (RegiondDBusManager    *object,
                   GDBusMethodInvocation *invocation,
                   const char            *id)
{
  GError *error = NULL;
  RegiondDevice *device = regiond_daemon_find_device (REGIOND_MANAGER (object)->daemon, id, &error);

  if (device == NULL)
    return regiond_error_return (invocation, error);

  regiond_dbus_manager_complete_get_device (object, invocation, regiond_device_get_path (device));
  return TRUE;
}

static gboolean
read_regions (RegiondDeviceSettings *settings,
              GVariant              *regions,
              GError               **error)
{
  GVariantIter iter;
  const char *name;
  guint64 size;

  g_variant_iter_init (&iter, regions);
  while (g_variant_iter_next (&iter, "(&st)", &name, &size))
    {
      RegiondRegion *region = regiond_region_new_memory (name, settings->regions->len, size, error);

      if (region == NULL)
        return FALSE;
      g_ptr_array_add (settings->regions, region);
    }

  return regiond_region_check_set (settings->regions, error);
}

static RegiondDeviceSettings *
read_device (RegiondManager *self,
             const char     *id,
             GVariant       *regions,
             GVariant       *options,
             gboolean       *interactive,
             GError        **error)
{
  g_autoptr (RegiondDeviceSettings) settings = regiond_device_settings_new (id, self->daemon->settings->authorization);
  const char *description = "";
  const RegiondOption known[] = {
    { "description", "s", &description },
    { "interactive", "b", interactive },
    { "persist", "b", &settings->persist },
  };

  if (!regiond_daemon_check_id (self->daemon, id, error) || !read_regions (settings, regions, error) ||
      !regiond_options_read (options, known, G_N_ELEMENTS (known), error))
    return NULL;
  if (!regiond_text_is_printable (description, DESCRIPTION_MOST))
    {
      g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                   "The option 'description' has at most %d characters, all printable", DESCRIPTION_MOST);
      return NULL;
    }

  settings->description = *description != '\0' ? g_strdup (description) : NULL;
  return g_steal_pointer (&settings);
}

static void
on_add_permitted (GObject      *source,
                   GAsyncResult *result,
                   gpointer      data)
{
  g_autoptr (Change) change = data;
  RegiondDaemon *daemon = change->manager->daemon;
  RegiondDevice *device = NULL;
  GError *error = NULL;

  if (regiond_permit_ask_finish (result, &error))
    device = regiond_daemon_add_memory_device (daemon, change->settings, &error);
  if (device == NULL)
    {
      refuse (change, change->settings->id, error);
      return;
    }

  log_change (change, "device", change->settings->id, "added");
  regiond_dbus_manager_complete_add_memory_device (REGIOND_DBUS_MANAGER (change->manager), change->invocation,
                                                   regiond_device_get_path (device));
}

static RegiondQuestion *
make_add_question (Change  *change,
                   gboolean interactive)
{
  RegiondDeviceSettings *settings = change->settings;
  g_autofree char *length = NULL;
  g_autoptr (GString) names = g_string_new (NULL);
  RegiondQuestion *question;

  for (guint i = 0; i < settings->regions->len; i++)
    g_string_append_printf (names, "%s%s", i > 0 ? " " : "",
                            ((RegiondRegion *) g_ptr_array_index (settings->regions, i))->name);
  length = g_strdup_printf ("%" G_GUINT64_FORMAT, regiond_region_total_size (settings->regions));

  question = regiond_question_new_managing (change->invocation, interactive,
                                            g_strdup_printf ("add device %s", settings->id), FALSE, FALSE);
  regiond_question_add (question, "device", settings->id);
  regiond_question_add (question, "backend", "memory");
  regiond_question_add (question, "description", "");
  regiond_question_add (question, "region", names->str);
  regiond_question_add (question, "length", length);
  return question;
}

static gboolean
handle_add_memory_device (RegiondDBusManager    *object,
                          GDBusMethodInvocation *invocation,
                          const char            *id,
                          GVariant              *regions,
                          GVariant              *options)
{
  RegiondManager *self = REGIOND_MANAGER (object);
  gboolean interactive = FALSE;
  GError *error = NULL;
  RegiondDeviceSettings *settings = read_device (self, id, regions, options, &interactive, &error);
  Change *change;

  if (settings == NULL)
    return regiond_error_return (invocation, error);

  change = change_new (self, invocation);
  change->settings = settings;
  regiond_permit_ask (self->daemon->authority, change->caller, make_add_question (change, interactive),
                      NULL, on_add_permitted, change);
  return TRUE;
}

static RegiondDevice *
find_removable (Change  *change,
                GError **error)
{
  RegiondDevice *device = regiond_daemon_find_device_at (change->manager->daemon, change->path, error);
  guint leases;

  if (device == NULL)
    return NULL;

  if (!g_str_equal (regiond_dbus_device_get_backend (REGIOND_DBUS_DEVICE (device)), "memory"))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                   "Device %s cannot be removed: it is no memory device; UnbindDevice gives it back to its driver",
                   regiond_device_get_id (device));
      return NULL;
    }

  leases = regiond_tenancy_count_active (regiond_device_get_tenancy (device));
  if (leases > 0 && !change->force)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY,
                   "Device %s cannot be removed: %u %s on it; wait, revoke, or give the option 'force'",
                   regiond_device_get_id (device), leases, leases == 1 ? "lease is" : "leases are");
      return NULL;
    }
  return device;
}

static void
on_remove_permitted (GObject      *source,
                      GAsyncResult *result,
                      gpointer      data)
{
  g_autoptr (Change) change = data;
  RegiondDaemon *daemon = change->manager->daemon;
  RegiondDevice *device = NULL;
  GError *error = NULL;

  if (regiond_permit_ask_finish (result, &error))
    device = find_removable (change, &error);
  if (device == NULL)
    {
      refuse (change, change->path, error);
      return;
    }

  log_change (change, "device", regiond_device_get_id (device), "removed");
  regiond_daemon_remove_device (daemon, device, REGIOND_END_REMOVED);
  regiond_dbus_manager_complete_remove_device (REGIOND_DBUS_MANAGER (change->manager), change->invocation);
}

static gboolean
handle_remove_device (RegiondDBusManager    *object,
                      GDBusMethodInvocation *invocation,
                      const char            *path,
                      GVariant              *options)
{
  RegiondManager *self = REGIOND_MANAGER (object);
  g_autoptr (Change) change = change_new (self, invocation);
  gboolean interactive = FALSE;
  const RegiondOption known[] = { { "force", "b", &change->force }, { "interactive", "b", &interactive } };
  RegiondQuestion *question;
  RegiondDevice *device;
  GError *error = NULL;

  change->path = g_strdup (path);
  if (!regiond_options_read (options, known, G_N_ELEMENTS (known), &error) ||
      (device = find_removable (change, &error)) == NULL)
    return regiond_error_return (invocation, error);

  question = regiond_question_new_managing (invocation, interactive,
                                            g_strdup_printf ("remove device %s", regiond_device_get_id (device)), FALSE,
                                            change->force);
  regiond_device_add_details (device, question);
  regiond_permit_ask (self->daemon->authority, change->caller, question, NULL, on_remove_permitted, change);
  g_steal_pointer (&change);
  return TRUE;
}

static gboolean
handle_bind_device (RegiondDBusManager    *object,
                    GDBusMethodInvocation *invocation,
                    const char            *address,
                    GVariant              *options)
{
  regiond_bind_start (REGIOND_MANAGER (object)->daemon, invocation, address, options);
  return TRUE;
}

static gboolean
handle_unbind_device (RegiondDBusManager    *object,
                      GDBusMethodInvocation *invocation,
                      const char            *device,
                      GVariant              *options)
{
  regiond_unbind_start (REGIOND_MANAGER (object)->daemon, invocation, device, options);
  return TRUE;
}

static gboolean
handle_explain (RegiondDBusManager    *object,
                GDBusMethodInvocation *invocation,
                const char            *device,
                const char            *region,
                const char            *access,
                GVariant              *options)
{
  regiond_explain_start (REGIOND_MANAGER (object)->daemon, invocation, device, region, access, options);
  return TRUE;
}

static gboolean
handle_attach_lease (RegiondDBusManager    *object,
                     GDBusMethodInvocation *invocation,
                     GUnixFDList           *fd_list,
                     GVariant              *fd,
                     GVariant              *options)
{
  regiond_attach_start (REGIOND_MANAGER (object)->daemon, invocation, fd_list, g_variant_get_handle (fd), options);
  return TRUE;
}

static void
regiond_manager_iface_init (RegiondDBusManagerIface *iface)
{
  iface->handle_get_device = handle_get_device;
  iface->handle_add_memory_device = handle_add_memory_device;
  iface->handle_remove_device = handle_remove_device;
  iface->handle_bind_device = handle_bind_device;
  iface->handle_unbind_device = handle_unbind_device;
  iface->handle_explain = handle_explain;
  iface->handle_attach_lease = handle_attach_lease;
}
