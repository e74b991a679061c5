/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/offer.h"

#include "error.h"

#include <unistd.h>

static RegiondMechanism
refuse (GError    **error,
        RegiondError code,
        const char *message)
{
  g_set_error_literal (error, REGIOND_ERROR, code, message);
  return REGIOND_MECHANISM_NONE;
}

gboolean
regiond_offer_needs_handle (const RegiondRegion *region)
{
  return g_str_equal (region->kind, "vga") || g_str_equal (region->kind, "device-specific");
}

static RegiondMechanism
find_for_rom (const RegiondRegion *region,
              RegiondAccess        access,
              GError             **error)
{
  if (access & REGIOND_ACCESS_WRITE)
    return refuse (error, REGIOND_ERROR_NOT_SUPPORTED, "a ROM can only be read; ask for 'r' or 'rm'");
  if (!(access & REGIOND_ACCESS_MAP))
    return REGIOND_MECHANISM_PROXY;
  if (region->size % sysconf (_SC_PAGESIZE) != 0)
    return refuse (error, REGIOND_ERROR_NOT_SUPPORTED,
                   "only regions of whole pages can be mapped, and this one is smaller; ask for 'r'");
  return REGIOND_MECHANISM_SNAPSHOT;
}

static RegiondMechanism
find_for_mapping (RegiondGrip         *grip,
                  gboolean             held,
                  const RegiondRegion *region,
                  GError             **error)
{
  if (!g_str_equal (region->kind, "mmio"))
    return refuse (error, REGIOND_ERROR_NOT_SUPPORTED,
                   "only memory BARs and the ROM can be mapped; ask for 'r' or 'rw'");
  if (!regiond_bars_fits (region))
    return refuse (error, REGIOND_ERROR_NOT_SUPPORTED,
                   "only BARs of whole pages can be mapped: in the page of this one there may be a neighbour's "
                   "registers; ask for 'r' or 'rw'");
  if (regiond_grip_is_locked (grip))
    return refuse (error, REGIOND_ERROR_NOT_SUPPORTED,
                   "kernel lockdown (Secure Boot, or lockdown= on its command line) gives no mapping of a BAR; "
                   "ask for 'r' or 'rw'");
  if (held)
    return refuse (error, REGIOND_ERROR_LINGERING,
                   "references of ended leases are left, against which the device's BARs are claimed, so none can be "
                   "mapped; end whoever holds them, and wait with Verify, or ask for 'r' or 'rw'");
  if (regiond_grip_is_tethered (grip))
    return refuse (error, REGIOND_ERROR_BUSY,
                   "a region is leased that is reached by way of VFIO alone, which takes every mapping away; wait "
                   "until that lease ends, or ask for 'r' or 'rw'");
  return REGIOND_MECHANISM_BAR;
}

/* While a claim is held, or under lockdown, the handle is open anyway. */
static RegiondMechanism
find_by_handle (RegiondGrip *grip,
                RegiondBars *bars,
                GError     **error)
{
  if (regiond_grip_is_owed (grip) || regiond_grip_is_locked (grip) ||
      regiond_bars_count_references (bars, FALSE) == 0)
    return REGIOND_MECHANISM_PROXY;
  return refuse (error, REGIOND_ERROR_BUSY,
                 "BARs of the device are mapped, and this region is reached by way of VFIO alone, which would take "
                 "them away; wait until those leases end");
}

RegiondMechanism
regiond_offer_find (RegiondGrip         *grip,
                    RegiondBars         *bars,
                    gboolean             held,
                    const RegiondRegion *region,
                    RegiondAccess        access,
                    GError             **error)
{
  if (g_str_equal (region->kind, "rom"))
    return find_for_rom (region, access, error);
  if (access & REGIOND_ACCESS_MAP)
    return find_for_mapping (grip, held, region, error);
  if (g_str_equal (region->kind, "mmio") && held && regiond_grip_is_dark (grip))
    return refuse (error, REGIOND_ERROR_LINGERING,
                   "references of ended leases are left, one of which may be a mapping that is still alive, so the "
                   "device's memory is switched off; end whoever holds them, and wait with Verify");
  if (regiond_offer_needs_handle (region))
    return find_by_handle (grip, bars, error);
  return REGIOND_MECHANISM_PROXY;
}
