/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tenancy.h"

#include "device.h"
#include "error.h"
#include "leases.h"
#include "pace.h"

/* What a dying process is allowed until its references must be gone. */
#define PATIENCE_US (250 * 1000)

/* After a sign that a reference may have gone, its witness is some 10 to 50 ms
 * late: look again so often, at growing intervals, for some 2 s. They are
 * counted: where the whole machine stands still, time proves nothing. */
#define LOOKS 64
#define FIRST_LOOK_MS 4
#define LAST_LOOK_MS 32

/* And for as long as an ended lease has no proof, now and then: nothing says
 * when the kernel gets round to freeing the credentials. */
#define SLOW_LOOK_S 1

struct _RegiondTenancy {
  const RegiondTenancyEvents *events;
  GObject                    *owner;
  RegiondTenancyRules         rules;
  GHashTable                 *active; /* a set of RegiondLease */
  GHashTable                 *ended;  /* a set of RegiondLease whose references are not proved gone */
  guint                       n_exclusive; /* among the active */
  GHashTable                 *tenants;     /* RegiondRegion -> how many active leases it has */
  gboolean                    changed; /* since it was last announced */
  guint                       timer;
  guint                       interval; /* ms */
  RegiondPace                 pace;  /* who has very many leases must not keep everybody waiting */
  guint                       looks; /* to come */
  gint64                      unsettled_since; /* without a break; 0: it is settled */
  gboolean                    laden; /* something is held against ended leases */
  guint                       serial;
};

/* Serial number -> those that there are. */
static GHashTable *tenancies;

RegiondTenancy *
regiond_tenancy_new (const RegiondTenancyEvents *events,
                     GObject                    *owner,
                     const RegiondTenancyRules  *rules)
{
  static guint last = 0;
  RegiondTenancy *self = g_new0 (RegiondTenancy, 1);

  if (tenancies == NULL)
    tenancies = g_hash_table_new (NULL, NULL);
  self->serial = ++last;
  g_hash_table_insert (tenancies, GUINT_TO_POINTER (self->serial), self);
  self->events = events;
  self->owner = owner;
  self->rules = *rules;
  self->active = regiond_leases_new ();
  self->ended = regiond_leases_new ();
  self->tenants = g_hash_table_new (NULL, NULL);
  return self;
}

void
regiond_tenancy_free (RegiondTenancy *self)
{
  g_hash_table_remove (tenancies, GUINT_TO_POINTER (self->serial));
  g_clear_handle_id (&self->timer, g_source_remove);
  g_hash_table_unref (self->active);
  g_hash_table_unref (self->ended);
  g_hash_table_unref (self->tenants);
  g_free (self);
}

/* A reference is shared with others and not yet told whose; or may still reach a
 * real device. */
static gboolean
is_pending (RegiondLease *lease,
            gconstpointer data)
{
  return regiond_lease_get_cut (lease) == REGIOND_CUT_PENDING;
}

gboolean
regiond_tenancy_is_unsettled (RegiondTenancy *self)
{
  return !self->rules.tolerate && regiond_leases_find (self->ended, is_pending, NULL) != NULL;
}

/* Nobody is let in meanwhile. Memory is not shut for longer than one who dies is allowed,
 * or one who gives up his leases one by one, and slowly, would keep it
 * shut. Who is let in then may lose what he gets with the others. */
static gboolean
must_wait (RegiondTenancy *self)
{
  gint64 now = g_get_monotonic_time ();

  if (!regiond_tenancy_is_unsettled (self))
    self->unsettled_since = 0;
  else if (self->unsettled_since == 0)
    self->unsettled_since = now;

  return self->unsettled_since != 0 && (self->rules.severs || now < self->unsettled_since + PATIENCE_US);
}

/* What was taken from it stays taken until nothing of it is left. */
static gboolean
is_burden (RegiondLease *lease,
           gconstpointer data)
{
  RegiondHold *hold = regiond_lease_get_hold (lease);

  return regiond_hold_is_dear (hold) || !regiond_hold_is_cut (hold);
}

gboolean
regiond_tenancy_is_laden (RegiondTenancy *self)
{
  return self->rules.severs && regiond_leases_find (self->ended, is_burden, NULL) != NULL;
}

static void
announce (RegiondTenancy *self)
{
  gboolean was_laden = self->laden;

  self->laden = regiond_tenancy_is_laden (self);
  if (self->changed)
    {
      self->changed = FALSE;
      self->events->changed (self->owner);
    }
  if (was_laden && !self->laden)
    self->events->drained (self->owner);
  self->events->unsettled (self->owner, must_wait (self));
}

static void
forget (RegiondTenancy *self,
        RegiondLease   *lease)
{
  self->changed = TRUE;
  regiond_lease_settle (lease);
  regiond_lease_unexport (lease);
  g_hash_table_remove (self->ended, lease);
}

/* Those who share what @lease holds. */
static GPtrArray *
find_sharers (RegiondTenancy *self,
              RegiondLease   *lease)
{
  GPtrArray *sharers = g_ptr_array_new_with_free_func (g_object_unref);
  GHashTableIter iter;
  gpointer other;

  if (!regiond_hold_is_shared (regiond_lease_get_hold (lease)))
    return sharers;

  g_hash_table_iter_init (&iter, self->active);
  while (g_hash_table_iter_next (&iter, &other, NULL))
    {
      if (regiond_hold_shares_fate (regiond_lease_get_hold (lease), regiond_lease_get_hold (other)))
        g_ptr_array_add (sharers, g_object_ref (other));
    }

  return sharers;
}

/* All of them together have cost the others their leases, not just the one whose
 * patience ended first. */
static void
blame (RegiondTenancy *self,
       RegiondLease   *lease)
{
  GHashTableIter iter;
  gpointer other;

  g_hash_table_iter_init (&iter, self->ended);
  while (g_hash_table_iter_next (&iter, &other, NULL))
    {
      if (regiond_hold_shares_fate (regiond_lease_get_hold (lease), regiond_lease_get_hold (other)))
        regiond_lease_set_leaked (other);
    }
}

static void look_soon (RegiondTenancy *self);

/* Takes the access away from a lease that has ended, and from whoever shares
 * it; unless the administrator wants those left alone. */
static void
cut (RegiondTenancy *self,
     RegiondLease   *lease)
{
  RegiondHold *hold = regiond_lease_get_hold (lease);
  g_autoptr (GPtrArray) sharers = NULL;

  if (regiond_hold_is_cut (hold))
    return;

  sharers = find_sharers (self, lease);
  if (sharers->len > 0 && self->rules.tolerate)
    return;

  g_debug ("what %s held is cut; it is shared by %u other leases", regiond_lease_get_path (lease), sharers->len);
  regiond_lease_cut (lease);
  if (sharers->len > 0)
    blame (self, lease);
  regiond_tenancy_end_some (self, sharers, REGIOND_END_SUPERSEDED);
}

/* @data: an ended one. */
static gboolean
shares_fate (RegiondLease *lease,
             gconstpointer data)
{
  return regiond_hold_shares_fate (regiond_lease_get_hold ((RegiondLease *) data), regiond_lease_get_hold (lease));
}

/* Somebody who died or said that he is done gets a moment for his references
 * to go. That costs the others nothing; if there are none, no moment is needed
 * to keep memory from ever being lent again. */
static gboolean
deserves_patience (RegiondTenancy *self,
                   RegiondLease   *lease,
                   RegiondEnd      end)
{
  RegiondHold *hold = regiond_lease_get_hold (lease);

  if (end != REGIOND_END_DISCONNECTED && end != REGIOND_END_RELEASED && end != REGIOND_END_PROCESS_ENDED)
    return FALSE;
  if (regiond_hold_is_dear (hold))
    return TRUE;
  return regiond_hold_is_shared (hold) && regiond_leases_find (self->active, shares_fate, lease) != NULL;
}

/* One more tenant of a region, or one less. Returns how many it has then. */
static guint
count_tenant (RegiondTenancy *self,
              RegiondLease   *lease,
              int             more)
{
  RegiondRegion *region = regiond_lease_get_window (lease)->region;
  guint count = GPOINTER_TO_UINT (g_hash_table_lookup (self->tenants, region)) + more;

  /* Of a region that the device no longer has nothing is kept. */
  if (count > 0)
    g_hash_table_insert (self->tenants, region, GUINT_TO_POINTER (count));
  else
    g_hash_table_remove (self->tenants, region);
  return count;
}

/* What of the machine's memory it may hold on to: none of a BAR, however large. */
static guint64
get_memory (RegiondLease *lease)
{
  if (!regiond_region_takes_memory (regiond_lease_get_window (lease)->region))
    return 0;
  return regiond_dbus_lease_get_size (REGIOND_DBUS_LEASE (lease));
}

/* Something of it is left. Memory is drained for a moment in any case, which
 * keeps nobody out. */
static void
linger (RegiondTenancy *self,
        RegiondLease   *lease,
        RegiondEnd      end)
{
  gboolean patient = deserves_patience (self, lease, end);

  g_hash_table_add (self->ended, g_object_ref (lease));
  regiond_lease_set_state (lease, REGIOND_LEASE_LINGERING);
  if (patient || !self->rules.severs)
    regiond_lease_set_patience (lease, g_get_monotonic_time () + PATIENCE_US);
  if (!patient)
    cut (self, lease);
  if (regiond_hold_is_gone (regiond_lease_get_hold (lease)))
    forget (self, lease);
  else
    look_soon (self);
}

/* Takes it off the device. FALSE where it has ended already. @vacated: the regions
 * on which nobody is left. */
static gboolean
leave (RegiondTenancy *self,
       RegiondLease   *lease,
       RegiondEnd      end,
       GPtrArray      *vacated)
{
  if (!g_hash_table_remove (self->active, lease))
    return FALSE;

  self->changed = TRUE;
  self->n_exclusive -= regiond_lease_get_window (lease)->exclusive;
  if (count_tenant (self, lease, -1) == 0)
    g_ptr_array_add (vacated, regiond_lease_get_window (lease)->region);
  regiond_lease_end (lease, end);
  return TRUE;
}

/* What becomes of what it held. */
static void
bury (RegiondTenancy *self,
      RegiondLease   *lease,
      RegiondEnd      end)
{
  regiond_hold_end_charge (regiond_lease_get_hold (lease), get_memory (lease));
  if (regiond_hold_is_gone (regiond_lease_get_hold (lease)))
    regiond_lease_unexport (lease);
  else
    linger (self, lease, end);
}

/* First all of them leave: none of them shares anything with one that stays. */
void
regiond_tenancy_end_some (RegiondTenancy *self,
                          GPtrArray      *leases,
                          RegiondEnd      end)
{
  g_autoptr (GObject) owner = g_object_ref (self->owner);
  g_autoptr (GPtrArray) ended = g_ptr_array_new_with_free_func (g_object_unref), vacated = g_ptr_array_new ();
  gboolean emptied;

  for (guint i = 0; i < leases->len; i++)
    {
      g_autoptr (RegiondLease) lease = g_object_ref (g_ptr_array_index (leases, i));

      if (leave (self, lease, end, vacated))
        g_ptr_array_add (ended, g_steal_pointer (&lease));
    }
  if (ended->len == 0)
    return;

  emptied = g_hash_table_size (self->active) == 0;
  for (guint i = 0; i < ended->len; i++)
    bury (self, g_ptr_array_index (ended, i), end);
  if (emptied)
    self->events->emptied (self->owner);
  for (guint i = 0; !emptied && i < vacated->len; i++)
    self->events->vacated (self->owner, g_ptr_array_index (vacated, i));
  announce (self);
}

void
regiond_tenancy_end (RegiondTenancy *self,
                     RegiondLease   *lease,
                     RegiondEnd      end)
{
  g_autoptr (GPtrArray) one = g_ptr_array_new ();

  g_ptr_array_add (one, lease);
  regiond_tenancy_end_some (self, one, end);
}

void
regiond_tenancy_end_all (RegiondTenancy *self,
                         RegiondEnd      end)
{
  g_autoptr (GPtrArray) leases = regiond_leases_copy (self->active);

  regiond_tenancy_end_some (self, leases, end);
}

void
regiond_tenancy_warn (RegiondTenancy *self,
                      const char     *reason,
                      guint           grace)
{
  g_autoptr (GPtrArray) leases = regiond_leases_copy (self->active);

  for (guint i = 0; i < leases->len; i++)
    regiond_lease_warn (g_ptr_array_index (leases, i), reason, grace);
}

void
regiond_tenancy_abandon (RegiondTenancy *self)
{
  g_autoptr (GObject) owner = g_object_ref (self->owner);
  g_autoptr (GPtrArray) leases = regiond_leases_copy (self->ended);

  g_clear_handle_id (&self->timer, g_source_remove);
  for (guint i = 0; i < leases->len; i++)
    forget (self, g_ptr_array_index (leases, i));
}

/* The patience with this one is over: it is live or leaked. */
static void
lose_patience (RegiondTenancy *self,
               RegiondLease   *lease)
{
  self->changed = TRUE;
  regiond_lease_set_patience (lease, 0);
  cut (self, lease);
}

static void
look_at_ended (RegiondTenancy *self)
{
  g_autoptr (GPtrArray) leases = regiond_leases_copy (self->ended);

  for (guint i = 0; i < leases->len; i++)
    {
      RegiondLease *lease = g_ptr_array_index (leases, i);

      if (regiond_hold_is_gone (regiond_lease_get_hold (lease)))
        {
          g_debug ("nothing is left of %s", regiond_lease_get_path (lease));
          forget (self, lease);
        }
      else if (regiond_lease_get_patience (lease) != 0 && !regiond_lease_is_patient (lease))
        lose_patience (self, lease);
      regiond_lease_settle (lease);
    }
}

static void
look_at_active (RegiondTenancy *self)
{
  g_autoptr (GPtrArray) leases = regiond_leases_copy (self->active);

  for (guint i = 0; i < leases->len; i++)
    {
      RegiondLease *lease = g_ptr_array_index (leases, i);

      if (regiond_hold_is_gone (regiond_lease_get_hold (lease)))
        regiond_tenancy_end (self, lease, REGIOND_END_RELEASED);
      else if (self->rules.severs && regiond_hold_is_cut (regiond_lease_get_hold (lease)))
        regiond_tenancy_end (self, lease, REGIOND_END_SUPERSEDED);
    }
}

void
regiond_tenancy_look (RegiondTenancy *self)
{
  g_autoptr (GObject) owner = g_object_ref (self->owner);

  regiond_pace_begin (&self->pace);
  look_at_ended (self);
  look_at_active (self);
  regiond_pace_end (&self->pace);
  announce (self);
}

gint64
regiond_tenancy_get_rest (RegiondTenancy *self)
{
  return regiond_pace_get_rest (&self->pace);
}

static gboolean
is_empty (RegiondTenancy *self)
{
  return g_hash_table_size (self->active) == 0 && g_hash_table_size (self->ended) == 0;
}

static gboolean on_look (gpointer data);

static void
set_timer (RegiondTenancy *self)
{
  self->timer = g_timeout_add (MAX (self->interval, regiond_pace_get_pause (&self->pace) / 1000), on_look, self);
}

static gboolean
on_look (gpointer data)
{
  RegiondTenancy *self = data;
  g_autoptr (GObject) owner = g_object_ref (self->owner);

  self->timer = 0;
  regiond_tenancy_look (self);

  /* Looking may have set the timer again. */
  if (self->timer == 0 && !is_empty (self) && self->looks > 0)
    {
      self->looks--;
      self->interval = MIN (self->interval * 2, LAST_LOOK_MS);
      set_timer (self);
    }
  else if (self->timer == 0 && g_hash_table_size (self->ended) > 0)
    self->timer = g_timeout_add_seconds (SLOW_LOOK_S, on_look, self);
  return G_SOURCE_REMOVE;
}

static void
look_soon (RegiondTenancy *self)
{
  self->looks = LOOKS;

  /* Not put off by one sign after the other. */
  if (self->timer != 0 && self->interval == FIRST_LOOK_MS)
    return;

  self->interval = FIRST_LOOK_MS;
  g_clear_handle_id (&self->timer, g_source_remove);
  set_timer (self);
}

/* The kernel says that somebody closed something: a sign, never a proof. What
 * leases held may outlive them and all, on some thread, for a moment. */
static void
on_stirred (gpointer data)
{
  RegiondTenancy *self = g_hash_table_lookup (tenancies, data);

  if (self != NULL)
    look_soon (self);
}

static guint32
get_uid (RegiondLease *lease)
{
  return regiond_client_get_uid (regiond_lease_get_client (lease));
}

static gboolean
is_leak_of (RegiondLease *lease,
            gconstpointer data)
{
  return regiond_lease_is_leaked (lease) && get_uid (lease) == *(const guint32 *) data;
}

static gboolean
is_another_users (RegiondLease *lease,
                  gconstpointer data)
{
  return get_uid (lease) != *(const guint32 *) data;
}

static gboolean
is_uncut (RegiondLease *lease,
          gconstpointer data)
{
  return regiond_lease_get_cut (lease) == REGIOND_CUT_FAILED;
}

/* @device: that which somebody wants, which may be another one than the lease's. */
static gboolean
refuse (const char   *device,
        RegiondLease *other,
        int           code,
        const char   *why,
        GError      **error)
{
  RegiondClient *client = regiond_lease_get_client (other);
  const char *its = regiond_device_get_id (regiond_lease_get_device (other));
  g_autofree char *where = NULL;

  if (!g_str_equal (device, its))
    where = g_strdup_printf (" on device %s of the same IOMMU group,", its);
  g_set_error (error, REGIOND_ERROR, code, "Device %s cannot be opened: lease %s%s of %s (uid %u, pid %u) %s", device,
               regiond_lease_get_path (other), where != NULL ? where : "", regiond_client_get_name (client),
               regiond_client_get_uid (client), regiond_client_get_pid (client), why);
  return FALSE;
}

RegiondLease *
regiond_tenancy_find_uncut (RegiondTenancy *self)
{
  return self->rules.severs ? regiond_leases_find (self->ended, is_uncut, NULL) : NULL;
}

gboolean
regiond_tenancy_admits_user (RegiondTenancy *self,
                             guint32         uid,
                             const char     *device,
                             GError        **error)
{
  RegiondLease *other = regiond_leases_find (self->active, is_another_users, &uid);

  return other == NULL ||
         refuse (device, other, REGIOND_ERROR_BUSY,
                 "is another user's, and an IOMMU group is leased to one user at a time; wait until it ends", error);
}

gboolean
regiond_tenancy_admits (RegiondTenancy *self,
                        RegiondClient  *client,
                        gboolean        exclusive,
                        const char     *device,
                        GError        **error)
{
  const char *name = regiond_client_get_name (client);
  guint32 uid = regiond_client_get_uid (client);
  RegiondLease *other;

  if ((other = regiond_tenancy_find_uncut (self)) != NULL)
    return refuse (device, other, REGIOND_ERROR_LINGERING,
                   "has ended, but what its holder has cannot be cut, and still reaches the device; "
                   "end whoever holds it, and wait with Verify", error);
  if (self->n_exclusive > 0 && (other = regiond_leases_find_other (self->active, name, TRUE)) != NULL)
    return refuse (device, other, REGIOND_ERROR_BUSY, "has it exclusively; wait until it ends", error);
  if (exclusive && (other = regiond_leases_find_other (self->active, name, FALSE)) != NULL)
    return refuse (device, other, REGIOND_ERROR_BUSY,
                   "is on it, and it is asked for exclusively; wait until it ends, or ask without 'exclusive'", error);
  if (exclusive && (other = regiond_leases_find_other (self->ended, name, FALSE)) != NULL)
    return refuse (device, other, REGIOND_ERROR_LINGERING,
                   "has ended, but references of it are left, and the device is asked for exclusively; "
                   "end whoever holds them, and wait with Verify", error);
  if ((other = regiond_leases_find (self->ended, is_leak_of, &uid)) != NULL)
    return refuse (device, other, REGIOND_ERROR_LINGERING,
                   "has ended, but references of it are left that cost others their leases; "
                   "the same user gets nothing of this device until they are gone", error);
  return TRUE;
}

gboolean
regiond_tenancy_add (RegiondTenancy *self,
                     RegiondLease   *lease,
                     GError        **error)
{
  if (!regiond_hold_listen (regiond_lease_get_hold (lease), on_stirred, GUINT_TO_POINTER (self->serial), error))
    return FALSE;

  self->changed = TRUE;
  self->n_exclusive += regiond_lease_get_window (lease)->exclusive;
  count_tenant (self, lease, 1);
  g_hash_table_add (self->active, g_object_ref (lease));
  regiond_lease_export (lease);
  announce (self);
  return TRUE;
}

gboolean
regiond_tenancy_has_others (RegiondTenancy *self,
                            const char     *name)
{
  return regiond_leases_find_other (self->active, name, FALSE) != NULL;
}

gboolean
regiond_tenancy_is_tolerant (RegiondTenancy *self)
{
  return self->rules.tolerate;
}

guint
regiond_tenancy_count_active (RegiondTenancy *self)
{
  return g_hash_table_size (self->active);
}

guint
regiond_tenancy_count_lingering (RegiondTenancy *self)
{
  return g_hash_table_size (self->ended);
}

static gboolean
is_patient (RegiondLease *lease,
            gconstpointer data)
{
  return regiond_lease_is_patient (lease);
}

gboolean
regiond_tenancy_is_draining (RegiondTenancy *self)
{
  return regiond_leases_find (self->ended, is_patient, NULL) != NULL;
}

const char *
regiond_tenancy_get_exclusive (RegiondTenancy *self)
{
  RegiondLease *lease = self->n_exclusive > 0 ? regiond_leases_find_other (self->active, "", TRUE) : NULL;

  return lease != NULL ? regiond_client_get_name (regiond_lease_get_client (lease)) : "";
}

RegiondAuthorization
regiond_tenancy_get_authorization (RegiondTenancy *self)
{
  return self->rules.authorization;
}

GHashTable *
regiond_tenancy_get_active (RegiondTenancy *self)
{
  return self->active;
}

char **
regiond_tenancy_list_ended (RegiondTenancy *self)
{
  return regiond_leases_list (self->ended);
}
