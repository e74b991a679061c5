/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hang.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

void
hang_start (Hang *self,
            const char *address,
            const char *name)
{
  self->fifo = g_strdup ("/run/hang");
  self->file = g_strdup_printf ("/sys/bus/pci/devices/%s/%s", address, name);
  g_assert_no_errno (mkfifo (self->fifo, 0600));
  g_assert_no_errno (mount (self->fifo, self->file, NULL, MS_BIND, NULL));
}

static void
uncover (Hang *self)
{
  g_assert_no_errno (umount2 (self->file, MNT_DETACH));
}

static void
forget (Hang *self)
{
  unlink (self->fifo);
  g_free (self->fifo);
  g_free (self->file);
}

void
hang_stop (Hang *self)
{
  uncover (self);
  forget (self);
}

void
hang_end (Hang *self,
          const char *text)
{
  char written[16];
  int fd;

  uncover (self);
  fd = open (self->fifo, (text ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  if (text)
    g_assert_cmpint (write (fd, text, strlen (text)), ==, strlen (text));
  else
    g_assert_cmpint (read (fd, written, sizeof written), >, 0);
  close (fd);
  forget (self);
}
