/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "log.h"

#include <gio/gio.h>

/* The bus names that hold or ask for leases. One NameOwnerChanged subscription
 * serves them all: a match rule for each name would fail in silence above the
 * bus's limit of 512 (max_match_rules_per_connection). */
typedef struct _RegiondClients RegiondClients;
typedef struct _RegiondClient RegiondClient;

/* Told of each lease of a client whose name has vanished. */
typedef void (*RegiondVanishedFunc) (gpointer lease);

RegiondClients *regiond_clients_new (GDBusConnection *connection, RegiondVanishedFunc vanished);
void            regiond_clients_free (RegiondClients *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondClients, regiond_clients_free)

/* The client behind a unique name, made if need be. One that the bus has named
 * is remembered until it vanishes, so it is asked about once. */
RegiondClient  *regiond_clients_get (RegiondClients *self, const char *name);

RegiondClient  *regiond_client_ref (RegiondClient *self);
void            regiond_client_unref (RegiondClient *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondClient, regiond_client_unref)

/* One that is no bus name but a process, for which something is had whether its agent stays
 * or not: known, and never seen to leave. Its name is "process PID". */
RegiondClient  *regiond_client_new_process (guint32 uid, guint32 pid);
gboolean        regiond_client_is_process (RegiondClient *self);

/* Asks the bus who the client is; once known, answers at once. FALSE with Gone
 * when the client has left. */
void            regiond_client_identify (RegiondClient *self, GAsyncReadyCallback callback, gpointer data);
gboolean        regiond_client_identify_finish (RegiondClient *self, GAsyncResult *result, GError **error);
gboolean        regiond_client_is_known (RegiondClient *self);

const char     *regiond_client_get_name (RegiondClient *self);
guint32         regiond_client_get_uid (RegiondClient *self); /* after identify; before, G_MAXUINT32 */
guint32         regiond_client_get_pid (RegiondClient *self); /* after identify; for people to read */

/* Fills in owner, uid and pid. */
void            regiond_client_describe (RegiondClient *self, RegiondRecord *record);

/* Cancelled when the name vanishes. */
GCancellable   *regiond_client_get_gone (RegiondClient *self);
gboolean        regiond_client_is_gone (RegiondClient *self);

void            regiond_client_add_lease (RegiondClient *self, gpointer lease);
void            regiond_client_remove_lease (RegiondClient *self, gpointer lease);
