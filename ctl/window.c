/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "window.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "lease.h"
#include "size.h"

struct _CtlWindow
{
  CtlLease *lease;
  guint8 *mapping;
  gsize mapped;
  guint64 offset;
  gsize lead; /* how far into the mapping the window begins: mappings begin with a page */
  gsize length;
};

static gboolean
get_region_size (CtlBus     *bus,
                 const char *device_path,
                 const char *region,
                 guint64    *size,
                 GError    **error)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) regions = NULL;
  g_autoptr (GVariant) entry = NULL;

  reply = ctl_bus_call (bus, device_path, "org.freedesktop.DBus.Properties", "Get",
                        g_variant_new ("(ss)", CTL_DEVICE_INTERFACE, "Regions"), "(v)", error);
  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(v)", &regions);
  if (g_variant_is_of_type (regions, G_VARIANT_TYPE ("a{sa{sv}}")))
    entry = g_variant_lookup_value (regions, region, G_VARIANT_TYPE_VARDICT);
  if (entry != NULL && g_variant_lookup (entry, "size", "t", size))
    return TRUE;

  g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED,
               "The device has no region “%s”; regionctl show lists those that it has", region);
  return FALSE;
}

gboolean
ctl_range_parse (const char *offset,
                 const char *length,
                 CtlRange   *range,
                 GError    **error)
{
  range->offset = 0;
  range->length = G_MAXUINT64;
  if (offset != NULL && !ctl_size_parse (offset, "OFFSET", &range->offset, error))
    return FALSE;
  if (length != NULL && !ctl_size_parse (length, "LENGTH", &range->length, error))
    return FALSE;
  if (range->length > 0)
    return TRUE;

  g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE, "LENGTH has to be at least 1");
  return FALSE;
}

static gboolean
check_bounds (const CtlRange *range,
              const char     *region,
              guint64         size,
              GError        **error)
{
  g_autofree char *text = ctl_size_format (size);

  if (range->offset >= size)
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED,
                   "Offset 0x%" G_GINT64_MODIFIER "x is beyond the end of region %s, which has %s bytes",
                   range->offset, region, text);
      return FALSE;
    }

  if (range->length != G_MAXUINT64 && range->length > size - range->offset)
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED,
                   "%" G_GUINT64_FORMAT " bytes from offset 0x%" G_GINT64_MODIFIER "x "
                   "go beyond the end of region %s, which has %s bytes",
                   range->length, range->offset, region, text);
      return FALSE;
    }

  return TRUE;
}

static gboolean
map (CtlWindow  *window,
     const char *access,
     GError    **error)
{
  int protection = PROT_READ | (strchr (access, 'w') == NULL ? 0 : PROT_WRITE);
  guint64 start = window->offset - window->offset % sysconf (_SC_PAGESIZE);
  void *mapping;

  window->lead = window->offset - start;
  window->mapped = window->lead + window->length;
  mapping = mmap (NULL, window->mapped, protection, MAP_SHARED, ctl_lease_get_fd (window->lease), start);
  if (mapping == MAP_FAILED)
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "The region can not be mapped: %s", g_strerror (errno));
      return FALSE;
    }

  window->mapping = mapping;
  return TRUE;
}

CtlWindow *
ctl_window_open (CtlBus         *bus,
                 const char     *device,
                 const char     *region,
                 const char     *access,
                 const CtlRange *range,
                 GError        **error)
{
  const CtlLeaseOptions options = { .label = (char *) "regionctl" };
  g_autoptr (CtlWindow) window = g_new0 (CtlWindow, 1);
  g_autofree char *path = NULL;
  guint64 size;

  path = ctl_bus_find_device (bus, device, error);
  if (path == NULL || !get_region_size (bus, path, region, &size, error) ||
      !check_bounds (range, region, size, error))
    return NULL;

  window->offset = range->offset;
  window->length = MIN (range->length, size - range->offset);
  window->lease = ctl_lease_open (bus, path, region, access, &options, error);
  if (window->lease == NULL || !map (window, access, error))
    return NULL;

  return g_steal_pointer (&window);
}

guint8 *
ctl_window_get_data (CtlWindow *window)
{
  return window->mapping + window->lead;
}

guint64
ctl_window_get_offset (CtlWindow *window)
{
  return window->offset;
}

gsize
ctl_window_get_length (CtlWindow *window)
{
  return window->length;
}

static void
unmap (CtlWindow *window)
{
  if (window->mapping != NULL)
    munmap (window->mapping, window->mapped);
  window->mapping = NULL;
}

gboolean
ctl_window_close (CtlWindow *window,
                  GError   **error)
{
  unmap (window);
  return ctl_lease_release (window->lease, error);
}

void
ctl_window_free (CtlWindow *window)
{
  unmap (window);
  g_clear_pointer (&window->lease, ctl_lease_free);
  g_free (window);
}
