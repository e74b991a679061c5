/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "process.h"

/* Alice's session: a bus of its own, a display that nobody sees, dunst, which shows
 * notifications on it, and the installed regiond-agent. */
typedef struct
{
  Process *bus;
  Process *display;
  char *display_name;
  Process *dunst; /* NULL: nobody shows notifications */
  Process *agent;
} Desktop;

/* Whether there is what it takes; else the test is skipped. */
gboolean desktop_is_possible (void);

Desktop *desktop_new (void);
void desktop_free (Desktop *desktop);

/* Another one, which leaves by itself. */
Process *desktop_start_agent (void);

void desktop_start_dunst (Desktop *desktop);
void desktop_kill_dunst (Desktop *desktop);

/* Waits until a notification has been shown that has the text. */
void desktop_wait_shown (Desktop *desktop,
                         const char *text);

/* Everything that has been shown: text of dunst's. */
char *desktop_read_shown (void);

/* Waits until so many are shown. */
void desktop_wait_count (Desktop *desktop,
                         guint count);

/* Presses the button of the one on top. */
void desktop_press (Desktop *desktop);

/* Closes all. */
void desktop_dismiss (Desktop *desktop);
