//! Hello and Welcome.

use std::time::Duration;

use super::{Reason, Reject, at_most, limits, reject, required, text};
use crate::model::{Clock, Epoch, Hello};
use crate::pb;

/// What the collector grants an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WelcomeTerms {
    /// The protocol both speak.
    pub protocol: u32,
    /// Features both have.
    pub features: Vec<String>,
    /// Unacknowledged records that may be under way.
    pub records_window: u32,
    /// The highest record of this incarnation the collector has.
    pub records_high_water: u64,
}

impl From<&Hello> for pb::Hello {
    fn from(hello: &Hello) -> Self {
        Self {
            protocol_min: hello.protocol_min,
            protocol_max: hello.protocol_max,
            features: hello.features.clone(),
            epoch: Some(pb::Epoch {
                incarnation: hello.epoch.incarnation,
                connection: hello.epoch.connection,
            }),
            name: hello.name.clone(),
            site: hello.site.clone(),
            agent_version: hello.agent_version.clone(),
            kernel: hello.kernel.clone(),
            batman_adv: hello.batman_adv.clone(),
            boot_id: hello.boot_id.clone(),
            report_interval_ms: u32::try_from(hello.report_interval.as_millis()).unwrap_or(u32::MAX),
            clock: Some(hello.clock.into()),
        }
    }
}

impl TryFrom<pb::Hello> for Hello {
    type Error = Reject;

    fn try_from(hello: pb::Hello) -> Result<Self, Reject> {
        at_most("hello.features", hello.features.len(), limits::FEATURES)?;
        let epoch = required("hello.epoch", hello.epoch)?;
        for (field, value) in [
            ("hello.epoch.incarnation", epoch.incarnation),
            ("hello.epoch.connection", epoch.connection),
        ] {
            if value == 0 {
                return Err(reject(
                    field,
                    Reason::Range {
                        value,
                        allowed: "1 and above",
                    },
                ));
            }
        }
        if hello.protocol_min == 0 || hello.protocol_min > hello.protocol_max {
            let value = hello.protocol_min.into();
            return Err(reject(
                "hello.protocol_min",
                Reason::Range {
                    value,
                    allowed: "1 to protocol_max",
                },
            ));
        }
        // Liveness is judged in intervals: one of zero would make every node stale.
        if !(100..=3_600_000).contains(&hello.report_interval_ms) {
            let value = hello.report_interval_ms.into();
            return Err(reject(
                "hello.report_interval_ms",
                Reason::Range {
                    value,
                    allowed: "100 to 3600000",
                },
            ));
        }
        Ok(Self {
            protocol_min: hello.protocol_min,
            protocol_max: hello.protocol_max,
            features: hello
                .features
                .into_iter()
                .map(|feature| text("hello.features", feature))
                .collect::<Result<_, _>>()?,
            epoch: Epoch {
                incarnation: epoch.incarnation,
                connection: epoch.connection,
            },
            name: text("hello.name", hello.name)?,
            site: text("hello.site", hello.site)?,
            agent_version: text("hello.agent_version", hello.agent_version)?,
            kernel: text("hello.kernel", hello.kernel)?,
            batman_adv: text("hello.batman_adv", hello.batman_adv)?,
            boot_id: text("hello.boot_id", hello.boot_id)?,
            report_interval: Duration::from_millis(hello.report_interval_ms.into()),
            clock: required("hello.clock", hello.clock)?.into(),
        })
    }
}

impl From<Clock> for pb::Clock {
    fn from(clock: Clock) -> Self {
        Self {
            boottime_ns: clock.boottime_ns,
            realtime_ns: clock.realtime_ns.unwrap_or(0),
        }
    }
}

impl From<pb::Clock> for Clock {
    fn from(clock: pb::Clock) -> Self {
        Self {
            boottime_ns: clock.boottime_ns,
            realtime_ns: (clock.realtime_ns != 0).then_some(clock.realtime_ns),
        }
    }
}

impl From<WelcomeTerms> for pb::Welcome {
    fn from(terms: WelcomeTerms) -> Self {
        Self {
            protocol: terms.protocol,
            features: terms.features,
            records_window: terms.records_window,
            records_high_water: terms.records_high_water,
        }
    }
}

impl TryFrom<pb::Welcome> for WelcomeTerms {
    type Error = Reject;

    fn try_from(welcome: pb::Welcome) -> Result<Self, Reject> {
        at_most("welcome.features", welcome.features.len(), limits::FEATURES)?;
        if welcome.records_window == 0 {
            return Err(reject(
                "welcome.records_window",
                Reason::Range {
                    value: 0,
                    allowed: "1 and above",
                },
            ));
        }
        Ok(Self {
            protocol: welcome.protocol,
            features: welcome.features,
            records_window: welcome.records_window,
            records_high_water: welcome.records_high_water,
        })
    }
}
