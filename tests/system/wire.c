/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_MESSAGE (128 * 1024)

static gboolean
send_bytes (int socket_fd,
            const void *bytes,
            gsize length,
            int fd)
{
  char control[CMSG_SPACE (sizeof (int))] = { 0 };
  struct iovec iov = { (void *) bytes, length };
  struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

  if (fd >= 0)
    {
      struct cmsghdr *header;

      message.msg_control = control;
      message.msg_controllen = sizeof control;
      header = CMSG_FIRSTHDR (&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN (sizeof fd);
      memcpy (CMSG_DATA (header), &fd, sizeof fd);
    }
  return TEMP_FAILURE_RETRY (sendmsg (socket_fd, &message, MSG_NOSIGNAL)) == (gssize) length;
}

gboolean
wire_send (int socket_fd,
           const char *const *strings,
           int fd)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  for (guint i = 0; strings[i]; i++)
    g_byte_array_append (bytes, (const guint8 *) strings[i], strlen (strings[i]) + 1);
  g_assert_cmpuint (bytes->len, <, MAX_MESSAGE);
  return send_bytes (socket_fd, bytes->data, bytes->len, fd);
}

gboolean
wire_send_fd (int socket_fd,
              int fd)
{
  return send_bytes (socket_fd, "", 1, fd);
}

static char **
split (const char *bytes,
       gsize length)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (const char *at = bytes; at < bytes + length; at += strlen (at) + 1)
    g_strv_builder_add (builder, at);
  return g_strv_builder_end (builder);
}

char **
wire_receive (int socket_fd,
              int *fd)
{
  g_autofree char *bytes = g_malloc (MAX_MESSAGE);
  char control[CMSG_SPACE (sizeof (int))] = { 0 };
  struct iovec iov = { bytes, MAX_MESSAGE };
  struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                            .msg_controllen = sizeof control };
  struct cmsghdr *header;
  gssize length = TEMP_FAILURE_RETRY (recvmsg (socket_fd, &message, MSG_CMSG_CLOEXEC));

  *fd = -1;
  if (length <= 0)
    return NULL;
  header = CMSG_FIRSTHDR (&message);
  if (header && header->cmsg_type == SCM_RIGHTS)
    memcpy (fd, CMSG_DATA (header), sizeof *fd);
  return split (bytes, length);
}
