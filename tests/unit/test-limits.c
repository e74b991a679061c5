/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include <unistd.h>

/* What the ledger counts, from outside: calls to a service with low limits. */

#define MEMORY (BAR0_SIZE + BAR2_SIZE) /* of shm0 */

static Fixture *
serve (const char *keys)
{
  Fixture *f = fixture_new ();
  g_autofree char *text = g_strconcat ("[Daemon]\n", keys, NULL);

  fixture_write (f, "regiond.conf", text);
  fixture_serve (f);
  return f;
}

static void
expect_limit (GDBusConnection *client,
              const char      *device,
              const char      *access,
              const char      *key)
{
  g_autoptr (GError) error = NULL;
  int fd;

  g_assert_null (client_open (client, device, "bar0", access, NULL, &fd, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, key);
}

static void
release (GDBusConnection *client,
         const char      *lease)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = client_call (client, lease, "Lease", "Release", NULL, &error);

  g_assert_no_error (error);
}

/* Whether it can; then it does not any more. */
static gboolean
can_open (GDBusConnection *client,
          const char      *device,
          const char      *access)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *lease = NULL;
  int fd;

  lease = client_open (client, device, "bar0", access, NULL, &fd, &error);
  if (lease == NULL)
    {
      g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);
      return FALSE;
    }

  release (client, lease);
  close (fd);
  return TRUE;
}

static void
count_until_closed (const char *access)
{
  g_autoptr (Fixture) f = serve ("MaxLeasesPerConnection=2\n");
  GDBusConnection *other = fixture_connect (f);
  g_autofree char *first = NULL, *second = NULL;
  guint asked;
  int fds[2];

  first = client_must_open (f->person, SHM0, "bar0", access, NULL, &fds[0]);
  second = client_must_open (f->person, SHM0, "bar0", access, NULL, &fds[1]);
  asked = fake_polkit_count_asked (f->polkit);
  expect_limit (f->person, SHM0, access, "MaxLeasesPerConnection");
  release (f->person, first);
  release (f->person, second);
  for (int i = 0; i < 3; i++)
    expect_limit (f->person, SHM0, access, "MaxLeasesPerConnection");
  g_assert_cmpuint (fake_polkit_count_asked (f->polkit), ==, asked);

  /* Nobody else's matter. */
  g_assert_true (can_open (other, SHM0, access));

  close (fds[0]);
  wait_until (can_open (f->person, SHM0, access));
  close (fds[1]);
  client_leave (other);
}

static void
test_released_mapped (void)
{
  count_until_closed ("rwm");
}

static void
test_released_proxied (void)
{
  count_until_closed ("rw");
}

static void
test_left_behind (void)
{
  g_autoptr (Fixture) f = serve ("MaxLeasesPerUser=2\nMaxLeasesPerConnection=2\n");
  GDBusConnection *other = fixture_connect (f);
  g_autofree char *first = NULL, *second = NULL;
  int fds[2];

  first = client_must_open (other, SHM0, "bar0", "r", NULL, &fds[0]);
  second = client_must_open (other, SHM0, "bar0", "r", NULL, &fds[1]);
  client_leave (other);
  wait_until (client_count_leases (f->person, SHM0) == 0);
  expect_limit (f->person, SHM0, "r", "MaxLeasesPerUser");
  close (fds[0]);
  wait_until (can_open (f->person, SHM0, "r"));
  close (fds[1]);
}

static void
test_all (void)
{
  g_autoptr (Fixture) f = serve ("MaxLeases=1\n");
  GDBusConnection *other = fixture_connect (f);
  g_autofree char *lease = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar0", "rm", NULL, &fd);
  expect_limit (other, SHM0, "rm", "(MaxLeases)");
  close (fd);
  wait_until (can_open (other, SHM0, "rm"));
  client_leave (other);
}

/* Who has as many as he may can map, and so can others do what they like. */
static void
test_proxied (void)
{
  g_autoptr (Fixture) f = serve ("MaxProxiedLeasesPerUser=1\n");
  g_autofree char *lease = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar0", "r", NULL, &fd);
  expect_limit (f->person, SHM0, "rw", "MaxProxiedLeasesPerUser");
  g_assert_true (can_open (f->person, SHM0, "rwm"));
  close (fd);
  wait_until (can_open (f->person, SHM0, "rw"));
}

/* Room for one of it: what comes back is waited for, what is kept is not got
 * round. */
static void
test_memory (void)
{
  g_autofree char *keys = g_strdup_printf ("MaxMemoryPerUser=%d\n", MEMORY);
  g_autoptr (Fixture) f = serve (keys);
  int fd;

  for (int i = 0; i < 10; i++)
    {
      g_autofree char *lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);

      release (f->person, lease);
      close (fd);
    }
}

/* Who holds on to a region after the end of its lease has so much less; a
 * proxied one was cut, and holds nothing. */
static void
test_leaked_memory (void)
{
  g_autofree char *keys = g_strdup_printf ("MaxMemoryPerUser=%d\n", MEMORY), *lease = NULL, *proxied = NULL;
  g_autoptr (Fixture) f = serve (keys);
  int fd, proxied_fd;

  proxied = client_must_open (f->person, SHM0, "bar2", "rw", NULL, &proxied_fd);
  release (f->person, proxied);
  g_assert_true (can_open (f->person, SHM0, "rm"));

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  release (f->person, lease);
  expect_limit (f->person, SHM0, "rm", "MaxMemoryPerUser");
  close (fd);
  wait_until (can_open (f->person, SHM0, "rm"));
  close (proxied_fd);
}

static void
add_tests (void)
{
  g_test_add_func ("/limits/a-released-mapping-counts-until-it-is-closed", test_released_mapped);
  g_test_add_func ("/limits/a-released-proxy-counts-until-it-is-closed", test_released_proxied);
  g_test_add_func ("/limits/what-one-who-left-has-left-counts-for-the-user", test_left_behind);
  g_test_add_func ("/limits/all-together-have-a-limit", test_all);
  g_test_add_func ("/limits/of-proxied-leases-a-user-has-fewer", test_proxied);
  g_test_add_func ("/limits/memory-on-its-way-back-is-waited-for", test_memory);
  g_test_add_func ("/limits/leaked-memory-is-the-leakers", test_leaked_memory);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
