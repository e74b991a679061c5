/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Wakes somebody when an open file description of a file may have gone, or the
 * files of a folder may be others: one
 * inotify instance for the whole service. Identical unread events merge
 * (facts: three closes may arrive as one), so a call says "look again" and
 * never how often. When the queue overflows, everybody is told to look. The
 * calls come on the main thread; adding and removing may be done on any. */
typedef struct _RegiondWatch RegiondWatch;

typedef void (*RegiondWatchFunc) (gpointer data);

/* Failed or LimitExceeded when the kernel gives no inotify instance. */
RegiondWatch *regiond_watch_new (GError **error);
RegiondWatch *regiond_watch_ref (RegiondWatch *self);
void          regiond_watch_unref (RegiondWatch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondWatch, regiond_watch_unref)

/* Calls @func after closes of the file behind @fd, until removed. Returns an
 * id, or -1 with LimitExceeded (fs.inotify.max_user_watches) or Failed. */
int  regiond_watch_add (RegiondWatch *self, int fd, RegiondWatchFunc func, gpointer data, GError **error);

/* Calls @func once the file system of the file behind @fd has been unmounted:
 * nobody has any file of it open. That is a proof, also when the queue has
 * overflowed. Otherwise as above. */
int  regiond_watch_add_unmount (RegiondWatch *self, int fd, RegiondWatchFunc func, gpointer data, GError **error);

/* Calls @func after files of the folder behind @fd have been made, written, renamed
 * or removed. Otherwise as above. */
int  regiond_watch_add_folder (RegiondWatch *self, int fd, RegiondWatchFunc func, gpointer data, GError **error);

void regiond_watch_remove (RegiondWatch *self, int id);
