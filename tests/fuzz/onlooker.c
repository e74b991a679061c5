/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "onlooker.h"

#include "answer.h"
#include "daemon.h"
#include "fixture.h"

static void
on_lease_ended (GDBusConnection *bus,
                const char      *sender,
                const char      *path,
                const char      *interface,
                const char      *signal,
                GVariant        *parameters,
                gpointer         data)
{
  Onlooker *self = data;
  char *lease, *reason;

  g_variant_get (parameters, "(os)", &lease, &reason);
  g_hash_table_insert (self->ends, lease, reason);
}

Onlooker *
onlooker_new (GDBusConnection *bus)
{
  Onlooker *self = g_new (Onlooker, 1);

  self->bus = bus;
  self->ends = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->subscription = g_dbus_connection_signal_subscribe (bus, REGIOND_BUS_NAME, "org.regiond1.Manager", "LeaseEnded",
                                                           REGIOND_PATH, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
                                                           on_lease_ended, self, NULL);
  return self;
}

void
onlooker_free (Onlooker *self)
{
  g_dbus_connection_signal_unsubscribe (self->bus, self->subscription);
  client_leave (self->bus);
  g_hash_table_unref (self->ends);
  g_free (self);
}

void
onlooker_forget (Onlooker *self)
{
  g_hash_table_remove_all (self->ends);
}

static char *
compare_lease (Model      *self,
               const char *path,
               GVariant   *properties)
{
  const char *owner = NULL, *state = NULL;
  guint uid = 0;

  g_variant_lookup (properties, "Owner", "&s", &owner);
  g_variant_lookup (properties, "State", "&s", &state);
  g_variant_lookup (properties, "Uid", "u", &uid);
  for (guint i = 0; i < self->n_leases; i++)
    {
      const ModelLease *lease = &self->leases[i];
      const char *wanted = lease->active ? "active" : "lingering";

      if (!g_str_equal (lease->path, path))
        continue;
      if (!lease->active && !model_lingers (lease))
        return g_strdup_printf ("lease %s is there (%s), and should be gone", path, state);
      if (g_strcmp0 (owner, lease->owner) == 0 && uid == lease->uid && g_strcmp0 (state, wanted) == 0)
        return NULL;
      return g_strdup_printf ("lease %s of '%s' (uid %u) is %s, and should be %s, of '%s' (uid %u)", path, owner, uid,
                              state, wanted, lease->owner, lease->uid);
    }

  return g_strdup_printf ("lease %s of %s is nobody's", path, owner);
}

static const char *
get_exclusive (Model *self,
               guint  device)
{
  for (guint i = 0; i < self->n_leases; i++)
    {
      const ModelLease *lease = &self->leases[i];

      if (lease->active && lease->exclusive && lease->device == device)
        return lease->owner;
    }

  return "";
}

static char *
compare_device (Model    *self,
                guint     device,
                GVariant *properties)
{
  const char *wanted = model_count_active (self, device) > 0 ? "leased" : "parked", *state = NULL;
  const char *exclusive = get_exclusive (self, device), *owner = NULL;
  guint lingering = model_count_lingering (self, device), left = 0;

  g_variant_lookup (properties, "State", "&s", &state);
  g_variant_lookup (properties, "Exclusive", "&s", &owner);
  g_variant_lookup (properties, "Lingering", "u", &left);
  if (g_strcmp0 (state, wanted) == 0 && left == lingering && g_strcmp0 (owner, exclusive) == 0)
    return NULL;
  return g_strdup_printf ("%s is %s, '%s' has it, %u linger; it should be %s, '%s', %u", model_devices[device], state, owner,
                          left, wanted, exclusive, lingering);
}

static char *
compare_object (Model      *self,
                const char *path,
                GVariant   *interfaces,
                guint      *n_leases)
{
  g_autoptr (GVariant) lease = g_variant_lookup_value (interfaces, "org.regiond1.Lease", NULL);
  g_autoptr (GVariant) device = g_variant_lookup_value (interfaces, "org.regiond1.Device", NULL);

  *n_leases += lease != NULL;
  if (lease != NULL)
    return compare_lease (self, path, lease);
  return device != NULL ? compare_device (self, g_str_equal (path, model_devices[0]) ? 0 : 1, device) : NULL;
}

/* What has gone, and why. */
static char *
compare_ends (Onlooker *self,
              Model    *model)
{
  for (guint i = 0; i < model->n_leases; i++)
    {
      const ModelLease *lease = &model->leases[i];
      const char *reason = g_hash_table_lookup (self->ends, lease->path);

      if (lease->active ? reason != NULL : reason == NULL || (lease->reason != NULL && !g_str_equal (reason, lease->reason)))
        return g_strdup_printf ("lease %s has %s, and should have %s", lease->path,
                                reason != NULL ? reason : "not ended",
                                lease->active ? "not ended" : lease->reason != NULL ? lease->reason : "ended");
    }

  return NULL;
}

char *
onlooker_compare (Onlooker *self,
                  Model    *model)
{
  g_auto (Answer) answer = { FALSE, NULL, NULL, NULL };
  g_autoptr (GVariantIter) iter = NULL;
  GVariant *interfaces;
  const char *path;
  guint n_leases = 0, wanted = 0;
  char *difference = NULL;

  answer_call (&answer, self->bus, REGIOND_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL,
               -1);
  g_assert_no_error (answer.error);
  g_variant_get (answer.reply, "(a{oa{sa{sv}}})", &iter);
  while (difference == NULL && g_variant_iter_loop (iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      difference = compare_object (model, path, interfaces, &n_leases);
      if (difference != NULL)
        g_variant_unref (interfaces);
    }

  for (guint i = 0; i < model->n_leases; i++)
    wanted += model->leases[i].active || model_lingers (&model->leases[i]);
  if (difference == NULL && n_leases != wanted)
    difference = g_strdup_printf ("there are %u leases, and should be %u", n_leases, wanted);
  return difference != NULL ? difference : compare_ends (self, model);
}
