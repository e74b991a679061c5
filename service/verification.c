/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verification.h"

#include "error.h"
#include "options.h"

/* Who wants to wait longer calls again. */
#define WAIT_MOST_MS (10 * 60 * 1000)

struct _RegiondVerifications {
  GQueue waiting; /* Waiter */
  guint  alarm;   /* one for all of them */
  gint64 alarm_at;
};

typedef struct {
  RegiondVerifications  *verifications; /* the device's, which keeps them */
  RegiondDevice         *device;
  GDBusMethodInvocation *invocation;
  gint64                 deadline;
  RegiondClient         *client; /* NULL: it waits for the next look only */
} Waiter;

static void
waiter_free (Waiter *self)
{
  g_object_unref (self->device);
  g_clear_pointer (&self->client, regiond_client_unref);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Waiter, waiter_free)

RegiondVerifications *
regiond_verifications_new (void)
{
  RegiondVerifications *self = g_new0 (RegiondVerifications, 1);

  g_queue_init (&self->waiting);
  return self;
}

void
regiond_verifications_free (RegiondVerifications *self)
{
  g_assert (g_queue_is_empty (&self->waiting));
  g_clear_handle_id (&self->alarm, g_source_remove);
  g_free (self);
}

static GVariant *
describe (RegiondDevice *device)
{
  RegiondTenancy *tenancy = regiond_device_get_tenancy (device);
  g_auto (GStrv) ended = regiond_tenancy_list_ended (tenancy);
  g_autoptr (GPtrArray) proofs = g_ptr_array_new ();
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  regiond_backend_list_proofs (regiond_device_get_backend (device), proofs);
  g_variant_builder_add (&builder, "{sv}", "proofs",
                         g_variant_new_strv ((const char *const *) proofs->pdata, proofs->len));
  g_variant_builder_add (&builder, "{sv}", "references",
                         g_variant_new_uint32 (regiond_device_count_lingering (device)));
  g_variant_builder_add (&builder, "{sv}", "leases", g_variant_new_objv ((const char *const *) ended, -1));
  return g_variant_builder_end (&builder);
}

/* @evidence: made once for all who are answered in one turn. */
static void
answer (RegiondDevice         *device,
        GDBusMethodInvocation *invocation,
        GVariant              *evidence)
{
  regiond_dbus_device_complete_verify (REGIOND_DBUS_DEVICE (device), invocation,
                                       regiond_device_count_lingering (device) == 0, evidence);
}

/* Takes one out of the queue; its invocation is the caller's to answer. */
static GDBusMethodInvocation *
dismiss (RegiondVerifications *self,
         GList                *link)
{
  Waiter *waiter = link->data;
  GDBusMethodInvocation *invocation = waiter->invocation;

  g_queue_delete_link (&self->waiting, link);
  waiter_free (waiter);
  return invocation;
}

static gboolean on_alarm (gpointer data);

/* It may ring too early, when who it was set for has been answered. */
static void
set_alarm (RegiondVerifications *self,
           gint64                deadline)
{
  if (self->alarm != 0 && self->alarm_at <= deadline)
    return;

  g_clear_handle_id (&self->alarm, g_source_remove);
  self->alarm_at = deadline;
  self->alarm = g_timeout_add (MAX (0, deadline - g_get_monotonic_time () + 999) / 1000, on_alarm, self);
}

static void
answer_overdue (RegiondVerifications *self,
                RegiondDevice        *device)
{
  g_autoptr (GVariant) evidence = g_variant_ref_sink (describe (device));
  gint64 now = g_get_monotonic_time ();
  GList *next;

  for (GList *link = self->waiting.head; link != NULL; link = next)
    {
      Waiter *waiter = link->data;

      next = link->next;
      if (waiter->deadline <= now)
        answer (device, dismiss (self, link), evidence);
      else
        set_alarm (self, waiter->deadline);
    }
}

/* Those who have waited for a look get one: it is due, or there has been one. */
static gboolean
on_alarm (gpointer data)
{
  RegiondVerifications *self = data;
  Waiter *first = g_queue_peek_head (&self->waiting);
  g_autoptr (RegiondDevice) device = NULL;

  self->alarm = 0;
  if (first == NULL)
    return G_SOURCE_REMOVE;

  device = g_object_ref (first->device);
  if (regiond_tenancy_get_rest (regiond_device_get_tenancy (device)) == 0)
    regiond_tenancy_look (regiond_device_get_tenancy (device));
  answer_overdue (self, device);
  return G_SOURCE_REMOVE;
}

static Waiter *
waiter_new (RegiondVerifications  *verifications,
            RegiondDevice         *device,
            GDBusMethodInvocation *invocation,
            gint64                 time)
{
  Waiter *self = g_new0 (Waiter, 1);

  self->verifications = verifications;
  self->device = g_object_ref (device);
  self->invocation = invocation;
  self->deadline = g_get_monotonic_time () + time;
  return self;
}

static void
await (Waiter *waiter)
{
  RegiondVerifications *self = waiter->verifications;

  g_queue_push_tail (&self->waiting, waiter);
  set_alarm (self, waiter->deadline);
}

static guint
count_of_user (RegiondVerifications *self,
               guint32               uid)
{
  guint n = 0;

  for (GList *link = self->waiting.head; link != NULL; link = link->next)
    {
      Waiter *waiter = link->data;

      n += waiter->client != NULL && regiond_client_get_uid (waiter->client) == uid;
    }
  return n;
}

/* Whether it may wait; the device may have gone while the bus was asked. */
static gboolean
check (Waiter       *waiter,
       GAsyncResult *result,
       GError      **error)
{
  g_autoptr (GError) unusable = NULL;
  guint32 uid;

  if (!regiond_client_identify_finish (waiter->client, result, error))
    return FALSE;
  if (!regiond_device_check_usable (waiter->device, &unusable) &&
      g_error_matches (unusable, REGIOND_ERROR, REGIOND_ERROR_GONE))
    {
      g_propagate_error (error, g_steal_pointer (&unusable));
      return FALSE;
    }

  uid = regiond_client_get_uid (waiter->client);
  if (count_of_user (waiter->verifications, uid) < REGIOND_VERIFICATIONS_MOST)
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
               "There are %d Verify of user %u waiting for device %s already; ask without 'timeout', or try again",
               REGIOND_VERIFICATIONS_MOST, uid, regiond_device_get_id (waiter->device));
  return FALSE;
}

static void
on_identified (GObject      *source,
               GAsyncResult *result,
               gpointer      data)
{
  g_autoptr (Waiter) waiter = data;
  RegiondDevice *device = waiter->device;
  GError *error = NULL;

  if (!check (waiter, result, &error))
    regiond_error_return (waiter->invocation, error);
  else if (regiond_device_count_lingering (device) == 0)
    answer (device, waiter->invocation, describe (device));
  else
    await (g_steal_pointer (&waiter));
}

/* First it has to be known whose it is. */
static void
await_patiently (RegiondVerifications  *self,
                 RegiondDevice         *device,
                 GDBusMethodInvocation *invocation,
                 gint64                 time)
{
  Waiter *waiter = waiter_new (self, device, invocation, time);

  waiter->client = regiond_clients_get (regiond_device_get_daemon (device)->clients,
                                        g_dbus_method_invocation_get_sender (invocation));
  regiond_client_identify (waiter->client, on_identified, waiter);
}

void
regiond_verifications_start (RegiondVerifications  *self,
                             RegiondDevice         *device,
                             GDBusMethodInvocation *invocation,
                             GVariant              *options)
{
  RegiondTenancy *tenancy = regiond_device_get_tenancy (device);
  guint32 timeout = 0;
  const RegiondOption known[] = { { "timeout", "u", &timeout } };
  GError *error = NULL;
  gint64 rest;

  if (!regiond_options_read (options, known, G_N_ELEMENTS (known), &error))
    {
      regiond_error_return (invocation, error);
      return;
    }

  rest = regiond_tenancy_get_rest (tenancy);
  if (rest == 0)
    regiond_tenancy_look (tenancy);

  /* Nobody is told what was seen before he asked, unless that is that nothing is left. */
  if (regiond_device_count_lingering (device) == 0 || (timeout == 0 && rest == 0))
    answer (device, invocation, describe (device));
  else if (timeout == 0)
    await (waiter_new (self, device, invocation, rest));
  else
    await_patiently (self, device, invocation, MIN (timeout, WAIT_MOST_MS) * G_GINT64_CONSTANT (1000));
}

void
regiond_verifications_update (RegiondVerifications *self,
                              RegiondDevice        *device,
                              gboolean              gone)
{
  g_autoptr (GVariant) evidence = NULL;

  if (g_queue_is_empty (&self->waiting))
    return;
  if (!gone && regiond_device_count_lingering (device) > 0)
    return;

  if (!gone)
    evidence = g_variant_ref_sink (describe (device));
  while (!g_queue_is_empty (&self->waiting))
    {
      GDBusMethodInvocation *invocation = dismiss (self, self->waiting.head);

      if (gone)
        g_dbus_method_invocation_return_error (invocation, REGIOND_ERROR, REGIOND_ERROR_GONE,
                                               "Device %s has been removed", regiond_device_get_id (device));
      else
        answer (device, invocation, evidence);
    }
}
