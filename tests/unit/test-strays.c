/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "../vm/fusefile.h"
#include "strays.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define OTHER_UID 65534 /* nobody: the bus wants to know its groups */
#define PATIENT 10000
#define THREADS_EACH 2

typedef struct {
  Fixture         *fixture;
  GDBusConnection *service;
  RegiondClients  *clients;
  RegiondProofs   *proofs;
  RegiondStrays   *strays;
} Street;

static void
on_vanished (gpointer lease)
{
  g_assert_not_reached ();
}

static Street
street_set_up (void)
{
  Street self = { .fixture = fixture_new () };

  self.service = fixture_connect (self.fixture);
  self.clients = regiond_clients_new (self.service, on_vanished);
  self.proofs = regiond_proofs_new (PATIENT);
  self.strays = regiond_strays_new ();
  regiond_strays_start (self.strays, self.clients, self.proofs);
  return self;
}

static void
street_clear (Street *self)
{
  regiond_strays_stop (self->strays);
  regiond_strays_unref (self->strays);
  regiond_clients_free (self->clients);
  regiond_proofs_free (self->proofs);
  client_leave (self->service);
  fixture_free (self->fixture);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Street, street_clear)

static gboolean
is_closed (int fd)
{
  return fcntl (fd, F_GETFD) < 0;
}

/* As they are in a message; the list is nobody's afterwards. */
static void
lose (Street          *self,
      GDBusConnection *sender,
      int              fd)
{
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new_from_array (&fd, 1);

  regiond_strays_take (self->strays, g_dbus_connection_get_unique_name (sender), fds);
  g_assert_cmpint (g_unix_fd_list_get_length (fds), ==, 0);
}

static void
test_closed (void)
{
  g_auto (Street) street = street_set_up ();
  int fd = memfd_create ("stray", MFD_CLOEXEC);

  lose (&street, street.service, fd);
  g_assert_false (is_closed (fd));
  wait_until (is_closed (fd));
}

/* Alice's file system never answers; this thread does not wait for it, and others' are closed. */
static void
test_hung (void)
{
  g_auto (Street) street = street_set_up ();
  g_auto (FuseFile) hung = { 0 };
  int fds[THREADS_EACH + 1], others = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  int hers[] = { syscall (SYS_pidfd_open, getpid (), 0), memfd_create ("stray", MFD_CLOEXEC) };
  GDBusConnection *nobody = fixture_connect_as (street.fixture, OTHER_UID);

  fuse_file_init_asking (&hung);
  hung.seen->victim = getpid ();
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    lose (&street, street.service, fds[i] = fuse_file_open (&hung));
  wait_until (__atomic_load_n (&hung.seen->stalled, __ATOMIC_ACQUIRE) == THREADS_EACH);

  lose (&street, nobody, others);
  wait_until (is_closed (others));
  /* Her own, too, where no file system is asked. */
  for (guint i = 0; i < G_N_ELEMENTS (hers); i++)
    {
      lose (&street, street.service, hers[i]);
      wait_until (is_closed (hers[i]));
    }
  g_assert_false (is_closed (fds[THREADS_EACH]));

  fuse_file_cut (&hung);
  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    wait_until (is_closed (fds[i]));
  client_leave (nobody);
}

static int
make_memory (gsize size)
{
  int fd = memfd_create ("stray", MFD_CLOEXEC);

  g_assert_cmpint (fallocate (fd, 0, 0, size), ==, 0);
  return fd;
}

/* What this thread has worked, in ns. */
static gint64
get_work (void)
{
  struct timespec time;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * G_GINT64_CONSTANT (1000000000) + time.tv_nsec;
}

/* To free it is work, and not this thread's. */
static void
test_large (void)
{
  enum { SIZE = 256 << 20 };
  g_auto (Street) street = street_set_up ();
  int fd = make_memory (SIZE);
  gint64 start = get_work (), itself;

  close (fd);
  itself = get_work () - start;

  fd = make_memory (SIZE);
  start = get_work ();
  lose (&street, street.service, fd);
  wait_until (is_closed (fd));
  g_assert_cmpint (get_work () - start, <, itself / 2);
}

/* Nothing of the service is there any more: what comes then must not wait for anybody either. */
static void
test_stopped (void)
{
  g_auto (Street) street = street_set_up ();
  g_auto (FuseFile) hung = { 0 };
  int fd;

  fuse_file_init_asking (&hung);
  hung.seen->victim = getpid ();
  lose (&street, street.service, fd = fuse_file_open (&hung));
  regiond_strays_stop (street.strays);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_false (is_closed (fd));
  g_assert_cmpuint (hung.seen->stalled, ==, 0);
  fuse_file_cut (&hung);
  close (fd);
}

static void
add_tests (void)
{
  g_test_add_func ("/strays/what-nobody-has-taken-is-closed", test_closed);
  g_test_add_func ("/strays/a-hung-file-system-keeps-nobody-else-waiting", test_hung);
  g_test_add_func ("/strays/much-memory-keeps-nobody-waiting", test_large);
  g_test_add_func ("/strays/at-the-end-nothing-is-waited-for", test_stopped);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
