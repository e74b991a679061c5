/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "error.h"
#include "spec.h"

static void
assert_spec (const char *text,
             const char *device,
             const char *region,
             const char *access,
             const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (CtlSpec) spec = ctl_spec_parse (text, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (spec->device, ==, device);
  g_assert_cmpstr (spec->region, ==, region);
  g_assert_cmpstr (spec->access, ==, access);
  g_assert_cmpstr (spec->name, ==, name);
}

static void
test_parts (void)
{
  assert_spec ("shm0:bar2:rwm", "shm0", "bar2", "rwm", "bar2");
  assert_spec ("shm0:bar2:rwm=ring", "shm0", "bar2", "rwm", "ring");
  assert_spec ("shm0:bar2:rm=a=b", "shm0", "bar2", "rm", "a=b");
  assert_spec ("shm0:a.b-c_d:rm=with space", "shm0", "a.b-c_d", "rm", "with space");
}

static void
test_pci_address (void)
{
  assert_spec ("0000:00:10.0:bar2:rm", "0000:00:10.0", "bar2", "rm", "bar2");
  assert_spec ("0000:00:10.0:bar2:rm=x", "0000:00:10.0", "bar2", "rm", "x");
}

static void
assert_refused (const char *text)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (ctl_spec_parse (text, &error));
  g_assert_error (error, CTL_ERROR, CTL_ERROR_USAGE);
  g_assert_nonnull (strstr (error->message, text));
}

static void
test_missing_parts (void)
{
  static const char *const cases[] = {
    "", "shm0", "shm0:bar2", "shm0:bar2:", "shm0::rwm", ":bar2:rwm", "::", "=a:b:c", "shm0:bar2=x:rm",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_refused (cases[i]);
}

static void
test_names (void)
{
  g_autofree char *longest = g_strnfill (255, 'n');
  g_autofree char *longer = g_strnfill (256, 'n');
  g_autofree char *fits = g_strconcat ("d:r:rm=", longest, NULL);
  g_autofree char *too_long = g_strconcat ("d:r:rm=", longer, NULL);

  assert_spec (fits, "d", "r", "rm", longest);
  assert_refused (too_long);
  assert_refused ("d:r:rm=");
  assert_refused ("d:r:rm=a:b");
  assert_refused ("d:r:rm=a\nb");
  assert_refused ("d:r:rm=caf\303\251");
}

static void
assert_shown (const char *text,
              int         fd,
              const char *access,
              const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (CtlShown) shown = ctl_shown_parse (text, &error);

  g_assert_no_error (error);
  g_assert_cmpint (shown->fd, ==, fd);
  g_assert_cmpstr (shown->access, ==, access);
  g_assert_cmpstr (shown->name, ==, name);
}

static void
test_shown (void)
{
  static const char *const cases[] = { "", "x", "2", "-3", "3:", ":rm", "3=", "3=a:b", "3:rm=a:b", "99999999999" };

  assert_shown ("3", 3, NULL, NULL);
  assert_shown ("10:rm", 10, "rm", NULL);
  assert_shown ("4=ring", 4, NULL, "ring");
  assert_shown ("4:rw=a=b", 4, "rw", "a=b");
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (ctl_shown_parse (cases[i], &error));
      g_assert_error (error, CTL_ERROR, CTL_ERROR_USAGE);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/spec/parts", test_parts);
  g_test_add_func ("/spec/pci-address-has-colons", test_pci_address);
  g_test_add_func ("/spec/missing-parts", test_missing_parts);
  g_test_add_func ("/spec/names-of-fds", test_names);
  g_test_add_func ("/spec/what-is-shown", test_shown);
  return g_test_run ();
}
