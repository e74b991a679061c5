/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/memory.h"
#include "fixture.h"
#include "objects.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOTH (5 * PAGE) /* bar0 and bar2 */

static RegiondBackend *
make (Objects *o,
      gboolean persist,
      gboolean tolerate)
{
  const RegiondMemorySetup setup = { o->regions, persist, tolerate };
  const RegiondMemoryMeans means = { o->watch, o->budget, o->server };
  g_autoptr (GError) error = NULL;
  RegiondBackend *backend = regiond_memory_backend_new ("shm0", &setup, &means, &error);

  g_assert_no_error (error);
  return backend;
}

static void
attach (RegiondBackend *backend)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (regiond_backend_attach (backend, NULL, &error));
  g_assert_no_error (error);
}

static RegiondHold *
open_bar2 (Objects        *o,
           RegiondBackend *backend,
           int            *fd)
{
  const RegiondWindow window = { .region = g_ptr_array_index (o->regions, 1), .length = 4 * PAGE, .access = RWM };
  g_autoptr (GError) error = NULL;
  RegiondHold *hold = regiond_backend_open_region (backend, &window, fd, &error);

  g_assert_no_error (error);
  return hold;
}

static ino_t
get_inode (int fd)
{
  struct stat facts;

  g_assert_cmpint (fstat (fd, &facts), ==, 0);
  return facts.st_ino;
}

/* One tenancy: writes, and leaves. Returns the object's inode. */
static ino_t
live_there (Objects        *o,
            RegiondBackend *backend,
            const char     *found,
            const char     *left)
{
  g_autoptr (RegiondHold) hold = NULL;
  g_autofree char *text = NULL;
  ino_t inode;
  int fd;

  attach (backend);
  hold = open_bar2 (o, backend, &fd);
  text = fd_read_text (fd);
  g_assert_cmpstr (text, ==, found);
  fd_write_text (fd, left);
  inode = get_inode (fd);
  close (fd);
  regiond_backend_spend (backend, NULL);
  g_assert_true (regiond_hold_is_cut (hold));
  g_assert_true (regiond_backend_park (backend, NULL));
  return inode;
}

static void
test_fresh (void)
{
  g_auto (Objects) o = objects_set_up (2 * BOTH);
  g_autoptr (RegiondBackend) backend = make (&o, FALSE, FALSE);
  ino_t first = live_there (&o, backend, "", "secret");
  ino_t second = live_there (&o, backend, "", "another");

  g_assert_cmpuint (first, !=, second);
  g_clear_object (&backend);
}

static void
test_persist (void)
{
  g_auto (Objects) o = objects_set_up (4 * BOTH);
  g_autoptr (RegiondBackend) backend = make (&o, TRUE, FALSE);
  ino_t first = live_there (&o, backend, "", "kept");
  ino_t second = live_there (&o, backend, "kept", "kept too");

  g_assert_cmpuint (first, !=, second);
  live_there (&o, backend, "kept too", "");
  g_clear_object (&backend);
}

/* Opened again before the last close was tidied up. */
static void
test_hurried (void)
{
  g_auto (Objects) o = objects_set_up (2 * BOTH);
  g_autoptr (RegiondBackend) backend = make (&o, FALSE, FALSE);
  g_autoptr (RegiondHold) old = NULL, young = NULL;
  g_autofree char *text = NULL;
  int before, after;

  attach (backend);
  old = open_bar2 (&o, backend, &before);
  fd_write_text (before, "secret");
  regiond_backend_spend (backend, NULL);
  attach (backend);
  young = open_bar2 (&o, backend, &after);
  fd_write_text (before, "later secret");
  text = fd_read_text (after);
  g_assert_cmpstr (text, ==, "");
  g_assert_false (regiond_hold_shares_fate (old, young));
  close (before);
  close (after);
  g_clear_object (&backend);
}

static void
test_all_at_once (void)
{
  g_auto (Objects) o = objects_set_up (BOTH);
  g_autoptr (RegiondBackend) backend = make (&o, FALSE, FALSE);

  g_assert_cmpuint (regiond_budget_get_held (o.budget), ==, 0);
  attach (backend);
  g_assert_cmpuint (regiond_budget_get_held (o.budget), ==, BOTH);
  attach (backend);
  g_assert_cmpuint (regiond_budget_get_held (o.budget), ==, BOTH);
  g_assert_true (regiond_backend_park (backend, NULL));
  wait_until (regiond_budget_get_held (o.budget) == 0);
  g_clear_object (&backend);
}

static void
test_declared (void)
{
  g_auto (Objects) o = objects_set_up (2 * BOTH - PAGE);
  const RegiondMemorySetup persistent = { NULL, TRUE, FALSE };
  RegiondMemorySetup setup = persistent;
  RegiondMemoryMeans means;
  g_autoptr (RegiondBackend) backend = NULL;
  g_autoptr (GError) error = NULL;

  means = (RegiondMemoryMeans){ o.watch, o.budget, o.server };
  setup.regions = o.regions;
  g_assert_null (regiond_memory_backend_new ("shm0", &setup, &means, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);

  /* And what could not be had is not counted; what goes is given back. */
  for (int i = 0; i < 3; i++)
    {
      backend = make (&o, FALSE, FALSE);
      g_clear_object (&backend);
    }
}

static void
test_limit (void)
{
  g_auto (Objects) o = objects_set_up (BOTH);
  g_autoptr (RegiondBackend) backend = make (&o, FALSE, FALSE);
  g_autoptr (GError) error = NULL;

  g_assert_true (regiond_budget_take (o.budget, PAGE, NULL)); /* somebody's retired object */
  g_assert_false (regiond_backend_attach (backend, NULL, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);
  g_assert_true (regiond_backend_park (backend, NULL));
  wait_until (regiond_budget_get_held (o.budget) == PAGE);
  regiond_budget_give (o.budget, PAGE);
  attach (backend);
  g_clear_object (&backend);
}

static void
test_persist_limit (void)
{
  g_auto (Objects) o = objects_set_up (2 * BOTH);
  g_autoptr (RegiondBackend) backend = make (&o, TRUE, FALSE);
  g_autoptr (RegiondHold) hold = NULL, again = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  int fd;

  attach (backend);
  hold = open_bar2 (&o, backend, &fd);
  fd_write_text (fd, "kept");
  close (fd);
  regiond_backend_spend (backend, NULL);

  g_assert_true (regiond_budget_take (o.budget, BOTH, NULL));
  g_assert_false (regiond_backend_park (backend, &error));
  assert_error_says (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "could not be kept", "bar");
  regiond_budget_give (o.budget, BOTH);

  attach (backend);
  again = open_bar2 (&o, backend, &fd);
  text = fd_read_text (fd);
  g_assert_cmpstr (text, ==, "kept");
  close (fd);
  g_clear_object (&again);
  g_clear_object (&hold);
  g_clear_object (&backend);
}

static void
test_reset (void)
{
  g_auto (Objects) o = objects_set_up (4 * BOTH);
  g_autoptr (RegiondBackend) backend = make (&o, TRUE, FALSE);
  g_autoptr (RegiondHold) hold = NULL, again = NULL;
  g_autofree char *text = NULL, *other = NULL;
  ino_t inode;
  int fd;

  attach (backend);
  hold = open_bar2 (&o, backend, &fd);
  fd_write_text (fd, "gone");
  inode = get_inode (fd);
  g_assert_true (regiond_backend_reset (backend, TRUE, NULL));
  text = fd_read_text (fd);
  g_assert_cmpstr (text, ==, "");
  close (fd);

  /* The tenants go on with the same object. */
  attach (backend);
  again = open_bar2 (&o, backend, &fd);
  g_assert_cmpuint (get_inode (fd), ==, inode);
  fd_write_text (fd, "persistent");
  close (fd);
  regiond_backend_spend (backend, NULL);
  g_assert_true (regiond_backend_park (backend, NULL));
  g_assert_true (regiond_backend_reset (backend, FALSE, NULL));
  g_clear_object (&again);
  attach (backend);
  again = open_bar2 (&o, backend, &fd);
  other = fd_read_text (fd);
  g_assert_cmpstr (other, ==, "");
  close (fd);
  g_clear_object (&again);
  g_clear_object (&hold);
  g_clear_object (&backend);
}

static void
test_proofs (void)
{
  g_auto (Objects) o = objects_set_up (BOTH);
  g_autoptr (GPtrArray) proofs = g_ptr_array_new ();
  g_autoptr (RegiondBackend) backend = make (&o, FALSE, FALSE);

  regiond_backend_list_proofs (backend, proofs);
  g_assert_cmpuint (proofs->len, >, 0);
  for (guint i = 0; i < proofs->len; i++)
    {
      const char *const known[] = { "setlease", "keyring", "fuse-release", NULL };

      g_assert_true (g_strv_contains (known, g_ptr_array_index (proofs, i)));
    }
  g_clear_object (&backend);
}

static void
test_quick (void)
{
  const RegiondWindow mapped = { .access = RWM }, proxied = { .access = REGIOND_ACCESS_READ };
  g_auto (Objects) o = objects_set_up (64 << 20);
  g_autoptr (RegiondBackend) little = make (&o, FALSE, FALSE);
  g_autoptr (RegiondBackend) much = NULL;

  g_assert_true (regiond_backend_is_quick (little, &mapped));
  g_ptr_array_add (o.regions, regiond_region_new_memory ("bar4", 2, 32 << 20, NULL));
  much = make (&o, FALSE, FALSE);
  g_assert_false (regiond_backend_is_quick (much, &mapped));
  attach (much);
  g_assert_true (regiond_backend_is_quick (much, &mapped));
  g_assert_false (regiond_backend_is_quick (much, &proxied));
  regiond_backend_spend (much, NULL);
  g_assert_false (regiond_backend_is_quick (much, &mapped));
  g_clear_object (&much);
  g_ptr_array_set_size (o.regions, 2);
  g_clear_object (&little);
}

static void
test_terms (void)
{
  g_auto (Objects) o = objects_set_up (2 * BOTH);
  RegiondRegion *bar2 = g_ptr_array_index (o.regions, 1);
  g_autoptr (RegiondBackend) retiring = make (&o, FALSE, FALSE);
  g_autoptr (RegiondBackend) tolerant = make (&o, FALSE, TRUE);

  g_assert_cmpint (regiond_backend_get_revocation (retiring, REGIOND_MECHANISM_MEMFD), ==,
                   REGIOND_REVOCATION_DETACHED);
  g_assert_cmpint (regiond_backend_get_revocation (tolerant, REGIOND_MECHANISM_MEMFD), ==,
                   REGIOND_REVOCATION_ON_CLOSE);
  g_assert_cmpint (regiond_backend_find_mechanism (retiring, bar2, RM, NULL), ==, REGIOND_MECHANISM_MEMFD);
  g_assert_cmpint (regiond_backend_find_mechanism (retiring, bar2, RWM, NULL), ==, REGIOND_MECHANISM_MEMFD);
  g_assert_cmpint (regiond_backend_find_mechanism (retiring, bar2, REGIOND_ACCESS_READ, NULL), ==,
                   REGIOND_MECHANISM_PROXY);
  g_assert_cmpint (regiond_backend_find_mechanism (retiring, bar2, REGIOND_ACCESS_WRITE, NULL), ==,
                   REGIOND_MECHANISM_PROXY);
  g_assert_cmpint (regiond_backend_get_revocation (tolerant, REGIOND_MECHANISM_PROXY), ==,
                   REGIOND_REVOCATION_IMMEDIATE);
  g_clear_object (&retiring);
  g_clear_object (&tolerant);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  signal (SIGIO, SIG_IGN);
  g_test_add_func ("/memory/the-next-tenant-finds-nothing", test_fresh);
  g_test_add_func ("/memory/what-persists-is-found-in-another-object", test_persist);
  g_test_add_func ("/memory/who-comes-at-once-finds-nothing-either", test_hurried);
  g_test_add_func ("/memory/everything-is-taken-at-the-first-open", test_all_at_once);
  g_test_add_func ("/memory/a-persistent-device-is-declared-twice", test_declared);
  g_test_add_func ("/memory/too-little-left-is-a-limit-at-the-open", test_limit);
  g_test_add_func ("/memory/what-cannot-be-copied-is-not-lost", test_persist_limit);
  g_test_add_func ("/memory/a-reset-among-tenants-empties-the-same-object", test_reset);
  g_test_add_func ("/memory/it-tells-how-the-end-is-known", test_proofs);
  g_test_add_func ("/memory/much-memory-is-not-made-on-the-main-thread", test_quick);
  g_test_add_func ("/memory/tolerating-leaks-promises-less", test_terms);
  return g_test_run ();
}
