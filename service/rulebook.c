/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rulebook.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRESH_US (3 * G_USEC_PER_SEC)

const char *const regiond_rulebook_folders[] = {
  "/etc/polkit-1/rules.d",
  "/run/polkit-1/rules.d",
  "/usr/local/share/polkit-1/rules.d",
  "/usr/share/polkit-1/rules.d",
  "/etc/polkit-1/actions",
  "/run/polkit-1/actions",
  "/usr/local/share/polkit-1/actions",
  "/usr/share/polkit-1/actions",
  NULL,
};

typedef struct {
  const char *path;
  dev_t       device; /* of the folder that is watched */
  ino_t       inode;
  int         id; /* -1: it is not there */
  gboolean    hidden; /* it is there, and cannot be watched */
} Folder;

struct _RegiondRulebook {
  RegiondWatch       *watch;
  GArray             *folders;
  RegiondRulebookFunc edited;
  gpointer            data;
  gint64              edited_at; /* monotonic µs; 0: never */
};

static void
on_edited (gpointer data)
{
  RegiondRulebook *self = data;

  self->edited_at = g_get_monotonic_time ();
  self->edited (self->data);
}

static void
forget (RegiondRulebook *self,
        Folder          *folder)
{
  if (folder->id >= 0)
    regiond_watch_remove (self->watch, folder->id);
  folder->id = -1;
}

static void
hide (Folder     *folder,
      const char *why)
{
  if (!folder->hidden)
    g_warning ("%s: %s; leases are reviewed whenever polkit announces anything", folder->path, why);
  folder->hidden = TRUE;
}

/* @fd: of the folder, or -1. */
static void
watch (RegiondRulebook *self,
       Folder          *folder,
       int              fd)
{
  g_autoptr (GError) error = NULL;

  if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
    hide (folder, g_strerror (errno));
  else if (fd >= 0 && (folder->id = regiond_watch_add_folder (self->watch, fd, on_edited, self, &error)) < 0)
    hide (folder, error->message);
  else
    folder->hidden = FALSE;
}

/* TRUE where it is not the folder that it was. */
static gboolean
look (RegiondRulebook *self,
      Folder          *folder)
{
  struct stat facts = { 0 };
  gboolean same = stat (folder->path, &facts) == 0 ? facts.st_ino == folder->inode && facts.st_dev == folder->device
                                                   : folder->inode == 0;
  int fd;

  if (same && !folder->hidden)
    return FALSE;

  forget (self, folder);
  folder->inode = facts.st_ino;
  folder->device = facts.st_dev;
  fd = open (folder->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  watch (self, folder, fd);
  if (fd >= 0)
    close (fd);
  return TRUE;
}

static gboolean
look_at_all (RegiondRulebook *self)
{
  gboolean changed = FALSE;

  for (guint i = 0; i < self->folders->len; i++)
    changed = look (self, &g_array_index (self->folders, Folder, i)) || changed;
  return changed;
}

RegiondRulebook *
regiond_rulebook_new (RegiondWatch       *watch,
                      const char *const  *folders,
                      RegiondRulebookFunc edited,
                      gpointer            data)
{
  RegiondRulebook *self = g_new0 (RegiondRulebook, 1);

  self->watch = regiond_watch_ref (watch);
  self->folders = g_array_new (FALSE, TRUE, sizeof (Folder));
  self->edited = edited;
  self->data = data;
  for (; *folders != NULL; folders++)
    {
      Folder folder = { .path = *folders, .id = -1 };

      g_array_append_val (self->folders, folder);
    }
  look_at_all (self);
  return self;
}

void
regiond_rulebook_free (RegiondRulebook *self)
{
  for (guint i = 0; i < self->folders->len; i++)
    forget (self, &g_array_index (self->folders, Folder, i));
  g_array_unref (self->folders);
  regiond_watch_unref (self->watch);
  g_free (self);
}

gboolean
regiond_rulebook_is_edited (RegiondRulebook *self)
{
  if (look_at_all (self))
    self->edited_at = g_get_monotonic_time ();

  for (guint i = 0; i < self->folders->len; i++)
    {
      if (g_array_index (self->folders, Folder, i).hidden)
        return TRUE;
    }

  return self->edited_at != 0 && g_get_monotonic_time () < self->edited_at + FRESH_US;
}
