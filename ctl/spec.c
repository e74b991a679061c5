/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec.h"

#include <string.h>

#include "error.h"

#define NAME_MAX_LENGTH 255

void
ctl_spec_free (CtlSpec *spec)
{
  g_free (spec->device);
  g_free (spec->region);
  g_free (spec->access);
  g_free (spec->name);
  g_free (spec);
}

static gboolean
is_name (const char *name)
{
  if (*name == '\0' || strlen (name) > NAME_MAX_LENGTH)
    return FALSE;

  for (const char *c = name; *c != '\0'; c++)
    if (!g_ascii_isprint (*c) || *c == ':')
      return FALSE;

  return TRUE;
}

/* Cuts the part after the last colon off @text; NULL when there is none. */
static char *
cut_last (char *text)
{
  char *colon = strrchr (text, ':');

  if (colon == NULL)
    return NULL;

  *colon = '\0';
  return g_strdup (colon + 1);
}

CtlSpec *
ctl_spec_parse (const char *text,
                GError    **error)
{
  g_autoptr (CtlSpec) spec = g_new0 (CtlSpec, 1);
  const char *equals = strchr (text, '=');

  spec->device = equals == NULL ? g_strdup (text) : g_strndup (text, equals - text);
  spec->access = cut_last (spec->device);
  spec->region = cut_last (spec->device);
  if (spec->region == NULL || *spec->device == '\0' || *spec->region == '\0' || *spec->access == '\0')
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE,
                   "“%s” is not DEVICE:REGION:ACCESS[=NAME]", text);
      return NULL;
    }

  spec->name = g_strdup (equals == NULL ? spec->region : equals + 1);
  if (!is_name (spec->name))
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE,
                   "The name in “%s” has to be 1 to %d printable ASCII characters without a colon",
                   text, NAME_MAX_LENGTH);
      return NULL;
    }

  return g_steal_pointer (&spec);
}
