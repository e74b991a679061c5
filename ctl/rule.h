/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Who is let in by a rule: a user, or (if @group is not NULL) a group. */
typedef struct
{
  const char *user;
  const char *group;
} CtlRuleSubject;

/* The text of a polkit rule, ready for /etc/polkit-1/rules.d, that answers yes to
 * @action with those of the @details (a{ss}) that say what is had and how, and to nothing
 * else. It does not look at what the client says of itself (label) or what may
 * change under the same device (its description, driver and IOMMU group). */
char *ctl_rule_make (const char           *action,
                     GVariant             *details,
                     const CtlRuleSubject *subject);
