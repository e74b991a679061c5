/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* The field's words and how each is spelled on the bus. */

/* What a holder may do with a region: letters out of r, w, m. */
typedef enum {
  REGIOND_ACCESS_READ = 1 << 0,
  REGIOND_ACCESS_WRITE = 1 << 1,
  REGIOND_ACCESS_MAP = 1 << 2,
} RegiondAccess;

/* Valid are r, w, rw, rm and rwm, spelled just so; anything else is FALSE. */
gboolean    regiond_access_parse (const char *text, RegiondAccess *access);
const char *regiond_access_to_string (RegiondAccess access);

/* How the fd is made. */
typedef enum {
  REGIOND_MECHANISM_NONE,
  REGIOND_MECHANISM_MEMFD,
  REGIOND_MECHANISM_PROXY,
  REGIOND_MECHANISM_BAR,
  REGIOND_MECHANISM_SNAPSHOT,
} RegiondMechanism;

const char *regiond_mechanism_to_string (RegiondMechanism mechanism);

/* What the kernel guarantees after the end of a lease; a higher value is a
 * stronger guarantee. */
typedef enum {
  REGIOND_REVOCATION_ON_CLOSE,
  REGIOND_REVOCATION_DETACHED,
  REGIOND_REVOCATION_IMMEDIATE,
} RegiondRevocation;

gboolean    regiond_revocation_parse (const char *text, RegiondRevocation *revocation);
const char *regiond_revocation_to_string (RegiondRevocation revocation);

typedef enum {
  REGIOND_DEVICE_PARKED,
  REGIOND_DEVICE_LEASED,
  REGIOND_DEVICE_DRAINING,
  REGIOND_DEVICE_RESETTING,
  REGIOND_DEVICE_FAILED,
  REGIOND_DEVICE_GONE,
} RegiondDeviceState;

const char *regiond_device_state_to_string (RegiondDeviceState state);

/* What becomes of a lease when the policy changes (Authorization= in the
 * configuration). */
typedef enum {
  REGIOND_AUTHORIZATION_ONE_SHOT,   /* nothing */
  REGIOND_AUTHORIZATION_CONTINUING, /* it ends when it would not be granted now, prompts aside if there was one */
  REGIOND_AUTHORIZATION_STRICT,     /* it ends when it would not be granted now without a prompt */
} RegiondAuthorization;

/* "one-shot", "continuing" or "strict". */
gboolean    regiond_authorization_parse (const char *text, RegiondAuthorization *authorization);

typedef enum {
  REGIOND_LEASE_ACTIVE,
  REGIOND_LEASE_REVOKING,
  REGIOND_LEASE_LINGERING,
} RegiondLeaseState;

const char *regiond_lease_state_to_string (RegiondLeaseState state);

/* Why a lease ended. */
typedef enum {
  REGIOND_END_RELEASED,
  REGIOND_END_DISCONNECTED,
  REGIOND_END_REVOKED,
  REGIOND_END_WITHDRAWN,
  REGIOND_END_SUPERSEDED,
  REGIOND_END_REMOVED,
  REGIOND_END_UNPLUGGED,
  REGIOND_END_PROCESS_ENDED,
  REGIOND_END_SHUTDOWN,
} RegiondEnd;

const char *regiond_end_to_string (RegiondEnd end);
