/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Answers for devices and leases that are not there (any more) with NotFound
 * and a sentence, where the bus library would say UnknownMethod; also for a
 * call that is on its way when they go. Returns FALSE when the connection
 * refuses. */
gboolean regiond_absent_register (GDBusConnection *connection, GError **error);
