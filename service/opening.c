/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "opening.h"

#include "error.h"
#include "log.h"
#include "options.h"
#include "parking.h"
#include "permit.h"
#include "text.h"

#include <gio/gunixfdlist.h>
#include <unistd.h>

#define LABEL_MOST 64

/* Memory of a process that has just died comes back within so long (design
 * rule 3). Waiting for it holds up nobody else. */
#define PATIENCE_US (250 * 1000)
#define LOOK_MS 10

typedef struct {
  RegiondDevice         *device;
  GDBusMethodInvocation *invocation;
  RegiondClient         *client;
  RegiondWindow          window; /* its region is the device's */
  RegiondMechanism       mechanism;
  RegiondRevocation      revocation;
  gboolean               interactive;
  char                  *label;
  GError                *error; /* the first thing in the way */
  gboolean               answered; /* the work has not come back in time */
  RegiondCharge         *charge; /* before there is a hold to keep it */
  gint64                 until;  /* when the patience for memory is over; 0: it is not needed yet */
  RegiondHold           *hold;
  int                    fd;
} Opening;

static void
opening_free (Opening *self)
{
  if (self->fd >= 0)
    close (self->fd);
  g_clear_object (&self->hold);
  g_clear_pointer (&self->charge, regiond_charge_free);
  g_clear_error (&self->error);
  g_clear_pointer (&self->client, regiond_client_unref);
  g_free (self->label);
  g_object_unref (self->device);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Opening, opening_free)

static gboolean
read_revocation (Opening    *self,
                 const char *least,
                 GError    **error)
{
  RegiondRevocation demanded = REGIOND_REVOCATION_ON_CLOSE;

  if (least != NULL && !regiond_revocation_parse (least, &demanded))
    {
      g_autofree char *quoted = regiond_text_quote (least);

      g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                   "%s is no revocation; there are 'immediate', 'detached' and 'on-close'", quoted);
      return FALSE;
    }
  if (demanded > self->revocation)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                   "Revocation '%s' is demanded, and region %s of device %s with access %s has '%s'; ask for less", least,
                   self->window.region->name, regiond_device_get_id (self->device), regiond_access_to_string (self->window.access),
                   regiond_revocation_to_string (self->revocation));
      return FALSE;
    }
  return TRUE;
}

/* NONE with the reason. */
static RegiondMechanism
find_mechanism (Opening *self,
                GError **error)
{
  RegiondRegion *region = self->window.region;
  RegiondMechanism mechanism;

  mechanism = regiond_backend_find_mechanism (regiond_device_get_backend (self->device), region, self->window.access, error);
  if (mechanism == REGIOND_MECHANISM_NONE)
    g_prefix_error (error, "Region %s of device %s cannot be had with access '%s': ", region->name,
                    regiond_device_get_id (self->device), regiond_access_to_string (self->window.access));
  return mechanism;
}

static gboolean
read_region (Opening    *self,
             const char *region,
             const char *access,
             GError    **error)
{
  if ((self->window.region = regiond_device_find_region (self->device, region, error)) == NULL)
    return FALSE;
  if (!regiond_access_parse (access, &self->window.access))
    {
      g_autofree char *quoted = regiond_text_quote (access);

      g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                   "%s is no access; there are 'r', 'w', 'rw', 'rm' and 'rwm'", quoted);
      return FALSE;
    }

  if ((self->mechanism = find_mechanism (self, error)) == REGIOND_MECHANISM_NONE)
    return FALSE;

  self->revocation = regiond_backend_get_revocation (regiond_device_get_backend (self->device), self->mechanism);
  return TRUE;
}

static gboolean
read_part (Opening *self,
           guint64  offset,
           guint64  length,
           GError **error)
{
  RegiondRegion *region = self->window.region;

  if (offset >= region->size || length == 0 || (length != G_MAXUINT64 && length > region->size - offset))
    {
      g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                   "The options 'offset' and 'length' name no part of region %s of device %s: it has %" G_GUINT64_FORMAT
                   " bytes", region->name, regiond_device_get_id (self->device), region->size);
      return FALSE;
    }

  self->window.offset = offset;
  self->window.length = length != G_MAXUINT64 ? length : region->size - offset;
  if (self->window.access & REGIOND_ACCESS_MAP && self->window.length != region->size)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                   "A part of region %s of device %s ('offset', 'length') cannot be had with 'm': a mapping is of the "
                   "whole region; ask for 'r', 'w' or 'rw'", region->name, regiond_device_get_id (self->device));
      return FALSE;
    }
  return TRUE;
}

/* Writes are combined on their way through a mapping, and only where the device
 * says that it stands that. */
static gboolean
check_combining (Opening *self,
                 GError **error)
{
  RegiondRegion *region = self->window.region;

  if (!self->window.write_combining || (self->window.access & REGIOND_ACCESS_MAP && region->prefetchable))
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
               "Region %s of device %s cannot be had with 'write-combining' and access '%s': %s", region->name,
               regiond_device_get_id (self->device), regiond_access_to_string (self->window.access),
               region->prefetchable ? "that is for mappings; ask for 'rm' or 'rwm'"
                                    : "it is not prefetchable; ask without 'write-combining'");
  return FALSE;
}

static gboolean
read_options (Opening  *self,
              GVariant *options,
              GError  **error)
{
  const char *label = "", *revocation = NULL;
  guint64 offset = 0, length = G_MAXUINT64;
  const RegiondOption known[] = {
    { "exclusive", "b", &self->window.exclusive },
    { "interactive", "b", &self->interactive },
    { "label", "s", &label },
    { "length", "t", &length },
    { "offset", "t", &offset },
    { "revocation", "s", &revocation },
    { "write-combining", "b", &self->window.write_combining },
  };

  if (!regiond_options_read (options, known, G_N_ELEMENTS (known), error))
    return FALSE;
  if (!read_part (self, offset, length, error) || !check_combining (self, error))
    return FALSE;
  if (!regiond_text_is_printable (label, LABEL_MOST))
    {
      g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                   "The option 'label' has at most %d characters, all printable", LABEL_MOST);
      return FALSE;
    }

  self->label = g_strdup (label);
  return read_revocation (self, revocation, error);
}

static void
log_event (Opening    *self,
           const char *event,
           const char *lease,
           const char *reason)
{
  RegiondRecord record = {
    .event = event,
    .device = regiond_device_get_id (self->device),
    .region = self->window.region->name,
    .access = regiond_access_to_string (self->window.access),
    .lease = lease,
    .reason = reason,
  };

  regiond_client_describe (self->client, &record);
  regiond_log (&record);
}

static void
tell_refusal (Opening      *self,
              const GError *error)
{
  const RegiondRefusedCall call = {
    .device = regiond_device_get_path (self->device),
    .region = self->window.region->name,
    .access = regiond_access_to_string (self->window.access),
    .client = self->client,
    .error = error,
  };

  regiond_refusals_tell (regiond_device_get_daemon (self->device)->refusals, &call);
}

/* Takes @error. */
static void
answer_error (Opening *self,
              GError  *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_clear_error (&error);
      error = g_error_new (REGIOND_ERROR, REGIOND_ERROR_GONE, "The caller has left the bus");
    }
  log_event (self, "refusal", NULL, error->message);
  tell_refusal (self, error);
  regiond_error_return (self->invocation, error);
}

/* Takes both. */
static void
refuse (Opening *opening,
        GError  *error)
{
  g_autoptr (Opening) self = opening;

  answer_error (self, error);
}

/* What polkit was asked about has to be what will be had. */
static gboolean
check_mechanism (Opening *self,
                 GError **error)
{
  RegiondMechanism mechanism = find_mechanism (self, error);

  if (mechanism == REGIOND_MECHANISM_NONE)
    return FALSE;
  if (mechanism == self->mechanism &&
      regiond_backend_get_revocation (regiond_device_get_backend (self->device), mechanism) >= self->revocation)
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY,
               "How region %s of device %s can be had has changed while it was being opened; call again",
               self->window.region->name, regiond_device_get_id (self->device));
  return FALSE;
}

/* What has to be true after every wait. */
static gboolean
check_again (Opening *self,
             GError **error)
{
  if (g_cancellable_set_error_if_cancelled (regiond_client_get_gone (self->client), error))
    return FALSE;

  return regiond_device_admits (self->device, self->client, self->window.exclusive, error) &&
         check_mechanism (self, error);
}

static RegiondPurchase
make_purchase (Opening *self)
{
  return (RegiondPurchase){
    .uid = regiond_client_get_uid (self->client),
    .connection = regiond_client_get_name (self->client),
    .device = self->device,
    .memory = regiond_device_get_size (self->device),
    .proxied = self->mechanism == REGIOND_MECHANISM_PROXY,
  };
}

static void await_turn (Opening *self);

static gboolean
on_look (gpointer data)
{
  await_turn (data);
  return G_SOURCE_REMOVE;
}

/* Before anything is made. FALSE with an error; or without one, and it will
 * have another turn. */
static gboolean
pay (Opening *self,
     GError **error)
{
  RegiondPurchase purchase = make_purchase (self);
  RegiondLedger *ledger = regiond_device_get_daemon (self->device)->ledger;
  g_autoptr (GError) unpaid = NULL;
  gboolean patience;

  if (self->charge == NULL)
    self->charge = regiond_ledger_charge (ledger, &purchase, &patience, &unpaid);
  if (self->charge != NULL)
    return TRUE;

  if (self->until == 0)
    self->until = g_get_monotonic_time () + PATIENCE_US;
  if (patience && g_get_monotonic_time () < self->until)
    g_timeout_add (LOOK_MS, on_look, self);
  else
    g_propagate_error (error, g_steal_pointer (&unpaid));
  return FALSE;
}

/* What another device of the group has lent may be a dying process's, or is being
 * cut. FALSE: it will have another turn. */
static gboolean
is_group_settled (Opening *self)
{
  if (!regiond_groups_must_wait (regiond_device_get_daemon (self->device)->groups, self->device))
    return TRUE;

  g_timeout_add (LOOK_MS, on_look, self);
  return FALSE;
}

static RegiondTurnLength
begin (gpointer data)
{
  Opening *self = data;
  GError *error = NULL;

  self->window.uid = regiond_client_get_uid (self->client);

  if (!check_again (self, &error) || !is_group_settled (self) || !pay (self, &error))
    {
      if (error != NULL)
        refuse (self, error);
      return REGIOND_TURN_OVER;
    }

  if (regiond_backend_is_quick (regiond_device_get_backend (self->device), &self->window))
    return REGIOND_TURN_SHORT;
  if (regiond_tenancy_count_active (regiond_device_get_tenancy (self->device)) == 0)
    regiond_device_set_resetting (self->device, TRUE);
  return REGIOND_TURN_LONG;
}

static void
work (gpointer data)
{
  Opening *self = data;
  RegiondBackend *backend = regiond_device_get_backend (self->device);

  if (regiond_backend_attach (backend, regiond_client_get_gone (self->client), &self->error))
    self->hold = regiond_backend_open_region (backend, &self->window, &self->fd, &self->error);
}

static RegiondLease *
make_lease (Opening *self,
            GError **error)
{
  RegiondLeaseTerms terms = {
    .device = self->device,
    .window = self->window,
    .mechanism = self->mechanism,
    .revocation = self->revocation,
    .exclusive = self->window.exclusive,
    .label = self->label,
    .client = self->client,
    .hold = self->hold,
  };
  RegiondDaemon *daemon = regiond_device_get_daemon (self->device);
  g_autoptr (RegiondLease) lease = regiond_lease_new (&terms, daemon->next_lease++);

  if (!regiond_tenancy_add (regiond_device_get_tenancy (self->device), lease, error))
    {
      regiond_client_remove_lease (self->client, lease);
      return NULL;
    }
  return g_steal_pointer (&lease);
}

/* Whatever a backend says that it has done: nothing goes out before (design rule 1). */
static gboolean
check_isolated (Opening *self,
                GError **error)
{
  if (regiond_backend_is_isolated (regiond_device_get_backend (self->device)))
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED,
               "Device %s cannot be opened: it is not isolated from memory that is not its own",
               regiond_device_get_id (self->device));
  return FALSE;
}

/* FALSE with an error when there is no lease to answer with. */
static gboolean
grant (Opening *self,
       GError **error)
{
  g_autoptr (GUnixFDList) fds = NULL;
  g_autoptr (RegiondLease) lease = NULL;

  if (!check_again (self, error) || !check_isolated (self, error))
    return FALSE;

  regiond_hold_keep_charge (self->hold, g_steal_pointer (&self->charge));

  /* Taken as it is: a copy could fail for want of an fd. */
  fds = g_unix_fd_list_new_from_array (&self->fd, 1);
  self->fd = -1;
  /* On the bus before the answer: the bus library looks for the object of the
   * owner's next call when that arrives, on a thread of its own. */
  if ((lease = make_lease (self, error)) == NULL)
    return FALSE;

  regiond_dbus_device_complete_open_region (REGIOND_DBUS_DEVICE (self->device), self->invocation, fds,
                                            g_variant_new_handle (0), regiond_lease_get_path (lease));
  log_event (self, "grant", regiond_lease_get_path (lease), NULL);
  return TRUE;
}

static void done (gpointer data);
static void late (gpointer data);

static const RegiondTurn turn = { begin, work, done, late };

static void
await_turn (Opening *self)
{
  regiond_turns_push (regiond_device_get_turns (self->device), &turn, self);
}

/* What was lent is retired meanwhile, so nobody must be given it; or somebody has
 * left another device of the group, and it is not known yet how. */
static gboolean
is_too_early (Opening *self)
{
  return self->hold == NULL || regiond_hold_is_stale (self->hold) ||
         regiond_groups_must_wait (regiond_device_get_daemon (self->device)->groups, self->device);
}

static void
try_again (Opening *self)
{
  g_clear_object (&self->hold);
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
  await_turn (self);
}

static void
late (gpointer data)
{
  Opening *self = data;
  GError *error = NULL;

  self->answered = TRUE;
  if (!regiond_device_check_usable (self->device, &error))
    answer_error (self, error);
}

/* A reset that has failed must have worked before anybody gets anything. */
static void
note_failure (Opening      *self,
              const GError *error)
{
  if (g_error_matches (error, REGIOND_ERROR, REGIOND_ERROR_RESET_FAILED))
    regiond_device_set_failure (self->device, error);
}

static void
done (gpointer data)
{
  Opening *self = data;
  g_autoptr (RegiondDevice) device = g_object_ref (self->device);
  GError *error = g_steal_pointer (&self->error);

  note_failure (self, error);
  if (self->answered)
    {
      g_clear_error (&error);
      opening_free (self);
    }
  else if (error == NULL && is_too_early (self))
    try_again (self);
  else if (error == NULL && grant (self, &error))
    opening_free (self);
  else
    refuse (self, error);

  regiond_device_set_resetting (device, FALSE);
  if (regiond_tenancy_count_active (regiond_device_get_tenancy (device)) == 0)
    regiond_parking_push (device);
}

static void
on_permitted (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  Opening *self = data;
  GError *error = NULL;

  /* What has been removed meanwhile may have no turn for a while. */
  if (!regiond_permit_ask_finish (result, &error) || !regiond_device_check_usable (self->device, &error))
    refuse (self, error);
  else
    await_turn (self);
}

/* Nobody is asked for a password for what could not be had anyway. */
static gboolean
is_worthwhile (gpointer data,
               GError **error)
{
  Opening *self = data;
  RegiondPurchase purchase = make_purchase (self);

  return check_again (self, error) &&
         regiond_ledger_admits (regiond_device_get_daemon (self->device)->ledger, &purchase, error);
}

static RegiondQuestion *
make_question (Opening *self)
{
  const char *access = regiond_access_to_string (self->window.access);
  g_autofree char *offset = g_strdup_printf ("%" G_GUINT64_FORMAT, self->window.offset);
  g_autofree char *length = g_strdup_printf ("%" G_GUINT64_FORMAT, self->window.length);
  RegiondQuestion *question;

  question = regiond_question_new (
      self->window.access & REGIOND_ACCESS_WRITE ? "org.regiond1.write-region" : "org.regiond1.read-region", self->invocation,
      self->interactive,
      g_strdup_printf ("open region %s of device %s with access '%s'", self->window.region->name,
                       regiond_device_get_id (self->device), access));
  regiond_device_add_details (self->device, question);
  regiond_question_add (question, "region", self->window.region->name);
  regiond_question_add (question, "region_kind", self->window.region->kind);
  regiond_question_add (question, "access", access);
  regiond_question_add (question, "offset", offset);
  regiond_question_add (question, "length", length);
  regiond_question_add (question, "exclusive", self->window.exclusive ? "true" : "false");
  regiond_question_add (question, "mechanism", regiond_mechanism_to_string (self->mechanism));
  regiond_question_add (question, "revocation", regiond_revocation_to_string (self->revocation));
  regiond_question_add (question, "label", self->label);
  regiond_question_add (question, "proof", "");
  return question;
}

void
regiond_opening_start (RegiondDevice         *device,
                       GDBusMethodInvocation *invocation,
                       const char            *region,
                       const char            *access,
                       GVariant              *options)
{
  Opening *self = g_new0 (Opening, 1);
  RegiondDaemon *daemon = regiond_device_get_daemon (device);
  GError *error = NULL;

  self->device = g_object_ref (device);
  self->invocation = invocation;
  self->fd = -1;
  self->client = regiond_clients_get (daemon->clients, g_dbus_method_invocation_get_sender (invocation));

  if (!read_region (self, region, access, &error) || !read_options (self, options, &error))
    {
      opening_free (self);
      regiond_error_return (invocation, error);
      return;
    }
  regiond_permit_ask (daemon->authority, self->client, make_question (self), is_worthwhile, on_permitted, self);
}
