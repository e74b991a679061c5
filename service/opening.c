/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "opening.h"

#include "error.h"
#include "log.h"
#include "parking.h"
#include "permit.h"
#include "refusals.h"
#include "request.h"
#include "review.h"

#include <gio/gunixfdlist.h>
#include <unistd.h>

/* Memory of a process that has just died comes back within so long. Waiting for it
 * holds up nobody else. */
#define PATIENCE_US (250 * 1000)
#define LOOK_MS 10

typedef struct {
  RegiondDevice         *device; /* the request's */
  RegiondRequest        *request;
  GDBusMethodInvocation *invocation;
  RegiondClient         *client;
  RegiondClient         *holder;    /* whose lease it will be: the client's, or a process's */
  GPtrArray             *questions; /* RegiondQuestion: what polkit is asked, one after the other */
  guint                  asked;     /* how many of them */
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
  g_clear_pointer (&self->holder, regiond_client_unref);
  g_ptr_array_unref (self->questions);
  regiond_request_free (self->request);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Opening, opening_free)

static void
log_grant (Opening    *self,
           const char *lease)
{
  RegiondRecord record = {
    .event = "grant",
    .device = regiond_device_get_id (self->device),
    .region = self->request->window.region->name,
    .access = regiond_access_to_string (self->request->window.access),
    .lease = lease,
  };

  regiond_client_describe (self->client, &record);
  regiond_log (&record);
}

/* Takes @error. */
static void
answer_error (Opening *self,
              GError  *error)
{
  const RegiondRefusedCall call = { self->device, &self->request->window, self->client, self->invocation };

  regiond_refusals_refuse (regiond_device_get_daemon (self->device)->refusals, &call, error);
}

/* Takes both. */
static void
refuse (Opening *opening,
        GError  *error)
{
  g_autoptr (Opening) self = opening;

  answer_error (self, error);
}

static gboolean
check_client (Opening *self,
              GError **error)
{
  return !g_cancellable_set_error_if_cancelled (regiond_client_get_gone (self->client), error);
}

/* What has to be true after every wait. */
static gboolean
check_again (Opening *self,
             GError **error)
{
  return check_client (self, error) && regiond_request_check (self->request, self->holder, error);
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
  RegiondPurchase purchase = regiond_request_make_purchase (self->request, self->holder);
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

  self->request->window.uid = regiond_client_get_uid (self->holder);

  if (!check_again (self, &error) || !is_group_settled (self) || !pay (self, &error))
    {
      if (error != NULL)
        refuse (self, error);
      return REGIOND_TURN_OVER;
    }

  if (regiond_backend_is_quick (regiond_device_get_backend (self->device), &self->request->window))
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
    self->hold = regiond_backend_open_region (backend, &self->request->window, &self->fd, &self->error);
}

/* What is asked again. Who opens for a process and leaves has nothing more to do with it. */
static GPtrArray *
list_lasting (Opening *self)
{
  guint last = self->questions->len - 1;

  if (self->request->detach)
    g_ptr_array_remove_range (self->questions, 0, last);
  return self->questions;
}

static RegiondLease *
make_lease (Opening *self,
            GError **error)
{
  RegiondLeaseTerms terms = {
    .device = self->device,
    .window = self->request->window,
    .mechanism = self->request->mechanism,
    .revocation = self->request->revocation,
    .label = self->request->label,
    .client = self->holder,
    .hold = self->hold,
    .bond = g_steal_pointer (&self->request->bond),
    .questions = list_lasting (self),
  };
  RegiondDaemon *daemon = regiond_device_get_daemon (self->device);
  g_autoptr (RegiondLease) lease = regiond_lease_new (&terms, daemon->next_lease++);

  if (!regiond_lease_watch_process (lease, error) ||
      !regiond_tenancy_add (regiond_device_get_tenancy (self->device), lease, error))
    {
      regiond_client_remove_lease (self->holder, lease);
      return NULL;
    }
  return g_steal_pointer (&lease);
}

/* Whatever a backend says that it has done: nothing goes out before. */
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

  g_dbus_method_invocation_return_value_with_unix_fd_list (
      self->invocation, g_variant_new ("(ho)", 0, regiond_lease_get_path (lease)), fds);
  log_grant (self, regiond_lease_get_path (lease));
  regiond_review_admit (regiond_device_get_daemon (self->device)->review, lease);
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

static void ask (Opening *self);

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
  else if (self->asked < self->questions->len)
    ask (self);
  else
    await_turn (self);
}

/* Nobody is asked for a password for what could not be had anyway. */
static gboolean
is_worthwhile (gpointer data,
               GError **error)
{
  Opening *self = data;

  if (self->error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&self->error));
      return FALSE;
    }
  return check_client (self, error) && regiond_request_is_worthwhile (self->request, self->holder, error);
}

static void
ask (Opening *self)
{
  RegiondQuestion *question = g_ptr_array_index (self->questions, self->asked++);

  regiond_permit_ask (regiond_device_get_daemon (self->device)->authority, self->client, regiond_question_ref (question),
                      is_worthwhile, on_permitted, self);
}

/* For a process: may the caller have it, and for that one; and if the lease is not the caller's,
 * may the process have it? That is what is asked again as long as it lasts. */
static void
make_questions (Opening *self)
{
  RegiondRequest *request = self->request;
  RegiondQuestion *about_process;

  self->questions = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_question_unref);
  g_ptr_array_add (self->questions, regiond_request_make_question (request, self->invocation));
  if (request->bond != NULL)
    g_ptr_array_add (self->questions, regiond_request_make_delegation (request, self->invocation));
  if (request->detach)
    {
      about_process = regiond_request_make_question (request, self->invocation);
      about_process->about = regiond_bond_make_subject (request->bond);
      g_ptr_array_add (self->questions, about_process);
    }
}

void
regiond_opening_start (RegiondRequest        *request,
                       GDBusMethodInvocation *invocation)
{
  Opening *self = g_new0 (Opening, 1);
  RegiondDaemon *daemon = regiond_device_get_daemon (request->device);

  self->device = request->device;
  self->invocation = invocation;
  self->fd = -1;
  self->client = regiond_clients_get (daemon->clients, g_dbus_method_invocation_get_sender (invocation));
  self->request = request;
  self->holder = regiond_request_find_holder (request, self->client);
  /* What nobody could have is refused when it is known who asks: the others are told. */
  regiond_request_settle (request, &self->error);
  make_questions (self);
  ask (self);
}
