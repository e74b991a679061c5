/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/bars.h"

#include "backends/vfio/kernel.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BARS (VFIO_PCI_BAR5_REGION_INDEX + 1)

G_STATIC_ASSERT (BARS * REGIOND_BAR_FILES_MOST == REGIOND_BARS_FILES_MOST);

struct _RegiondBars {
  RegiondSysfs       *sysfs;
  RegiondWatch       *watch;
  GWeakRef            owner;
  RegiondBarClaimFunc claim;
  GMutex              lock; /* guards bars: others count */
  RegiondBar         *bars[BARS];
  gboolean            claimed[BARS]; /* by the handle that is open */
};

RegiondBars *
regiond_bars_new (RegiondSysfs       *sysfs,
                  RegiondWatch       *watch,
                  GObject            *owner,
                  RegiondBarClaimFunc claim)
{
  RegiondBars *self = g_new0 (RegiondBars, 1);

  self->sysfs = regiond_sysfs_ref (sysfs);
  self->watch = regiond_watch_ref (watch);
  g_weak_ref_init (&self->owner, owner);
  self->claim = claim;
  g_mutex_init (&self->lock);
  return self;
}

void
regiond_bars_free (RegiondBars *self)
{
  regiond_bars_close (self);
  g_weak_ref_clear (&self->owner);
  regiond_watch_unref (self->watch);
  regiond_sysfs_unref (self->sysfs);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* A BAR starts on a multiple of its size. */
gboolean
regiond_bars_fits (const RegiondRegion *region)
{
  return g_str_equal (region->kind, "mmio") && region->index < BARS && region->size % sysconf (_SC_PAGESIZE) == 0;
}

static RegiondBar *
open_bar (RegiondBars         *self,
          const RegiondRegion *region,
          GError             **error)
{
  g_autoptr (GObject) owner = g_weak_ref_get (&self->owner);
  g_autofree char *name = g_strdup_printf ("resource%u", region->index);
  g_autofree char *combined = g_strdup_printf ("resource%u_wc", region->index);
  g_autofree char *what = g_strdup_printf ("Cannot open %s/%s", regiond_sysfs_get_folder (self->sysfs), name);
  RegiondBarSetup setup = { .watch = self->watch, .owner = owner, .claim = self->claim, .combined = -1 };

  setup.fd = regiond_sysfs_open (self->sysfs, name, O_RDWR);
  if (setup.fd < 0)
    {
      regiond_error_set_errno (error, errno, what);
      return NULL;
    }

  /* There is none where it is not prefetchable. */
  if (region->prefetchable)
    setup.combined = regiond_sysfs_open (self->sysfs, combined, O_RDWR);
  return regiond_bar_new (&setup);
}

gboolean
regiond_bars_open (RegiondBars *self,
                   GPtrArray   *regions,
                   GError     **error)
{
  for (guint i = 0; i < regions->len; i++)
    {
      const RegiondRegion *region = g_ptr_array_index (regions, i);
      RegiondBar *bar;

      if (!regiond_bars_fits (region) || regiond_bars_get (self, region->index) != NULL)
        continue;
      if ((bar = open_bar (self, region, error)) == NULL)
        return FALSE;

      g_mutex_lock (&self->lock);
      self->bars[region->index] = bar;
      g_mutex_unlock (&self->lock);
    }

  return TRUE;
}

RegiondBar *
regiond_bars_get (RegiondBars *self,
                  guint        index)
{
  return index < BARS ? self->bars[index] : NULL;
}

/* What makes vfio-pci claim a BAR and does not touch the device. Where this cannot
 * be done, no claim will be seen. */
static gboolean
touch (RegiondHandle *handle,
       guint          index)
{
  const struct vfio_region_info *region = regiond_handle_get_region (handle, index, NULL);
  gsize page = sysconf (_SC_PAGESIZE);
  gpointer start;

  if (region == NULL || !(region->flags & VFIO_REGION_INFO_FLAG_MMAP))
    return FALSE;

  start = mmap (NULL, page, PROT_READ, MAP_SHARED, regiond_handle_get_fd (handle), region->offset);
  if (start == MAP_FAILED)
    return FALSE;

  munmap (start, page);
  return TRUE;
}

/* What a handle that has been closed meanwhile had claimed is claimed again. */
static gboolean
is_wanted (RegiondBars *self,
           guint        index,
           RegiondBar  *bar)
{
  return bar == NULL || self->bars[index] == bar || regiond_bar_is_claimed (self->bars[index]);
}

static gboolean
set_unclaimed (RegiondSysfs *sysfs,
               guint         index,
               GError      **error)
{
  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED,
               "BAR %u of %s could not be claimed, so its mappings are not cut", index,
               regiond_sysfs_get_name (sysfs));
  return FALSE;
}

gboolean
regiond_bars_claim (RegiondBars   *self,
                    RegiondHandle *handle,
                    RegiondBar    *bar,
                    GError       **error)
{
  gboolean touched[BARS] = { FALSE };

  for (guint i = 0; i < BARS; i++)
    touched[i] = self->bars[i] != NULL && is_wanted (self, i, bar) && touch (handle, i);

  /* On newer kernels the others are claimed as well. */
  for (guint i = 0; i < BARS; i++)
    {
      RegiondKernel shown = REGIOND_KERNEL_UNKNOWN;
      int files[REGIOND_BAR_FILES_MOST];

      if (self->bars[i] != NULL && regiond_bar_list_files (self->bars[i], files) > 0)
        shown = regiond_kernel_try (files[0], touched[i]);
      regiond_kernel_learn (shown);
      self->claimed[i] = shown == REGIOND_KERNEL_STRICT;
    }

  for (guint i = 0; i < BARS; i++)
    {
      if (bar != NULL && self->bars[i] == bar && !self->claimed[i])
        return set_unclaimed (self->sysfs, i, error);
    }
  return TRUE;
}

guint
regiond_bars_list_claimed (RegiondBars *self,
                           int         *files)
{
  guint count = 0;

  for (guint i = 0; i < BARS; i++)
    {
      if (self->claimed[i])
        count += regiond_bar_list_files (self->bars[i], files + count);
    }
  return count;
}

void
regiond_bars_set_cut (RegiondBars *self,
                      gboolean     all,
                      RegiondBar  *but)
{
  for (guint i = 0; i < BARS; i++)
    {
      if (self->bars[i] != NULL && self->bars[i] != but && (all || self->claimed[i]))
        regiond_bar_set_claimed (self->bars[i]);
    }
}

void
regiond_bars_set_free (RegiondBars *self)
{
  for (guint i = 0; i < BARS; i++)
    {
      self->claimed[i] = FALSE;
      if (self->bars[i] != NULL)
        regiond_bar_set_free (self->bars[i]);
    }
}

guint
regiond_bars_count_references (RegiondBars *self,
                               gboolean     cut_only)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  guint count = 0;

  for (guint i = 0; i < BARS; i++)
    {
      if (self->bars[i] != NULL && (!cut_only || regiond_bar_is_claimed (self->bars[i])))
        count += regiond_bar_count_references (self->bars[i]);
    }
  return count;
}

void
regiond_bars_close (RegiondBars *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  for (guint i = 0; i < BARS; i++)
    {
      if (self->bars[i] != NULL)
        regiond_bar_close (self->bars[i]);
      self->claimed[i] = FALSE;
      g_clear_object (&self->bars[i]);
    }
}
