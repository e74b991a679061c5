/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keyfile.h"

struct _RegiondKeyFile {
  char     *path;
  GKeyFile *file;
};

void
regiond_key_file_free (RegiondKeyFile *self)
{
  g_key_file_unref (self->file);
  g_free (self->path);
  g_free (self);
}

/* GKeyFile takes the last of two equal keys, and joins two equal groups. */
static gboolean
check_unique (RegiondKeyFile *self,
              const char     *text,
              GError        **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  g_autofree char *group = g_strdup ("");

  for (char **l = lines; *l != NULL; l++)
    {
      char *line = g_strstrip (*l);
      char *equals = strchr (line, '=');

      if (line[0] == '[')
        {
          g_free (group);
          group = g_strdup (line);
          if (!g_hash_table_add (seen, g_strdup (line)))
            {
              g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_PARSE, "%s: the group %s is there twice",
                           self->path, line);
              return FALSE;
            }
        }
      else if (line[0] != '#' && equals != NULL)
        {
          g_autofree char *key = g_strchomp (g_strndup (line, equals - line));

          if (!g_hash_table_add (seen, g_strconcat (group, key, NULL)))
            {
              g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_PARSE, "%s: in the group %s the key %s is there twice",
                           self->path, group, key);
              return FALSE;
            }
        }
    }

  return TRUE;
}

RegiondKeyFile *
regiond_key_file_load (const char *path,
                       GError    **error)
{
  g_autoptr (RegiondKeyFile) self = g_new0 (RegiondKeyFile, 1);
  g_autofree char *text = NULL;
  gsize length;

  self->path = g_strdup (path);
  self->file = g_key_file_new ();

  if (!g_file_get_contents (path, &text, &length, error))
    return NULL;
  if (!g_utf8_validate (text, length, NULL))
    {
      g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_UNKNOWN_ENCODING,
                   "%s: not a text file in UTF-8", path);
      return NULL;
    }
  if (!g_key_file_load_from_data (self->file, text, length, G_KEY_FILE_NONE, error))
    {
      g_prefix_error (error, "%s: ", path);
      return NULL;
    }
  if (!check_unique (self, text, error))
    return NULL;

  return g_steal_pointer (&self);
}

char **
regiond_key_file_get_groups (RegiondKeyFile *self)
{
  return g_key_file_get_groups (self->file, NULL);
}

gboolean
regiond_key_file_check_keys (RegiondKeyFile    *self,
                             const char        *group,
                             const char *const *known,
                             GError           **error)
{
  g_auto (GStrv) keys = g_key_file_get_keys (self->file, group, NULL, NULL);

  for (char **key = keys; key != NULL && *key != NULL; key++)
    {
      if (!g_strv_contains (known, *key))
        {
          g_autofree char *names = g_strjoinv (", ", (char **) known);

          g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND,
                       "%s: [%s] knows no key %s; it knows %s", self->path, group, *key, names);
          return FALSE;
        }
    }

  return TRUE;
}

gboolean
regiond_key_file_get_string (RegiondKeyFile *self,
                             const char     *group,
                             const char     *key,
                             char          **value,
                             GError        **error)
{
  g_autoptr (GError) unreadable = NULL;

  *value = NULL;
  if (!g_key_file_has_key (self->file, group, key, NULL))
    return TRUE;

  /* Of a value with an escape that there is not it gives both: an error, and
   * what it has made of it. */
  *value = g_key_file_get_string (self->file, group, key, &unreadable);
  if (unreadable == NULL)
    return TRUE;

  g_clear_pointer (value, g_free);
  g_propagate_prefixed_error (error, g_steal_pointer (&unreadable), "%s: [%s] %s: ", self->path, group, key);
  return FALSE;
}

gboolean
regiond_key_file_refuse (RegiondKeyFile *self,
                         const char     *group,
                         const char     *key,
                         const char     *value,
                         const char     *wanted,
                         GError        **error)
{
  g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, "%s: [%s] %s=%s is not %s", self->path, group,
               key, value, wanted);
  return FALSE;
}

gboolean
regiond_key_file_refuse_group (RegiondKeyFile *self,
                               const char     *group,
                               const char     *why,
                               GError        **error)
{
  g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, "%s: [%s] %s", self->path, group, why);
  return FALSE;
}
