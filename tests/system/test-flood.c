/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "burst.h"
#include "figures.h"
#include "flood.h"
#include "peer.h"
#include "world.h"

/* Clients that call and call and never read. The configuration is the shipped
 * one: of the bus (stock, with org.regiond1.conf) and of regiond. */

#define CALLS 1000
#define SAMPLES 60
#define USER_MOST 256 /* MaxLeasesPerUser, as shipped */
#define PROXIED_MOST 128 /* MaxProxiedLeasesPerUser */
#define CALM "calm"
#define END_MS 30000
#define SETTLED_MS 90000 /* polkitd 122 can miss that a rule has ended (it signals without the lock), for 15 s */

typedef struct
{
  guint n;     /* connections in all */
  guint users; /* whose they are */
  const char *access;
  guint each; /* how many leases a user may have */
} Case;

static const uid_t flooders[] = { UID_ALICE, UID_CAROL, UID_ADMIN };

static World *
new_world (const char *daemon)
{
  World *world = world_new_without_service (daemon);

  service_configure_device (CALM ".conf", "[Device]\nBackend=memory\n[Region data]\nSize=4K\n");
  world->regiond = service_start (world->root);
  world_set_rules (world, RULES_ALLOW_ALL);
  return world;
}

/* One OpenRegion of bob's, in µs. */
static gint64
use (Person *bob)
{
  return burst_open (bob, CALM, "data") * 1000;
}

static gint64
use_peer (Person *bob)
{
  return burst_open_peer (bob) * 1000;
}

static int
compare (gconstpointer a,
         gconstpointer b)
{
  gint64 left = *(const gint64 *) a, right = *(const gint64 *) b;

  return left < right ? -1 : left > right;
}

typedef struct
{
  guint n;
  gint64 median, longest; /* µs */
} Times;

static Times
sum_up (GArray *samples)
{
  Times times = { samples->len, 0, 0 };

  g_array_sort (samples, compare);
  if (samples->len > 0)
    {
      times.median = g_array_index (samples, gint64, samples->len / 2);
      times.longest = g_array_index (samples, gint64, samples->len - 1);
    }
  return times;
}

static void
sample (GArray *samples,
        gint64 taken)
{
  g_array_append_val (samples, taken);
}

/* OpenRegion, and the same without regiond. */
typedef struct
{
  Times own, peers;
} Both;

/* In turns. */
static Both
measure (Person *bob)
{
  g_autoptr (GArray) own = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (GArray) peers = g_array_new (FALSE, FALSE, sizeof (gint64));

  for (guint i = 0; i < SAMPLES; i++)
    {
      sample (own, use (bob));
      sample (peers, use_peer (bob));
    }
  return (Both){ sum_up (own), sum_up (peers) };
}

static GPtrArray *
make_floods (const Case *how)
{
  GPtrArray *floods = g_ptr_array_new_with_free_func ((GDestroyNotify) flood_free);

  for (guint i = 0; i < how->users; i++)
    g_ptr_array_add (floods, flood_new (flooders[i], how->n / how->users));
  return floods;
}

static void
tell (const char *when,
      Both both)
{
  g_test_message ("%s: %u calls, median %.2f ms, longest %.2f ms; the peer's %.2f ms, %.2f ms", when, both.own.n,
                  both.own.median / 1000.0, both.own.longest / 1000.0, both.peers.median / 1000.0,
                  both.peers.longest / 1000.0);
}

/* They go, and all of it with them. */
static void
end_floods (World *world,
            GPtrArray *floods,
            guint fds)
{
  gint64 start = g_get_monotonic_time ();

  g_ptr_array_set_size (floods, 0);
  world_wait_no_leases (world, END_MS);
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", END_MS);
  world_wait_fds (world, fds);
  g_test_message ("all of it was gone %u ms after the flooders", milliseconds_since (start));
}

typedef struct
{
  World *world;
  guint n;
} Count;

/* Twice the usual: minutes lie between the two, and the machine may have more to do now than
 * then. How much more the peer's calls tell. */
static gboolean
is_usual (Both now,
          Both usual)
{
  return now.own.median * usual.peers.median <= 2 * usual.own.median * now.peers.median;
}

/* What a flood has done to the service would stay. */
static Both
measure_until_usual (Person *bob,
                     Both usual)
{
  Both now = measure (bob);

  for (guint i = 0; i < 4 && !is_usual (now, usual); i++)
    now = measure (bob);
  return now;
}

static gboolean
has_leases (gpointer data)
{
  Count *count = data;

  return world_count_leases (count->world) == count->n;
}

/* No more and no fewer than when last asked: polkit has got through with them. */
static gboolean
is_settled (gpointer data)
{
  Count *count = data;
  guint before = count->n;

  g_usleep (300 * 1000);
  count->n = world_count_leases (count->world);
  return count->n == before;
}

static gboolean
has_peer (gpointer data)
{
  World *world = data;
  g_autoptr (GVariant) answer =
    g_dbus_connection_call_sync (world->root, PEER_NAME, PEER_PATH, PEER_INTERFACE, "Echo", g_variant_new ("(s)", ""),
                                 NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);

  return answer != NULL;
}

static Process *
start_peer (World *world)
{
  const char *const argv[] = { g_getenv ("REGIOND_TEST_PEER"), NULL };
  Process *peer = process_spawn (argv, NULL, NULL, NULL);

  wait_until (has_peer, world, 10000, "the peer");
  return peer;
}

static void
wait_sent (GPtrArray *floods)
{
  for (guint i = 0; i < floods->len; i++)
    flood_wait_sent (g_ptr_array_index (floods, i));
}

/* What it takes the peer to read as many calls, and to do nothing about them. */
static double
measure_reading (Person *bob,
                 const Case *how)
{
  g_autoptr (GPtrArray) floods = make_floods (how);
  gint64 start = g_get_monotonic_time ();

  for (guint i = 0; i < floods->len; i++)
    flood_drop (g_ptr_array_index (floods, i), CALLS);
  wait_sent (floods);
  burst_echo (bob);
  return milliseconds_since (start);
}

static GPtrArray *
start_floods (const Case *how)
{
  GPtrArray *floods = make_floods (how);

  for (guint i = 0; i < floods->len; i++)
    flood_open (g_ptr_array_index (floods, i), SHM0, "bar2", how->access, CALLS);
  return floods;
}

/* In ms: what an OpenRegion in the burst takes, and what it is compared with. */
typedef struct
{
  GArray *opens;
  GArray *others;
} Burst;

static void
burst_init (Burst *self)
{
  self->opens = g_array_new (FALSE, FALSE, sizeof (double));
  self->others = g_array_new (FALSE, FALSE, sizeof (double));
}

static void
burst_clear (Burst *self)
{
  g_array_unref (self->opens);
  g_array_unref (self->others);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Burst, burst_clear)

/* dbus-daemon: as long as it takes in what they send, calls take long; and what
 * the same takes without regiond at the same time. dbus-broker takes in at once what
 * they send, and it stands in regiond's line; and what it takes to read it. */
static GPtrArray *
burst_add (Burst *self,
           Person *bob,
           const Case *how)
{
  double reading = bus_is_broker () ? measure_reading (bob, how) : 0;
  GPtrArray *floods = start_floods (how);
  double taken;

  if (!bus_is_broker ())
    {
      burst_measure (bob, CALM, "data", floods, self->opens, self->others);
      return floods;
    }

  wait_sent (floods);
  taken = burst_open (bob, CALM, "data");
  g_array_append_val (self->opens, taken);
  g_array_append_val (self->others, reading);
  return floods;
}

static int
compare_doubles (gconstpointer a,
                 gconstpointer b)
{
  double left = *(const double *) a, right = *(const double *) b;

  return left < right ? -1 : left > right;
}

static double
get_median (GArray *samples)
{
  guint n = samples->len;

  g_array_sort (samples, compare_doubles);
  return (g_array_index (samples, double, (n - 1) / 2) + g_array_index (samples, double, n / 2)) / 2;
}

/* No longer than twice the other. */
static gboolean
burst_is_fair (Burst *self,
               Times usual)
{
  double open = get_median (self->opens), other = get_median (self->others);

  g_test_message ("in bursts: OpenRegion %.2f ms (of %u), %s %.2f ms (of %u)", open, self->opens->len,
                  bus_is_broker () ? "reading" : "the peer's Open", other, self->others->len);
  return open <= 2 * other + usual.median / 1000.0;
}

/* What else the machine has to do comes and goes: then once more, and what was
 * measured before counts, too. Where a burst is short, three calls at least are
 * measured. With sanitizers regiond is slow, and the bus is not. */
static GPtrArray *
flood_fairly (World *world,
              Person *bob,
              const Case *how,
              Times usual,
              guint fds)
{
  const gboolean is_short = how->n < 100;
  g_auto (Burst) burst = { NULL };

  burst_init (&burst);
  for (guint attempt = is_short ? 5 : 3;; attempt--)
    {
      g_autoptr (GPtrArray) floods = burst_add (&burst, bob, how);
      gboolean is_fair = burst_is_fair (&burst, usual);

      if (figures_have_sanitizer () || (is_fair && burst.opens->len >= (is_short ? 3 : 1)))
        return g_steal_pointer (&floods);
      g_assert_cmpuint (attempt, >, 1);
      end_floods (world, floods, fds);
    }
}

/* Then there is what comes then: as long as their calls are in front of polkit,
 * which is always at work, and their answers on the way, twice what the same
 * takes without regiond; and when all that is left is what they do not read,
 * twice the usual. */
static void
test_unread (gconstpointer data)
{
  const Case *how = data;
  g_autoptr (World) world = new_world ("");
  g_autoptr (Person) bob = person_new ("bob", UID_BOB);
  g_autoptr (Process) peer = start_peer (world);
  g_autoptr (GPtrArray) floods = NULL;
  Both before, queued, after;
  Count leases = { world, 0 };
  guint fds;

  use (bob);
  before = measure (bob);
  world_wait_no_leases (world, END_MS);
  fds = process_count_fds (world->regiond);
  floods = flood_fairly (world, bob, how, before.own, fds);
  queued = measure (bob);
  wait_until (is_settled, &leases, SETTLED_MS, "polkit to be done with the flooders");
  leases.n = world_count_leases (world);
  after = measure_until_usual (bob, before);
  tell ("before", before);
  tell ("queued", queued);
  tell ("after", after);
  g_test_message ("%u leases", leases.n);
  g_assert_cmpuint (leases.n, <=, how->users * how->each);
  end_floods (world, floods, fds);
  if (figures_have_sanitizer ())
    return;
  g_assert_cmpint (queued.own.median, <=, 2 * queued.peers.median + before.own.median);
  g_assert_true (is_usual (after, before));
}

static GPtrArray *
list_leases (World *world)
{
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GVariant) answer = world_call (world, MANAGER_PATH, "org.freedesktop.DBus.ObjectManager",
                                            "GetManagedObjects", NULL);
  g_autoptr (GVariant) objects = g_variant_get_child_value (answer, 0);
  GVariantIter iter;
  const char *path;

  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_next (&iter, "{&o@a{sa{sv}}}", &path, NULL))
    if (g_str_has_prefix (path, "/org/regiond1/leases/"))
      g_ptr_array_add (paths, g_strdup (path));
  return paths;
}

/* Where it is shared memory, the first one takes the others along. */
static void
revoke_lease (World *world,
              const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
    g_dbus_connection_call_sync (world->root, "org.regiond1", path, LEASE_INTERFACE, "Revoke",
                                 g_variant_new_parsed ("('unread', @a{sv} {})"), NULL, G_DBUS_CALL_FLAGS_NONE, END_MS,
                                 NULL, &error);

  g_assert_true (reply != NULL || strstr (error->message, "Gone") != NULL);
}

/* Leases that have ended with their descriptors unread count on: no more than
 * the limit are ever under way. */
static void
end_unread (const char *access,
            gboolean revoke)
{
  g_autoptr (World) world = new_world ("MaxLeasesPerConnection=50\nMaxLeasesPerUser=50");
  g_autoptr (Person) alice = person_new ("alice", UID_ALICE), bob = person_new ("bob", UID_BOB);
  g_autoptr (GPtrArray) floods = g_ptr_array_new_with_free_func ((GDestroyNotify) flood_free), paths = NULL;
  Flood *flood = flood_new (UID_ALICE, 1);
  Count count = { world, 50 };
  guint fds = process_count_fds (world->regiond);

  g_ptr_array_add (floods, flood);
  flood_open (flood, SHM0, "bar2", access, 60);
  flood_wait_sent (flood);
  wait_until (has_leases, &count, END_MS, "as many leases as may be");
  paths = list_leases (world);
  for (guint i = 0; i < paths->len; i++)
    if (revoke)
      revoke_lease (world, g_ptr_array_index (paths, i));
    else
      flood_release (flood, g_ptr_array_index (paths, i));
  world_wait_string (world, SHM0, DEVICE_INTERFACE, "State", "parked", END_MS);

  for (guint i = 0; i < 3; i++)
    {
      flood_open (flood, SHM0, "bar2", access, 30);
      flood_wait_sent (flood);
      g_free (person_open_fails (alice, ERROR ("LimitExceeded"), "loose", "bar2", access, "{}"));
      use (bob);
    }
  world_expect_string (world, SHM0, DEVICE_INTERFACE, "State", "parked");
  end_floods (world, floods, fds);
  opened_free (person_open (alice, "shm0", "bar2", access, "{}"));
}

static void
test_released_unread (gconstpointer access)
{
  end_unread (access, FALSE);
}

static void
test_revoked_unread (gconstpointer access)
{
  end_unread (access, TRUE);
}

static void
add (const char *path,
     const Case *how)
{
  g_test_add_data_func (path, how, test_unread);
}

int
main (int argc,
      char **argv)
{
  static const Case few = { 20, 1, "rwm", USER_MOST }, few_of_several = { 21, 3, "rwm", USER_MOST };
  static const Case proxied = { 20, 1, "rw", PROXIED_MOST };
#ifndef __SANITIZE_ADDRESS__
  static const Case many = { 200, 1, "rwm", USER_MOST }, many_of_several = { 201, 3, "rwm", USER_MOST };
#endif

  world_init (&argc, &argv);
  add ("/flood/20-connections-of-one-user", &few);
  add ("/flood/20-connections-of-several-users", &few_of_several);
  add ("/flood/20-connections-of-proxied-leases", &proxied);
  /* It takes the bus minutes, and nothing else of the service than the others. */
#ifndef __SANITIZE_ADDRESS__
  add ("/flood/200-connections-of-one-user", &many);
  add ("/flood/200-connections-of-several-users", &many_of_several);
#endif
  g_test_add_data_func ("/flood/released-unread/rwm", "rwm", test_released_unread);
  g_test_add_data_func ("/flood/released-unread/rw", "rw", test_released_unread);
  g_test_add_data_func ("/flood/revoked-unread/rwm", "rwm", test_revoked_unread);
  g_test_add_data_func ("/flood/revoked-unread/rw", "rw", test_revoked_unread);
  return g_test_run ();
}
