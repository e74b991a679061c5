/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include <locale.h>

/* In libFuzzer's place: runs every file that is named, and every file of a
 * folder that is named, once. One test case each (TAP). */

static void
list_files (const char *path,
            GPtrArray  *files)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  if (dir == NULL)
    g_ptr_array_add (files, g_strdup (path));
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (files, g_build_filename (path, name, NULL));
}

static int
compare_names (gconstpointer a,
               gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
run_file (const char *path,
          guint       number)
{
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *contents = NULL;
  g_autofree guint8 *data = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  if (!g_file_get_contents (path, &contents, &size, &error))
    g_error ("%s", error->message);

  /* A block of just this size, without the NUL: a look beyond it is seen. */
  data = g_memdup2 (contents, size);
  g_print ("# %s\n", name);
  LLVMFuzzerTestOneInput (data, size);
  g_print ("ok %u - %s\n", number, name);
}

int
main (int   argc,
      char *argv[])
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (g_free);

  setlocale (LC_ALL, "");
  LLVMFuzzerInitialize (&argc, &argv);
  for (int i = 1; i < argc; i++)
    list_files (argv[i], files);
  g_ptr_array_sort (files, compare_names);

  g_print ("1..%u\n", files->len);
  for (guint i = 0; i < files->len; i++)
    run_file (g_ptr_array_index (files, i), i + 1);
  return files->len > 0 ? 0 : 1;
}
