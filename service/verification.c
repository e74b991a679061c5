/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verification.h"

#include "error.h"
#include "options.h"

/* Who wants to wait longer calls again. */
#define WAIT_MOST_MS (10 * 60 * 1000)

struct _RegiondVerifications {
  GQueue waiting;   /* Waiter */
  guint  n_patient; /* among them */
  guint  alarm;     /* one for all of them */
  gint64 alarm_at;
};

typedef struct {
  RegiondDevice         *device;
  GDBusMethodInvocation *invocation;
  gint64                 deadline;
  gboolean               patient; /* FALSE: it waits for the next look only */
} Waiter;

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
  self->n_patient -= waiter->patient;
  g_object_unref (waiter->device);
  g_free (waiter);
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

static void
await (RegiondVerifications  *self,
       RegiondDevice         *device,
       GDBusMethodInvocation *invocation,
       gint64                 time,
       gboolean               patient)
{
  Waiter *waiter;

  if (patient && self->n_patient >= REGIOND_VERIFICATIONS_MOST)
    {
      g_dbus_method_invocation_return_error (invocation, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
                                             "There are %u Verify waiting for device %s already; ask without 'timeout', "
                                             "or try again", self->n_patient, regiond_device_get_id (device));
      return;
    }

  waiter = g_new (Waiter, 1);
  *waiter = (Waiter){ g_object_ref (device), invocation, g_get_monotonic_time () + time, patient };
  self->n_patient += patient;
  g_queue_push_tail (&self->waiting, waiter);
  set_alarm (self, waiter->deadline);
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
    await (self, device, invocation, rest, FALSE);
  else
    await (self, device, invocation, MIN (timeout, WAIT_MOST_MS) * G_GINT64_CONSTANT (1000), TRUE);
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
