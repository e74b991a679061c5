/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "config.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Runs regiond to its end; returns its status, and what it printed. */
static int
run (const char *const *arguments,
     char             **out,
     char             **err)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autoptr (GSubprocess) regiond = NULL;
  g_autoptr (GError) error = NULL;

  g_ptr_array_add (argv, (gpointer) g_getenv ("REGIOND"));
  for (; *arguments != NULL; arguments++)
    g_ptr_array_add (argv, (gpointer) *arguments);
  g_ptr_array_add (argv, NULL);
  regiond = g_subprocess_newv ((const char *const *) argv->pdata,
                               G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &error);
  g_assert_no_error (error);
  g_subprocess_communicate_utf8 (regiond, NULL, NULL, out, err, &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_get_if_exited (regiond));
  return g_subprocess_get_exit_status (regiond);
}

static void
expect (int                status,
        const char        *words,
        const char *const *arguments)
{
  g_autofree char *out = NULL, *err = NULL;

  g_assert_cmpint (run (arguments, &out, &err), ==, status);
  if (strstr (err, words) == NULL)
    g_error ("'%s' does not say '%s'", err, words);
}

#define EXPECT(status, words, ...) expect (status, words, (const char *const[]){ __VA_ARGS__, NULL })

static void
test_usage (void)
{
  g_autofree char *out = NULL, *err = NULL;

  g_assert_cmpint (run ((const char *const[]){ "--version", NULL }, &out, &err), ==, 0);
  g_assert_cmpstr (out, ==, "regiond " REGIOND_VERSION "\n");
  EXPECT (2, "--colour", "--colour");
  EXPECT (2, "everything", "everything");
  EXPECT (2, "--address", "--system", "--address", "unix:path=/nowhere");
}

static void
test_config (void)
{
  g_autoptr (Fixture) f = fixture_new ();

  EXPECT (78, "/nowhere/at/all", "--config", "/nowhere/at/all");
  fixture_write (f, "regiond.conf", "[Daemon]\nMaxMemory=4 elephants\n");
  EXPECT (78, "MaxMemory=4 elephants", "--config", f->directory);
}

static void
test_no_bus (void)
{
  g_autoptr (Fixture) f = fixture_new ();

  EXPECT (1, "no bus", "--config", f->directory, "--address", "unix:path=/nowhere/at/all");
}

static void
test_second (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();

  EXPECT (1, "org.regiond1", "--config", f->directory, "--address", f->address);
  g_assert_true (client_sees_state (f->person, SHM0, "Device", "parked"));
}

static void
test_signals (void)
{
  const int signals[] = { SIGTERM, SIGINT, SIGHUP };
  g_autoptr (Fixture) f = fixture_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    {
      g_autoptr (GError) error = NULL;

      fixture_serve (f);
      g_subprocess_send_signal (f->service, signals[i]);
      g_subprocess_wait_check (f->service, NULL, &error);
      g_assert_no_error (error);
      g_clear_object (&f->service);
    }
}

static void
test_told (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autoptr (Ear) ear = ear_new (f->person, "Lease");
  g_autofree char *lease = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  fixture_stop (f);
  wait_until (ear_heard (ear, "Ended('shutdown',)"));
  close (fd);
}

static void
test_bus_gone (void)
{
  g_autoptr (Fixture) f = fixture_new_serving ();
  g_autofree char *lease = NULL;
  int fd;

  lease = client_must_open (f->person, SHM0, "bar2", "rwm", NULL, &fd);
  kill (f->bus, SIGKILL);
  g_subprocess_wait (f->service, NULL, NULL);
  g_assert_true (g_subprocess_get_if_exited (f->service));
  g_assert_cmpint (g_subprocess_get_exit_status (f->service), ==, 1);
  g_clear_object (&f->service);
  close (fd);
}

static void
add_tests (void)
{
  g_test_add_func ("/main/unknown-arguments-are-named", test_usage);
  g_test_add_func ("/main/a-mistake-in-the-configuration-is-78", test_config);
  g_test_add_func ("/main/without-a-bus-it-says-so", test_no_bus);
  g_test_add_func ("/main/a-second-one-leaves-the-first-alone", test_second);
  g_test_add_func ("/main/each-signal-ends-it-cleanly", test_signals);
  g_test_add_func ("/main/who-listens-hears-of-the-shutdown", test_told);
  g_test_add_func ("/main/a-bus-that-goes-away-ends-it", test_bus_gone);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
