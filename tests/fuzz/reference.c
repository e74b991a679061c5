/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reference.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

static gsize
get_size (const ModelLease *lease)
{
  return model_region_sizes[lease->region];
}

/* At the start, where a part starts, in the middle, at the very end. */
static gsize
get_address (const ModelLease *lease,
             guint             cell)
{
  const gsize addresses[MODEL_CELLS] = { 0, REFERENCE_PART, PAGE / 2, get_size (lease) - sizeof (guint64) };

  return addresses[cell];
}

static void
expect_cell (const ModelLease *lease,
             guint             cell,
             guint64           seen,
             guint64           wanted)
{
  if (seen != wanted)
    g_error ("Lease %s on region %u of device %u, cell %u: %" G_GUINT64_FORMAT " is seen, and must be %" G_GUINT64_FORMAT,
             lease->path, lease->region, lease->device, cell, seen, wanted);
}

/* How an access through an fd must end; TRUE if it has taken place. */
static gboolean
expect_access (const ModelLease *lease,
               gssize            n)
{
  gboolean cut = lease->proxied && !lease->active;

  if (cut ? n != -1 || (errno != ENOTCONN && errno != EIO && errno != ECONNABORTED) : n != sizeof (guint64))
    g_error ("An access through lease %s, which has %s, gives %zd (%s)", lease->path,
             lease->active ? "not ended" : "ended", n, g_strerror (errno));
  return !cut;
}

static void
check_fd (const Reference *self)
{
  const ModelLease *lease = self->lease;
  guint64 value = 0;

  for (guint i = 0; i < MODEL_CELLS; i++)
    {
      gsize address = get_address (lease, i);

      if (!lease->reads || address < lease->offset)
        continue;
      if (expect_access (lease, pread (self->fd, &value, sizeof value, address - lease->offset)))
        expect_cell (lease, i, value, lease->object->cells[i]);
    }
}

static void
check_memory (const Reference *self,
              const guint8    *memory,
              gsize            size,
              const guint64   *cells)
{
  guint64 value;

  for (guint i = 0; i < MODEL_CELLS; i++)
    {
      gsize address = get_address (self->lease, i);

      if (address >= size)
        continue;
      memcpy (&value, memory + address, sizeof value);
      expect_cell (self->lease, i, value, cells[i]);
    }
}

void
reference_check (const Reference *self)
{
  if (self->kind == REFERENCE_FD)
    check_fd (self);
  else if (self->kind == REFERENCE_MAP)
    check_memory (self, self->memory, get_size (self->lease), self->lease->object->cells);
}

gboolean
reference_map (Reference       *self,
               const Reference *other)
{
  int protection = PROT_READ | (other->lease->writes ? PROT_WRITE : 0);

  if (other->lease->proxied)
    return FALSE;

  *self = *other;
  self->kind = REFERENCE_MAP;
  self->memory = mmap (NULL, get_size (self->lease), protection, MAP_SHARED, other->fd, 0);
  g_assert_true (self->memory != MAP_FAILED);
  return TRUE;
}

/* A page that nobody has touched is not put into a pipe: zeros are. */
static void
touch (int fd)
{
  volatile guint8 *memory = mmap (NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

  g_assert_true (memory != MAP_FAILED);
  g_assert_cmpint (memory[0], >=, 0);
  munmap ((gpointer) memory, PAGE);
}

gboolean
reference_pin (Reference       *self,
               const Reference *other)
{
  off_t start = 0;
  int ends[2];

  if (other->lease->proxied)
    return FALSE;

  touch (other->fd);
  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  g_assert_cmpint (splice (other->fd, &start, ends[1], NULL, PAGE, 0), ==, PAGE);
  *self = *other;
  self->kind = REFERENCE_PIN;
  self->fd = ends[0];
  self->end = ends[1];
  return TRUE;
}

void
reference_part (Reference *self)
{
  if (!self->parted)
    memcpy (self->cells, self->lease->object->cells, sizeof self->cells);
  self->parted = TRUE;
}

void
reference_write (Reference *self,
                 guint      cell,
                 guint64    value)
{
  const ModelLease *lease = self->lease;
  gsize address = get_address (lease, cell);

  if (self->kind == REFERENCE_PIN || !lease->writes || address < lease->offset)
    return;

  if (self->kind == REFERENCE_MAP)
    memcpy (self->memory + address, &value, sizeof value);
  else if (!expect_access (lease, pwrite (self->fd, &value, sizeof value, address - lease->offset)))
    return;
  lease->object->cells[cell] = value;
}

/* The page is still what it was part of, whoever has the region now. */
static void
check_pin (const Reference *self)
{
  guint8 page[PAGE];

  g_assert_cmpint (read (self->fd, page, sizeof page), ==, sizeof page);
  check_memory (self, page, sizeof page, self->parted ? self->cells : self->lease->object->cells);
}

void
reference_close (Reference *self)
{
  if (self->kind == REFERENCE_PIN)
    {
      check_pin (self);
      close (self->end);
    }
  if (self->kind == REFERENCE_MAP)
    munmap (self->memory, get_size (self->lease));
  else
    close (self->fd);
  self->kind = REFERENCE_NONE;
}
