/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "backends/vfio/handle.h"
#include "mechanisms/memfd.h"

/* The expansion ROM, read whole into a memory object named @name: before any BAR
 * is lent, since a device may have one decoder for both. Its size is that of
 * VFIO's region, rounded up to a page with zeros; a ROM in which nothing is
 * reads as VFIO reads it. Blocks: tens of milliseconds, or more.
 * NotFound where VFIO sees none; Failed, also with memory decoding off (ENOMEM);
 * LimitExceeded, G_IO_ERROR_CANCELLED. */
RegiondMemfd *regiond_rom_read (RegiondHandle *handle, RegiondWatch *watch, RegiondBudget *budget, const char *name,
                                GCancellable *cancellable, GError **error);
