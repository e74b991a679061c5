/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "bytes.h"
#include "daemon.h"
#include "fixture.h"
#include "model.h"
#include "reference.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What clients can do in any order, against what regiond promises (model.h): an
 * input is a row of actions of some clients on some devices. After each of them
 * the bus must show just the leases that there have to be, what is read must be
 * what was written to that very object and nothing else, and nothing that is
 * proxied works after its lease; and in the end nothing is left. */

#define STEPS_MOST 24
#define PERSONS 3
#define NOBODY PERSONS /* holds what is left of a client that has gone */
#define REFERENCES_MOST 16
#define PATIENCE (8 * G_TIME_SPAN_SECOND)

static const char *const devices[MODEL_DEVICES] = { SHM0, RING };
static const char *const regions[MODEL_REGIONS] = { "a", "b" };
static const uid_t uids[PERSONS] = { 1, 1, 65534 }; /* the bus wants such as there are */

typedef struct {
  Model            model;
  GDBusConnection *persons[PERSONS];
  Reference        references[REFERENCES_MOST];
  guint64          token; /* the last one written */
} World;

static Fixture *fixture;
static RegiondDaemon *service;
static GDBusConnection *observer;

static GLogWriterOutput
on_log (GLogLevelFlags   level,
        const GLogField *fields,
        gsize            n_fields,
        gpointer         data)
{
  return level <= G_LOG_LEVEL_WARNING ? g_log_writer_default (level, fields, n_fields, data) : G_LOG_WRITER_HANDLED;
}

static void
clean_up (void)
{
  g_clear_pointer (&service, regiond_daemon_free);
  g_clear_pointer (&observer, client_leave);
  g_clear_pointer (&fixture, fixture_free);
  fixture_clean_up ();
}

static void
serve (void)
{
  const char *const directories[] = { fixture->directory, NULL };
  g_autoptr (GError) error = NULL;
  RegiondSettings *settings;
  g_autoptr (GVariant) reply = NULL;

  fixture_write (fixture, "devices.d/shm0.conf", "[Device]\nBackend=memory\n[Region a]\nSize=4K\n[Region b]\nSize=8K\n");
  fixture_write (fixture, "devices.d/ring.conf",
                 "[Device]\nBackend=memory\nLinger=tolerate\n[Region a]\nSize=4K\n[Region b]\nSize=8K\n");
  settings = regiond_settings_load (directories, &error);
  g_assert_no_error (error);
  service = regiond_daemon_new (fixture->library, settings, &error);
  g_assert_no_error (error);
  reply = g_dbus_connection_call_sync (fixture->library, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                       "org.freedesktop.DBus", "RequestName",
                                       g_variant_new ("(su)", REGIOND_BUS_NAME, 4), NULL, G_DBUS_CALL_FLAGS_NONE, -1,
                                       NULL, &error);
  g_assert_no_error (error);
}

int
LLVMFuzzerInitialize (int    *argc,
                      char ***argv)
{
  fuzz_prepare ();
  g_log_set_writer_func (on_log, NULL, NULL);
  signal (SIGPIPE, SIG_IGN);
  fixture_prepare ();
  fixture = fixture_new_in_process ();
  serve ();
  observer = fixture_connect (fixture);
  atexit (clean_up);
  return 0;
}

/* Calls. */

typedef struct {
  gboolean     done;
  GVariant    *reply;
  GUnixFDList *fds;
  GError      *error;
} Answer;

static void
answer_clear (Answer *self)
{
  g_clear_pointer (&self->reply, g_variant_unref);
  g_clear_object (&self->fds);
  g_clear_error (&self->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Answer, answer_clear)

static void
on_reply (GObject      *source,
          GAsyncResult *result,
          gpointer      data)
{
  Answer *answer = data;

  answer->reply = g_dbus_connection_call_with_unix_fd_list_finish (G_DBUS_CONNECTION (source), &answer->fds, result,
                                                                   &answer->error);
  answer->done = TRUE;
}

static void
call (GDBusConnection *bus,
      const char      *path,
      const char      *interface,
      const char      *method,
      GVariant        *arguments,
      Answer          *answer)
{
  *answer = (Answer){ FALSE, NULL, NULL, NULL };
  g_dbus_connection_call_with_unix_fd_list (bus, REGIOND_BUS_NAME, path, interface, method, arguments, NULL,
                                            G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL, on_reply, answer);
  wait_until (answer->done);
}

/* The thread alone becomes somebody else: the others serve. */
static void
set_uid (uid_t uid)
{
  g_assert_cmpint (syscall (SYS_setresuid, -1, uid, -1), ==, 0);
}

static GDBusConnection *
get_person (World *self,
            guint  index)
{
  if (self->persons[index] == NULL)
    {
      set_uid (uids[index]);
      self->persons[index] = fixture_connect (fixture);
      set_uid (0);
    }
  return self->persons[index];
}

static const char *
get_name (World *self,
          guint  index)
{
  return g_dbus_connection_get_unique_name (get_person (self, index));
}

static void
expect (const Answer *answer,
        ModelAnswer   wanted,
        const char   *what)
{
  static const int codes[] = { [MODEL_BUSY] = REGIOND_ERROR_BUSY, [MODEL_LINGERING] = REGIOND_ERROR_LINGERING };

  if (wanted == MODEL_FINE ? answer->error != NULL : !g_error_matches (answer->error, REGIOND_ERROR, codes[wanted]))
    g_error ("%s: expected %s, and got: %s", what,
             wanted == MODEL_FINE ? "success" : wanted == MODEL_BUSY ? "Busy" : "Lingering",
             answer->error != NULL ? answer->error->message : "success");
}

/* References, and what can be read through them. */

static Reference *
find_free (World *self)
{
  for (guint i = 0; i < REFERENCES_MOST; i++)
    {
      if (self->references[i].kind == REFERENCE_NONE)
        return &self->references[i];
    }

  return NULL;
}

static void
check_references (World *self)
{
  for (guint i = 0; i < REFERENCES_MOST; i++)
    reference_check (&self->references[i]);
}

static void
drop (World     *self,
      Reference *reference)
{
  gboolean counts = reference->kind != REFERENCE_PIN;

  reference_close (reference);
  if (counts)
    model_close (&self->model, reference->lease);
}

/* What the bus shows, against the model. */

static char *
compare_lease (World      *self,
               const char *path,
               GVariant   *properties)
{
  const char *owner = NULL, *state = NULL;

  g_variant_lookup (properties, "Owner", "&s", &owner);
  g_variant_lookup (properties, "State", "&s", &state);
  for (guint i = 0; i < self->model.n_leases; i++)
    {
      const ModelLease *lease = &self->model.leases[i];
      const char *wanted = lease->active ? "active" : "lingering";

      if (!g_str_equal (lease->path, path))
        continue;
      if (!lease->active && !model_lingers (lease))
        return g_strdup_printf ("lease %s is there (%s), and should be gone", path, state);
      if (g_strcmp0 (owner, lease->owner) == 0 && g_strcmp0 (state, wanted) == 0)
        return NULL;
      return g_strdup_printf ("lease %s of %s is %s, and should be %s", path, owner, state, wanted);
    }

  return g_strdup_printf ("lease %s of %s is nobody's", path, owner);
}

static const char *
get_exclusive (World *self,
               guint  device)
{
  for (guint i = 0; i < self->model.n_leases; i++)
    {
      const ModelLease *lease = &self->model.leases[i];

      if (lease->active && lease->exclusive && lease->device == device)
        return lease->owner;
    }

  return "";
}

static char *
compare_device (World    *self,
                guint     device,
                GVariant *properties)
{
  const char *wanted = model_count_active (&self->model, device) > 0 ? "leased" : "parked", *state = NULL;
  const char *exclusive = get_exclusive (self, device), *owner = NULL;
  guint lingering = model_count_lingering (&self->model, device), left = 0;

  g_variant_lookup (properties, "State", "&s", &state);
  g_variant_lookup (properties, "Exclusive", "&s", &owner);
  g_variant_lookup (properties, "Lingering", "u", &left);
  if (g_strcmp0 (state, wanted) == 0 && left == lingering && g_strcmp0 (owner, exclusive) == 0)
    return NULL;
  return g_strdup_printf ("%s is %s, '%s' has it, %u linger; it should be %s, '%s', %u", devices[device], state, owner,
                          left, wanted, exclusive, lingering);
}

static char *
compare_object (World      *self,
                const char *path,
                GVariant   *interfaces,
                guint      *n_leases)
{
  g_autoptr (GVariant) lease = g_variant_lookup_value (interfaces, "org.regiond1.Lease", NULL);
  g_autoptr (GVariant) device = g_variant_lookup_value (interfaces, "org.regiond1.Device", NULL);

  *n_leases += lease != NULL;
  if (lease != NULL)
    return compare_lease (self, path, lease);
  return device != NULL ? compare_device (self, g_str_equal (path, devices[0]) ? 0 : 1, device) : NULL;
}

/* NULL if there is no difference, or the first one. */
static char *
compare (World *self)
{
  g_auto (Answer) answer = { FALSE, NULL, NULL, NULL };
  g_autoptr (GVariantIter) iter = NULL;
  GVariant *interfaces;
  const char *path;
  guint n_leases = 0, wanted = 0;
  char *difference = NULL;

  call (observer, REGIOND_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL, &answer);
  g_assert_no_error (answer.error);
  g_variant_get (answer.reply, "(a{oa{sa{sv}}})", &iter);
  while (difference == NULL && g_variant_iter_loop (iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      difference = compare_object (self, path, interfaces, &n_leases);
      if (difference != NULL)
        g_variant_unref (interfaces);
    }

  for (guint i = 0; i < self->model.n_leases; i++)
    wanted += self->model.leases[i].active || model_lingers (&self->model.leases[i]);
  if (difference == NULL && n_leases != wanted)
    difference = g_strdup_printf ("there are %u leases, and should be %u", n_leases, wanted);
  return difference;
}

static void
settle (World *self)
{
  gint64 until = g_get_monotonic_time () + PATIENCE;

  for (;;)
    {
      g_autofree char *difference = compare (self);

      if (difference == NULL)
        break;
      if (g_get_monotonic_time () > until)
        g_error ("It does not settle: %s", difference);
      fixture_turn ();
    }

  check_references (self);
}

/* Actions. */

static void
keep (World      *self,
      ModelLease *lease,
      guint       holder,
      int         fd)
{
  Reference *reference = find_free (self);

  if (reference != NULL)
    *reference = (Reference){ .kind = REFERENCE_FD, .lease = lease, .holder = holder, .fd = fd };
  else
    {
      close (fd);
      model_close (&self->model, lease);
    }
}

static void
do_open (World *self,
         Bytes *bytes)
{
  static const char *const accesses[] = { "rwm", "rw", "rm", "r", "w" };
  guint person = bytes_take_below (bytes, PERSONS), what = bytes_take (bytes), how = bytes_take (bytes);
  const char *access = accesses[how % G_N_ELEMENTS (accesses)];
  ModelLease terms = {
    .owner = (char *) get_name (self, person),
    .uid = uids[person],
    .device = what % MODEL_DEVICES,
    .region = what / MODEL_DEVICES % MODEL_REGIONS,
    .proxied = strchr (access, 'm') == NULL,
    .reads = strchr (access, 'r') != NULL,
    .writes = strchr (access, 'w') != NULL,
    .exclusive = how >= 0xe0,
  };
  ModelAnswer wanted = model_admits (&self->model, terms.owner, terms.uid, terms.device, terms.exclusive);
  g_auto (Answer) answer;
  GVariantBuilder opts = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  if (terms.proxied && what & 0x80)
    terms.offset = REFERENCE_PART;
  g_variant_builder_add (&opts, "{sv}", "offset", g_variant_new_uint64 (terms.offset));
  g_variant_builder_add (&opts, "{sv}", "exclusive", g_variant_new_boolean (terms.exclusive));
  call (get_person (self, person), devices[terms.device], "org.regiond1.Device", "OpenRegion",
        g_variant_new ("(ssa{sv})", regions[terms.region], access, &opts), &answer);
  expect (&answer, wanted, "OpenRegion");
  if (wanted != MODEL_FINE)
    return;

  terms.owner = g_strdup (terms.owner);
  g_variant_get (answer.reply, "(ho)", NULL, &terms.path);
  keep (self, model_open (&self->model, &terms), person, g_unix_fd_list_get (answer.fds, 0, NULL));
}

/* One of a kind, or (REFERENCE_NONE) of any; NULL if there is none. */
static Reference *
take_reference (World        *self,
                Bytes        *bytes,
                ReferenceKind kind)
{
  guint start = bytes_take (bytes);

  for (guint i = 0; i < REFERENCES_MOST; i++)
    {
      Reference *reference = &self->references[(start + i) % REFERENCES_MOST];

      if (reference->kind != REFERENCE_NONE && (kind == REFERENCE_NONE || reference->kind == kind))
        return reference;
    }

  return NULL;
}

/* To another file descriptor, perhaps of another client. */
static void
do_dup (World *self,
        Bytes *bytes)
{
  Reference *reference = take_reference (self, bytes, REFERENCE_FD);

  if (reference == NULL)
    return;

  reference->lease->references++;
  keep (self, reference->lease, bytes_take_below (bytes, PERSONS), fcntl (reference->fd, F_DUPFD_CLOEXEC, 3));
}

static void
do_map (World *self,
        Bytes *bytes)
{
  Reference *reference = take_reference (self, bytes, REFERENCE_FD), *map = find_free (self);

  if (reference != NULL && map != NULL && reference_map (map, reference))
    map->lease->references++;
}

static void
do_pin (World *self,
        Bytes *bytes)
{
  Reference *reference = take_reference (self, bytes, REFERENCE_FD), *pin = find_free (self);

  if (reference != NULL && pin != NULL)
    reference_pin (pin, reference);
}

static void
do_write (World *self,
          Bytes *bytes)
{
  Reference *reference = take_reference (self, bytes, REFERENCE_NONE);
  guint cell = bytes_take_below (bytes, MODEL_CELLS);

  if (reference != NULL)
    reference_write (reference, cell, ++self->token);
}

static void
do_close (World *self,
          Bytes *bytes)
{
  Reference *reference = take_reference (self, bytes, REFERENCE_NONE);

  if (reference != NULL)
    drop (self, reference);
}

static ModelLease *
take_lease (World *self,
            Bytes *bytes)
{
  guint index = bytes_take (bytes);

  return self->model.n_leases > 0 ? &self->model.leases[index % self->model.n_leases] : NULL;
}

/* What is proxied has gone by the time of the answer, not some time later. */
static void
end (World        *self,
     ModelLease   *lease,
     const Answer *answer,
     gboolean      now)
{
  if (!lease->active)
    {
      g_assert_nonnull (answer->error);
      return;
    }

  g_assert_no_error (answer->error);
  model_end (&self->model, lease);
  for (guint i = 0; i < REFERENCES_MOST && now; i++)
    {
      if (self->references[i].lease == lease && lease->proxied)
        reference_check (&self->references[i]);
    }
}

static void
do_release (World *self,
            Bytes *bytes)
{
  ModelLease *lease = take_lease (self, bytes);
  guint person = bytes_take_below (bytes, PERSONS);
  g_auto (Answer) answer = { FALSE, NULL, NULL, NULL };

  if (lease == NULL)
    return;

  call (get_person (self, person), lease->path, "org.regiond1.Lease", "Release", NULL, &answer);
  if (lease->active && g_strcmp0 (lease->owner, get_name (self, person)) != 0)
    g_assert_error (answer.error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED);
  else
    end (self, lease, &answer, TRUE);
}

static void
do_revoke (World *self,
           Bytes *bytes)
{
  ModelLease *lease = take_lease (self, bytes);
  guint person = bytes_take (bytes);
  guint grace = person & 0x10 ? 20 : 0;
  g_auto (Answer) answer = { FALSE, NULL, NULL, NULL };
  g_autofree char *text = g_strdup_printf ("{'grace': <uint32 %u>}", grace);

  if (lease == NULL)
    return;

  call (get_person (self, person % PERSONS), lease->path, "org.regiond1.Lease", "Revoke",
        g_variant_new ("(s@a{sv})", "so it is", options (text)), &answer);
  end (self, lease, &answer, grace == 0);
}

/* Dead, with all that it had, before or after the bus says so; or gone from the
 * bus alone. */
static void
do_leave (World *self,
          Bytes *bytes)
{
  guint person = bytes_take_below (bytes, PERSONS), how = bytes_take_below (bytes, 3);
  g_autofree char *name = NULL;

  if (self->persons[person] == NULL)
    return;

  name = g_strdup (get_name (self, person));
  if (how == 1)
    client_leave (g_steal_pointer (&self->persons[person]));
  for (guint i = 0; i < REFERENCES_MOST; i++)
    {
      Reference *reference = &self->references[i];

      if (reference->kind == REFERENCE_NONE || reference->holder != person)
        continue;
      if (how == 2 || reference->kind == REFERENCE_PIN)
        reference->holder = NOBODY;
      else
        drop (self, reference);
    }
  if (how != 1)
    client_leave (g_steal_pointer (&self->persons[person]));
  model_leave (&self->model, name);
}

static void
do_reset (World *self,
          Bytes *bytes)
{
  guint person = bytes_take_below (bytes, PERSONS), device = bytes_take_below (bytes, MODEL_DEVICES);
  ModelAnswer wanted = model_admits_reset (&self->model, get_name (self, person), device);
  g_auto (Answer) answer = { FALSE, NULL, NULL, NULL };

  call (get_person (self, person), devices[device], "org.regiond1.Device", "Reset",
        g_variant_new ("(@a{sv})", options (NULL)), &answer);
  expect (&answer, wanted, "Reset");
  if (wanted != MODEL_FINE)
    return;

  /* The pages go out of the object, and what is pinned is left behind. */
  for (guint i = 0; i < REFERENCES_MOST; i++)
    {
      Reference *pin = &self->references[i];

      if (pin->kind == REFERENCE_PIN && pin->lease->device == device && !pin->lease->object->retired)
        reference_part (pin);
    }
  model_reset (&self->model, device);
}

static void
do_verify (World *self,
           Bytes *bytes)
{
  guint device = bytes_take_below (bytes, MODEL_DEVICES);
  g_auto (Answer) answer = { FALSE, NULL, NULL, NULL };
  gboolean released;

  call (observer, devices[device], "org.regiond1.Device", "Verify", g_variant_new ("(@a{sv})", options (NULL)),
        &answer);
  g_assert_no_error (answer.error);
  g_variant_get (answer.reply, "(b@a{sv})", &released, NULL);
  g_assert_cmpint (released, ==, model_count_lingering (&self->model, device) == 0);
}

static void
step (World *self,
      Bytes *bytes)
{
  static void (*const actions[]) (World *, Bytes *) = {
    do_open, do_open, do_open, do_open, do_dup,    do_map,   do_close, do_close,
    do_write, do_write, do_write, do_release, do_revoke, do_leave, do_reset, do_pin, do_verify,
  };

  actions[bytes_take_below (bytes, G_N_ELEMENTS (actions))](self, bytes);
  settle (self);
}

/* The ends. */

static guint
count_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static void
finish (World *self,
        guint  fds)
{
  for (guint i = 0; i < REFERENCES_MOST; i++)
    {
      if (self->references[i].kind != REFERENCE_NONE)
        drop (self, &self->references[i]);
    }
  for (guint i = 0; i < PERSONS; i++)
    g_clear_pointer (&self->persons[i], client_leave);

  settle (self);
  wait_until (regiond_budget_get_held (service->budget) == 0);
  wait_until (count_fds () <= fds);
  model_clear (&self->model);
}

int
LLVMFuzzerTestOneInput (const guint8 *data,
                        size_t        size)
{
  static World world;
  Bytes bytes = { data, size };
  guint fds = count_fds ();

  world.model.tolerate[1] = TRUE;
  for (guint i = 0; i < STEPS_MOST && bytes.left > 0; i++)
    step (&world, &bytes);
  finish (&world, fds);
  return 0;
}
