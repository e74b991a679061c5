/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/sysfs.h"

/* A device's folder as sysfs has it, made of plain files in a temporary one. */
typedef struct {
  char         *top;
  char         *folder; /* TOP/0000:00:10.0 */
  RegiondSysfs *sysfs;
} SysfsTree;

SysfsTree sysfs_tree_set_up (void);
void  sysfs_tree_clear (SysfsTree *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SysfsTree, sysfs_tree_clear)

/* A file of these bytes; @size -1 for a text. A name may have a folder in it. */
void  sysfs_tree_put (SysfsTree *self, const char *name, gconstpointer bytes, gssize size);

/* A link to something of that name elsewhere. */
void  sysfs_tree_link (SysfsTree *self, const char *name, const char *target);

/* What a file says now, or NULL. */
char *sysfs_tree_get (SysfsTree *self, const char *name);

/* The device is unplugged; its folder is gone. */
void  sysfs_tree_unplug (SysfsTree *self);

/* Another one is plugged in. */
void  sysfs_tree_plug (SysfsTree *self);

/* Removes what is there, and all below it: links as such. */
void  sysfs_tree_wipe (const char *path);
