/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/gate.h"

#include "backends/vfio/command.h"
#include "backends/vfio/fault.h"
#include "backends/vfio/layout.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BARS (VFIO_PCI_BAR5_REGION_INDEX + 1)

typedef enum { NOWHERE, MAPPINGS, HANDLE } Way;

/* A BAR's sysfs file, once somebody has come this way. */
typedef struct {
  int     fd;    /* -1: not open */
  guint8 *bytes; /* NULL: not mapped, as I/O ports never are */
  gsize   size;
  gsize   start; /* of the BAR in its first page, with which the mapping begins */
} Opening;

struct _RegiondGate {
  RegiondSysfs  *sysfs;
  int            config;
  GMutex         turnstile; /* so that who changes the way is not kept waiting by those who go on coming */
  GRWLock        lock;      /* guards the way: read for an access */
  Way            way;
  RegiondHandle *handle;
  GMutex         making; /* guards the making of openings by readers */
  Opening        openings[BARS];
};

RegiondGate *
regiond_gate_new (RegiondSysfs *sysfs)
{
  RegiondGate *self = g_atomic_rc_box_new0 (RegiondGate);

  self->sysfs = regiond_sysfs_ref (sysfs);
  self->config = -1;
  for (guint i = 0; i < BARS; i++)
    self->openings[i].fd = -1;
  g_mutex_init (&self->turnstile);
  g_rw_lock_init (&self->lock);
  g_mutex_init (&self->making);
  return self;
}

RegiondGate *
regiond_gate_ref (RegiondGate *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
close_opening (Opening *opening)
{
  if (opening->bytes != NULL)
    munmap (opening->bytes, opening->size);
  if (opening->fd >= 0)
    close (opening->fd);
  *opening = (Opening){ .fd = -1 };
}

/* With the lock held for writing, or by nobody. */
static void
leave (RegiondGate *self)
{
  for (guint i = 0; i < BARS; i++)
    close_opening (&self->openings[i]);
  if (self->config >= 0)
    close (self->config);
  self->config = -1;
  g_clear_pointer (&self->handle, regiond_handle_close);
  self->way = NOWHERE;
}

static void
clear (RegiondGate *self)
{
  leave (self);
  regiond_sysfs_unref (self->sysfs);
  g_mutex_clear (&self->turnstile);
  g_rw_lock_clear (&self->lock);
  g_mutex_clear (&self->making);
}

void
regiond_gate_unref (RegiondGate *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

void
regiond_gate_stop (RegiondGate *self)
{
  g_mutex_lock (&self->turnstile);
  g_rw_lock_writer_lock (&self->lock);
  g_mutex_unlock (&self->turnstile);
}

void
regiond_gate_go (RegiondGate *self)
{
  g_rw_lock_writer_unlock (&self->lock);
}

static void
begin_access (RegiondGate *self)
{
  g_mutex_lock (&self->turnstile);
  g_rw_lock_reader_lock (&self->lock);
  g_mutex_unlock (&self->turnstile);
}

static void
end_access (RegiondGate *self)
{
  g_rw_lock_reader_unlock (&self->lock);
}

gboolean
regiond_gate_lead_through_handle (RegiondGate      *self,
                                  RegiondContainer *container,
                                  const char       *address,
                                  GError          **error)
{
  leave (self);
  self->handle = regiond_handle_open (container, address, error);
  if (self->handle != NULL)
    self->way = HANDLE;
  return self->handle != NULL;
}

void
regiond_gate_lead_through_mappings (RegiondGate *self)
{
  leave (self);
  self->way = MAPPINGS;
}

void
regiond_gate_shut (RegiondGate *self)
{
  leave (self);
}

RegiondHandle *
regiond_gate_get_handle (RegiondGate *self)
{
  return self->handle;
}

gboolean
regiond_gate_set_decoding (RegiondGate *self,
                           gboolean     on,
                           GError     **error)
{
  g_autofree char *what = NULL;
  int errsv;

  if (regiond_command_switch (self->sysfs, on ? PCI_COMMAND_MEMORY : 0, on ? 0 : PCI_COMMAND_MEMORY))
    return TRUE;

  errsv = errno;
  what = g_strdup_printf ("Cannot switch the memory decoding of %s %s", regiond_sysfs_get_name (self->sysfs),
                          on ? "on" : "off");
  regiond_error_set_errno (error, errsv, what);
  return FALSE;
}

/* Accesses. */

typedef struct {
  gboolean      is_write;
  guint64       offset;
  gsize         width;
  gpointer      buffer; /* what is read goes there */
  gconstpointer bytes;  /* what is written */
} Access;

static gboolean
is_io (const RegiondRegion *region)
{
  return g_str_equal (region->kind, "io");
}

/* A BAR that is smaller than a page may begin within one, and sysfs maps whole ones:
 * what comes before it may be a neighbour's. */
static int
map_bar (RegiondGate         *self,
         const RegiondRegion *region,
         Opening             *opening)
{
  guint64 start;
  gpointer bytes;

  if (!regiond_layout_read_start (self->sysfs, region->index, &start, NULL))
    return EIO;

  start %= sysconf (_SC_PAGESIZE);
  bytes = mmap (NULL, start + region->size, PROT_READ | PROT_WRITE, MAP_SHARED, opening->fd, 0);
  /* Another driver has claimed it, or the kernel is locked down. */
  if (bytes == MAP_FAILED)
    return errno == EINVAL || errno == EPERM ? EIO : errno;

  opening->bytes = bytes;
  opening->size = start + region->size;
  opening->start = start;
  return 0;
}

static int
open_bar (RegiondGate         *self,
          const RegiondRegion *region,
          Opening             *opening)
{
  g_autofree char *name = g_strdup_printf ("resource%u", region->index);
  int errsv;

  opening->fd = regiond_sysfs_open (self->sysfs, name, O_RDWR);
  if (opening->fd < 0)
    return errno;
  if (is_io (region))
    return 0;

  errsv = map_bar (self, region, opening);
  if (errsv != 0)
    close_opening (opening);
  return errsv;
}

static int
find_opening (RegiondGate         *self,
              const RegiondRegion *region,
              Opening            **opening)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->making);

  *opening = &self->openings[region->index];
  return (*opening)->fd >= 0 ? 0 : open_bar (self, region, *opening);
}

/* Whether the device answers for the region at all. */
static gboolean
is_decoding (RegiondGate         *self,
             const RegiondRegion *region)
{
  guint16 command = 0;

  g_mutex_lock (&self->making);
  if (self->config < 0)
    self->config = regiond_sysfs_open (self->sysfs, "config", O_RDONLY);
  g_mutex_unlock (&self->making);

  return self->config >= 0 && pread (self->config, &command, sizeof command, PCI_COMMAND) == sizeof command &&
         GUINT16_FROM_LE (command) & (is_io (region) ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY);
}

typedef struct {
  Access *access;
  guint8 *place;
} Touch;

/* Exactly one load or store, of exactly that width: that is what a register is
 * sensitive to. */
static void
touch (gpointer data)
{
  Touch *self = data;
  gpointer to = self->access->buffer;
  gconstpointer from = self->access->bytes;

#define LOAD_OR_STORE(type) \
  if (self->access->is_write) \
    { \
      type value; \
      memcpy (&value, from, sizeof value); \
      *(volatile type *) self->place = value; \
    } \
  else \
    { \
      type value = *(volatile type *) self->place; \
      memcpy (to, &value, sizeof value); \
    }

  switch (self->access->width)
    {
    case 1:
      LOAD_OR_STORE (guint8)
      break;
    case 2:
      LOAD_OR_STORE (guint16)
      break;
    case 4:
      LOAD_OR_STORE (guint32)
      break;
    default:
      LOAD_OR_STORE (guint64)
    }
#undef LOAD_OR_STORE
}

static int
access_ports (Opening *opening,
              Access  *access)
{
  gssize done;

  if (access->width > 4)
    return EINVAL;

  done = access->is_write ? pwrite (opening->fd, access->bytes, access->width, access->offset)
                          : pread (opening->fd, access->buffer, access->width, access->offset);
  return done < 0 ? errno : (gsize) done == access->width ? 0 : EIO;
}

static int
access_file (RegiondGate         *self,
             const RegiondRegion *region,
             Access              *access)
{
  Opening *opening;
  Touch touching = { .access = access };
  int errsv;

  if (region->index >= BARS)
    return EAGAIN;
  if ((errsv = find_opening (self, region, &opening)) != 0)
    return errsv;
  if (is_io (region))
    return access_ports (opening, access);

  touching.place = opening->bytes + opening->start + access->offset;
  return regiond_fault_catch (touch, &touching) ? 0 : EIO;
}

static int
access_handle (RegiondGate         *self,
               const RegiondRegion *region,
               Access              *access)
{
  if (access->width > 4)
    return EINVAL;
  if (access->is_write)
    return regiond_handle_write (self->handle, region->index, access->offset, access->width, access->bytes);
  return regiond_handle_read (self->handle, region->index, access->offset, access->width, access->buffer);
}

static gboolean
is_all_ones (const guint8 *bytes,
             gsize         width)
{
  for (gsize i = 0; i < width; i++)
    {
      if (bytes[i] != 0xff)
        return FALSE;
    }
  return TRUE;
}

/* A device that does not answer reads as all ones: only then is there anything to
 * ask. What is written to it would be lost without a word. */
static int
make_access (RegiondGate         *self,
             const RegiondRegion *region,
             Access              *access)
{
  int errsv;

  if (self->way == NOWHERE)
    return ENODEV;
  if (region->index < BARS && access->is_write && !is_decoding (self, region))
    return EIO;

  errsv = self->way == HANDLE ? access_handle (self, region, access) : access_file (self, region, access);
  if (errsv == 0 && region->index < BARS && !access->is_write && is_all_ones (access->buffer, access->width) &&
      !is_decoding (self, region))
    return EIO;
  return errsv;
}

int
regiond_gate_read (RegiondGate         *self,
                   const RegiondRegion *region,
                   guint64              offset,
                   gsize                width,
                   gpointer             buffer)
{
  Access access = { FALSE, offset, width, buffer, NULL };
  int errsv;

  begin_access (self);
  errsv = make_access (self, region, &access);
  end_access (self);
  return errsv;
}

int
regiond_gate_write (RegiondGate         *self,
                    const RegiondRegion *region,
                    guint64              offset,
                    gsize                width,
                    gconstpointer        bytes)
{
  Access access = { TRUE, offset, width, NULL, bytes };
  int errsv;

  begin_access (self);
  errsv = make_access (self, region, &access);
  end_access (self);
  return errsv;
}
