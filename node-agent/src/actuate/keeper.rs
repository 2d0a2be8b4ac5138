//! What to do about the differences of one mesh interface: now, later or never. Pure; `now` is CLOCK_BOOTTIME.
//!
//! | seen | done |
//! | --- | --- |
//! | a difference, and the policy is to report | said |
//! | a difference, and the policy is to enforce | written at once |
//! | the same again after 3 writes within a minute: somebody fights | held back 30 s, then twice as long, up to 10 min |
//! | after a hold, the same again within a minute of the next write | held back, twice as long |
//! | the kernel sets another value, or cannot | not written again until the wish or the value in force changes |
//! | a write failed for another reason | tried again after 30 s, then twice as long, up to 10 min |
//! | a mesh interface would have to be made anew | refused, until somebody says `apply --recreate` |
//!
//! Ten quiet minutes forget a fight; so does an interface that vanished and came back, which is another one. Each change
//! of these is told once; one setting that never rests is told at most six times a minute.
//!
//! Each mesh interface has its own keeper, so none can hold up another.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Knob;

const WINDOW: Duration = Duration::from_secs(60);
const WRITES_IN_WINDOW: usize = 3;
const TOLD_IN_WINDOW: usize = 6;
const FIRST_HOLD: Duration = Duration::from_secs(30);
const LONGEST_HOLD: Duration = Duration::from_secs(600);
const QUIET: Duration = Duration::from_secs(600);

/// Remembers what was written and what came of it.
#[derive(Debug, Clone, Default)]
pub struct Keeper {
    items: BTreeMap<String, Item>,
}

/// A setting that is not as wished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// As in `bat0.hop_penalty`.
    pub setting: String,
    /// In the configuration's words; empty: it should not be.
    pub wanted: String,
    /// In the configuration's words; empty: it is not.
    pub in_force: String,
    /// What can be done about it.
    pub remedy: Remedy,
}

/// What can be done about a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// A write to this knob. With the index of its interface, which tells one from another of its name; 0: there is none.
    Write(Knob, u32),
    /// The mesh interface would have to be made anew.
    Recreate,
    /// Nothing: an interface or a VLAN is not there, or the wish cannot be fulfilled here.
    None,
}

/// What may be done about differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// They are said.
    Report,
    /// They are put right.
    Enforce,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// To be told.
    pub events: Vec<Drift>,
    /// To be written now, by setting; what came of it goes to [`Keeper::written`].
    pub write: BTreeMap<String, Knob>,
    /// Not to be written now.
    pub hold: BTreeSet<Knob>,
    /// When to look again at the latest, if nothing happens meanwhile.
    pub wake: Option<Duration>,
}

/// A change in how a setting stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// As in `bat0.hop_penalty`.
    pub setting: String,
    /// In the configuration's words.
    pub wanted: String,
    /// In the configuration's words.
    pub in_force: String,
    /// What was done.
    pub action: Action,
}

/// What was done about a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It was said.
    Reported,
    /// It was written and read back.
    PutRight,
    /// Nothing, for so long: somebody fights.
    HeldBack(Duration),
    /// Nothing: why not.
    Refused(String),
    /// It is as wished again, and not by us.
    Gone,
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It reads back as wished.
    Met,
    /// It does not, and will not: the value now in force, and why.
    Refused(String, String),
    /// It does not, and may another time: why.
    Failed(String),
}

/// How a setting stands, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// As in `bat0.hop_penalty`.
    pub setting: String,
    /// In the configuration's words.
    pub wanted: String,
    /// In the configuration's words.
    pub in_force: String,
    /// As in `held back for 30 s: somebody else sets it again and again`.
    pub why: String,
}

#[derive(Debug, Clone, Default)]
struct Item {
    /// Differs now.
    now: Option<Now>,
    ifindex: u32,
    writes: Recent,
    told: Recent,
    hold: Option<Hold>,
    refused: Option<Refused>,
}

#[derive(Debug, Clone)]
struct Now {
    wanted: String,
    in_force: String,
    doing: Doing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Doing {
    Reported,
    Writing,
    HeldBack,
    Refused(String),
}

#[derive(Debug, Clone, Copy)]
struct Hold {
    until: Duration,
    span: Duration,
}

#[derive(Debug, Clone)]
struct Refused {
    wanted: String,
    in_force: String,
    why: String,
}

/// Instants of the last minute.
#[derive(Debug, Clone, Default)]
struct Recent(Vec<Duration>);

// === impl Keeper ===

impl Keeper {
    /// Judges what differs now. `differences` are all there are.
    pub fn look(&mut self, differences: &[Difference], stance: Stance, now: Duration) -> Verdict {
        let mut verdict = Verdict::default();
        for difference in differences {
            let item = self.items.entry(difference.setting.clone()).or_default();
            item.judge(difference, stance, now, &mut verdict);
        }
        let differs: BTreeSet<&str> = differences
            .iter()
            .map(|difference| difference.setting.as_str())
            .collect();
        for (setting, item) in &mut self.items {
            if !differs.contains(setting.as_str()) {
                verdict.events.extend(item.gone(setting, now));
            }
        }
        self.items.retain(|_, item| !item.is_forgotten(now));
        verdict
    }

    /// Takes into account what came of the writes of the last verdict.
    pub fn written(&mut self, outcomes: impl IntoIterator<Item = (String, Outcome)>, now: Duration) -> Vec<Drift> {
        let mut events = Vec::new();
        for (setting, outcome) in outcomes {
            if let Some(item) = self.items.get_mut(&setting) {
                events.extend(item.written(&setting, outcome, now));
            }
        }
        events
    }

    /// Forgets refusals and fights: somebody said explicitly that it is to be tried.
    pub fn start_anew(&mut self) {
        for item in self.items.values_mut() {
            (item.hold, item.refused) = (None, None);
            item.writes = Recent::default();
        }
    }

    /// How many settings differ now.
    pub fn drift(&self) -> usize {
        self.items.values().filter(|item| item.now.is_some()).count()
    }

    /// What differs now, and what is done about it.
    pub fn standing(&self, now: Duration) -> Vec<Standing> {
        let differs = |(setting, item): (&String, &Item)| {
            let differs = item.now.as_ref()?;
            let left = item.hold.map_or(0, |hold| hold.until.saturating_sub(now).as_secs());
            Some(Standing {
                setting: setting.clone(),
                wanted: differs.wanted.clone(),
                in_force: differs.in_force.clone(),
                why: match &differs.doing {
                    Doing::Reported => "reported".to_owned(),
                    Doing::Writing => "being put right".to_owned(),
                    Doing::HeldBack => {
                        format!("held back for {left} s: somebody else sets it again and again")
                    }
                    Doing::Refused(why) => format!("refused: {why}"),
                },
            })
        };
        self.items.iter().filter_map(differs).collect()
    }
}

// === impl Item ===

impl Item {
    fn judge(&mut self, difference: &Difference, stance: Stance, now: Duration, verdict: &mut Verdict) {
        let Difference { wanted, in_force, .. } = difference;
        let doing = match (&difference.remedy, stance) {
            (Remedy::Recreate, Stance::Enforce) => {
                Doing::Refused("it must be made anew: run `node-agent apply --recreate`".to_owned())
            }
            (Remedy::Write(_, ifindex), Stance::Enforce) => self.may_write(*ifindex, wanted, in_force, now),
            _ => Doing::Reported,
        };
        if let Remedy::Write(knob, _) = &difference.remedy {
            if doing == Doing::Writing {
                self.writes.push(now);
                verdict.write.insert(difference.setting.clone(), knob.clone());
            } else {
                verdict.hold.insert(knob.clone());
            }
        }
        if let Some(hold) = self.hold
            && matches!(doing, Doing::HeldBack | Doing::Refused(_))
            && hold.until > now
        {
            verdict.wake = Some(verdict.wake.map_or(hold.until, |wake| wake.min(hold.until)));
        }
        let before = self.now.replace(Now {
            wanted: wanted.clone(),
            in_force: in_force.clone(),
            doing: doing.clone(),
        });
        let same = before.is_some_and(|before| {
            // Whoever fights may well try many values.
            let settled = (&before.wanted, &before.in_force) == (wanted, in_force) || doing == Doing::HeldBack;
            before.doing == doing && settled
        });
        let action = match doing {
            // Told once it is known what came of it.
            Doing::Writing => return,
            Doing::Reported => Action::Reported,
            Doing::HeldBack => Action::HeldBack(self.hold.map_or(FIRST_HOLD, |hold| hold.until.saturating_sub(now))),
            Doing::Refused(why) => Action::Refused(why),
        };
        if !same && self.told.push_if_fewer(TOLD_IN_WINDOW, now) {
            verdict.events.push(Drift {
                setting: difference.setting.clone(),
                wanted: wanted.clone(),
                in_force: in_force.clone(),
                action,
            });
        }
    }

    fn may_write(&mut self, ifindex: u32, wanted: &str, in_force: &str, now: Duration) -> Doing {
        if ifindex != self.ifindex && ifindex != 0 {
            (self.writes, self.hold, self.refused) = (Recent::default(), None, None);
            self.ifindex = ifindex;
        }
        self.forget_after_quiet(now);
        let held = self.hold.is_some_and(|hold| now < hold.until);
        if let Some(refused) = &self.refused {
            let unchanged = refused.wanted == wanted && refused.in_force == in_force;
            if unchanged && (held || self.hold.is_none()) {
                return Doing::Refused(refused.why.clone());
            }
            if !unchanged {
                // A hold beside a refusal is of a write that failed, not of a fight. Writes are still counted.
                (self.refused, self.hold) = (None, None);
            }
        }
        let held = held && self.hold.is_some();
        if held {
            return Doing::HeldBack;
        }
        let again = match self.hold {
            Some(hold) => self.writes.since(hold.until, now) > 0,
            None => self.writes.count(now) >= WRITES_IN_WINDOW,
        };
        if again {
            self.hold_longer(now);
            return Doing::HeldBack;
        }
        Doing::Writing
    }

    fn written(&mut self, setting: &str, outcome: Outcome, now: Duration) -> Option<Drift> {
        let differs = self.now.as_mut()?;
        let (wanted, in_force) = (differs.wanted.clone(), differs.in_force.clone());
        let known = self.refused.as_ref().map(|refused| refused.why.clone());
        let action = match outcome {
            Outcome::Met => {
                (self.now, self.refused) = (None, None);
                Action::PutRight
            }
            Outcome::Refused(value, why) => {
                differs.in_force.clone_from(&value);
                differs.doing = Doing::Refused(why.clone());
                self.refused = Some(Refused {
                    wanted: wanted.clone(),
                    in_force: value,
                    why: why.clone(),
                });
                self.hold = None;
                Action::Refused(why)
            }
            Outcome::Failed(why) => {
                differs.doing = Doing::Refused(why.clone());
                self.refused = Some(Refused {
                    wanted: wanted.clone(),
                    in_force: in_force.clone(),
                    why: why.clone(),
                });
                self.hold_longer(now);
                Action::Refused(why)
            }
        };
        let news = !matches!(&action, Action::Refused(why) if known.as_ref() == Some(why));
        (news && self.told.push_if_fewer(TOLD_IN_WINDOW, now)).then(|| Drift {
            setting: setting.to_owned(),
            wanted,
            in_force,
            action,
        })
    }

    fn gone(&mut self, setting: &str, now: Duration) -> Option<Drift> {
        self.refused = None;
        let differed = self.now.take()?;
        self.told.push_if_fewer(TOLD_IN_WINDOW, now).then(|| Drift {
            setting: setting.to_owned(),
            wanted: differed.wanted.clone(),
            in_force: differed.wanted,
            action: Action::Gone,
        })
    }

    fn hold_longer(&mut self, now: Duration) {
        let span = self.hold.map_or(FIRST_HOLD, |hold| (hold.span * 2).min(LONGEST_HOLD));
        self.hold = Some(Hold {
            until: now + span,
            span,
        });
    }

    fn forget_after_quiet(&mut self, now: Duration) {
        let last = self.writes.0.last().copied();
        if self
            .hold
            .is_some_and(|hold| now >= last.map_or(hold.until, |last| last.max(hold.until)) + QUIET)
        {
            self.hold = None;
        }
    }

    fn is_forgotten(&mut self, now: Duration) -> bool {
        self.forget_after_quiet(now);
        self.now.is_none() && self.hold.is_none() && self.writes.count(now) == 0 && self.told.count(now) == 0
    }
}

// === impl Recent ===

impl Recent {
    fn count(&self, now: Duration) -> usize {
        self.0.iter().filter(|instant| **instant + WINDOW > now).count()
    }

    fn since(&self, since: Duration, now: Duration) -> usize {
        self.0
            .iter()
            .filter(|instant| **instant >= since && **instant + WINDOW > now)
            .count()
    }

    fn push(&mut self, now: Duration) {
        self.0.retain(|instant| *instant + WINDOW > now);
        self.0.push(now);
    }

    fn push_if_fewer(&mut self, limit: usize, now: Duration) -> bool {
        let fewer = self.count(now) < limit;
        if fewer {
            self.push(now);
        }
        fewer
    }
}

#[cfg(test)]
mod tests;
