/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The least that any server of a FUSE file must do: libfuse3's own loop, a
 * blocking read of /dev/fuse, answers from an array. Nothing is checked but the
 * end of the array, nothing is counted, nothing can be cut.
 *
 * bench-bare-fuse SOCKET listens there. Whoever connects and sends a number
 * gets so many files, each on a connection and a detached mount of its own, as
 * the fds of their mounts: a process serves them, one thread for each, until
 * nobody has one open any more. A single file is served by a process with a
 * single thread.
 */

#include "bare.h"
#include "files.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The holder, as in regiond's attributes. */
static uid_t
peer_uid (int peer)
{
  struct ucred credentials;
  socklen_t length = sizeof credentials;

  if (getsockopt (peer, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
    bench_die ("SO_PEERCRED: %s", g_strerror (errno));
  return credentials.uid;
}

static void
send_fd (int peer,
         int fd)
{
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE (sizeof fd)];
  } control = { .header = { CMSG_LEN (sizeof fd), SOL_SOCKET, SCM_RIGHTS } };
  struct iovec byte = { (char *) "", 1 };
  struct msghdr message = {
    .msg_iov = &byte, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space,
  };

  memcpy (CMSG_DATA (&control.header), &fd, sizeof fd);
  if (sendmsg (peer, &message, MSG_NOSIGNAL) < 0)
    bench_die ("sending a file: %s", g_strerror (errno));
}

static void *
serve (void *data)
{
  fuse_session_loop (data);
  return NULL;
}

/* Returns when the last file is closed. */
static void
serve_files (int peer)
{
  struct fuse_session *sessions[BENCH_FILES_MOST];
  uid_t uid = peer_uid (peer);
  pthread_t thread;
  guint count;

  if (recv (peer, &count, sizeof count, 0) != sizeof count || count < 1 || count > BENCH_FILES_MOST)
    bench_die ("a client has asked for no number of files");

  for (guint i = 0; i < count; i++)
    {
      int mount;

      sessions[i] = bare_session_new (uid, &mount);
      send_fd (peer, mount);
      close (mount);
    }
  close (peer);

  for (guint i = 1; i < count; i++)
    if (pthread_create (&thread, NULL, serve, sessions[i]) != 0)
      bench_die ("starting a thread failed");
  serve (sessions[0]);
  pthread_exit (NULL);
}

static int
listen_at (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int listener = socket (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  if (listener < 0 || bind (listener, (struct sockaddr *) &address, sizeof address) < 0 || chmod (path, 0666) < 0 ||
      listen (listener, 16) < 0)
    bench_die ("%s: %s", path, g_strerror (errno));
  return listener;
}

int
main (int    argc,
      char **argv)
{
  int listener;

  if (argc != 2)
    bench_die ("usage: bench-bare-fuse SOCKET");
  signal (SIGCHLD, SIG_IGN);
  listener = listen_at (argv[1]);
  for (;;)
    {
      int peer = accept4 (listener, NULL, NULL, SOCK_CLOEXEC);

      if (peer < 0)
        bench_die ("accept: %s", g_strerror (errno));
      if (fork () == 0)
        {
          close (listener);
          serve_files (peer);
        }
      close (peer);
    }
}
