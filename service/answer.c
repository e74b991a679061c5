/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "answer.h"

#include "error.h"

/* A remembered authorization (*_keep) was given for some other question:
 * polkit keeps it by process and action, without the details (docs/polkit.md). */
RegiondAnswer
regiond_answer_read (PolkitAuthorizationResult *result)
{
  if (polkit_authorization_result_get_is_challenge (result))
    return REGIOND_ANSWER_CHALLENGE;
  if (!polkit_authorization_result_get_is_authorized (result))
    return REGIOND_ANSWER_NO;
  return polkit_authorization_result_get_temporary_authorization_id (result) == NULL ? REGIOND_ANSWER_YES
                                                                                     : REGIOND_ANSWER_REMEMBERED;
}

static char *
make_reason (RegiondAnswer          self,
             const RegiondQuestion *question)
{
  const char *action = question->action;

  if (self == REGIOND_ANSWER_REMEMBERED)
    return g_strdup_printf ("polkit remembers an authorization for the action %s that may have been given for another "
                            "device; such (…_keep) is not accepted, take it out of the policy", action);
  if (self == REGIOND_ANSWER_NO)
    return g_strdup_printf ("polkit refuses the action %s; an administrator can allow it with a rule in "
                            "/etc/polkit-1/rules.d", action);
  if (question->interactive)
    return g_strdup_printf ("polkit wants authentication for the action %s, and it was dismissed, failed, or no agent is "
                            "there to ask", action);
  return g_strdup_printf ("polkit refuses the action %s without authentication, and the call does not permit a prompt; "
                          "permit it (gdbus call --interactive, or the option 'interactive'), or add a rule in "
                          "/etc/polkit-1/rules.d", action);
}

GError *
regiond_answer_make_error (RegiondAnswer          self,
                           const RegiondQuestion *question)
{
  gboolean prompt_is_missing = self == REGIOND_ANSWER_CHALLENGE && !question->interactive;
  g_autofree char *reason = make_reason (self, question);

  g_assert (self != REGIOND_ANSWER_YES);
  return g_error_new (prompt_is_missing ? REGIOND_ERROR : G_DBUS_ERROR,
                      prompt_is_missing ? REGIOND_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED : G_DBUS_ERROR_ACCESS_DENIED,
                      "Not allowed to %s: %s", question->purpose, reason);
}
