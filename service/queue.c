/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "queue.h"

typedef struct {
  GQueue  waiting;
  guint   served; /* places that he has */
  guint64 tag;
  guint64 arrival; /* when he last came with nothing else waiting */
} User;

struct _RegiondQueue {
  guint       places;
  guint       share;
  guint       reserve;
  guint       served;
  guint64     clock;    /* the tag of whoever was served last */
  guint64     arrivals; /* counts them */
  GHashTable *users;    /* uid -> User */
};

static void
user_free (User *self)
{
  g_assert (g_queue_is_empty (&self->waiting));
  g_free (self);
}

RegiondQueue *
regiond_queue_new (guint places,
                   guint share,
                   guint reserve)
{
  RegiondQueue *self = g_new0 (RegiondQueue, 1);

  self->places = places;
  self->share = share;
  self->reserve = reserve;
  self->users = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) user_free);
  return self;
}

void
regiond_queue_free (RegiondQueue *self)
{
  g_hash_table_unref (self->users);
  g_free (self);
}

static User *
get_user (RegiondQueue *self,
          guint32       uid)
{
  User *user = g_hash_table_lookup (self->users, GUINT_TO_POINTER (uid));

  if (user != NULL)
    return user;

  user = g_new0 (User, 1);
  g_queue_init (&user->waiting);
  g_hash_table_insert (self->users, GUINT_TO_POINTER (uid), user);
  return user;
}

void
regiond_queue_push (RegiondQueue *self,
                    guint32       uid,
                    gpointer      item)
{
  User *user = get_user (self, uid);

  if (g_queue_is_empty (&user->waiting))
    {
      user->tag = MAX (user->tag, self->clock);
      user->arrival = ++self->arrivals;
    }
  g_queue_push_tail (&user->waiting, item);
}

/* A user who has nothing here, and no more on his account than a stranger. */
static gboolean
is_stranger (RegiondQueue *self,
             User         *user)
{
  return g_queue_is_empty (&user->waiting) && user->served == 0 && user->tag <= self->clock;
}

static gboolean
is_before (User *user,
           User *other)
{
  return other == NULL || user->tag < other->tag || (user->tag == other->tag && user->arrival > other->arrival);
}

/* Users are few: those with a call in polkit's way. */
static User *
find_next (RegiondQueue *self,
           guint         share)
{
  GHashTableIter iter;
  User *user, *next = NULL;

  g_hash_table_iter_init (&iter, self->users);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &user))
    {
      if (is_stranger (self, user))
        g_hash_table_iter_remove (&iter);
      else if (!g_queue_is_empty (&user->waiting) && user->served < share && is_before (user, next))
        next = user;
    }

  return next;
}

gpointer
regiond_queue_peek (RegiondQueue *self)
{
  User *user = find_next (self, self->share);

  return user != NULL ? g_queue_peek_head (&user->waiting) : NULL;
}

guint
regiond_queue_count_served (RegiondQueue *self)
{
  return self->served;
}

/* How many the next one may have already. */
static guint
get_share (RegiondQueue *self)
{
  if (self->served < self->places)
    return self->share;

  return self->served < self->places + self->reserve ? 1 : 0;
}

gpointer
regiond_queue_serve (RegiondQueue *self)
{
  User *user = find_next (self, get_share (self));

  if (user == NULL)
    return NULL;

  self->clock = MAX (self->clock, user->tag);
  user->tag = self->clock + 1;
  user->served++;
  self->served++;
  return g_queue_pop_head (&user->waiting);
}

void
regiond_queue_done (RegiondQueue *self,
                    guint32       uid)
{
  User *user = get_user (self, uid);

  g_assert (user->served > 0);
  user->served--;
  self->served--;
}

void
regiond_queue_withdraw (RegiondQueue *self,
                        guint32       uid,
                        gpointer      item)
{
  gboolean found = g_queue_remove (&get_user (self, uid)->waiting, item);

  g_assert (found);
}

gpointer
regiond_queue_steal (RegiondQueue *self)
{
  User *user = find_next (self, G_MAXUINT);

  return user != NULL ? g_queue_pop_head (&user->waiting) : NULL;
}

guint
regiond_queue_count (RegiondQueue *self,
                     guint32       uid)
{
  User *user = g_hash_table_lookup (self->users, GUINT_TO_POINTER (uid));

  return user != NULL ? g_queue_get_length (&user->waiting) + user->served : 0;
}
