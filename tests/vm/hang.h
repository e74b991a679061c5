/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A file of a device in sysfs whose opening does not come back. */
typedef struct
{
  char *fifo;
  char *file;
} Hang;

void hang_start (Hang *self,
                 const char *address,
                 const char *name);

/* Who hangs comes back: who reads, with TEXT; who writes (TEXT is NULL), with what he
 * has written. Whoever comes next does not hang. */
void hang_end (Hang *self,
               const char *text);

/* Whoever hung has been killed. */
void hang_stop (Hang *self);
