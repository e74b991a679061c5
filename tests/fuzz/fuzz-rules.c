/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include "answer.h"
#include "bytes.h"
#include "daemon.h"
#include "fixture.h"
#include "onlooker.h"
#include "process.h"
#include "reference.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What clients can do in any order, against what regiond promises (model.h): an
 * input is a row of actions of some clients on some devices. After each of them
 * the bus must show just the leases that there have to be, what is read must be
 * what was written to that very object and nothing else, and nothing that is
 * proxied works after its lease; and in the end nothing is left. */

#define STEPS_MOST 24
#define PERSONS 3
#define PROCESSES 2
#define HOLDERS (PERSONS + PROCESSES) /* of references: clients, then processes */
#define NOBODY HOLDERS                /* holds what is left of one that has gone */
#define REFERENCES_MOST 16
#define PATIENCE (8 * G_TIME_SPAN_SECOND)

static const char *const accesses[] = { "rwm", "rw", "rm", "r", "w" };
static const char *const regions[MODEL_REGIONS] = { "a", "b" };
static const uid_t uids[PERSONS] = { 1, 1, 65534 }; /* the bus wants such as there are */
static const uid_t process_uids[PROCESSES] = { 1, 65534 };

typedef struct {
  Model            model;
  GDBusConnection *persons[PERSONS];
  Process          processes[PROCESSES];
  Reference        references[REFERENCES_MOST];
  guint64          token; /* the last one written */
} World;

static Fixture *fixture;
static RegiondDaemon *service;
static Onlooker *onlooker;
static int foreign; /* memory that nobody has lent */

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
  g_clear_pointer (&onlooker, onlooker_free);
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
  onlooker = onlooker_new (fixture_connect (fixture));
  foreign = memfd_create ("foreign", MFD_CLOEXEC);
  g_assert_cmpint (foreign, >=, 0);
  atexit (clean_up);
  return 0;
}

/* The thread alone becomes somebody else: the others serve. */
static void
set_uid (uid_t uid)
{
  g_assert_cmpint (syscall (SYS_setresuid, uid, uid, -1), ==, 0);
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

static void
settle (World *self)
{
  gint64 until = g_get_monotonic_time () + PATIENCE;

  for (;;)
    {
      g_autofree char *difference = onlooker_compare (onlooker, &self->model);

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

static ModelLease *
take_granted (World        *self,
              const Answer *answer,
              ModelLease   *terms,
              guint         holder)
{
  ModelLease *lease;

  terms->owner = g_strdup (terms->owner);
  g_variant_get (answer->reply, "(ho)", NULL, &terms->path);
  lease = model_open (&self->model, terms);
  keep (self, lease, holder, g_unix_fd_list_get (answer->fds, 0, NULL));
  return lease;
}

static void
set_access (ModelLease *terms,
            const char *access)
{
  terms->proxied = strchr (access, 'm') == NULL;
  terms->reads = strchr (access, 'r') != NULL;
  terms->writes = strchr (access, 'w') != NULL;
}

/* To which process a lease is to be tied, and how. */
typedef struct {
  guint    index;
  int      fd; /* sent as its pidfd; -1: there is no process */
  gboolean detach;
  guint    holder; /* of what is opened */
} Tie;

static ModelAnswer
foresee (World            *self,
         const ModelLease *terms,
         const Tie        *tie)
{
  if (tie->fd == foreign)
    return MODEL_INVALID;
  if (tie->fd >= 0 && self->processes[tie->index].pid == 0)
    return MODEL_NOT_FOUND;
  if (tie->detach && terms->exclusive)
    return MODEL_NOT_SUPPORTED;
  return model_admits (&self->model, terms->owner, terms->uid, terms->device, terms->exclusive);
}

static GVariant *
make_options (const ModelLease *terms,
              const Tie        *tie)
{
  GVariantBuilder opts = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  g_variant_builder_add (&opts, "{sv}", "offset", g_variant_new_uint64 (terms->offset));
  g_variant_builder_add (&opts, "{sv}", "exclusive", g_variant_new_boolean (terms->exclusive));
  g_variant_builder_add (&opts, "{sv}", "detach", g_variant_new_boolean (tie->detach));
  if (tie->fd >= 0)
    g_variant_builder_add (&opts, "{sv}", "bind-to", g_variant_new_handle (0));
  return g_variant_builder_end (&opts);
}

static void
open_region (World     *self,
             Bytes     *bytes,
             guint      person,
             const Tie *tie)
{
  guint what = bytes_take (bytes), how = bytes_take (bytes);
  const char *access = accesses[how % G_N_ELEMENTS (accesses)];
  ModelLease terms = {
    .owner = (char *) (tie->detach ? "" : get_name (self, person)),
    .uid = tie->detach ? process_uids[tie->index] : uids[person],
    .process = tie->fd >= 0 ? self->processes[tie->index].number : 0,
    .device = what % MODEL_DEVICES,
    .region = what / MODEL_DEVICES % MODEL_REGIONS,
    .exclusive = how >= 0xe0,
  };
  ModelAnswer wanted = foresee (self, &terms, tie);
  g_auto (Answer) answer;

  set_access (&terms, access);
  if (terms.proxied && what & 0x80)
    terms.offset = REFERENCE_PART;
  answer_call (&answer, get_person (self, person), model_devices[terms.device], "org.regiond1.Device", "OpenRegion",
               g_variant_new ("(ss@a{sv})", regions[terms.region], access, make_options (&terms, tie)), tie->fd);
  answer_expect (&answer, wanted, "OpenRegion");
  if (wanted == MODEL_FINE)
    take_granted (self, &answer, &terms, tie->holder);
}

static void
do_open (World *self,
         Bytes *bytes)
{
  guint person = bytes_take_below (bytes, PERSONS);
  const Tie none = { .fd = -1, .holder = person };

  open_region (self, bytes, person, &none);
}

/* For a process, which mostly gets what is opened; now and then one that has ended,
 * or what is none. */
static void
do_open_for (World *self,
             Bytes *bytes)
{
  guint person = bytes_take_below (bytes, PERSONS), whom = bytes_take (bytes);
  Tie tie = { .index = whom % PROCESSES, .detach = (whom & 2) != 0 };
  Process *process = &self->processes[tie.index];

  if (process->pid == 0 && (process->pidfd == 0 || !(whom & 4)))
    {
      set_uid (process_uids[tie.index]);
      process_start (process);
      set_uid (0);
    }
  tie.fd = (whom & 0x70) == 0x70 ? foreign : process->pidfd;
  tie.holder = whom & 8 ? person : PERSONS + tie.index;
  open_region (self, bytes, person, &tie);
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

/* What somebody has: he gets a lease of his own, of the same memory. */
static void
do_attach (World *self,
           Bytes *bytes)
{
  guint person = bytes_take_below (bytes, PERSONS);
  Reference *reference = take_reference (self, bytes, REFERENCE_FD);
  guint how = bytes_take (bytes), asked = how % (G_N_ELEMENTS (accesses) + 1);
  const char *access = asked > 0 ? accesses[asked - 1] : NULL;
  ModelLease *shown = reference != NULL ? reference->lease : NULL, terms;
  ModelAnswer wanted = MODEL_NOT_FOUND;
  g_autofree char *text = access != NULL ? g_strdup_printf ("{'access': <'%s'>}", access) : NULL;
  g_auto (Answer) answer;

  if (shown != NULL && how < 0xe0)
    {
      terms = (ModelLease){
        .owner = (char *) get_name (self, person),
        .uid = uids[person],
        .device = shown->device,
        .region = shown->region,
        .offset = shown->offset,
        .proxied = shown->proxied,
        .reads = shown->reads,
        .writes = shown->writes,
      };
      if (access != NULL)
        set_access (&terms, access);
      wanted = model_admits_shown (&self->model, shown, &terms);
    }

  answer_call (&answer, get_person (self, person), REGIOND_PATH, "org.regiond1.Manager", "AttachLease",
               g_variant_new ("(h@a{sv})", 0, options (text)),
               shown != NULL && how < 0xe0 ? reference->fd : foreign);
  answer_expect (&answer, wanted, "AttachLease");
  if (wanted == MODEL_FINE)
    g_assert_true (take_granted (self, &answer, &terms, person)->object == shown->object);
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
  keep (self, reference->lease, bytes_take_below (bytes, HOLDERS), fcntl (reference->fd, F_DUPFD_CLOEXEC, 3));
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
     const char   *reason,
     gboolean      now)
{
  if (!lease->active)
    {
      g_assert_nonnull (answer->error);
      return;
    }

  g_assert_no_error (answer->error);
  model_end (&self->model, lease, reason);
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

  answer_call (&answer, get_person (self, person), lease->path, "org.regiond1.Lease", "Release", NULL, -1);
  if (lease->active && !model_may_release (lease, get_name (self, person), uids[person]))
    g_assert_error (answer.error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED);
  else
    end (self, lease, &answer, "released", TRUE);
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

  answer_call (&answer, get_person (self, person % PERSONS), lease->path, "org.regiond1.Lease", "Revoke",
               g_variant_new ("(s@a{sv})", "so it is", options (text)), -1);
  end (self, lease, &answer, "revoked", grace == 0);
}

/* What it had, or what is left of it. */
static void
strip (World   *self,
       guint    holder,
       gboolean left)
{
  for (guint i = 0; i < REFERENCES_MOST; i++)
    {
      Reference *reference = &self->references[i];

      if (reference->kind == REFERENCE_NONE || reference->holder != holder)
        continue;
      if (left || reference->kind == REFERENCE_PIN)
        reference->holder = NOBODY;
      else
        drop (self, reference);
    }
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
  strip (self, person, how == 2);
  if (how != 1)
    client_leave (g_steal_pointer (&self->persons[person]));
  model_leave (&self->model, name);
}

/* In the same ways. */
static void
do_end (World *self,
        Bytes *bytes)
{
  guint index = bytes_take_below (bytes, PROCESSES), how = bytes_take_below (bytes, 3);
  Process *process = &self->processes[index];

  if (process->pid == 0)
    return;

  if (how == 1)
    process_end (process);
  strip (self, PERSONS + index, how == 2);
  process_end (process);
  model_end_process (&self->model, process->number);
}

static void
do_reset (World *self,
          Bytes *bytes)
{
  guint person = bytes_take_below (bytes, PERSONS), device = bytes_take_below (bytes, MODEL_DEVICES);
  ModelAnswer wanted = model_admits_reset (&self->model, get_name (self, person), device);
  g_auto (Answer) answer = { FALSE, NULL, NULL, NULL };

  answer_call (&answer, get_person (self, person), model_devices[device], "org.regiond1.Device", "Reset",
               g_variant_new ("(@a{sv})", options (NULL)), -1);
  answer_expect (&answer, wanted, "Reset");
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

  answer_call (&answer, onlooker->bus, model_devices[device], "org.regiond1.Device", "Verify",
               g_variant_new ("(@a{sv})", options (NULL)), -1);
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
    do_open_for, do_open_for, do_open_for, do_attach, do_attach, do_attach, do_end,
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
    {
      if (self->persons[i] != NULL)
        model_leave (&self->model, get_name (self, i));
      g_clear_pointer (&self->persons[i], client_leave);
    }
  for (guint i = 0; i < PROCESSES; i++)
    {
      if (self->processes[i].pid != 0)
        model_end_process (&self->model, self->processes[i].number);
      process_clear (&self->processes[i]);
    }

  settle (self);
  wait_until (regiond_budget_get_held (service->budget) == 0);
  wait_until (count_fds () <= fds);
  model_clear (&self->model);
  onlooker_forget (onlooker);
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
