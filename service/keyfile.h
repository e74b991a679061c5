/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* A key file read strictly: text in UTF-8, no key and no group twice. Errors
 * name the file, the group and the key. */
typedef struct _RegiondKeyFile RegiondKeyFile;

RegiondKeyFile *regiond_key_file_load (const char *path, GError **error);
void            regiond_key_file_free (RegiondKeyFile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (RegiondKeyFile, regiond_key_file_free)

/* NULL-terminated, in the order of the file. */
char          **regiond_key_file_get_groups (RegiondKeyFile *self);

/* FALSE if @group has a key that is not among the NULL-terminated @known. */
gboolean        regiond_key_file_check_keys (RegiondKeyFile *self, const char *group, const char *const *known,
                                             GError **error);

/* The value, or NULL where the key is not there. FALSE: it is no string. */
gboolean        regiond_key_file_get_string (RegiondKeyFile *self, const char *group, const char *key, char **value,
                                             GError **error);

/* Says that @value of @group and @key is not @wanted. Always FALSE. */
gboolean        regiond_key_file_refuse (RegiondKeyFile *self, const char *group, const char *key, const char *value,
                                         const char *wanted, GError **error);

/* Says what else is wrong with a group. Always FALSE. */
gboolean        regiond_key_file_refuse_group (RegiondKeyFile *self, const char *group, const char *why,
                                               GError **error);
