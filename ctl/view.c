/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "duration.h"
#include "size.h"
#include "table.h"
#include "terminal.h"

static void
print (CtlTable *table,
       gboolean  legend)
{
  g_autofree char *text = ctl_table_format (table, ctl_terminal_get_width (STDOUT_FILENO), legend);

  fputs (text, stdout);
}

static gsize
count_children (const CtlObject *object,
                const char      *property)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (object->properties, property, NULL);

  return value == NULL ? 0 : g_variant_n_children (value);
}

static char *
join_regions (const CtlObject *device)
{
  g_autoptr (GVariant) regions = g_variant_lookup_value (device->properties, "Regions",
                                                         G_VARIANT_TYPE ("a{sa{sv}}"));
  GString *names = g_string_new (NULL);
  GVariantIter iter;
  const char *name;
  GVariant *region;

  if (regions == NULL)
    return g_string_free (names, FALSE);

  g_variant_iter_init (&iter, regions);
  while (g_variant_iter_loop (&iter, "{&s@a{sv}}", &name, &region))
    g_string_append_printf (names, "%s%s", names->len > 0 ? "," : "", name);

  return g_string_free (names, FALSE);
}

void
ctl_view_print_devices (GPtrArray *devices,
                        gboolean   legend)
{
  g_autoptr (CtlTable) table = ctl_table_new ();

  ctl_table_add_column (table, "ID", CTL_COLUMN_FLEXIBLE);
  ctl_table_add_column (table, "BACKEND", CTL_COLUMN_PLAIN);
  ctl_table_add_column (table, "STATE", CTL_COLUMN_PLAIN);
  ctl_table_add_column (table, "REGIONS", CTL_COLUMN_FLEXIBLE);
  ctl_table_add_column (table, "LEASES", CTL_COLUMN_NUMBER);
  ctl_table_add_column (table, "LINGERING", CTL_COLUMN_NUMBER);
  ctl_table_add_column (table, "DESCRIPTION", CTL_COLUMN_FLEXIBLE);

  for (guint i = 0; i < devices->len; i++)
    {
      const CtlObject *device = g_ptr_array_index (devices, i);
      g_autofree char *regions = join_regions (device);

      ctl_table_add_cell (table, ctl_object_get_string (device, "Id"));
      ctl_table_add_cell (table, ctl_object_get_string (device, "Backend"));
      ctl_table_add_cell (table, ctl_object_get_string (device, "State"));
      ctl_table_add_cell (table, regions);
      ctl_table_add_number (table, count_children (device, "Leases"));
      ctl_table_add_number (table, ctl_object_get_number (device, "Lingering"));
      ctl_table_add_cell (table, ctl_object_get_string (device, "Description"));
    }

  print (table, legend);
}

/* @names caches: there may be thousands of leases and a slow directory. */
static const char *
get_user_name (GHashTable *names,
               guint32     uid)
{
  const char *known = g_hash_table_lookup (names, GUINT_TO_POINTER (uid));
  const struct passwd *user;
  char *name;

  if (known != NULL)
    return known;

  user = getpwuid (uid);
  name = user == NULL ? g_strdup_printf ("%u", uid) : g_strdup (user->pw_name);
  g_hash_table_insert (names, GUINT_TO_POINTER (uid), name);
  return name;
}

/* The id of the device at @path, or the path's last part when it is gone. */
static const char *
get_device_id (CtlObjects *objects,
               const char *path)
{
  for (guint i = 0; i < objects->devices->len; i++)
    {
      const CtlObject *device = g_ptr_array_index (objects->devices, i);

      if (g_str_equal (device->path, path))
        return ctl_object_get_string (device, "Id");
    }

  return ctl_path_get_name (path);
}

static void
add_lease (CtlTable        *table,
           CtlObjects      *objects,
           const CtlObject *lease,
           GHashTable      *names)
{
  gint64 created = ctl_object_get_number (lease, "Created");
  g_autofree char *age = ctl_duration_format (g_get_real_time () - created);

  ctl_table_add_cell (table, ctl_path_get_name (lease->path));
  ctl_table_add_cell (table, get_device_id (objects, ctl_object_get_string (lease, "Device")));
  ctl_table_add_cell (table, ctl_object_get_string (lease, "Region"));
  ctl_table_add_cell (table, ctl_object_get_string (lease, "Access"));
  ctl_table_add_cell (table, ctl_object_get_string (lease, "State"));
  ctl_table_add_cell (table, get_user_name (names, ctl_object_get_number (lease, "Uid")));
  ctl_table_add_number (table, ctl_object_get_number (lease, "Pid"));
  ctl_table_add_cell (table, age);
  ctl_table_add_cell (table, ctl_object_get_string (lease, "Label"));
}

void
ctl_view_print_leases (CtlObjects *objects,
                       gboolean    legend)
{
  g_autoptr (CtlTable) table = ctl_table_new ();
  g_autoptr (GHashTable) names = g_hash_table_new_full (NULL, NULL, NULL, g_free);

  ctl_table_add_column (table, "LEASE", CTL_COLUMN_NUMBER);
  ctl_table_add_column (table, "DEVICE", CTL_COLUMN_FLEXIBLE);
  ctl_table_add_column (table, "REGION", CTL_COLUMN_FLEXIBLE);
  ctl_table_add_column (table, "ACCESS", CTL_COLUMN_PLAIN);
  ctl_table_add_column (table, "STATE", CTL_COLUMN_PLAIN);
  ctl_table_add_column (table, "USER", CTL_COLUMN_FLEXIBLE);
  ctl_table_add_column (table, "PID", CTL_COLUMN_NUMBER);
  ctl_table_add_column (table, "AGE", CTL_COLUMN_NUMBER);
  ctl_table_add_column (table, "LABEL", CTL_COLUMN_FLEXIBLE);

  for (guint i = 0; i < objects->leases->len; i++)
    add_lease (table, objects, g_ptr_array_index (objects->leases, i), names);

  print (table, legend);
}

static void
add_region (CtlTable   *table,
            const char *name,
            GVariant   *region)
{
  g_autofree const char **mechanisms = NULL;
  g_autofree char *joined = NULL;
  g_autofree char *size = NULL;
  const char *kind = "", *access = "", *revocation = "";
  guint32 index = 0;
  guint64 bytes = 0;

  g_variant_lookup (region, "index", "u", &index);
  g_variant_lookup (region, "size", "t", &bytes);
  g_variant_lookup (region, "kind", "&s", &kind);
  g_variant_lookup (region, "access", "&s", &access);
  g_variant_lookup (region, "revocation", "&s", &revocation);
  if (g_variant_lookup (region, "mechanisms", "^a&s", &mechanisms))
    joined = g_strjoinv (",", (char **) mechanisms);
  size = ctl_size_format (bytes);

  ctl_table_add_cell (table, name);
  ctl_table_add_number (table, index);
  ctl_table_add_cell (table, size);
  ctl_table_add_cell (table, kind);
  ctl_table_add_cell (table, access);
  ctl_table_add_cell (table, joined);
  ctl_table_add_cell (table, revocation);
}

void
ctl_view_print_regions (const CtlObject *device)
{
  g_autoptr (CtlTable) table = ctl_table_new ();
  g_autoptr (GVariant) regions = g_variant_lookup_value (device->properties, "Regions",
                                                         G_VARIANT_TYPE ("a{sa{sv}}"));
  GVariantIter iter;
  const char *name;
  GVariant *region;

  ctl_table_add_column (table, "REGION", CTL_COLUMN_FLEXIBLE);
  ctl_table_add_column (table, "INDEX", CTL_COLUMN_NUMBER);
  ctl_table_add_column (table, "SIZE", CTL_COLUMN_NUMBER);
  ctl_table_add_column (table, "KIND", CTL_COLUMN_PLAIN);
  ctl_table_add_column (table, "ACCESS", CTL_COLUMN_PLAIN);
  ctl_table_add_column (table, "MECHANISMS", CTL_COLUMN_FLEXIBLE);
  ctl_table_add_column (table, "REVOCATION", CTL_COLUMN_PLAIN);

  if (regions != NULL)
    {
      g_variant_iter_init (&iter, regions);
      while (g_variant_iter_loop (&iter, "{&s@a{sv}}", &name, &region))
        add_region (table, name, region);
    }

  print (table, TRUE);
}
