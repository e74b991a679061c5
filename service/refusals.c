/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "refusals.h"

#include "error.h"
#include "log.h"
#include "tally.h"

struct _RegiondRefusals {
  GDBusConnection *connection;
  RegiondTally    *tally; /* of signals */
};

RegiondRefusals *
regiond_refusals_new (GDBusConnection *connection)
{
  RegiondRefusals *self = g_new (RegiondRefusals, 1);

  self->connection = g_object_ref (connection);
  self->tally = regiond_tally_new ();
  return self;
}

void
regiond_refusals_free (RegiondRefusals *self)
{
  regiond_tally_free (self->tally);
  g_object_unref (self->connection);
  g_free (self);
}

static void
log_refusal (const RegiondRefusedCall *call,
             const GError             *error)
{
  RegiondRecord record = { .event = "refusal", .reason = error->message };

  if (call->device != NULL)
    {
      record.device = regiond_device_get_id (call->device);
      record.region = call->window->region->name;
      record.access = regiond_access_to_string (call->window->access);
    }
  regiond_client_describe (call->client, &record);
  regiond_log (&record);
}

static void
tell (RegiondRefusals          *self,
      const RegiondRefusedCall *call,
      const GError             *error)
{
  guint32 uid = regiond_client_get_uid (call->client);
  g_autofree char *name = NULL;
  guint omitted;

  if (!regiond_client_is_known (call->client) || regiond_client_is_gone (call->client) ||
      !regiond_tally_count (self->tally, uid, g_get_monotonic_time (), &omitted))
    return;

  name = g_dbus_error_encode_gerror (error);
  g_dbus_connection_emit_signal (self->connection, NULL, REGIOND_PATH, "org.regiond1.Manager", "OpenRefused",
                                 g_variant_new ("(osssuussu)", regiond_device_get_path (call->device),
                                                call->window->region->name,
                                                regiond_access_to_string (call->window->access),
                                                regiond_client_get_name (call->client), uid,
                                                regiond_client_get_pid (call->client), name, error->message, omitted),
                                 NULL);
}

void
regiond_refusals_refuse (RegiondRefusals          *self,
                         const RegiondRefusedCall *call,
                         GError                   *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_clear_error (&error);
      error = g_error_new (REGIOND_ERROR, REGIOND_ERROR_GONE, "The caller has left the bus");
    }

  log_refusal (call, error);
  if (call->device != NULL)
    tell (self, call, error);
  regiond_error_return (call->invocation, error);
}
