/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "options.h"
#include "window.h"

/* As much as there is, up to @length: what comes in pieces is written as one. */
static gssize
read_full (int      fd,
           guint8  *buffer,
           gsize    length,
           GError **error)
{
  gsize done = 0;
  gssize got = 1;

  while (done < length && got != 0)
    {
      got = read (fd, buffer + done, length - done);
      if (got == -1 && errno != EINTR)
        {
          g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "Can not read the input: %s", g_strerror (errno));
          return -1;
        }
      done += MAX (got, 0);
    }

  return done;
}

/* A file that is too long is refused before any of it is written. */
static gboolean
check_length (int      fd,
              guint64  room,
              GError **error)
{
  struct stat status;
  off_t position = lseek (fd, 0, SEEK_CUR);

  if (position == -1 || fstat (fd, &status) == -1 || !S_ISREG (status.st_mode) ||
      status.st_size <= position || (guint64) (status.st_size - position) <= room)
    return TRUE;

  g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED,
               "The input has %" G_GINT64_FORMAT " bytes, but there is only room for %" G_GUINT64_FORMAT "; "
               "nothing was written", (gint64) (status.st_size - position), room);
  return FALSE;
}

static gboolean
copy (int        fd,
      CtlWindow *window,
      GError   **error)
{
  g_autofree guint8 *bytes = g_malloc (CTL_WINDOW_CHUNK);
  guint64 room = ctl_window_get_length (window);
  guint64 done = 0;
  gssize got = 1;

  while (done < room && got > 0)
    {
      got = read_full (fd, bytes, MIN (room - done, CTL_WINDOW_CHUNK), error);
      if (got > 0 && !ctl_window_write (window, done, bytes, got, error))
        return FALSE;
      done += MAX (got, 0);
    }

  if (got > 0)
    got = read_full (fd, bytes, 1, error);
  if (got > 0)
    g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED,
                 "The region was full after %" G_GUINT64_FORMAT " bytes; the rest of the input was not written", done);
  return got == 0;
}

static gboolean
fill (CtlWindow  *window,
      const char *input,
      GError    **error)
{
  int fd = STDIN_FILENO;
  gboolean done;

  if (input != NULL)
    fd = open (input, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd == -1)
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_FAILED, "Can not open %s: %s", input, g_strerror (errno));
      return FALSE;
    }

  done = check_length (fd, ctl_window_get_length (window), error) && copy (fd, window, error);
  if (input != NULL)
    close (fd);
  return done;
}

int
ctl_verb_write (const CtlVerb *verb,
                int            argc,
                char         **argv,
                GError       **error)
{
  g_autofree char *input = NULL;
  const GOptionEntry entries[] = {
    { "input", 'i', 0, G_OPTION_ARG_FILENAME, &input, "Read from FILE", "FILE" },
    { NULL }
  };
  g_autoptr (CtlBus) bus = NULL;
  g_autoptr (CtlWindow) window = NULL;
  CtlRange range;

  if (!ctl_options_parse (verb, entries, &argc, &argv, error) ||
      !ctl_range_parse (argc > 2 ? argv[2] : NULL, NULL, &range, error))
    return CTL_STATUS_USAGE;

  bus = ctl_options_connect (error);
  window = bus == NULL ? NULL : ctl_window_open (bus, argv[0], argv[1], TRUE, &range, error);
  if (window == NULL || !fill (window, input, error) || !ctl_window_close (window, error))
    return CTL_STATUS_FAILED;

  return CTL_STATUS_OK;
}
