/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Does any process still reach a BAR through a mapping of its file in sysfs?
 *
 * A claim zaps the mappings that there are and refuses new ones; but one that
 * mmap(2) is making at that moment, on another processor, is missed, and works
 * on (the kernel looks for the claim before, and lists the mapping after, its
 * pages are there). So after a claim it is to be looked. */
typedef enum {
  REGIOND_MAPPINGS_NONE,    /* every mapping is zapped, or there is none */
  REGIOND_MAPPINGS_LIVE,    /* one has its pages */
  REGIOND_MAPPINGS_UNKNOWN, /* it cannot be told: not permitted, or the holders do not stand still */
} RegiondMappings;

/* Looks at the mappings of the open @files in all processes; `resourceN` and
 * `resourceN_wc` are two files. The claim is held.
 *
 * One byte of each mapping is read through /proc/PID/mem: EIO if it was zapped
 * (proc(5); pci_phys_vm_ops in drivers/pci/mmap.c). That is an access to the
 * device, so its memory decoding is to be off. Reading /proc/PID/maps waits for
 * an mmap(2) under way. NONE only if two looks in a row have found the same, and
 * no thread of a process that has such a mapping ran in between: it might have
 * moved the mapping from where it was being looked for.
 *
 * Needs CAP_SYS_PTRACE and everybody's /proc/PID. Blocks: some milliseconds for
 * each hundred processes, half a second or four looks while holders keep running,
 * and until @deadline (monotonic µs) at the most: whoever keeps his mappings busy
 * can hold up for any time who reads of them. UNKNOWN then, and where there are no files. */
RegiondMappings regiond_mappings_look (const int *files, guint n_files, gint64 deadline);
