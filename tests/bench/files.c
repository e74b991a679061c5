/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "files.h"

#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
connect_to (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int peer = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  if (peer < 0 || connect (peer, (struct sockaddr *) &address, sizeof address) < 0)
    bench_die ("%s: %s", path, g_strerror (errno));
  return peer;
}

static int
receive_fd (int peer)
{
  int fd;
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE (sizeof fd)];
  } control;
  char byte;
  struct iovec room = { &byte, 1 };
  struct msghdr message = {
    .msg_iov = &room, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space,
  };

  if (recvmsg (peer, &message, MSG_CMSG_CLOEXEC) != 1 || message.msg_controllen < sizeof control.header)
    bench_die ("the bare server has sent no file");
  memcpy (&fd, CMSG_DATA (&control.header), sizeof fd);
  return fd;
}

void
bench_bare_files (const char *socket,
                  int        *fds,
                  guint       count)
{
  int peer = connect_to (socket);

  if (send (peer, &count, sizeof count, MSG_NOSIGNAL) != sizeof count)
    bench_die ("asking the bare server: %s", g_strerror (errno));
  for (guint i = 0; i < count; i++)
    fds[i] = receive_fd (peer);
  close (peer);

  for (guint i = 0; i < count; i++)
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fds[i]);
      int file = open (path, O_RDWR | O_CLOEXEC);

      if (file < 0)
        bench_die ("opening a bare file: %s", g_strerror (errno));
      close (fds[i]);
      fds[i] = file;
    }
}
