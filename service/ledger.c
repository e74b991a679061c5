/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ledger.h"

#include "counts.h"
#include "error.h"
#include "units.h"

/* Memory that is charged once, however many leases it is charged for. */
typedef struct {
  guint   leases;
  guint64 bytes;
} Item;

typedef struct {
  guint       leases;
  guint       proxied; /* among them */
  GHashTable *lent;       /* device -> Item */
  GHashTable *left;       /* object of ended leases -> Item */
  guint64     lent_bytes; /* their sums */
  guint64     left_bytes;
} Account;

struct _RegiondLedger {
  RegiondLimits limits;
  GMutex        lock;
  guint         leases;
  GHashTable   *accounts;    /* uid -> Account */
  RegiondCounts *connections; /* bus name -> how many leases */
};

struct _RegiondCharge {
  RegiondLedger *ledger;
  guint32        uid;
  char          *connection;
  gboolean       proxied;
  gconstpointer  key;   /* of its Item, or NULL */
  gboolean       ended; /* where that is: among what is left */
};

static void
account_free (Account *self)
{
  g_hash_table_unref (self->lent);
  g_hash_table_unref (self->left);
  g_free (self);
}

RegiondLedger *
regiond_ledger_new (const RegiondLimits *limits)
{
  RegiondLedger *self = g_atomic_rc_box_new0 (RegiondLedger);

  self->limits = *limits;
  g_mutex_init (&self->lock);
  self->accounts = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) account_free);
  self->connections = regiond_counts_new ();
  return self;
}

RegiondLedger *
regiond_ledger_ref (RegiondLedger *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
clear (RegiondLedger *self)
{
  g_hash_table_unref (self->accounts);
  g_hash_table_unref (self->connections);
  g_mutex_clear (&self->lock);
}

void
regiond_ledger_unref (RegiondLedger *self)
{
  g_atomic_rc_box_release_full (self, (GDestroyNotify) clear);
}

static Account *
get_account (RegiondLedger *self,
             guint32        uid)
{
  Account *account = g_hash_table_lookup (self->accounts, GUINT_TO_POINTER (uid));

  if (account != NULL)
    return account;

  account = g_new0 (Account, 1);
  account->lent = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  account->left = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  g_hash_table_insert (self->accounts, GUINT_TO_POINTER (uid), account);
  return account;
}

/* An account of nobody's any more. */
static void
settle (RegiondLedger *self,
        guint32        uid)
{
  Account *account = g_hash_table_lookup (self->accounts, GUINT_TO_POINTER (uid));

  if (account->leases == 0)
    g_hash_table_remove (self->accounts, GUINT_TO_POINTER (uid));
}

static void
take (GHashTable   *items,
      guint64      *sum,
      gconstpointer key,
      guint64       bytes)
{
  Item *item = g_hash_table_lookup (items, key);

  if (item == NULL)
    {
      item = g_new0 (Item, 1);
      item->bytes = bytes;
      *sum += bytes;
      g_hash_table_insert (items, (gpointer) key, item);
    }
  item->leases++;
}

static void
give (GHashTable   *items,
      guint64      *sum,
      gconstpointer key)
{
  Item *item = g_hash_table_lookup (items, key);

  if (--item->leases > 0)
    return;

  *sum -= item->bytes;
  g_hash_table_remove (items, key);
}

/* What clients that misbehave get by the thousand is short: it stays on the bus
 * until they read it. */
static gboolean
check_leases (RegiondLedger         *self,
              Account               *account,
              const RegiondPurchase *purchase,
              GError               **error)
{
  if (regiond_counts_get (self->connections, purchase->connection) >= self->limits.leases_per_connection)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
                 "%s has %u leases, as many as a connection may (MaxLeasesPerConnection), or their fds are still "
                 "open somewhere; release and close some", purchase->connection, self->limits.leases_per_connection);
  else if (account->leases >= self->limits.leases_per_user)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
                 "User %u has %u leases, as many as a user may (MaxLeasesPerUser), or their fds are still open "
                 "somewhere; release and close some", purchase->uid, self->limits.leases_per_user);
  else if (purchase->proxied && account->proxied >= self->limits.proxied_leases_per_user)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
                 "User %u has %u proxied leases, as many as a user may (MaxProxiedLeasesPerUser), or their fds are "
                 "still open somewhere; release and close some, or ask for 'rm' or 'rwm' where the region has it",
                 purchase->uid, self->limits.proxied_leases_per_user);
  else if (self->leases >= self->limits.leases)
    g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
                 "There are %u leases of all users together, as many as there may be (MaxLeases); "
                 "wait until some have ended", self->limits.leases);
  else
    return TRUE;

  return FALSE;
}

/* Never a sum that could wrap: what is left is computed, not the total. */
static gboolean
fits (RegiondLedger *self,
      guint64        sum,
      guint64        bytes)
{
  guint64 most = self->limits.memory_per_user;

  return bytes <= most && sum <= most - bytes;
}

/* @left: what ended leases of the user still have. */
static gboolean
check_memory (RegiondLedger         *self,
              Account               *account,
              const RegiondPurchase *purchase,
              guint64                left,
              GError               **error)
{
  g_autofree char *asked = NULL, *taken = NULL, *most = NULL;

  if (g_hash_table_contains (account->lent, purchase->device) ||
      fits (self, account->lent_bytes + left, purchase->memory))
    return TRUE;

  asked = regiond_units_format_size (purchase->memory);
  taken = regiond_units_format_size (account->lent_bytes + left);
  most = regiond_units_format_size (self->limits.memory_per_user);
  g_set_error (error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED,
               "The device has %s of memory, and user %u has %s of MaxMemoryPerUser=%s already; release and close "
               "something, or raise it in regiond.conf", asked, purchase->uid, taken, most);
  return FALSE;
}

gboolean
regiond_ledger_admits (RegiondLedger         *self,
                       const RegiondPurchase *purchase,
                       GError               **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  Account *account = get_account (self, purchase->uid);
  gboolean admitted = check_leases (self, account, purchase, error) &&
                      check_memory (self, account, purchase, 0, error);

  settle (self, purchase->uid);
  return admitted;
}

static gboolean
check (RegiondLedger         *self,
       Account               *account,
       const RegiondPurchase *purchase,
       gboolean              *patience,
       GError               **error)
{
  *patience = FALSE;
  if (!check_leases (self, account, purchase, error) || !check_memory (self, account, purchase, 0, error))
    return FALSE;

  *patience = TRUE;
  return check_memory (self, account, purchase, account->left_bytes, error);
}

RegiondCharge *
regiond_ledger_charge (RegiondLedger         *self,
                       const RegiondPurchase *purchase,
                       gboolean              *patience,
                       GError               **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  Account *account = get_account (self, purchase->uid);
  RegiondCharge *charge;

  if (!check (self, account, purchase, patience, error))
    {
      settle (self, purchase->uid);
      return NULL;
    }

  self->leases++;
  account->leases++;
  account->proxied += purchase->proxied;
  regiond_counts_change (self->connections, purchase->connection, 1);
  take (account->lent, &account->lent_bytes, purchase->device, purchase->memory);

  charge = g_new (RegiondCharge, 1);
  *charge = (RegiondCharge){
    .ledger = regiond_ledger_ref (self),
    .uid = purchase->uid,
    .connection = g_strdup (purchase->connection),
    .proxied = purchase->proxied,
    .key = purchase->device,
  };
  return charge;
}

static void
give_memory (RegiondCharge *self,
             Account       *account)
{
  if (self->key == NULL)
    return;

  if (self->ended)
    give (account->left, &account->left_bytes, self->key);
  else
    give (account->lent, &account->lent_bytes, self->key);
  self->key = NULL;
}

void
regiond_charge_end (RegiondCharge *self,
                    gconstpointer  object,
                    guint64        bytes)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->ledger->lock);
  Account *account = get_account (self->ledger, self->uid);

  give_memory (self, account);
  self->ended = TRUE;
  self->key = object;
  if (object != NULL)
    take (account->left, &account->left_bytes, object, bytes);
}

void
regiond_charge_free (RegiondCharge *self)
{
  g_autoptr (RegiondLedger) ledger = self->ledger; /* unlocked before it is let go of */
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&ledger->lock);
  Account *account = get_account (ledger, self->uid);

  give_memory (self, account);
  regiond_counts_change (ledger->connections, self->connection, -1);
  ledger->leases--;
  account->leases--;
  account->proxied -= self->proxied;
  settle (ledger, self->uid);
  g_free (self->connection);
  g_free (self);
}
