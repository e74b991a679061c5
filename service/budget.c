/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "budget.h"

#include "error.h"
#include "units.h"

struct _RegiondBudget {
  GMutex  lock;
  guint64 most;
  guint64 declared;
  guint64 held;
};

RegiondBudget *
regiond_budget_new (guint64 most)
{
  RegiondBudget *self = g_atomic_rc_box_new0 (RegiondBudget);

  g_mutex_init (&self->lock);
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
  g_mutex_clear (&self->lock);
}

void
regiond_budget_unref (RegiondBudget *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

static gboolean
add (RegiondBudget *self,
     guint64       *sum,
     const char    *verb,
     guint64        bytes,
     GError       **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  g_autofree char *asked = regiond_units_format_size (bytes);
  g_autofree char *most = regiond_units_format_size (self->most);
  g_autofree char *taken = regiond_units_format_size (*sum);

  /* Never a sum that could wrap: what is left is computed, not the total. */
  if (bytes > self->most || *sum > self->most - bytes)
    {
      g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
                   "%s bytes of memory asked for, and %s of MaxMemory=%s %s already; "
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
}

gboolean
regiond_budget_declare (RegiondBudget *self,
                        guint64        bytes,
                        GError       **error)
{
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
  return add (self, &self->held, "are held", bytes, error);
}

void
regiond_budget_give (RegiondBudget *self,
                     guint64        bytes)
{
  subtract (self, &self->held, bytes);
}

guint64
regiond_budget_get_held (RegiondBudget *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);

  return self->held;
}
