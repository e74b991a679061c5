/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "objects.h"

#include "fixture.h"
#include "region.h"

#include <unistd.h>

static void
add (Objects    *self,
     const char *name,
     guint64     size)
{
  g_ptr_array_add (self->regions, regiond_region_new_memory (name, self->regions->len, size, NULL));
}

Objects
objects_set_up (guint64 most)
{
  g_autoptr (GError) error = NULL;
  Objects self;

  self.watch = regiond_watch_new (&error);
  g_assert_no_error (error);
  self.budget = regiond_budget_new (most);
  self.server = regiond_proxy_server_new ();
  self.regions = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_region_unref);
  add (&self, "bar0", PAGE);
  add (&self, "bar2", 4 * PAGE);
  return self;
}

void
objects_clear (Objects *self)
{
  /* Objects give their bytes back on a thread. */
  wait_until (regiond_budget_get_held (self->budget) == 0);
  regiond_server_stop (self->server);
  regiond_server_unref (self->server);
  regiond_watch_unref (self->watch);
  regiond_budget_unref (self->budget);
  g_ptr_array_unref (self->regions);
}

RegiondMemfd *
objects_make (Objects *self,
              guint64  size)
{
  g_autoptr (GError) error = NULL;
  RegiondMemfd *memfd = regiond_memfd_new (self->watch, self->budget, "test", size, NULL, &error);

  g_assert_no_error (error);
  return memfd;
}

RegiondHold *
objects_open (RegiondMemfd *memfd,
              RegiondAccess access,
              int          *fd)
{
  g_autoptr (GError) error = NULL;
  RegiondHold *hold = regiond_memfd_open (memfd, access, fd, &error);

  g_assert_no_error (error);
  return hold;
}

static void
on_judged (const RegiondProof *proof,
           const GError       *error,
           gpointer            data)
{
  g_assert_no_error (error);
  *(RegiondProof *) data = *proof;
}

RegiondProof
objects_show (int fd)
{
  g_autoptr (RegiondProofs) proofs = regiond_proofs_new (10 * 1000);
  RegiondProof proof = { .fd = -1 };

  regiond_proofs_judge (proofs, 0, dup (fd), on_judged, &proof);
  wait_until (proof.fd >= 0);
  proof.fd = fd;
  return proof;
}
