/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* What has happened to a device in our hands, for its owner. Any thread may have found
 * out; the owner hears of it on the main thread, if it is still there. */
typedef struct _RegiondTidings RegiondTidings;

typedef struct {
  void (*changed) (GObject *owner); /* what can be had of it, or its regions */
  void (*failed) (GObject *owner, const GError *failure);
  void (*leaving) (GObject *owner); /* the kernel wants it back */
} RegiondTidingsEvents;

/* @owner is not kept alive. */
RegiondTidings *regiond_tidings_new (GObject *owner, const RegiondTidingsEvents *events);
void            regiond_tidings_unref (RegiondTidings *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondTidings, regiond_tidings_unref)

/* Later. */
void            regiond_tidings_post_changed (RegiondTidings *self);

/* Later; takes @failure. */
void            regiond_tidings_post_failure (RegiondTidings *self, GError *failure);

/* At once: on the main thread. */
void            regiond_tidings_tell_leaving (RegiondTidings *self);
