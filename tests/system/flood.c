/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "flood.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deadline.h"

#define SENT_MS 120000

Flood *
flood_new (uid_t uid,
           guint n)
{
  g_autofree char *user = g_strdup_printf ("%u", uid), *number = g_strdup_printf ("%u", n);
  const char *const argv[] = { g_getenv ("REGIOND_TEST_FLOODER"), user, number, NULL };
  Flood *flood = g_new0 (Flood, 1);
  int pair[2];
  ProcessFd fds[] = { { -1, 3 }, { -1, 0 } };

  g_assert_nonnull (argv[0]);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), ==, 0);
  fds[0].fd = pair[1];
  flood->n = n;
  flood->process = process_spawn (argv, NULL, fds, NULL);
  flood->control = pair[0];
  close (pair[1]);
  flood_wait_sent (flood);
  return flood;
}

void
flood_open (Flood *flood,
            const char *device,
            const char *region,
            const char *access,
            guint times)
{
  dprintf (flood->control, "open %s %s %s %u\n", device, region, access, times);
}

void
flood_drop (Flood *flood,
            guint times)
{
  dprintf (flood->control, "drop %u\n", times);
}

void
flood_release (Flood *flood,
               const char *path)
{
  dprintf (flood->control, "release %s\n", path);
  flood_wait_sent (flood);
}

gboolean
flood_has_sent (Flood *flood,
                guint *sent)
{
  struct pollfd polled = { flood->control, POLLIN, 0 };
  char line[64] = "";

  if (poll (&polled, 1, 0) <= 0)
    return FALSE;

  g_assert_cmpint (read (flood->control, line, sizeof line - 1), >, 0);
  g_assert_cmpint (sscanf (line, "sent %u", sent), ==, 1);
  return TRUE;
}

typedef struct
{
  Flood *flood;
  guint sent;
} Sending;

static gboolean
has_sent (gpointer data)
{
  Sending *sending = data;

  return flood_has_sent (sending->flood, &sending->sent);
}

guint
flood_wait_sent (Flood *flood)
{
  Sending sending = { flood, 0 };

  wait_until (has_sent, &sending, SENT_MS, "a flood to be sent");
  return sending.sent;
}

void
flood_free (Flood *flood)
{
  process_signal (flood->process, SIGKILL);
  process_free (flood->process);
  close (flood->control);
  g_free (flood);
}
