/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/resetter.h"

#include "backends/vfio/hotreset.h"
#include "backends/vfio/narrowing.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A device that has been reset may put off its answer by a second (PCIe 6.0,
 * 2.3.1); the kernel has waited by then. */
#define ANSWER_US (G_TIME_SPAN_SECOND)
#define LOOK_US (10 * 1000)

#define PM "pm"

struct _RegiondResetter {
  RegiondSysfs     *sysfs;
  RegiondNarrowing *narrowing;
  GStrv             methods;
  gboolean          hot;    /* atomic */
  gboolean          warned; /* of pm */
};

static const char *const hot_alone[] = { "hot", NULL };

/* Lower is better. */
static guint
rank (const char *method)
{
  const char *const function[] = { "device_specific", "acpi", "flr", "af_flr", NULL };
  const char *const bus[] = { "bus", "cxl_bus", NULL };

  if (g_strv_contains (function, method))
    return 0;
  if (g_strv_contains (bus, method))
    return 1;
  return g_str_equal (method, PM) ? 3 : 2;
}

/* Whether another device is on its bus: the kernel would refuse to reset that. */
static gboolean
has_neighbours (RegiondSysfs *sysfs)
{
  const char *name = regiond_sysfs_get_name (sysfs);
  g_autofree char *all = g_path_get_dirname (regiond_sysfs_get_folder (sysfs));
  g_autoptr (GDir) dir = g_dir_open (all, 0, NULL);
  const char *last = strrchr (name, ':');
  const char *other;

  while (last != NULL && dir != NULL && (other = g_dir_read_name (dir)) != NULL)
    {
      if (strncmp (name, other, last - name + 1) == 0 && !g_str_equal (name, other))
        return TRUE;
    }

  return FALSE;
}

/* Sorted, each as often as it is there. After another one that failed, the success of
 * pm would be taken for a clean device. */
static GStrv
read_methods (RegiondResetter *self)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_autofree char *all = regiond_narrowing_read (self->narrowing);
  g_auto (GStrv) words = g_strsplit (all != NULL ? all : "", " ", -1);
  gboolean crowded = has_neighbours (self->sysfs), any = FALSE;

  for (guint wanted = 0; wanted <= 3; wanted++)
    {
      for (gsize i = 0; words[i] != NULL; i++)
        {
          if (words[i][0] == '\0' || rank (words[i]) != wanted || (crowded && wanted == 1) || (any && wanted == 3))
            continue;

          g_strv_builder_add (builder, words[i]);
          any = TRUE;
        }
    }

  return g_strv_builder_end (builder);
}

RegiondResetter *
regiond_resetter_new (RegiondSysfs *sysfs,
                      const char   *folder)
{
  RegiondResetter *self = g_new0 (RegiondResetter, 1);

  self->sysfs = regiond_sysfs_ref (sysfs);
  self->narrowing = regiond_narrowing_new (sysfs, folder);
  self->methods = read_methods (self);
  return self;
}

void
regiond_resetter_free (RegiondResetter *self)
{
  g_strfreev (self->methods);
  regiond_narrowing_free (self->narrowing);
  regiond_sysfs_unref (self->sysfs);
  g_free (self);
}

const char *const *
regiond_resetter_get_methods (RegiondResetter *self)
{
  return g_atomic_int_get (&self->hot) ? hot_alone : (const char *const *) self->methods;
}

gboolean
regiond_resetter_needs_handle (RegiondResetter *self)
{
  return g_atomic_int_get (&self->hot);
}

gboolean
regiond_resetter_is_narrow (RegiondResetter *self)
{
  return regiond_narrowing_is_left (self->narrowing);
}

void
regiond_resetter_widen (RegiondResetter *self)
{
  regiond_narrowing_end (self->narrowing);
}

/* FALSE where nothing answers. */
static gboolean
read_header (RegiondSysfs *sysfs,
             guint8       *header)
{
  int fd = regiond_sysfs_open (sysfs, "config", O_RDONLY);
  gssize n = fd >= 0 ? pread (fd, header, PCI_STD_HEADER_SIZEOF, 0) : -1;

  if (fd >= 0)
    close (fd);
  return n == PCI_STD_HEADER_SIZEOF;
}

/* All but the flags of STATUS, which tell of errors. */
static gboolean
is_same (const guint8 *before,
         const guint8 *after)
{
  return memcmp (before, after, PCI_STATUS) == 0 &&
         memcmp (before + PCI_STATUS + 2, after + PCI_STATUS + 2, PCI_STD_HEADER_SIZEOF - PCI_STATUS - 2) == 0;
}

/* The kernel saves config space before a reset and restores it afterwards: what is
 * not as it was then has not come back. */
static gboolean
verify (RegiondResetter *self,
        const guint8    *before,
        GString         *failures,
        const char      *method)
{
  gint64 deadline = g_get_monotonic_time () + ANSWER_US;
  guint8 after[PCI_STD_HEADER_SIZEOF];

  for (;;)
    {
      gboolean answers = read_header (self->sysfs, after);

      if (answers && is_same (before, after))
        return TRUE;
      if (g_get_monotonic_time () > deadline)
        {
          g_string_append_printf (failures, "; %s was reported done, but %s", method,
                                  answers && memcmp (before, after, 4) == 0 ? "its config space has not come back"
                                                                            : "the device does not answer");
          return FALSE;
        }
      g_usleep (LOOK_US);
    }
}

/* Who takes the device away holds the lock that sysfs waits for, and waits for the
 * handle to be closed: while it is open it is asked, and answers EAGAIN. */
static gboolean
set_off (RegiondResetter *self,
         RegiondHandle   *handle,
         GError         **error)
{
  if (handle == NULL)
    return regiond_sysfs_write (self->sysfs, "reset", "1", error);
  if (ioctl (regiond_handle_get_fd (handle), VFIO_DEVICE_RESET) == 0)
    return TRUE;

  regiond_error_set_errno (error, errno, "VFIO_DEVICE_RESET");
  return FALSE;
}

/* One method alone: the kernel would go on to the next by itself, and not say so. */
static gboolean
perform (RegiondResetter *self,
         RegiondHandle   *handle,
         const char      *method,
         GError         **error)
{
  gboolean done = regiond_narrowing_begin (self->narrowing, method, error) && set_off (self, handle, error);

  regiond_narrowing_end (self->narrowing);
  return done;
}

static void
warn_of_pm (RegiondResetter *self)
{
  if (!self->warned)
    g_warning ("Device %s can be reset by pm alone (a change of its power state and back), which may report success and "
               "leave in it what its last user had there", regiond_sysfs_get_name (self->sysfs));
  self->warned = TRUE;
}

static gboolean
try_one (RegiondResetter *self,
         RegiondHandle   *handle,
         const char      *method,
         const guint8    *before,
         GString         *failures)
{
  g_autoptr (GError) why = NULL;

  if (!perform (self, handle, method, &why))
    {
      g_string_append_printf (failures, "; %s: %s", method, why->message);
      return FALSE;
    }
  if (!verify (self, before, failures, method))
    return FALSE;

  if (g_str_equal (method, PM))
    warn_of_pm (self);
  return TRUE;
}

static gboolean
set_failure (RegiondResetter *self,
             const GString   *failures,
             GError         **error)
{
  const char *name = regiond_sysfs_get_name (self->sysfs);

  if (!regiond_sysfs_is_there (self->sysfs))
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "Cannot reset %s: the device is not there any more", name);
  else
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED,
                 "Cannot reset %s%s; try Reset again, or power the machine off and on", name, failures->str);
  return FALSE;
}

static gboolean
reset_hot (RegiondResetter *self,
           RegiondHandle   *handle,
           gboolean         mapped,
           const guint8    *before,
           GError         **error)
{
  const char *name = regiond_sysfs_get_name (self->sysfs);
  g_autofree char *group = regiond_sysfs_read_link (self->sysfs, "iommu_group");
  g_autoptr (GString) failures = g_string_new (NULL);
  int failure;

  if (handle != NULL)
    g_atomic_int_set (&self->hot, group != NULL &&
                                  regiond_hotreset_is_ours (handle, g_ascii_strtoull (group, NULL, 10)));
  if (!g_atomic_int_get (&self->hot))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, "The kernel knows no way to reset %s", name);
      return FALSE;
    }

  if (mapped)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY,
                   "Device %s can only be reset by its bus, which takes its mappings away, and something of it is mapped: "
                   "end those leases first", name);
      return FALSE;
    }

  failure = handle != NULL ? regiond_hotreset_perform (handle) : ENODEV;
  if (failure != 0)
    g_string_append_printf (failures, "; hot: %s", g_strerror (failure));
  if (failure != 0 || !verify (self, before, failures, hot_alone[0]))
    return set_failure (self, failures, error);
  return TRUE;
}

gboolean
regiond_resetter_reset (RegiondResetter *self,
                        RegiondHandle   *handle,
                        gboolean         mapped,
                        GError         **error)
{
  g_autoptr (GString) failures = g_string_new (NULL);
  g_auto (GStrv) methods = read_methods (self);
  guint8 before[PCI_STD_HEADER_SIZEOF];

  if (!read_header (self->sysfs, before))
    {
      g_string_append (failures, ": its config space cannot be read");
      return set_failure (self, failures, error);
    }
  if (methods[0] == NULL)
    return reset_hot (self, handle, mapped, before, error);

  for (gsize i = 0; methods[i] != NULL; i++)
    {
      if (try_one (self, handle, methods[i], before, failures))
        return TRUE;
    }

  return set_failure (self, failures, error);
}
