/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/snapshot.h"

#include "backends/vfio/rom.h"
#include "error.h"

struct _RegiondSnapshot {
  char          *device;
  RegiondWatch  *watch;
  RegiondBudget *budget;
  GMutex         lock; /* guards memfd */
  RegiondMemfd  *memfd;
};

RegiondSnapshot *
regiond_snapshot_new (const char    *device,
                      RegiondWatch  *watch,
                      RegiondBudget *budget)
{
  RegiondSnapshot *self = g_new0 (RegiondSnapshot, 1);

  self->device = g_strdup (device);
  self->watch = regiond_watch_ref (watch);
  self->budget = regiond_budget_ref (budget);
  g_mutex_init (&self->lock);
  return self;
}

void
regiond_snapshot_free (RegiondSnapshot *self)
{
  g_clear_object (&self->memfd);
  regiond_budget_unref (self->budget);
  regiond_watch_unref (self->watch);
  g_mutex_clear (&self->lock);
  g_free (self->device);
  g_free (self);
}

static void
set (RegiondSnapshot *self,
     RegiondMemfd    *memfd)
{
  g_autoptr (RegiondMemfd) old = NULL; /* freed after the lock */
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  old = g_steal_pointer (&self->memfd);
  self->memfd = memfd;
}

static RegiondMemfd *
get (RegiondSnapshot *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->memfd != NULL ? g_object_ref (self->memfd) : NULL;
}

gboolean
regiond_snapshot_read (RegiondSnapshot *self,
                       RegiondHandle   *handle,
                       GCancellable    *cancellable,
                       GError         **error)
{
  g_autofree char *name = g_strdup_printf ("regiond:%s:rom", self->device);
  g_autoptr (GError) why = NULL;
  RegiondMemfd *memfd = regiond_rom_read (handle, self->watch, self->budget, name, cancellable, &why);

  set (self, memfd);
  if (memfd != NULL)
    return TRUE;
  if (g_error_matches (why, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&why));
      return FALSE;
    }

  g_message ("device %s is lent without its ROM: %s", self->device, why->message);
  return TRUE;
}

RegiondMemfd *
regiond_snapshot_get (RegiondSnapshot *self,
                      GError         **error)
{
  g_autoptr (RegiondMemfd) memfd = get (self);
  RegiondMemfd *copy;

  if (memfd == NULL)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED,
                 "The ROM of %s could not be read when the device was opened; the journal says why", self->device);
  if (memfd == NULL || !regiond_memfd_is_retired (memfd))
    return g_steal_pointer (&memfd);

  if ((copy = regiond_memfd_copy (memfd, error)) != NULL)
    set (self, g_object_ref (copy));
  return copy;
}

void
regiond_snapshot_retire (RegiondSnapshot *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (self->memfd != NULL)
    regiond_memfd_retire (self->memfd);
}

void
regiond_snapshot_drop (RegiondSnapshot *self)
{
  set (self, NULL);
}
