/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* One option that a method knows. @type is a D-Bus type: "b", "u", "t", "h" or "s";
 * @value points to a gboolean, guint32, guint64, gint32 or const char *, which keeps
 * what it holds when the option is absent. A string belongs to the dictionary. */
typedef struct {
  const char *name;
  const char *type;
  gpointer    value;
} RegiondOption;

/* Reads an a{sv}. An option that is not among the @n_known, one of another
 * type, or one given twice is InvalidArgs, and the message names it. */
gboolean regiond_options_read (GVariant            *options,
                               const RegiondOption *known,
                               gsize                n_known,
                               GError             **error);
