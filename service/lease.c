/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lease.h"

#include "daemon.h"
#include "device.h"
#include "error.h"
#include "log.h"
#include "options.h"
#include "permit.h"
#include "text.h"

#define LEASE_INTERFACE "org.regiond1.Lease"
#define MANAGER_INTERFACE "org.regiond1.Manager"
#define REASON_MOST 256

struct _RegiondLease {
  RegiondDBusLeaseSkeleton parent_instance;
  char                    *path;
  RegiondDevice           *device;
  RegiondClient           *client;
  RegiondHold             *hold;
  RegiondBond             *bond; /* until it has ended; or NULL */
  RegiondWindow            window;
  GPtrArray               *questions;
  gboolean                 ended;
  gboolean                 leaked;
  gint64                   patience;
  gint64                   cut_until; /* what has not been cut by then cannot be */
  GQueue                   revokers; /* GDBusMethodInvocation: those who wait for the cut */
  guint                    grace; /* the timer of an announced revocation */
  char                    *revoke_reason;
};

static void regiond_lease_iface_init (RegiondDBusLeaseIface *iface);

G_DEFINE_TYPE_WITH_CODE (RegiondLease, regiond_lease, REGIOND_DBUS_TYPE_LEASE_SKELETON,
                         G_IMPLEMENT_INTERFACE (REGIOND_DBUS_TYPE_LEASE, regiond_lease_iface_init))

static void
regiond_lease_finalize (GObject *object)
{
  RegiondLease *self = REGIOND_LEASE (object);

  g_clear_handle_id (&self->grace, g_source_remove);
  regiond_hold_listen (self->hold, NULL, NULL, NULL);
  g_clear_object (&self->hold);
  g_clear_pointer (&self->bond, regiond_bond_free);
  g_clear_object (&self->device);
  g_clear_pointer (&self->window.region, regiond_region_unref);
  g_clear_pointer (&self->client, regiond_client_unref);
  g_ptr_array_unref (self->questions);
  g_free (self->path);
  g_free (self->revoke_reason);

  G_OBJECT_CLASS (regiond_lease_parent_class)->finalize (object);
}

static void
regiond_lease_class_init (RegiondLeaseClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = regiond_lease_finalize;
}

static void
regiond_lease_init (RegiondLease *self)
{
}

/* The bus name: a process has none. */
static const char *
get_owner (RegiondLease *self)
{
  return regiond_client_is_process (self->client) ? "" : regiond_client_get_name (self->client);
}

RegiondLease *
regiond_lease_new (const RegiondLeaseTerms *terms,
                   guint64                  number)
{
  RegiondLease *self = g_object_new (REGIOND_TYPE_LEASE, NULL);
  RegiondDBusLease *lease = REGIOND_DBUS_LEASE (self);

  self->path = g_strdup_printf (REGIOND_LEASES_PATH "/%" G_GUINT64_FORMAT, number);
  self->device = g_object_ref (terms->device);
  self->client = regiond_client_ref (terms->client);
  self->hold = g_object_ref (terms->hold);
  self->bond = terms->bond;
  self->window = terms->window;
  regiond_region_ref (self->window.region);
  self->questions = terms->questions != NULL ? g_ptr_array_ref (terms->questions) : g_ptr_array_new ();

  regiond_dbus_lease_set_device (lease, regiond_device_get_path (terms->device));
  regiond_dbus_lease_set_region (lease, terms->window.region->name);
  regiond_dbus_lease_set_access (lease, regiond_access_to_string (terms->window.access));
  regiond_dbus_lease_set_offset (lease, terms->window.offset);
  regiond_dbus_lease_set_size (lease, terms->window.length);
  regiond_dbus_lease_set_owner (lease, get_owner (self));
  regiond_dbus_lease_set_uid (lease, regiond_client_get_uid (terms->client));
  regiond_dbus_lease_set_pid (lease, regiond_client_get_pid (terms->client));
  regiond_dbus_lease_set_label (lease, terms->label);
  regiond_dbus_lease_set_created (lease, g_get_real_time ());
  regiond_dbus_lease_set_mechanism (lease, regiond_mechanism_to_string (terms->mechanism));
  regiond_dbus_lease_set_revocation (lease, regiond_revocation_to_string (terms->revocation));
  regiond_dbus_lease_set_isolation (lease, regiond_backend_get_isolation (regiond_device_get_backend (terms->device)));
  regiond_dbus_lease_set_state (lease, regiond_lease_state_to_string (REGIOND_LEASE_ACTIVE));

  regiond_client_add_lease (self->client, self);
  return self;
}

static void
on_process_ended (gpointer data)
{
  RegiondLease *self = data;

  regiond_tenancy_end (regiond_device_get_tenancy (self->device), self, REGIOND_END_PROCESS_ENDED);
}

gboolean
regiond_lease_watch_process (RegiondLease *self,
                             GError      **error)
{
  return self->bond == NULL ||
         regiond_bond_watch (self->bond, regiond_device_get_daemon (self->device)->bonds, on_process_ended, self, error);
}

void
regiond_lease_export (RegiondLease *self)
{
  g_autoptr (GDBusObjectSkeleton) object = g_dbus_object_skeleton_new (self->path);

  /* What has been set so far is no news: InterfacesAdded says it all. */
  g_dbus_interface_skeleton_flush (G_DBUS_INTERFACE_SKELETON (self));
  g_dbus_object_skeleton_add_interface (object, G_DBUS_INTERFACE_SKELETON (self));
  g_dbus_object_manager_server_export (regiond_device_get_daemon (self->device)->objects, object);
}

void
regiond_lease_unexport (RegiondLease *self)
{
  g_dbus_object_manager_server_unexport (regiond_device_get_daemon (self->device)->objects, self->path);
}

const char *
regiond_lease_get_path (RegiondLease *self)
{
  return self->path;
}

RegiondDevice *
regiond_lease_get_device (RegiondLease *self)
{
  return self->device;
}

RegiondClient *
regiond_lease_get_client (RegiondLease *self)
{
  return self->client;
}

RegiondHold *
regiond_lease_get_hold (RegiondLease *self)
{
  return self->hold;
}

const RegiondWindow *
regiond_lease_get_window (RegiondLease *self)
{
  return &self->window;
}

GPtrArray *
regiond_lease_get_questions (RegiondLease *self)
{
  return self->questions;
}

gboolean
regiond_lease_has_ended (RegiondLease *self)
{
  return self->ended;
}

gboolean
regiond_lease_is_leaked (RegiondLease *self)
{
  return self->leaked;
}

void
regiond_lease_set_leaked (RegiondLease *self)
{
  self->leaked = TRUE;
}

gint64
regiond_lease_get_patience (RegiondLease *self)
{
  return self->patience;
}

void
regiond_lease_set_patience (RegiondLease *self,
                            gint64        until)
{
  self->patience = until;
}

gboolean
regiond_lease_is_patient (RegiondLease *self)
{
  return self->patience > g_get_monotonic_time ();
}

RegiondCut
regiond_lease_get_cut (RegiondLease *self)
{
  if (regiond_hold_is_cut (self->hold))
    return REGIOND_CUT_DONE;

  /* Nobody has tried yet, though his time may be over. */
  if (self->patience != 0)
    return REGIOND_CUT_PENDING;
  if (regiond_hold_is_cutting (self->hold) && g_get_monotonic_time () < self->cut_until)
    return REGIOND_CUT_PENDING;

  /* Other threads cut: it may have been done since it was asked. */
  return regiond_hold_is_cut (self->hold) ? REGIOND_CUT_DONE : REGIOND_CUT_FAILED;
}

void
regiond_lease_cut (RegiondLease *self)
{
  self->cut_until = g_get_monotonic_time () + REGIOND_CUT_MOST_MS * G_GINT64_CONSTANT (1000);
  regiond_hold_cut (self->hold);
}

void
regiond_lease_set_state (RegiondLease     *self,
                         RegiondLeaseState state)
{
  regiond_dbus_lease_set_state (REGIOND_DBUS_LEASE (self), regiond_lease_state_to_string (state));
}

/* To the owner alone: the generated emitters would tell everybody. */
static void
tell_owner (RegiondLease *self,
            const char   *signal,
            GVariant     *parameters)
{
  g_autoptr (GVariant) sunk = g_variant_ref_sink (parameters);

  if (get_owner (self)[0] != '\0')
    g_dbus_connection_emit_signal (regiond_device_get_daemon (self->device)->connection, get_owner (self), self->path,
                                   LEASE_INTERFACE, signal, sunk, NULL);
}

/* To everybody, as it is seen by everybody that the lease goes. */
static void
tell_all (RegiondLease *self,
          const char   *reason)
{
  g_dbus_connection_emit_signal (regiond_device_get_daemon (self->device)->connection, NULL, REGIOND_PATH,
                                 MANAGER_INTERFACE, "LeaseEnded", g_variant_new ("(os)", self->path, reason), NULL);
}

/* @client: whose doing it is. */
static void
log_event (RegiondLease  *self,
           RegiondClient *client,
           const char    *event,
           const char    *reason)
{
  RegiondDBusLease *lease = REGIOND_DBUS_LEASE (self);
  RegiondRecord record = {
    .event = event,
    .device = regiond_device_get_id (self->device),
    .region = regiond_dbus_lease_get_region (lease),
    .access = regiond_dbus_lease_get_access (lease),
    .lease = self->path,
    .reason = reason,
  };

  regiond_client_describe (client, &record);
  regiond_log (&record);
}

void
regiond_lease_warn (RegiondLease *self,
                    const char   *reason,
                    guint         grace)
{
  regiond_lease_set_state (self, REGIOND_LEASE_REVOKING);
  tell_owner (self, "RevokeRequested", g_variant_new ("(su)", reason, grace));
}

void
regiond_lease_end (RegiondLease *self,
                   RegiondEnd    end)
{
  const char *reason = regiond_end_to_string (end);

  self->ended = TRUE;
  g_clear_handle_id (&self->grace, g_source_remove);
  g_clear_pointer (&self->bond, regiond_bond_free);
  regiond_client_remove_lease (self->client, self);

  if (!regiond_client_is_gone (self->client))
    tell_owner (self, "Ended", g_variant_new ("(s)", reason));
  tell_all (self, reason);
  if (end == REGIOND_END_REVOKED && self->revoke_reason != NULL)
    {
      g_autofree char *full = g_strdup_printf ("%s: %s", reason, self->revoke_reason);

      log_event (self, self->client, "end", full);
    }
  else
    log_event (self, self->client, "end", reason);
}

static gboolean
check_active (RegiondLease *self,
              GError      **error)
{
  if (!self->ended)
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE,
               "Lease %s has ended already; it is shown for as long as references of it are left", self->path);
  return FALSE;
}

/* What belongs to a process belongs to its user. */
static gboolean
check_owner (RegiondLease  *self,
             RegiondClient *caller,
             GError       **error)
{
  if (!regiond_client_is_process (self->client) && caller != self->client)
    g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED,
                 "Lease %s belongs to %s: only its owner can release it; Revoke is for administrators "
                 "(polkit action org.regiond1.revoke-lease)",
                 self->path, regiond_client_get_name (self->client));
  else if (regiond_client_get_uid (caller) != regiond_client_get_uid (self->client))
    g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED,
                 "Lease %s belongs to %s: only its user, %u, can release it; Revoke is for administrators "
                 "(polkit action org.regiond1.revoke-lease)",
                 self->path, regiond_client_get_name (self->client), regiond_client_get_uid (self->client));
  else
    return TRUE;

  return FALSE;
}

static void
release (RegiondLease          *self,
         RegiondClient         *caller,
         GDBusMethodInvocation *invocation)
{
  GError *error = NULL;

  if (!check_owner (self, caller, &error) || !check_active (self, &error))
    {
      regiond_error_return (invocation, error);
      return;
    }

  regiond_tenancy_end (regiond_device_get_tenancy (self->device), self, REGIOND_END_RELEASED);
  regiond_dbus_lease_complete_release (REGIOND_DBUS_LEASE (self), invocation);
}

/* One Release under way, for which it has to be known who asks. */
typedef struct {
  RegiondLease          *lease;
  RegiondClient         *caller;
  GDBusMethodInvocation *invocation;
} Release;

static void
release_free (Release *self)
{
  g_object_unref (self->lease);
  regiond_client_unref (self->caller);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Release, release_free)

static void
on_releaser_known (GObject      *source,
                   GAsyncResult *result,
                   gpointer      data)
{
  g_autoptr (Release) self = data;
  GError *error = NULL;

  if (regiond_client_identify_finish (self->caller, result, &error))
    release (self->lease, self->caller, self->invocation);
  else
    regiond_error_return (self->invocation, error);
}

static gboolean
handle_release (RegiondDBusLease      *object,
                GDBusMethodInvocation *invocation)
{
  g_autoptr (RegiondLease) self = g_object_ref (REGIOND_LEASE (object));
  RegiondDaemon *daemon = regiond_device_get_daemon (self->device);
  g_autoptr (RegiondClient) caller = NULL;
  Release *under_way;

  caller = regiond_clients_get (daemon->clients, g_dbus_method_invocation_get_sender (invocation));
  if (!regiond_client_is_process (self->client))
    {
      release (self, caller, invocation);
      return TRUE;
    }

  under_way = g_new (Release, 1);
  *under_way = (Release){ g_steal_pointer (&self), g_steal_pointer (&caller), invocation };
  regiond_client_identify (under_way->caller, on_releaser_known, under_way);
  return TRUE;
}

/* One Revoke under way. */
typedef struct {
  RegiondLease          *lease;
  RegiondClient         *caller;
  GDBusMethodInvocation *invocation;
  char                  *reason;
  guint32                grace;
} Revocation;

static void
revocation_free (Revocation *self)
{
  g_object_unref (self->lease);
  regiond_client_unref (self->caller);
  g_free (self->reason);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Revocation, revocation_free)

static gboolean
on_grace_over (gpointer data)
{
  RegiondLease *self = data;

  self->grace = 0;
  regiond_tenancy_end (regiond_device_get_tenancy (self->device), self, REGIOND_END_REVOKED);
  return G_SOURCE_REMOVE;
}

static void
take_reason (RegiondLease *self,
             Revocation   *revocation)
{
  g_free (self->revoke_reason);
  self->revoke_reason = g_strdup (revocation->reason);
}

/* A later call may shorten what an earlier one has announced, never lengthen it. */
static void
announce_end (RegiondLease *self,
              Revocation   *revocation)
{
  GSource *pending = self->grace != 0 ? g_main_context_find_source_by_id (NULL, self->grace) : NULL;
  gint64 until = g_get_monotonic_time () + revocation->grace * G_GINT64_CONSTANT (1000);

  if (pending != NULL && g_source_get_ready_time (pending) <= until)
    {
      log_event (self, revocation->caller, "revocation", "it has been announced to end sooner already");
      return;
    }

  take_reason (self, revocation);
  g_clear_handle_id (&self->grace, g_source_remove);
  self->grace = g_timeout_add (revocation->grace, on_grace_over, self);
  regiond_lease_warn (self, revocation->reason, revocation->grace);
  log_event (self, revocation->caller, "revocation", revocation->reason);
}

/* It has ended. Where what is left reaches a real device, that is said when it
 * has been cut, or cannot be. */
static void
answer_revoker (RegiondLease          *self,
                GDBusMethodInvocation *invocation)
{
  if (!regiond_device_severs (self->device) || regiond_hold_is_gone (self->hold) ||
      regiond_lease_get_cut (self) == REGIOND_CUT_DONE)
    regiond_dbus_lease_complete_revoke (REGIOND_DBUS_LEASE (self), invocation);
  else if (regiond_lease_get_cut (self) == REGIOND_CUT_PENDING)
    g_queue_push_tail (&self->revokers, invocation);
  else
    g_dbus_method_invocation_return_error (invocation, REGIOND_ERROR, REGIOND_ERROR_LINGERING,
                                           "Lease %s has ended, but what its holder has of device %s could not be cut: "
                                           "only its close or death ends it. End whoever holds it, and wait with Verify",
                                           self->path, regiond_device_get_id (self->device));
}

void
regiond_lease_settle (RegiondLease *self)
{
  for (guint n = g_queue_get_length (&self->revokers); n > 0; n--)
    answer_revoker (self, g_queue_pop_head (&self->revokers));
}

static void
on_revoke_permitted (GObject      *source,
                      GAsyncResult *result,
                      gpointer      data)
{
  g_autoptr (Revocation) revocation = data;
  RegiondLease *self = revocation->lease;
  GError *error = NULL;

  if (!regiond_permit_ask_finish (result, &error) || !check_active (self, &error))
    {
      log_event (self, revocation->caller, "refusal", error->message);
      regiond_error_return (revocation->invocation, error);
      return;
    }

  if (revocation->grace > 0)
    {
      announce_end (self, revocation);
      regiond_dbus_lease_complete_revoke (REGIOND_DBUS_LEASE (self), revocation->invocation);
      return;
    }

  take_reason (self, revocation);
  log_event (self, revocation->caller, "revocation", revocation->reason);
  regiond_tenancy_end (regiond_device_get_tenancy (self->device), self, REGIOND_END_REVOKED);
  answer_revoker (self, revocation->invocation);
}

static RegiondQuestion *
make_revoke_question (RegiondLease          *self,
                      GDBusMethodInvocation *invocation,
                      gboolean               interactive)
{
  RegiondDBusLease *lease = REGIOND_DBUS_LEASE (self);
  g_autofree char *offset = g_strdup_printf ("%" G_GUINT64_FORMAT, regiond_dbus_lease_get_offset (lease));
  g_autofree char *length = g_strdup_printf ("%" G_GUINT64_FORMAT, regiond_dbus_lease_get_size (lease));
  RegiondQuestion *question;

  question = regiond_question_new ("org.regiond1.revoke-lease", invocation, interactive,
                                   g_strdup_printf ("revoke lease %s", self->path));
  regiond_device_add_details (self->device, question);
  regiond_question_add (question, "region", regiond_dbus_lease_get_region (lease));
  regiond_question_add (question, "region_kind", self->window.region->kind);
  regiond_question_add (question, "access", regiond_dbus_lease_get_access (lease));
  regiond_question_add (question, "offset", offset);
  regiond_question_add (question, "length", length);
  regiond_question_add (question, "label", regiond_dbus_lease_get_label (lease));
  regiond_question_add (question, "mechanism", regiond_dbus_lease_get_mechanism (lease));
  regiond_question_add (question, "revocation", regiond_dbus_lease_get_revocation (lease));
  regiond_question_add (question, "exclusive", self->window.exclusive ? "true" : "false");
  return question;
}

static gboolean
handle_revoke (RegiondDBusLease      *object,
               GDBusMethodInvocation *invocation,
               const char            *reason,
               GVariant              *options)
{
  RegiondLease *self = REGIOND_LEASE (object);
  gboolean interactive = FALSE;
  guint32 grace = 0;
  const RegiondOption known[] = { { "grace", "u", &grace }, { "interactive", "b", &interactive } };
  RegiondDaemon *daemon = regiond_device_get_daemon (self->device);
  Revocation *revocation;
  GError *error = NULL;

  if (!regiond_options_read (options, known, G_N_ELEMENTS (known), &error) || !check_active (self, &error))
    return regiond_error_return (invocation, error);
  if (!regiond_text_is_printable (reason, REASON_MOST))
    {
      g_set_error (&error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                   "The reason of a revocation has at most %d characters, all printable", REASON_MOST);
      return regiond_error_return (invocation, error);
    }

  revocation = g_new (Revocation, 1);
  *revocation = (Revocation){
    .lease = g_object_ref (self),
    .caller = regiond_clients_get (daemon->clients, g_dbus_method_invocation_get_sender (invocation)),
    .invocation = invocation,
    .reason = g_strdup (reason),
    .grace = grace,
  };
  regiond_permit_ask (daemon->authority, revocation->caller, make_revoke_question (self, invocation, interactive),
                      NULL, on_revoke_permitted, revocation);
  return TRUE;
}

static void
regiond_lease_iface_init (RegiondDBusLeaseIface *iface)
{
  iface->handle_release = handle_release;
  iface->handle_revoke = handle_revoke;
}
