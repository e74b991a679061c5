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

/* In a flood polkit's answer may come too late. What the call has lent is let go of. */
static void
take_answer (Person *bob,
             guint serial)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) strings = person_finish (bob, serial, &error);

  if (!strings)
    g_test_message ("in the flood: %s", error->message);
  else if (strings[0] && strings[1])
    person_let_go (bob, NULL, strings[1]);
}

/* As long as it takes. */
static double
finish (Person *bob,
        guint serial,
        gint64 start)
{
  Call call = { bob, serial };
  double taken;

  wait_until (is_answered, &call, PATIENCE_MS, "an answer in the middle of a flood");
  taken = (g_get_monotonic_time () - start) / 1000.0;
  take_answer (bob, serial);
  g_usleep (PAUSE_US);
  return taken;
}

static guint
send_open (Person *bob,
           const char *device,
           const char *region)
{
  return person_send_open (bob, device, region, "rwm", "{}", "");
}

static guint
send_open_peer (Person *bob)
{
  return person_send (bob, "call-peer", PEER_PATH, PEER_INTERFACE, "Open", "('data', 'rwm', @a{sv} {})", "", NULL);
}

double
burst_open (Person *bob,
            const char *device,
            const char *region)
{
  gint64 start = g_get_monotonic_time ();

  return finish (bob, send_open (bob, device, region), start);
}

double
burst_open_peer (Person *bob)
{
  gint64 start = g_get_monotonic_time ();

  return finish (bob, send_open_peer (bob), start);
}

double
burst_echo (Person *bob)
{
  gint64 start = g_get_monotonic_time ();

  return finish (bob, person_send (bob, "call-peer", PEER_PATH, PEER_INTERFACE, "Echo", "('',)", "", NULL), start);
}

/* Calls of one kind, one after the other. */
typedef struct
{
  Person *bob;
  const char *device; /* NULL: the peer's Open */
  const char *region;
  GArray *samples;
  guint serial; /* of the call under way, or 0 */
  gint64 since; /* of it, or of the pause */
} Series;

static void
series_go_on (Series *self)
{
  gint64 now = g_get_monotonic_time ();

  if (self->serial == 0)
    {
      if (now < self->since + PAUSE_US)
        return;
      self->serial = self->device ? send_open (self->bob, self->device, self->region) : send_open_peer (self->bob);
      self->since = now;
    }
  else if (person_has_answer (self->bob, self->serial))
    {
      double taken = (now - self->since) / 1000.0;

      g_array_append_val (self->samples, taken);
      take_answer (self->bob, self->serial);
      self->serial = 0;
      self->since = g_get_monotonic_time ();
    }
}

/* What is answered only when the burst is over counts where there is no other. */
static void
series_end (Series *self,
            guint had)
{
  double taken;

  if (self->serial == 0)
    return;
  taken = finish (self->bob, self->serial, self->since);
  if (self->samples->len == had)
    g_array_append_val (self->samples, taken);
}

typedef struct
{
  GPtrArray *floods;
  guint done;
  guint sent;
} Sending;

static gboolean
is_over (Sending *self)
{
  guint n;

  for (guint i = 0; i < self->floods->len; i++)
    if (flood_has_sent (g_ptr_array_index (self->floods, i), &n))
      {
        self->done++;
        self->sent += n;
      }
  return self->done == self->floods->len;
}

void
burst_measure (Person *bob,
               const char *device,
               const char *region,
               GPtrArray *floods,
               GArray *opens,
               GArray *peers)
{
  Series own = { bob, device, region, opens, 0, 0 }, peer = { bob, NULL, NULL, peers, 0, 0 };
  const guint had = opens->len, peers_had = peers->len;
  Sending sending = { floods, 0, 0 };
  gint64 start = g_get_monotonic_time ();

  while (!is_over (&sending))
    {
      series_go_on (&own);
      series_go_on (&peer);
      g_usleep (1000);
    }
  g_test_message ("burst: %u calls sent in %u ms", sending.sent, milliseconds_since (start));
  series_end (&own, had);
  series_end (&peer, peers_had);
}
