/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "model.h"

#include <gio/gio.h>

/* What regiond shows of devices and leases to somebody on the bus, against the model: NULL if
 * there is no difference, or the first one. */
char *onlooker_compare (GDBusConnection *bus, Model *model);
