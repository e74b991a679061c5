/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Gives memory back to the machine some time after somebody has called
 * GetManagedObjects, whose answer may take megabytes for a moment: freed, they
 * would stay in the heap. (GLib before 2.76 needs G_SLICE=always-malloc in the
 * environment for it to be any use, as the unit has it.) For as long as
 * @connection lives. */
void regiond_trim_after_listings (GDBusConnection *connection);
