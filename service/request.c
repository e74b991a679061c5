/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request.h"

#include "error.h"
#include "leases.h"
#include "options.h"
#include "text.h"

#define LABEL_MOST 64

void
regiond_request_free (RegiondRequest *self)
{
  g_clear_pointer (&self->bond, regiond_bond_free);
  g_clear_object (&self->shown);
  g_clear_pointer (&self->window.region, regiond_region_unref);
  g_object_unref (self->device);
  g_free (self->least);
  g_free (self->label);
  g_free (self);
}

static const char *
get_access (RegiondRequest *self)
{
  return regiond_access_to_string (self->window.access);
}

static gboolean
read_access (const char    *text,
             RegiondAccess *access,
             GError       **error)
{
  g_autofree char *quoted = NULL;

  if (regiond_access_parse (text, access))
    return TRUE;

  quoted = regiond_text_quote (text);
  g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
               "%s is no access; there are 'r', 'w', 'rw', 'rm' and 'rwm'", quoted);
  return FALSE;
}

static gboolean
read_region (RegiondRequest *self,
             const char     *region,
             const char     *access,
             GError        **error)
{
  RegiondRegion *found = regiond_device_find_region (self->device, region, error);

  if (found == NULL)
    return FALSE;
  self->window.region = regiond_region_ref (found);
  return read_access (access, &self->window.access, error);
}

static gboolean
check_label (const char *label,
             GError    **error)
{
  if (regiond_text_is_printable (label, LABEL_MOST))
    return TRUE;

  g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
               "The option 'label' has at most %d characters, all printable", LABEL_MOST);
  return FALSE;
}

static gboolean
read_part (RegiondRequest *self,
           guint64         offset,
           guint64         length,
           GError        **error)
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
  return TRUE;
}

static gboolean
check_least (const char *least,
             GError    **error)
{
  RegiondRevocation demanded;

  if (least != NULL && !regiond_revocation_parse (least, &demanded))
    {
      g_autofree char *quoted = regiond_text_quote (least);

      g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                   "%s is no revocation; there are 'immediate', 'detached' and 'on-close'", quoted);
      return FALSE;
    }
  return TRUE;
}

/* Who has nothing on the bus has nothing there for himself: Exclusive is a bus name. */
static gboolean
check_detach (RegiondRequest *self,
              GError        **error)
{
  if (self->detach && self->bond == NULL)
    g_set_error_literal (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                         "The option 'detach' is for a lease that is tied to a process; name it by 'bind-to'");
  else if (self->detach && self->window.exclusive)
    g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                         "A device cannot be had with 'exclusive' and 'detach': it is had exclusively by a bus name; "
                         "ask without one of them");
  else
    return TRUE;

  return FALSE;
}

/* @bind_to: an index in @fds. */
static gboolean
read_bond (RegiondRequest *self,
           gint32          bind_to,
           GUnixFDList    *fds,
           GError        **error)
{
  int n = 0;
  const int *list = fds != NULL ? g_unix_fd_list_peek_fds (fds, &n) : NULL;

  if (bind_to < 0 || bind_to >= n)
    {
      g_set_error (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS,
                   "The option 'bind-to' is descriptor %d of the message, which has %d; send a pidfd along", bind_to, n);
      return FALSE;
    }

  self->bond = regiond_bond_new (list[bind_to], error);
  return self->bond != NULL;
}

static gboolean
read_options (RegiondRequest *self,
              GVariant       *options,
              GUnixFDList    *fds,
              GError        **error)
{
  const char *label = "", *least = NULL;
  guint64 offset = 0, length = G_MAXUINT64;
  gint32 bind_to;
  /* Before anything is read: this may move the strings. */
  gboolean bound = g_variant_lookup (options, "bind-to", "h", &bind_to);
  const RegiondOption known[] = {
    { "bind-to", "h", &bind_to },
    { "detach", "b", &self->detach },
    { "exclusive", "b", &self->window.exclusive },
    { "interactive", "b", &self->interactive },
    { "label", "s", &label },
    { "length", "t", &length },
    { "offset", "t", &offset },
    { "revocation", "s", &least },
    { "write-combining", "b", &self->window.write_combining },
  };

  if (!regiond_options_read (options, known, G_N_ELEMENTS (known), error) || !read_part (self, offset, length, error) ||
      !check_least (least, error) || (bound && !read_bond (self, bind_to, fds, error)) ||
      !check_detach (self, error) || !check_label (label, error))
    return FALSE;

  self->label = g_strdup (label);
  self->least = g_strdup (least);
  return TRUE;
}

RegiondRequest *
regiond_request_new (RegiondDevice *device,
                     const char    *region,
                     const char    *access,
                     GVariant      *options,
                     GUnixFDList   *fds,
                     GError       **error)
{
  g_autoptr (RegiondRequest) self = g_new0 (RegiondRequest, 1);

  self->device = g_object_ref (device);
  if (!read_region (self, region, access, error) || !read_options (self, options, fds, error))
    return NULL;
  return g_steal_pointer (&self);
}

gboolean
regiond_share_read (RegiondShare *self,
                    GVariant     *options,
                    GError      **error)
{
  const char *access = NULL;
  const RegiondOption known[] = {
    { "access", "s", &access },
    { "interactive", "b", &self->interactive },
    { "label", "s", &self->label },
    { "revocation", "s", &self->least },
  };

  *self = (RegiondShare){ .label = "" };
  return regiond_options_read (options, known, G_N_ELEMENTS (known), error) &&
         (access == NULL || read_access (access, &self->access, error)) && check_label (self->label, error) &&
         check_least (self->least, error);
}

/* What both the lease and the description allow; a description cannot say that it may be mapped. */
static RegiondAccess
get_shown_access (RegiondRequest *self)
{
  return regiond_lease_get_window (self->shown)->access & (self->proof.access | REGIOND_ACCESS_MAP);
}

RegiondRequest *
regiond_request_new_shown (RegiondLease       *lease,
                           const RegiondProof *proof,
                           const RegiondShare *share)
{
  RegiondRequest *self = g_new0 (RegiondRequest, 1);

  self->device = g_object_ref (regiond_lease_get_device (lease));
  self->window = *regiond_lease_get_window (lease);
  regiond_region_ref (self->window.region);
  self->shown = g_object_ref (lease);
  self->proof = *proof;
  self->proof.fd = -1;
  self->window.access = share->access != 0 ? share->access : get_shown_access (self);
  self->label = g_strdup (share->label);
  self->least = g_strdup (share->least);
  self->interactive = share->interactive;
  return self;
}

RegiondClient *
regiond_request_find_holder (RegiondRequest *self,
                             RegiondClient  *caller)
{
  if (!self->detach)
    return regiond_client_ref (caller);
  return regiond_client_new_process (regiond_bond_get_uid (self->bond), regiond_bond_get_pid (self->bond));
}

/* NONE with the reason. */
static RegiondMechanism
find_mechanism (RegiondRequest *self,
                GError        **error)
{
  RegiondRegion *region = self->window.region;
  RegiondMechanism mechanism;

  mechanism = regiond_backend_find_mechanism (regiond_device_get_backend (self->device), region, self->window.access, error);
  if (mechanism == REGIOND_MECHANISM_NONE)
    g_prefix_error (error, "Region %s of device %s cannot be had with access '%s': ", region->name,
                    regiond_device_get_id (self->device), get_access (self));
  return mechanism;
}

static gboolean
check_part (RegiondRequest *self,
            GError        **error)
{
  if (!(self->window.access & REGIOND_ACCESS_MAP) || self->window.length == self->window.region->size)
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
               "A part of region %s of device %s ('offset', 'length') cannot be had with 'm': a mapping is of the "
               "whole region; ask for 'r', 'w' or 'rw'", self->window.region->name, regiond_device_get_id (self->device));
  return FALSE;
}

/* Writes are combined on their way through a mapping, and only where the device
 * says that it stands that. */
static gboolean
check_combining (RegiondRequest *self,
                 GError        **error)
{
  RegiondRegion *region = self->window.region;

  if (!self->window.write_combining || (self->window.access & REGIOND_ACCESS_MAP && region->prefetchable))
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
               "Region %s of device %s cannot be had with 'write-combining' and access '%s': %s", region->name,
               regiond_device_get_id (self->device), get_access (self),
               region->prefetchable ? "that is for mappings; ask for 'rm' or 'rwm'"
                                    : "it is not prefetchable; ask without 'write-combining'");
  return FALSE;
}

static gboolean
check_revocation (RegiondRequest *self,
                  GError        **error)
{
  RegiondRevocation demanded = REGIOND_REVOCATION_ON_CLOSE;

  if (self->least == NULL || !regiond_revocation_parse (self->least, &demanded) || demanded <= self->revocation)
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
               "Revocation '%s' is demanded, and region %s of device %s with access %s has '%s'; ask for less", self->least,
               self->window.region->name, regiond_device_get_id (self->device), get_access (self),
               regiond_revocation_to_string (self->revocation));
  return FALSE;
}

static gboolean
check_access (RegiondRequest *self,
              GError        **error)
{
  RegiondAccess shown = self->shown != NULL ? get_shown_access (self) : self->window.access;

  if ((self->window.access & ~shown) == 0)
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
               "The access '%s' is more than what was shown, '%s'; ask for no more than that", get_access (self),
               regiond_access_to_string (shown));
  return FALSE;
}

gboolean
regiond_request_settle (RegiondRequest *self,
                        GError        **error)
{
  if (!check_access (self, error) || (self->mechanism = find_mechanism (self, error)) == REGIOND_MECHANISM_NONE)
    return FALSE;

  self->revocation = regiond_backend_get_revocation (regiond_device_get_backend (self->device), self->mechanism);
  return check_part (self, error) && check_combining (self, error) && check_revocation (self, error);
}

/* What polkit was asked about has to be what will be had. */
static gboolean
check_mechanism (RegiondRequest *self,
                 GError        **error)
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

/* The lease that was found may not have been the one, where descriptions cannot be told from one another. It
 * keeps the file, so no other has got its number meanwhile. */
static gboolean
is_still_shown (RegiondRequest *self)
{
  GHashTable *active = regiond_tenancy_get_active (regiond_device_get_tenancy (self->device));

  return !regiond_lease_has_ended (self->shown) ||
         regiond_leases_find_shown (active, &self->proof, self->window.access) != NULL;
}

/* Who shares what he has shown must not be there beside somebody who has the device for
 * himself; and where nobody can tell what has been left behind, what is shown may be that. */
static gboolean
check_shown (RegiondRequest *self,
             GError        **error)
{
  RegiondTenancy *tenancy = regiond_device_get_tenancy (self->device);
  const char *id = regiond_device_get_id (self->device), *owner = regiond_tenancy_get_exclusive (tenancy);

  if (regiond_tenancy_is_tolerant (tenancy))
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                 "A descriptor proves nothing on device %s, where what ended leases leave behind is let be "
                 "(Linger=tolerate); open the region", id);
  else if (owner[0] != '\0')
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_BUSY,
                 "Device %s cannot be shared: %s has it exclusively; wait until it ends", id, owner);
  else if (!is_still_shown (self))
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "Lease %s, whose descriptor was shown, has ended meanwhile",
                 regiond_lease_get_path (self->shown));
  else
    return TRUE;

  return FALSE;
}

gboolean
regiond_request_check (RegiondRequest *self,
                       RegiondClient  *client,
                       GError        **error)
{
  return (self->bond == NULL || regiond_bond_check (self->bond, error)) &&
         (self->shown == NULL || check_shown (self, error)) &&
         regiond_device_admits (self->device, client, self->window.exclusive, error) && check_mechanism (self, error);
}

RegiondPurchase
regiond_request_make_purchase (RegiondRequest *self,
                               RegiondClient  *client)
{
  return (RegiondPurchase){
    .uid = regiond_client_get_uid (client),
    .connection = regiond_client_get_name (client),
    .device = self->device,
    .memory = regiond_device_get_size (self->device),
    .proxied = self->mechanism == REGIOND_MECHANISM_PROXY,
  };
}

gboolean
regiond_request_is_worthwhile (RegiondRequest *self,
                               RegiondClient  *client,
                               GError        **error)
{
  RegiondPurchase purchase = regiond_request_make_purchase (self, client);

  return regiond_request_check (self, client, error) &&
         regiond_ledger_admits (regiond_device_get_daemon (self->device)->ledger, &purchase, error);
}

static RegiondQuestion *
make_question (RegiondRequest        *self,
               GDBusMethodInvocation *invocation,
               const char            *action)
{
  g_autofree char *offset = g_strdup_printf ("%" G_GUINT64_FORMAT, self->window.offset);
  g_autofree char *length = g_strdup_printf ("%" G_GUINT64_FORMAT, self->window.length);
  RegiondQuestion *question;

  question = regiond_question_new (action, invocation, self->interactive,
                                   g_strdup_printf ("open region %s of device %s with access '%s'",
                                                    self->window.region->name, regiond_device_get_id (self->device),
                                                    get_access (self)));
  regiond_device_add_details (self->device, question);
  regiond_question_add (question, "region", self->window.region->name);
  regiond_question_add (question, "region_kind", self->window.region->kind);
  regiond_question_add (question, "access", get_access (self));
  regiond_question_add (question, "offset", offset);
  regiond_question_add (question, "length", length);
  regiond_question_add (question, "exclusive", self->window.exclusive ? "true" : "false");
  if (self->mechanism != REGIOND_MECHANISM_NONE)
    {
      regiond_question_add (question, "mechanism", regiond_mechanism_to_string (self->mechanism));
      regiond_question_add (question, "revocation", regiond_revocation_to_string (self->revocation));
    }
  regiond_question_add (question, "label", self->label);
  regiond_question_add (question, "proof", self->shown != NULL ? "fd" : "");
  if (self->bond != NULL)
    regiond_bond_add_details (self->bond, question);
  return question;
}

RegiondQuestion *
regiond_request_make_question (RegiondRequest        *self,
                               GDBusMethodInvocation *invocation)
{
  return make_question (self, invocation, self->window.access & REGIOND_ACCESS_WRITE ? "org.regiond1.write-region"
                                                                                      : "org.regiond1.read-region");
}

RegiondQuestion *
regiond_request_make_delegation (RegiondRequest        *self,
                                 GDBusMethodInvocation *invocation)
{
  return make_question (self, invocation, "org.regiond1.delegate");
}
