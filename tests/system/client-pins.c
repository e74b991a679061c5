/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#include "client.h"

#define PAGE 4096

/* splice FD: the first page into a pipe; answers the pipe's reading end */
static void
run_splice (Command *command)
{
  g_autofree char *number = NULL;
  loff_t offset = 0;
  int ends[2];

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  if (splice (command_number (command, 0), &offset, ends[1], NULL, PAGE, 0) != PAGE)
    {
      client_fail_errno (command->words[0], errno);
      return;
    }
  close (ends[1]);
  number = g_strdup_printf ("%d", ends[0]);
  client_answer (command->words[0], number, NULL);
}

#ifdef HAVE_LIBURING
static struct io_uring ring;
/* Where the fixed buffer was mapped: the kernel goes on naming it so. */
static char *buffer;

/* pin FD: its first page becomes a fixed buffer; the fd and the mapping go */
static void
run_pin (Command *command)
{
  int fd = command_number (command, 0);
  struct iovec page = { .iov_len = PAGE };
  int result;

  buffer = mmap (NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  g_assert_true (buffer != MAP_FAILED);
  page.iov_base = buffer;
  result = io_uring_queue_init (4, &ring, 0);
  if (result == 0)
    result = io_uring_register_buffers (&ring, &page, 1);
  munmap (buffer, PAGE);
  close (fd);
  if (result < 0)
    client_fail_errno (command->words[0], -result);
  else
    client_done (command->words[0]);
}

static void
submit (void)
{
  struct io_uring_cqe *entry;

  g_assert_cmpint (io_uring_submit (&ring), ==, 1);
  g_assert_cmpint (io_uring_wait_cqe (&ring, &entry), ==, 0);
  g_assert_cmpint (entry->res, ==, PAGE);
  io_uring_cqe_seen (&ring, entry);
}

/* pinned-read: what the kernel reads out of the pinned page */
static void
run_pinned_read (Command *command)
{
  char page[PAGE + 1] = { 0 };
  int ends[2];

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  io_uring_prep_write_fixed (io_uring_get_sqe (&ring), ends[1], buffer, PAGE, -1, 0);
  submit ();
  g_assert_cmpint (read (ends[0], page, PAGE), ==, PAGE);
  close (ends[0]);
  close (ends[1]);
  client_answer (command->words[0], page, NULL);
}

/* pinned-write: the kernel fills the pinned page with the letter Z */
static void
run_pinned_write (Command *command)
{
  char page[PAGE];
  int ends[2];

  memset (page, 'Z', PAGE);
  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  g_assert_cmpint (write (ends[1], page, PAGE), ==, PAGE);
  io_uring_prep_read_fixed (io_uring_get_sqe (&ring), ends[0], buffer, PAGE, -1, 0);
  submit ();
  close (ends[0]);
  close (ends[1]);
  client_done (command->words[0]);
}
#else
static void
run_pin (Command *command)
{
  client_fail_errno (command->words[0], ENOSYS);
}
#define run_pinned_read run_pin
#define run_pinned_write run_pin
#endif

gboolean
client_pins_run (Command *command)
{
  const char *name = command->words[1];

  if (g_str_equal (name, "splice"))
    run_splice (command);
  else if (g_str_equal (name, "pin"))
    run_pin (command);
  else if (g_str_equal (name, "pinned-read"))
    run_pinned_read (command);
  else if (g_str_equal (name, "pinned-write"))
    run_pinned_write (command);
  else
    return FALSE;
  return TRUE;
}
