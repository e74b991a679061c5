/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind.h"

#include "backends/vfio/address.h"
#include "device.h"
#include "error.h"
#include "inventory.h"
#include "log.h"
#include "options.h"
#include "permit.h"
#include "text.h"

typedef struct {
  RegiondDaemon         *daemon;
  GDBusMethodInvocation *invocation;
  RegiondClient         *client;
  RegiondBinding        *binding;  /* for threads, which may outlast the daemon */
  RegiondIdentity       *identity; /* as it was when the call came */
  gboolean               group;
  gboolean               force;
} Bind;

static void
bind_free (Bind *self)
{
  g_clear_pointer (&self->identity, regiond_identity_unref);
  regiond_binding_unref (self->binding);
  regiond_client_unref (self->client);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bind, bind_free)

static void
log_bind (Bind       *self,
          const char *event,
          const char *reason)
{
  RegiondRecord record = { .event = event, .device = self->identity->address, .reason = reason };

  regiond_client_describe (self->client, &record);
  regiond_log (&record);
}

/* Takes both. */
static void
refuse (Bind   *bind,
        GError *error)
{
  g_autoptr (Bind) self = bind;

  log_bind (self, "refusal", error->message);
  regiond_error_return (self->invocation, error);
}

static void
on_bound (GObject      *source,
          GAsyncResult *result,
          gpointer      data)
{
  g_autoptr (Bind) self = data;
  g_autofree char *reason = NULL;
  GError *error = NULL;
  RegiondDevice *device;

  if (!g_task_propagate_boolean (G_TASK (result), &error))
    {
      refuse (g_steal_pointer (&self), error);
      return;
    }

  regiond_inventory_update (self->daemon->inventory);
  device = regiond_daemon_find_device (self->daemon, self->identity->address, NULL);
  if (device == NULL)
    {
      refuse (g_steal_pointer (&self),
              g_error_new (REGIOND_ERROR, REGIOND_ERROR_FAILED, "%s has been bound to vfio-pci and is not there; regiond's "
                           "log says why", self->identity->address));
      return;
    }

  reason = g_strdup_printf ("bound to vfio-pci; its driver was %s",
                            self->identity->driver[0] != '\0' ? self->identity->driver : "none");
  log_bind (self, "device", reason);
  g_dbus_method_invocation_return_value (self->invocation,
                                         g_variant_new ("(o)", regiond_device_get_path (device)));
}

/* Everything may be otherwise than when polkit was asked. */
static gboolean
bind_device (Bind    *self,
             GError **error)
{
  g_autoptr (RegiondIdentity) identity = regiond_binding_find (self->binding, self->identity->address, error);
  g_auto (GStrv) plan = NULL;

  if (identity == NULL || (plan = regiond_binding_plan (self->binding, identity, self->group, error)) == NULL)
    return FALSE;
  return regiond_binding_bind (self->binding, (const char *const *) plan, self->force, error);
}

static void
work (GTask        *task,
      gpointer      source,
      gpointer      data,
      GCancellable *cancellable)
{
  Bind *self = data;
  GError *error = NULL;

  if (bind_device (self, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
on_permitted (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  Bind *self = data;
  g_autoptr (GTask) task = NULL;
  GError *error = NULL;

  if (!regiond_permit_ask_finish (result, &error))
    {
      refuse (self, error);
      return;
    }

  task = g_task_new (NULL, NULL, on_bound, self);
  g_task_set_task_data (task, self, NULL);
  g_task_run_in_thread (task, work);
}

static RegiondQuestion *
make_question (Bind    *self,
               char   **plan,
               gboolean interactive)
{
  const RegiondIdentity *identity = self->identity;
  g_autofree char *all = g_strjoinv (", ", plan);
  RegiondQuestion *question;

  question = regiond_question_new_managing (self->invocation, interactive,
                                            g_strdup_printf ("take %s from the system's drivers", all), self->group,
                                            self->force);
  regiond_question_add (question, "device", identity->address);
  regiond_question_add (question, "backend", "vfio");
  regiond_question_add (question, "description", identity->description);
  regiond_question_add_identity (question, identity);
  return question;
}

/* As the kernel spells it. */
static char *
read_address (const char *text,
              GError    **error)
{
  g_autofree char *quoted = regiond_text_quote (text);
  RegiondAddress address;

  if (regiond_address_parse_short (text, &address))
    return regiond_address_to_string (&address);

  g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
               "%s is no PCI address, which is like 0000:00:10.0, or 00:10.0 in domain 0; 'lspci -D' shows them", quoted);
  return NULL;
}

static char **
read_call (Bind       *self,
           const char *text,
           GVariant   *options,
           gboolean   *interactive,
           GError    **error)
{
  const RegiondOption known[] = {
    { "force", "b", &self->force },
    { "group", "b", &self->group },
    { "interactive", "b", interactive },
  };
  g_autofree char *address = NULL;

  if (self->daemon->inventory == NULL)
    {
      g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                           "No PCI devices are served, since it cannot be put on record what is lent; regiond's log says "
                           "why");
      return NULL;
    }
  if (!regiond_options_read (options, known, G_N_ELEMENTS (known), error) ||
      (address = read_address (text, error)) == NULL ||
      (self->identity = regiond_binding_find (self->binding, address, error)) == NULL ||
      !regiond_settings_check_pci (self->daemon->settings, self->identity, error))
    return NULL;
  return regiond_binding_plan (self->binding, self->identity, self->group, error);
}

void
regiond_bind_start (RegiondDaemon         *daemon,
                    GDBusMethodInvocation *invocation,
                    const char            *address,
                    GVariant              *options)
{
  g_autoptr (Bind) self = g_new0 (Bind, 1);
  g_auto (GStrv) plan = NULL;
  gboolean interactive = FALSE;
  GError *error = NULL;

  self->daemon = daemon;
  self->binding = regiond_binding_ref (daemon->binding);
  self->invocation = invocation;
  self->client = regiond_clients_get (daemon->clients, g_dbus_method_invocation_get_sender (invocation));
  if ((plan = read_call (self, address, options, &interactive, &error)) == NULL)
    {
      regiond_error_return (invocation, error);
      return;
    }

  regiond_permit_ask (daemon->authority, self->client, make_question (self, plan, interactive), NULL, on_permitted, self);
  g_steal_pointer (&self);
}
