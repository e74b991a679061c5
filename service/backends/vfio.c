/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio.h"

#include "backends/vfio/bars.h"
#include "backends/vfio/custody.h"
#include "backends/vfio/kernel.h"
#include "backends/vfio/viability.h"
#include "error.h"
#include "mechanisms/witness.h"

/* How long leases may live on once the kernel wants the device back. */
#define GRACE_MS 1000

/* What a former run has lent is looked after so often. */
#define LOOK_MS 200

struct _RegiondVfioBackend {
  RegiondBackend            parent_instance;
  RegiondIdentity          *identity;
  RegiondSysfs             *sysfs;
  const RegiondPciSettings *settings;
  gboolean                  isolated; /* by an IOMMU, while it is lent */
  RegiondServer            *server;
  RegiondCustody           *custody;
  int                       remembers; /* atomic: the core waits to hear that nothing remains */
  guint                     timer;
  guint                     remains; /* when they were last looked after */
};

G_DEFINE_TYPE (RegiondVfioBackend, regiond_vfio_backend, REGIOND_TYPE_BACKEND)

static const char *
get_isolation (RegiondBackend *backend)
{
  return REGIOND_VFIO_BACKEND (backend)->isolated ? "iommu" : "none";
}

static const char *const *
get_reset_methods (RegiondBackend *backend)
{
  return regiond_custody_get_reset_methods (REGIOND_VFIO_BACKEND (backend)->custody);
}

static GPtrArray *
get_regions (RegiondBackend *backend)
{
  return regiond_custody_ref_regions (REGIOND_VFIO_BACKEND (backend)->custody);
}

static gboolean
check (RegiondBackend *backend,
       GError        **error)
{
  RegiondVfioBackend *self = REGIOND_VFIO_BACKEND (backend);
  const RegiondIdentity *identity = self->identity;

  if (!regiond_sysfs_is_there (self->sysfs))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_GONE, "Device %s is not there any more", identity->address);
      return FALSE;
    }
  if (identity->iommu_group < 0)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_ISOLATED,
                   "Device %s is in no IOMMU group, so nothing would keep it from all of memory; switch the IOMMU on "
                   "(firmware, and intel_iommu=on or the like on the kernel's command line)", identity->address);
      return FALSE;
    }

  return regiond_viability_check (identity->iommu_group, NULL, error);
}

static gboolean
is_isolated (RegiondBackend *backend)
{
  return regiond_custody_is_ready (REGIOND_VFIO_BACKEND (backend)->custody);
}

/* None before it has been said so: what is claimed is let go by that. */
static guint
count_remains (RegiondBackend *backend)
{
  RegiondVfioBackend *self = REGIOND_VFIO_BACKEND (backend);
  guint remains = regiond_custody_count_remains (self->custody);

  return g_atomic_int_get (&self->remembers) ? MAX (remains, 1) : remains;
}

static RegiondRevocation
get_revocation (RegiondBackend  *backend,
                RegiondMechanism mechanism)
{
  switch (mechanism)
    {
    case REGIOND_MECHANISM_BAR:
      return regiond_kernel_get () == REGIOND_KERNEL_STRICT ? REGIOND_REVOCATION_IMMEDIATE
                                                            : REGIOND_REVOCATION_ON_CLOSE;
    case REGIOND_MECHANISM_SNAPSHOT:
      return REGIOND_REVOCATION_DETACHED;
    default:
      return REGIOND_REVOCATION_IMMEDIATE;
    }
}

static gboolean
is_enough (RegiondVfioBackend *self,
           RegiondMechanism    mechanism,
           GError            **error)
{
  RegiondRevocation had = get_revocation (REGIOND_BACKEND (self), mechanism);

  if (self->settings == NULL || had >= self->settings->minimum)
    return TRUE;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
               "revocation would be '%s' here, and MinimumRevocation=%s in %s.conf demands more; ask without 'm'",
               regiond_revocation_to_string (had), regiond_revocation_to_string (self->settings->minimum),
               self->settings->id);
  return FALSE;
}

static RegiondMechanism
find_mechanism (RegiondBackend *backend,
                RegiondRegion  *region,
                RegiondAccess   access,
                GError        **error)
{
  RegiondVfioBackend *self = REGIOND_VFIO_BACKEND (backend);
  RegiondMechanism mechanism = regiond_custody_find_mechanism (self->custody, region, access, error);
  g_autoptr (GError) why = NULL;

  if (mechanism == REGIOND_MECHANISM_PROXY && !regiond_server_is_available (self->server, &why))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                   "access without 'm' is proxied, for which FUSE is needed: %s", why->message);
      return REGIOND_MECHANISM_NONE;
    }
  if (mechanism == REGIOND_MECHANISM_BAR && !regiond_witness_is_available ())
    {
      g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
                           "this kernel gives no session keyrings (CONFIG_KEYS), by which it is known after a crash "
                           "what is left of a mapped BAR; ask for 'r' or 'rw'");
      return REGIOND_MECHANISM_NONE;
    }
  if (mechanism == REGIOND_MECHANISM_NONE || !is_enough (self, mechanism, error))
    return REGIOND_MECHANISM_NONE;
  return mechanism;
}

/* Not "vfio-group": no VFIO fd is ever handed out that it could tell of. */
static void
list_proofs (RegiondBackend *backend,
             GPtrArray      *proofs)
{
  RegiondVfioBackend *self = REGIOND_VFIO_BACKEND (backend);
  g_autoptr (GPtrArray) regions = get_regions (backend);

  g_ptr_array_add (proofs, (gpointer) "epoll");
  if (regiond_server_is_available (self->server, NULL))
    g_ptr_array_add (proofs, (gpointer) "fuse-release");
  if (regiond_region_find (regions, "rom") != NULL && regiond_memfd_sees_readers ())
    g_ptr_array_add (proofs, (gpointer) "setlease");
  if (regiond_witness_is_available ())
    g_ptr_array_add (proofs, (gpointer) "keyring");
}

static gboolean
spend (RegiondBackend *backend,
       RegiondRegion  *region)
{
  if (region == NULL)
    regiond_custody_spend (REGIOND_VFIO_BACKEND (backend)->custody);
  return region == NULL;
}

static gboolean
is_quick (RegiondBackend      *backend,
          const RegiondWindow *window)
{
  return FALSE;
}

static gboolean
attach (RegiondBackend *backend,
        GCancellable   *cancellable,
        GError        **error)
{
  return regiond_custody_take (REGIOND_VFIO_BACKEND (backend)->custody, cancellable, error);
}

static RegiondHold *
open_region (RegiondBackend      *backend,
             const RegiondWindow *window,
             int                 *fd,
             GError             **error)
{
  return regiond_custody_lend (REGIOND_VFIO_BACKEND (backend)->custody, window, fd, error);
}

static gboolean
reset (RegiondBackend *backend,
       gboolean        leased,
       GError        **error)
{
  return regiond_custody_reset (REGIOND_VFIO_BACKEND (backend)->custody, leased, error);
}

static gboolean
settle (RegiondBackend *backend,
        GError        **error)
{
  return regiond_custody_settle (REGIOND_VFIO_BACKEND (backend)->custody, error);
}

static gboolean
recover (RegiondBackend *backend,
         GError        **error)
{
  return regiond_custody_recover (REGIOND_VFIO_BACKEND (backend)->custody, error);
}

static gboolean
park (RegiondBackend *backend,
      GError        **error)
{
  return regiond_custody_release (REGIOND_VFIO_BACKEND (backend)->custody, error);
}

static gboolean
abandon (RegiondBackend *backend,
         GError        **error)
{
  return regiond_custody_abandon (REGIOND_VFIO_BACKEND (backend)->custody, error);
}

static void
leaving (RegiondBackend *backend,
         guint           grace)
{
  regiond_custody_set_final (REGIOND_VFIO_BACKEND (backend)->custody);
}

static void
regiond_vfio_backend_dispose (GObject *object)
{
  RegiondVfioBackend *self = REGIOND_VFIO_BACKEND (object);

  g_clear_handle_id (&self->timer, g_source_remove);
  g_clear_pointer (&self->custody, regiond_custody_unref);

  G_OBJECT_CLASS (regiond_vfio_backend_parent_class)->dispose (object);
}

static void
regiond_vfio_backend_finalize (GObject *object)
{
  RegiondVfioBackend *self = REGIOND_VFIO_BACKEND (object);

  regiond_server_unref (self->server);
  regiond_sysfs_unref (self->sysfs);
  regiond_identity_unref (self->identity);

  G_OBJECT_CLASS (regiond_vfio_backend_parent_class)->finalize (object);
}

static void
regiond_vfio_backend_class_init (RegiondVfioBackendClass *klass)
{
  RegiondBackendClass *backend_class = REGIOND_BACKEND_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = regiond_vfio_backend_dispose;
  G_OBJECT_CLASS (klass)->finalize = regiond_vfio_backend_finalize;
  backend_class->name = "vfio";
  backend_class->severs = TRUE;
  backend_class->get_isolation = get_isolation;
  backend_class->get_reset_methods = get_reset_methods;
  backend_class->get_regions = get_regions;
  backend_class->check = check;
  backend_class->is_isolated = is_isolated;
  backend_class->count_remains = count_remains;
  backend_class->find_mechanism = find_mechanism;
  backend_class->get_revocation = get_revocation;
  backend_class->list_proofs = list_proofs;
  backend_class->spend = spend;
  backend_class->is_quick = is_quick;
  backend_class->attach = attach;
  backend_class->open_region = open_region;
  backend_class->reset = reset;
  backend_class->settle = settle;
  backend_class->recover = recover;
  backend_class->park = park;
  backend_class->abandon = abandon;
  backend_class->leaving = leaving;
}

static void
regiond_vfio_backend_init (RegiondVfioBackend *self)
{
}

static void
on_failed (GObject      *owner,
           const GError *failure)
{
  regiond_backend_emit_failed (REGIOND_BACKEND (owner), failure);
}

static void
on_leaving (GObject *owner)
{
  regiond_backend_emit_leaving (REGIOND_BACKEND (owner), GRACE_MS);
}

static void
on_changed (GObject *owner)
{
  regiond_backend_emit_changed (REGIOND_BACKEND (owner));
}

static void
on_cut (GObject    *owner,
        RegiondBar *bar)
{
  regiond_custody_cut (REGIOND_VFIO_BACKEND (owner)->custody, bar);
}

/* A group that the kernel has made for want of an IOMMU is named so. */
static gboolean
has_iommu (const RegiondIdentity *identity)
{
  g_autofree char *path = g_strdup_printf ("/sys/kernel/iommu_groups/%d/name", identity->iommu_group);
  g_autofree char *name = NULL;

  return identity->iommu_group >= 0 && !(g_file_get_contents (path, &name, NULL, NULL) &&
                                         g_str_equal (g_strstrip (name), "vfio-noiommu"));
}

static RegiondCustody *
make_custody (RegiondVfioBackend     *self,
              const RegiondVfioSetup *setup,
              GError                **error)
{
  static const RegiondTidingsEvents events = { on_changed, on_failed, on_leaving };
  static const char *const none[] = { NULL };
  RegiondCustodySetup custody = {
    .sysfs = setup->sysfs,
    .group = MAX (setup->identity->iommu_group, 0),
    .unsafe_noiommu = setup->unsafe_noiommu,
    .zero_regions = setup->settings != NULL ? (const char *const *) setup->settings->zero_regions : none,
    .folder = setup->folder,
    .loans = setup->loans,
    .watch = setup->watch,
    .budget = setup->budget,
    .server = setup->server,
    .events = &events,
    .owner = G_OBJECT (self),
    .claim = on_cut,
  };

  return regiond_custody_new (&custody, error);
}

RegiondBackend *
regiond_vfio_backend_new (const RegiondVfioSetup *setup,
                          GError                **error)
{
  g_autoptr (RegiondVfioBackend) self = g_object_new (REGIOND_TYPE_VFIO_BACKEND, NULL);

  self->identity = regiond_identity_ref (setup->identity);
  self->sysfs = regiond_sysfs_ref (setup->sysfs);
  self->settings = setup->settings;
  self->isolated = has_iommu (setup->identity);
  self->server = regiond_server_ref (setup->server);
  self->custody = make_custody (self, setup, error);
  return self->custody != NULL ? REGIOND_BACKEND (g_steal_pointer (&self)) : NULL;
}

/* Nothing says when the last of them is gone. */
static gboolean
on_look (gpointer data)
{
  RegiondVfioBackend *self = data;
  guint remains = regiond_custody_count_remains (self->custody);

  if (remains == 0)
    {
      g_atomic_int_set (&self->remembers, FALSE);
      self->timer = 0;
    }
  if (remains != self->remains)
    {
      self->remains = remains;
      regiond_backend_emit_changed (REGIOND_BACKEND (self));
    }
  return remains > 0;
}

void
regiond_vfio_backend_remember (RegiondBackend *backend,
                               GArray         *serials)
{
  RegiondVfioBackend *self = REGIOND_VFIO_BACKEND (backend);

  /* Whatever it is when it is looked next, that is news. */
  self->remains = G_MAXUINT;
  regiond_custody_remember (self->custody, serials);
  g_atomic_int_set (&self->remembers, TRUE);
  if (self->timer == 0)
    self->timer = g_timeout_add (LOOK_MS, on_look, self);
}
