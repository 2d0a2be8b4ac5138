//! How many handshakes each address has under way.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) struct Sources {
    limit: usize,
    under_way: Mutex<HashMap<IpAddr, usize>>,
}

/// One handshake's place; free again when dropped.
pub(super) struct Place {
    sources: Arc<Sources>,
    source: IpAddr,
}

impl Sources {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            under_way: Mutex::new(HashMap::new()),
        }
    }

    /// A place, if the source has one left.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let source = source_of(address);
        let mut under_way = self.lock();
        let count = under_way.entry(source).or_insert(0);
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        drop(under_way);
        Some(Place {
            sources: Arc::clone(self),
            source,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = self.sources.lock();
        if let Some(count) = under_way.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.source);
            }
        }
    }
}

/// One party's addresses: IPv6 hosts choose freely within their /64.
pub(super) fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests;
