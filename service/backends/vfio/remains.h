/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* What a former run of the service has lent of a device and may still be somewhere:
 * the serial numbers (gint32) of witnesses (mechanisms/witness.h), which outlive who
 * made them. Any thread. */
typedef struct _RegiondRemains RegiondRemains;

/* Nothing. @device: its address, for messages. */
RegiondRemains *regiond_remains_new (const char *device);
void            regiond_remains_free (RegiondRemains *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondRemains, regiond_remains_free)

/* These as well. A serial number 0 stands for what nothing is known of, and stays. */
void            regiond_remains_add (RegiondRemains *self, GArray *serials);

/* How many there still are; what has proved to be gone is dropped. */
guint           regiond_remains_count (RegiondRemains *self);

/* FALSE with Lingering while there are any: nothing is lent beside them. */
gboolean        regiond_remains_check (RegiondRemains *self, GError **error);
