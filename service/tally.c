/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tally.h"

struct _RegiondTally {
  GHashTable *scores; /* uid -> Score */
};

/* Of the second that began with the first of it. */
typedef struct {
  gint64 since;
  guint  told;
  guint  omitted;
} Score;

RegiondTally *
regiond_tally_new (void)
{
  RegiondTally *self = g_new (RegiondTally, 1);

  self->scores = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  return self;
}

void
regiond_tally_free (RegiondTally *self)
{
  g_hash_table_unref (self->scores);
  g_free (self);
}

/* Nothing is owed to him: the next one begins anew anyway. */
static gboolean
is_settled (gpointer uid,
            gpointer score,
            gpointer now)
{
  return ((Score *) score)->omitted == 0 && ((Score *) score)->since + G_USEC_PER_SEC <= *(gint64 *) now;
}

static Score *
find_score (RegiondTally *self,
            guint32       uid,
            gint64        now)
{
  Score *score = g_hash_table_lookup (self->scores, GUINT_TO_POINTER (uid));

  if (score != NULL)
    return score;

  g_hash_table_foreach_remove (self->scores, is_settled, &now);
  score = g_new0 (Score, 1);
  score->since = now;
  g_hash_table_insert (self->scores, GUINT_TO_POINTER (uid), score);
  return score;
}

gboolean
regiond_tally_count (RegiondTally *self,
                     guint32       uid,
                     gint64        now,
                     guint        *omitted)
{
  Score *score = find_score (self, uid, now);

  if (score->since + G_USEC_PER_SEC <= now)
    {
      score->since = now;
      score->told = 0;
    }
  if (score->told == REGIOND_TALLY_MOST)
    {
      score->omitted++;
      return FALSE;
    }

  score->told++;
  *omitted = score->omitted;
  score->omitted = 0;
  return TRUE;
}
