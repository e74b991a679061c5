/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pci.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "/sys/bus/pci/devices"

Pci *
pci_new (const char *address)
{
  Pci *self = g_new0 (Pci, 1);

  self->address = g_strdup (address);
  self->folder = g_build_filename (FOLDER, address, NULL);
  return self;
}

void
pci_free (Pci *self)
{
  g_free (self->address);
  g_free (self->folder);
  g_free (self);
}

Pci *
pci_find (const char *id)
{
  g_autofree char *address = guest_find (id);

  return pci_new (address);
}

char *
pci_read (Pci *self,
          const char *name)
{
  g_autofree char *path = g_build_filename (self->folder, name, NULL);
  char *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  return g_strchomp (text);
}

static int
write_file (const char *path,
            const char *text)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC), error = 0;

  if (fd < 0)
    return errno;
  if (write (fd, text, strlen (text)) < 0)
    error = errno;
  close (fd);
  return error;
}

void
pci_rescan (void)
{
  g_assert_cmpint (write_file ("/sys/bus/pci/rescan", "1"), ==, 0);
}

int
pci_write (Pci *self,
           const char *name,
           const char *text)
{
  g_autofree char *path = g_build_filename (self->folder, name, NULL);

  return write_file (path, text);
}

int
pci_open (Pci *self,
          const char *name,
          int flags)
{
  g_autofree char *path = g_build_filename (self->folder, name, NULL);

  return open (path, flags | O_CLOEXEC);
}

static void
read_bar (Pci *self,
          guint index,
          guint64 *start,
          guint64 *end)
{
  g_autofree char *text = pci_read (self, "resource");
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  char *rest;

  g_assert_cmpuint (index, <, g_strv_length (lines));
  *start = g_ascii_strtoull (lines[index], &rest, 16);
  *end = g_ascii_strtoull (rest, NULL, 16);
}

guint64
pci_get_bar_start (Pci *self,
                   guint index)
{
  guint64 start, end;

  read_bar (self, index, &start, &end);
  return start;
}

gsize
pci_get_bar_size (Pci *self,
                  guint index)
{
  guint64 start, end;

  read_bar (self, index, &start, &end);
  return end > start ? end - start + 1 : 0;
}

int
pci_read_config (Pci *self,
                 guint offset,
                 guint width,
                 guint32 *value)
{
  int fd = pci_open (self, "config", O_RDONLY), error = 0;

  g_assert_cmpint (fd, >=, 0);
  *value = 0;
  if (pread (fd, value, width, offset) != (gssize) width)
    error = errno;
  close (fd);
  return error;
}

int
pci_write_config (Pci *self,
                  guint offset,
                  guint width,
                  guint32 value)
{
  int fd = pci_open (self, "config", O_RDWR), error = 0;

  if (fd < 0)
    return errno;
  if (pwrite (fd, &value, width, offset) != (gssize) width)
    error = errno;
  close (fd);
  return error;
}

void
pci_set_command (Pci *self,
                 guint16 mask,
                 guint16 value)
{
  guint32 command;

  g_assert_cmpint (pci_read_config (self, PCI_COMMAND, 2, &command), ==, 0);
  g_assert_cmpint (pci_write_config (self, PCI_COMMAND, 2, (command & ~mask) | value), ==, 0);
}
