/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bound.h"

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

#define PAGE 4096u

Bound
bound_set_up (const char *id)
{
  Bound self = { .address = guest_find (id) };
  g_autofree char *folder = g_build_filename ("/sys/bus/pci/devices", self.address, NULL);
  g_autoptr (GError) error = NULL;

  guest_bind (self.address);
  guest_set_attribute (self.address, "power/control", "on");
  self.sysfs = regiond_sysfs_new (folder);
  self.container = regiond_container_acquire (guest_group (self.address), FALSE, &error);
  g_assert_no_error (error);
  return self;
}

void
bound_clear (Bound *self)
{
  if (self->address == NULL)
    return;

  bound_close (self);
  g_clear_pointer (&self->container, regiond_container_unref);
  regiond_sysfs_unref (self->sysfs);
  guest_set_attribute (self->address, "power/control", "auto");
  guest_give_back (self->address);
  g_free (self->address);
}

RegiondHandle *
bound_open (Bound *self)
{
  g_autoptr (GError) error = NULL;

  if (self->handle == NULL)
    self->handle = regiond_handle_open (self->container, self->address, &error);
  g_assert_no_error (error);
  return self->handle;
}

void
bound_close (Bound *self)
{
  g_clear_pointer (&self->handle, regiond_handle_close);
}

static int
open_file (Bound *self,
           const char *name)
{
  int fd = regiond_sysfs_open (self->sysfs, name, O_RDWR);

  if (fd < 0)
    g_error ("%s of %s: %m", name, self->address);
  return fd;
}

GBytes *
bound_read_config (Bound *self)
{
  guint8 bytes[4096];
  int fd = open_file (self, "config");
  gssize n = pread (fd, bytes, sizeof bytes, 0);

  close (fd);
  g_assert_cmpint (n, >=, 256);
  return g_bytes_new (bytes, n);
}

guint
bound_get16 (Bound *self,
             guint offset)
{
  guint8 bytes[2];
  int fd = open_file (self, "config");

  g_assert_cmpint (pread (fd, bytes, 2, offset), ==, 2);
  close (fd);
  return bytes[0] | bytes[1] << 8;
}

void
bound_set16 (Bound *self,
             guint offset,
             guint value)
{
  const guint8 bytes[] = { value & 0xff, value >> 8 };
  int fd = open_file (self, "config");

  g_assert_cmpint (pwrite (fd, bytes, 2, offset), ==, 2);
  close (fd);
}

/* The page that has it; unmapped by the caller. */
static volatile guint32 *
map (Bound *self,
     guint bar,
     guint offset)
{
  g_autofree char *name = g_strdup_printf ("resource%u", bar);
  int fd = open_file (self, name);
  guint8 *page = mmap (NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset / PAGE * PAGE);

  close (fd);
  if (page == MAP_FAILED)
    g_error ("%s of %s cannot be mapped: %m", name, self->address);
  return (volatile guint32 *) (page + offset % PAGE);
}

static void
unmap (volatile guint32 *place)
{
  munmap ((void *) ((guintptr) place & ~(guintptr) (PAGE - 1)), PAGE);
}

guint32
bound_peek (Bound *self,
            guint bar,
            guint offset)
{
  volatile guint32 *place = map (self, bar, offset);
  guint32 value = *place;

  unmap (place);
  return value;
}

void
bound_poke (Bound *self,
            guint bar,
            guint offset,
            guint32 value)
{
  volatile guint32 *place = map (self, bar, offset);

  *place = value;
  unmap (place);
}
