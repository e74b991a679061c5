/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spinner.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "eventually.h"
#include "mapping.h"

#define MAX_SPINNERS 16

typedef enum
{
  FREE,
  CLAIMED,
} Phase;

typedef struct
{
  pid_t pid;
  guint seen;     /* the round that it has read last */
  guint accesses; /* all that have worked; wraps around */
  SpinCount count;
} __attribute__ ((aligned (128))) Spinner;

/* Shared with the processes. The lowest bit of `round` is the phase. */
typedef struct
{
  guint round;
  Spinner each[MAX_SPINNERS];
} Arena;

struct Spinners
{
  Arena *arena;
  guint count;
};

static void
pin_to_processor (guint number)
{
  cpu_set_t set;

  CPU_ZERO (&set);
  CPU_SET (number % sysconf (_SC_NPROCESSORS_ONLN), &set);
  sched_setaffinity (0, sizeof set, &set);
}

/* The first word belongs to whoever claims, the second one counts, the third one
 * tells what who stored it had read of the phase. Where no
 * device answers one reads all ones, from QEMU zeros. */
static gboolean
access_once (Mapping *mapping,
             Phase phase)
{
  guint32 value;

  return mapping->words != NULL && mapping_load (&mapping->words[1], &value) &&
         mapping_store (&mapping->words[1], value + 1) && mapping_store (&mapping->words[SPINNERS_MARK], phase) &&
         value != 0 && value != G_MAXUINT32;
}

/* What was read before an access that works says whether the access is a wrong. */
static void
note_access (Spinner *self,
             Mapping *mapping,
             Phase phase)
{
  if (!access_once (mapping, phase))
    return;
  __atomic_add_fetch (&self->accesses, 1, __ATOMIC_RELEASE);
  if (phase == CLAIMED)
    self->count.accesses++;
}

static void
note_map (Spinner *self,
          int error,
          Phase phase)
{
  if (phase != CLAIMED)
    return;
  if (error == 0)
    self->count.maps++;
  else if (error == EINVAL)
    self->count.refused++;
}

static void
replace (Mapping *old,
         Mapping *new)
{
  if (old->words != NULL)
    munmap ((void *) old->words, old->size);
  *old = *new;
}

static void
spin (Spinner *self,
      const guint *round,
      int fd,
      gsize size,
      SpinKind kind)
{
  Mapping mapping = { -1 };

  for (;;)
    {
      guint seen = __atomic_load_n (round, __ATOMIC_ACQUIRE);
      Phase phase = seen & 1;
      guint32 value;

      note_access (self, &mapping, phase);
      if (kind == SPIN_ON_MAPPING || mapping.words == NULL || !mapping_load (mapping.words, &value))
        {
          Mapping fresh;
          int error = mapping_try_fd (&fresh, fd, size, PROT_READ | PROT_WRITE);

          note_map (self, error, phase);
          /* Refused: the mapping from before stays, which may have been made while the claim was. */
          if (error == 0)
            replace (&mapping, &fresh);
        }
      __atomic_store_n (&self->seen, seen, __ATOMIC_RELEASE);
    }
}

static pid_t
start (Spinners *self,
       guint number,
       int fd,
       gsize size,
       SpinKind kind)
{
  pid_t pid = fork ();

  g_assert_no_errno (pid);
  if (pid != 0)
    return pid;
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  pin_to_processor (number);
  spin (&self->arena->each[number], &self->arena->round, fd, size, kind);
  _exit (1);
}

Spinners *
spinners_new (Pci *pci,
              guint index,
              SpinKind kind,
              guint count)
{
  g_autofree char *name = g_strdup_printf ("resource%u", index);
  Spinners *self = g_new0 (Spinners, 1);

  g_assert_cmpuint (count, <=, MAX_SPINNERS);
  self->count = count;
  self->arena = mmap (NULL, sizeof (Arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert_true (self->arena != MAP_FAILED);
  for (guint i = 0; i < count; i++)
    {
      int fd = pci_open (pci, name, O_RDWR);

      g_assert_cmpint (fd, >=, 0);
      self->arena->each[i].pid = start (self, i, fd, pci_get_bar_size (pci, index), kind);
      close (fd);
    }
  spinners_wait_access (self);
  return self;
}

void
spinners_free (Spinners *self)
{
  for (guint i = 0; i < self->count; i++)
    {
      kill (self->arena->each[i].pid, SIGKILL);
      waitpid (self->arena->each[i].pid, NULL, 0);
    }
  munmap (self->arena, sizeof (Arena));
  g_free (self);
}

/* What a spinner has read before the next round may still be under way: twice around is once whole. */
static void
go_around (Spinners *self)
{
  guint round = __atomic_add_fetch (&self->arena->round, 1, __ATOMIC_ACQ_REL);

  for (guint i = 0; i < self->count; i++)
    eventually (__atomic_load_n (&self->arena->each[i].seen, __ATOMIC_ACQUIRE) == round);
}

void
spinners_begin (Spinners *self)
{
  g_assert_cmpuint (self->arena->round & 1, ==, FREE);
  for (guint i = 0; i < self->count; i++)
    self->arena->each[i].count = (SpinCount){ 0 };
  go_around (self);
}

SpinCount
spinners_end (Spinners *self)
{
  SpinCount sum = { 0 };

  go_around (self);
  for (guint i = 0; i < self->count; i++)
    {
      sum.accesses += self->arena->each[i].count.accesses;
      sum.maps += self->arena->each[i].count.maps;
      sum.refused += self->arena->each[i].count.refused;
    }
  return sum;
}

void
spinners_wait_access (Spinners *self)
{
  for (guint i = 0; i < self->count; i++)
    {
      guint before = __atomic_load_n (&self->arena->each[i].accesses, __ATOMIC_ACQUIRE);

      eventually (__atomic_load_n (&self->arena->each[i].accesses, __ATOMIC_ACQUIRE) != before);
    }
}

static gboolean
is_stopped (pid_t pid)
{
  siginfo_t info = { 0 };

  return waitid (P_PID, pid, &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

void
spinners_stop (Spinners *self)
{
  for (guint i = 0; i < self->count; i++)
    kill (self->arena->each[i].pid, SIGSTOP);
  for (guint i = 0; i < self->count; i++)
    eventually (is_stopped (self->arena->each[i].pid));
}

void
spinners_continue (Spinners *self)
{
  siginfo_t info;

  for (guint i = 0; i < self->count; i++)
    {
      waitid (P_PID, self->arena->each[i].pid, &info, WSTOPPED);
      kill (self->arena->each[i].pid, SIGCONT);
    }
}
