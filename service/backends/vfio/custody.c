/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/custody.h"

#include "backends/vfio/cleaner.h"
#include "backends/vfio/config.h"
#include "backends/vfio/errand.h"
#include "backends/vfio/grip.h"
#include "backends/vfio/kernel.h"
#include "backends/vfio/layout.h"
#include "backends/vfio/lending.h"
#include "backends/vfio/offer.h"
#include "backends/vfio/remains.h"
#include "backends/vfio/snapshot.h"
#include "error.h"

struct _RegiondCustody {
  RegiondSysfs               *sysfs;
  RegiondLoans               *loans;
  RegiondWatch               *watch;
  RegiondServer              *server;
  RegiondTidings             *tidings;
  RegiondConfig              *config;
  RegiondCleaner             *cleaner;
  RegiondGate                *gate;
  RegiondSnapshot            *snapshot;
  RegiondBars                *bars;
  RegiondRemains             *remains;

  GMutex       work; /* guards what follows: held for as long as the work takes */
  RegiondGrip *grip; /* what it tells is for any thread */
  gboolean     adopted;   /* made ours in every respect, not just claimed */
  gboolean     recovered; /* claimed, after a crash */

  GMutex     lock; /* guards what follows: never held for long */
  GPtrArray *regions;

  /* Atomic. */
  int ready;
  int leaving;
  int final;
};

static void
on_request (gpointer data)
{
  RegiondCustody *self = data;

  g_atomic_int_set (&self->leaving, TRUE);
  regiond_tidings_tell_leaving (self->tidings);
}

/* How much is left of what was cut. */
static guint
count_cut (RegiondCustody *self)
{
  return regiond_bars_count_references (self->bars, TRUE) + regiond_custody_count_remains (self);
}

/* Of a dark device that cannot be told: the core will say when it is settled. */
static gboolean
is_held_against (RegiondCustody *self)
{
  return regiond_grip_is_owed (self->grip) && (regiond_grip_is_dark (self->grip) || count_cut (self) > 0);
}

/* Lets go of what nothing needs any more. */
static gboolean
loosen (RegiondCustody *self,
        GError        **error)
{
  gboolean changed, isolated;

  if (!is_held_against (self))
    regiond_grip_set_settled (self->grip);
  isolated = regiond_grip_loosen (self->grip, &changed, error);
  if (!isolated)
    g_atomic_int_set (&self->ready, FALSE);
  if (changed)
    regiond_tidings_post_changed (self->tidings);
  return isolated;
}

/* Cutting. */

typedef struct {
  RegiondCustody *custody;
  RegiondBar     *bar;
} Cut;

/* A device that has been let go of has been seen to by that. */
static void
cut_bar (RegiondCustody *self,
         RegiondBar     *bar)
{
  GError *failure = NULL;

  if (regiond_bar_spare (bar))
    return;
  if (!regiond_grip_has_group (self->grip))
    regiond_bar_set_failed (bar);
  else if (!regiond_grip_cut (self->grip, bar, &failure))
    {
      regiond_bar_set_failed (bar);
      regiond_tidings_post_failure (self->tidings, failure);
    }
  regiond_tidings_post_changed (self->tidings);
}

static void
work_cut (gpointer data)
{
  g_autofree Cut *cut = data;
  RegiondCustody *self = cut->custody;

  g_mutex_lock (&self->work);
  cut_bar (self, cut->bar);
  g_mutex_unlock (&self->work);

  g_object_unref (cut->bar);
  regiond_custody_unref (self);
}

void
regiond_custody_cut (RegiondCustody *self,
                     RegiondBar     *bar)
{
  Cut *cut;

  if (regiond_kernel_get () == REGIOND_KERNEL_LAX)
    {
      regiond_bar_set_failed (bar);
      return;
    }

  cut = g_new (Cut, 1);
  *cut = (Cut){ regiond_custody_ref (self), g_object_ref (bar) };
  regiond_errand_send (work_cut, cut);
}

/* Taking. */

/* What VFIO knows of the regions and sysfs does not. */
static void
learn_layout (RegiondCustody *self)
{
  g_autoptr (GPtrArray) known = regiond_custody_ref_regions (self);
  GPtrArray *complete = regiond_layout_complete (known, regiond_grip_get_handle (self->grip));

  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->regions, g_ptr_array_unref);
  self->regions = complete;
  g_mutex_unlock (&self->lock);
  regiond_tidings_post_changed (self->tidings);
}

static gboolean
make_fresh (RegiondCustody *self,
            GError        **error)
{
  g_autoptr (GPtrArray) regions = regiond_custody_ref_regions (self);

  return regiond_cleaner_make_fresh (self->cleaner, self->grip, regions, error);
}

static gboolean
has_rom (RegiondCustody *self)
{
  g_autoptr (GPtrArray) regions = regiond_custody_ref_regions (self);

  return regiond_region_find (regions, "rom") != NULL;
}

static gboolean
read_rom (RegiondCustody *self,
          GCancellable   *cancellable,
          GError        **error)
{
  return !has_rom (self) ||
         regiond_snapshot_read (self->snapshot, regiond_grip_get_handle (self->grip), cancellable, error);
}

/* Whatever mapping anybody has had until now, a crashed regiond's clients above all,
 * is cut by the claim. */
static gboolean
claim (RegiondCustody *self,
       GError        **error)
{
  g_autoptr (GPtrArray) regions = NULL;

  learn_layout (self);
  regions = regiond_custody_ref_regions (self);
  return regiond_grip_claim_all (self->grip, regions, error);
}

/* Asleep the device would not answer. Without power management it is awake. */
static gboolean
keep_awake (RegiondCustody *self,
            GError        **error)
{
  g_autoptr (GError) why = NULL;

  if (regiond_sysfs_write (self->sysfs, "power/control", "on", &why) ||
      g_error_matches (why, REGIOND_ERROR, REGIOND_ERROR_NOT_FOUND))
    return TRUE;

  g_propagate_error (error, g_steal_pointer (&why));
  return FALSE;
}

static gboolean
enter (RegiondCustody *self,
       GError        **error)
{
  return regiond_grip_hold_group (self->grip, error) && keep_awake (self, error) &&
         regiond_grip_enter (self->grip, error);
}

static gboolean
adopt (RegiondCustody *self,
       GCancellable   *cancellable,
       GError        **error)
{
  return regiond_remains_check (self->remains, error) && enter (self, error) && regiond_grip_isolate (self->grip, error) &&
         claim (self, error) && read_rom (self, cancellable, error) && make_fresh (self, error) &&
         regiond_config_save (self->config, error) && loosen (self, error);
}

gboolean
regiond_custody_take (RegiondCustody *self,
                      GCancellable   *cancellable,
                      GError        **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->work);
  gboolean taken = self->adopted ? loosen (self, error) : adopt (self, cancellable, error);

  self->adopted = self->adopted || taken;
  g_atomic_int_set (&self->ready, taken);
  return taken;
}

/* Lending. */

static void
work_loosen (gpointer data)
{
  g_autoptr (RegiondCustody) self = data;
  GError *failure = NULL;

  g_mutex_lock (&self->work);
  if (self->adopted && !loosen (self, &failure))
    regiond_tidings_post_failure (self->tidings, failure);
  g_mutex_unlock (&self->work);
}

/* The last source that needed the handle may be let go of by any thread. */
static void
on_untethered (gpointer data,
               GObject *source)
{
  g_autoptr (RegiondCustody) self = data;

  if (!regiond_grip_tether (self->grip, -1))
    regiond_errand_send (work_loosen, regiond_custody_ref (self));
}

/* The handle stays open for as long as the hold reaches anything through it. */
static void
tether (RegiondCustody *self,
        RegiondHold    *hold)
{
  g_autoptr (RegiondSource) source = regiond_hold_ref_source (hold);

  if (source == NULL)
    return;

  regiond_grip_tether (self->grip, 1);
  g_object_weak_ref (G_OBJECT (source), on_untethered, regiond_custody_ref (self));
  regiond_tidings_post_changed (self->tidings);
}

static gboolean
has_any_by_handle (RegiondCustody *self)
{
  g_autoptr (GPtrArray) regions = regiond_custody_ref_regions (self);

  for (guint i = 0; i < regions->len; i++)
    {
      if (regiond_offer_needs_handle (g_ptr_array_index (regions, i)))
        return TRUE;
    }
  return FALSE;
}

static void
on_unmapped (gpointer data,
             GObject *hold)
{
  g_autoptr (RegiondCustody) self = data;

  if (regiond_bars_count_references (self->bars, FALSE) == 0)
    regiond_tidings_post_changed (self->tidings);
}

/* While any BAR is mapped what is reached through the handle alone cannot be had. */
static void
announce_mapping (RegiondCustody *self,
                  RegiondHold    *hold)
{
  if (!has_any_by_handle (self))
    return;

  g_object_weak_ref (G_OBJECT (hold), on_unmapped, regiond_custody_ref (self));
  if (regiond_bars_count_references (self->bars, FALSE) == 1)
    regiond_tidings_post_changed (self->tidings);
}

static RegiondHold *
lend (RegiondCustody      *self,
      const RegiondWindow *window,
      int                 *fd,
      GError             **error)
{
  const RegiondLendingMeans means = {
    .device = regiond_sysfs_get_name (self->sysfs),
    .bars = self->bars,
    .gate = self->gate,
    .config = self->config,
    .snapshot = self->snapshot,
    .loans = self->loans,
    .server = self->server,
    .watch = self->watch,
  };
  gboolean needs_handle = regiond_offer_needs_handle (window->region);
  RegiondHold *hold;

  /* What can be had may have changed while it was waited for a turn. */
  if (regiond_custody_find_mechanism (self, window->region, window->access, error) == REGIOND_MECHANISM_NONE)
    return NULL;
  if (needs_handle && (!regiond_grip_enter (self->grip, error) || !regiond_grip_isolate (self->grip, error)))
    return NULL;

  hold = regiond_lending_open (&means, window, fd, error);
  if (needs_handle && hold != NULL)
    tether (self, hold);
  else if (regiond_bars_fits (window->region) && window->access & REGIOND_ACCESS_MAP && hold != NULL)
    announce_mapping (self, hold);
  return hold;
}

RegiondHold *
regiond_custody_lend (RegiondCustody      *self,
                      const RegiondWindow *window,
                      int                 *fd,
                      GError             **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->work);

  return regiond_custody_is_ready (self) ? lend (self, window, fd, error) : NULL;
}

void
regiond_custody_spend (RegiondCustody *self)
{
  regiond_snapshot_retire (self->snapshot);
}

/* Letting go. */

static guint
count_left (RegiondCustody *self)
{
  return regiond_bars_count_references (self->bars, FALSE) + regiond_custody_count_remains (self);
}

gboolean
regiond_custody_settle (RegiondCustody *self,
                        GError        **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->work);
  guint left = count_cut (self);

  if (!regiond_grip_has_group (self->grip))
    return TRUE;
  if (left > 0)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_LINGERING,
                   "The BARs of %s stay claimed: %u references of ended leases are left",
                   regiond_sysfs_get_name (self->sysfs), left);
      return FALSE;
    }

  regiond_grip_set_settled (self->grip);
  return loosen (self, error);
}

/* Under tenants, or what they have left. */
static gboolean
reset_in_place (RegiondCustody *self,
                GError        **error)
{
  gboolean mapped = regiond_bars_count_references (self->bars, FALSE) > 0;

  return regiond_cleaner_reset (self->cleaner, self->grip, mapped, error) && regiond_grip_isolate (self->grip, error);
}

/* With nobody on it; the handle is open afterwards. */
static gboolean
reset_alone (RegiondCustody *self,
             GError        **error)
{
  if (count_left (self) > 0)
    return reset_in_place (self, error);
  return enter (self, error) && make_fresh (self, error);
}

static void
drop (RegiondCustody *self)
{
  gboolean clean = count_left (self) == 0;
  g_autoptr (GError) error = NULL;

  self->adopted = self->recovered = FALSE;
  regiond_snapshot_drop (self->snapshot);
  regiond_grip_let_go (self->grip);
  g_atomic_int_set (&self->ready, FALSE);
  if (!regiond_sysfs_write (self->sysfs, "power/control", "auto", &error))
    g_debug ("%s", error->message);
  if (clean)
    regiond_loans_forget (self->loans, regiond_sysfs_get_name (self->sysfs));
}

static gboolean
is_on_its_way (RegiondCustody *self)
{
  return g_atomic_int_get (&self->leaving) || !regiond_sysfs_is_there (self->sysfs) ||
         regiond_grip_is_taken (self->grip);
}

/* What the kernel wants back cannot be reset any more, and the kernel waits. After a
 * crash there is something to clean as soon as nothing is left. */
static gboolean
clean_up (RegiondCustody *self,
          GError        **error)
{
  if (is_on_its_way (self) || !(self->adopted || (self->recovered && count_left (self) == 0)))
    return TRUE;
  return reset_alone (self, error);
}

/* The registers as they were, once the handle is closed: that may reset as well. */
static gboolean
put_back (RegiondCustody *self,
          GError        **error)
{
  if (is_on_its_way (self) || !self->adopted)
    return TRUE;

  regiond_grip_set_settled (self->grip);
  return loosen (self, error) && regiond_config_restore (self->config, error);
}

static gboolean
release (RegiondCustody *self,
         GError        **error)
{
  gboolean cleaned;

  if (!regiond_grip_has_group (self->grip))
    return TRUE;

  cleaned = clean_up (self, error);
  if (count_left (self) > 0 && !is_on_its_way (self))
    {
      if (g_atomic_int_get (&self->final))
        drop (self);
      return cleaned;
    }

  cleaned = cleaned && put_back (self, error);
  drop (self);
  return cleaned;
}

void
regiond_custody_set_final (RegiondCustody *self)
{
  g_atomic_int_set (&self->final, TRUE);
}

gboolean
regiond_custody_release (RegiondCustody *self,
                         GError        **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->work);

  return release (self, error);
}

gboolean
regiond_custody_abandon (RegiondCustody *self,
                         GError        **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->work);
  gboolean released = release (self, error);

  if (regiond_grip_has_group (self->grip))
    drop (self);
  return released;
}

gboolean
regiond_custody_reset (RegiondCustody *self,
                       gboolean        leased,
                       GError        **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->work);
  gboolean was_held = regiond_grip_has_group (self->grip), done;

  if (leased)
    return reset_in_place (self, error) && loosen (self, error);

  done = regiond_remains_check (self->remains, error) && reset_alone (self, error);
  if (!was_held)
    drop (self);
  return done;
}

/* After a crash. */

guint
regiond_custody_count_remains (RegiondCustody *self)
{
  return regiond_remains_count (self->remains);
}

void
regiond_custody_remember (RegiondCustody *self,
                          GArray         *serials)
{
  regiond_remains_add (self->remains, serials);
}

/* Nobody is given anything beside what is left, so it can be dark until that is gone,
 * and it need not be looked whether a mapping has escaped the claim. At once, since
 * the handle may take its time; opened, it decodes. */
static gboolean
reclaim (RegiondCustody *self,
         GError        **error)
{
  if (!regiond_grip_hold_group (self->grip, error))
    return FALSE;

  regiond_grip_darken (self->grip);
  return enter (self, error) && claim (self, error) && regiond_grip_isolate (self->grip, error);
}

gboolean
regiond_custody_recover (RegiondCustody *self,
                         GError        **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->work);

  if (self->recovered || regiond_custody_count_remains (self) == 0)
    return TRUE;

  self->recovered = reclaim (self, error);
  if (regiond_grip_get_handle (self->grip) == NULL)
    regiond_grip_let_go (self->grip);
  regiond_tidings_post_changed (self->tidings);
  return self->recovered;
}

/* What can be known at any time. */

GPtrArray *
regiond_custody_ref_regions (RegiondCustody *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return g_ptr_array_ref (self->regions);
}

const char *const *
regiond_custody_get_reset_methods (RegiondCustody *self)
{
  return regiond_cleaner_get_methods (self->cleaner);
}

gboolean
regiond_custody_is_ready (RegiondCustody *self)
{
  return g_atomic_int_get (&self->ready);
}

RegiondMechanism
regiond_custody_find_mechanism (RegiondCustody      *self,
                                const RegiondRegion *region,
                                RegiondAccess        access,
                                GError             **error)
{
  if (!regiond_remains_check (self->remains, error))
    return REGIOND_MECHANISM_NONE;
  return regiond_offer_find (self->grip, self->bars, is_held_against (self), region, access, error);
}

/* Making one. */

static RegiondCustody *
custody_new (const RegiondCustodySetup *setup)
{
  RegiondCustody *self = g_atomic_rc_box_new0 (RegiondCustody);
  RegiondGripSetup grip = { setup->sysfs, setup->group, setup->unsafe_noiommu };

  self->sysfs = regiond_sysfs_ref (setup->sysfs);
  self->loans = regiond_loans_ref (setup->loans);
  self->watch = regiond_watch_ref (setup->watch);
  self->server = regiond_server_ref (setup->server);
  self->tidings = regiond_tidings_new (setup->owner, setup->events);
  self->snapshot = regiond_snapshot_new (regiond_sysfs_get_name (self->sysfs), setup->watch, setup->budget);
  self->config = grip.config = regiond_config_new (self->sysfs);
  self->cleaner = regiond_cleaner_new (self->sysfs, setup->folder, self->config, setup->zero_regions);
  self->gate = grip.gate = regiond_gate_new (self->sysfs);
  self->bars = grip.bars = regiond_bars_new (self->sysfs, self->watch, setup->owner, setup->claim);
  self->grip = regiond_grip_new (&grip);
  self->remains = regiond_remains_new (regiond_sysfs_get_name (self->sysfs));
  g_mutex_init (&self->work);
  g_mutex_init (&self->lock);
  return self;
}

static void
work_recover (gpointer data)
{
  g_autoptr (RegiondCustody) self = data;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->work);

  regiond_cleaner_recover (self->cleaner);
}

RegiondCustody *
regiond_custody_new (const RegiondCustodySetup *setup,
                     GError                   **error)
{
  GPtrArray *regions = regiond_layout_read (setup->sysfs, error);
  RegiondCustody *self;

  if (regions == NULL)
    return NULL;

  self = custody_new (setup);
  self->regions = regions;
  regiond_grip_on_request (self->grip, on_request, self, (gpointer (*) (gpointer)) regiond_custody_ref,
                           (GDestroyNotify) regiond_custody_unref);

  /* A crash in the middle of a reset. */
  if (regiond_cleaner_must_recover (self->cleaner))
    regiond_errand_send (work_recover, regiond_custody_ref (self));
  return self;
}

RegiondCustody *
regiond_custody_ref (RegiondCustody *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
clear (RegiondCustody *self)
{
  regiond_grip_free (self->grip);
  regiond_bars_free (self->bars);
  regiond_gate_unref (self->gate);
  regiond_cleaner_free (self->cleaner);
  regiond_config_unref (self->config);
  regiond_snapshot_free (self->snapshot);
  g_ptr_array_unref (self->regions);
  regiond_remains_free (self->remains);
  regiond_tidings_unref (self->tidings);
  regiond_server_unref (self->server);
  regiond_watch_unref (self->watch);
  regiond_loans_unref (self->loans);
  regiond_sysfs_unref (self->sysfs);
  g_mutex_clear (&self->work);
  g_mutex_clear (&self->lock);
}

void
regiond_custody_unref (RegiondCustody *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}
