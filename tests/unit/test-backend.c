/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/memory.h"
#include "objects.h"

/* A backend that writes down what it is told. */
typedef struct {
  RegiondBackend parent;
  GString       *told;
} Scribe;
typedef RegiondBackendClass ScribeClass;

GType scribe_get_type (void);

G_DEFINE_TYPE (Scribe, scribe, REGIOND_TYPE_BACKEND)

static void
tell (RegiondBackend *backend,
      const char     *what)
{
  g_string_append_printf (((Scribe *) backend)->told, "%s ", what);
}

static const char *
get_isolation (RegiondBackend *backend)
{
  tell (backend, "isolation?");
  return "none";
}

static gboolean
check (RegiondBackend *backend,
       GError        **error)
{
  tell (backend, "check");
  return FALSE;
}

static gboolean
is_isolated (RegiondBackend *backend)
{
  tell (backend, "isolated?");
  return FALSE;
}

static guint
count_remains (RegiondBackend *backend)
{
  tell (backend, "remains?");
  return 7;
}

static gboolean
settle (RegiondBackend *backend,
        GError        **error)
{
  tell (backend, "settle");
  return TRUE;
}

static RegiondMechanism
find_mechanism (RegiondBackend *backend,
                RegiondRegion  *region,
                RegiondAccess   access,
                GError        **error)
{
  tell (backend, region->name);
  return access == RWM ? REGIOND_MECHANISM_MEMFD : REGIOND_MECHANISM_NONE;
}

static RegiondRevocation
get_revocation (RegiondBackend  *backend,
                RegiondMechanism mechanism)
{
  return mechanism == REGIOND_MECHANISM_MEMFD ? REGIOND_REVOCATION_IMMEDIATE : REGIOND_REVOCATION_ON_CLOSE;
}

static void
list_proofs (RegiondBackend *backend,
             GPtrArray      *proofs)
{
  g_ptr_array_add (proofs, (gpointer) "fuse-release");
}

static gboolean
is_quick (RegiondBackend      *backend,
          const RegiondWindow *window)
{
  tell (backend, "quick?");
  return TRUE;
}

static gboolean
spend (RegiondBackend *backend,
       RegiondRegion  *region)
{
  tell (backend, "spend");
  return TRUE;
}

static gboolean
attach (RegiondBackend *backend,
        GCancellable   *cancellable,
        GError        **error)
{
  tell (backend, "attach");
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

static RegiondHold *
open_region (RegiondBackend      *backend,
             const RegiondWindow *window,
             int                 *fd,
             GError             **error)
{
  tell (backend, "open");
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_BUSY, window->region->name);
  return NULL;
}

static gboolean
reset (RegiondBackend *backend,
       gboolean        leased,
       GError        **error)
{
  tell (backend, leased ? "reset-leased" : "reset-parked");
  return leased;
}

static gboolean
park (RegiondBackend *backend,
      GError        **error)
{
  tell (backend, "park");
  return TRUE;
}

static void
leaving (RegiondBackend *backend,
         guint           grace)
{
  tell (backend, "prepared");
}

static void
scribe_finalize (GObject *object)
{
  g_string_free (((Scribe *) object)->told, TRUE);
  G_OBJECT_CLASS (scribe_parent_class)->finalize (object);
}

static void
scribe_class_init (ScribeClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = scribe_finalize;
  klass->name = "scribe";
  klass->get_isolation = get_isolation;
  klass->check = check;
  klass->is_isolated = is_isolated;
  klass->count_remains = count_remains;
  klass->settle = settle;
  klass->find_mechanism = find_mechanism;
  klass->get_revocation = get_revocation;
  klass->list_proofs = list_proofs;
  klass->is_quick = is_quick;
  klass->spend = spend;
  klass->attach = attach;
  klass->open_region = open_region;
  klass->reset = reset;
  klass->park = park;
  klass->leaving = leaving;
}

static void
scribe_init (Scribe *self)
{
  self->told = g_string_new (NULL);
}

static void
test_told (void)
{
  g_autoptr (RegiondBackend) backend = g_object_new (scribe_get_type (), NULL);
  g_autoptr (RegiondRegion) bar0 = regiond_region_new_memory ("bar0", 0, PAGE, NULL);
  g_autoptr (GCancellable) cancelled = g_cancellable_new ();
  g_autoptr (GError) error = NULL, busy = NULL;
  g_autoptr (GPtrArray) proofs = g_ptr_array_new ();
  RegiondWindow window = { .region = bar0, .length = PAGE, .access = RM };
  int fd = -1;

  regiond_backend_list_proofs (backend, proofs);
  g_assert_cmpuint (proofs->len, ==, 1);
  g_assert_cmpstr (g_ptr_array_index (proofs, 0), ==, "fuse-release");
  g_assert_true (regiond_backend_is_quick (backend, &window));
  g_assert_cmpint (regiond_backend_find_mechanism (backend, bar0, RWM, NULL), ==, REGIOND_MECHANISM_MEMFD);
  g_assert_cmpint (regiond_backend_find_mechanism (backend, bar0, RM, NULL), ==, REGIOND_MECHANISM_NONE);
  g_assert_cmpint (regiond_backend_get_revocation (backend, REGIOND_MECHANISM_MEMFD), ==,
                   REGIOND_REVOCATION_IMMEDIATE);
  g_assert_true (regiond_backend_attach (backend, NULL, NULL));
  g_cancellable_cancel (cancelled);
  g_assert_false (regiond_backend_attach (backend, cancelled, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (regiond_backend_open_region (backend, &window, &fd, &busy));
  g_assert_error (busy, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_true (regiond_backend_reset (backend, TRUE, NULL));
  g_assert_false (regiond_backend_reset (backend, FALSE, NULL));
  g_assert_true (regiond_backend_spend (backend, NULL));
  g_assert_true (regiond_backend_park (backend, NULL));
  g_assert_cmpstr (((Scribe *) backend)->told->str, ==,
                   "quick? bar0 bar0 attach attach open reset-leased reset-parked spend park ");

  g_string_truncate (((Scribe *) backend)->told, 0);
  g_assert_cmpstr (regiond_backend_get_isolation (backend), ==, "none");
  g_assert_false (regiond_backend_check (backend, NULL));
  g_assert_false (regiond_backend_is_isolated (backend));
  g_assert_cmpuint (regiond_backend_count_remains (backend), ==, 7);
  g_assert_true (regiond_backend_settle (backend, NULL));
  g_assert_cmpstr (((Scribe *) backend)->told->str, ==, "isolation? check isolated? remains? settle ");
}

static void
on_changed (RegiondBackend *backend,
            gpointer        data)
{
  tell (backend, "changed");
}

static void
on_failed (RegiondBackend *backend,
           const GError   *failure,
           gpointer        data)
{
  tell (backend, failure->message);
}

static void
on_leaving (RegiondBackend *backend,
            guint           grace,
            gpointer        data)
{
  tell (backend, grace == 1000 ? "leaving" : "?");
}

static void
test_signals (void)
{
  g_autoptr (RegiondBackend) backend = g_object_new (scribe_get_type (), NULL);
  g_autoptr (GError) failure = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "broken");

  g_signal_connect (backend, "changed", G_CALLBACK (on_changed), NULL);
  g_signal_connect (backend, "failed", G_CALLBACK (on_failed), NULL);
  g_signal_connect (backend, "leaving", G_CALLBACK (on_leaving), NULL);
  regiond_backend_emit_changed (backend);
  regiond_backend_emit_failed (backend, failure);
  regiond_backend_emit_leaving (backend, 1000);
  g_assert_cmpstr (((Scribe *) backend)->told->str, ==, "changed broken prepared leaving ");
}

static void
test_memory (void)
{
  g_auto (Objects) o = objects_set_up (5 * PAGE);
  RegiondMemorySetup setup = { NULL, FALSE, FALSE };
  RegiondMemoryMeans means;
  g_autoptr (RegiondBackend) backend = NULL;
  RegiondBackendClass *klass;

  means = (RegiondMemoryMeans){ o.watch, o.budget, o.server };
  setup.regions = o.regions;
  backend = regiond_memory_backend_new ("shm0", &setup, &means, NULL);
  klass = REGIOND_BACKEND_GET_CLASS (backend);
  g_assert_cmpstr (klass->name, ==, "memory");
  g_assert_cmpstr (regiond_backend_get_isolation (backend), ==, "not-applicable");
  g_assert_cmpstr (regiond_backend_get_reset_methods (backend)[0], ==, "fresh");
  g_assert_null (regiond_backend_get_reset_methods (backend)[1]);
  g_clear_object (&backend);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/backend/another-kind-is-told-everything", test_told);
  g_test_add_func ("/backend/its-news-is-heard", test_signals);
  g_test_add_func ("/backend/memory-says-what-it-is", test_memory);
  return g_test_run ();
}
