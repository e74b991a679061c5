/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/config.h"

#include "backends/vfio/layout.h"
#include "backends/vfio/registers.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <unistd.h>

#define PIECE_MOST 4

/* From D3hot the device needs 10 ms (PCI PM 1.2, 5.4). */
#define WAKE_US (10 * 1000)

struct _RegiondConfig {
  RegiondSysfs     *sysfs;
  GMutex            lock; /* guards all that follows, and each access */
  RegiondHandle    *handle;
  int               fd; /* -1: not opened yet */
  gsize             size;
  gboolean          shut; /* no memory is decoded, whoever would like it */
  RegiondRegisters *registers; /* NULL: nothing is saved yet */
  guint8            saved[REGIOND_REGISTERS_MOST];
  guint8            written[REGIOND_REGISTERS_MOST]; /* by leases, since */
};

RegiondConfig *
regiond_config_new (RegiondSysfs *sysfs)
{
  RegiondConfig *self = g_atomic_rc_box_new0 (RegiondConfig);

  self->sysfs = regiond_sysfs_ref (sysfs);
  self->fd = -1;
  g_mutex_init (&self->lock);
  return self;
}

RegiondConfig *
regiond_config_ref (RegiondConfig *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
clear (gpointer data)
{
  RegiondConfig *self = data;

  if (self->fd >= 0)
    close (self->fd);
  g_clear_pointer (&self->registers, regiond_registers_free);
  g_mutex_clear (&self->lock);
  regiond_sysfs_unref (self->sysfs);
}

void
regiond_config_unref (RegiondConfig *self)
{
  g_atomic_rc_box_release_full (self, clear);
}

void
regiond_config_set_handle (RegiondConfig *self,
                           RegiondHandle *handle)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->handle = handle;
}

/* How much of @width is one access at @offset. */
static gsize
measure_piece (guint64 offset,
               gsize   width)
{
  gsize piece = PIECE_MOST;

  while (piece > width || offset % piece != 0)
    piece /= 2;
  return piece;
}

static int
prepare (RegiondConfig *self)
{
  int errsv;

  if (self->fd < 0)
    self->fd = regiond_sysfs_open (self->sysfs, "config", O_RDWR);
  errsv = errno;
  if (self->fd >= 0)
    return 0;
  return regiond_sysfs_is_there (self->sysfs) ? errsv : ENODEV;
}

/* The kernel splits them in the same way; but what it says of a long one that
 * fails half way is a short one. */
static int
read_bytes (RegiondConfig *self,
            guint64        offset,
            gsize          width,
            guint8        *bytes)
{
  int failure = prepare (self);

  while (failure == 0 && width > 0)
    {
      gsize piece = measure_piece (offset, width);
      gssize n = TEMP_FAILURE_RETRY (pread (self->fd, bytes, piece, offset));

      if (n != (gssize) piece)
        failure = n < 0 ? errno : EIO;
      offset += piece;
      bytes += piece;
      width -= piece;
    }

  return failure;
}

static int
write_piece (RegiondConfig *self,
             guint64        offset,
             gsize          width,
             const guint8  *bytes)
{
  gssize n = TEMP_FAILURE_RETRY (pwrite (self->fd, bytes, width, offset));

  if (n == (gssize) width)
    return 0;
  if (n < 0 && errno == EPERM && self->handle != NULL)
    return regiond_handle_write (self->handle, VFIO_PCI_CONFIG_REGION_INDEX, offset, width, bytes);
  return n < 0 ? errno : EIO;
}

static int
write_bytes (RegiondConfig *self,
             guint64        offset,
             gsize          width,
             const guint8  *bytes)
{
  int failure = prepare (self);

  while (failure == 0 && width > 0)
    {
      gsize piece = measure_piece (offset, width);

      failure = write_piece (self, offset, piece, bytes);
      offset += piece;
      bytes += piece;
      width -= piece;
    }

  return failure;
}

static int
read_word (RegiondConfig *self,
           guint          offset,
           guint16       *word)
{
  guint8 bytes[2] = { 0 };
  int failure = read_bytes (self, offset, sizeof bytes, bytes);

  *word = bytes[0] | bytes[1] << 8;
  return failure;
}

static int
write_word (RegiondConfig *self,
            guint          offset,
            guint16        word)
{
  const guint8 bytes[] = { word & 0xff, word >> 8 };

  return write_bytes (self, offset, sizeof bytes, bytes);
}

static int
save (RegiondConfig *self)
{
  struct stat now;
  int failure = prepare (self);

  if (failure == 0 && fstat (self->fd, &now) < 0)
    failure = errno;
  if (failure == 0 && now.st_size != 256 && now.st_size != REGIOND_REGISTERS_MOST)
    failure = EIO;
  if (failure == 0)
    failure = read_bytes (self, 0, now.st_size, self->saved);
  if (failure != 0)
    return failure;

  self->size = now.st_size;
  g_clear_pointer (&self->registers, regiond_registers_free);
  self->registers = regiond_registers_new (self->saved, self->size);
  memset (self->written, 0, sizeof self->written);
  return 0;
}

/* Sets @error for an errno. */
static gboolean
judge (RegiondConfig *self,
       int            failure,
       const char    *what,
       GError       **error)
{
  g_autofree char *said = g_strdup_printf ("Cannot %s config space of %s", what, regiond_sysfs_get_name (self->sysfs));

  if (failure == 0)
    return TRUE;

  if (!regiond_sysfs_is_there (self->sysfs))
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "%s: the device is not there any more", said);
  else
    regiond_error_set_errno (error, failure, said);
  return FALSE;
}

gboolean
regiond_config_save (RegiondConfig *self,
                     GError       **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return judge (self, save (self), "save", error);
}

/* The bits of COMMAND that its BARs need. */
static gboolean
find_decoding (RegiondConfig *self,
               guint16       *command,
               GError       **error)
{
  g_autoptr (GPtrArray) regions = regiond_layout_read (self->sysfs, error);

  *command = 0;
  for (guint i = 0; regions != NULL && i < regions->len; i++)
    {
      RegiondRegion *region = g_ptr_array_index (regions, i);

      if (g_str_equal (region->kind, "io"))
        *command |= PCI_COMMAND_IO;
      if (g_str_equal (region->kind, "mmio") || g_str_equal (region->kind, "rom"))
        *command |= PCI_COMMAND_MEMORY;
    }

  return regions != NULL;
}

/* Whether COMMAND is now what it was set to, in all that counts. A virtual
 * function has no decoding of its own to switch (SR-IOV 1.1, 3.4.1.3). */
static gboolean
verify_command (RegiondConfig *self,
                guint16        decoding,
                GError       **error)
{
  g_autofree char *physical = regiond_sysfs_read_link (self->sysfs, "physfn");
  const char *name = regiond_sysfs_get_name (self->sysfs);
  guint16 never = PCI_COMMAND_MASTER | (self->shut ? PCI_COMMAND_MEMORY : 0);
  guint16 command;

  if (!judge (self, read_word (self, PCI_COMMAND, &command), "read", error))
    return FALSE;

  if (self->shut && physical != NULL)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED,
                   "Memory decoding of %s, a virtual function, cannot be switched off by itself", name);
      return FALSE;
    }

  if (command & never)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED, "%s of %s cannot be switched off (COMMAND "
                   "reads 0x%04x): it is not lent", command & PCI_COMMAND_MASTER ? "Bus mastering" : "Memory decoding",
                   name, command);
      return FALSE;
    }
  if ((command & decoding) != decoding && physical == NULL)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_FAILED,
                   "Device %s does not decode its BARs (COMMAND reads 0x%04x): reset it, or plug it in again", name,
                   command);
      return FALSE;
    }

  return TRUE;
}

/* Also where it is right already: VFIO may have it otherwise on record. */
gboolean
regiond_config_isolate (RegiondConfig *self,
                        gboolean       decode,
                        GError       **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  guint16 never = PCI_COMMAND_MASTER | (decode ? 0 : PCI_COMMAND_MEMORY);
  guint16 command, decoding;

  if (!find_decoding (self, &decoding, error) ||
      !judge (self, read_word (self, PCI_COMMAND, &command), "read", error))
    return FALSE;

  self->shut = !decode;
  decoding &= ~never;
  command = (command | decoding | PCI_COMMAND_INTX_DISABLE) & ~never;
  return judge (self, write_word (self, PCI_COMMAND, command), "write to", error) &&
         verify_command (self, decoding, error);
}

void
regiond_config_shut (RegiondConfig *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->shut = TRUE;
}

/* Nothing else can be written reliably while it sleeps. */
static int
wake (RegiondConfig *self)
{
  guint base = regiond_registers_find (self->registers, PCI_CAP_ID_PM);
  guint16 state;
  int failure = base != 0 ? read_word (self, base + PCI_PM_CTRL, &state) : 0;

  if (failure != 0 || base == 0 || (state & PCI_PM_CTRL_STATE_MASK) == 0)
    return failure;

  failure = write_word (self, base + PCI_PM_CTRL, state & ~(PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_PME_STATUS));
  g_usleep (WAKE_US);
  return failure;
}

/* Of what leases have written, what differs from what was saved, in pieces that
 * have nothing else in them: beside them may be flags that a 1 clears. */
static int
restore_written (RegiondConfig *self)
{
  guint8 now[REGIOND_REGISTERS_MOST];
  int failure = read_bytes (self, 0, self->size, now);
  gsize width;

  for (gsize at = 0; failure == 0 && at < self->size; at += width)
    {
      width = 1;
      if (!self->written[at] || (at & ~1) == PCI_COMMAND)
        continue;

      for (gsize wider = 2; wider <= PIECE_MOST && at % wider == 0; wider *= 2)
        {
          if (memchr (self->written + at, FALSE, wider) == NULL)
            width = wider;
        }
      if (memcmp (now + at, self->saved + at, width) != 0)
        failure = write_bytes (self, at, width, self->saved + at);
    }

  return failure;
}

gboolean
regiond_config_restore (RegiondConfig *self,
                        GError       **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  guint16 command, now;
  int failure;

  if (self->registers == NULL)
    return TRUE;

  command = self->saved[PCI_COMMAND] | self->saved[PCI_COMMAND + 1] << 8;
  command &= ~(PCI_COMMAND_MASTER | (self->shut ? PCI_COMMAND_MEMORY : 0));
  failure = wake (self);
  if (failure == 0)
    failure = restore_written (self);
  if (failure == 0)
    failure = read_word (self, PCI_COMMAND, &now);
  if (failure == 0 && now != command)
    failure = write_word (self, PCI_COMMAND, command);
  return judge (self, failure, "restore", error) && verify_command (self, 0, error);
}

/* What a lease does. */

static gboolean
would_open (RegiondConfig *self,
            guint64        offset,
            gsize          width,
            const guint8  *bytes)
{
  return self->shut && offset <= PCI_COMMAND && width > PCI_COMMAND - offset &&
         bytes[PCI_COMMAND - offset] & PCI_COMMAND_MEMORY;
}

static int
write_permitted (RegiondConfig *self,
                 gboolean       exclusive,
                 guint64        offset,
                 gsize          width,
                 const guint8  *bytes)
{
  g_autofree guint8 *now = g_malloc (width);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  int failure = self->registers == NULL ? save (self) : 0;

  if (failure == 0)
    failure = read_bytes (self, offset, width, now);
  if (failure != 0)
    return failure;
  if (!regiond_registers_permit (self->registers, exclusive, offset, width, now, bytes) ||
      would_open (self, offset, width, bytes))
    return EPERM;

  memset (self->written + offset, TRUE, width);
  return write_bytes (self, offset, width, bytes);
}

#define REGIOND_TYPE_CONFIG_VIEW (regiond_config_view_get_type ())
G_DECLARE_FINAL_TYPE (RegiondConfigView, regiond_config_view, REGIOND, CONFIG_VIEW, GObject)

struct _RegiondConfigView {
  GObject        parent_instance;
  RegiondConfig *config;
  gboolean       exclusive;
};

static void regiond_config_view_source_init (RegiondSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (RegiondConfigView, regiond_config_view, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (REGIOND_TYPE_SOURCE, regiond_config_view_source_init))

static gboolean
is_retired (RegiondSource *source)
{
  return FALSE;
}

static int
read_view (RegiondSource *source,
           guint64        offset,
           gsize          width,
           gpointer       buffer,
           const guint8 **bytes)
{
  RegiondConfig *self = REGIOND_CONFIG_VIEW (source)->config;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  *bytes = buffer;
  return read_bytes (self, offset, width, buffer);
}

static int
write_view (RegiondSource *source,
            guint64        offset,
            gsize          width,
            const guint8  *bytes)
{
  RegiondConfigView *view = REGIOND_CONFIG_VIEW (source);

  return write_permitted (view->config, view->exclusive, offset, width, bytes);
}

static void
regiond_config_view_source_init (RegiondSourceInterface *iface)
{
  iface->is_quick = FALSE;
  iface->is_retired = is_retired;
  iface->read = read_view;
  iface->write = write_view;
}

static void
regiond_config_view_finalize (GObject *object)
{
  regiond_config_unref (REGIOND_CONFIG_VIEW (object)->config);

  G_OBJECT_CLASS (regiond_config_view_parent_class)->finalize (object);
}

static void
regiond_config_view_class_init (RegiondConfigViewClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = regiond_config_view_finalize;
}

static void
regiond_config_view_init (RegiondConfigView *self)
{
}

RegiondSource *
regiond_config_open (RegiondConfig *self,
                     gboolean       exclusive)
{
  RegiondConfigView *view = g_object_new (REGIOND_TYPE_CONFIG_VIEW, NULL);

  view->config = regiond_config_ref (self);
  view->exclusive = exclusive;
  return REGIOND_SOURCE (view);
}
