/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "mechanisms/proxy.h"
#include "objects.h"

#include <sys/types.h>

#define R REGIOND_ACCESS_READ
#define W REGIOND_ACCESS_WRITE
#define SIZE 64
#define HOLDER 4242 /* a uid that is nobody's */

/* Registers of at most eight bytes a time, which take theirs: each access waits
 * until the gate is open. They begin as 0, 1, 2, … */
#define TYPE_REGISTERS (registers_get_type ())
G_DECLARE_FINAL_TYPE (Registers, registers, TEST, REGISTERS, GObject)

struct _Registers {
  GObject  parent_instance;
  GMutex   lock;
  GCond    changed;
  gboolean open;
  gboolean ended;
  guint    begun, done;
  guint64  offset; /* of the last access */
  gsize    width;
  guint8   bytes[SIZE];
};

void         registers_let (Registers *self, gboolean open);
guint        registers_count_begun (Registers *self);
guint        registers_count_done (Registers *self);

/* What each test of proxied files has. Clearing it waits until nothing keeps
 * the registers. */
typedef struct {
  Objects    objects;
  Registers *registers;
} Proxies;

Proxies      proxies_set_up (void);
void         proxies_clear (Proxies *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Proxies, proxies_clear)

/* A proxied file of HOLDER's, of a part or all of the registers. */
RegiondHold *proxies_open_part (Proxies *self, RegiondAccess access, guint64 offset, guint64 length, int *fd);
RegiondHold *proxies_open (Proxies *self, RegiondAccess access, int *fd);

/* Closes it, and waits until nothing is left of it. */
void         proxies_finish (RegiondHold **hold, int fd);

/* A process of the holder's, which has the file as its fd 3 and not, as a child
 * would, the server's end of it; what @act returns is its exit status. */
typedef int (*Act) (int fd);

pid_t        holder_start (Act act, int fd);
gboolean     holder_has_ended (pid_t pid, int *status);
int          holder_run (Act act, int fd);

/* An act: 0, or the errno of reading one byte. */
int          read_once (int fd);
