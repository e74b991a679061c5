/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "permit.h"

typedef struct {
  RegiondAuthority *authority;
  RegiondClient    *client;
  RegiondQuestion  *question;
  RegiondPermitFunc worthwhile;
  gpointer          data;
} Permit;

static void
permit_free (Permit *self)
{
  g_clear_pointer (&self->question, regiond_question_unref);
  regiond_client_unref (self->client);
  g_free (self);
}

static void
on_checked (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  g_autoptr (GTask) task = data;
  Permit *self = g_task_get_task_data (task);
  GError *error = NULL;

  if (regiond_authority_check_finish (self->authority, result, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

/* It is known who it is. */
static void
go_on (GTask *task)
{
  Permit *self = g_task_get_task_data (task);
  GError *error = NULL;

  if (self->worthwhile != NULL && !self->worthwhile (self->data, &error))
    g_task_return_error (task, error);
  else if (self->question == NULL)
    g_task_return_boolean (task, TRUE);
  else
    {
      self->question->uid = regiond_client_get_uid (self->client);
      regiond_authority_check (self->authority, g_steal_pointer (&self->question),
                               regiond_client_get_gone (self->client), on_checked, g_object_ref (task));
    }
}

static void
on_identified (GObject      *source,
               GAsyncResult *result,
               gpointer      data)
{
  g_autoptr (GTask) task = data;
  Permit *self = g_task_get_task_data (task);
  GError *error = NULL;

  if (regiond_client_identify_finish (self->client, result, &error))
    go_on (task);
  else
    g_task_return_error (task, error);
}

void
regiond_permit_ask (RegiondAuthority   *authority,
                    RegiondClient      *client,
                    RegiondQuestion    *question,
                    RegiondPermitFunc   worthwhile,
                    GAsyncReadyCallback callback,
                    gpointer            data)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, callback, data);
  Permit *self = g_new (Permit, 1);

  *self = (Permit){ authority, regiond_client_ref (client), question, worthwhile, data };
  g_task_set_task_data (task, self, (GDestroyNotify) permit_free);
  if (regiond_client_is_known (client))
    go_on (task);
  else
    regiond_client_identify (client, on_identified, g_object_ref (task));
}

gboolean
regiond_permit_ask_finish (GAsyncResult *result,
                           GError      **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
