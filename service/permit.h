/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "authority.h"
#include "client.h"

/* Who asks, and may he: both are asked at once, one wait instead of two. Takes
 * @question; NULL where only the first is to be known. Ends early, with
 * G_IO_ERROR_CANCELLED or Gone, when the client leaves. */
void     regiond_permit_ask (RegiondAuthority *authority, RegiondClient *client, RegiondQuestion *question,
                             GAsyncReadyCallback callback, gpointer data);

/* FALSE with the first thing in the way: the errors of regiond_client_identify()
 * and regiond_authority_check(). */
gboolean regiond_permit_ask_finish (GAsyncResult *result, GError **error);
