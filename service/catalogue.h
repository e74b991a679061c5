/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/backend.h"

/* What a backend offers now, as in the Regions property of its device: by name
 * what each of @regions is and the most that can be had of it. Floating. */
GVariant *regiond_catalogue_describe (RegiondBackend *backend, GPtrArray *regions);
