/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <unistd.h>

#include "backends/vfio/mappings.h"
#include "spinner.h"
#include "vfio.h"

#define BAR 2
#define ROUNDS 40
#define AGAIN_ROUNDS 20
#define LIMIT 100
#define HELD_FOR (20 * 1000)


/* Everybody's spinner, the device and its claim. */
typedef struct
{
  Pci *pci;
  Vfio vfio;
  Spinners *spinners;
} Race;

static void
race_set_up (Race *self,
             SpinKind kind,
             guint each)
{
  self->pci = pci_find (GUEST_IVSHMEM);
  guest_bind (self->pci->address);
  vfio_hold (&self->vfio, self->pci);
  self->spinners = spinners_new (self->pci, BAR, kind, each * guest_cpus ());
}

static void
race_tear_down (Race *self)
{
  g_clear_pointer (&self->spinners, spinners_free);
  vfio_release (&self->vfio);
  guest_give_back (self->pci->address);
  pci_free (self->pci);
}

/* What the spinners reach while the claim is held, which it is. */
static SpinCount
judge (Race *self)
{
  spinners_begin (self->spinners);
  g_usleep (HELD_FOR);
  return spinners_end (self->spinners);
}

/* Lets go: without a claim who spins has the BAR again, every time. */
static void
let_go (Race *self)
{
  vfio_close (&self->vfio);
  spinners_wait_access (self->spinners);
}

static void
test_loads_and_stores (void)
{
  Race race;

  race_set_up (&race, SPIN_ON_ONE, 1);
  for (guint round = 0; round < ROUNDS; round++)
    {
      SpinCount count;

      vfio_claim (&race.vfio, BAR);
      count = judge (&race);
      g_assert_cmpuint (count.accesses, ==, 0);
      g_assert_cmpuint (count.maps, ==, 0);
      g_assert_cmpuint (count.refused, >, 0);
      let_go (&race);
    }
  race_tear_down (&race);
}

/* Through the device fd, so that the kernel knows. */
static void
set_decoding (Vfio *vfio,
              gboolean on)
{
  guint16 command;

  g_assert_cmpint (vfio_read (vfio, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, &command, sizeof command), ==, 0);
  command = on ? command | PCI_COMMAND_MEMORY : command & ~PCI_COMMAND_MEMORY;
  g_assert_cmpint (vfio_write (vfio, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, &command, sizeof command), ==, 0);
}

static RegiondMappings
look (Race *self)
{
  int file = pci_open (self->pci, "resource2", O_RDONLY);
  RegiondMappings answer;

  g_assert_cmpint (file, >=, 0);
  answer = regiond_mappings_look (&file, 1, g_get_monotonic_time () + 20 * G_TIME_SPAN_SECOND);
  close (file);
  return answer;
}

/* A mapping that is being made while the claim is may be missed by it, and works on: that takes another
 * processor, or an mmap that is interrupted. Whoever stands still can be told by looking, without a mistake. */
static void
test_missed_mapping (void)
{
  Race race;
  guint missed = 0;

  race_set_up (&race, SPIN_ON_MAPPING, 1);
  for (guint round = 0; round < ROUNDS; round++)
    {
      RegiondMappings seen;
      SpinCount count;

      vfio_claim (&race.vfio, BAR);
      spinners_stop (race.spinners);
      set_decoding (&race.vfio, FALSE);
      seen = look (&race);
      set_decoding (&race.vfio, TRUE);
      spinners_continue (race.spinners);
      count = judge (&race);
      g_assert_cmpuint (count.maps, ==, 0);
      g_assert_cmpuint (count.refused, >, 0);
      g_assert_cmpint (seen, ==, count.accesses > 0 ? REGIOND_MAPPINGS_LIVE : REGIOND_MAPPINGS_NONE);
      missed += count.accesses > 0;
      let_go (&race);
    }
  g_test_message ("%u processors: of %d claims %u have missed a mapping", guest_cpus (), ROUNDS, missed);
  race_tear_down (&race);
}

/* With memory decoding off claims, looks, and claims again while something is left, not more than @limit
 * times; returns how often. What is looked at stands still. */
static guint
claim_until_clean (Race *self,
                   guint limit)
{
  for (guint claims = 1;; claims++)
    {
      RegiondMappings seen;

      vfio_claim (&self->vfio, BAR);
      set_decoding (&self->vfio, FALSE);
      spinners_stop (self->spinners);
      seen = look (self);
      spinners_continue (self->spinners);
      if (seen == REGIOND_MAPPINGS_NONE || claims == limit)
        return claims;
      vfio_close (&self->vfio);
    }
}

static void
test_claim_again (void)
{
  guint most = 0, all = 0;
  Race race;

  race_set_up (&race, SPIN_ON_MAPPING, 1);
  for (guint round = 0; round < AGAIN_ROUNDS; round++)
    {
      guint claims = claim_until_clean (&race, LIMIT);
      SpinCount count;

      g_assert_cmpuint (claims, <, LIMIT);
      set_decoding (&race.vfio, TRUE);
      count = judge (&race);
      g_assert_cmpuint (count.accesses, ==, 0);
      g_assert_cmpuint (count.maps, ==, 0);
      most = MAX (most, claims);
      all += claims;
      let_go (&race);
    }
  g_test_message ("%u processors: %.1f claims until nothing is left, %u at the most", guest_cpus (), (double) all / AGAIN_ROUNDS,
                  most);
  race_tear_down (&race);
}

/* A crowd, so that surely one is missed. */
static void
test_decoding (void)
{
  guint32 mark = 0;
  SpinCount count;
  Race race;

  race_set_up (&race, SPIN_ON_MAPPING, 4);
  vfio_claim (&race.vfio, BAR);
  g_assert_cmpint (vfio_write (&race.vfio, BAR, SPINNERS_MARK * sizeof mark, &mark, sizeof mark), ==, 0);
  set_decoding (&race.vfio, FALSE);
  count = judge (&race);
  g_assert_cmpuint (count.accesses, ==, 0);
  g_clear_pointer (&race.spinners, spinners_free);

  set_decoding (&race.vfio, TRUE);
  g_assert_cmpint (vfio_read (&race.vfio, BAR, SPINNERS_MARK * sizeof mark, &mark, sizeof mark), ==, 0);
  g_assert_cmpuint (mark, ==, 0);
  race_tear_down (&race);
}

/* Who runs could move what is being looked for. */
static void
test_running (void)
{
  Race race;

  race_set_up (&race, SPIN_ON_ONE, 1);
  vfio_claim (&race.vfio, BAR);
  set_decoding (&race.vfio, FALSE);
  g_assert_cmpint (look (&race), ==, REGIOND_MAPPINGS_UNKNOWN);
  g_clear_pointer (&race.spinners, spinners_free);
  g_assert_cmpint (look (&race), ==, REGIOND_MAPPINGS_NONE);
  race_tear_down (&race);
}

int
main (int argc,
      char **argv)
{
  guest_init (&argc, &argv);
  g_test_add_func ("/facts-race/who-loads-and-stores-loses-while-the-claim-is-held", test_loads_and_stores);
  g_test_add_func ("/facts-race/a-mapping-that-the-claim-missed-is-found-by-looking", test_missed_mapping);
  g_test_add_func ("/facts-race/who-maps-loses-when-it-is-claimed-until-nothing-is-found", test_claim_again);
  g_test_add_func ("/facts-race/with-memory-decoding-off-a-missed-mapping-reaches-nothing", test_decoding);
  g_test_add_func ("/facts-race/who-keeps-running-with-a-mapping-cannot-be-told", test_running);
  return g_test_run ();
}
