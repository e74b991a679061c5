/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/cleaner.h"

#include "backends/vfio/resetter.h"
#include "backends/vfio/zero.h"
#include "error.h"
#include "region.h"

struct _RegiondCleaner {
  RegiondConfig   *config;
  RegiondResetter *resetter;
  GStrv            zero_regions;
};

RegiondCleaner *
regiond_cleaner_new (RegiondSysfs      *sysfs,
                     const char        *folder,
                     RegiondConfig     *config,
                     const char *const *zero_regions)
{
  RegiondCleaner *self = g_new0 (RegiondCleaner, 1);

  self->config = config;
  self->resetter = regiond_resetter_new (sysfs, folder);
  self->zero_regions = g_strdupv ((GStrv) zero_regions);
  return self;
}

void
regiond_cleaner_free (RegiondCleaner *self)
{
  regiond_resetter_free (self->resetter);
  g_strfreev (self->zero_regions);
  g_free (self);
}

const char *const *
regiond_cleaner_get_methods (RegiondCleaner *self)
{
  return regiond_resetter_get_methods (self->resetter);
}

gboolean
regiond_cleaner_reset (RegiondCleaner *self,
                       RegiondGrip    *grip,
                       gboolean        mapped,
                       GError        **error)
{
  g_autoptr (GError) why = NULL;

  if (!mapped && regiond_resetter_needs_handle (self->resetter) && !regiond_grip_enter (grip, error))
    return FALSE;
  if (regiond_resetter_reset (self->resetter, regiond_grip_get_handle (grip), mapped, &why))
    return TRUE;
  if (g_error_matches (why, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED) &&
      regiond_resetter_get_methods (self->resetter)[0] == NULL)
    return TRUE;

  g_propagate_error (error, g_steal_pointer (&why));
  return FALSE;
}

static gboolean
zero (RegiondCleaner *self,
      RegiondGrip    *grip,
      GPtrArray      *regions,
      GError        **error)
{
  for (guint i = 0; i < regions->len; i++)
    {
      RegiondRegion *region = g_ptr_array_index (regions, i);

      if (g_strv_contains ((const char *const *) self->zero_regions, region->name) &&
          !regiond_zero_region (regiond_grip_get_handle (grip), region->index, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
regiond_cleaner_make_fresh (RegiondCleaner *self,
                            RegiondGrip    *grip,
                            GPtrArray      *regions,
                            GError        **error)
{
  return regiond_config_restore (self->config, error) && regiond_cleaner_reset (self, grip, FALSE, error) &&
         regiond_grip_isolate (grip, error) && zero (self, grip, regions, error);
}

gboolean
regiond_cleaner_must_recover (RegiondCleaner *self)
{
  return regiond_resetter_is_narrow (self->resetter);
}

void
regiond_cleaner_recover (RegiondCleaner *self)
{
  regiond_resetter_widen (self->resetter);
}
