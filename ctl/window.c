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
  guint8 *mapping; /* NULL: proxied */
  gsize mapped;
  guint64 offset;
  gsize lead; /* how far into the mapping the window begins: mappings begin with a page */
  guint64 length;
};

/* What the service says about a region. */
typedef struct
{
  guint64 size;
  gboolean is_proxied;
} Region;

static gboolean
get_region (CtlBus     *bus,
            const char *device_path,
            const char *name,
            Region     *region,
            GError    **error)
{
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) regions = NULL;
  g_autoptr (GVariant) entry = NULL;
  g_autofree const char **mechanisms = NULL;

  reply = ctl_bus_call (bus, device_path, "org.freedesktop.DBus.Properties", "Get",
                        g_variant_new ("(ss)", CTL_DEVICE_INTERFACE, "Regions"), "(v)", error);
  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(v)", &regions);
  if (g_variant_is_of_type (regions, G_VARIANT_TYPE ("a{sa{sv}}")))
    entry = g_variant_lookup_value (regions, name, G_VARIANT_TYPE_VARDICT);
  if (entry == NULL || !g_variant_lookup (entry, "size", "t", &region->size))
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED,
                   "The device has no region “%s”; regionctl show lists those that it has", name);
      return FALSE;
    }

  region->is_proxied = g_variant_lookup (entry, "mechanisms", "^a&s", &mechanisms) &&
                       g_strv_contains (mechanisms, "proxy");
  return TRUE;
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
map (CtlWindow *window,
     gboolean   writes,
     GError   **error)
{
  guint64 start = window->offset - window->offset % sysconf (_SC_PAGESIZE);
  void *mapping;

  window->lead = window->offset - start;
  window->mapped = window->lead + window->length;
  mapping = mmap (NULL, window->mapped, PROT_READ | (writes ? PROT_WRITE : 0), MAP_SHARED,
                  ctl_lease_get_fd (window->lease), start);
  if (mapping == MAP_FAILED)
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "The region can not be mapped: %s", g_strerror (errno));
      return FALSE;
    }

  window->mapping = mapping;
  return TRUE;
}

/* Asks for no more than is needed: proxied, for the part and the one direction. */
static gboolean
open_lease (CtlWindow    *window,
            CtlBus       *bus,
            const char   *device_path,
            const char   *name,
            const Region *region,
            gboolean      writes,
            GError      **error)
{
  CtlLeaseOptions options = { .label = (char *) "regionctl" };

  if (!region->is_proxied)
    {
      window->lease = ctl_lease_open (bus, device_path, name, writes ? "rwm" : "rm", &options, error);
      return window->lease != NULL && map (window, writes, error);
    }

  options.offset = window->offset;
  options.length = window->length < region->size ? window->length : 0;
  window->lease = ctl_lease_open (bus, device_path, name, writes ? "w" : "r", &options, error);
  return window->lease != NULL;
}

CtlWindow *
ctl_window_open (CtlBus         *bus,
                 const char     *device,
                 const char     *region,
                 gboolean        writes,
                 const CtlRange *range,
                 GError        **error)
{
  g_autoptr (CtlWindow) window = g_new0 (CtlWindow, 1);
  g_autofree char *path = NULL;
  Region found;

  path = ctl_bus_find_device (bus, device, error);
  if (path == NULL || !get_region (bus, path, region, &found, error) ||
      !check_bounds (range, region, found.size, error))
    return NULL;

  window->offset = range->offset;
  window->length = MIN (range->length, found.size - range->offset);
  if (!open_lease (window, bus, path, region, &found, writes, error))
    return NULL;

  return g_steal_pointer (&window);
}

guint64
ctl_window_get_offset (CtlWindow *window)
{
  return window->offset;
}

guint64
ctl_window_get_length (CtlWindow *window)
{
  return window->length;
}

/* Why the lease has ended says more than what the kernel makes of it. */
static gboolean
fail (CtlWindow  *window,
      const char *what,
      int         number,
      GError    **error)
{
  if (number != ENOTCONN && number != ECONNABORTED)
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "The region can not be %s: %s", what, g_strerror (number));
      return FALSE;
    }

  if (ctl_lease_release (window->lease, error))
    g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "The region was not %s: the lease has ended", what);
  return FALSE;
}

gboolean
ctl_window_read (CtlWindow *window,
                 guint64    at,
                 guint8    *bytes,
                 gsize      length,
                 GError   **error)
{
  gsize done = 0;

  if (window->mapping != NULL)
    {
      memcpy (bytes, window->mapping + window->lead + at, length);
      return TRUE;
    }

  while (done < length)
    {
      gssize got = pread (ctl_lease_get_fd (window->lease), bytes + done, length - done, at + done);

      if (got == -1 && errno != EINTR)
        return fail (window, "read", errno, error);
      if (got == 0)
        return fail (window, "read", EIO, error);
      done += MAX (got, 0);
    }

  return TRUE;
}

/* Not tried again when it is interrupted: it may have been made, and for a
 * register twice is not once. */
gboolean
ctl_window_write (CtlWindow    *window,
                  guint64       at,
                  const guint8 *bytes,
                  gsize         length,
                  GError      **error)
{
  gsize done = 0;

  if (window->mapping != NULL)
    {
      memcpy (window->mapping + window->lead + at, bytes, length);
      return TRUE;
    }

  while (done < length)
    {
      gssize put = pwrite (ctl_lease_get_fd (window->lease), bytes + done, length - done, at + done);

      if (put == -1)
        return fail (window, "written", errno, error);
      done += put;
    }

  return TRUE;
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
