/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings.h"

#include "keyfile.h"
#include "region.h"
#include "units.h"

#include <unistd.h>

#define SUFFIX ".conf"
#define REGION_PREFIX "Region "

static const char *const daemon_keys[] = { "MaxMemory", "AuthorizationTimeout", NULL };
static const char *const device_keys[] = { "Backend", "Description", "Persist", "Linger", NULL };
static const char *const region_keys[] = { "Size", NULL };

RegiondDeviceSettings *
regiond_device_settings_new (const char *id)
{
  RegiondDeviceSettings *self = g_new0 (RegiondDeviceSettings, 1);

  self->id = g_strdup (id);
  self->regions = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_region_free);
  return self;
}

void
regiond_device_settings_free (RegiondDeviceSettings *self)
{
  g_free (self->id);
  g_free (self->description);
  g_ptr_array_unref (self->regions);
  g_free (self);
}

void
regiond_settings_free (RegiondSettings *self)
{
  g_ptr_array_unref (self->devices);
  g_free (self);
}

static guint64
get_machine_memory (void)
{
  return (guint64) sysconf (_SC_PHYS_PAGES) * sysconf (_SC_PAGESIZE);
}

static gboolean
parse_max_memory (const char *text,
                  guint64    *bytes)
{
  g_autofree char *number = NULL;
  guint64 percent;

  if (!g_str_has_suffix (text, "%"))
    return regiond_units_parse_size (text, bytes);

  number = g_strndup (text, strlen (text) - 1);
  if (!g_ascii_string_to_unsigned (number, 10, 1, 100, &percent, NULL))
    return FALSE;

  *bytes = get_machine_memory () / 100 * percent;
  return TRUE;
}

/* "25s" for both, or "25s;5min": without a prompt; with one. */
static gboolean
parse_timeouts (RegiondSettings *self,
                const char      *text)
{
  g_auto (GStrv) parts = g_strsplit (text, ";", 3);
  guint n = g_strv_length (parts);

  if (n == 3 && parts[2][0] == '\0')
    n = 2;
  if (n < 1 || n > 2 || !regiond_units_parse_duration (g_strstrip (parts[0]), &self->timeout))
    return FALSE;

  if (n == 2)
    return regiond_units_parse_duration (g_strstrip (parts[1]), &self->prompt_timeout);

  self->prompt_timeout = self->timeout;
  return TRUE;
}

static gboolean
load_daemon (RegiondSettings *self,
             const char      *path,
             GError         **error)
{
  g_autoptr (RegiondKeyFile) file = regiond_key_file_load (path, error);
  g_auto (GStrv) groups = NULL;
  g_autofree char *memory = NULL, *timeouts = NULL;

  if (file == NULL)
    return FALSE;

  groups = regiond_key_file_get_groups (file);
  for (char **group = groups; *group != NULL; group++)
    {
      if (!g_str_equal (*group, "Daemon"))
        return regiond_key_file_refuse_group (file, *group, "is no group of this file; it has [Daemon]", error);
    }

  if (!regiond_key_file_check_keys (file, "Daemon", daemon_keys, error) ||
      !regiond_key_file_get_string (file, "Daemon", "MaxMemory", &memory, error) ||
      !regiond_key_file_get_string (file, "Daemon", "AuthorizationTimeout", &timeouts, error))
    return FALSE;
  if (memory != NULL && !parse_max_memory (memory, &self->max_memory))
    return regiond_key_file_refuse (file, "Daemon", "MaxMemory", memory,
                                    "a size (4096, 4K, 4M, 4G) or a percentage of the machine's memory (25%)", error);
  if (timeouts != NULL && !parse_timeouts (self, timeouts))
    return regiond_key_file_refuse (file, "Daemon", "AuthorizationTimeout", timeouts,
                                    "one or two durations (25s;5min: without a prompt, with one)", error);
  return TRUE;
}

static gboolean
read_switch (RegiondKeyFile *file,
             const char     *key,
             const char     *on,
             const char     *off,
             gboolean       *value,
             GError        **error)
{
  g_autofree char *text = NULL, *wanted = g_strdup_printf ("'%s' or '%s'", on, off);

  if (!regiond_key_file_get_string (file, "Device", key, &text, error))
    return FALSE;
  if (text == NULL)
    return TRUE;
  if (!g_str_equal (text, on) && !g_str_equal (text, off))
    return regiond_key_file_refuse (file, "Device", key, text, wanted, error);

  *value = g_str_equal (text, on);
  return TRUE;
}

static gboolean
read_region (RegiondDeviceSettings *self,
             RegiondKeyFile        *file,
             const char            *group,
             GError               **error)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) reason = NULL;
  RegiondRegion *region;
  guint64 size;

  if (!regiond_key_file_check_keys (file, group, region_keys, error) ||
      !regiond_key_file_get_string (file, group, "Size", &text, error))
    return FALSE;
  if (text == NULL)
    return regiond_key_file_refuse_group (file, group, "has no Size", error);
  if (!regiond_units_parse_size (text, &size))
    return regiond_key_file_refuse (file, group, "Size", text, "a size (4096, 4K, 4M, 4G)", error);

  region = regiond_region_new_memory (group + strlen (REGION_PREFIX), self->regions->len, size, &reason);
  if (region == NULL)
    return regiond_key_file_refuse (file, group, "Size", text, reason->message, error);

  g_ptr_array_add (self->regions, region);
  return TRUE;
}

static gboolean
read_device (RegiondDeviceSettings *self,
             RegiondKeyFile        *file,
             GError               **error)
{
  g_autofree char *backend = NULL;

  if (!regiond_key_file_check_keys (file, "Device", device_keys, error) ||
      !regiond_key_file_get_string (file, "Device", "Backend", &backend, error) ||
      !regiond_key_file_get_string (file, "Device", "Description", &self->description, error) ||
      !read_switch (file, "Persist", "true", "false", &self->persist, error) ||
      !read_switch (file, "Linger", "tolerate", "retire", &self->tolerate, error))
    return FALSE;
  if (g_strcmp0 (backend, "memory") != 0)
    return regiond_key_file_refuse (file, "Device", "Backend", backend != NULL ? backend : "",
                                    "'memory', the one that this version has", error);
  return TRUE;
}

static RegiondDeviceSettings *
load_device (const char *id,
             const char *path,
             GError    **error)
{
  g_autoptr (RegiondDeviceSettings) self = regiond_device_settings_new (id);
  g_autoptr (RegiondKeyFile) file = regiond_key_file_load (path, error);
  g_auto (GStrv) groups = NULL;

  if (file == NULL || !read_device (self, file, error))
    return NULL;

  groups = regiond_key_file_get_groups (file);
  for (char **group = groups; *group != NULL; group++)
    {
      if (g_str_has_prefix (*group, REGION_PREFIX))
        {
          if (!read_region (self, file, *group, error))
            return NULL;
        }
      else if (!g_str_equal (*group, "Device"))
        {
          regiond_key_file_refuse_group (file, *group, "is no group of this file; it has [Device] and [Region NAME]",
                                         error);
          return NULL;
        }
    }

  if (!regiond_region_check_set (self->regions, error))
    {
      g_prefix_error (error, "%s: ", path);
      return NULL;
    }
  return g_steal_pointer (&self);
}

/* File name -> path, the earlier directory's winning. */
static void
list_files (const char *directory,
            GHashTable *files)
{
  g_autofree char *path = g_build_filename (directory, "devices.d", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      if (g_str_has_suffix (name, SUFFIX) && !g_hash_table_contains (files, name))
        g_hash_table_insert (files, g_strdup (name), g_build_filename (path, name, NULL));
    }
}

static void
load_devices (RegiondSettings   *self,
              const char *const *directories)
{
  g_autoptr (GHashTable) files = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GList) names = NULL;

  for (; *directories != NULL; directories++)
    list_files (*directories, files);

  names = g_list_sort (g_hash_table_get_keys (files), (GCompareFunc) strcmp);
  for (GList *l = names; l != NULL; l = l->next)
    {
      g_autofree char *id = g_strndup (l->data, strlen (l->data) - strlen (SUFFIX));
      g_autoptr (GError) error = NULL;
      RegiondDeviceSettings *device = load_device (id, g_hash_table_lookup (files, l->data), &error);

      if (device != NULL)
        g_ptr_array_add (self->devices, device);
      else
        g_warning ("Device %s is left out: %s", id, error->message);
    }
}

RegiondSettings *
regiond_settings_load (const char *const *directories,
                       GError           **error)
{
  g_autoptr (RegiondSettings) self = g_new0 (RegiondSettings, 1);

  self->max_memory = get_machine_memory () / 4;
  self->timeout = 25 * 1000;
  self->prompt_timeout = 5 * 60 * 1000;
  self->devices = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_device_settings_free);

  for (const char *const *directory = directories; *directory != NULL; directory++)
    {
      g_autofree char *path = g_build_filename (*directory, "regiond.conf", NULL);

      if (!g_file_test (path, G_FILE_TEST_EXISTS))
        continue;
      if (!load_daemon (self, path, error))
        return NULL;
      break;
    }

  load_devices (self, directories);
  g_debug ("MaxMemory is %" G_GUINT64_FORMAT ", AuthorizationTimeout %u ms and %u ms, %u devices", self->max_memory,
           self->timeout, self->prompt_timeout, self->devices->len);
  return g_steal_pointer (&self);
}
