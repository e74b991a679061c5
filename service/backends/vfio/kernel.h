/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* What this kernel does about mappings of a BAR that a driver has claimed. It is
 * found out by effect, not by version or configuration. */
typedef enum {
  REGIOND_KERNEL_UNKNOWN, /* nothing has shown it yet */
  REGIOND_KERNEL_STRICT,  /* takes them away and refuses new ones (CONFIG_IO_STRICT_DEVMEM) */
  REGIOND_KERNEL_LAX,     /* lets them be: no mapping can be taken from its holder */
  REGIOND_KERNEL_LOCKED,  /* gives no mapping at all (lockdown=integrity, Secure Boot) */
} RegiondKernel;

/* What mapping a page of a BAR's sysfs file, which is not touched, says. @claimed:
 * a driver has claimed the BAR; without that being known only a refusal says
 * anything. */
RegiondKernel regiond_kernel_try (int fd, gboolean claimed);

/* Tries the BARs of all devices below @folder ("/sys/bus/pci/devices") that have a
 * driver. Blocks for some milliseconds. */
RegiondKernel regiond_kernel_probe (const char *folder);

/* What is known. Probed the first time. Any thread. */
RegiondKernel regiond_kernel_get (void);

/* A device has shown it: a BAR that was claimed for certain. Any thread. */
void          regiond_kernel_learn (RegiondKernel shown);

/* Calls @func on the main thread whenever what is known has changed: with it what
 * every device offers. There is one listener; NULL: none. Main thread. */
typedef void (*RegiondKernelFunc) (gpointer data);
void          regiond_kernel_listen (RegiondKernelFunc func, gpointer data);
