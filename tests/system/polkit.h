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

/* Everybody, if every detail is as WANTED says ("{ device: 'shm0', label: '' }": '' for what is not there); polkitd's
 * log has what is not. */
#define RULES_DETAILS(wanted) \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') != 0) return undefined;" \
  "  var wanted = " wanted ";" \
  "  for (var key in wanted) if ((action.lookup(key) || '') !== wanted[key]) {" \
  "    polkit.log('DETAIL ' + key + ' is ' + action.lookup(key));" \
  "    return polkit.Result.NO; }" \
  "  return polkit.Result.YES; });\n"

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

/* All that polkitd and its rules have told so far. */
char *polkit_read_log (void);

/* The test fails if somebody was not LET_IN by RULES_DETAILS, with the detail that was otherwise. */
void polkit_expect_details (gboolean let_in);

/*
 * Makes IMPLICIT ("auth_admin_keep", "yes") the default of every shipped action,
 * NULL: as shipped; returns when polkitd knows.
 */
void polkit_set_defaults (GDBusConnection *root,
                          const char *implicit);

/* Takes the shipped actions away; returns when polkitd knows of none. */
void polkit_forget_actions (GDBusConnection *root);
