/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-hold.h"
#include "fixture.h"

#include "daemon.h"
#include "device.h"
#include "tenancy.h"

#include <string.h>

/* Why leases have ended, one reason after the other. */
static GPtrArray *reasons;

static GLogWriterOutput
collect_reasons (GLogLevelFlags   level,
                 const GLogField *fields,
                 gsize            n,
                 gpointer         data)
{
  const char *event = NULL, *reason = NULL;

  for (gsize i = 0; i < n; i++)
    {
      if (g_str_equal (fields[i].key, "REGIOND_EVENT"))
        event = fields[i].value;
      else if (g_str_equal (fields[i].key, "REGIOND_REASON"))
        reason = fields[i].value;
    }
  if (g_strcmp0 (event, "end") == 0)
    g_ptr_array_add (reasons, g_strdup (reason));
  return g_log_writer_default (level, fields, n, data);
}

static Fixture *shared;

/* A service in this process; the tenancy is the test's own. */
#define TYPE_HOUSE (house_get_type ())
G_DECLARE_FINAL_TYPE (House, house, TEST, HOUSE, GObject)

struct _House {
  GObject          parent_instance;
  GDBusConnection *bus;
  RegiondDaemon   *daemon;
  RegiondTenancy  *tenancy;
  guint            emptied, changed, drained;
  gboolean         waiting;
};

G_DEFINE_TYPE (House, house, G_TYPE_OBJECT)

static void
house_class_init (HouseClass *klass)
{
}

static void
house_init (House *self)
{
}

static void
on_emptied (gpointer owner)
{
  ((House *) owner)->emptied++;
}

static void
on_changed (gpointer owner)
{
  ((House *) owner)->changed++;
}

static void
on_unsettled (gpointer owner,
              gboolean wait)
{
  ((House *) owner)->waiting = wait;
}

static void
on_vacated (gpointer       owner,
            RegiondRegion *region)
{
}

static void
on_drained (gpointer owner)
{
  ((House *) owner)->drained++;
}

static const RegiondTenancyEvents events = { on_emptied, on_changed, on_unsettled, on_vacated, on_drained };

static House *
house_new (gboolean tolerate)
{
  House *self = g_object_new (TYPE_HOUSE, NULL);
  const char *directories[2] = { NULL, NULL };
  RegiondTenancyRules rules = { tolerate, FALSE };
  g_autoptr (GError) error = NULL;

  self->bus = fixture_connect (shared);
  directories[0] = shared->directory;
  self->daemon = regiond_daemon_new (self->bus, regiond_settings_load (directories, NULL), &error);
  g_assert_no_error (error);
  self->tenancy = regiond_tenancy_new (&events, G_OBJECT (self), &rules);
  return self;
}

static void
house_clear (House **house)
{
  House *self = *house;

  regiond_tenancy_end_all (self->tenancy, REGIOND_END_SHUTDOWN);
  regiond_tenancy_abandon (self->tenancy);
  regiond_tenancy_free (self->tenancy);

  /* What is still to be announced keeps leases, and must not outlive the daemon. */
  while (g_main_context_iteration (NULL, FALSE))
    ;
  regiond_daemon_free (self->daemon);
  client_leave (self->bus);
  g_object_unref (self);
}

typedef struct {
  RegiondLease  *lease;
  RegiondClient *client;
  FakeHold      *hold;
} Tenant;

static void
tenant_clear (Tenant *self)
{
  g_clear_object (&self->lease);
  g_clear_pointer (&self->client, regiond_client_unref);
  g_clear_object (&self->hold);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Tenant, tenant_clear)

static void
make_tenant (House      *house,
             Tenant     *self,
             const char *name,
             char        object,
             gboolean    exclusive)
{
  RegiondLeaseTerms terms = { .window = { .access = REGIOND_ACCESS_READ | REGIOND_ACCESS_MAP, .exclusive = exclusive },
                              .mechanism = REGIOND_MECHANISM_MEMFD, .label = "" };

  self->client = regiond_clients_get (house->daemon->clients, name);
  self->hold = g_object_new (TYPE_FAKE_HOLD, NULL);
  self->hold->object = object;
  terms.device = regiond_daemon_find_device (house->daemon, "shm0", NULL);
  terms.window.region = regiond_device_find_region (terms.device, "bar0", NULL);
  terms.client = self->client;
  terms.hold = REGIOND_HOLD (self->hold);
  self->lease = regiond_lease_new (&terms, house->daemon->next_lease++);
}

static gboolean
move_in (House      *house,
         Tenant     *self,
         const char *name,
         char        object,
         gboolean    exclusive,
         GError    **error)
{
  make_tenant (house, self, name, object, exclusive);
  return regiond_tenancy_add (house->tenancy, self->lease, error);
}

static void
must_move_in (House      *house,
              Tenant     *self,
              const char *name,
              char        object)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (move_in (house, self, name, object, FALSE, &error));
  g_assert_no_error (error);
}

static void
test_dies_cleanly (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  g_auto (Tenant) dying = { NULL }, neighbour = { NULL };

  must_move_in (house, &dying, ":9.1", 'a');
  must_move_in (house, &neighbour, ":9.2", 'a');
  dying.hold->gone = TRUE;
  regiond_tenancy_end (house->tenancy, dying.lease, REGIOND_END_DISCONNECTED);
  g_assert_true (regiond_lease_has_ended (dying.lease));
  g_assert_false (regiond_lease_has_ended (neighbour.lease));
  g_assert_false (neighbour.hold->cut);
  g_assert_cmpuint (regiond_tenancy_count_active (house->tenancy), ==, 1);
  g_assert_cmpuint (regiond_tenancy_count_lingering (house->tenancy), ==, 0);
  g_assert_false (house->waiting);
  g_assert_cmpuint (house->emptied, ==, 0);
  g_assert_cmpuint (house->changed, >, 0);
}

static void
test_patience (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  g_auto (Tenant) dying = { NULL }, neighbour = { NULL };

  must_move_in (house, &dying, ":9.1", 'a');
  must_move_in (house, &neighbour, ":9.2", 'a');
  regiond_tenancy_end (house->tenancy, dying.lease, REGIOND_END_DISCONNECTED);

  /* Nobody is let in, nothing is cut, until it is known whose it is. */
  g_assert_true (house->waiting);
  g_assert_true (regiond_tenancy_is_draining (house->tenancy));
  g_assert_false (dying.hold->cut);
  fake_hold_let_go (dying.hold);
  wait_until (!house->waiting);
  g_assert_false (neighbour.hold->cut);
  g_assert_false (regiond_lease_has_ended (neighbour.lease));
  g_assert_cmpuint (regiond_tenancy_count_lingering (house->tenancy), ==, 0);
}

/* Somebody gives up one lease after the other, and closes each a little later. */
static void
test_dawdler (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  Tenant dawdler[20] = { { NULL } };
  g_auto (Tenant) neighbour = { NULL };
  gboolean open = FALSE;

  for (gsize i = 0; i < G_N_ELEMENTS (dawdler); i++)
    must_move_in (house, &dawdler[i], ":9.1", 'a');
  must_move_in (house, &neighbour, ":9.2", 'a');
  for (gsize i = 0; i < G_N_ELEMENTS (dawdler); i++)
    {
      gint64 until = g_get_monotonic_time () + 50 * 1000;

      regiond_tenancy_end (house->tenancy, dawdler[i].lease, REGIOND_END_RELEASED);
      if (i > 0)
        fake_hold_let_go (dawdler[i - 1].hold);
      while (g_get_monotonic_time () < until)
        fixture_turn ();
      open = open || !house->waiting;
    }

  /* A second without a break: the others are let in before that. */
  g_assert_true (open);
  fake_hold_let_go (dawdler[G_N_ELEMENTS (dawdler) - 1].hold);
  wait_until (regiond_tenancy_count_lingering (house->tenancy) == 0);
  g_assert_false (neighbour.hold->cut);
  for (gsize i = 0; i < G_N_ELEMENTS (dawdler); i++)
    tenant_clear (&dawdler[i]);
}

static void
test_superseded (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  g_auto (Tenant) leaky = { NULL }, neighbour = { NULL }, apart = { NULL };
  g_auto (GStrv) ended = NULL;
  gint64 before = g_get_monotonic_time ();

  must_move_in (house, &leaky, ":9.1", 'a');
  must_move_in (house, &neighbour, ":9.2", 'a');
  must_move_in (house, &apart, ":9.3", 'b');
  regiond_tenancy_end (house->tenancy, leaky.lease, REGIOND_END_DISCONNECTED);
  wait_until (regiond_lease_has_ended (neighbour.lease));
  g_assert_cmpint (g_get_monotonic_time () - before, >=, 250 * 1000);
  g_assert_true (leaky.hold->cut);
  g_assert_true (regiond_lease_is_leaked (leaky.lease));
  g_assert_false (regiond_lease_is_leaked (neighbour.lease));

  /* Whoever has another object keeps it. */
  g_assert_false (regiond_lease_has_ended (apart.lease));
  g_assert_false (apart.hold->cut);
  g_assert_false (house->waiting);
  ended = regiond_tenancy_list_ended (house->tenancy);
  g_assert_cmpstr (ended[0], ==, regiond_lease_get_path (leaky.lease));
  fake_hold_let_go (neighbour.hold);
  fake_hold_let_go (leaky.hold);
  wait_until (regiond_tenancy_count_lingering (house->tenancy) == 0);
}

static void
test_revoked (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  g_auto (Tenant) revoked = { NULL }, neighbour = { NULL };

  must_move_in (house, &revoked, ":9.1", 'a');
  must_move_in (house, &neighbour, ":9.2", 'a');

  /* No patience with a live holder whose lease is taken. */
  regiond_tenancy_end (house->tenancy, revoked.lease, REGIOND_END_REVOKED);
  g_assert_true (revoked.hold->cut);
  g_assert_true (regiond_lease_has_ended (neighbour.lease));
  g_assert_cmpuint (house->emptied, ==, 1);
}

/* Of those who lose theirs together none supersedes another. */
static void
test_together (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  g_auto (Tenant) one = { NULL }, other = { NULL }, neighbour = { NULL };
  g_autoptr (GPtrArray) both = g_ptr_array_new ();

  must_move_in (house, &one, ":9.1", 'a');
  must_move_in (house, &other, ":9.2", 'a');
  must_move_in (house, &neighbour, ":9.3", 'b');
  g_ptr_array_add (both, one.lease);
  g_ptr_array_add (both, other.lease);
  g_ptr_array_set_size (reasons, 0);
  regiond_tenancy_end_some (house->tenancy, both, REGIOND_END_WITHDRAWN);
  g_assert_cmpuint (reasons->len, ==, 2);
  g_assert_cmpstr (reasons->pdata[0], ==, "withdrawn");
  g_assert_cmpstr (reasons->pdata[1], ==, "withdrawn");
  g_assert_true (one.hold->cut);
  g_assert_false (regiond_lease_is_leaked (one.lease));
  g_assert_false (regiond_lease_is_leaked (other.lease));
  g_assert_false (regiond_lease_has_ended (neighbour.lease));
  g_assert_cmpuint (house->emptied, ==, 0);

  /* The last one, and nobody is ended twice. */
  g_ptr_array_set_size (both, 1);
  g_ptr_array_index (both, 0) = neighbour.lease;
  regiond_tenancy_end_some (house->tenancy, both, REGIOND_END_WITHDRAWN);
  g_assert_cmpuint (house->emptied, ==, 1);
  regiond_tenancy_end_some (house->tenancy, both, REGIOND_END_WITHDRAWN);
  g_assert_cmpuint (house->emptied, ==, 1);
}

static void
test_alone (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  g_auto (Tenant) alone = { NULL };

  /* With nobody to spare, nothing is waited for. */
  must_move_in (house, &alone, ":9.1", 'a');
  regiond_tenancy_end (house->tenancy, alone.lease, REGIOND_END_RELEASED);
  g_assert_true (alone.hold->cut);
  g_assert_false (house->waiting);
  g_assert_false (regiond_lease_is_leaked (alone.lease));
  g_assert_cmpuint (house->emptied, ==, 1);
  wait_until (!regiond_tenancy_is_draining (house->tenancy));
  g_assert_cmpuint (regiond_tenancy_count_lingering (house->tenancy), ==, 1);

  /* An ended one cannot be ended again. */
  regiond_tenancy_end (house->tenancy, alone.lease, REGIOND_END_REVOKED);
  g_assert_cmpuint (house->emptied, ==, 1);
}

static void
test_tolerate (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (TRUE);
  g_auto (Tenant) leaky = { NULL }, neighbour = { NULL };

  must_move_in (house, &leaky, ":9.1", 'a');
  must_move_in (house, &neighbour, ":9.2", 'a');
  regiond_tenancy_end (house->tenancy, leaky.lease, REGIOND_END_REVOKED);
  g_assert_false (house->waiting);
  wait_until (!regiond_tenancy_is_draining (house->tenancy));
  g_assert_false (leaky.hold->cut);
  g_assert_false (regiond_lease_has_ended (neighbour.lease));
  g_assert_false (regiond_lease_is_leaked (leaky.lease));
  g_assert_cmpuint (regiond_tenancy_count_lingering (house->tenancy), ==, 1);
  fake_hold_let_go (leaky.hold);
  wait_until (regiond_tenancy_count_lingering (house->tenancy) == 0);
}

static void
test_closed (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  g_auto (Tenant) tenant = { NULL }, neighbour = { NULL };

  must_move_in (house, &tenant, ":9.1", 'a');
  must_move_in (house, &neighbour, ":9.2", 'a');

  /* A sign without a proof changes nothing. */
  tenant.hold->func (tenant.hold->data);
  regiond_tenancy_look (house->tenancy);
  g_assert_cmpuint (regiond_tenancy_count_active (house->tenancy), ==, 2);
  fake_hold_let_go (tenant.hold);
  wait_until (regiond_lease_has_ended (tenant.lease));
  g_assert_false (regiond_lease_has_ended (neighbour.lease));
}

/* Several share an object, and one has another. */
static void
expect_all_end (RegiondEnd  end,
                const char *reason)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  Tenant tenants[4] = { { NULL } };

  for (gsize i = 0; i < G_N_ELEMENTS (tenants); i++)
    {
      g_autofree char *name = g_strdup_printf (":9.%zu", i);

      must_move_in (house, &tenants[i], name, i < 3 ? 'a' : 'b');
    }
  g_ptr_array_set_size (reasons, 0);
  regiond_tenancy_end_all (house->tenancy, end);
  g_assert_cmpuint (reasons->len, ==, G_N_ELEMENTS (tenants));
  g_assert_cmpuint (house->emptied, ==, 1);

  /* Nor does it become anybody's fault when the time for it is over. */
  wait_until (!regiond_tenancy_is_draining (house->tenancy));
  regiond_tenancy_look (house->tenancy);
  g_assert_cmpuint (regiond_tenancy_count_lingering (house->tenancy), ==, G_N_ELEMENTS (tenants));
  for (gsize i = 0; i < G_N_ELEMENTS (tenants); i++)
    {
      g_assert_cmpstr (g_ptr_array_index (reasons, i), ==, reason);
      g_assert_true (regiond_lease_has_ended (tenants[i].lease));
      g_assert_true (tenants[i].hold->cut);
      g_assert_false (regiond_lease_is_leaked (tenants[i].lease));
      tenant_clear (&tenants[i]);
    }
}

/* The service, or all of the machine, stands still when it has been told: that
 * is no time in which the kernel could have given the proof. */
static void
test_closed_while_nothing_moved (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  g_auto (Tenant) tenant = { NULL };
  guint looks;

  must_move_in (house, &tenant, ":9.1", 'a');
  looks = tenant.hold->looks;
  tenant.hold->func (tenant.hold->data);
  g_usleep (2200 * 1000);
  wait_until (tenant.hold->looks > looks);
  tenant.hold->gone = TRUE;
  wait_until (regiond_lease_has_ended (tenant.lease));
}

static void
test_end_all (void)
{
  expect_all_end (REGIOND_END_REMOVED, "removed");
  expect_all_end (REGIOND_END_UNPLUGGED, "unplugged");
  expect_all_end (REGIOND_END_SHUTDOWN, "shutdown");
}

static void
test_slow_look (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  g_auto (Tenant) tenant = { NULL };
  guint looks;

  must_move_in (house, &tenant, ":9.1", 'a');
  regiond_tenancy_end (house->tenancy, tenant.lease, REGIOND_END_RELEASED);

  /* Until it is no longer looked at closely. */
  wait_until (g_get_monotonic_time () - tenant.hold->last_look > 200 * 1000);
  looks = tenant.hold->looks;
  wait_until (tenant.hold->looks > looks);
  g_assert_cmpuint (regiond_tenancy_count_lingering (house->tenancy), ==, 1);

  /* Again and again; and nobody gives a sign. */
  tenant.hold->gone = TRUE;
  wait_until (regiond_tenancy_count_lingering (house->tenancy) == 0);
}

static void
expect_admits (House      *house,
               const char *name,
               gboolean    exclusive,
               int         code,
               const char *word)
{
  g_autoptr (RegiondClient) client = regiond_clients_get (house->daemon->clients, name);
  g_autoptr (GError) error = NULL;
  gboolean admits = regiond_tenancy_admits (house->tenancy, client, exclusive, "shm0", &error);

  g_assert_cmpint (admits, ==, code < 0);
  if (code >= 0)
    assert_error_says (error, REGIOND_ERROR, code, "shm0", word);
}

static void
test_exclusive (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  g_auto (Tenant) tenant = { NULL };

  g_assert_true (move_in (house, &tenant, ":9.1", 'a', TRUE, NULL));
  g_assert_cmpstr (regiond_tenancy_get_exclusive (house->tenancy), ==, ":9.1");
  g_assert_true (regiond_tenancy_has_others (house->tenancy, ":9.2"));
  g_assert_false (regiond_tenancy_has_others (house->tenancy, ":9.1"));
  expect_admits (house, ":9.1", FALSE, -1, NULL);
  expect_admits (house, ":9.1", TRUE, -1, NULL);
  expect_admits (house, ":9.2", FALSE, REGIOND_ERROR_BUSY, ":9.1");
  expect_admits (house, ":9.2", TRUE, REGIOND_ERROR_BUSY, ":9.1");

  /* Ended, and something of it is left: not for who wants it alone. */
  regiond_tenancy_end (house->tenancy, tenant.lease, REGIOND_END_RELEASED);
  g_assert_cmpstr (regiond_tenancy_get_exclusive (house->tenancy), ==, "");
  expect_admits (house, ":9.2", FALSE, -1, NULL);
  expect_admits (house, ":9.2", TRUE, REGIOND_ERROR_LINGERING, regiond_lease_get_path (tenant.lease));
  fake_hold_let_go (tenant.hold);
  wait_until (regiond_tenancy_count_lingering (house->tenancy) == 0);
  expect_admits (house, ":9.2", TRUE, -1, NULL);
}

static void
test_beside (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  g_auto (Tenant) tenant = { NULL };

  must_move_in (house, &tenant, ":9.1", 'a');
  expect_admits (house, ":9.2", FALSE, -1, NULL);
  expect_admits (house, ":9.2", TRUE, REGIOND_ERROR_BUSY, ":9.1");
  expect_admits (house, ":9.1", TRUE, -1, NULL);
}

static void
test_no_watch (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  g_auto (Tenant) tenant = { NULL };
  g_autoptr (GError) error = NULL;

  g_assert_false (move_in (house, &tenant, ":9.1", '!', FALSE, &error));
  g_assert_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED);
  g_assert_cmpuint (regiond_tenancy_count_active (house->tenancy), ==, 0);
  regiond_client_remove_lease (tenant.client, tenant.lease);
}

static void
test_order (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  Tenant tenants[12] = { { NULL } };
  g_auto (GStrv) paths = NULL;

  house->daemon->next_lease = 95; /* two digits, then three */
  for (gsize i = 0; i < G_N_ELEMENTS (tenants); i++)
    must_move_in (house, &tenants[i], ":9.1", 'a');
  paths = regiond_leases_list (regiond_tenancy_get_active (house->tenancy));
  for (gsize i = 0; i < G_N_ELEMENTS (tenants); i++)
    {
      g_assert_cmpstr (paths[i], ==, regiond_lease_get_path (tenants[i].lease));
      tenant_clear (&tenants[i]);
    }
}

typedef struct {
  guint done, released;
} Verdicts;

static void
on_verified (GObject      *source,
             GAsyncResult *result,
             gpointer      data)
{
  Verdicts *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  gboolean released;

  g_assert_no_error (error);
  g_variant_get (reply, "(b@a{sv})", &released, NULL);
  self->done++;
  self->released += released;
}

static void
verify (House           *house,
        GDBusConnection *client,
        Verdicts        *verdicts)
{
  g_dbus_connection_call (client, g_dbus_connection_get_unique_name (house->bus), SHM0, "org.regiond1.Device", "Verify",
                          g_variant_new ("(@a{sv})", options (NULL)), NULL, G_DBUS_CALL_FLAGS_NONE, G_MAXINT, NULL,
                          on_verified, verdicts);
}

/* Looking is slow. Those who ask share a look, and are told the truth all the same. */
static void
test_verify (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  RegiondDevice *device = regiond_daemon_find_device (house->daemon, "shm0", NULL);
  RegiondTenancy *tenancy = regiond_device_get_tenancy (device);
  GDBusConnection *client = fixture_connect (shared);
  Verdicts verdicts = { 0, 0 };
  g_auto (Tenant) tenant = { NULL };
  guint looks;

  make_tenant (house, &tenant, ":9.1", 'a', FALSE);
  g_assert_true (regiond_tenancy_add (tenancy, tenant.lease, NULL));
  regiond_tenancy_end (tenancy, tenant.lease, REGIOND_END_RELEASED);
  tenant.hold->slowness = 20000;
  looks = tenant.hold->looks;
  for (guint i = 0; i < 8; i++)
    verify (house, client, &verdicts);
  wait_until (verdicts.done == 8);
  g_assert_cmpuint (verdicts.released, ==, 0);
  g_assert_cmpuint (tenant.hold->looks - looks, >=, 1);
  g_assert_cmpuint (tenant.hold->looks - looks, <=, 5);

  /* It goes just after a look, and nothing says so. */
  regiond_tenancy_look (tenancy);
  tenant.hold->gone = TRUE;
  g_assert_cmpint (regiond_tenancy_get_rest (tenancy), >, 20000);
  verify (house, client, &verdicts);
  wait_until (verdicts.done == 9);
  g_assert_cmpuint (verdicts.released, ==, 1);
  client_leave (client);
}

/* On a busy machine a look takes long, and is no burden for that. */
static void
test_held_up (void)
{
  __attribute__ ((cleanup (house_clear))) House *house = house_new (FALSE);
  g_auto (Tenant) tenant = { NULL };

  must_move_in (house, &tenant, ":9.1", 'a');
  tenant.hold->delay = 200 * 1000;
  regiond_tenancy_look (house->tenancy);
  g_assert_cmpint (regiond_tenancy_get_rest (house->tenancy), <, 200 * 1000);
  tenant.hold->delay = 0;
  tenant.hold->slowness = 50 * 1000;
  regiond_tenancy_look (house->tenancy);
  g_assert_cmpint (regiond_tenancy_get_rest (house->tenancy), >, 200 * 1000);
}

/* The last: with it goes the bus. */
static void
test_end (void)
{
  g_clear_pointer (&shared, fixture_free);
}

static void
add_tests (void)
{
  shared = fixture_new_in_process ();
  g_test_add_func ("/tenancy/neighbour-notices-nothing", test_dies_cleanly);
  g_test_add_func ("/tenancy/a-dying-process-is-given-a-moment", test_patience);
  g_test_add_func ("/tenancy/one-who-dawdles-keeps-nobody-out", test_dawdler);
  g_test_add_func ("/tenancy/a-leak-supersedes-whoever-shares-it", test_superseded);
  g_test_add_func ("/tenancy/a-revoked-live-holder-is-cut-at-once", test_revoked);
  g_test_add_func ("/tenancy/who-lose-theirs-together-supersede-nobody", test_together);
  g_test_add_func ("/tenancy/with-nobody-to-spare-nothing-is-waited-for", test_alone);
  g_test_add_func ("/tenancy/tolerated-leaks-leave-the-others-alone", test_tolerate);
  g_test_add_func ("/tenancy/a-sign-is-no-proof", test_closed);
  g_test_add_func ("/tenancy/what-goes-while-all-stands-still-is-missed-all-the-same", test_closed_while_nothing_moved);
  g_test_add_func ("/tenancy/exclusive-means-alone", test_exclusive);
  g_test_add_func ("/tenancy/nobody-gets-it-alone-beside-others", test_beside);
  g_test_add_func ("/tenancy/without-a-watch-nobody-moves-in", test_no_watch);
  g_test_add_func ("/tenancy/leases-are-listed-as-they-were-opened", test_order);
  g_test_add_func ("/tenancy/what-ends-all-is-nobodys-fault", test_end_all);
  g_test_add_func ("/tenancy/without-a-sign-it-is-looked-at-again", test_slow_look);
  g_test_add_func ("/tenancy/who-verifies-shares-a-look-and-is-told-the-truth", test_verify);
  g_test_add_func ("/tenancy/who-is-held-up-while-looking-need-not-rest", test_held_up);
  g_test_add_func ("/tenancy/the-bus-may-go", test_end);
}

int
main (int   argc,
      char *argv[])
{
  reasons = g_ptr_array_new_with_free_func (g_free);
  g_log_set_writer_func (collect_reasons, NULL, NULL);
  return fixture_main (argc, argv, add_tests);
}
