/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec.h"

#include <string.h>

#include "error.h"

#define NAME_MAX_LENGTH 255
#define FIRST_FD 3

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

/* @text: where it stands. */
static gboolean
check_name (const char *name,
            const char *text,
            GError    **error)
{
  if (is_name (name))
    return TRUE;

  g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE,
               "The name in “%s” has to be 1 to %d printable ASCII characters without a colon",
               text, NAME_MAX_LENGTH);
  return FALSE;
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
  return check_name (spec->name, text, error) ? g_steal_pointer (&spec) : NULL;
}

void
ctl_shown_free (CtlShown *shown)
{
  g_free (shown->access);
  g_free (shown->name);
  g_free (shown);
}

CtlShown *
ctl_shown_parse (const char *text,
                 GError    **error)
{
  g_autoptr (CtlShown) shown = g_new0 (CtlShown, 1);
  const char *equals = strchr (text, '=');
  g_autofree char *number = equals == NULL ? g_strdup (text) : g_strndup (text, equals - text);
  guint64 fd;

  shown->access = cut_last (number);
  if (!g_ascii_string_to_unsigned (number, 10, FIRST_FD, G_MAXINT, &fd, NULL) ||
      (shown->access != NULL && *shown->access == '\0'))
    {
      g_set_error (error, CTL_ERROR, CTL_ERROR_USAGE, "“%s” is not FD[:ACCESS][=NAME], with an FD from %d on", text,
                   FIRST_FD);
      return NULL;
    }

  shown->fd = fd;
  shown->name = equals == NULL ? NULL : g_strdup (equals + 1);
  return shown->name == NULL || check_name (shown->name, text, error) ? g_steal_pointer (&shown) : NULL;
}
