/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "permit.h"

typedef struct {
  RegiondAuthority *authority;
  RegiondClient    *client;
  guint             waiting_for;
  GError           *error;
} Permit;

static void
permit_free (Permit *self)
{
  regiond_client_unref (self->client);
  g_clear_error (&self->error);
  g_free (self);
}

static void
take_answer (GTask  *task,
             GError *answer)
{
  Permit *self = g_task_get_task_data (task);
  g_autoptr (GError) error = answer;

  if (self->error == NULL)
    self->error = g_steal_pointer (&error);
  if (--self->waiting_for > 0)
    return;

  if (self->error != NULL)
    g_task_return_error (task, g_steal_pointer (&self->error));
  else
    g_task_return_boolean (task, TRUE);
}

static void
on_identified (GObject      *source,
               GAsyncResult *result,
               gpointer      data)
{
  g_autoptr (GTask) task = data;
  Permit *self = g_task_get_task_data (task);
  GError *error = NULL;

  regiond_client_identify_finish (self->client, result, &error);
  take_answer (task, error);
}

static void
on_checked (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  g_autoptr (GTask) task = data;
  Permit *self = g_task_get_task_data (task);
  GError *error = NULL;

  regiond_authority_check_finish (self->authority, result, &error);
  take_answer (task, error);
}

void
regiond_permit_ask (RegiondAuthority   *authority,
                    RegiondClient      *client,
                    RegiondQuestion    *question,
                    GAsyncReadyCallback callback,
                    gpointer            data)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, callback, data);
  Permit *self = g_new0 (Permit, 1);

  self->authority = authority;
  self->client = regiond_client_ref (client);
  self->waiting_for = question != NULL ? 2 : 1;
  g_task_set_task_data (task, self, (GDestroyNotify) permit_free);

  /* The longer answer first. */
  if (question != NULL)
    regiond_authority_check (authority, question, regiond_client_get_gone (client), on_checked, g_object_ref (task));
  regiond_client_identify (client, on_identified, g_object_ref (task));
}

gboolean
regiond_permit_ask_finish (GAsyncResult *result,
                           GError      **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
