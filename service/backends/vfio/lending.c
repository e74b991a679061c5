/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/lending.h"

#include "backends/vfio/aperture.h"
#include "error.h"
#include "mechanisms/proxy.h"

#include <unistd.h>

static RegiondHold *
open_bar (const RegiondLendingMeans *self,
          const RegiondWindow       *window,
          int                       *fd,
          GError                   **error)
{
  RegiondBar *bar = regiond_bars_get (self->bars, window->region->index);
  g_autoptr (RegiondHold) hold = NULL;
  RegiondWitness witness;

  if (bar == NULL)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED, "Region %s cannot be mapped", window->region->name);
      return NULL;
    }

  hold = regiond_bar_open (bar, window->access, window->write_combining, &witness, fd, error);
  if (hold == NULL)
    return NULL;

  /* On record before anybody has it. */
  if (regiond_loans_lend (self->loans, self->device, witness.keyring, error))
    return g_steal_pointer (&hold);

  close (*fd);
  *fd = -1;
  return NULL;
}

static RegiondHold *
open_proxy (const RegiondLendingMeans *self,
            RegiondSource             *source,
            const RegiondWindow       *window,
            int                       *fd,
            GError                   **error)
{
  RegiondProxyTerms terms = {
    .source = source,
    .offset = window->offset,
    .length = window->length,
    .access = window->access,
    .uid = window->uid,
  };

  return regiond_proxy_open (self->server, self->watch, &terms, fd, error);
}

static RegiondHold *
open_rom (const RegiondLendingMeans *self,
          const RegiondWindow       *window,
          int                       *fd,
          GError                   **error)
{
  g_autoptr (RegiondMemfd) snapshot = regiond_snapshot_get (self->snapshot, error);

  if (snapshot == NULL)
    return NULL;
  if (window->access & REGIOND_ACCESS_MAP)
    return regiond_memfd_open (snapshot, window->access, fd, error);
  return open_proxy (self, REGIOND_SOURCE (snapshot), window, fd, error);
}

RegiondHold *
regiond_lending_open (const RegiondLendingMeans *self,
                      const RegiondWindow       *window,
                      int                       *fd,
                      GError                   **error)
{
  g_autoptr (RegiondSource) source = NULL;

  if (g_str_equal (window->region->kind, "rom"))
    return open_rom (self, window, fd, error);
  if (window->access & REGIOND_ACCESS_MAP)
    return open_bar (self, window, fd, error);

  if (g_str_equal (window->region->kind, "config"))
    source = regiond_config_open (self->config, window->exclusive);
  else
    source = REGIOND_SOURCE (regiond_aperture_new (self->gate, window->region));
  return open_proxy (self, source, window, fd, error);
}
