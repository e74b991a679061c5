/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/narrowing.h"

#include "error.h"

#include <errno.h>
#include <glib/gstdio.h>

#define FOLDER "reset-methods"
#define FILE_NAME "reset_method"

struct _RegiondNarrowing {
  RegiondSysfs *sysfs;
  char         *folder;
  char         *record;
};

RegiondNarrowing *
regiond_narrowing_new (RegiondSysfs *sysfs,
                       const char   *folder)
{
  RegiondNarrowing *self = g_new0 (RegiondNarrowing, 1);

  self->sysfs = regiond_sysfs_ref (sysfs);
  self->folder = g_build_filename (folder, FOLDER, NULL);
  self->record = g_build_filename (self->folder, regiond_sysfs_get_name (sysfs), NULL);
  return self;
}

void
regiond_narrowing_free (RegiondNarrowing *self)
{
  g_free (self->record);
  g_free (self->folder);
  regiond_sysfs_unref (self->sysfs);
  g_free (self);
}

/* NULL: it is not narrow. */
static char *
read_record (RegiondNarrowing *self)
{
  char *former = NULL;

  g_file_get_contents (self->record, &former, NULL, NULL);
  return former;
}

char *
regiond_narrowing_read (RegiondNarrowing *self)
{
  char *former = read_record (self);

  return former != NULL ? former : regiond_sysfs_read (self->sysfs, FILE_NAME, NULL);
}

gboolean
regiond_narrowing_is_left (RegiondNarrowing *self)
{
  return g_file_test (self->record, G_FILE_TEST_EXISTS);
}

/* Before anything is narrowed. */
static gboolean
note (RegiondNarrowing *self,
      const char       *former,
      GError          **error)
{
  g_autoptr (GError) reason = NULL;

  if (g_mkdir_with_parents (self->folder, 0700) == 0 &&
      g_file_set_contents_full (self->record, former, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &reason))
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, "it cannot be noted in %s which methods there were: %s",
               self->record, reason != NULL ? reason->message : g_strerror (errno));
  return FALSE;
}

gboolean
regiond_narrowing_begin (RegiondNarrowing *self,
                         const char       *method,
                         GError          **error)
{
  g_autofree char *former = regiond_narrowing_read (self);
  g_autofree char *now = regiond_sysfs_read (self->sysfs, FILE_NAME, NULL);

  if (g_strcmp0 (method, now) == 0)
    return TRUE;
  return note (self, former != NULL ? former : "", error) && regiond_sysfs_write (self->sysfs, FILE_NAME, method, error);
}

/* Another device may be there by now, which has others. */
static gboolean
write_former (RegiondNarrowing *self,
              const char       *former,
              GError          **error)
{
  return regiond_sysfs_write (self->sysfs, FILE_NAME, former, NULL) ||
         regiond_sysfs_write (self->sysfs, FILE_NAME, "default", error);
}

void
regiond_narrowing_end (RegiondNarrowing *self)
{
  g_autofree char *former = read_record (self);
  g_autoptr (GError) why = NULL;

  if (former == NULL)
    return;

  if (!write_former (self, former, &why) && regiond_sysfs_is_there (self->sysfs))
    {
      g_warning ("The reset methods of %s stay cut down; they were '%s': %s", regiond_sysfs_get_name (self->sysfs), former,
                 why->message);
      return;
    }
  g_unlink (self->record);
}
