/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "question.h"

#include <gio/gio.h>

/* The processes that leases are tied to. One epoll set watches over all of them,
 * however many they are. Main thread only. */
typedef struct _RegiondBonds RegiondBonds;

/* LimitExceeded or Failed when the kernel gives no epoll set. */
RegiondBonds *regiond_bonds_new (GError **error);

/* Only when no bond is left that is watched. */
void          regiond_bonds_free (RegiondBonds *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondBonds, regiond_bonds_free)

/* What a lease has to do with one process: known by a pidfd, so that a number that the
 * kernel uses again is not taken for it. */
typedef struct _RegiondBond RegiondBond;

/* Whether @fd is a pidfd, of whatever process: what its link in /proc is called. Asks
 * no file system, and so does not block whatever it is. */
gboolean     regiond_bond_is_pidfd (int fd);

/* @pidfd is copied. InvalidArgs: it is none, is a thread's, or of a process that has no
 * number here (a foreign PID namespace). NotFound: the process has ended. LimitExceeded,
 * Failed. */
RegiondBond *regiond_bond_new (int pidfd, GError **error);
void         regiond_bond_free (RegiondBond *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondBond, regiond_bond_free)

/* As the process was when the bond was made. The user is the real one: that is whom polkit
 * sees in a process. */
guint32      regiond_bond_get_pid (RegiondBond *self);
guint32      regiond_bond_get_uid (RegiondBond *self);

/* FALSE with Gone when the process has ended, and with Busy when its user or unit is another, for polkit was
 * asked about those. What has been found out by its number until now was about it if this is TRUE. */
gboolean     regiond_bond_check (RegiondBond *self, GError **error);

/* Adds target_pid, target_uid and target_unit. */
void         regiond_bond_add_details (RegiondBond *self, RegiondQuestion *question);

/* The process as one whom polkit can be asked about: number, start time and user. */
PolkitSubject *regiond_bond_make_subject (RegiondBond *self);

typedef void (*RegiondBondFunc) (gpointer data);

/* Calls @func once, when the process has ended; at once, from the main loop, where it has
 * already. Until the bond is freed. LimitExceeded, Failed. */
gboolean     regiond_bond_watch (RegiondBond *self, RegiondBonds *bonds, RegiondBondFunc func, gpointer data,
                                 GError **error);

/* The unit of the system's service manager that a process belongs to, by the text of its
 * /proc/PID/cgroup: the service or scope right below the slices. What others name further down, or
 * where there is no unit, is none of the system's. "" where there is none. */
char        *regiond_bond_find_unit (const char *cgroups);
