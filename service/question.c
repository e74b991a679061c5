/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "question.h"

RegiondQuestion *
regiond_question_new (const char            *action,
                      GDBusMethodInvocation *invocation,
                      gboolean               interactive,
                      char                  *purpose)
{
  RegiondQuestion *self = g_rc_box_new0 (RegiondQuestion);
  GDBusMessageFlags flags = g_dbus_message_get_flags (g_dbus_method_invocation_get_message (invocation));

  self->action = action;
  self->subject = g_strdup (g_dbus_method_invocation_get_sender (invocation));
  self->purpose = purpose;
  self->interactive = interactive || (flags & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION);
  return self;
}

RegiondQuestion *
regiond_question_new_managing (GDBusMethodInvocation *invocation,
                               gboolean               interactive,
                               char                  *purpose,
                               gboolean               group,
                               gboolean               force)
{
  RegiondQuestion *self = regiond_question_new ("org.regiond1.manage-devices", invocation, interactive, purpose);

  regiond_question_add (self, "group", group ? "true" : "false");
  regiond_question_add (self, "force", force ? "true" : "false");
  return self;
}

RegiondQuestion *
regiond_question_ref (RegiondQuestion *self)
{
  return g_rc_box_acquire (self);
}

static void
clear (RegiondQuestion *self)
{
  g_free (self->subject);
  g_free (self->purpose);
  g_clear_object (&self->about);
  g_free (self->details);
}

void
regiond_question_unref (RegiondQuestion *self)
{
  g_rc_box_release_full (self, (GDestroyNotify) clear);
}

void
regiond_question_add (RegiondQuestion *self,
                      const char      *key,
                      const char      *value)
{
  gsize key_size = strlen (key) + 1, value_size = strlen (value) + 1;
  char *end;

  self->details = g_realloc (self->details, self->details_size + key_size + value_size);
  end = self->details + self->details_size;
  memcpy (end, key, key_size);
  memcpy (end + key_size, value, value_size);
  self->details_size += key_size + value_size;
}

PolkitDetails *
regiond_question_make_details (RegiondQuestion *self)
{
  PolkitDetails *details = polkit_details_new ();

  for (gsize at = 0; at < self->details_size;)
    {
      const char *key = self->details + at, *value = key + strlen (key) + 1;

      polkit_details_insert (details, key, value);
      at = value + strlen (value) + 1 - self->details;
    }
  return details;
}

void
regiond_question_add_identity (RegiondQuestion       *self,
                               const RegiondIdentity *identity)
{
  g_autofree char *vendor = g_strdup_printf ("0x%04x", identity->vendor);
  g_autofree char *model = g_strdup_printf ("0x%04x", identity->device);
  g_autofree char *class = g_strdup_printf ("0x%06x", identity->class);
  g_autofree char *group = g_strdup_printf ("%d", identity->iommu_group);

  regiond_question_add (self, "address", identity->address);
  regiond_question_add (self, "vendor", vendor);
  regiond_question_add (self, "model", model);
  regiond_question_add (self, "class", class);
  regiond_question_add (self, "driver", identity->driver);
  if (identity->iommu_group >= 0)
    regiond_question_add (self, "iommu_group", group);
}

PolkitSubject *
regiond_question_get_about (RegiondQuestion *self)
{
  return self->about != NULL ? g_object_ref (self->about) : polkit_system_bus_name_new (self->subject);
}

static int
compare (gconstpointer a,
         gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* With its length before it nothing that is in a part can pass for two. */
static void
append (GString    *key,
        const char *part)
{
  g_string_append_printf (key, "%zu:%s", strlen (part), part);
}

char *
regiond_question_make_key (RegiondQuestion *self)
{
  g_autoptr (PolkitSubject) about = regiond_question_get_about (self);
  g_autofree char *subject = polkit_subject_to_string (about);
  g_autoptr (PolkitDetails) details = regiond_question_make_details (self);
  g_auto (GStrv) keys = polkit_details_get_keys (details);
  guint n = keys != NULL ? g_strv_length (keys) : 0;
  GString *key = g_string_new (NULL);

  append (key, self->action);
  append (key, subject);
  if (n > 0)
    qsort (keys, n, sizeof keys[0], compare);
  for (guint i = 0; i < n; i++)
    {
      append (key, keys[i]);
      append (key, polkit_details_lookup (details, keys[i]));
    }
  return g_string_free (key, FALSE);
}
