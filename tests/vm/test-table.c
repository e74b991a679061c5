/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What revoking a lease does, by mechanism, on this kernel: told on stdout, a line for
 * each behind "# table: ", from which matrix makes docs/kernels.md. Fails if it is less
 * than the lease promised.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"
#include "devices.h"
#include "guest.h"

#define SOON 30000
/* What a holder writes before its lease is revoked, and after; four bytes, and where. */
#define BEFORE "0x62656665"
#define AFTER "0x72657466"
#define PLACE "64"
#define PAGE "4096"
/* What the client looks for when it spins. */
#define SPIN "0x6e697073"

typedef struct
{
  const char *mechanism;
  char *published; /* Revocation of the lease */
  char *access;    /* the holder's next one: "goes on" or the error */
  char *again;     /* mapping it once more, or opening the file */
  char *shows;     /* whether what the holder writes then is seen by others */
  char *others;    /* somebody else, who asks for the same */
  char *after;     /* the same once the holder is gone */
} Row;

static void
row_tell (Row *row)
{
  printf ("# table: %s | %s | %s | %s | %s | %s | %s\n", row->mechanism, row->published, row->access, row->again,
          row->shows, row->others, row->after);
  fflush (stdout);
}

static void
row_clear (Row *row)
{
  g_free (row->published);
  g_free (row->access);
  g_free (row->again);
  g_free (row->shows);
  g_free (row->others);
  g_free (row->after);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Row, row_clear)

/* "Lingering" of what a person's client says of an error: "NAME: MESSAGE". */
static char *
error_name (const GError *error)
{
  const char *name = error->message;

  if (g_str_has_prefix (name, ERROR ("")))
    name += strlen (ERROR (""));
  return g_strndup (name, strcspn (name, ":"));
}

/* How it went: FINE, or the error's name. */
static char *
finish (Person *person,
        guint serial,
        const char *fine)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) answer = person_finish (person, serial, &error);

  return answer ? g_strdup (fine) : error_name (error);
}

/* A region of a device, the access to it that is looked at, and who has it and loses it. */
typedef struct
{
  Bench *bench;
  Person *alice;
  const char *id;
  const char *region;
  const char *access;
} Case;

static void
case_clear (Case *it)
{
  person_free (it->alice);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Case, case_clear)

/* Bob asks for it, and lets go of it. */
static char *
try_open (Case *it)
{
  guint serial = person_send_open (it->bench->bob, it->id, it->region, it->access, "{}", "");
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) answer = person_finish (it->bench->bob, serial, &error);

  if (!answer)
    return error_name (error);
  person_let_go (it->bench->bob, NULL, answer[1]);
  return g_strdup ("lent");
}

/* Whether somebody else sees what the holder wrote at last; "-" where nobody gets to look. */
static char *
find_written (Case *it)
{
  guint serial = person_send_open (it->bench->bob, it->id, it->region, "r", "{}", "");
  g_auto (GStrv) answer = person_finish (it->bench->bob, serial, NULL);
  guint32 value = 0;
  int fd;

  if (!answer)
    return g_strdup ("-");
  fd = person_give (it->bench->bob, answer[1]);
  g_assert_cmpint (pread (fd, &value, sizeof value, atoi (PLACE)), ==, sizeof value);
  close (fd);
  person_let_go (it->bench->bob, NULL, answer[1]);
  return g_strdup (value == g_ascii_strtoull (AFTER, NULL, 16) ? "yes" : "no");
}

static gboolean
has_ended (gpointer data)
{
  Opened *opened = ((gpointer *) data)[1];
  Case *it = ((gpointer *) data)[0];
  g_autofree char *state = NULL;

  if (!world_has_object (it->bench->world, opened->path))
    return TRUE;
  state = world_get_string (it->bench->world, opened->path, LEASE_INTERFACE, "State");
  return g_str_equal (state, "lingering");
}

static void
end_lease (Case *it,
        Opened *opened)
{
  gpointer both[] = { it, opened };
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_sync (it->bench->world->root, "org.regiond1", opened->path,
                                                            LEASE_INTERFACE, "Revoke",
                                                            g_variant_new_parsed ("('test', @a{sv} {})"), NULL,
                                                            G_DBUS_CALL_FLAGS_NONE, SOON, NULL, &error);
  g_autofree char *failure = error ? g_dbus_error_get_remote_error (error) : NULL;

  /* It says so where what the holder has cannot be cut. */
  if (failure)
    g_assert_cmpstr (failure, ==, ERROR ("Lingering"));
  wait_until (has_ended, both, SOON, "the end of a revoked lease");
}

/* What comes after the holder; a reset takes its time. */
static void
look_after (Case *it,
            Row *row)
{
  g_autofree char *path = g_strconcat (DEVICE_PREFIX, it->id, NULL);

  person_kill (it->alice);
  world_wait_uint (it->bench->world, path, DEVICE_INTERFACE, "Lingering", 0, SOON);
  world_wait_string (it->bench->world, path, DEVICE_INTERFACE, "State", "parked", SOON);
  row->after = try_open (it);
  g_assert_cmpstr (row->after, ==, "lent");
}

/* What each kind of revocation promises. */
static void
check (Row *row)
{
  if (g_str_equal (row->published, "immediate"))
    g_assert_cmpstr (row->access, !=, "goes on");
  if (g_str_equal (row->published, "on-close"))
    g_assert_cmpstr (row->others, ==, "Lingering");
  else
    g_assert_cmpstr (row->shows, ==, "no");
}

static void
look_at_mapping (Case *it,
                 Row *row)
{
  gboolean writable = strchr (it->access, 'w') != NULL;
  const char *protection = writable ? "rw" : "r";
  g_autoptr (Opened) opened = person_open (it->alice, it->id, it->region, it->access, "{}");
  g_autofree char *map = person_do (it->alice, "map-bar", opened->fd, protection, PAGE, NULL);

  row->published = world_get_string (it->bench->world, opened->path, LEASE_INTERFACE, "Revocation");
  g_free (writable ? person_do (it->alice, "store", map, PLACE, BEFORE, NULL)
                   : person_do (it->alice, "load", map, PLACE, "4", NULL));
  end_lease (it, opened);
  row->access = finish (it->alice,
                        writable ? person_send (it->alice, "store", map, PLACE, AFTER, NULL)
                                 : person_send (it->alice, "load", map, PLACE, "4", NULL),
                        "goes on");
  row->again = finish (it->alice, person_send (it->alice, "map-bar", opened->fd, protection, PAGE, NULL), "works");
  row->shows = writable ? find_written (it) : g_strdup ("no");
  row->others = try_open (it);
  check (row);
  look_after (it, row);
  row_tell (row);
}

/* Where the mapping is not to be had at all. */
static gboolean
is_refused (Case *it,
            Row *row)
{
  g_autofree char *answer = try_open (it);

  if (g_str_equal (answer, "lent"))
    return FALSE;
  g_assert_cmpstr (answer, ==, "NotSupported");
  g_assert_true (guest_is_locked_down ());
  printf ("# table: %s | - | - | - | - | %s | -\n", row->mechanism, answer);
  return TRUE;
}

static void
look_at_bar (Bench *bench)
{
  g_auto (Row) row = { "bar" };
  g_auto (Case) it = { bench, person_new ("alice", UID_ALICE), bench->id, "bar2", "rwm" };

  if (!is_refused (&it, &row))
    look_at_mapping (&it, &row);
}

static gboolean
spins (gpointer data)
{
  g_autofree char *count = person_do (data, "spun", NULL);

  return !g_str_equal (count, "0");
}

static void
spin (Case *it,
      Opened *opened)
{
  g_autofree char *map = person_do (it->alice, "map-bar", opened->fd, "rw", PAGE, NULL);
  g_autofree char *threads = g_strdup_printf ("%u", guest_cpus () + 1);

  g_free (person_do (it->alice, "store", map, "0", SPIN, NULL));
  g_free (person_do (it->alice, "spin", opened->fd, threads, NULL));
  wait_until (spins, it->alice, SOON, "it spins");
}

/* On every processor somebody maps, loads and unmaps without end. */
static void
look_at_bar_in_a_loop (Bench *bench)
{
  g_autofree char *count = NULL;
  g_autoptr (Opened) opened = NULL;
  g_auto (Row) row = { "bar, mapped in a loop" };
  g_auto (Case) it = { bench, person_new ("alice", UID_ALICE), bench->id, "bar2", "rwm" };
  gboolean lives;

  if (is_refused (&it, &row))
    return;
  opened = person_open (it.alice, it.id, it.region, it.access, "{}");
  row.published = world_get_string (bench->world, opened->path, LEASE_INTERFACE, "Revocation");
  spin (&it, opened);
  end_lease (&it, opened);
  g_free (person_do (it.alice, "spun", NULL));
  g_usleep (300 * 1000);
  count = person_do (it.alice, "spun", NULL);
  lives = !g_str_equal (count, "0");
  row.access = g_strdup (lives ? "goes on" : "nothing gets through");
  row.again = g_strdup (lives ? "works" : "nothing gets through");
  row.shows = g_strdup (lives ? "-" : "no"); /* nobody else is let in */
  row.others = try_open (&it);
  check (&row);
  look_after (&it, &row);
  row_tell (&row);
}

static void
look_at_proxy (Bench *bench)
{
  g_auto (Row) row = { "proxy" };
  g_auto (Case) it = { bench, person_new ("alice", UID_ALICE), bench->id, "bar2", "rw" };
  g_autoptr (Opened) opened = person_open (it.alice, it.id, it.region, it.access, "{}");

  row.published = world_get_string (bench->world, opened->path, LEASE_INTERFACE, "Revocation");
  g_free (person_do (it.alice, "pwrite", opened->fd, PLACE, "befo", NULL));
  end_lease (&it, opened);
  row.access = finish (it.alice, person_send (it.alice, "pwrite", opened->fd, PLACE, "fter", NULL), "goes on");
  row.again = finish (it.alice, person_send (it.alice, "reopen", opened->fd, "rw", NULL), "works");
  row.shows = find_written (&it);
  row.others = try_open (&it);
  check (&row);
  look_after (&it, &row);
  row_tell (&row);
}

static void
look_at_snapshot (Bench *bench)
{
  g_autofree char *address = guest_find (GUEST_E1000E);
  g_autofree char *id = device_id (address);
  g_auto (Row) row = { "snapshot" };
  g_auto (Case) it = { bench, person_new ("alice", UID_ALICE), id, "rom", "rm" };

  device_bind (bench->world, address, "{}");
  look_at_mapping (&it, &row);
  device_unbind (bench->world, address, "{'force': <true>}");
}

static void
look_at_memfd (Bench *bench)
{
  g_auto (Row) row = { "memfd" };
  g_auto (Case) it = { bench, person_new ("alice", UID_ALICE), "shm0", "bar2", "rwm" };

  look_at_mapping (&it, &row);
}

/* One service for all of them: there are many guests. */
static void
test_every_mechanism (void)
{
  g_autoptr (Bench) bench = NULL;
  struct utsname name;

  g_assert_no_errno (uname (&name));
  printf ("# kernel: %s\n", name.release);
  bench = bench_new (GUEST_IVSHMEM);
  look_at_bar (bench);
  look_at_bar_in_a_loop (bench);
  look_at_proxy (bench);
  look_at_snapshot (bench);
  look_at_memfd (bench);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/table/every-mechanism", test_every_mechanism);
  return g_test_run ();
}
