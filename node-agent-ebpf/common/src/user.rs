//! Lets user space read and write the maps' types as plain bytes.
#![expect(unsafe_code, reason = "aya asks for the promise that any bytes make a valid value")]

use crate::{route, traffic};

// SAFETY: `repr(C)`, integers and arrays of them only, no padding: any bit pattern is a valid value.
unsafe impl aya::Pod for traffic::Counter {}
// SAFETY: as above.
unsafe impl aya::Pod for traffic::Table {}
// SAFETY: as above.
unsafe impl aya::Pod for route::Layout {}
// SAFETY: as above.
unsafe impl aya::Pod for route::Counters {}
// SAFETY: as above.
unsafe impl aya::Pod for route::Losses {}
