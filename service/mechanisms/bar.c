/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mechanisms/bar.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PLAIN, COMBINED, N_FILES };

G_STATIC_ASSERT (N_FILES == REGIOND_BAR_FILES_MOST);

struct _RegiondBar {
  GObject             parent_instance;
  RegiondWatch       *watch;
  GWeakRef            owner;
  RegiondBarClaimFunc claim;
  int                 claimed; /* atomic */
  int                 claims;  /* atomic: how often it has been */
  int                 cutting; /* atomic */
  GMutex              lock;    /* guards what follows */
  GPtrArray          *holds;   /* the living ones, not kept alive */
  int                 files[N_FILES];
  int                 watches[N_FILES];
  struct stat         status[N_FILES]; /* by which they are known; set once */
  RegiondHoldFunc     func;
  gpointer            data;
};

static void regiond_bar_source_init (RegiondSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (RegiondBar, regiond_bar, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (REGIOND_TYPE_SOURCE, regiond_bar_source_init))

#define REGIOND_TYPE_BAR_HOLD (regiond_bar_hold_get_type ())
G_DECLARE_FINAL_TYPE (RegiondBarHold, regiond_bar_hold, REGIOND, BAR_HOLD, RegiondHold)

struct _RegiondBarHold {
  RegiondHold parent_instance;
  RegiondBar *bar;
  int         set;    /* the epoll set */
  int         item;   /* what its only item is called in there: the fd's number when it was lent */
  int         claims; /* of the bar, when it was lent */
  gboolean    wanted; /* to be cut; guarded by the bar's lock */
};

G_DEFINE_TYPE (RegiondBarHold, regiond_bar_hold, REGIOND_TYPE_HOLD)

static void
regiond_bar_finalize (GObject *object)
{
  RegiondBar *self = REGIOND_BAR (object);

  regiond_bar_close (self);
  g_weak_ref_clear (&self->owner);
  g_ptr_array_unref (self->holds);
  regiond_watch_unref (self->watch);
  g_mutex_clear (&self->lock);

  G_OBJECT_CLASS (regiond_bar_parent_class)->finalize (object);
}

static void
regiond_bar_class_init (RegiondBarClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = regiond_bar_finalize;
}

static void
regiond_bar_init (RegiondBar *self)
{
  g_mutex_init (&self->lock);
  self->holds = g_ptr_array_new ();
  self->watches[PLAIN] = self->watches[COMBINED] = -1;
}

RegiondBar *
regiond_bar_new (const RegiondBarSetup *setup)
{
  RegiondBar *self = g_object_new (REGIOND_TYPE_BAR, NULL);

  self->watch = regiond_watch_ref (setup->watch);
  self->files[PLAIN] = setup->fd;
  self->files[COMBINED] = setup->combined;
  self->claim = setup->claim;
  for (guint i = 0; i < N_FILES; i++)
    {
      if (self->files[i] >= 0)
        fstat (self->files[i], &self->status[i]);
    }
  g_weak_ref_init (&self->owner, setup->owner);
  return self;
}

void
regiond_bar_close (RegiondBar *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->func = NULL;
  for (guint i = 0; i < N_FILES; i++)
    {
      if (self->watches[i] >= 0)
        regiond_watch_remove (self->watch, self->watches[i]);
      if (self->files[i] >= 0)
        close (self->files[i]);
      self->watches[i] = self->files[i] = -1;
    }
}

guint
regiond_bar_list_files (RegiondBar *self,
                        int        *files)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  guint count = 0;

  for (guint i = 0; i < N_FILES; i++)
    {
      if (self->files[i] >= 0)
        files[count++] = self->files[i];
    }
  return count;
}

/* As a source it is what its leases share, and nothing else: nobody reads or
 * writes through it but the holders' own loads and stores. */

static gboolean
is_retired (RegiondSource *source)
{
  return regiond_bar_is_claimed (REGIOND_BAR (source));
}

static int
read_nothing (RegiondSource *source,
              guint64        offset,
              gsize          width,
              gpointer       buffer,
              const guint8 **bytes)
{
  return EIO;
}

static int
write_nothing (RegiondSource *source,
               guint64        offset,
               gsize          width,
               const guint8  *bytes)
{
  return EIO;
}

static void
regiond_bar_source_init (RegiondSourceInterface *iface)
{
  iface->is_quick = FALSE;
  iface->is_retired = is_retired;
  iface->read = read_nothing;
  iface->write = write_nothing;
}

/* Claims. */

gboolean
regiond_bar_is_claimed (RegiondBar *self)
{
  return g_atomic_int_get (&self->claimed);
}

static gboolean
tell (gpointer data)
{
  RegiondBar *self = data;
  RegiondHoldFunc func;
  gpointer listener;

  g_mutex_lock (&self->lock);
  func = self->func;
  listener = self->data;
  g_mutex_unlock (&self->lock);

  if (func != NULL)
    func (listener);
  return G_SOURCE_REMOVE;
}

static void
tell_later (RegiondBar *self)
{
  g_idle_add_full (G_PRIORITY_DEFAULT, tell, g_object_ref (self), g_object_unref);
}

void
regiond_bar_set_claimed (RegiondBar *self)
{
  if (!g_atomic_int_compare_and_exchange (&self->claimed, FALSE, TRUE))
    return;

  g_atomic_int_inc (&self->claims);
  g_atomic_int_set (&self->cutting, FALSE);
  tell_later (self);
}

void
regiond_bar_set_free (RegiondBar *self)
{
  g_atomic_int_set (&self->claimed, FALSE);
}

void
regiond_bar_set_failed (RegiondBar *self)
{
  g_atomic_int_set (&self->cutting, FALSE);
  tell_later (self);
}

/* The hold of one lease. */

/* Whether the epoll set lists its only item. Where that cannot be read nothing
 * is proved. */
static gboolean
is_gone (RegiondHold *hold)
{
  RegiondBarHold *self = REGIOND_BAR_HOLD (hold);
  g_autofree char *path = g_strdup_printf ("/proc/self/fdinfo/%d", self->set);
  g_autofree char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) && strstr (text, "tfd:") == NULL;
}

static gboolean
is_cut (RegiondHold *hold)
{
  RegiondBarHold *self = REGIOND_BAR_HOLD (hold);

  return g_atomic_int_get (&self->bar->claims) != self->claims;
}

static gboolean
is_cutting (RegiondHold *hold)
{
  return !is_cut (hold) && g_atomic_int_get (&REGIOND_BAR_HOLD (hold)->bar->cutting);
}

static void
cut (RegiondHold *hold)
{
  RegiondBar *bar = REGIOND_BAR_HOLD (hold)->bar;
  g_autoptr (GObject) owner = g_weak_ref_get (&bar->owner);
  gboolean is_first;

  if (bar->claim == NULL || owner == NULL || is_cut (hold))
    return;

  g_mutex_lock (&bar->lock);
  REGIOND_BAR_HOLD (hold)->wanted = TRUE;
  is_first = g_atomic_int_compare_and_exchange (&bar->cutting, FALSE, TRUE);
  g_mutex_unlock (&bar->lock);
  if (is_first)
    bar->claim (owner, bar);
}

/* With the lock held. */
static gboolean
is_wanted (RegiondBar *self)
{
  for (guint i = 0; i < self->holds->len; i++)
    {
      RegiondBarHold *hold = g_ptr_array_index (self->holds, i);

      if (hold->wanted && !is_cut (REGIOND_HOLD (hold)) && !is_gone (REGIOND_HOLD (hold)))
        return TRUE;
    }
  return FALSE;
}

gboolean
regiond_bar_spare (RegiondBar *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  if (is_wanted (self))
    return FALSE;

  g_atomic_int_set (&self->cutting, FALSE);
  tell_later (self);
  return TRUE;
}

static RegiondSource *
ref_source (RegiondHold *hold)
{
  return REGIOND_SOURCE (g_object_ref (REGIOND_BAR_HOLD (hold)->bar));
}

static gboolean
is_same_file (RegiondBar         *self,
              const RegiondProof *proof)
{
  for (guint i = 0; i < N_FILES; i++)
    {
      if (self->status[i].st_ino != 0 && self->status[i].st_dev == proof->device && self->status[i].st_ino == proof->inode)
        return TRUE;
    }
  return FALSE;
}

/* Whether it is the very description that the set lists: kcmp(2). Where the kernel cannot compare (no
 * CONFIG_KCMP) the file has to do. */
static gboolean
is_shown (RegiondHold        *hold,
          const RegiondProof *proof)
{
  RegiondBarHold *self = REGIOND_BAR_HOLD (hold);
  struct kcmp_epoll_slot slot = { .efd = self->set, .tfd = self->item };
  long order;

  if (!is_same_file (self->bar, proof) || is_cut (hold))
    return FALSE;

  order = syscall (SYS_kcmp, getpid (), getpid (), KCMP_EPOLL_TFD, proof->fd, &slot);
  return order == 0 || (order < 0 && errno == ENOSYS);
}

static gboolean
watch_file (RegiondBar     *self,
            guint           file,
            RegiondHoldFunc func,
            gpointer        data,
            GError        **error)
{
  if (self->files[file] < 0 || self->watches[file] >= 0)
    return TRUE;

  self->watches[file] = regiond_watch_add (self->watch, self->files[file], func, data, error);
  return self->watches[file] >= 0;
}

static gboolean
listen_to (RegiondHold    *hold,
           RegiondHoldFunc func,
           gpointer        data,
           GError        **error)
{
  RegiondBar *bar = REGIOND_BAR_HOLD (hold)->bar;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&bar->lock);

  if (func == NULL)
    return TRUE;

  bar->func = func;
  bar->data = data;
  return watch_file (bar, PLAIN, func, data, error) && watch_file (bar, COMBINED, func, data, error);
}

static void
regiond_bar_hold_finalize (GObject *object)
{
  RegiondBarHold *self = REGIOND_BAR_HOLD (object);

  g_mutex_lock (&self->bar->lock);
  g_ptr_array_remove_fast (self->bar->holds, self);
  g_mutex_unlock (&self->bar->lock);
  if (self->set >= 0)
    close (self->set);
  g_object_unref (self->bar);

  G_OBJECT_CLASS (regiond_bar_hold_parent_class)->finalize (object);
}

static void
regiond_bar_hold_class_init (RegiondBarHoldClass *klass)
{
  RegiondHoldClass *hold_class = REGIOND_HOLD_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = regiond_bar_hold_finalize;
  hold_class->is_shared = TRUE;
  hold_class->is_dear = TRUE;
  hold_class->ref_source = ref_source;
  hold_class->is_gone = is_gone;
  hold_class->is_cut = is_cut;
  hold_class->is_cutting = is_cutting;
  hold_class->cut = cut;
  hold_class->listen = listen_to;
  hold_class->is_shown = is_shown;
}

static void
regiond_bar_hold_init (RegiondBarHold *self)
{
  self->set = -1;
}

static RegiondBarHold *
hold_new (RegiondBar *bar)
{
  RegiondBarHold *self = g_object_new (REGIOND_TYPE_BAR_HOLD, NULL);

  self->bar = g_object_ref (bar);
  self->claims = g_atomic_int_get (&bar->claims);
  g_mutex_lock (&bar->lock);
  g_ptr_array_add (bar->holds, self);
  g_mutex_unlock (&bar->lock);
  return self;
}

guint
regiond_bar_count_references (RegiondBar *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  guint count = 0;

  for (guint i = 0; i < self->holds->len; i++)
    count += !is_gone (g_ptr_array_index (self->holds, i));
  return count;
}

static int
open_file (RegiondBar     *self,
           RegiondAccess   access,
           guint           file,
           RegiondWitness *witness,
           GError        **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", self->files[file]);
  int fd;

  if (self->files[file] < 0)
    {
      g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                           "The kernel has no write-combining mapping of this BAR; ask without 'write-combining'");
      return -1;
    }

  fd = regiond_witness_open (witness, path, access & REGIOND_ACCESS_WRITE ? O_RDWR : O_RDONLY);
  if (fd < 0)
    regiond_error_set_errno (error, errno, "Cannot open the BAR");
  else if (witness->keyring == 0)
    {
      close (fd);
      fd = -1;
      g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
                           "The BAR is not lent: the kernel gives no session keyring, by which it would be known "
                           "after a crash of regiond what is left; raise kernel.keys.root_maxkeys");
    }
  return fd;
}

/* No event is asked for: the item is there to be listed. */
static int
make_set (int      fd,
          GError **error)
{
  struct epoll_event nothing = { 0 };
  int set = epoll_create1 (EPOLL_CLOEXEC);

  if (set >= 0 && epoll_ctl (set, EPOLL_CTL_ADD, fd, &nothing) == 0)
    return set;

  regiond_error_set_errno (error, errno, "Cannot watch over the BAR's descriptor (fs.epoll.max_user_watches)");
  if (set >= 0)
    close (set);
  return -1;
}

RegiondHold *
regiond_bar_open (RegiondBar     *self,
                  RegiondAccess   access,
                  gboolean        write_combining,
                  RegiondWitness *witness,
                  int            *fd,
                  GError        **error)
{
  g_autoptr (RegiondBarHold) hold = hold_new (self);

  *fd = open_file (self, access, write_combining ? COMBINED : PLAIN, witness, error);
  if (*fd < 0)
    return NULL;

  hold->item = *fd;
  hold->set = make_set (*fd, error);
  if (hold->set < 0)
    {
      close (*fd);
      *fd = -1;
      return NULL;
    }

  return REGIOND_HOLD (g_steal_pointer (&hold));
}
