/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/gate.h"
#include "mechanisms/source.h"
#include "region.h"

/* A region of a device as one proxied lease reaches it. An access of 1, 2, 4 or 8 bytes
 * that is naturally aligned is one access of that width, or EINVAL where the
 * region cannot do that; any other one is made in naturally aligned pieces of at
 * most 4 bytes, in rising order, as vfio-pci itself does it. What has been
 * written before an error stays written. The lease's end is one (ENOTCONN): it stops
 * what is made in pieces before the next one. */
#define REGIOND_TYPE_APERTURE (regiond_aperture_get_type ())
G_DECLARE_FINAL_TYPE (RegiondAperture, regiond_aperture, REGIOND, APERTURE, GObject)

RegiondAperture *regiond_aperture_new (RegiondGate *gate, RegiondRegion *region);
