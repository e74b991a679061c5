/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings.h"

#include "error.h"
#include "guard.h"
#include "keyfile.h"
#include "region.h"
#include "units.h"

#include <unistd.h>

#define SUFFIX ".conf"
#define REGION_PREFIX "Region "

/* A lease may need its connection, or the watch over its fd; and the process that it is tied to. Memory
 * objects and their like come to some. */
#define FILES_EACH 2
#define OTHER_FILES 64

#define MOST_COUNTED 1000000

static const struct {
  const char *key;
  gsize       offset; /* of a guint in RegiondSettings */
  guint       standard;
  guint       most;
} counts[] = {
  { "MaxLeases", G_STRUCT_OFFSET (RegiondSettings, max_leases), 4096, MOST_COUNTED },
  { "MaxLeasesPerUser", G_STRUCT_OFFSET (RegiondSettings, max_leases_per_user), 256, MOST_COUNTED },
  { "MaxLeasesPerConnection", G_STRUCT_OFFSET (RegiondSettings, max_leases_per_connection), 128, MOST_COUNTED },
  { "MaxProxiedLeasesPerUser", G_STRUCT_OFFSET (RegiondSettings, max_proxied_leases_per_user), 128, MOST_COUNTED },
  { "MaxAuthorizationsPerUser", G_STRUCT_OFFSET (RegiondSettings, max_authorizations_per_user), 1024, MOST_COUNTED },
  { "MaxAuthorizationsPerConnection", G_STRUCT_OFFSET (RegiondSettings, max_authorizations_per_connection), 64,
    REGIOND_GUARD_MOST_CALLS },
};

static const char *const daemon_keys[] = {
  "Authorization",    "AuthorizationTimeout",    "MaxAuthorizationsPerConnection", "MaxAuthorizationsPerUser",
  "MaxLeases",        "MaxLeasesPerConnection",  "MaxLeasesPerUser",               "MaxMemory",
  "MaxMemoryPerUser", "MaxProxiedLeasesPerUser", "UnsafeNoIommu",                  NULL,
};
static const char *const device_keys[] = { "Authorization", "Backend", "Description", "Persist", "Linger", NULL };
static const char *const pci_keys[] = { "Authorization", "Backend", "Description", "Match", "MinimumRevocation",
                                        "ZeroRegions", NULL };
static const char *const region_keys[] = { "Size", NULL };

RegiondDeviceSettings *
regiond_device_settings_new (const char          *id,
                             RegiondAuthorization authorization)
{
  RegiondDeviceSettings *self = g_new0 (RegiondDeviceSettings, 1);

  self->id = g_strdup (id);
  self->authorization = authorization;
  self->regions = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_region_unref);
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

static void
pci_settings_free (RegiondPciSettings *self)
{
  g_free (self->id);
  g_free (self->fault);
  g_free (self->description);
  g_strfreev (self->zero_regions);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondPciSettings, pci_settings_free)

void
regiond_settings_warn (const RegiondSettings *self,
                       guint64                files)
{
  guint64 needed = FILES_EACH * (guint64) self->max_leases + OTHER_FILES;

  if (self->max_leases > REGIOND_BUS_FDS)
    g_warning ("MaxLeases=%u is more than the %u descriptors that the bus takes from regiond before it stops reading: "
               "clients that never read could stop everybody; lower it, or raise max_incoming_unix_fds of the bus",
               self->max_leases, REGIOND_BUS_FDS);
  if (needed > files)
    g_warning ("MaxLeases=%u may need %" G_GUINT64_FORMAT " open files, and regiond may have %" G_GUINT64_FORMAT
               "; raise LimitNOFILE= of its unit, or lower MaxLeases", self->max_leases, needed, files);
}

void
regiond_settings_free (RegiondSettings *self)
{
  g_ptr_array_unref (self->devices);
  g_ptr_array_unref (self->pci_devices);
  g_free (self->fault);
  g_free (self);
}

static guint64
get_machine_memory (void)
{
  return (guint64) sysconf (_SC_PHYS_PAGES) * sysconf (_SC_PAGESIZE);
}

static gboolean
parse_memory (const char *text,
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
read_memory (RegiondKeyFile *file,
             const char     *key,
             guint64        *bytes,
             GError        **error)
{
  g_autofree char *text = NULL;

  if (!regiond_key_file_get_string (file, "Daemon", key, &text, error))
    return FALSE;
  if (text == NULL || (parse_memory (text, bytes) && *bytes > 0))
    return TRUE;

  return regiond_key_file_refuse (file, "Daemon", key, text,
                                  "a size (4096, 4K, 4M, 4G) or a percentage of the machine's memory (25%)", error);
}

static gboolean
read_count (RegiondSettings *self,
            RegiondKeyFile  *file,
            guint            index,
            GError         **error)
{
  g_autofree char *text = NULL, *wanted = NULL;
  guint64 value;

  if (!regiond_key_file_get_string (file, "Daemon", counts[index].key, &text, error))
    return FALSE;
  if (text == NULL)
    return TRUE;
  if (!g_ascii_string_to_unsigned (text, 10, 1, counts[index].most, &value, NULL))
    {
      wanted = g_strdup_printf ("a number from 1 to %u", counts[index].most);
      return regiond_key_file_refuse (file, "Daemon", counts[index].key, text, wanted, error);
    }

  G_STRUCT_MEMBER (guint, self, counts[index].offset) = value;
  return TRUE;
}

static gboolean
read_switch (RegiondKeyFile *file,
             const char     *group,
             const char     *key,
             const char     *on,
             const char     *off,
             gboolean       *value,
             GError        **error)
{
  g_autofree char *text = NULL, *wanted = g_strdup_printf ("'%s' or '%s'", on, off);

  if (!regiond_key_file_get_string (file, group, key, &text, error))
    return FALSE;
  if (text == NULL)
    return TRUE;
  if (!g_str_equal (text, on) && !g_str_equal (text, off))
    return regiond_key_file_refuse (file, group, key, text, wanted, error);

  *value = g_str_equal (text, on);
  return TRUE;
}

static gboolean
read_authorization (RegiondKeyFile       *file,
                    const char           *group,
                    RegiondAuthorization *authorization,
                    GError              **error)
{
  g_autofree char *text = NULL;

  if (!regiond_key_file_get_string (file, group, "Authorization", &text, error))
    return FALSE;
  if (text == NULL || regiond_authorization_parse (text, authorization))
    return TRUE;

  return regiond_key_file_refuse (file, group, "Authorization", text, "'one-shot', 'continuing' or 'strict'", error);
}

static gboolean
load_daemon (RegiondSettings *self,
             const char      *path,
             GError         **error)
{
  g_autoptr (RegiondKeyFile) file = regiond_key_file_load (path, error);
  g_auto (GStrv) groups = NULL;
  g_autofree char *timeouts = NULL;

  if (file == NULL)
    return FALSE;

  groups = regiond_key_file_get_groups (file);
  for (char **group = groups; *group != NULL; group++)
    {
      if (!g_str_equal (*group, "Daemon"))
        return regiond_key_file_refuse_group (file, *group, "is no group of this file; it has [Daemon]", error);
    }

  if (!regiond_key_file_check_keys (file, "Daemon", daemon_keys, error) ||
      !read_memory (file, "MaxMemory", &self->max_memory, error) ||
      !read_memory (file, "MaxMemoryPerUser", &self->max_memory_per_user, error) ||
      !regiond_key_file_get_string (file, "Daemon", "AuthorizationTimeout", &timeouts, error) ||
      !read_authorization (file, "Daemon", &self->authorization, error) ||
      !read_switch (file, "Daemon", "UnsafeNoIommu", "yes", "no", &self->unsafe_noiommu, error))
    return FALSE;
  if (timeouts != NULL && !parse_timeouts (self, timeouts))
    return regiond_key_file_refuse (file, "Daemon", "AuthorizationTimeout", timeouts,
                                    "one or two durations (25s;5min: without a prompt, with one)", error);
  for (guint i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      if (!read_count (self, file, i, error))
        return FALSE;
    }
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

/* An empty one is none. */
static gboolean
read_description (RegiondKeyFile *file,
                  char          **description,
                  GError        **error)
{
  if (!regiond_key_file_get_string (file, "Device", "Description", description, error))
    return FALSE;

  if (*description != NULL && **description == '\0')
    g_clear_pointer (description, g_free);
  return TRUE;
}

static gboolean
read_device (RegiondDeviceSettings *self,
             RegiondKeyFile        *file,
             GError               **error)
{
  return regiond_key_file_check_keys (file, "Device", device_keys, error) &&
         read_description (file, &self->description, error) &&
         read_authorization (file, "Device", &self->authorization, error) &&
         read_switch (file, "Device", "Persist", "true", "false", &self->persist, error) &&
         read_switch (file, "Device", "Linger", "tolerate", "retire", &self->tolerate, error);
}

static gboolean
load_memory_device (RegiondSettings *settings,
                    const char      *id,
                    const char      *path,
                    RegiondKeyFile  *file,
                    GError         **error)
{
  g_autoptr (RegiondDeviceSettings) self = regiond_device_settings_new (id, settings->authorization);
  g_auto (GStrv) groups = regiond_key_file_get_groups (file);

  if (!read_device (self, file, error))
    return FALSE;

  for (char **group = groups; *group != NULL; group++)
    {
      if (g_str_has_prefix (*group, REGION_PREFIX))
        {
          if (!read_region (self, file, *group, error))
            return FALSE;
        }
      else if (!g_str_equal (*group, "Device"))
        return regiond_key_file_refuse_group (file, *group,
                                              "is no group of this file; it has [Device] and [Region NAME]", error);
    }

  if (!regiond_region_check_set (self->regions, error))
    {
      g_prefix_error (error, "%s: ", path);
      return FALSE;
    }
  g_ptr_array_add (settings->devices, g_steal_pointer (&self));
  return TRUE;
}

/* "1af4:1110", every device that has these, or an address. */
static gboolean
parse_match (RegiondPciSettings *self,
             const char         *text)
{
  g_auto (GStrv) ids = g_strsplit (text, ":", -1);
  guint64 vendor, device;

  self->by_address = regiond_address_parse_short (text, &self->address);
  if (self->by_address)
    return TRUE;
  if (g_strv_length (ids) != 2 || strlen (ids[0]) != 4 || strlen (ids[1]) != 4 ||
      !g_ascii_string_to_unsigned (ids[0], 16, 0, G_MAXUINT16, &vendor, NULL) ||
      !g_ascii_string_to_unsigned (ids[1], 16, 0, G_MAXUINT16, &device, NULL))
    return FALSE;

  self->vendor = vendor;
  self->device = device;
  return TRUE;
}

static gboolean
read_match (RegiondPciSettings *self,
            RegiondKeyFile     *file,
            GError            **error)
{
  g_autofree char *text = NULL;

  if (!regiond_key_file_get_string (file, "Device", "Match", &text, error))
    return FALSE;
  if (text == NULL)
    return regiond_key_file_refuse_group (file, "Device", "has no Match", error);
  if (!parse_match (self, text))
    return regiond_key_file_refuse (file, "Device", "Match", text,
                                    "a vendor's and a device's id (1af4:1110) or a PCI address (0000:00:10.0)", error);
  return TRUE;
}

static gboolean
read_minimum (RegiondPciSettings *self,
              RegiondKeyFile     *file,
              GError            **error)
{
  g_autofree char *text = NULL;

  if (!regiond_key_file_get_string (file, "Device", "MinimumRevocation", &text, error))
    return FALSE;
  if (text != NULL && !regiond_revocation_parse (text, &self->minimum))
    return regiond_key_file_refuse (file, "Device", "MinimumRevocation", text, "'immediate', 'detached' or 'on-close'",
                                    error);
  return TRUE;
}

static gboolean
read_zero_regions (RegiondPciSettings *self,
                   RegiondKeyFile     *file,
                   GError            **error)
{
  g_autofree char *text = NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) parts = NULL;

  if (!regiond_key_file_get_string (file, "Device", "ZeroRegions", &text, error))
    return FALSE;

  parts = g_strsplit (text != NULL ? text : "", ";", -1);
  for (guint i = 0; parts[i] != NULL; i++)
    {
      const char *name = g_strstrip (parts[i]);

      /* One semicolon more at the end is a key file's way. */
      if (name[0] == '\0' && parts[i + 1] == NULL && i > 0)
        break;
      if (!g_regex_match_simple ("^bar[0-5]$", name, 0, 0))
        return regiond_key_file_refuse (file, "Device", "ZeroRegions", text, "a list of BARs (bar0 to bar5; bar2;bar4)",
                                        error);
      g_ptr_array_add (names, g_strdup (name));
    }

  g_ptr_array_add (names, NULL);
  self->zero_regions = (GStrv) g_ptr_array_steal (names, NULL);
  return TRUE;
}

static gboolean
load_pci_device (RegiondSettings *settings,
                 const char      *id,
                 RegiondKeyFile  *file,
                 GError         **error)
{
  g_autoptr (RegiondPciSettings) self = g_new0 (RegiondPciSettings, 1);
  g_auto (GStrv) groups = regiond_key_file_get_groups (file);

  self->authorization = settings->authorization;
  self->id = g_strdup (id);
  for (char **group = groups; *group != NULL; group++)
    {
      if (!g_str_equal (*group, "Device"))
        return regiond_key_file_refuse_group (file, *group, "is no group of a file with Backend=vfio; it has [Device]",
                                              error);
    }

  if (!regiond_key_file_check_keys (file, "Device", pci_keys, error) ||
      !read_description (file, &self->description, error) ||
      !read_authorization (file, "Device", &self->authorization, error) ||
      !read_match (self, file, error) || !read_minimum (self, file, error) || !read_zero_regions (self, file, error))
    return FALSE;

  g_ptr_array_add (settings->pci_devices, g_steal_pointer (&self));
  return TRUE;
}

static gboolean
load_device (RegiondSettings *self,
             const char      *id,
             const char      *path,
             GError         **error)
{
  g_autoptr (RegiondKeyFile) file = regiond_key_file_load (path, error);
  g_autofree char *backend = NULL;

  if (file == NULL || !regiond_key_file_get_string (file, "Device", "Backend", &backend, error))
    return FALSE;
  if (g_strcmp0 (backend, "memory") == 0)
    return load_memory_device (self, id, path, file, error);
  if (g_strcmp0 (backend, "vfio") == 0)
    return load_pci_device (self, id, file, error);

  return regiond_key_file_refuse (file, "Device", "Backend", backend != NULL ? backend : "", "'memory' or 'vfio'",
                                  error);
}

/* The devices that a line of @text matches have a file with a fault. FALSE: there is no such line. */
static gboolean
blame_matched (RegiondSettings *self,
               const char      *id,
               const char      *text,
               const char      *fault)
{
  g_autoptr (GRegex) line = g_regex_new ("^[ \\t]*Match[ \\t]*=[ \\t]*(\\S*)", G_REGEX_MULTILINE | G_REGEX_RAW, 0, NULL);
  g_autoptr (GMatchInfo) found = NULL;
  gboolean blamed = FALSE;

  for (g_regex_match (line, text, 0, &found); g_match_info_matches (found); g_match_info_next (found, NULL))
    {
      g_autoptr (RegiondPciSettings) device = g_new0 (RegiondPciSettings, 1);
      g_autofree char *match = g_match_info_fetch (found, 1);

      if (!parse_match (device, match))
        continue;
      device->id = g_strdup (id);
      device->fault = g_strdup (fault);
      g_ptr_array_add (self->pci_devices, g_steal_pointer (&device));
      blamed = TRUE;
    }

  return blamed;
}

static void
blame_all (RegiondSettings *self,
           const char      *fault)
{
  if (self->fault == NULL)
    self->fault = g_strdup (fault);
}

/* What a faulty file demands for its PCI devices is not known, and without that they are not to be served, as they
 * would be without a file. Whose it is its lines tell, though it be no key file. */
static void
blame (RegiondSettings *self,
       const char      *id,
       const char      *path,
       const char      *fault)
{
  g_autofree char *text = NULL;

  if (g_file_get_contents (path, &text, NULL, NULL) &&
      (blame_matched (self, id, text, fault) ||
       g_regex_match_simple ("^[ \\t]*(Backend[ \\t]*=[ \\t]*memory[ \\t]*$|\\[Region )", text,
                             G_REGEX_MULTILINE | G_REGEX_RAW, 0)))
    return;

  blame_all (self, fault);
}

/* File name -> path, the earlier directory's winning. */
static void
list_files (RegiondSettings *self,
            const char      *directory,
            GHashTable      *files)
{
  g_autofree char *path = g_build_filename (directory, "devices.d", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (path, 0, &error);
  const char *name;

  if (error != NULL && !g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    {
      g_warning ("What devices are described in %s cannot be read: %s", path, error->message);
      blame_all (self, error->message);
    }
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      if (g_str_has_suffix (name, SUFFIX) && !g_hash_table_contains (files, name))
        g_hash_table_insert (files, g_strdup (name), g_build_filename (path, name, NULL));
    }
}

/* A link to /dev/null. */
static gboolean
is_masked (const char *path)
{
  g_autofree char *target = g_file_read_link (path, NULL);

  return g_strcmp0 (target, "/dev/null") == 0;
}

static void
load_devices (RegiondSettings   *self,
              const char *const *directories)
{
  g_autoptr (GHashTable) files = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GList) names = NULL;

  for (; *directories != NULL; directories++)
    list_files (self, *directories, files);

  names = g_list_sort (g_hash_table_get_keys (files), (GCompareFunc) strcmp);
  for (GList *l = names; l != NULL; l = l->next)
    {
      const char *path = g_hash_table_lookup (files, l->data);
      g_autofree char *id = g_strndup (l->data, strlen (l->data) - strlen (SUFFIX));
      g_autoptr (GError) error = NULL;

      if (!is_masked (path) && !load_device (self, id, path, &error))
        {
          g_warning ("Device %s is left out: %s", id, error->message);
          blame (self, id, path, error->message);
        }
    }
}

RegiondSettings *
regiond_settings_load (const char *const *directories,
                       GError           **error)
{
  g_autoptr (RegiondSettings) self = g_new0 (RegiondSettings, 1);

  self->max_memory = get_machine_memory () / 4;
  self->authorization = REGIOND_AUTHORIZATION_CONTINUING;
  self->timeout = 25 * 1000;
  self->prompt_timeout = 5 * 60 * 1000;
  for (guint i = 0; i < G_N_ELEMENTS (counts); i++)
    G_STRUCT_MEMBER (guint, self, counts[i].offset) = counts[i].standard;
  self->devices = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_device_settings_free);
  self->pci_devices = g_ptr_array_new_with_free_func ((GDestroyNotify) pci_settings_free);

  for (const char *const *directory = directories; *directory != NULL; directory++)
    {
      g_autofree char *path = g_build_filename (*directory, "regiond.conf", NULL);

      if (!g_file_test (path, G_FILE_TEST_EXISTS))
        continue;
      if (!load_daemon (self, path, error))
        return NULL;
      break;
    }

  if (self->max_memory_per_user == 0)
    self->max_memory_per_user = self->max_memory / 2;
  load_devices (self, directories);
  g_debug ("MaxMemory is %" G_GUINT64_FORMAT ", AuthorizationTimeout %u ms and %u ms, %u devices, %u "
           "files for PCI devices", self->max_memory, self->timeout, self->prompt_timeout, self->devices->len,
           self->pci_devices->len);
  return g_steal_pointer (&self);
}

static gboolean
matches (const RegiondPciSettings *self,
         const RegiondIdentity    *identity)
{
  RegiondAddress address;

  if (self->by_address)
    return regiond_address_parse (identity->address, &address) && regiond_address_equal (&self->address, &address);
  return self->vendor == identity->vendor && self->device == identity->device;
}

const RegiondPciSettings *
regiond_settings_find_pci (const RegiondSettings *self,
                           const RegiondIdentity *identity)
{
  const RegiondPciSettings *found = NULL;

  for (guint i = 0; i < self->pci_devices->len; i++)
    {
      const RegiondPciSettings *settings = g_ptr_array_index (self->pci_devices, i);

      if (matches (settings, identity) && (found == NULL || (settings->by_address && !found->by_address)))
        found = settings;
    }

  return found;
}

gboolean
regiond_settings_check_pci (const RegiondSettings *self,
                            const RegiondIdentity *identity,
                            GError               **error)
{
  const RegiondPciSettings *found = regiond_settings_find_pci (self, identity);
  const char *fault = found != NULL ? found->fault : self->fault;

  if (fault == NULL)
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED,
               "What its file in devices.d demands %s: %s; mend it%s, and start regiond again",
               found != NULL ? "is not known" : "is not known, if it has one", fault,
               found != NULL ? "" : ", or give the device a file of its own");
  return FALSE;
}
