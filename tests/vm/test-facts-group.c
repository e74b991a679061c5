/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "eventually.h"
#include "mapping.h"
#include "vfio.h"

#define BAR 2
/* One that is not there before. */
#define XHCI "qemu-xhci", "1b36:000d"

static Pci *
get_ivshmem (void)
{
  Pci *pci = pci_find (GUEST_IVSHMEM);

  guest_bind (pci->address);
  return pci;
}

static int
try_group (Pci *pci)
{
  int group = vfio_open_group (pci);

  if (group < 0)
    return errno;
  close (group);
  return 0;
}

static void
test_second_open (void)
{
  g_autoptr (Pci) pci = get_ivshmem ();
  g_auto (Vfio) vfio = { 0 };

  vfio_hold (&vfio, pci);
  g_assert_cmpint (try_group (pci), ==, EBUSY);
  vfio_release (&vfio);
  g_assert_cmpint (try_group (pci), ==, 0);
  guest_give_back (pci->address);
}

static void
test_device_fd_again (void)
{
  g_autoptr (Pci) pci = get_ivshmem ();
  g_auto (Vfio) vfio = { 0 };

  vfio_hold (&vfio, pci);
  for (guint i = 0; i < 3; i++)
    {
      vfio_open (&vfio);
      vfio_close (&vfio);
    }
  vfio_release (&vfio);
  guest_give_back (pci->address);
}

/* A process that sleeps has it, when all of ours is closed. */
static void
test_busy_until_the_last (void)
{
  g_autoptr (Pci) pci = get_ivshmem ();
  g_auto (Vfio) vfio = { 0 };
  pid_t child;

  vfio_hold (&vfio, pci);
  vfio_open (&vfio);
  if ((child = fork ()) == 0)
    {
      Mapping mapping;

      prctl (PR_SET_PDEATHSIG, SIGKILL);
      g_assert_cmpint (mapping_try_fd (&mapping, vfio.device, 4096, PROT_READ), ==, 0);
      vfio_release (&vfio);
      for (;;)
        pause ();
    }
  g_usleep (200 * 1000);
  vfio_release (&vfio);
  g_assert_cmpint (try_group (pci), ==, EBUSY);
  kill (child, SIGKILL);
  g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
  g_assert_cmpint (try_group (pci), ==, 0);
  guest_give_back (pci->address);
}

/* Writes in a process of its own, so that it may take as long as it likes; which must not have the device open. */
static pid_t
start_writing (Vfio *vfio,
               const char *name,
               const char *text)
{
  pid_t child = fork ();

  if (child != 0)
    return child;
  vfio_release (vfio);
  _exit (pci_write (vfio->pci, name, text));
}

static pid_t
start_unbinding (Vfio *vfio)
{
  return start_writing (vfio, "driver/unbind", vfio->pci->address);
}

static gboolean
has_ended (pid_t child)
{
  siginfo_t info = { 0 };

  return waitid (P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child;
}

static void
finish_unbinding (pid_t child)
{
  int status;

  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
}

static void
test_unbind_does_not_wait (void)
{
  g_autoptr (Pci) pci = get_ivshmem ();
  g_auto (Vfio) vfio = { 0 };
  g_auto (Mapping) mapping = { -1 };
  pid_t child;

  vfio_hold (&vfio, pci);
  mapping_make (&mapping, pci, BAR, O_RDWR);
  child = start_unbinding (&vfio);
  eventually (has_ended (child));
  finish_unbinding (child);
  g_assert_cmpint (ioctl (vfio.group, VFIO_GROUP_GET_DEVICE_FD, pci->address), ==, -1);
  g_assert_cmpint (errno, ==, ENODEV);
  guest_bind (pci->address);
  g_assert_cmpint (ioctl (vfio.group, VFIO_GROUP_GET_DEVICE_FD, pci->address), ==, -1);
  g_assert_cmpint (errno, ==, ENODEV);
  vfio_release (&vfio);
  vfio_hold (&vfio, pci);
  vfio_open (&vfio);
  vfio_release (&vfio);
  guest_give_back (pci->address);
}

static void
expect_request (int request)
{
  struct pollfd poll_fd = { .fd = request, .events = POLLIN };

  g_assert_cmpint (poll (&poll_fd, 1, 30000), ==, 1);
  close (request);
}

static void
test_request_on_unbind (void)
{
  g_autoptr (Pci) pci = get_ivshmem ();
  g_auto (Vfio) vfio = { 0 };
  pid_t child;
  int request;

  vfio_hold (&vfio, pci);
  vfio_open (&vfio);
  request = vfio_arm_request (&vfio);
  child = start_unbinding (&vfio);
  expect_request (request);
  g_usleep (500 * 1000);
  g_assert_false (has_ended (child));
  vfio_close (&vfio);
  eventually (has_ended (child));
  finish_unbinding (child);
  vfio_release (&vfio);
  guest_give_back (pci->address);
}

static void
test_request_on_remove (void)
{
  g_autoptr (Pci) pci = get_ivshmem ();
  g_auto (Vfio) vfio = { 0 };
  pid_t child;
  int request;

  vfio_hold (&vfio, pci);
  vfio_open (&vfio);
  request = vfio_arm_request (&vfio);
  child = start_writing (&vfio, "remove", "1");
  expect_request (request);
  g_usleep (500 * 1000);
  g_assert_false (has_ended (child));
  vfio_release (&vfio);
  eventually (has_ended (child));
  finish_unbinding (child);
  pci_rescan ();
  eventually (access (pci->folder, F_OK) == 0);
}

static void
test_request_on_unplug (void)
{
  g_autofree char *address = guest_plug (XHCI);
  g_autoptr (Pci) pci = pci_new (address);
  g_auto (Vfio) vfio = { 0 };
  int request;

  guest_bind (address);
  vfio_hold (&vfio, pci);
  vfio_open (&vfio);
  request = vfio_arm_request (&vfio);
  guest_start_unplug ();
  expect_request (request);
  g_assert_cmpint (access (pci->folder, F_OK), ==, 0);
  vfio_release (&vfio);
  guest_finish_unplug ();
}

/* While the kernel wants it back nothing can be reset any more. */
static void
test_no_reset_while_leaving (void)
{
  g_autoptr (Pci) pci = pci_find (GUEST_NVME);
  g_auto (Vfio) vfio = { 0 };
  pid_t child;
  int request, error;

  guest_bind (pci->address);
  vfio_hold (&vfio, pci);
  vfio_open (&vfio);
  g_assert_no_errno (ioctl (vfio.device, VFIO_DEVICE_RESET));
  request = vfio_arm_request (&vfio);
  child = start_unbinding (&vfio);
  expect_request (request);
  error = ioctl (vfio.device, VFIO_DEVICE_RESET) == 0 ? 0 : errno;
  vfio_release (&vfio);
  finish_unbinding (child);
  guest_give_back (pci->address);
  g_assert_cmpint (error, ==, EAGAIN);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/facts-group/a-second-open-is-busy", test_second_open);
  g_test_add_func ("/facts-group/a-held-group-gives-a-device-fd-again-and-again", test_device_fd_again);
  g_test_add_func ("/facts-group/it-is-busy-until-the-last-mapping-is-gone", test_busy_until_the_last);
  g_test_add_func ("/facts-group/unbinding-does-not-wait-for-a-group-and-that-is-dead-then", test_unbind_does_not_wait);
  g_test_add_func ("/facts-group/unbinding-asks-for-the-device-and-waits", test_request_on_unbind);
  g_test_add_func ("/facts-group/removing-asks-for-the-device-and-waits", test_request_on_remove);
  g_test_add_func ("/facts-group/unplugging-asks-for-the-device-and-waits", test_request_on_unplug);
  g_test_add_func ("/facts-group/what-is-asked-for-cannot-be-reset", test_no_reset_while_leaving);
  return g_test_run ();
}
