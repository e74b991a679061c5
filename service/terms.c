/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "terms.h"

static const struct {
  const char   *text;
  RegiondAccess access;
} accesses[] = {
  { "r", REGIOND_ACCESS_READ },
  { "w", REGIOND_ACCESS_WRITE },
  { "rw", REGIOND_ACCESS_READ | REGIOND_ACCESS_WRITE },
  { "rm", REGIOND_ACCESS_READ | REGIOND_ACCESS_MAP },
  { "rwm", REGIOND_ACCESS_READ | REGIOND_ACCESS_WRITE | REGIOND_ACCESS_MAP },
};

gboolean
regiond_access_parse (const char    *text,
                      RegiondAccess *access)
{
  for (gsize i = 0; i < G_N_ELEMENTS (accesses); i++)
    {
      if (g_str_equal (text, accesses[i].text))
        {
          *access = accesses[i].access;
          return TRUE;
        }
    }

  return FALSE;
}

const char *
regiond_access_to_string (RegiondAccess access)
{
  for (gsize i = 0; i < G_N_ELEMENTS (accesses); i++)
    {
      if (accesses[i].access == access)
        return accesses[i].text;
    }

  g_assert_not_reached ();
}

const char *
regiond_mechanism_to_string (RegiondMechanism mechanism)
{
  switch (mechanism)
    {
    case REGIOND_MECHANISM_NONE:
      return "";
    case REGIOND_MECHANISM_MEMFD:
      return "memfd";
    case REGIOND_MECHANISM_PROXY:
      return "proxy";
    case REGIOND_MECHANISM_BAR:
      return "bar";
    case REGIOND_MECHANISM_SNAPSHOT:
      return "snapshot";
    }

  g_assert_not_reached ();
}

/* @value: of the enum that the words are of. */
static gboolean
find_word (const char *const *words,
           guint              n_words,
           const char        *text,
           guint             *value)
{
  for (guint i = 0; i < n_words; i++)
    {
      if (g_str_equal (text, words[i]))
        {
          *value = i;
          return TRUE;
        }
    }

  return FALSE;
}

static const char *const authorizations[] = {
  [REGIOND_AUTHORIZATION_ONE_SHOT] = "one-shot",
  [REGIOND_AUTHORIZATION_CONTINUING] = "continuing",
  [REGIOND_AUTHORIZATION_STRICT] = "strict",
};

gboolean
regiond_authorization_parse (const char           *text,
                             RegiondAuthorization *authorization)
{
  return find_word (authorizations, G_N_ELEMENTS (authorizations), text, authorization);
}

static const char *const revocations[] = {
  [REGIOND_REVOCATION_ON_CLOSE] = "on-close",
  [REGIOND_REVOCATION_DETACHED] = "detached",
  [REGIOND_REVOCATION_IMMEDIATE] = "immediate",
};

gboolean
regiond_revocation_parse (const char        *text,
                          RegiondRevocation *revocation)
{
  return find_word (revocations, G_N_ELEMENTS (revocations), text, revocation);
}

const char *
regiond_revocation_to_string (RegiondRevocation revocation)
{
  return revocations[revocation];
}

const char *
regiond_device_state_to_string (RegiondDeviceState state)
{
  static const char *const names[] = {
    [REGIOND_DEVICE_PARKED] = "parked",       [REGIOND_DEVICE_LEASED] = "leased",
    [REGIOND_DEVICE_DRAINING] = "draining",   [REGIOND_DEVICE_RESETTING] = "resetting",
    [REGIOND_DEVICE_FAILED] = "failed",       [REGIOND_DEVICE_GONE] = "gone",
  };

  return names[state];
}

const char *
regiond_lease_state_to_string (RegiondLeaseState state)
{
  static const char *const names[] = {
    [REGIOND_LEASE_ACTIVE] = "active",
    [REGIOND_LEASE_REVOKING] = "revoking",
    [REGIOND_LEASE_LINGERING] = "lingering",
  };

  return names[state];
}

const char *
regiond_end_to_string (RegiondEnd end)
{
  static const char *const names[] = {
    [REGIOND_END_RELEASED] = "released",     [REGIOND_END_DISCONNECTED] = "disconnected",
    [REGIOND_END_REVOKED] = "revoked",       [REGIOND_END_WITHDRAWN] = "withdrawn",
    [REGIOND_END_SUPERSEDED] = "superseded", [REGIOND_END_REMOVED] = "removed",
    [REGIOND_END_UNPLUGGED] = "unplugged",   [REGIOND_END_PROCESS_ENDED] = "process-ended",
    [REGIOND_END_SHUTDOWN] = "shutdown",
  };

  return names[end];
}
