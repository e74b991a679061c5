/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void
process_start (Process *self)
{
  static guint last;
  char *argv[] = { (char *) "cat", NULL };
  g_autoptr (GError) error = NULL;

  process_clear (self);
  /* Without a copy of this process, which would have mappings of regions. */
  g_spawn_async_with_pipes (NULL, argv, NULL,
                            G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN, NULL,
                            NULL, &self->pid, &self->leash, NULL, NULL, &error);
  g_assert_no_error (error);
  self->pidfd = syscall (SYS_pidfd_open, self->pid, 0);
  g_assert_cmpint (self->pidfd, >=, 0);
  self->number = ++last;
}

void
process_end (Process *self)
{
  if (self->pid == 0)
    return;

  kill (self->pid, SIGKILL);
  g_assert_cmpint (waitpid (self->pid, NULL, 0), ==, self->pid);
  close (self->leash);
  self->pid = 0;
}

void
process_clear (Process *self)
{
  process_end (self);
  if (self->pidfd > 0)
    close (self->pidfd);
  self->pidfd = 0;
}
