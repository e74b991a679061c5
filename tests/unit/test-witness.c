/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "mechanisms/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int
open_witnessed (RegiondWitness *witness,
                int             file)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", file);
  int fd = regiond_witness_open (witness, path, O_RDWR);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (witness->keyring, !=, 0);
  g_assert_false (regiond_witness_is_gone (witness));
  return fd;
}

static int
make_file (void)
{
  int file = memfd_create ("witnessed", MFD_CLOEXEC);

  g_assert_cmpint (ftruncate (file, 4096), ==, 0);
  return file;
}

/* The news comes late: only when a description that was closed after all else
 * is reported gone does "alive" mean anything. */
static void
let_news_arrive (int file)
{
  for (int i = 0; i < 2; i++)
    {
      RegiondWitness control;

      close (open_witnessed (&control, file));
      wait_until (regiond_witness_is_gone (&control));
    }
}

static void
test_close (void)
{
  int file = make_file ();
  RegiondWitness one, other;
  int first = open_witnessed (&one, file), second = open_witnessed (&other, file);

  g_assert_cmpint (one.keyring, !=, other.keyring);
  close (first);
  wait_until (regiond_witness_is_gone (&one));
  g_assert_false (regiond_witness_is_gone (&other));
  close (second);
  wait_until (regiond_witness_is_gone (&other));
  close (file);
}

static void
test_dup (void)
{
  int file = make_file ();
  RegiondWitness witness;
  int fd = open_witnessed (&witness, file), copy = dup (fd);

  close (fd);
  let_news_arrive (file);
  g_assert_false (regiond_witness_is_gone (&witness));
  close (copy);
  wait_until (regiond_witness_is_gone (&witness));
  close (file);
}

static void
test_fork (void)
{
  int file = make_file (), ends[2];
  RegiondWitness witness;
  int fd = open_witnessed (&witness, file);
  pid_t child;
  char byte;

  g_assert_cmpint (pipe (ends), ==, 0);
  if ((child = fork ()) == 0)
    {
      close (ends[1]);
      _exit (read (ends[0], &byte, 1) == 0 ? 0 : 1);
    }
  close (fd);
  let_news_arrive (file);
  g_assert_false (regiond_witness_is_gone (&witness));

  close (ends[1]);
  g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
  wait_until (regiond_witness_is_gone (&witness));
  close (ends[0]);
  close (file);
}

static void
test_mapping (void)
{
  int file = make_file ();
  RegiondWitness witness;
  int fd = open_witnessed (&witness, file);
  void *memory = mmap (NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

  g_assert_true (memory != MAP_FAILED);
  close (fd);
  let_news_arrive (file);
  g_assert_false (regiond_witness_is_gone (&witness));
  munmap (memory, 4096);
  wait_until (regiond_witness_is_gone (&witness));
  close (file);
}

static void
send_fd (int socket,
         int fd)
{
  char byte = 'x';
  union {
    char           space[CMSG_SPACE (sizeof (int))];
    struct cmsghdr align;
  } control = { { 0 } };
  struct iovec vector = { &byte, 1 };
  struct msghdr message = {
    .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control,
  };
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);

  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN (sizeof (int));
  memcpy (CMSG_DATA (header), &fd, sizeof fd);
  g_assert_cmpint (sendmsg (socket, &message, 0), ==, 1);
}

static void
test_in_flight (void)
{
  int file = make_file (), sockets[2];
  RegiondWitness witness;
  int fd = open_witnessed (&witness, file);

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), ==, 0);
  send_fd (sockets[0], fd);
  close (fd);
  let_news_arrive (file);
  g_assert_false (regiond_witness_is_gone (&witness));
  close (sockets[0]);
  close (sockets[1]);
  wait_until (regiond_witness_is_gone (&witness));
  close (file);
}

/* What a holder without privileges might try: 0 if nothing of it worked. */
static int
try_to_fake (const RegiondWitness *witness)
{
  static const int ways[] = { KEYCTL_INVALIDATE, KEYCTL_REVOKE, KEYCTL_CLEAR, KEYCTL_SET_TIMEOUT };

  if (setgid (65534) != 0 || setuid (65534) != 0)
    return 100;

  /* Whoever may not see the keyring is not told that it is gone. */
  if (regiond_witness_is_gone (witness))
    return 20;
  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      if (syscall (SYS_keyctl, ways[i], witness->keyring, 1) == 0)
        return 1 + i;
    }
  if (syscall (SYS_keyctl, KEYCTL_UNLINK, witness->keyring, KEY_SPEC_SESSION_KEYRING) == 0)
    return 10;
  if (syscall (SYS_keyctl, KEYCTL_SETPERM, witness->keyring, 0) == 0)
    return 11;
  if (syscall (SYS_keyctl, KEYCTL_CHOWN, witness->keyring, 65534, -1) == 0)
    return 12;
  if (syscall (SYS_keyctl, KEYCTL_LINK, witness->keyring, KEY_SPEC_PROCESS_KEYRING) == 0)
    return 13;
  if (syscall (SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "_ses") == witness->keyring)
    return 14;
  return 0;
}

static void
test_fake (void)
{
  int file, fd, status;
  RegiondWitness witness;
  pid_t child;

  if (geteuid () != 0)
    {
      g_test_skip ("another user's part needs root");
      return;
    }

  file = make_file ();
  fd = open_witnessed (&witness, file);
  if ((child = fork ()) == 0)
    _exit (try_to_fake (&witness));
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
  let_news_arrive (file);
  g_assert_false (regiond_witness_is_gone (&witness));
  close (fd);
  wait_until (regiond_witness_is_gone (&witness));
  close (file);
}

static void
test_none (void)
{
  const RegiondWitness none = { 0 };

  g_assert_false (regiond_witness_is_gone (&none));
}

static void
test_no_file (void)
{
  RegiondWitness witness;

  g_assert_cmpint (regiond_witness_open (&witness, "/nowhere/at/all", O_RDWR), ==, -1);
  g_assert_cmpint (errno, ==, ENOENT);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/witness/the-last-close-is-told-from-anothers", test_close);
  g_test_add_func ("/witness/a-dup-keeps-it-alive", test_dup);
  g_test_add_func ("/witness/a-forked-child-keeps-it-alive", test_fork);
  g_test_add_func ("/witness/mapped-copy-keeps-it-alive", test_mapping);
  g_test_add_func ("/witness/an-unread-message-keeps-it-alive", test_in_flight);
  g_test_add_func ("/witness/the-holder-cannot-fake-its-end", test_fake);
  g_test_add_func ("/witness/without-one-nothing-is-ever-gone", test_none);
  g_test_add_func ("/witness/a-missing-file-says-so", test_no_file);
  return g_test_run ();
}
