/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log.h"

/* What the last line's fields were; NULL where there is none. */
static GHashTable *fields;

static guint lines;

static GLogWriterOutput
capture (GLogLevelFlags   level,
         const GLogField *written,
         gsize            n,
         gpointer         data)
{
  lines++;
  g_hash_table_remove_all (fields);
  for (gsize i = 0; i < n; i++)
    g_hash_table_insert (fields, g_strdup (written[i].key), g_strdup (written[i].value));
  return G_LOG_WRITER_HANDLED;
}

static const char *
get (const char *key)
{
  return g_hash_table_lookup (fields, key);
}

static void
test_grant (void)
{
  const RegiondRecord record = {
    .event = "grant", .device = "shm0", .region = "bar2", .access = "rwm", .lease = "/org/regiond1/leases/7",
    .owner = ":1.9", .uid = 1000, .pid = 77,
  };

  regiond_log (&record);
  g_assert_cmpstr (get ("MESSAGE"), ==,
                   "grant shm0:bar2 rwm lease /org/regiond1/leases/7 of :1.9 (uid 1000, pid 77)");
  g_assert_cmpstr (get ("PRIORITY"), ==, "5");
  g_assert_cmpstr (get ("REGIOND_EVENT"), ==, "grant");
  g_assert_cmpstr (get ("REGIOND_DEVICE"), ==, "shm0");
  g_assert_cmpstr (get ("REGIOND_REGION"), ==, "bar2");
  g_assert_cmpstr (get ("REGIOND_ACCESS"), ==, "rwm");
  g_assert_cmpstr (get ("REGIOND_LEASE"), ==, "/org/regiond1/leases/7");
  g_assert_cmpstr (get ("REGIOND_OWNER"), ==, ":1.9");
  g_assert_cmpstr (get ("REGIOND_UID"), ==, "1000");
  g_assert_cmpstr (get ("REGIOND_PID"), ==, "77");
  g_assert_null (get ("REGIOND_REASON"));
}

static void
test_root (void)
{
  const RegiondRecord record = { .event = "end", .device = "shm0", .owner = ":1.1", .uid = 0, .pid = 1,
                                 .reason = "released" };

  regiond_log (&record);
  g_assert_cmpstr (get ("REGIOND_UID"), ==, "0");
  g_assert_cmpstr (get ("REGIOND_REASON"), ==, "released");
  g_assert_cmpstr (get ("MESSAGE"), ==, "end shm0 of :1.1 (uid 0, pid 1): released");
}

static void
test_nobody (void)
{
  const RegiondRecord record = { .event = "reset", .device = "shm0", .reason = "last close" };

  regiond_log (&record);
  g_assert_null (get ("REGIOND_UID"));
  g_assert_null (get ("REGIOND_PID"));
  g_assert_null (get ("REGIOND_OWNER"));
  g_assert_null (get ("REGIOND_LEASE"));
  g_assert_cmpstr (get ("MESSAGE"), ==, "reset shm0: last close");
}

static void
test_unknown (void)
{
  const RegiondRecord record = { .event = "refusal", .device = "shm0", .owner = ":1.3", .uid = G_MAXUINT32,
                                 .reason = "left" };

  regiond_log (&record);
  g_assert_cmpstr (get ("REGIOND_OWNER"), ==, ":1.3");
  g_assert_null (get ("REGIOND_UID"));
  g_assert_null (get ("REGIOND_PID"));
  g_assert_cmpstr (get ("MESSAGE"), ==, "refusal shm0 of :1.3: left");
}

/* Whoever is refused without end, everything else is kept. */
static void
test_flood (void)
{
  const RegiondRecord refusal = { .event = "refusal", .device = "shm0", .owner = ":1.4", .uid = 1000, .reason = "taken" };
  const RegiondRecord neighbours = { .event = "refusal", .device = "shm0", .owner = ":1.5", .uid = 1001 };
  const RegiondRecord grant = { .event = "grant", .device = "shm0", .owner = ":1.4", .uid = 1000 };
  guint before, made = 0, kept;
  g_autofree char *others = NULL, *line = NULL;

  before = lines;
  while (lines - before == made && made < 1000)
    {
      regiond_log (&refusal);
      made++;
    }
  kept = lines - before;
  g_assert_cmpuint (kept, <, 1000);
  regiond_log (&neighbours);
  g_assert_cmpstr (get ("REGIOND_UID"), ==, "1001");
  regiond_log (&grant);
  g_assert_cmpstr (get ("REGIOND_EVENT"), ==, "grant");
  g_assert_cmpuint (lines - before, ==, kept + 2);

  /* None is lost: what was not kept is in the number. */
  while (get ("REGIOND_OMITTED") == NULL)
    {
      g_usleep (1000);
      regiond_log (&refusal);
      made++;
    }
  others = g_strdup_printf ("%u", made - kept - 1);
  line = g_strdup_printf ("refusal shm0 of :1.4 (uid 1000, pid 0): taken (%s other refusals of this user's were not logged)",
                          others);
  g_assert_cmpstr (get ("REGIOND_OMITTED"), ==, others);
  g_assert_cmpstr (get ("MESSAGE"), ==, line);
}

int
main (int   argc,
      char *argv[])
{
  int status;

  g_test_init (&argc, &argv, NULL);
  fields = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_log_set_writer_func (capture, NULL, NULL);
  g_test_add_func ("/log/a-grant-tells-who-got-what", test_grant);
  g_test_add_func ("/log/an-end-tells-why-and-root-has-a-number", test_root);
  g_test_add_func ("/log/a-reset-is-nobodys", test_nobody);
  g_test_add_func ("/log/who-left-too-early-has-no-number", test_unknown);
  g_test_add_func ("/log/a-flood-of-refusals-keeps-nothing-else-out", test_flood);
  status = g_test_run ();
  g_hash_table_unref (fields);
  return status;
}
