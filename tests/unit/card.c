/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "card.h"

#include "error.h"

#include <fcntl.h>
#include <unistd.h>

#define PAGE 4096

static void card_source_init (RegiondSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (Card, card, REGIOND_TYPE_BACKEND,
                         G_IMPLEMENT_INTERFACE (REGIOND_TYPE_SOURCE, card_source_init))

static gboolean
is_retired (RegiondSource *source)
{
  return FALSE;
}

static void
card_source_init (RegiondSourceInterface *iface)
{
  iface->is_retired = is_retired;
}

typedef struct {
  Card           *card;
  gboolean        gone, cut, cutting;
  RegiondHoldFunc func;
  gpointer        data;
} BarPrivate;

G_DEFINE_TYPE_WITH_PRIVATE (Bar, bar, REGIOND_TYPE_HOLD)

static BarPrivate *
get_private (gpointer self)
{
  return bar_get_instance_private (self);
}

static gboolean
bar_is_gone (RegiondHold *hold)
{
  return get_private (hold)->gone;
}

static gboolean
bar_is_cut (RegiondHold *hold)
{
  return get_private (hold)->cut;
}

static gboolean
bar_is_cutting (RegiondHold *hold)
{
  return get_private (hold)->cutting;
}

static RegiondSource *
bar_ref_source (RegiondHold *hold)
{
  return REGIOND_SOURCE (g_object_ref (get_private (hold)->card));
}

static gboolean
bar_listen (RegiondHold    *hold,
            RegiondHoldFunc func,
            gpointer        data,
            GError        **error)
{
  get_private (hold)->func = func;
  get_private (hold)->data = data;
  return TRUE;
}

static void
give_sign (gpointer bar)
{
  BarPrivate *self = get_private (bar);

  if (self->func != NULL)
    self->func (self->data);
}

static gboolean
on_cut (gpointer card)
{
  card_finish_cut (card, TRUE);
  return G_SOURCE_REMOVE;
}

static void
bar_cut (RegiondHold *hold)
{
  BarPrivate *self = get_private (hold);

  if (self->card->uncuttable)
    return;

  self->cutting = TRUE;
  if (!self->card->by_hand)
    g_idle_add_full (G_PRIORITY_DEFAULT, on_cut, g_object_ref (self->card), g_object_unref);
}

void
card_finish_cut (Card    *self,
                 gboolean worked)
{
  for (guint i = 0; i < self->bars->len; i++)
    {
      RegiondHold *hold = g_ptr_array_index (self->bars, i);
      BarPrivate *bar = get_private (hold);

      if (!regiond_hold_is_dear (hold))
        continue;
      bar->cutting = FALSE;
      bar->cut = bar->cut || worked;
    }
  self->claimed = self->claimed || worked;
  for (guint i = 0; i < self->bars->len; i++)
    give_sign (g_ptr_array_index (self->bars, i));
}

guint
card_count_cutting (Card *self)
{
  guint n = 0;

  for (guint i = 0; i < self->bars->len; i++)
    n += get_private (g_ptr_array_index (self->bars, i))->cutting;
  return n;
}

void
bar_let_go (RegiondHold *hold)
{
  get_private (hold)->gone = TRUE;
  give_sign (hold);
}

static void
bar_finalize (GObject *object)
{
  BarPrivate *self = get_private (object);

  g_ptr_array_remove (self->card->bars, object);
  g_object_unref (self->card);
  G_OBJECT_CLASS (bar_parent_class)->finalize (object);
}

static void
bar_class_init (BarClass *klass)
{
  RegiondHoldClass *hold_class = REGIOND_HOLD_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = bar_finalize;
  hold_class->is_dear = TRUE;
  hold_class->is_gone = bar_is_gone;
  hold_class->is_cut = bar_is_cut;
  hold_class->is_cutting = bar_is_cutting;
  hold_class->cut = bar_cut;
  hold_class->ref_source = bar_ref_source;
  hold_class->listen = bar_listen;
}

static void
bar_init (Bar *self)
{
}

/* A proxied one is cut at once, and that costs nothing. */
typedef Bar      Pane;
typedef BarClass PaneClass;

GType pane_get_type (void);

G_DEFINE_TYPE (Pane, pane, TYPE_BAR)

static void
pane_cut (RegiondHold *hold)
{
  get_private (hold)->cut = TRUE;
}

static void
pane_class_init (PaneClass *klass)
{
  REGIOND_HOLD_CLASS (klass)->is_dear = FALSE;
  REGIOND_HOLD_CLASS (klass)->cut = pane_cut;
}

static void
pane_init (Pane *self)
{
}

/* The backend. */

static void
tell (Card       *self,
      const char *what)
{
  g_mutex_lock (&self->lock);
  g_string_append_printf (self->told, "%s ", what);
  g_mutex_unlock (&self->lock);
}

char *
card_take_told (Card *self)
{
  char *told;

  g_mutex_lock (&self->lock);
  told = g_strchomp (g_strdup (self->told->str));
  g_string_truncate (self->told, 0);
  g_mutex_unlock (&self->lock);
  return told;
}

/* On a worker. */
static gboolean
go_through (Card         *self,
            const char   *what,
            const GError *failure,
            GError      **error)
{
  tell (self, what);
  if (self->hangs)
    {
      g_mutex_lock (&self->gate);
      g_mutex_unlock (&self->gate);
    }
  if (failure != NULL && error != NULL)
    *error = g_error_copy (failure);
  return failure == NULL;
}

static const char *
get_isolation (RegiondBackend *backend)
{
  return "iommu";
}

static const char *const *
get_reset_methods (RegiondBackend *backend)
{
  return TEST_CARD (backend)->methods;
}

static GPtrArray *
get_regions (RegiondBackend *backend)
{
  return g_ptr_array_ref (TEST_CARD (backend)->regions);
}

static gboolean
check (RegiondBackend *backend,
       GError        **error)
{
  const GError *blocker = TEST_CARD (backend)->blocker;

  if (blocker != NULL && error != NULL)
    *error = g_error_copy (blocker);
  return blocker == NULL;
}

static gboolean
is_isolated (RegiondBackend *backend)
{
  return TEST_CARD (backend)->isolated;
}

static guint
count_remains (RegiondBackend *backend)
{
  return TEST_CARD (backend)->remains;
}

static RegiondMechanism
find_mechanism (RegiondBackend *backend,
                RegiondRegion  *region,
                RegiondAccess   access,
                GError        **error)
{
  Card *self = TEST_CARD (backend);

  if (!(access & REGIOND_ACCESS_MAP))
    return REGIOND_MECHANISM_PROXY;
  if (!self->claimed)
    return self->mechanism;

  g_set_error_literal (error, REGIOND_ERROR, REGIOND_ERROR_LINGERING, "it is claimed; wait with Verify");
  return REGIOND_MECHANISM_NONE;
}

static RegiondRevocation
get_revocation (RegiondBackend  *backend,
                RegiondMechanism mechanism)
{
  return mechanism == REGIOND_MECHANISM_PROXY ? REGIOND_REVOCATION_IMMEDIATE : TEST_CARD (backend)->revocation;
}

static void
list_proofs (RegiondBackend *backend,
             GPtrArray      *proofs)
{
  g_ptr_array_add (proofs, (gpointer) "epoll");
}

static gboolean
spend (RegiondBackend *backend,
       RegiondRegion  *region)
{
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
  Card *self = TEST_CARD (backend);

  if (!go_through (self, "attach", self->attach_error, error))
    return FALSE;
  self->isolated = !self->lies;
  return TRUE;
}

static RegiondHold *
open_region (RegiondBackend      *backend,
             const RegiondWindow *window,
             int                 *fd,
             GError             **error)
{
  Card *self = TEST_CARD (backend);
  gboolean map = window->access & REGIOND_ACCESS_MAP;
  RegiondHold *hold = g_object_new (map ? TYPE_BAR : pane_get_type (), NULL);

  tell (self, window->write_combining ? "open-combining" : window->exclusive ? "open-exclusive" : "open");
  get_private (hold)->card = g_object_ref (self);
  g_ptr_array_add (self->bars, hold);
  *fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
  return hold;
}

static gboolean
reset (RegiondBackend *backend,
       gboolean        leased,
       GError        **error)
{
  Card *self = TEST_CARD (backend);

  return go_through (self, leased ? "reset-leased" : "reset", self->reset_error, error);
}

static gboolean
settle (RegiondBackend *backend,
        GError        **error)
{
  Card *self = TEST_CARD (backend);

  self->claimed = FALSE;
  return go_through (self, "settle", self->settle_error, error);
}

static gboolean
recover (RegiondBackend *backend,
         GError        **error)
{
  Card *self = TEST_CARD (backend);

  return go_through (self, "recover", self->recover_error, error);
}

static gboolean
park (RegiondBackend *backend,
      GError        **error)
{
  Card *self = TEST_CARD (backend);

  self->isolated = FALSE;
  return go_through (self, "park", self->park_error, error);
}

static void
card_finalize (GObject *object)
{
  Card *self = TEST_CARD (object);

  g_clear_error (&self->blocker);
  g_clear_error (&self->attach_error);
  g_clear_error (&self->reset_error);
  g_clear_error (&self->settle_error);
  g_clear_error (&self->recover_error);
  g_clear_error (&self->park_error);
  g_ptr_array_unref (self->regions);
  g_ptr_array_unref (self->bars);
  g_string_free (self->told, TRUE);
  g_mutex_clear (&self->gate);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (card_parent_class)->finalize (object);
}

static void
card_class_init (CardClass *klass)
{
  RegiondBackendClass *backend_class = REGIOND_BACKEND_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = card_finalize;
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
}

static RegiondRegion *
add (Card       *self,
     const char *name,
     guint64     size,
     const char *kind)
{
  RegiondRegion *region = regiond_region_new (name, self->regions->len, size, kind);

  g_ptr_array_add (self->regions, region);
  return region;
}

static void
card_init (Card *self)
{
  static const char *const methods[] = { "flr", NULL };

  g_mutex_init (&self->gate);
  g_mutex_init (&self->lock);
  self->told = g_string_new (NULL);
  self->bars = g_ptr_array_new ();
  self->mechanism = REGIOND_MECHANISM_BAR;
  self->revocation = REGIOND_REVOCATION_IMMEDIATE;
  self->methods = methods;
  self->regions = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_region_unref);
  add (self, "bar0", 2 * PAGE, "mmio")->prefetchable = TRUE;
  add (self, "bar2", PAGE, "mmio")->wide = TRUE;
  add (self, "config", 256, "config");
}

Card *
card_new (void)
{
  return g_object_new (TYPE_CARD, NULL);
}

/* The others go along: each array has its own. */
void
card_learn (Card       *self,
            const char *name)
{
  g_autoptr (GPtrArray) former = self->regions;

  self->regions = g_ptr_array_new_with_free_func ((GDestroyNotify) regiond_region_unref);
  for (guint i = 0; i < former->len; i++)
    {
      RegiondRegion *region = g_ptr_array_index (former, i);
      RegiondRegion *same = add (self, region->name, region->size, region->kind);

      same->prefetchable = region->prefetchable;
      same->wide = region->wide;
    }
  add (self, name, PAGE, "device-specific");
  regiond_backend_emit_changed (REGIOND_BACKEND (self));
}
