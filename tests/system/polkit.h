/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "process.h"

#define ACTION_READ "org.regiond1.read-region"
#define ACTION_WRITE "org.regiond1.write-region"
#define ACTION_RESET "org.regiond1.reset-device"
#define ACTION_REVOKE "org.regiond1.revoke-lease"
#define ACTION_MANAGE "org.regiond1.manage-devices"

/* Everybody may do everything with regiond. */
#define RULES_ALLOW_ALL \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') == 0) return polkit.Result.YES; });\n"

/* Starts the real polkitd on the test's bus and waits until it answers. */
Process *polkit_start (GDBusConnection *root);

/* Puts the shipped actions, without any rule, into force before polkitd is started. */
void polkit_prepare (void);

/*
 * Makes RULES (JavaScript) the only ones beside Debian's own, and returns when
 * polkitd judges by them. WITNESS: the bus name of a client that is not root.
 */
void polkit_set_rules (GDBusConnection *root,
                       const char *witness,
                       const char *rules);

/* The same, and does not wait for polkitd. */
void polkit_write_rules (const char *rules);

/* How often a rule has written a line with WORD into polkitd's log (polkit.log). */
guint polkit_count_log (const char *word);

/*
 * Makes IMPLICIT ("auth_admin_keep", "yes") the default of every shipped action,
 * NULL: as shipped; returns when polkitd knows.
 */
void polkit_set_defaults (GDBusConnection *root,
                          const char *implicit);

/* Takes the shipped actions away; returns when polkitd knows of none. */
void polkit_forget_actions (GDBusConnection *root);
