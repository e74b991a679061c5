/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"
#include "keyfile.h"

#include <glib/gstdio.h>
#include <string.h>

static char *path;

static RegiondKeyFile *
load (const char *text,
      gssize      length,
      GError    **error)
{
  g_assert_true (g_file_set_contents (path, text, length, NULL));
  return regiond_key_file_load (path, error);
}

static void
test_values (void)
{
  g_autoptr (RegiondKeyFile) file = load ("# a comment=1\n\n[Device]\nBackend = memory\n# Backend=x\n[Region a]\nSize=1\n",
                                          -1, NULL);
  g_auto (GStrv) groups = NULL;
  g_autofree char *value = NULL, *absent = NULL;

  g_assert_nonnull (file);
  groups = regiond_key_file_get_groups (file);
  g_assert_cmpuint (g_strv_length (groups), ==, 2);
  g_assert_cmpstr (groups[0], ==, "Device");
  g_assert_cmpstr (groups[1], ==, "Region a");
  g_assert_true (regiond_key_file_get_string (file, "Device", "Backend", &value, NULL));
  g_assert_cmpstr (value, ==, "memory");
  g_assert_true (regiond_key_file_get_string (file, "Device", "Persist", &absent, NULL));
  g_assert_null (absent);
}

static void
expect_refused (const char *text,
                gssize      length,
                const char *first,
                const char *second)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (load (text, length, &error));
  assert_error_says (error, error->domain, error->code, path, first, second);
}

static void
test_twice (void)
{
  expect_refused ("[Device]\nBackend=memory\nBackend=vfio\n", -1, "[Device]", "Backend");
  expect_refused ("[Device]\nBackend=memory\n Backend =vfio\n", -1, "[Device]", "Backend");
  expect_refused ("[Device]\nA=1\n[Region a]\nSize=1\n[Device]\nB=1\n", -1, "[Device]", "twice");
}

static void
test_same_key_elsewhere (void)
{
  g_autoptr (RegiondKeyFile) file = load ("[Region a]\nSize=1\n[Region b]\nSize=1\n", -1, NULL);

  g_assert_nonnull (file);
}

static void
test_binary (void)
{
  static const char noise[] = "\177ELF\002\001\001\000\377\376[Device]\nBackend=memory\n";

  expect_refused (noise, sizeof noise - 1, "UTF-8", "text");
  expect_refused ("[Device]\0Backend=memory\n", 25, "UTF-8", "text");
}

static void
test_no_key_file (void)
{
  expect_refused ("Backend=memory\n", -1, "", "");
  expect_refused ("[Device]\nBackend\n", -1, "Backend", "");
}

static void
test_unknown (void)
{
  const char *const known[] = { "Backend", "Persist", NULL };
  g_autoptr (RegiondKeyFile) file = load ("[Device]\nBackend=memory\nColour=red\n", -1, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_false (regiond_key_file_check_keys (file, "Device", known, &error));
  assert_error_says (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND, path, "[Device]", "Colour", "Persist");
  g_assert_true (regiond_key_file_check_keys (file, "Elsewhere", known, NULL));
}

static void
test_refusals (void)
{
  g_autoptr (RegiondKeyFile) file = load ("[Device]\nBackend=memory\n", -1, NULL);
  g_autoptr (GError) value = NULL, group = NULL;

  g_assert_false (regiond_key_file_refuse (file, "Region a", "Size", "4 elephants", "a size", &value));
  assert_error_says (value, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, path, "[Region a]", "Size=4 elephants",
                     "a size");
  g_assert_false (regiond_key_file_refuse_group (file, "Zoo", "is no group", &group));
  assert_error_says (group, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, path, "[Zoo]", "is no group");
}

static void
test_escape (void)
{
  g_autoptr (RegiondKeyFile) file = load ("[Device]\nDescription=a\\&b\n", -1, NULL);
  g_autofree char *value = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_false (regiond_key_file_get_string (file, "Device", "Description", &value, &error));
  assert_error_says (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE, path, "[Device]", "Description");
  g_assert_null (value);
}

static void
test_missing (void)
{
  g_autoptr (GError) error = NULL;

  g_remove (path);
  g_assert_null (regiond_key_file_load (path, &error));
  assert_error_says (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, path);
}

int
main (int   argc,
      char *argv[])
{
  g_autofree char *directory = g_dir_make_tmp ("regiond-XXXXXX", NULL);
  int status;

  g_test_init (&argc, &argv, NULL);
  path = g_build_filename (directory, "shm0.conf", NULL);
  g_test_add_func ("/keyfile/values-are-read", test_values);
  g_test_add_func ("/keyfile/a-key-or-group-twice-is-named", test_twice);
  g_test_add_func ("/keyfile/the-same-key-in-two-groups-is-fine", test_same_key_elsewhere);
  g_test_add_func ("/keyfile/a-binary-file-is-no-text", test_binary);
  g_test_add_func ("/keyfile/what-is-no-key-file-is-named", test_no_key_file);
  g_test_add_func ("/keyfile/an-unknown-key-is-named-with-the-known-ones", test_unknown);
  g_test_add_func ("/keyfile/a-refusal-names-file-group-and-key", test_refusals);
  g_test_add_func ("/keyfile/an-escape-that-there-is-not-is-no-value", test_escape);
  g_test_add_func ("/keyfile/a-missing-file-is-named", test_missing);
  status = g_test_run ();
  g_remove (path);
  g_rmdir (directory);
  g_free (path);
  return status;
}
