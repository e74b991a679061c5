/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event.h"

#include <json-glib/json-glib.h>

#include "text.h"

CtlEvent *
ctl_event_new (const char *kind,
               const char *name,
               const char *what)
{
  CtlEvent *event = g_new0 (CtlEvent, 1);

  event->time = g_get_real_time ();
  event->kind = g_strdup (kind);
  event->name = g_strdup (name);
  event->what = g_strdup (what);
  return event;
}

void
ctl_event_free (CtlEvent *event)
{
  g_free (event->kind);
  g_free (event->name);
  g_free (event->what);
  g_free (event->about);
  g_free (event->path);
  g_clear_pointer (&event->properties, g_variant_unref);
  g_clear_pointer (&event->invalidated, g_variant_unref);
  g_clear_pointer (&event->details, g_variant_unref);
  g_free (event);
}

static char *
format_time (const CtlEvent *event,
             const char     *format)
{
  g_autoptr (GDateTime) seconds = g_date_time_new_from_unix_local (event->time / G_USEC_PER_SEC);
  g_autoptr (GDateTime) exact = g_date_time_add (seconds, event->time % G_USEC_PER_SEC);

  return g_date_time_format (exact, format);
}

static void
set_member (JsonObject *object,
            const char *name,
            GVariant   *value)
{
  if (value != NULL)
    json_object_set_member (object, name, json_gvariant_serialize (value));
}

static char *
format_json (const CtlEvent *event)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *time = format_time (event, "%Y-%m-%dT%H:%M:%S.%f%:z");
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "time", time);
  json_object_set_string_member (object, "kind", event->kind);
  json_object_set_string_member (object, "name", event->name);
  json_object_set_string_member (object, "event", event->what);
  if (event->path != NULL)
    json_object_set_string_member (object, "path", event->path);
  set_member (object, "properties", event->properties);
  set_member (object, "invalidated", event->invalidated);
  set_member (object, "details", event->details);

  json_node_take_object (node, object);
  return json_to_string (node, FALSE);
}

/* The changed properties that fit into a line. */
static char *
describe_changes (GVariant *properties)
{
  GString *text = g_string_new (NULL);
  GVariantIter iter;
  const char *name;
  GVariant *value;

  g_variant_iter_init (&iter, properties);
  while (g_variant_iter_loop (&iter, "{&sv}", &name, &value))
    {
      g_autofree char *printed = NULL;

      if (g_variant_is_container (value))
        continue;

      printed = g_variant_is_of_type (value, G_VARIANT_TYPE_STRING)
                  ? g_variant_dup_string (value, NULL)
                  : g_variant_print (value, FALSE);
      g_string_append_printf (text, "%s%s %s", text->len > 0 ? ", " : "", name,
                              *printed == '\0' ? "-" : printed);
    }

  return g_string_free (text, FALSE);
}

static char *
format_text (const CtlEvent *event)
{
  g_autofree char *time = format_time (event, "%H:%M:%S");
  g_autofree char *about = g_strdup (event->about);
  g_autofree char *line = NULL;

  if (g_str_equal (event->what, "changed"))
    {
      g_free (about);
      about = describe_changes (event->properties);
      if (*about == '\0')
        return NULL;
    }

  line = g_strdup_printf ("%s %s %s %s%s%s", time, event->kind, event->name, event->what,
                          about == NULL ? "" : ": ", about == NULL ? "" : about);
  return ctl_text_clean (line);
}

char *
ctl_event_format (const CtlEvent *event,
                  gboolean        json)
{
  return json ? format_json (event) : format_text (event);
}
