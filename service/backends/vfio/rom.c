/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/rom.h"

#include "error.h"

#include <errno.h>
#include <unistd.h>

/* Each read costs the kernel up to 0.7 ms besides what it reads. */
#define STEP (64 * 1024)

static gboolean
set_failure (GError **error,
             int      failure)
{
  /* VFIO's way to say so; there is enough memory. */
  if (failure == ENOMEM)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED,
                 "Cannot read the expansion ROM: the device decodes no memory; reset it");
  else
    regiond_error_set_errno (error, failure, "Cannot read the expansion ROM");
  return FALSE;
}

static gboolean
copy (RegiondHandle *handle,
      guint64        size,
      RegiondMemfd  *memfd,
      GCancellable  *cancellable,
      GError       **error)
{
  g_autofree guint8 *bytes = g_malloc (STEP);

  for (guint64 at = 0; at < size; at += STEP)
    {
      gsize width = MIN (STEP, size - at);
      int failure;

      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;

      failure = regiond_handle_read (handle, VFIO_PCI_ROM_REGION_INDEX, at, width, bytes);
      if (failure == 0)
        failure = regiond_source_write (REGIOND_SOURCE (memfd), at, width, bytes);
      if (failure != 0)
        return set_failure (error, failure);
    }

  return TRUE;
}

RegiondMemfd *
regiond_rom_read (RegiondHandle *handle,
                  RegiondWatch  *watch,
                  RegiondBudget *budget,
                  const char    *name,
                  GCancellable  *cancellable,
                  GError       **error)
{
  const struct vfio_region_info *info = regiond_handle_get_region (handle, VFIO_PCI_ROM_REGION_INDEX, error);
  g_autoptr (RegiondMemfd) memfd = NULL;
  guint64 page = sysconf (_SC_PAGESIZE);

  if (info == NULL)
    return NULL;
  if (info->size == 0)
    {
      g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "The device has no expansion ROM to read");
      return NULL;
    }

  memfd = regiond_memfd_new (watch, budget, name, (info->size + page - 1) / page * page, cancellable, error);
  if (memfd == NULL || !copy (handle, info->size, memfd, cancellable, error))
    return NULL;
  return g_steal_pointer (&memfd);
}
