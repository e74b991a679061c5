/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Everybody may do everything with regiond, and polkitd's log has what it was asked with. */
#define VOCABULARY_RULES \
  "polkit.addRule(function(action, subject) {" \
  "  if (action.id.indexOf('org.regiond1.') != 0) return undefined;" \
  "  polkit.log('' + action);" \
  "  return polkit.Result.YES; });\n"

/*
 * Every detail that polkit has been asked with under these rules stands in polkit.md and in
 * org.regiond1.policy(5), as installed. Those of KEYS, NULL-terminated, were among them.
 */
void vocabulary_expect (const char *const *keys);
