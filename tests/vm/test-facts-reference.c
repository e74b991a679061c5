/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptions.h"
#include "eventually.h"
#include "mapping.h"

#define CHURNS 300

/* What can hold a reference: makes one of @fd, and lets go of it. The test's own fd is closed in between. */
typedef struct
{
  const char *name;
  void (*make) (int fd);
  void (*let_go) (void);
} Holder;

static int held;
static int ends[2];
static void *memory;

static void
make_dup (int fd)
{
  held = dup (fd);
  g_assert_no_errno (held);
}

static void
let_go_of_dup (void)
{
  close (held);
}

static void
make_child (int fd)
{
  held = fork ();
  g_assert_no_errno (held);
  if (held > 0)
    return;
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  for (;;)
    pause ();
}

static void
let_go_of_child (void)
{
  kill (held, SIGKILL);
  g_assert_cmpint (waitpid (held, NULL, 0), ==, held);
}

static void
make_mapping (int fd)
{
  memory = mmap (NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  g_assert_true (memory != MAP_FAILED);
}

static void
let_go_of_mapping (void)
{
  munmap (memory, 4096);
}

static void
make_message (int fd)
{
  char control[CMSG_SPACE (sizeof fd)] = { 0 };
  struct iovec data = { "", 1 };
  struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);

  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN (sizeof fd);
  memcpy (CMSG_DATA (header), &fd, sizeof fd);
  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  g_assert_cmpint (sendmsg (ends[0], &message, 0), ==, 1);
}

static void
let_go_of_message (void)
{
  close (ends[0]);
  close (ends[1]);
}

static const Holder holders[] = {
  { "dup", make_dup, let_go_of_dup },
  { "child", make_child, let_go_of_child },
  { "mapping", make_mapping, let_go_of_mapping },
  { "unread-message", make_message, let_go_of_message },
};

static Pci *
get_ivshmem (void)
{
  Pci *pci = pci_find (GUEST_IVSHMEM);

  guest_bind (pci->address);
  return pci;
}

static void
test_listed (gconstpointer data)
{
  const Holder *holder = data;
  g_autoptr (Pci) pci = get_ivshmem ();
  int set = descriptions_new (), fd = pci_open (pci, "resource2", O_RDWR), other = pci_open (pci, "resource2", O_RDWR);

  g_assert_cmpint (descriptions_add (set, fd, 7), ==, 0);
  g_assert_cmpint (descriptions_add (set, other, 8), ==, 0);
  holder->make (fd);
  close (fd);
  g_assert_true (descriptions_list (set, 7));
  if (holder->make == make_child)
    g_test_message ("(the child has the other one and the set as well)");
  holder->let_go ();
  eventually (!descriptions_list (set, 7));
  g_assert_true (descriptions_list (set, 8));
  close (other);
  g_assert_cmpuint (descriptions_count (set), ==, 0);
  close (set);
}

/* Others open and close without end, on every processor, each with a set of its own: none is seen too long, or lost. */
static void
churn (Pci *pci,
       guint salt)
{
  int set = descriptions_new (), standing = pci_open (pci, "resource2", O_RDWR);

  g_assert_cmpint (descriptions_add (set, standing, 1), ==, 0);
  for (guint64 number = 2; number < CHURNS; number++)
    {
      int fd = pci_open (pci, "resource2", O_RDWR), copy;

      g_assert_cmpint (descriptions_add (set, fd, number), ==, 0);
      copy = dup (fd);
      close (fd);
      if ((number + salt) % 3 == 0)
        make_mapping (copy);
      g_assert_true (descriptions_list (set, number));
      if ((number + salt) % 3 == 0)
        {
          close (copy);
          g_assert_true (descriptions_list (set, number));
          let_go_of_mapping ();
        }
      else
        close (copy);
      g_assert_false (descriptions_list (set, number));
      g_assert_cmpuint (descriptions_count (set), ==, 1);
    }
}

static void
test_churn (void)
{
  g_autoptr (Pci) pci = get_ivshmem ();
  guint count = 2 * guest_cpus ();

  for (guint i = 0; i < count; i++)
    if (fork () == 0)
      {
        churn (pci, i);
        _exit (0);
      }
  for (guint i = 0; i < count; i++)
    {
      int status;

      g_assert_cmpint (waitpid (-1, &status, 0), >, 0);
      g_assert_cmpint (status, ==, 0);
    }
}

static void
test_memfd_in_epoll (void)
{
  int set = descriptions_new (), memfd = memfd_create ("memory", MFD_CLOEXEC);

  g_assert_cmpint (descriptions_add (set, memfd, 1), ==, EPERM);
  close (memfd);
  close (set);
}

static int
open_resource (void)
{
  g_autoptr (Pci) pci = get_ivshmem ();

  return pci_open (pci, "resource2", O_RDWR);
}

static int
open_memfd (void)
{
  int memfd = memfd_create ("memory", MFD_CLOEXEC);
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", memfd);
  int fd;

  g_assert_no_errno (ftruncate (memfd, 4096));
  fd = open (path, O_RDWR | O_CLOEXEC);
  close (memfd);
  return fd;
}

typedef int (*Open) (void);

/* Under a keyring that nothing else has: its serial. */
static gint32
open_witnessed (Open open_file,
                int *fd)
{
  gint32 serial = keyring_join ();

  *fd = open_file ();
  g_assert_cmpint (*fd, >=, 0);
  keyring_join ();
  return serial;
}

static void
witness (Open open_file)
{
  for (guint i = 0; i < G_N_ELEMENTS (holders); i++)
    {
      int fd, copy;
      gint32 serial, control;
      gint64 start;

      serial = open_witnessed (open_file, &fd);
      holders[i].make (fd);
      close (fd);
      /* Whatever is told late has been told by then. */
      control = open_witnessed (open_file, &copy);
      close (copy);
      eventually (keyring_describe (control) == ENOKEY);
      g_assert_cmpint (keyring_describe (serial), !=, ENOKEY);
      holders[i].let_go ();
      start = g_get_monotonic_time ();
      eventually (keyring_describe (serial) == ENOKEY);
      g_test_message ("%s: the keyring is gone after %u ms", holders[i].name, (guint) ((g_get_monotonic_time () - start) / 1000));
    }
}

static void
test_witness_of_resource (void)
{
  witness (open_resource);
}

static void
test_witness_of_memfd (void)
{
  witness (open_memfd);
}

/* What a process that has never had anything to do with the keyring is told of it, as root and as somebody. */
static int
describe_elsewhere (gint32 serial,
                    uid_t uid)
{
  pid_t child = fork ();
  int status;

  if (child == 0)
    {
      if (uid != 0 && setresuid (uid, uid, uid) < 0)
        _exit (255);
      keyring_join ();
      _exit (keyring_describe (serial));
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

/* The opener hands the description on and dies; who comes after him knows the serial alone. */
static void
test_witness_outlives_opener (void)
{
  int channel[2], numbers[2], status, fd;
  char control[CMSG_SPACE (sizeof fd)];
  struct iovec data = { &(char){ 0 }, 1 };
  struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
  gint32 serial;
  int as_root, as_somebody;
  pid_t opener;

  g_assert_no_errno (pipe (numbers));
  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel));
  if ((opener = fork ()) == 0)
    {
      serial = open_witnessed (open_resource, &fd);
      make_message (fd);
      /* Passed on by the socket, which is passed on itself. */
      g_assert_cmpint (write (numbers[1], &serial, sizeof serial), ==, sizeof serial);
      g_assert_cmpint (recvmsg (ends[1], &message, 0), ==, 1);
      message.msg_controllen = sizeof control;
      g_assert_cmpint (sendmsg (channel[1], &message, 0), ==, 1);
      _exit (0);
    }
  g_assert_cmpint (read (numbers[0], &serial, sizeof serial), ==, sizeof serial);
  g_assert_cmpint (waitpid (opener, &status, 0), ==, opener);
  g_assert_cmpint (status, ==, 0);
  close (channel[1]);
  g_usleep (200 * 1000);
  as_root = describe_elsewhere (serial, 0);
  as_somebody = describe_elsewhere (serial, 65534);
  g_test_message ("alive: to root %s, to somebody %s", g_strerror (as_root), g_strerror (as_somebody));
  g_assert_cmpint (as_root, ==, 0);
  g_assert_cmpint (as_somebody, ==, EACCES);

  close (channel[0]);
  eventually (describe_elsewhere (serial, 0) == ENOKEY);
}

static int
ask_for_lease (int fd)
{
  int error = fcntl (fd, F_SETLEASE, F_WRLCK) == 0 ? 0 : errno;

  if (error == 0)
    fcntl (fd, F_SETLEASE, F_UNLCK);
  return error;
}

/* Granted exactly while nobody else has a description or a mapping; a reader counts thanks to IMA. */
static void
lease_tells (int flags)
{
  for (guint i = 0; i < G_N_ELEMENTS (holders); i++)
    {
      int own = open_memfd (), fd;
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", own);

      /* The child would have the test's own description as well, which is no other. */
      g_assert_cmpint (ask_for_lease (own), ==, 0);
      fd = open (path, flags | O_CLOEXEC);
      holders[i].make (fd);
      close (fd);
      g_assert_cmpint (ask_for_lease (own), ==, EAGAIN);
      holders[i].let_go ();
      eventually (ask_for_lease (own) == 0);
      close (own);
    }
}

static void
test_lease_and_writers (void)
{
  lease_tells (O_RDWR);
}

static void
test_lease_and_readers (void)
{
  lease_tells (O_RDONLY);
}

static guint
count_events (int notify)
{
  char buffer[4096] __attribute__ ((aligned (8)));
  guint count = 0;
  gssize size = read (notify, buffer, sizeof buffer);

  for (gssize at = 0; at < size; at += sizeof (struct inotify_event) + ((struct inotify_event *) (buffer + at))->len)
    count++;
  return count;
}

/* It wakes, and does not count. */
static void
test_inotify (void)
{
  g_autoptr (Pci) pci = get_ivshmem ();
  g_autofree char *path = g_build_filename (pci->folder, "resource2", NULL);
  int notify = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK), fd = pci_open (pci, "resource2", O_RDWR);
  struct pollfd poll_fd = { .fd = notify, .events = POLLIN };

  g_assert_cmpint (inotify_add_watch (notify, path, IN_CLOSE), >=, 0);
  make_mapping (fd);
  close (fd);
  g_assert_cmpint (poll (&poll_fd, 1, 0), ==, 0);
  let_go_of_mapping ();
  g_assert_cmpint (poll (&poll_fd, 1, 30000), ==, 1);
  g_assert_cmpuint (count_events (notify), ==, 1);

  for (guint i = 0; i < 3; i++)
    close (pci_open (pci, "resource2", O_RDWR));
  g_assert_cmpint (poll (&poll_fd, 1, 30000), ==, 1);
  g_assert_cmpuint (count_events (notify), ==, 1);
  close (notify);
}

/* Nothing stays bound for the next program. */
static void
test_give_back (void)
{
  g_autoptr (Pci) pci = get_ivshmem ();

  guest_give_back (pci->address);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (holders); i++)
    {
      g_autofree char *path = g_strdup_printf ("/facts-reference/epoll-lists-a-description-until-the-last/%s", holders[i].name);

      g_test_add_data_func (path, &holders[i], test_listed);
    }
  g_test_add_func ("/facts-reference/epoll-lists-exactly-the-living-in-a-crowd", test_churn);
  g_test_add_func ("/facts-reference/epoll-takes-no-memfd", test_memfd_in_epoll);
  g_test_add_func ("/facts-reference/a-keyring-lives-as-long-as-a-description-of-a-bar", test_witness_of_resource);
  g_test_add_func ("/facts-reference/a-keyring-lives-as-long-as-a-description-of-memory", test_witness_of_memfd);
  g_test_add_func ("/facts-reference/a-new-process-can-judge-a-keyring-by-its-serial", test_witness_outlives_opener);
  g_test_add_func ("/facts-reference/a-lease-of-a-memfd-tells-of-writers", test_lease_and_writers);
  g_test_add_func ("/facts-reference/a-lease-of-a-memfd-tells-of-readers", test_lease_and_readers);
  g_test_add_func ("/facts-reference/inotify-wakes-at-the-last-close-and-merges", test_inotify);
  g_test_add_func ("/facts-reference/the-device-is-given-back", test_give_back);
  return g_test_run ();
}
