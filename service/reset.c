/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reset.h"

#include "error.h"
#include "log.h"
#include "options.h"
#include "parking.h"
#include "permit.h"

typedef struct {
  RegiondDevice         *device;
  GDBusMethodInvocation *invocation;
  RegiondClient         *client;
  gboolean               permitted; /* by polkit; else it must be the exclusive owner's */
  gboolean               leased;
  gboolean               mending; /* a device that has failed */
  gboolean               answered; /* the work has not come back in time */
  GError                *error;
} Reset;

static void
reset_free (Reset *self)
{
  g_clear_error (&self->error);
  g_object_unref (self->device);
  regiond_client_unref (self->client);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Reset, reset_free)

/* Takes @error; a NULL one is success. */
static void
tell (Reset  *self,
      GError *error)
{
  RegiondRecord record = {
    .event = error != NULL ? "refusal" : "reset",
    .device = regiond_device_get_id (self->device),
    .reason = error != NULL ? error->message : "asked for",
  };

  regiond_client_describe (self->client, &record);
  regiond_log (&record);
  if (error != NULL)
    regiond_error_return (self->invocation, error);
  else
    regiond_dbus_device_complete_reset (REGIOND_DBUS_DEVICE (self->device), self->invocation);
}

/* Takes both. */
static void
answer (Reset  *reset,
        GError *error)
{
  g_autoptr (Reset) self = reset;

  tell (self, error);
}

static gboolean
is_exclusive_owner (Reset *self)
{
  return g_str_equal (regiond_tenancy_get_exclusive (regiond_device_get_tenancy (self->device)),
                      regiond_client_get_name (self->client));
}

/* A failed device is what Reset is there to mend. */
static gboolean
check (Reset   *self,
       GError **error)
{
  g_autoptr (GError) unusable = NULL;

  if (!regiond_device_check_usable (self->device, &unusable) &&
      !g_error_matches (unusable, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED))
    {
      g_propagate_error (error, g_steal_pointer (&unusable));
      return FALSE;
    }
  if (regiond_device_is_stuck (self->device))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY,
                   "Device %s cannot be reset: %s; try again when it has", regiond_device_get_id (self->device),
                   unusable->message);
      return FALSE;
    }
  if (regiond_backend_get_reset_methods (regiond_device_get_backend (self->device))[0] == NULL)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                   "Device %s cannot be reset: it has no way to do that (ResetMethods is empty)",
                   regiond_device_get_id (self->device));
      return FALSE;
    }
  if (regiond_tenancy_has_others (regiond_device_get_tenancy (self->device), regiond_client_get_name (self->client)))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY,
                   "Device %s cannot be reset while somebody else has a lease on it; see its Leases, and revoke them "
                   "or wait", regiond_device_get_id (self->device));
      return FALSE;
    }
  return TRUE;
}

static RegiondTurnLength
begin (gpointer data)
{
  Reset *self = data;
  GError *error = NULL;

  if (!check (self, &error))
    {
      answer (self, error);
      return REGIOND_TURN_OVER;
    }
  if (!self->permitted && !is_exclusive_owner (self))
    {
      answer (self, g_error_new (G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED,
                                 "Device %s is not reset: the exclusive lease that needs no authorization has ended; "
                                 "call again", regiond_device_get_id (self->device)));
      return REGIOND_TURN_OVER;
    }

  self->mending = !regiond_device_check_usable (self->device, NULL);
  self->leased = regiond_tenancy_count_active (regiond_device_get_tenancy (self->device)) > 0;
  regiond_device_set_resetting (self->device, TRUE);
  return REGIOND_TURN_LONG;
}

static void
work (gpointer data)
{
  Reset *self = data;

  regiond_backend_reset (regiond_device_get_backend (self->device), self->leased, &self->error);
}

/* Nothing has been done to the device. */
static gboolean
is_refusal (const GError *error)
{
  return g_error_matches (error, REGIOND_ERROR, REGIOND_ERROR_BUSY) ||
         g_error_matches (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED);
}

static GError *
judge (Reset *self)
{
  GError *error = NULL;

  if (is_refusal (self->error))
    return g_steal_pointer (&self->error);

  regiond_device_set_failure (self->device, self->error);
  if (self->error != NULL)
    g_set_error (&error, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED,
                 "Device %s could not be reset, and nothing of it is handed out until a Reset succeeds: %s",
                 regiond_device_get_id (self->device), self->error->message);
  return error;
}

static void
done (gpointer data)
{
  Reset *self = data;
  g_autoptr (RegiondDevice) device = g_object_ref (self->device);
  gboolean kept = self->mending || self->error != NULL;

  if (self->answered)
    reset_free (self);
  else
    answer (self, judge (self));
  regiond_device_set_resetting (device, FALSE);

  /* What has been kept where something failed is let go of. */
  if (kept && regiond_device_severs (device))
    regiond_parking_push (device);
}

static void
late (gpointer data)
{
  Reset *self = data;
  GError *error = NULL;

  self->answered = TRUE;
  if (!regiond_device_check_usable (self->device, &error))
    tell (self, error);
}

static const RegiondTurn turn = { begin, work, done, late };

static void
on_permitted (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  Reset *self = data;
  GError *error = g_steal_pointer (&self->error);

  if (error == NULL && regiond_permit_ask_finish (result, &error) && check (self, &error))
    regiond_turns_push (regiond_device_get_turns (self->device), &turn, self);
  else
    answer (self, error);
}

static RegiondQuestion *
make_question (Reset   *self,
               gboolean interactive)
{
  RegiondQuestion *question;

  question = regiond_question_new ("org.regiond1.reset-device", self->invocation, interactive,
                                   g_strdup_printf ("reset device %s", regiond_device_get_id (self->device)));
  regiond_device_add_details (self->device, question);
  return question;
}

void
regiond_reset_start (RegiondDevice         *device,
                     GDBusMethodInvocation *invocation,
                     GVariant              *options)
{
  Reset *self;
  RegiondDaemon *daemon = regiond_device_get_daemon (device);
  RegiondQuestion *question = NULL;
  const char *sender = g_dbus_method_invocation_get_sender (invocation);
  gboolean interactive = FALSE;
  const RegiondOption known[] = { { "interactive", "b", &interactive } };
  GError *error = NULL;

  if (!regiond_options_read (options, known, G_N_ELEMENTS (known), &error))
    {
      regiond_error_return (invocation, error);
      return;
    }

  self = g_new0 (Reset, 1);
  self->device = g_object_ref (device);
  self->invocation = invocation;
  self->client = regiond_clients_get (daemon->clients, sender);

  /* The exclusive owner needs no leave. */
  self->permitted = !is_exclusive_owner (self);
  if (check (self, &self->error) && self->permitted)
    question = make_question (self, interactive);
  regiond_permit_ask (daemon->authority, self->client, question, NULL, on_permitted, self);
}
