/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log.h"

#include "tally.h"

#define MOST_FIELDS 15

typedef struct {
  GLogField fields[MOST_FIELDS];
  gsize     n;
} Fields;

static void
add (Fields     *self,
     const char *key,
     const char *value)
{
  if (value == NULL)
    return;

  g_assert (self->n < MOST_FIELDS);
  self->fields[self->n++] = (GLogField){ key, value, -1 };
}

static void
append_words (GString    *line,
              const char *word,
              const char *value)
{
  if (value != NULL && value[0] != '\0')
    g_string_append_printf (line, " %s%s", word, value);
}

static gboolean
is_known (const RegiondRecord *record)
{
  return record->owner != NULL && record->uid != G_MAXUINT32;
}

/* FALSE for one refusal too many; those before are @omitted. */
static gboolean
is_kept (const RegiondRecord *record,
         guint               *omitted)
{
  static RegiondTally *refusals;

  if (!g_str_equal (record->event, "refusal"))
    return TRUE;
  if (refusals == NULL)
    refusals = regiond_tally_new ();
  return regiond_tally_count (refusals, record->uid, g_get_monotonic_time (), omitted);
}

static char *
to_line (const RegiondRecord *record,
         guint                omitted)
{
  GString *line = g_string_new (record->event);

  append_words (line, "", record->device);
  if (record->region != NULL)
    g_string_append_printf (line, ":%s", record->region);
  append_words (line, "", record->access);
  append_words (line, "lease ", record->lease);
  if (is_known (record))
    g_string_append_printf (line, " of %s (uid %u, pid %u)", record->owner, record->uid, record->pid);
  else
    append_words (line, "of ", record->owner);
  if (record->reason != NULL)
    g_string_append_printf (line, ": %s", record->reason);
  if (omitted > 0)
    g_string_append_printf (line, " (%u other refusals of this user's were not logged)", omitted);
  return g_string_free (line, FALSE);
}

static void
keep (const RegiondRecord *record,
      guint                omitted)
{
  g_autofree char *line = to_line (record, omitted);
  g_autofree char *uid = g_strdup_printf ("%u", record->uid);
  g_autofree char *pid = g_strdup_printf ("%u", record->pid);
  g_autofree char *others = g_strdup_printf ("%u", omitted);
  Fields fields = { .n = 0 };

  add (&fields, "PRIORITY", "5");
  add (&fields, "MESSAGE", line);
  add (&fields, "GLIB_DOMAIN", G_LOG_DOMAIN);
  add (&fields, "REGIOND_EVENT", record->event);
  add (&fields, "REGIOND_DEVICE", record->device);
  add (&fields, "REGIOND_REGION", record->region);
  add (&fields, "REGIOND_ACCESS", record->access);
  add (&fields, "REGIOND_LEASE", record->lease);
  add (&fields, "REGIOND_OWNER", record->owner);
  add (&fields, "REGIOND_UID", is_known (record) ? uid : NULL);
  add (&fields, "REGIOND_PID", is_known (record) ? pid : NULL);
  add (&fields, "REGIOND_REASON", record->reason);
  add (&fields, "REGIOND_OMITTED", omitted > 0 ? others : NULL);
  g_log_structured_array (G_LOG_LEVEL_MESSAGE, fields.fields, fields.n);
}

void
regiond_log (const RegiondRecord *record)
{
  guint omitted = 0;

  if (is_kept (record, &omitted))
    keep (record, omitted);
}
