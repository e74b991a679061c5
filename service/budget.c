/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "budget.h"

#include "error.h"
#include "units.h"

#define PATIENCE_US (250 * 1000)

struct _RegiondBudget {
  GMutex  lock;
  GCond   given;
  guint64 most;
  guint64 declared;
  guint64 held;
};

RegiondBudget *
regiond_budget_new (guint64 most)
{
  RegiondBudget *self = g_atomic_rc_box_new0 (RegiondBudget);

  g_mutex_init (&self->lock);
  g_cond_init (&self->given);
  self->most = most;
  return self;
}

RegiondBudget *
regiond_budget_ref (RegiondBudget *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
clear (RegiondBudget *self)
{
  g_cond_clear (&self->given);
  g_mutex_clear (&self->lock);
}

void
regiond_budget_unref (RegiondBudget *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

/* Never a sum that could wrap: what is left is computed, not the total. */
static gboolean
fits (RegiondBudget *self,
      guint64        sum,
      guint64        bytes)
{
  return bytes <= self->most && sum <= self->most - bytes;
}

static gboolean
add (RegiondBudget *self,
     guint64       *sum,
     const char    *verb,
     guint64        bytes,
     GError       **error)
{
  g_autofree char *asked = regiond_units_format_size (bytes);
  g_autofree char *most = regiond_units_format_size (self->most);
  g_autofree char *taken = regiond_units_format_size (*sum);

  if (!fits (self, *sum, bytes))
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
                   "%s of memory asked for, and %s of MaxMemory=%s %s already; "
                   "ask for less, release or remove something, or raise MaxMemory in regiond.conf",
                   asked, taken, most, verb);
      return FALSE;
    }

  *sum += bytes;
  return TRUE;
}

static void
subtract (RegiondBudget *self,
          guint64       *sum,
          guint64        bytes)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  g_assert (*sum >= bytes);
  *sum -= bytes;
  g_cond_broadcast (&self->given);
}

gboolean
regiond_budget_declare (RegiondBudget *self,
                        guint64        bytes,
                        GError       **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return add (self, &self->declared, "are declared by devices", bytes, error);
}

void
regiond_budget_undeclare (RegiondBudget *self,
                          guint64        bytes)
{
  subtract (self, &self->declared, bytes);
}

gboolean
regiond_budget_take (RegiondBudget *self,
                     guint64        bytes,
                     GError       **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  gint64 until = g_get_monotonic_time () + PATIENCE_US;

  while (!fits (self, self->held, bytes) && bytes <= self->most && !g_main_context_is_owner (NULL))
    {
      if (!g_cond_wait_until (&self->given, &self->lock, until))
        break;
    }

  return add (self, &self->held, "are held", bytes, error);
}

void
regiond_budget_give (RegiondBudget *self,
                     guint64        bytes)
{
  subtract (self, &self->held, bytes);
}

gboolean
regiond_budget_has_room (RegiondBudget *self,
                         guint64        bytes)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return fits (self, self->held, bytes);
}

guint64
regiond_budget_get_held (RegiondBudget *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->held;
}
