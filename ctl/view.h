/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "objects.h"

/* The tables that more than one verb shows, on the standard output, as wide as
 * its terminal. */
void ctl_view_print_devices (GPtrArray *devices,
                             gboolean   legend);
void ctl_view_print_leases  (CtlObjects *objects,
                             gboolean    legend);
void ctl_view_print_regions (const CtlObject *device);
