/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/sysfs.h"

/* Switches bits of the COMMAND register (linux/pci_regs.h) on and off, by sysfs. Blocks.
 * FALSE with errno. */
gboolean regiond_command_switch (RegiondSysfs *sysfs, guint16 on, guint16 off);
