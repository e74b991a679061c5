/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sysfs-tree.h"

#include <glib/gstdio.h>
#include <unistd.h>

SysfsTree
sysfs_tree_set_up (void)
{
  SysfsTree self;

  self.top = g_dir_make_tmp ("regiond-sysfs-XXXXXX", NULL);
  self.folder = g_build_filename (self.top, "0000:00:10.0", NULL);
  sysfs_tree_plug (&self);
  self.sysfs = regiond_sysfs_new (self.folder);
  return self;
}

void
sysfs_tree_plug (SysfsTree *self)
{
  g_assert_cmpint (g_mkdir (self->folder, 0755), ==, 0);
}

void
sysfs_tree_wipe (const char *path)
{
  g_autoptr (GDir) dir = g_file_test (path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);

      sysfs_tree_wipe (child);
    }
  g_remove (path);
}

/* Whoever has the folder open keeps its inode from the next one. */
void
sysfs_tree_unplug (SysfsTree *self)
{
  sysfs_tree_wipe (self->folder);
}

void
sysfs_tree_clear (SysfsTree *self)
{
  regiond_sysfs_unref (self->sysfs);
  sysfs_tree_wipe (self->top);
  g_free (self->folder);
  g_free (self->top);
}

void
sysfs_tree_put (SysfsTree    *self,
                const char    *name,
                gconstpointer bytes,
                gssize        size)
{
  g_autofree char *path = g_build_filename (self->folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;

  g_mkdir_with_parents (parent, 0755);
  g_file_set_contents (path, bytes, size, &error);
  g_assert_no_error (error);
}

void
sysfs_tree_link (SysfsTree  *self,
                 const char *name,
                 const char *target)
{
  g_autofree char *path = g_build_filename (self->folder, name, NULL);

  g_assert_cmpint (symlink (target, path), ==, 0);
}

char *
sysfs_tree_get (SysfsTree  *self,
                const char *name)
{
  g_autofree char *path = g_build_filename (self->folder, name, NULL);
  char *text = NULL;

  g_file_get_contents (path, &text, NULL, NULL);
  return text;
}
