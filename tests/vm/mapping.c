/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf where;

static void
on_bus_error (int number)
{
  siglongjmp (where, 1);
}

/* Nothing is blocked while the handler runs, so the mask needs no saving: an access costs no system call. */
static void
catch_bus_errors (void)
{
  static gboolean caught;
  struct sigaction action = { .sa_handler = on_bus_error, .sa_flags = SA_NODEFER };

  if (caught)
    return;
  g_assert_no_errno (sigaction (SIGBUS, &action, NULL));
  caught = TRUE;
}

gboolean
mapping_load (volatile guint32 *word,
              guint32 *value)
{
  catch_bus_errors ();
  if (sigsetjmp (where, 0) != 0)
    return FALSE;
  *value = *word;
  return TRUE;
}

gboolean
mapping_store (volatile guint32 *word,
               guint32 value)
{
  catch_bus_errors ();
  if (sigsetjmp (where, 0) != 0)
    return FALSE;
  *word = value;
  return TRUE;
}

int
mapping_try_fd (Mapping *self,
                int fd,
                gsize size,
                int protection)
{
  void *memory = mmap (NULL, size, protection, MAP_SHARED, fd, 0);

  self->fd = -1;
  self->size = size;
  self->words = memory == MAP_FAILED ? NULL : memory;
  return memory == MAP_FAILED ? errno : 0;
}

int
mapping_try (Mapping *self,
             Pci *pci,
             guint index,
             int flags)
{
  g_autofree char *name = g_strdup_printf ("resource%u", index);
  int fd = pci_open (pci, name, flags);
  int protection = PROT_READ | ((flags & O_ACCMODE) == O_RDWR ? PROT_WRITE : 0);
  int error;

  g_assert_cmpint (fd, >=, 0);
  error = mapping_try_fd (self, fd, pci_get_bar_size (pci, index), protection);
  if (error == 0)
    self->fd = fd;
  else
    close (fd);
  return error;
}

void
mapping_make (Mapping *self,
              Pci *pci,
              guint index,
              int flags)
{
  g_assert_cmpint (mapping_try (self, pci, index, flags), ==, 0);
}

void
mapping_clear (Mapping *self)
{
  if (self->words != NULL)
    munmap ((void *) self->words, self->size);
  self->words = NULL;
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}
