/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "strays.h"

struct _RegiondStrays {
  RegiondClients *clients; /* NULL: not started, or stopped */
  RegiondProofs  *proofs;
};

/* What came with one message. */
typedef struct {
  RegiondStrays *strays;
  char          *sender;
  GUnixFDList   *fds;
  RegiondClient *client; /* NULL at first */
} Stray;

static void
stray_free (Stray *self)
{
  regiond_strays_unref (self->strays);
  g_free (self->sender);
  g_object_unref (self->fds);
  g_clear_pointer (&self->client, regiond_client_unref);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Stray, stray_free)

RegiondStrays *
regiond_strays_new (void)
{
  return g_atomic_rc_box_new0 (RegiondStrays);
}

RegiondStrays *
regiond_strays_ref (RegiondStrays *self)
{
  return g_atomic_rc_box_acquire (self);
}

void
regiond_strays_unref (RegiondStrays *self)
{
  g_atomic_rc_box_release (self);
}

void
regiond_strays_start (RegiondStrays  *self,
                      RegiondClients *clients,
                      RegiondProofs  *proofs)
{
  self->clients = clients;
  self->proofs = proofs;
}

void
regiond_strays_stop (RegiondStrays *self)
{
  self->clients = NULL;
  self->proofs = NULL;
}

/* To let go of the list would close them here. */
static void
leave (Stray *self)
{
  int n = 0;

  g_free (g_unix_fd_list_steal_fds (self->fds, &n));
}

/* Those of who has left are nobody's. */
static void
on_identified (GObject      *source,
               GAsyncResult *result,
               gpointer      data)
{
  g_autoptr (Stray) self = data;

  regiond_client_identify_finish (self->client, result, NULL);
  if (self->strays->proofs != NULL)
    regiond_proofs_take (self->strays->proofs, regiond_client_get_uid (self->client), self->fds, -1);
  else
    leave (self);
}

static gboolean
on_come (gpointer data)
{
  g_autoptr (Stray) self = data;

  if (self->strays->clients == NULL)
    {
      leave (self);
      return G_SOURCE_REMOVE;
    }

  self->client = regiond_clients_get (self->strays->clients, self->sender);
  regiond_client_identify (self->client, on_identified, self);
  g_steal_pointer (&self);
  return G_SOURCE_REMOVE;
}

void
regiond_strays_take (RegiondStrays *self,
                     const char    *sender,
                     GUnixFDList   *fds)
{
  Stray *stray = g_new0 (Stray, 1);
  int n = 0;
  g_autofree int *list = g_unix_fd_list_steal_fds (fds, &n);

  stray->strays = regiond_strays_ref (self);
  stray->sender = g_strdup (sender);
  stray->fds = g_unix_fd_list_new_from_array (list, n);
  g_idle_add_full (G_PRIORITY_DEFAULT, on_come, stray, NULL);
}
