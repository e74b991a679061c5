/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/sysfs.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* An attribute has a page at the most. */
#define ATTRIBUTE_MOST (64 * 1024)

struct _RegiondSysfs {
  char *folder;
  char *name;
  int   fd; /* the folder itself, or -1 */
};

RegiondSysfs *
regiond_sysfs_new (const char *folder)
{
  RegiondSysfs *self = g_atomic_rc_box_new0 (RegiondSysfs);

  self->folder = g_strdup (folder);
  self->name = g_path_get_basename (folder);
  self->fd = open (folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return self;
}

RegiondSysfs *
regiond_sysfs_ref (RegiondSysfs *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
clear (gpointer data)
{
  RegiondSysfs *self = data;

  if (self->fd >= 0)
    close (self->fd);
  g_free (self->name);
  g_free (self->folder);
}

void
regiond_sysfs_unref (RegiondSysfs *self)
{
  g_atomic_rc_box_release_full (self, clear);
}

const char *
regiond_sysfs_get_folder (RegiondSysfs *self)
{
  return self->folder;
}

const char *
regiond_sysfs_get_name (RegiondSysfs *self)
{
  return self->name;
}

/* An open folder of a device that has left stays what it was, and empty. */
gboolean
regiond_sysfs_is_there (RegiondSysfs *self)
{
  struct stat ours, now;

  return self->fd >= 0 && fstat (self->fd, &ours) == 0 && stat (self->folder, &now) == 0 &&
         ours.st_dev == now.st_dev && ours.st_ino == now.st_ino;
}

static void
set_error (RegiondSysfs *self,
           int           errsv,
           const char   *name,
           const char   *what,
           GError      **error)
{
  g_autofree char *said = g_strdup_printf ("Cannot %s %s of %s", what, name, self->name);

  if (!regiond_sysfs_is_there (self))
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "%s: the device is not there any more", said);
  else if (errsv == ENOENT)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND, "%s: it has none", said);
  else
    regiond_error_set_errno (error, errsv, said);
}

int
regiond_sysfs_open (RegiondSysfs *self,
                    const char   *name,
                    int           flags)
{
  if (self->fd < 0)
    {
      errno = ENOENT;
      return -1;
    }
  return openat (self->fd, name, flags | O_CLOEXEC);
}

/* All of a file that may not say how long it is. FALSE with errno. */
static gboolean
read_all (int      fd,
          GString *text)
{
  char part[4096];
  gssize n;

  while ((n = TEMP_FAILURE_RETRY (read (fd, part, sizeof part))) > 0 && text->len < ATTRIBUTE_MOST)
    g_string_append_len (text, part, n);
  return n >= 0;
}

char *
regiond_sysfs_read (RegiondSysfs *self,
                    const char   *name,
                    GError      **error)
{
  GString *text = g_string_new (NULL);
  int fd = regiond_sysfs_open (self, name, O_RDONLY);
  gboolean good = fd >= 0 && read_all (fd, text);
  int errsv = errno;

  if (fd >= 0)
    close (fd);
  if (!good)
    {
      g_string_free (text, TRUE);
      set_error (self, errsv, name, "read", error);
      return NULL;
    }

  return g_strstrip (g_string_free (text, FALSE));
}

gboolean
regiond_sysfs_read_number (RegiondSysfs *self,
                           const char   *name,
                           guint64      *number,
                           GError      **error)
{
  g_autofree char *text = regiond_sysfs_read (self, name, error);
  gboolean hex;

  if (text == NULL)
    return FALSE;

  hex = g_str_has_prefix (text, "0x");
  if (g_ascii_string_to_unsigned (text + (hex ? 2 : 0), hex ? 16 : 10, 0, G_MAXUINT64, number, NULL))
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED, "Cannot read %s of %s: it says no number", name,
               self->name);
  return FALSE;
}

gboolean
regiond_sysfs_write (RegiondSysfs *self,
                     const char   *name,
                     const char   *text,
                     GError      **error)
{
  int fd = regiond_sysfs_open (self, name, O_WRONLY);
  gssize n = fd >= 0 ? write (fd, text, strlen (text)) : -1;
  int errsv = n < 0 ? errno : EIO;

  if (fd >= 0)
    close (fd);
  if (n == (gssize) strlen (text))
    return TRUE;

  set_error (self, errsv, name, "write to", error);
  return FALSE;
}

gboolean
regiond_sysfs_stat (RegiondSysfs *self,
                    const char   *name,
                    struct stat  *status,
                    GError      **error)
{
  if (self->fd >= 0 && fstatat (self->fd, name, status, 0) == 0)
    return TRUE;

  set_error (self, errno, name, "look at", error);
  return FALSE;
}

char *
regiond_sysfs_read_link (RegiondSysfs *self,
                         const char   *name)
{
  char target[PATH_MAX];
  gssize n = self->fd >= 0 ? readlinkat (self->fd, name, target, sizeof target - 1) : -1;

  if (n <= 0)
    return NULL;

  target[n] = '\0';
  return g_path_get_basename (target);
}
