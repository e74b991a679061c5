/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mechanisms/memfd.h"

#include "error.h"
#include "mechanisms/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* Allocating and copying go in steps, so that a cancelled one ends soon. */
#define STEP (G_GUINT64_CONSTANT (32) << 20)

struct _RegiondMemfd {
  GObject        parent_instance;
  RegiondWatch  *watch;
  RegiondBudget *budget;
  char          *name;
  guint64        size;
  int            fd; /* regiond's own description, read and write, never handed out */
  struct stat    status; /* by which the file is known */
  int            retired;
  int            watch_id;
  GMutex         lock; /* guards bytes */
  guint8        *bytes; /* mapped, once somebody reads or writes through regiond; for system calls alone */
};

static void regiond_memfd_source_init (RegiondSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (RegiondMemfd, regiond_memfd, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (REGIOND_TYPE_SOURCE, regiond_memfd_source_init))

typedef struct {
  int            fd;
  guint64        size;
  guint8        *bytes;
  RegiondBudget *budget;
} Remains;

/* Freeing a gigabyte of pages takes tens of milliseconds. */
static void
bury (gpointer data,
      gpointer user_data)
{
  g_autofree Remains *remains = data;

  if (remains->bytes != NULL)
    munmap (remains->bytes, remains->size);
  if (remains->fd >= 0)
    close (remains->fd);
  regiond_budget_give (remains->budget, remains->size);
  regiond_budget_unref (remains->budget);
}

static void
regiond_memfd_finalize (GObject *object)
{
  static GThreadPool *undertaker = NULL;
  static gsize once = 0;
  RegiondMemfd *self = REGIOND_MEMFD (object);
  Remains *remains = g_new (Remains, 1);

  if (g_once_init_enter (&once))
    {
      undertaker = g_thread_pool_new (bury, NULL, 1, FALSE, NULL);
      g_once_init_leave (&once, 1);
    }

  if (self->watch_id >= 0)
    regiond_watch_remove (self->watch, self->watch_id);
  regiond_watch_unref (self->watch);

  *remains = (Remains){ self->fd, self->size, self->bytes, self->budget };
  g_thread_pool_push (undertaker, remains, NULL);
  g_free (self->name);
  g_mutex_clear (&self->lock);

  G_OBJECT_CLASS (regiond_memfd_parent_class)->finalize (object);
}

static void
regiond_memfd_class_init (RegiondMemfdClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = regiond_memfd_finalize;
}

static void
regiond_memfd_init (RegiondMemfd *self)
{
  self->fd = -1;
  self->watch_id = -1;
  g_mutex_init (&self->lock);
}

/* Kernels before 6.3 do not know the flag that seals the missing execute
 * permission; where vm.memfd_noexec is 2 there is no memfd without it. */
static int
create (const char *name)
{
  int fd = memfd_create (name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

  if (fd < 0 && errno == EINVAL)
    fd = memfd_create (name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  return fd;
}

/* The description that memfd_create makes is not counted as a writer of the
 * inode (fs/file_table.c, alloc_file), one from open is, and F_SETLEASE
 * compares that count: so regiond keeps one from open and no other. */
static gboolean
make (RegiondMemfd *self)
{
  g_autofree char *path = NULL;
  int first = create (self->name);
  gboolean made;
  int errsv;

  if (first < 0)
    return FALSE;

  path = g_strdup_printf ("/proc/self/fd/%d", first);
  made = fchmod (first, 0600) == 0 && ftruncate (first, self->size) == 0 &&
         fcntl (first, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0 &&
         (self->fd = open (path, O_RDWR | O_CLOEXEC)) >= 0 && fstat (self->fd, &self->status) == 0;
  errsv = errno;
  close (first);
  errno = errsv;
  return made;
}

static gboolean
allocate (RegiondMemfd *self,
          GCancellable *cancellable,
          GError      **error)
{
  for (guint64 at = 0; at < self->size; at += STEP)
    {
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if (TEMP_FAILURE_RETRY (fallocate (self->fd, 0, at, MIN (STEP, self->size - at))) < 0)
        {
          regiond_error_set_errno (error, errno, "Cannot allocate the region's memory");
          return FALSE;
        }
    }

  return TRUE;
}

RegiondMemfd *
regiond_memfd_new (RegiondWatch  *watch,
                   RegiondBudget *budget,
                   const char    *name,
                   guint64        size,
                   GCancellable  *cancellable,
                   GError       **error)
{
  g_autoptr (RegiondMemfd) self = NULL;

  if (!regiond_budget_take (budget, size, error))
    return NULL;

  self = g_object_new (REGIOND_TYPE_MEMFD, NULL);
  self->watch = regiond_watch_ref (watch);
  self->budget = regiond_budget_ref (budget);
  self->name = g_strdup (name);
  self->size = size;

  if (!make (self))
    {
      regiond_error_set_errno (error, errno, "Cannot make a memory object");
      return NULL;
    }
  if (!allocate (self, cancellable, error))
    return NULL;

  return g_steal_pointer (&self);
}

RegiondMemfd *
regiond_memfd_copy (RegiondMemfd *self,
                    GError      **error)
{
  g_autoptr (RegiondMemfd) copy = regiond_memfd_new (self->watch, self->budget, self->name, self->size, NULL, error);
  off_t from = 0;

  if (copy == NULL)
    return NULL;

  while ((guint64) from < self->size)
    {
      gssize n = TEMP_FAILURE_RETRY (sendfile (copy->fd, self->fd, &from, MIN (STEP, self->size - from)));

      if (n <= 0)
        {
          regiond_error_set_errno (error, n < 0 ? errno : EIO, "Cannot copy the region's contents");
          return NULL;
        }
    }

  return g_steal_pointer (&copy);
}

gboolean
regiond_memfd_empty (RegiondMemfd *self,
                     GError      **error)
{
  if (fallocate (self->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, self->size) < 0)
    {
      regiond_error_set_errno (error, errno, "Cannot empty the region");
      return FALSE;
    }

  return allocate (self, NULL, error);
}

/* Whether F_SETLEASE could be had: nobody else has the file open. */
static gboolean
try_lease (int fd)
{
  if (fcntl (fd, F_SETLEASE, F_WRLCK) < 0)
    return FALSE;

  fcntl (fd, F_SETLEASE, F_UNLCK);
  return TRUE;
}

/* A file that is open, then closed again, for reading. */
static gboolean
probe_reader (int fd)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  int reader = open (path, O_RDONLY | O_CLOEXEC);
  gboolean seen;

  if (reader < 0)
    return FALSE;

  seen = !try_lease (fd);
  close (reader);
  return seen && try_lease (fd);
}

gboolean
regiond_memfd_sees_readers (void)
{
  static gsize answer = 0;

  if (g_once_init_enter (&answer))
    {
      RegiondMemfd probe = { .name = (char *) "regiond:probe", .size = sysconf (_SC_PAGESIZE), .fd = -1 };
      gboolean seen = make (&probe) && probe_reader (probe.fd);

      if (probe.fd >= 0)
        close (probe.fd);
      g_once_init_leave (&answer, seen ? 1 : 2);
    }

  return answer == 1;
}

gboolean
regiond_memfd_is_free (RegiondMemfd *self)
{
  return regiond_memfd_sees_readers () && try_lease (self->fd);
}

void
regiond_memfd_retire (RegiondMemfd *self)
{
  g_atomic_int_set (&self->retired, TRUE);
}

gboolean
regiond_memfd_is_retired (RegiondMemfd *self)
{
  return g_atomic_int_get (&self->retired);
}

/* As a source. */

static gboolean
is_retired (RegiondSource *source)
{
  return regiond_memfd_is_retired (REGIOND_MEMFD (source));
}

/* A mapping of regiond's own description, which F_SETLEASE does not mind. */
static guint8 *
map (RegiondMemfd *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  gpointer bytes;

  if (self->bytes == NULL)
    {
      bytes = mmap (NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
      self->bytes = bytes != MAP_FAILED ? bytes : NULL;
    }
  return self->bytes;
}

/* Where they are: the kernel copies them from there into the answer. */
static int
read_bytes (RegiondSource *source,
            guint64        offset,
            gsize          width,
            gpointer       buffer,
            const guint8 **bytes)
{
  const guint8 *start = map (REGIOND_MEMFD (source));

  if (start == NULL)
    return ENOMEM;

  *bytes = start + offset;
  return 0;
}

/* Not by write(2) on the file: whoever maps it may have it open as well, and
 * can hold its inode's lock for as long as he likes (with a buffer whose page
 * never comes). And not by hand: where there is no memory, this is an error and
 * no SIGBUS. process_vm_writev(2) on oneself takes no lock of the file's. */
static int
write_bytes (RegiondSource *source,
             guint64        offset,
             gsize          width,
             const guint8  *bytes)
{
  guint8 *start = map (REGIOND_MEMFD (source));

  if (start == NULL)
    return ENOMEM;

  while (width > 0)
    {
      struct iovec from = { (gpointer) bytes, width }, to = { start + offset, width };
      gssize n = TEMP_FAILURE_RETRY (process_vm_writev (getpid (), &from, 1, &to, 1, 0));

      if (n <= 0)
        return n < 0 && errno != EFAULT ? errno : EIO;
      offset += n;
      bytes += n;
      width -= n;
    }

  return 0;
}

static void
regiond_memfd_source_init (RegiondSourceInterface *iface)
{
  iface->is_quick = TRUE;
  iface->is_retired = is_retired;
  iface->read = read_bytes;
  iface->write = write_bytes;
}

/* The hold of one lease. */

#define REGIOND_TYPE_MEMFD_HOLD (regiond_memfd_hold_get_type ())
G_DECLARE_FINAL_TYPE (RegiondMemfdHold, regiond_memfd_hold, REGIOND, MEMFD_HOLD, RegiondHold)

struct _RegiondMemfdHold {
  RegiondHold    parent_instance;
  RegiondMemfd  *memfd;
  RegiondWitness witness;
};

G_DEFINE_TYPE (RegiondMemfdHold, regiond_memfd_hold, REGIOND_TYPE_HOLD)

/* The kernel's word on the whole object first: it is immediate. */
static gboolean
is_gone (RegiondHold *hold)
{
  RegiondMemfdHold *self = REGIOND_MEMFD_HOLD (hold);

  return regiond_memfd_is_free (self->memfd) || regiond_witness_is_gone (&self->witness);
}

static gboolean
is_cut (RegiondHold *hold)
{
  return regiond_memfd_is_retired (REGIOND_MEMFD_HOLD (hold)->memfd);
}

static void
cut (RegiondHold *hold)
{
  regiond_memfd_retire (REGIOND_MEMFD_HOLD (hold)->memfd);
}

static RegiondSource *
ref_source (RegiondHold *hold)
{
  return REGIOND_SOURCE (g_object_ref (REGIOND_MEMFD_HOLD (hold)->memfd));
}

static gboolean
listen_to (RegiondHold    *hold,
           RegiondHoldFunc func,
           gpointer        data,
           GError        **error)
{
  RegiondMemfd *memfd = REGIOND_MEMFD_HOLD (hold)->memfd;

  if (func == NULL)
    return TRUE;
  if (memfd->watch_id < 0)
    memfd->watch_id = regiond_watch_add (memfd->watch, memfd->fd, func, data, error);
  return memfd->watch_id >= 0;
}

/* Descriptions of a memfd cannot be told from one another. Its number is no other one's while
 * regiond has it open. */
static gboolean
is_shown (RegiondHold        *hold,
          const RegiondProof *proof)
{
  RegiondMemfd *memfd = REGIOND_MEMFD_HOLD (hold)->memfd;

  return proof->device == memfd->status.st_dev && proof->inode == memfd->status.st_ino &&
         !regiond_memfd_is_retired (memfd);
}

static void
regiond_memfd_hold_finalize (GObject *object)
{
  g_clear_object (&REGIOND_MEMFD_HOLD (object)->memfd);
  G_OBJECT_CLASS (regiond_memfd_hold_parent_class)->finalize (object);
}

static void
regiond_memfd_hold_class_init (RegiondMemfdHoldClass *klass)
{
  RegiondHoldClass *hold_class = REGIOND_HOLD_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = regiond_memfd_hold_finalize;
  hold_class->is_gone = is_gone;
  hold_class->is_cut = is_cut;
  hold_class->cut = cut;
  hold_class->is_shared = TRUE;
  hold_class->ref_source = ref_source;
  hold_class->listen = listen_to;
  hold_class->is_shown = is_shown;
}

static void
regiond_memfd_hold_init (RegiondMemfdHold *self)
{
}

RegiondHold *
regiond_memfd_open (RegiondMemfd *self,
                    RegiondAccess access,
                    int          *fd,
                    GError      **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", self->fd);
  RegiondWitness witness;
  RegiondMemfdHold *hold;

  *fd = regiond_witness_open (&witness, path, access & REGIOND_ACCESS_WRITE ? O_RDWR : O_RDONLY);
  if (*fd < 0)
    {
      regiond_error_set_errno (error, errno, "Cannot open the region");
      return NULL;
    }

  hold = g_object_new (REGIOND_TYPE_MEMFD_HOLD, NULL);
  hold->memfd = g_object_ref (self);
  hold->witness = witness;
  return REGIOND_HOLD (hold);
}
