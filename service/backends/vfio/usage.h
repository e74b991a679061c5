/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/sysfs.h"

/* Whether nothing that a person would miss at once depends on the driver of a PCI device:
 * a mounted file system or swap, also through partitions, dm and md; a console;
 * the only network link that is up. Busy says what it is and what to do. @root
 * is "" but in tests: before "/sys" and "/proc". Blocks. */
gboolean regiond_usage_check (RegiondSysfs *sysfs, const char *root, GError **error);
