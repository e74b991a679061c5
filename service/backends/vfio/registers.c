/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/registers.h"

#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

/* Not in the headers of every system that this is built on. */
#define MSI_FLAGS_EXTENDED_DATA 0x0400

#define STATUS_FLAGS (PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | PCI_STATUS_REC_TARGET_ABORT | \
                      PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_SIG_SYSTEM_ERROR | PCI_STATUS_DETECTED_PARITY)
#define DEVSTA_FLAGS (PCI_EXP_DEVSTA_CED | PCI_EXP_DEVSTA_NFED | PCI_EXP_DEVSTA_FED | PCI_EXP_DEVSTA_URD)

#define LEGACY_END 0x100
#define VIRTIO_VENDOR 0x1af4

/* What may be done to each byte, bit by bit; and whether it is known whose it is. */
typedef struct {
  guint8 shared;
  guint8 exclusive;
  guint8 acts; /* when it is written as 1, whatever it reads as */
  guint8 claimed;
} Cell;

struct _RegiondRegisters {
  gsize  size;
  guint8 found[256]; /* capability -> offset, / 4 */
  Cell  *cells;
};

/* A register of one or two bytes. */
typedef struct {
  guint16 offset;
  guint16 shared;
  guint16 exclusive; /* also what is shared */
  guint16 acts;
} Rule;

/* INTx stays disabled: nobody would answer, and the system switches off a line that
 * nobody answers, under the neighbours that share it. */
static const Rule header_rules[] = {
  { PCI_COMMAND, .exclusive = PCI_COMMAND_IO | PCI_COMMAND_MEMORY },
  { PCI_STATUS, .shared = STATUS_FLAGS, .acts = STATUS_FLAGS },
  { PCI_CACHE_LINE_SIZE, .shared = 0xffff }, /* and the latency timer */
  { PCI_HEADER_TYPE, .exclusive = PCI_BIST_START << 8 },
};

static const Rule pm_rules[] = {
  { PCI_PM_CTRL, .exclusive = PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_DATA_SEL_MASK | PCI_PM_CTRL_PME_STATUS,
    .acts = PCI_PM_CTRL_PME_STATUS },
};

/* Where a device forgets itself on its way back from D3hot (PCI PM 1.2, 5.4.1), its
 * BARs would come to lie over others', and what isolates it would be gone. */
static const Rule forgetful_pm_rules[] = {
  { PCI_PM_CTRL, .exclusive = PCI_PM_CTRL_DATA_SEL_MASK | PCI_PM_CTRL_PME_STATUS, .acts = PCI_PM_CTRL_PME_STATUS },
};

/* With a 1 in F the data are written into the device's memory, for ever. */
static const Rule vpd_rules[] = {
  { PCI_VPD_ADDR, .exclusive = PCI_VPD_ADDR_MASK, .acts = PCI_VPD_ADDR_F },
};

static const Rule msi_rules[] = {
  { PCI_MSI_FLAGS, .exclusive = PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE | MSI_FLAGS_EXTENDED_DATA },
};

static const Rule msix_rules[] = {
  { PCI_MSIX_FLAGS, .exclusive = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL },
};

static const Rule express_rules[] = {
  { PCI_EXP_DEVSTA, .shared = DEVSTA_FLAGS, .acts = DEVSTA_FLAGS },
};

static guint
get_word (const guint8 *space,
          guint         offset)
{
  return space[offset] | space[offset + 1] << 8;
}

static guint32
get_long (const guint8 *space,
          guint         offset)
{
  return get_word (space, offset) | (guint32) get_word (space, offset + 2) << 16;
}

/* All of it belongs to one capability, and nothing of it may be changed. What two
 * claim may not be changed at all. */
static void
claim (RegiondRegisters *self,
       guint             offset,
       guint             length)
{
  for (guint i = offset; i < MIN (offset + length, self->size); i++)
    {
      guint8 before = self->cells[i].claimed;

      self->cells[i] = (Cell){ .claimed = before < 2 ? before + 1 : 2 };
    }
}

static void
allow (RegiondRegisters *self,
       guint             offset,
       guint8            shared,
       guint8            exclusive,
       guint8            acts)
{
  if (offset < self->size && self->cells[offset].claimed == 1)
    self->cells[offset] = (Cell){ shared, shared | exclusive, acts, 1 };
}

/* For those who have the device for themselves. */
static void
allow_range (RegiondRegisters *self,
             guint             offset,
             guint             end)
{
  for (guint i = offset; i < end; i++)
    allow (self, i, 0, 0xff, 0);
}

static void
apply (RegiondRegisters *self,
       guint             base,
       const Rule       *rules,
       gsize             n)
{
  for (gsize i = 0; i < n; i++)
    {
      allow (self, base + rules[i].offset, rules[i].shared, rules[i].exclusive, rules[i].acts);
      allow (self, base + rules[i].offset + 1, rules[i].shared >> 8, rules[i].exclusive >> 8, rules[i].acts >> 8);
    }
}

static void
apply_power (RegiondRegisters *self,
             const guint8     *space,
             guint             base)
{
  gboolean keeps = (get_word (space, base + PCI_PM_CTRL) & PCI_PM_CTRL_NO_SOFT_RESET) != 0;

  claim (self, base, PCI_PM_SIZEOF);
  apply (self, base, keeps ? pm_rules : forgetful_pm_rules, 1);
}

/* Address, data and mask; the pending bits behind them are the device's. */
static void
apply_msi (RegiondRegisters *self,
           const guint8     *space,
           guint             base)
{
  guint flags = get_word (space, base + PCI_MSI_FLAGS);
  guint mask = flags & PCI_MSI_FLAGS_64BIT ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32;
  gboolean masked = (flags & PCI_MSI_FLAGS_MASKBIT) != 0;

  claim (self, base, masked ? mask + 8 : mask);
  apply (self, base, msi_rules, G_N_ELEMENTS (msi_rules));
  allow_range (self, base + PCI_MSI_ADDRESS_LO, base + (masked ? mask + 4 : mask));
}

/* Through a virtio device's window in config space its BARs can be read and
 * written (VIRTIO_PCI_CAP_PCI_CFG): regions that nobody was asked about. */
static void
apply_vendor (RegiondRegisters *self,
              const guint8     *space,
              guint             base)
{
  guint length = MIN (MAX (space[base + 2], 4), LEGACY_END - base);

  claim (self, base, length);
  if (get_word (space, PCI_VENDOR_ID) != VIRTIO_VENDOR || space[base + 3] != VIRTIO_PCI_CAP_PCI_CFG)
    allow_range (self, base + 3, base + length);
}

/* An endpoint in the root complex has no link (PCIe 6.0, 7.5.3). */
static guint
get_express_length (guint flags)
{
  guint type = (flags & PCI_EXP_FLAGS_TYPE) >> 4;
  gboolean linked = type != PCI_EXP_TYPE_RC_END && type != PCI_EXP_TYPE_RC_EC;

  if ((flags & PCI_EXP_FLAGS_VERS) < 2)
    return linked ? PCI_EXP_LNKSTA + 2 : PCI_EXP_DEVSTA + 2;
  return linked ? PCI_EXP_SLTSTA2 + 2 : PCI_EXP_LNKCAP2;
}

static void
apply_express (RegiondRegisters *self,
               const guint8     *space,
               guint             base)
{
  claim (self, base, get_express_length (get_word (space, base + PCI_EXP_FLAGS)));
  apply (self, base, express_rules, G_N_ELEMENTS (express_rules));
}

/* The capability at @base, after which the next one is at @next. */
static void
apply_capability (RegiondRegisters *self,
                  const guint8     *space,
                  guint             base,
                  guint             next)
{
  switch (space[base])
    {
    case PCI_CAP_ID_PM:
      apply_power (self, space, base);
      break;
    case PCI_CAP_ID_VPD:
      claim (self, base, PCI_CAP_VPD_SIZEOF);
      apply (self, base, vpd_rules, G_N_ELEMENTS (vpd_rules));
      break;
    case PCI_CAP_ID_MSI:
      apply_msi (self, space, base);
      break;
    case PCI_CAP_ID_MSIX:
      claim (self, base, PCI_CAP_MSIX_SIZEOF);
      apply (self, base, msix_rules, G_N_ELEMENTS (msix_rules));
      break;
    case PCI_CAP_ID_VNDR:
      apply_vendor (self, space, base);
      break;
    case PCI_CAP_ID_EXP:
      apply_express (self, space, base);
      break;
    case PCI_CAP_ID_SSVID:
      claim (self, base, 8);
      break;
    case PCI_CAP_ID_AF:
      claim (self, base, PCI_CAP_AF_SIZEOF + 2);
      break;
    default:
      claim (self, base, next - base);
    }
}

/* The least that is part of what keeps a device isolated, wherever the next
 * capability claims to be. */
static guint
get_least_length (guint id)
{
  switch (id)
    {
    case PCI_EXT_CAP_ID_SRIOV:
      return PCI_EXT_CAP_SRIOV_SIZEOF;
    case PCI_EXT_CAP_ID_PRI:
      return PCI_EXT_CAP_PRI_SIZEOF;
    default:
      return 12;
    }
}

static void
apply_extended (RegiondRegisters *self,
                const guint8     *space,
                guint             base,
                guint             next)
{
  guint id = get_word (space, base), length = next - base;

  if (id != PCI_EXT_CAP_ID_VNDR)
    {
      claim (self, base, MAX (length, get_least_length (id)));
      return;
    }

  if (base + PCI_VNDR_HEADER + 4 <= self->size)
    length = MIN (MAX (PCI_VNDR_HEADER_LEN (get_long (space, base + PCI_VNDR_HEADER)), 8), self->size - base);
  claim (self, base, length);
  allow_range (self, base + 8, base + length);
}

/* What belongs to no capability is the device's own, where all of them are known. */
static void
allow_rest (RegiondRegisters *self,
            guint             start,
            guint             end)
{
  for (guint i = start; i < end; i++)
    {
      if (!self->cells[i].claimed)
        self->cells[i].exclusive = 0xff;
    }
}

/* Marks where capabilities are in @starts. FALSE for a list that is none. */
static gboolean
walk (const guint8 *space,
      gboolean     *starts)
{
  guint at = space[PCI_CAPABILITY_LIST] & ~3;

  if (!(get_word (space, PCI_STATUS) & PCI_STATUS_CAP_LIST))
    return TRUE;

  while (at != 0)
    {
      if (at < PCI_STD_HEADER_SIZEOF || starts[at] || space[at] == 0xff)
        return FALSE;
      starts[at] = TRUE;
      at = space[at + PCI_CAP_LIST_NEXT] & ~3;
    }

  return TRUE;
}

static gboolean
walk_extended (const guint8 *space,
               gboolean     *starts)
{
  guint at = LEGACY_END;
  guint32 header = get_long (space, at);

  if (header == 0)
    return TRUE;

  while (at != 0)
    {
      header = get_long (space, at);
      if (at < LEGACY_END || starts[at] || header == G_MAXUINT32)
        return FALSE;
      starts[at] = TRUE;
      at = PCI_EXT_CAP_NEXT (header);
    }

  return TRUE;
}

static guint
find_next (const gboolean *starts,
           guint           at,
           guint           end)
{
  do
    at += 4;
  while (at < end && !starts[at]);
  return at;
}

static void
apply_lists (RegiondRegisters *self,
             const guint8     *space)
{
  g_autofree gboolean *starts = g_new0 (gboolean, self->size);
  gboolean known = walk (space, starts);
  gboolean all_known = self->size > LEGACY_END && walk_extended (space, starts);

  for (guint at = PCI_STD_HEADER_SIZEOF; at < LEGACY_END; at += 4)
    {
      if (starts[at])
        {
          if (self->found[space[at]] == 0)
            self->found[space[at]] = at / 4;
          apply_capability (self, space, at, find_next (starts, at, LEGACY_END));
        }
    }
  for (guint at = LEGACY_END; at < self->size; at += 4)
    {
      if (starts[at])
        apply_extended (self, space, at, find_next (starts, at, self->size));
    }

  if (known)
    allow_rest (self, PCI_STD_HEADER_SIZEOF, LEGACY_END);
  if (all_known)
    allow_rest (self, LEGACY_END, self->size);
}

RegiondRegisters *
regiond_registers_new (const guint8 *space,
                       gsize         size)
{
  RegiondRegisters *self = g_new0 (RegiondRegisters, 1);

  g_return_val_if_fail (size == LEGACY_END || size == REGIOND_REGISTERS_MOST, NULL);
  self->size = size;
  self->cells = g_new0 (Cell, size);
  if ((space[PCI_HEADER_TYPE] & 0x7f) != PCI_HEADER_TYPE_NORMAL)
    return self;

  claim (self, 0, PCI_STD_HEADER_SIZEOF);
  apply (self, 0, header_rules, G_N_ELEMENTS (header_rules));
  apply_lists (self, space);
  return self;
}

void
regiond_registers_free (RegiondRegisters *self)
{
  g_free (self->cells);
  g_free (self);
}

gboolean
regiond_registers_permit (RegiondRegisters *self,
                          gboolean          exclusive,
                          guint64           offset,
                          gsize             width,
                          const guint8     *now,
                          const guint8     *bytes)
{
  if (offset > self->size || width > self->size - offset)
    return FALSE;

  for (gsize i = 0; i < width; i++)
    {
      const Cell *cell = &self->cells[offset + i];
      guint8 changed = ((now[i] ^ bytes[i]) & ~cell->acts) | (bytes[i] & cell->acts);

      if (changed & ~(exclusive ? cell->exclusive : cell->shared))
        return FALSE;
    }

  return TRUE;
}

guint
regiond_registers_find (RegiondRegisters *self,
                        guint8            capability)
{
  return self->found[capability] * 4;
}
