/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verification.h"

#include "error.h"
#include "options.h"

/* Who wants to wait longer calls again. */
#define WAIT_MOST_MS (10 * 60 * 1000)

struct _RegiondVerifications {
  GQueue waiting; /* Waiter */
};

typedef struct {
  RegiondVerifications  *all;
  RegiondDevice         *device;
  GDBusMethodInvocation *invocation;
  guint                  timer;
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
                         g_variant_new_uint32 (regiond_tenancy_count_lingering (tenancy)));
  g_variant_builder_add (&builder, "{sv}", "leases", g_variant_new_objv ((const char *const *) ended, -1));
  return g_variant_builder_end (&builder);
}

static void
answer (RegiondDevice         *device,
        GDBusMethodInvocation *invocation)
{
  RegiondTenancy *tenancy = regiond_device_get_tenancy (device);

  regiond_dbus_device_complete_verify (REGIOND_DBUS_DEVICE (device), invocation,
                                       regiond_tenancy_count_lingering (tenancy) == 0, describe (device));
}

static void
waiter_free (Waiter *self)
{
  g_queue_remove (&self->all->waiting, self);
  g_clear_handle_id (&self->timer, g_source_remove);
  g_object_unref (self->device);
  g_free (self);
}

static gboolean
on_timeout (gpointer data)
{
  Waiter *self = data;

  self->timer = 0;
  answer (self->device, self->invocation);
  waiter_free (self);
  return G_SOURCE_REMOVE;
}

void
regiond_verifications_start (RegiondVerifications  *self,
                             RegiondDevice         *device,
                             GDBusMethodInvocation *invocation,
                             GVariant              *options)
{
  guint32 timeout = 0;
  const RegiondOption known[] = { { "timeout", "u", &timeout } };
  GError *error = NULL;
  Waiter *waiter;

  if (!regiond_options_read (options, known, G_N_ELEMENTS (known), &error))
    {
      regiond_error_return (invocation, error);
      return;
    }

  regiond_tenancy_look (regiond_device_get_tenancy (device));
  if (timeout == 0 || regiond_tenancy_count_lingering (regiond_device_get_tenancy (device)) == 0)
    {
      answer (device, invocation);
      return;
    }

  waiter = g_new (Waiter, 1);
  *waiter = (Waiter){ self, g_object_ref (device), invocation, g_timeout_add (MIN (timeout, WAIT_MOST_MS), on_timeout, waiter) };
  g_queue_push_tail (&self->waiting, waiter);
}

void
regiond_verifications_update (RegiondVerifications *self,
                              RegiondDevice        *device,
                              gboolean              gone)
{
  if (!gone && regiond_tenancy_count_lingering (regiond_device_get_tenancy (device)) > 0)
    return;

  while (!g_queue_is_empty (&self->waiting))
    {
      Waiter *waiter = g_queue_peek_head (&self->waiting);

      if (gone)
        g_dbus_method_invocation_return_error (waiter->invocation, REGIOND_ERROR, REGIOND_ERROR_GONE,
                                               "Device %s has been removed", regiond_device_get_id (device));
      else
        answer (device, waiter->invocation);
      waiter_free (waiter);
    }
}
