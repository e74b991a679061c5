/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* How many cells wide the terminal @fd is; 0 when it is none, for then
 * everything is to be written in full. */
guint ctl_terminal_get_width (int fd);
