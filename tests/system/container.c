/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container.h"

#include <unistd.h>

static void
make_folders (void)
{
  const char *const folders[] = { "/bin", "/proc", "/dev", NULL };

  for (const char *const *folder = folders; *folder; folder++)
    {
      g_autofree char *path = g_strconcat (CONTAINER_BUNDLE "/rootfs", *folder, NULL);

      g_assert_cmpint (g_mkdir_with_parents (path, 0755), ==, 0);
    }
  g_assert_cmpint (g_mkdir_with_parents (SANDBOX_DIR "/alice", 0700), ==, 0);
  g_assert_cmpint (chown (SANDBOX_DIR "/alice", UID_ALICE, UID_ALICE), ==, 0);
}

static void
write_config (const char *script)
{
  g_autofree char *example = sandbox_installed ("usr/share/doc/regiond/examples/container.json");
  g_autofree char *program = g_strdup_printf ("\"/bin/sh\", \"-c\", \"%s\"", script);
  g_autofree char *text = NULL;
  g_autoptr (GString) config = NULL;
  g_autoptr (GError) error = NULL;

  g_file_get_contents (example, &text, NULL, &error);
  g_assert_no_error (error);
  config = g_string_new (text);
  g_assert_cmpuint (g_string_replace (config, "\"hostID\": 1000", "\"hostID\": 2001", 0), ==, 2);
  g_assert_cmpuint (g_string_replace (config, "\"/bin/program\"", program, 0), ==, 1);
  sandbox_write (CONTAINER_BUNDLE "/config.json", config->str);
}

void
container_furnish (const char *path,
                   const char *name)
{
  g_autofree char *copy = g_strconcat (CONTAINER_BUNDLE "/rootfs/bin/", name, NULL);
  g_autofree char *bytes = NULL;
  g_autoptr (GError) error = NULL;
  gsize length;

  g_file_get_contents (path, &bytes, &length, &error);
  g_assert_no_error (error);
  g_file_set_contents_full (copy, bytes, length, G_FILE_SET_CONTENTS_NONE, 0755, &error);
  g_assert_no_error (error);
}

gboolean
container_make (const char *script)
{
  if (!sandbox_has_program ("crun"))
    return FALSE;

  make_folders ();
  write_config (script);
  container_furnish ("/bin/busybox", "sh");
  return TRUE;
}
