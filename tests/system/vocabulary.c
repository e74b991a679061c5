/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vocabulary.h"

#include "polkit.h"
#include "sandbox.h"

#define PAGE "usr/share/doc/regiond/polkit.md"
#define MANUAL "usr/share/man/man5/org.regiond1.policy.5"

static char *
read_installed (const char *file)
{
  g_autofree char *path = sandbox_installed (file);
  g_autoptr (GError) error = NULL;
  char *text = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static void
expect_entry (const char *file,
              const char *entry)
{
  g_autofree char *text = read_installed (file);

  if (!g_regex_match_simple (entry, text, G_REGEX_MULTILINE, 0))
    g_error ("%s has nothing like \"%s\"", file, entry);
}

static void
expect_detail (const char *key)
{
  g_autofree char *row = g_strdup_printf ("^\\|[^|]*`%s`[^|]*\\|", key);
  g_autofree char *paragraph = g_strdup_printf ("^\\.B (.*, )?%s(,.*)?$", key);

  expect_entry (PAGE, row);
  expect_entry (MANUAL, paragraph);
}

/* polkit writes an action as [Action id='…' KEY='…' …]. */
static GHashTable *
list_told (void)
{
  g_autofree char *log = polkit_read_log ();
  g_autoptr (GRegex) regex = g_regex_new ("(?<!\\[Action) ([a-z_]+)='", 0, 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;
  GHashTable *told = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (g_regex_match (regex, log, 0, &match); g_match_info_matches (match); g_match_info_next (match, NULL))
    g_hash_table_add (told, g_match_info_fetch (match, 1));
  return told;
}

void
vocabulary_expect (const char *const *keys)
{
  g_autoptr (GHashTable) told = list_told ();
  GHashTableIter iter;
  gpointer key;

  for (guint i = 0; keys[i]; i++)
    if (!g_hash_table_contains (told, keys[i]))
      g_error ("polkit was not told of %s", keys[i]);
  g_hash_table_iter_init (&iter, told);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    expect_detail (key);
}
