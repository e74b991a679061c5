/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "error.h"

struct _CtlSink
{
  char *name;
  int fd;
};

static gboolean
fail (const char *what,
      const char *name,
      GError    **error)
{
  g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "%s %s: %s", what, name, g_strerror (errno));
  return FALSE;
}

CtlSink *
ctl_sink_open (const char *path,
               GError    **error)
{
  CtlSink *sink;
  int fd = STDOUT_FILENO;

  if (path != NULL)
    fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
  if (fd == -1)
    {
      fail ("Can not open", path, error);
      return NULL;
    }

  sink = g_new0 (CtlSink, 1);
  sink->name = g_strdup (path == NULL ? "the standard output" : path);
  sink->fd = fd;
  return sink;
}

gboolean
ctl_sink_is_terminal (CtlSink *sink)
{
  return isatty (sink->fd);
}

gboolean
ctl_sink_write (CtlSink      *sink,
                gconstpointer data,
                gsize         length,
                GError      **error)
{
  const char *next = data;

  while (length > 0)
    {
      gssize written = write (sink->fd, next, length);

      if (written == -1 && errno != EINTR)
        return fail ("Can not write to", sink->name, error);
      if (written > 0)
        {
          next += written;
          length -= written;
        }
    }

  return TRUE;
}

gboolean
ctl_sink_close (CtlSink *sink,
                GError **error)
{
  int fd = sink->fd;

  if (fd == -1 || fd == STDOUT_FILENO)
    return TRUE;

  sink->fd = -1;
  return close (fd) == 0 || fail ("Can not write to", sink->name, error);
}

void
ctl_sink_free (CtlSink *sink)
{
  ctl_sink_close (sink, NULL);
  g_free (sink->name);
  g_free (sink);
}
