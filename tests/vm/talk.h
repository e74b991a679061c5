/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* alice runs docs/examples/region-talk, on whichever side of a virtual machine. */
typedef struct
{
  GSubprocess *process;
  GOutputStream *in;
  GDataInputStream *out;
} Talk;

/* END: "0" or "1". Returns when it has the region open. */
Talk *talk_start (const char *device,
                  const char *region,
                  const char *end);

void talk_say (Talk *talk,
               const char *text);

/* Waits until the other end has said TEXT, and nothing else before. */
void talk_expect (Talk *talk,
                  const char *text);

/* SIGKILL, and waits until it is gone. */
void talk_kill (Talk *talk);

void talk_free (Talk *talk);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Talk, talk_free)
