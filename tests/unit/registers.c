/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registers.h"

#include "fixture.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void registers_source_init (RegiondSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (Registers, registers, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (REGIOND_TYPE_SOURCE, registers_source_init))

static void
registers_class_init (RegistersClass *klass)
{
}

static void
registers_init (Registers *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->open = TRUE;
  for (guint i = 0; i < SIZE; i++)
    self->bytes[i] = i;
}

static int
reach (Registers *self,
       guint64    offset,
       gsize      width,
       guint8    *to,
       const guint8 *from)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->begun++;
  g_cond_broadcast (&self->changed);
  while (!self->open)
    g_cond_wait (&self->changed, &self->lock);

  self->done++;
  self->offset = offset;
  self->width = width;
  if (width > 8)
    return EINVAL;
  memcpy (to != NULL ? to : &self->bytes[offset], to != NULL ? &self->bytes[offset] : from, width);
  return 0;
}

static int
registers_read (RegiondSource *source,
                guint64        offset,
                gsize          width,
                gpointer       buffer,
                const guint8 **bytes)
{
  *bytes = buffer;
  return reach (TEST_REGISTERS (source), offset, width, buffer, NULL);
}

static int
registers_write (RegiondSource *source,
                 guint64        offset,
                 gsize          width,
                 const guint8  *bytes)
{
  return reach (TEST_REGISTERS (source), offset, width, NULL, bytes);
}

static void
registers_end (RegiondSource *source)
{
  Registers *self = TEST_REGISTERS (source);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->ended = TRUE;
}

static gboolean
registers_are_retired (RegiondSource *source)
{
  return FALSE;
}

static void
registers_source_init (RegiondSourceInterface *iface)
{
  iface->is_retired = registers_are_retired;
  iface->read = registers_read;
  iface->write = registers_write;
  iface->end = registers_end;
}

void
registers_let (Registers *self,
               gboolean   open)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  self->open = open;
  g_cond_broadcast (&self->changed);
}

guint
registers_count_begun (Registers *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->begun;
}

guint
registers_count_done (Registers *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->done;
}

Proxies
proxies_set_up (void)
{
  Proxies self;

  self.objects = objects_set_up (PAGE);
  self.registers = g_object_new (TYPE_REGISTERS, NULL);
  return self;
}

void
proxies_clear (Proxies *self)
{
  wait_until (G_OBJECT (self->registers)->ref_count == 1);
  g_object_unref (self->registers);
  objects_clear (&self->objects);
}

RegiondHold *
proxies_open_part (Proxies      *p,
           RegiondAccess access,
           guint64       offset,
           guint64       length,
           int          *fd)
{
  RegiondProxyTerms terms = { REGIOND_SOURCE (p->registers), offset, length, access, HOLDER };
  g_autoptr (GError) error = NULL;
  RegiondHold *hold = regiond_proxy_open (p->objects.server, p->objects.watch, &terms, fd, &error);

  g_assert_no_error (error);
  return hold;
}

RegiondHold *
proxies_open (Proxies      *p,
          RegiondAccess access,
          int          *fd)
{
  return proxies_open_part (p, access, 0, SIZE, fd);
}

void
proxies_finish (RegiondHold **hold,
        int           fd)
{
  close (fd);
  wait_until (regiond_hold_is_gone (*hold));

  /* And then nothing keeps it. */
  g_object_add_weak_pointer (G_OBJECT (*hold), (gpointer *) hold);
  g_object_unref (*hold);
  wait_until (*hold == NULL);
}

pid_t
holder_start (Act act,
              int fd)
{
  pid_t pid = fork ();

  if (pid == 0)
    {
      if (dup2 (fd, 3) != 3 || close_range (4, ~0U, 0) != 0 || setgid (HOLDER) != 0 || setuid (HOLDER) != 0)
        _exit (99);
      prctl (PR_SET_PDEATHSIG, SIGKILL);
      _exit (act (3));
    }
  g_assert_cmpint (pid, >, 0);
  return pid;
}

gboolean
holder_has_ended (pid_t pid,
           int  *status)
{
  return waitpid (pid, status, WNOHANG) == pid;
}

int
holder_run (Act act,
            int fd)
{
  pid_t pid = holder_start (act, fd);
  int status;

  wait_until (holder_has_ended (pid, &status));
  return status;
}

int
read_once (int fd)
{
  char byte;

  return pread (fd, &byte, 1, 0) == 1 ? 0 : errno;
}
