/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/zero.h"

#include "backends/vfio/fault.h"
#include "error.h"

#include <errno.h>
#include <sys/mman.h>

typedef struct {
  volatile guint64 *start;
  gsize             count;
} Span;

/* Not memset(3): that may use what works on memory alone. */
static void
fill (gpointer data)
{
  const Span *span = data;

  for (gsize i = 0; i < span->count; i++)
    span->start[i] = 0;
}

gboolean
regiond_zero_region (RegiondHandle *handle,
                     guint          index,
                     GError       **error)
{
  const struct vfio_region_info *region = regiond_handle_get_region (handle, index, error);
  Span span;
  gboolean done;

  if (region == NULL)
    return FALSE;

  span.count = region->size / sizeof (guint64);
  span.start = mmap (NULL, region->size, PROT_READ | PROT_WRITE, MAP_SHARED, regiond_handle_get_fd (handle),
                     region->offset);
  if (span.start == MAP_FAILED)
    {
      regiond_error_set_errno (error, errno, "Cannot map the region that is to be zeroed (ZeroRegions=)");
      return FALSE;
    }

  done = regiond_fault_catch (fill, &span);
  munmap ((gpointer) span.start, region->size);
  if (!done)
    g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_FAILED,
                         "The region that is to be zeroed (ZeroRegions=) does not answer");
  return done;
}
