/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/handle.h"

/* Writes zeros all over the region of this index, which has to be one that behaves
 * like memory, through a mapping. Blocks: some gigabytes a second at the most.
 * Failed, LimitExceeded. */
gboolean regiond_zero_region (RegiondHandle *handle, guint index, GError **error);
