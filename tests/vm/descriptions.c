/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "descriptions.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

int
descriptions_new (void)
{
  int set = epoll_create1 (EPOLL_CLOEXEC);

  g_assert_no_errno (set);
  return set;
}

int
descriptions_add (int set,
                  int fd,
                  guint64 number)
{
  struct epoll_event event = { .events = 0, .data.u64 = number };

  return epoll_ctl (set, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

static char *
read_info (int set)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fdinfo/%d", set);
  g_autoptr (GError) error = NULL;
  char *text = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

gboolean
descriptions_list (int set,
                   guint64 number)
{
  g_autofree char *text = read_info (set);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (char **line = lines; *line != NULL; line++)
    {
      const char *data = g_str_has_prefix (*line, "tfd:") ? strstr (*line, "data:") : NULL;

      if (data != NULL && g_ascii_strtoull (data + strlen ("data:"), NULL, 16) == number)
        return TRUE;
    }
  return FALSE;
}

guint
descriptions_count (int set)
{
  g_autofree char *text = read_info (set);
  guint count = 0;

  for (const char *line = strstr (text, "tfd:"); line != NULL; line = strstr (line + 1, "tfd:"))
    count++;
  return count;
}

gint32
keyring_join (void)
{
  long serial = syscall (SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);

  g_assert_no_errno (serial);
  return serial;
}

int
keyring_describe (gint32 serial)
{
  return syscall (SYS_keyctl, KEYCTL_DESCRIBE, serial, NULL, 0) < 0 ? errno : 0;
}
