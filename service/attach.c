/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "attach.h"

#include "error.h"
#include "opening.h"
#include "refusals.h"

typedef struct {
  RegiondDaemon         *daemon;
  GDBusMethodInvocation *invocation;
  RegiondClient         *client;
  GUnixFDList           *fds;   /* as they came */
  gint32                 index; /* of the one that is shown */
  GVariant              *options;
  RegiondShare           share; /* what they say */
} Attach;

static void
attach_free (Attach *self)
{
  regiond_client_unref (self->client);
  g_clear_object (&self->fds);
  g_variant_unref (self->options);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Attach, attach_free)

/* Takes @error. */
static void
refuse (Attach *self,
        GError *error)
{
  const RegiondRefusedCall call = { .client = self->client, .invocation = self->invocation };

  regiond_refusals_refuse (self->daemon->refusals, &call, error);
}

/* The lease that a description is of cannot always be told from others on the same object. What the
 * description allows, one of these must allow. */
static RegiondLease *
find_in_device (RegiondDevice      *device,
                const RegiondProof *proof)
{
  GHashTable *active = regiond_tenancy_get_active (regiond_device_get_tenancy (device));
  RegiondLease *lease = regiond_leases_find_shown (active, proof, REGIOND_ACCESS_READ), *best;

  if (lease == NULL)
    return NULL;

  best = regiond_leases_find_shown (active, proof, proof->access);
  return best != NULL ? best : lease;
}

static RegiondLease *
find_shown (RegiondDaemon      *daemon,
            const RegiondProof *proof,
            GError            **error)
{
  RegiondLease *lease = NULL;
  GHashTableIter iter;
  gpointer device;

  g_hash_table_iter_init (&iter, daemon->devices);
  while (lease == NULL && g_hash_table_iter_next (&iter, NULL, &device))
    lease = find_in_device (device, proof);
  if (lease == NULL)
    g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND,
                         "The descriptor that was shown is of no active lease: it is another file's, or what it was lent "
                         "for has ended; show the one that an active lease came with");
  return lease;
}

static gboolean
attach (Attach             *self,
        const RegiondProof *proof,
        GError            **error)
{
  RegiondLease *lease;

  if (g_cancellable_set_error_if_cancelled (regiond_client_get_gone (self->client), error) ||
      (lease = find_shown (self->daemon, proof, error)) == NULL)
    return FALSE;

  g_debug ("%s has shown what %s is of", regiond_client_get_name (self->client), regiond_lease_get_path (lease));
  regiond_opening_start (regiond_request_new_shown (lease, proof, &self->share), self->invocation);
  return TRUE;
}

static void
on_judged (const RegiondProof *proof,
           const GError       *failure,
           gpointer            data)
{
  g_autoptr (Attach) self = data;
  GError *error = failure != NULL ? g_error_copy (failure) : NULL;

  if (error != NULL || !attach (self, proof, &error))
    refuse (self, error);
}

static void
on_identified (GObject      *source,
               GAsyncResult *result,
               gpointer      data)
{
  g_autoptr (Attach) self = data;
  RegiondProofs *proofs = self->daemon->proofs;
  guint32 uid = regiond_client_get_uid (self->client);
  GError *error = NULL;

  if (!regiond_client_identify_finish (self->client, result, &error))
    {
      refuse (self, error);
      return;
    }

  regiond_proofs_judge (proofs, uid, regiond_proofs_take (proofs, uid, self->fds, self->index), on_judged, self);
  g_steal_pointer (&self);
}

/* Before anything else is done with it. */
static gboolean
check_fd (Attach  *self,
          GError **error)
{
  int n = 0;
  const int *list = self->fds != NULL ? g_unix_fd_list_peek_fds (self->fds, &n) : NULL;

  if (self->index >= 0 && self->index < n)
    return regiond_proofs_check (list[self->index], error);

  g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
               "What is shown is descriptor %d of the message, which has %d; send that of a lease along", self->index, n);
  return FALSE;
}

void
regiond_attach_start (RegiondDaemon         *daemon,
                      GDBusMethodInvocation *invocation,
                      GUnixFDList           *fds,
                      gint32                 index,
                      GVariant              *options)
{
  g_autoptr (Attach) self = g_new0 (Attach, 1);
  GError *error = NULL;

  self->daemon = daemon;
  self->invocation = invocation;
  self->client = regiond_clients_get (daemon->clients, g_dbus_method_invocation_get_sender (invocation));
  self->fds = fds != NULL ? g_object_ref (fds) : NULL;
  self->index = index;
  self->options = g_variant_ref (options);
  if (check_fd (self, &error) && regiond_share_read (&self->share, self->options, &error))
    {
      regiond_client_identify (self->client, on_identified, self);
      g_steal_pointer (&self);
      return;
    }

  regiond_error_return (invocation, error);
}
