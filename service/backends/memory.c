/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/memory.h"

#include "error.h"
#include "mechanisms/memfd.h"
#include "mechanisms/proxy.h"
#include "mechanisms/witness.h"

/* So much memory is zeroed in some ten microseconds. */
#define QUICK_SIZE (128 * 1024)

/* The object of a region goes this way: none, fresh, lent, retired; and from
 * there to none, or to a fresh copy where the contents persist. */
typedef struct {
  RegiondRegion *region;
  RegiondMemfd  *memfd;
  gboolean       lent; /* contents of somebody's may be in it; workers only */
} Slot;

struct _RegiondMemoryBackend {
  RegiondBackend parent_instance;
  char          *id;
  GPtrArray     *regions;
  gboolean       persist;
  gboolean       tolerate;
  guint64        declared;
  RegiondWatch  *watch;
  RegiondBudget *budget;
  RegiondServer *server;
  GMutex         lock; /* guards slots[].memfd: workers replace it, the main thread retires it */
  Slot          *slots;
};

G_DEFINE_TYPE (RegiondMemoryBackend, regiond_memory_backend, REGIOND_TYPE_BACKEND)

static RegiondMemfd *
get_memfd (RegiondMemoryBackend *self,
           guint                 index)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  RegiondMemfd *memfd = self->slots[index].memfd;

  return memfd != NULL ? g_object_ref (memfd) : NULL;
}

static void
set_memfd (RegiondMemoryBackend *self,
           guint                 index,
           RegiondMemfd         *memfd)
{
  g_autoptr (RegiondMemfd) old = NULL; /* freed after the lock */
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  old = g_steal_pointer (&self->slots[index].memfd);
  self->slots[index].memfd = memfd;
}

static const char *
get_isolation (RegiondBackend *backend)
{
  return "not-applicable";
}

static const char *const *
get_reset_methods (RegiondBackend *backend)
{
  static const char *const methods[] = { "fresh", NULL };

  return methods;
}

static GPtrArray *
get_regions (RegiondBackend *backend)
{
  return g_ptr_array_ref (REGIOND_MEMORY_BACKEND (backend)->regions);
}

/* Nobody else has anything to do with it. */
static gboolean
check (RegiondBackend *backend,
       GError        **error)
{
  return TRUE;
}

/* It is no device that could reach anything. */
static gboolean
is_isolated (RegiondBackend *backend)
{
  return TRUE;
}

/* Memory of a former run is nothing to the objects of this one. */
static guint
count_remains (RegiondBackend *backend)
{
  return 0;
}

static RegiondMechanism
find_mechanism (RegiondBackend *backend,
                RegiondRegion  *region,
                RegiondAccess   access,
                GError        **error)
{
  g_autoptr (GError) why = NULL;

  if (access & REGIOND_ACCESS_MAP)
    return REGIOND_MECHANISM_MEMFD;
  if (regiond_server_is_available (REGIOND_MEMORY_BACKEND (backend)->server, &why))
    return REGIOND_MECHANISM_PROXY;

  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_NOT_SUPPORTED,
               "access without 'm' is proxied, for which FUSE is needed: %s; ask for 'rm' or 'rwm'", why->message);
  return REGIOND_MECHANISM_NONE;
}

static RegiondRevocation
get_revocation (RegiondBackend  *backend,
                RegiondMechanism mechanism)
{
  if (mechanism == REGIOND_MECHANISM_PROXY)
    return REGIOND_REVOCATION_IMMEDIATE;

  /* Where leaks are tolerated, a holder sees what comes later. */
  return REGIOND_MEMORY_BACKEND (backend)->tolerate ? REGIOND_REVOCATION_ON_CLOSE : REGIOND_REVOCATION_DETACHED;
}

static void
list_proofs (RegiondBackend *backend,
             GPtrArray      *proofs)
{
  if (regiond_memfd_sees_readers ())
    g_ptr_array_add (proofs, (gpointer) "setlease");
  if (regiond_witness_is_available ())
    g_ptr_array_add (proofs, (gpointer) "keyring");
  if (regiond_server_is_available (REGIOND_MEMORY_BACKEND (backend)->server, NULL))
    g_ptr_array_add (proofs, (gpointer) "fuse-release");
}

static gboolean
spend (RegiondBackend *backend,
       RegiondRegion  *region)
{
  RegiondMemoryBackend *self = REGIOND_MEMORY_BACKEND (backend);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  for (guint i = 0; i < self->regions->len; i++)
    {
      if (self->slots[i].memfd == NULL || (region != NULL && self->slots[i].region != region))
        continue;

      regiond_memfd_retire (self->slots[i].memfd);
      if (!self->persist)
        g_clear_object (&self->slots[i].memfd);
    }

  return self->persist;
}

/* Replaces a retired object by a copy where the contents persist, else by
 * nothing. On failure the retired one stays, for another try. */
static gboolean
put_away (RegiondMemoryBackend *self,
          guint                 index,
          GError              **error)
{
  g_autoptr (RegiondMemfd) memfd = get_memfd (self, index);
  RegiondMemfd *copy = NULL;

  if (memfd == NULL || !regiond_memfd_is_retired (memfd))
    return TRUE;

  if (self->persist && self->slots[index].lent && (copy = regiond_memfd_copy (memfd, error)) == NULL)
    {
      g_prefix_error (error, "The contents of region %s of %s could not be kept: ", self->slots[index].region->name,
                      self->id);
      return FALSE;
    }

  set_memfd (self, index, copy);
  return TRUE;
}

static gboolean
fill (RegiondMemoryBackend *self,
      guint                 index,
      GCancellable         *cancellable,
      GError              **error)
{
  g_autoptr (RegiondMemfd) memfd = NULL;
  g_autofree char *name = NULL;

  if (!put_away (self, index, error))
    return FALSE;
  if ((memfd = get_memfd (self, index)) != NULL)
    return TRUE;

  name = g_strdup_printf ("regiond:%s:%s", self->id, self->slots[index].region->name);
  memfd = regiond_memfd_new (self->watch, self->budget, name, self->slots[index].region->size, cancellable, error);
  if (memfd == NULL)
    return FALSE;

  set_memfd (self, index, g_steal_pointer (&memfd));
  return TRUE;
}

/* Nothing is mounted, and what has to be allocated or copied is little. */
static gboolean
is_quick (RegiondBackend      *backend,
          const RegiondWindow *window)
{
  RegiondMemoryBackend *self = REGIOND_MEMORY_BACKEND (backend);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  guint64 missing = 0;

  if (!(window->access & REGIOND_ACCESS_MAP))
    return FALSE;

  for (guint i = 0; i < self->regions->len; i++)
    {
      RegiondMemfd *memfd = self->slots[i].memfd;

      if (memfd == NULL || regiond_memfd_is_retired (memfd))
        missing += MIN (self->slots[i].region->size, QUICK_SIZE + 1);
    }

  /* Where there is no room for it, a worker waits for some. */
  return missing <= QUICK_SIZE && regiond_budget_has_room (self->budget, missing);
}

static gboolean
attach (RegiondBackend *backend,
        GCancellable   *cancellable,
        GError        **error)
{
  RegiondMemoryBackend *self = REGIOND_MEMORY_BACKEND (backend);

  for (guint i = 0; i < self->regions->len; i++)
    {
      if (!fill (self, i, cancellable, error))
        return FALSE;
    }

  return TRUE;
}

static RegiondHold *
open_region (RegiondBackend      *backend,
             const RegiondWindow *window,
             int                 *fd,
             GError             **error)
{
  RegiondMemoryBackend *self = REGIOND_MEMORY_BACKEND (backend);
  g_autoptr (RegiondMemfd) memfd = get_memfd (self, window->region->index);
  RegiondProxyTerms terms = {
    .source = REGIOND_SOURCE (memfd),
    .offset = window->offset,
    .length = window->length,
    .access = window->access,
    .uid = window->uid,
  };

  if (memfd == NULL)
    return NULL;

  self->slots[window->region->index].lent = TRUE;
  if (window->access & REGIOND_ACCESS_MAP)
    return regiond_memfd_open (memfd, window->access, fd, error);
  return regiond_proxy_open (self->server, self->watch, &terms, fd, error);
}

/* Nothing is held against what is left of ended leases: its memory is never lent
 * again. */
static gboolean
settle (RegiondBackend *backend,
        GError        **error)
{
  return TRUE;
}

static gboolean
park (RegiondBackend *backend,
      GError        **error)
{
  RegiondMemoryBackend *self = REGIOND_MEMORY_BACKEND (backend);

  for (guint i = 0; i < self->regions->len; i++)
    {
      if (!put_away (self, i, error))
        return FALSE;
    }

  /* Objects that nobody has had: of regions not opened, or left by a first
   * open that failed. */
  for (guint i = 0; i < self->regions->len; i++)
    {
      if (!self->persist || !self->slots[i].lent)
        set_memfd (self, i, NULL);
    }

  return TRUE;
}

/* Contents, too, that would have persisted. */
static void
forget (RegiondMemoryBackend *self,
        guint                 index)
{
  set_memfd (self, index, NULL);
  self->slots[index].lent = FALSE;
}

static gboolean
reset (RegiondBackend *backend,
       gboolean        leased,
       GError        **error)
{
  RegiondMemoryBackend *self = REGIOND_MEMORY_BACKEND (backend);

  for (guint i = 0; i < self->regions->len; i++)
    {
      g_autoptr (RegiondMemfd) memfd = get_memfd (self, i);

      if (!leased || memfd == NULL || regiond_memfd_is_retired (memfd))
        forget (self, i);
      else if (!regiond_memfd_empty (memfd, error))
        return FALSE;
    }

  return TRUE;
}

static void
regiond_memory_backend_dispose (GObject *object)
{
  RegiondMemoryBackend *self = REGIOND_MEMORY_BACKEND (object);

  regiond_budget_undeclare (self->budget, self->declared);
  self->declared = 0;

  G_OBJECT_CLASS (regiond_memory_backend_parent_class)->dispose (object);
}

static void
regiond_memory_backend_finalize (GObject *object)
{
  RegiondMemoryBackend *self = REGIOND_MEMORY_BACKEND (object);

  for (guint i = 0; i < self->regions->len; i++)
    g_clear_object (&self->slots[i].memfd);
  regiond_server_unref (self->server);
  regiond_budget_unref (self->budget);
  regiond_watch_unref (self->watch);

  g_free (self->slots);
  g_free (self->id);
  g_ptr_array_unref (self->regions);
  g_mutex_clear (&self->lock);

  G_OBJECT_CLASS (regiond_memory_backend_parent_class)->finalize (object);
}

static void
regiond_memory_backend_class_init (RegiondMemoryBackendClass *klass)
{
  RegiondBackendClass *backend_class = REGIOND_BACKEND_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = regiond_memory_backend_dispose;
  G_OBJECT_CLASS (klass)->finalize = regiond_memory_backend_finalize;
  backend_class->name = "memory";
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
  backend_class->park = park;
}

static void
regiond_memory_backend_init (RegiondMemoryBackend *self)
{
  g_mutex_init (&self->lock);
}

RegiondBackend *
regiond_memory_backend_new (const char               *id,
                            const RegiondMemorySetup *setup,
                            const RegiondMemoryMeans *means,
                            GError                  **error)
{
  g_autoptr (RegiondMemoryBackend) self = g_object_new (REGIOND_TYPE_MEMORY_BACKEND, NULL);
  guint64 declared = regiond_region_total_size (setup->regions);

  self->id = g_strdup (id);
  self->regions = g_ptr_array_ref (setup->regions);
  self->persist = setup->persist;
  self->tolerate = setup->tolerate;
  self->watch = regiond_watch_ref (means->watch);
  self->budget = regiond_budget_ref (means->budget);
  self->server = regiond_server_ref (means->server);
  self->slots = g_new0 (Slot, self->regions->len);
  for (guint i = 0; i < self->regions->len; i++)
    self->slots[i].region = g_ptr_array_index (self->regions, i);

  if (self->persist && !g_uint64_checked_mul (&declared, declared, 2))
    declared = G_MAXUINT64;
  if (!regiond_budget_declare (self->budget, declared, error))
    return NULL;

  self->declared = declared;
  return REGIOND_BACKEND (g_steal_pointer (&self));
}
