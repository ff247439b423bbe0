//! The constants of rule set 1. They belong to the chain, not to an operator: an entry is judged for ever by the rule
//! set that its format names.

/// The only entry format so far.
pub const FORMAT: u16 = 1;
/// The only rule set so far.
pub const RULE_SET: u16 = 1;

/// One hour, in seconds of block time.
pub const HOUR_S: u64 = 3_600;
/// One day, in seconds of block time.
pub const DAY_S: u64 = 24 * HOUR_S;

/// DEV-3: most devices that wait for confirmation at once.
pub const MAX_PENDING: usize = 8;
/// DEV-3: most devices, pending and confirmed together.
pub const MAX_DEVICES: usize = 64;
/// Most devices that one DeviceRemoved names.
pub const MAX_REMOVED_AT_ONCE: usize = 64;
/// DEV-5: a request that nobody answered lapses after this time.
pub const REQUEST_LAPSES_AFTER_S: u64 = 7 * DAY_S;
/// DEV-8, DEV-9: a device younger than this cannot remove an older one or change what would lock it out.
pub const YOUNG_FOR_S: u64 = 72 * HOUR_S;
/// RST-7: a reset notice that was neither vetoed nor carried out lapses after this time.
pub const NOTICE_LAPSES_AFTER_S: u64 = 30 * DAY_S;
/// RST-5: most bytes of a checkpoint carried in an AccountReset.
pub const MAX_CARRIED_CHECKPOINT: usize = 8_192;
/// Most bytes of one encoded entry.
pub const MAX_ENTRY: usize = 2 * MAX_CARRIED_CHECKPOINT + 1_024;
/// Most bytes of a log's origin.
pub const MAX_ORIGIN: usize = 128;
/// How many commitments a DeviceAdded carries: one for each try at the confirmation code.
pub const CODE_COMMITMENTS: usize = 3;
