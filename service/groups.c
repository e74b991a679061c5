/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "groups.h"

#include "device.h"

struct _RegiondGroups {
  GHashTable *numbers; /* RegiondDevice -> its group; only those that have one */
};

RegiondGroups *
regiond_groups_new (void)
{
  RegiondGroups *self = g_new0 (RegiondGroups, 1);

  self->numbers = g_hash_table_new (NULL, NULL);
  return self;
}

void
regiond_groups_free (RegiondGroups *self)
{
  g_hash_table_unref (self->numbers);
  g_free (self);
}

void
regiond_groups_put (RegiondGroups *self,
                    RegiondDevice *device,
                    int            number)
{
  if (number < 0)
    g_hash_table_remove (self->numbers, device);
  else
    g_hash_table_insert (self->numbers, device, GINT_TO_POINTER (number));
}

/* The devices that share a group with @device, without references. */
static GPtrArray *
list_siblings (RegiondGroups *self,
               RegiondDevice *device)
{
  GPtrArray *siblings = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer other, number, mine;

  if (!g_hash_table_lookup_extended (self->numbers, device, NULL, &mine))
    return siblings;

  g_hash_table_iter_init (&iter, self->numbers);
  while (g_hash_table_iter_next (&iter, &other, &number))
    {
      if (other != device && number == mine)
        g_ptr_array_add (siblings, other);
    }

  return siblings;
}

gboolean
regiond_groups_must_wait (RegiondGroups *self,
                          RegiondDevice *device)
{
  g_autoptr (GPtrArray) siblings = list_siblings (self, device);

  for (guint i = 0; i < siblings->len; i++)
    {
      if (regiond_tenancy_is_unsettled (regiond_device_get_tenancy (g_ptr_array_index (siblings, i))))
        return TRUE;
    }

  return FALSE;
}

gboolean
regiond_groups_admit (RegiondGroups *self,
                      RegiondDevice *device,
                      RegiondClient *client,
                      gboolean       exclusive,
                      GError       **error)
{
  g_autoptr (GPtrArray) siblings = list_siblings (self, device);
  const char *id = regiond_device_get_id (device);

  for (guint i = 0; i < siblings->len; i++)
    {
      RegiondDevice *other = g_ptr_array_index (siblings, i);

      if (!regiond_tenancy_admits_user (regiond_device_get_tenancy (other), regiond_client_get_uid (client), id, error) ||
          !regiond_device_admits_beside (other, client, exclusive, id, error))
        return FALSE;
    }

  return TRUE;
}
