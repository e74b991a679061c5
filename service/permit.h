/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "authority.h"
#include "client.h"

/* Whether there is any point in asking polkit. */
typedef gboolean (*RegiondPermitFunc) (gpointer data, GError **error);

/* Who asks, and may he? First the bus is asked for the user, whose turn with
 * polkit it is. Then @worthwhile, if there is one, is called with @data: its
 * error is the answer, and nobody is asked for a password in vain. Then polkit.
 * Takes @question; NULL where the caller needs no leave. Ends early, with
 * G_IO_ERROR_CANCELLED or Gone, when the client leaves. */
void     regiond_permit_ask (RegiondAuthority *authority, RegiondClient *client, RegiondQuestion *question,
                             RegiondPermitFunc worthwhile, GAsyncReadyCallback callback, gpointer data);

/* FALSE with what is in the way: the errors of regiond_client_identify(),
 * @worthwhile and regiond_authority_check(). */
gboolean regiond_permit_ask_finish (GAsyncResult *result, GError **error);
