/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#define DEFAULT_WIDTH 80

guint
ctl_terminal_get_width (int fd)
{
  struct winsize size = { 0 };

  if (!isatty (fd))
    return 0;
  /* A serial line does not know its width. */
  if (ioctl (fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return DEFAULT_WIDTH;

  return size.ws_col;
}
