/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "region.h"
#include "settings.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* Configuration files. An input is regiond.conf, and after a line "---" the
 * file of a device. Whatever stands in them: they are taken, and then nothing
 * is out of bounds, or there is one error, which names the file. */

#define SEPARATOR "---\n"
#define DAY_MS (24 * 60 * 60 * 1000)

static char *directory, *daemon_file, *device_file;
static guint warnings;

static void
on_log (const char    *domain,
        GLogLevelFlags level,
        const char    *message,
        gpointer       data)
{
  if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
    {
      g_printerr ("%s\n", message);
      abort ();
    }
  /* GLib warns of itself where a value has two bad escapes. */
  if (!(level & G_LOG_LEVEL_WARNING) || g_strcmp0 (domain, "regiond") != 0)
    return;

  warnings++;
  g_assert_nonnull (strstr (message, device_file));
  g_assert_true (g_utf8_validate (message, -1, NULL));
}

static void
clean_up (void)
{
  g_autofree char *folder = g_path_get_dirname (device_file);

  g_unlink (daemon_file);
  g_unlink (device_file);
  g_rmdir (folder);
  g_rmdir (directory);
  g_free (daemon_file);
  g_free (device_file);
  g_free (directory);
}

int
LLVMFuzzerInitialize (int    *argc,
                      char ***argv)
{
  g_autofree char *folder = NULL;

  directory = g_dir_make_tmp ("regiond-XXXXXX", NULL);
  g_assert_nonnull (directory);
  folder = g_build_filename (directory, "devices.d", NULL);
  g_assert_cmpint (g_mkdir (folder, 0755), ==, 0);
  daemon_file = g_build_filename (directory, "regiond.conf", NULL);
  device_file = g_build_filename (folder, "shm0.conf", NULL);
  atexit (clean_up);
  fuzz_prepare ();
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  g_log_set_default_handler (on_log, NULL);
  return 0;
}

static void
put (const char *path,
     const char *text,
     gsize       length)
{
  FILE *file = fopen (path, "w");

  g_assert_nonnull (file);
  if (length > 0)
    g_assert_cmpuint (fwrite (text, 1, length, file), ==, length);
  g_assert_cmpint (fclose (file), ==, 0);
}

static void
check_daemon (const RegiondSettings *settings)
{
  const guint limits[] = { settings->max_leases, settings->max_leases_per_user, settings->max_leases_per_connection,
                           settings->max_proxied_leases_per_user, settings->max_authorizations_per_user };

  g_assert_cmpuint (settings->max_memory, >, 0);
  g_assert_cmpuint (settings->max_memory, <=, G_MAXINT64);
  g_assert_cmpuint (settings->max_memory_per_user, <=, G_MAXINT64);
  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      g_assert_cmpuint (limits[i], >, 0);
      g_assert_cmpuint (limits[i], <=, 1000000);
    }

  /* The bus gives a connection 128 answers under way. */
  g_assert_cmpuint (settings->max_authorizations_per_connection, >, 0);
  g_assert_cmpuint (settings->max_authorizations_per_connection, <, 128);
  g_assert_cmpuint (settings->timeout, >, 0);
  g_assert_cmpuint (settings->timeout, <=, DAY_MS);
  g_assert_cmpuint (settings->prompt_timeout, >, 0);
  g_assert_cmpuint (settings->prompt_timeout, <=, DAY_MS);
}

static void
check_device (const RegiondDeviceSettings *device)
{
  g_assert_cmpstr (device->id, ==, "shm0");
  g_assert_cmpuint (device->regions->len, >, 0);
  g_assert_cmpuint (device->regions->len, <=, REGIOND_REGION_MOST);
  g_assert_true (regiond_region_check_set (device->regions, NULL));
  for (guint i = 0; i < device->regions->len; i++)
    {
      const RegiondRegion *region = g_ptr_array_index (device->regions, i);

      g_assert_cmpuint (region->index, ==, i);
      g_assert_cmpuint (region->size, >, 0);
      g_assert_cmpuint (region->size, <=, G_MAXINT64);
      g_assert_cmpuint (region->size % sysconf (_SC_PAGESIZE), ==, 0);
    }

  /* It goes over the bus. */
  if (device->description != NULL)
    g_assert_true (g_utf8_validate (device->description, -1, NULL));
}

int
LLVMFuzzerTestOneInput (const guint8 *data,
                        size_t        size)
{
  const char *const directories[] = { directory, NULL };
  const char *text = (const char *) data, *cut = NULL;
  gsize before = size;
  g_autoptr (RegiondSettings) settings = NULL;
  g_autoptr (GError) error = NULL;

  if (size > 0)
    cut = memmem (text, size, SEPARATOR, strlen (SEPARATOR));
  if (cut != NULL)
    {
      before = cut - text;
      put (device_file, cut + strlen (SEPARATOR), size - before - strlen (SEPARATOR));
    }
  else
    put (device_file, "", 0);
  put (daemon_file, text, before);

  warnings = 0;
  settings = regiond_settings_load (directories, &error);
  if (settings == NULL)
    {
      g_assert_nonnull (strstr (error->message, daemon_file));
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      return 0;
    }

  g_assert_no_error (error);
  check_daemon (settings);
  g_assert_cmpuint (settings->devices->len + settings->pci_devices->len + warnings, ==, 1);
  if (settings->devices->len > 0)
    check_device (g_ptr_array_index (settings->devices, 0));
  return 0;
}
