/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/grip.h"

#include "backends/vfio/container.h"
#include "backends/vfio/kernel.h"
#include "backends/vfio/mappings.h"
#include "error.h"

/* A mapping that was being made while its BAR was claimed may escape; claimed
 * anew it is caught, unless it is made anew as well. */
#define ROUNDS 8

/* For all of them: as long nobody reaches the device. */
#define LOOKING_MS 4000

struct _RegiondGrip {
  RegiondSysfs      *sysfs;
  guint              group;
  gboolean           unsafe_noiommu;
  RegiondConfig     *config;
  RegiondGate       *gate;
  RegiondBars       *bars;
  RegiondContainer  *container;
  GSource           *request;
  RegiondRequestFunc requested;
  gpointer           data;
  gpointer (*ref) (gpointer);
  GDestroyNotify     unref;

  /* Atomic. */
  int owed;
  int dark;
  int tethers;
};

RegiondGrip *
regiond_grip_new (const RegiondGripSetup *setup)
{
  RegiondGrip *self = g_new0 (RegiondGrip, 1);

  self->sysfs = regiond_sysfs_ref (setup->sysfs);
  self->group = setup->group;
  self->unsafe_noiommu = setup->unsafe_noiommu;
  self->config = setup->config;
  self->gate = regiond_gate_ref (setup->gate);
  self->bars = setup->bars;
  return self;
}

void
regiond_grip_free (RegiondGrip *self)
{
  regiond_grip_let_go (self);
  regiond_gate_unref (self->gate);
  regiond_sysfs_unref (self->sysfs);
  g_free (self);
}

void
regiond_grip_on_request (RegiondGrip       *self,
                         RegiondRequestFunc func,
                         gpointer           data,
                         gpointer (*ref) (gpointer),
                         GDestroyNotify     unref)
{
  self->requested = func;
  self->data = data;
  self->ref = ref;
  self->unref = unref;
}

gboolean
regiond_grip_is_owed (RegiondGrip *self)
{
  return g_atomic_int_get (&self->owed);
}

gboolean
regiond_grip_is_dark (RegiondGrip *self)
{
  return g_atomic_int_get (&self->dark);
}

gboolean
regiond_grip_is_tethered (RegiondGrip *self)
{
  return g_atomic_int_get (&self->tethers) > 0;
}

gboolean
regiond_grip_is_locked (RegiondGrip *self)
{
  return regiond_kernel_get () == REGIOND_KERNEL_LOCKED;
}

gboolean
regiond_grip_tether (RegiondGrip *self,
                     int          more)
{
  return g_atomic_int_add (&self->tethers, more) + more > 0;
}

gboolean
regiond_grip_has_group (RegiondGrip *self)
{
  return self->container != NULL;
}

gboolean
regiond_grip_hold_group (RegiondGrip *self,
                         GError     **error)
{
  if (self->container == NULL)
    self->container = regiond_container_acquire (self->group, self->unsafe_noiommu, error);
  return self->container != NULL;
}

RegiondHandle *
regiond_grip_get_handle (RegiondGrip *self)
{
  return regiond_gate_get_handle (self->gate);
}

void
regiond_grip_set_settled (RegiondGrip *self)
{
  g_atomic_int_set (&self->owed, FALSE);
  g_atomic_int_set (&self->dark, FALSE);
}

/* The handle. With accesses stopped. */

static void
leave_handle (RegiondGrip *self)
{
  regiond_config_set_handle (self->config, NULL);
  regiond_request_end (g_steal_pointer (&self->request));
}

static gboolean
open_handle (RegiondGrip *self,
             GError     **error)
{
  RegiondHandle *handle;

  leave_handle (self);
  if (!regiond_gate_lead_through_handle (self->gate, self->container, regiond_sysfs_get_name (self->sysfs), error))
    return FALSE;

  handle = regiond_gate_get_handle (self->gate);
  regiond_config_set_handle (self->config, handle);
  self->request = regiond_request_listen (handle, self->requested, self->ref (self->data), self->unref);
  return TRUE;
}

gboolean
regiond_grip_enter (RegiondGrip *self,
                    GError     **error)
{
  gboolean entered;

  if (regiond_grip_get_handle (self) != NULL)
    return TRUE;

  regiond_gate_stop (self->gate);
  entered = open_handle (self, error);
  regiond_gate_go (self->gate);
  return entered;
}

gboolean
regiond_grip_is_taken (RegiondGrip *self)
{
  g_autofree char *driver = regiond_sysfs_read_link (self->sysfs, "driver");

  return driver != NULL && !g_str_equal (driver, "vfio-pci");
}

/* Opening and closing the handle may have changed it. */
gboolean
regiond_grip_isolate (RegiondGrip *self,
                      GError     **error)
{
  if (regiond_grip_is_taken (self))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "Device %s has another driver now",
                   regiond_sysfs_get_name (self->sysfs));
      return FALSE;
    }

  return regiond_config_isolate (self->config, !regiond_grip_is_dark (self), error);
}

static gboolean
needs_handle (RegiondGrip *self)
{
  return regiond_grip_is_locked (self) || regiond_grip_is_owed (self) || regiond_grip_is_tethered (self);
}

gboolean
regiond_grip_loosen (RegiondGrip *self,
                     gboolean    *changed,
                     GError     **error)
{
  *changed = !needs_handle (self) && regiond_grip_get_handle (self) != NULL;
  if (*changed)
    {
      regiond_gate_stop (self->gate);
      leave_handle (self);
      regiond_gate_lead_through_mappings (self->gate);
      regiond_gate_go (self->gate);
      regiond_bars_set_free (self->bars);
    }

  return regiond_grip_isolate (self, error);
}

/* What is left of leases could map again once the claim is let go; until somebody
 * has the device and claims it, it is not to be reached. */
void
regiond_grip_let_go (RegiondGrip *self)
{
  gboolean left = self->container != NULL && (regiond_grip_is_owed (self) ||
                                              regiond_bars_count_references (self->bars, FALSE) > 0);

  regiond_gate_stop (self->gate);
  leave_handle (self);
  regiond_gate_shut (self->gate);
  if (left)
    regiond_grip_darken (self);
  regiond_gate_go (self->gate);
  regiond_bars_close (self->bars);
  regiond_grip_set_settled (self);
  g_clear_pointer (&self->container, regiond_container_unref);
}

/* Claims. */

gboolean
regiond_grip_claim_all (RegiondGrip *self,
                        GPtrArray   *regions,
                        GError     **error)
{
  return regiond_bars_open (self->bars, regions, error) &&
         regiond_bars_claim (self->bars, regiond_grip_get_handle (self), NULL, error);
}

/* With accesses stopped, and the device dark: looking at a mapping is an access. */
static gboolean
claim_once (RegiondGrip     *self,
            RegiondBar      *bar,
            gint64           deadline,
            RegiondMappings *seen,
            GError         **error)
{
  int files[REGIOND_BARS_FILES_MOST];
  guint count;

  regiond_config_shut (self->config);
  if (!regiond_gate_set_decoding (self->gate, FALSE, error) ||
      !regiond_bars_claim (self->bars, regiond_grip_get_handle (self), bar, error))
    return FALSE;

  count = regiond_bars_list_claimed (self->bars, files);
  *seen = regiond_mappings_look (files, count, deadline);
  return TRUE;
}

/* One that escapes a claim was being made at that moment, and the next claim takes
 * it. */
static gboolean
claim_until_none_is_left (RegiondGrip     *self,
                          RegiondBar      *bar,
                          RegiondMappings *seen,
                          GError         **error)
{
  gint64 deadline = g_get_monotonic_time () + LOOKING_MS * G_TIME_SPAN_MILLISECOND;

  *seen = REGIOND_MAPPINGS_LIVE;
  for (guint i = 0; i < ROUNDS && *seen == REGIOND_MAPPINGS_LIVE; i++)
    {
      gboolean open = i == 0 && regiond_grip_get_handle (self) != NULL;

      if ((!open && !open_handle (self, error)) || !claim_once (self, bar, deadline, seen, error))
        return FALSE;
    }
  return TRUE;
}

/* Where it goes on like that, or cannot be known, the device answers nobody any
 * more: that is a cut as well, of everything. Whoever else has a mapping is told by
 * a bus error: claimed or not, it would read all ones. */
static gboolean
cut (RegiondGrip *self,
     RegiondBar  *bar,
     GError     **error)
{
  RegiondMappings seen;

  if (!claim_until_none_is_left (self, bar, &seen, error))
    return FALSE;
  if (seen == REGIOND_MAPPINGS_NONE)
    return regiond_grip_is_dark (self) || regiond_gate_set_decoding (self->gate, TRUE, error);

  g_message ("device %s: memory decoding stays off until nothing of the leases that were revoked is left: "
             "a mapping may have escaped", regiond_sysfs_get_name (self->sysfs));
  g_atomic_int_set (&self->dark, TRUE);
  return regiond_bars_claim (self->bars, regiond_grip_get_handle (self), NULL, error);
}

/* Whoever has a mapping reaches nothing while the device does not decode, and a driver
 * that switches that on again claims it: one that has it already is let be. */
void
regiond_grip_darken (RegiondGrip *self)
{
  g_autoptr (GError) error = NULL;

  g_atomic_int_set (&self->owed, TRUE);
  g_atomic_int_set (&self->dark, TRUE);
  if (!regiond_grip_is_taken (self) && !regiond_gate_set_decoding (self->gate, FALSE, &error))
    g_debug ("%s", error->message);
}

gboolean
regiond_grip_cut (RegiondGrip *self,
                  RegiondBar  *bar,
                  GError     **error)
{
  gboolean done, isolated;

  if (self->container == NULL)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "Device %s is not held any more",
                   regiond_sysfs_get_name (self->sysfs));
      return FALSE;
    }

  g_atomic_int_set (&self->owed, TRUE);
  regiond_gate_stop (self->gate);
  done = cut (self, bar, error);

  /* As a rule it is vfio-pci's no more. */
  if (!done)
    regiond_grip_darken (self);
  regiond_gate_go (self->gate);

  /* Of @bar a mapping may have escaped: where it is not dark after all, that is not
   * cut. Whoever else has lost a mapping has lost it. */
  isolated = done && regiond_grip_isolate (self, error);
  if (done && isolated)
    regiond_bars_set_cut (self->bars, regiond_grip_is_dark (self), NULL);
  else if (done)
    regiond_bars_set_cut (self->bars, FALSE, regiond_grip_is_dark (self) ? bar : NULL);
  return isolated;
}
