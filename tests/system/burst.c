/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "burst.h"

#include "flood.h"
#include "peer.h"

#define PATIENCE_MS 150000
#define PAUSE_US 20000 /* nobody's calls come without a pause: who wants more than his share waits for it */

typedef struct
{
  Person *person;
  guint serial;
} Call;

static gboolean
is_answered (gpointer data)
{
  Call *call = data;

  return person_has_answer (call->person, call->serial);
}

/* As long as it takes; in a flood polkit's answer may come too late. What it has lent is let go of. */
static double
finish (Person *bob,
        guint serial)
{
  gint64 start = g_get_monotonic_time ();
  Call call = { bob, serial };
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) strings = NULL;
  double taken;

  wait_until (is_answered, &call, PATIENCE_MS, "an answer in the middle of a flood");
  taken = (g_get_monotonic_time () - start) / 1000.0;
  strings = person_finish (bob, serial, &error);
  if (!strings)
    g_test_message ("in the flood: %s", error->message);
  else if (strings[0] && strings[1])
    person_let_go (bob, NULL, strings[1]);
  g_usleep (PAUSE_US);
  return taken;
}

double
burst_open (Person *bob,
            const char *device,
            const char *region)
{
  return finish (bob, person_send_open (bob, device, region, "rwm", "{}", ""));
}

double
burst_open_peer (Person *bob)
{
  return finish (bob, person_send (bob, "call-peer", PEER_PATH, PEER_INTERFACE, "Open", "('data', 'rwm', @a{sv} {})",
                                   "", NULL));
}

double
burst_echo (Person *bob)
{
  return finish (bob, person_send (bob, "call-peer", PEER_PATH, PEER_INTERFACE, "Echo", "('',)", "", NULL));
}

typedef struct
{
  double sum; /* ms */
  guint n;
  double last; /* during which the burst ended */
} Mean;

static void
add (Mean *mean,
     double taken,
     gboolean over)
{
  mean->last = taken;
  if (over)
    return;
  mean->sum += taken;
  mean->n++;
}

static double
get (const Mean *mean)
{
  return mean->n > 0 ? mean->sum / mean->n : mean->last;
}

/* Counts those of FLOODS that have sent what they have to send. */
static gboolean
is_over (Burst *burst,
         GPtrArray *floods,
         gint64 start,
         guint *done)
{
  guint n;

  for (guint i = 0; i < floods->len; i++)
    if (flood_has_sent (g_ptr_array_index (floods, i), &n))
      {
        ++*done;
        burst->sent += n;
        burst->milliseconds = milliseconds_since (start);
      }
  return *done == floods->len;
}

void
burst_measure (Burst *burst,
               Person *bob,
               const char *device,
               const char *region,
               GPtrArray *floods)
{
  gint64 start = g_get_monotonic_time ();
  Mean open = { 0 }, peer = { 0 };
  gboolean over = FALSE;
  guint done = 0;

  *burst = (Burst){ 0 };
  while (!over)
    {
      double taken = burst_open_peer (bob);

      over = is_over (burst, floods, start, &done);
      add (&peer, taken, over);
      if (over)
        break;
      taken = burst_open (bob, device, region);
      over = is_over (burst, floods, start, &done);
      add (&open, taken, over);
    }
  burst->open = get (&open);
  burst->peer = get (&peer);
}

void
burst_tell (const Burst *burst)
{
  g_test_message ("burst: %u calls sent in %u ms; OpenRegion %.2f ms, the peer's Open %.2f ms", burst->sent,
                  burst->milliseconds, burst->open, burst->peer);
}
