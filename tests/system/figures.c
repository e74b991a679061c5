/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "figures.h"

#include <stdio.h>
#include <string.h>

/* regiond gives back what it has freed a second after a listing. */
#define TRIM_MS 1500

/* Bytes for each lease that memory may grow by: what is leaked is never so little. */
#define BYTES_EACH 20

/* Tests that run beside this one may have as many more keys for long, and any number for a while. */
#define FOREIGN_KEYS 400
#define FOREIGN_MS 120000

static char *
read_proc (World *world,
           const char *name)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", world->regiond->pid, name);
  char *text = NULL;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  return text;
}

static guint
count_lines (const char *text,
             const char *prefix)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  guint n = 0;

  for (guint i = 0; lines[i]; i++)
    n += *lines[i] && g_str_has_prefix (lines[i], prefix);
  return n;
}

static guint
get_status (World *world,
            const char *field)
{
  g_autofree char *text = read_proc (world, "status");
  const char *line = strstr (text, field);

  g_assert_nonnull (line);
  return g_ascii_strtoull (line + strlen (field), NULL, 10);
}

static guint
count_watches (World *world)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/fdinfo", world->regiond->pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  guint n = 0;

  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_autofree char *text = NULL;

      if (g_file_get_contents (path, &text, NULL, NULL))
        n += count_lines (text, "inotify ") + count_lines (text, "tfd:");
    }
  return n;
}

/* "uid: usage nkeys/nikeys …" */
static guint
count_keys (void)
{
  g_autofree char *text = NULL;
  const char *line;
  guint keys = 0;

  if (!g_file_get_contents ("/proc/key-users", &text, NULL, NULL) || !(line = strstr (text, " 0:")))
    return 0;
  if (sscanf (line, " 0: %*u %u/", &keys) != 1)
    g_error ("/proc/key-users has another form: %s", text);
  return keys;
}

static int
compare_strings (gconstpointer a,
                 gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static char *
list_objects (World *world)
{
  g_autoptr (GVariant) answer = world_call (world, MANAGER_PATH, "org.freedesktop.DBus.ObjectManager",
                                            "GetManagedObjects", NULL);
  g_autoptr (GVariant) objects = g_variant_get_child_value (answer, 0);
  g_autoptr (GPtrArray) paths = g_ptr_array_new ();
  GVariantIter iter;
  const char *path;

  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_next (&iter, "{&o@a{sa{sv}}}", &path, NULL))
    g_ptr_array_add (paths, (gpointer) path);
  g_ptr_array_sort (paths, compare_strings);
  g_ptr_array_add (paths, NULL);
  return g_strjoinv ("\n", (char **) paths->pdata);
}

/* The least of a while, in which freed memory is given back. */
static guint
get_memory (World *world)
{
  gint64 start = g_get_monotonic_time ();
  guint least = G_MAXUINT;

  while (milliseconds_since (start) < TRIM_MS)
    {
      least = MIN (least, get_status (world, "RssAnon:"));
      g_usleep (10000);
    }
  return least;
}

Figures *
figures_new (World *world)
{
  Figures *figures = g_new0 (Figures, 1);
  g_autofree char *mounts = NULL;

  world_wait_no_leases (world, 20000);
  figures->objects = list_objects (world);
  figures->memory = get_memory (world);
  mounts = read_proc (world, "mountinfo");
  figures->mounts = count_lines (mounts, "");
  figures->fds = process_count_fds (world->regiond);
  figures->watches = count_watches (world);
  figures->threads = get_status (world, "Threads:");
  figures->keys = count_keys ();
  return figures;
}

void
figures_free (Figures *figures)
{
  g_free (figures->objects);
  g_free (figures);
}

void
figures_tell (Figures *figures,
              const char *when)
{
  g_test_message ("%s: %u fds, %u watches, %u mounts, %u threads, %u keys of root, %u KiB", when, figures->fds,
                  figures->watches, figures->mounts, figures->threads, figures->keys, figures->memory);
}

gboolean
figures_have_sanitizer (void)
{
#ifdef __SANITIZE_ADDRESS__
  return TRUE;
#else
  return FALSE;
#endif
}

static gboolean
has_few_keys (gpointer data)
{
  return count_keys () < *(guint *) data;
}

void
figures_compare (Figures *before,
                 Figures *after,
                 guint count,
                 guint least)
{
  guint keys = before->keys + MAX (count / 2, FOREIGN_KEYS);

  g_assert_cmpstr (after->objects, ==, before->objects);
  g_assert_cmpuint (after->fds, <=, before->fds);
  g_assert_cmpuint (after->watches, <=, before->watches);
  g_assert_cmpuint (after->mounts, <=, before->mounts);
  /* Others' keys come and go meanwhile; were one left by each lease, it would be the whole count. */
  wait_until (has_few_keys, &keys, FOREIGN_MS, "no more keys of root than before");
  if (!figures_have_sanitizer ())
    g_assert_cmpuint (after->memory, <=, before->memory + MAX (least, count / 1024 * BYTES_EACH));
}
