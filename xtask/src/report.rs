//! What people see: numbered steps with durations, and a summary that ends in counts.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

pub(crate) use mesh_lab::wait::{now, say};

/// The steps of one command.
#[derive(Debug)]
pub(crate) struct Steps {
    total: usize,
    began: Instant,
    done: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: String,
    took: Duration,
    outcome: Outcome,
}

/// How a step ended.
#[derive(Debug)]
enum Outcome {
    Passed(Counts),
    Failed(Counts, String),
}

/// Tests that passed and failed. A check that is no test suite counts as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Steps {
    pub(crate) fn new(total: usize) -> Self {
        Self {
            total,
            began: now(),
            done: Vec::new(),
        }
    }

    /// Since the first step.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Runs a step the rest depends on; its failure names it.
    pub(crate) fn must<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        let began = self.announce(name);
        let result = step().with_context(|| format!("step \"{name}\""));
        let outcome = match &result {
            Ok(_) => Outcome::Passed(Counts { passed: 1, failed: 0 }),
            Err(error) => Outcome::Failed(Counts { passed: 0, failed: 1 }, format!("{error:#}")),
        };
        self.record(name, began, outcome);
        result
    }

    /// Runs a suite or check after whose failure the others still run.
    pub(crate) fn try_suite(&mut self, name: &str, step: impl FnOnce() -> Result<Counts>) -> Result<()> {
        let began = self.announce(name);
        let outcome = match step() {
            Ok(counts) if counts.failed == 0 => Outcome::Passed(counts),
            Ok(counts) => Outcome::Failed(counts, format!("{} failed", counts.failed)),
            Err(error) if error.is::<mesh_lab::interrupt::Interrupted>() => return Err(error),
            Err(error) => {
                say(&format!("  failed: {error:#}"));
                Outcome::Failed(Counts { passed: 0, failed: 1 }, format!("{error:#}"))
            }
        };
        self.record(name, began, outcome);
        Ok(())
    }

    fn announce(&self, name: &str) -> Instant {
        say(&format!("[{}/{}] {name}", self.done.len() + 1, self.total));
        now()
    }

    fn record(&mut self, name: &str, began: Instant, outcome: Outcome) {
        self.done.push(Step {
            name: name.to_owned(),
            took: began.elapsed(),
            outcome,
        });
    }

    /// A line per step, then the counts over all; returns those.
    pub(crate) fn summary(&self) -> Counts {
        let mut all = Counts::default();
        say("");
        for step in &self.done {
            let (word, note) = match &step.outcome {
                Outcome::Passed(counts) => {
                    all.passed += counts.passed;
                    ("ok", format!("{} passed", counts.passed))
                }
                Outcome::Failed(counts, why) => {
                    all.passed += counts.passed;
                    all.failed += counts.failed;
                    ("FAILED", why.lines().next().unwrap_or_default().to_owned())
                }
            };
            say(&format!(
                "{word:>8}  {:>7.1} s  {}: {note}",
                step.took.as_secs_f64(),
                step.name
            ));
        }
        say(&format!("{:>8}  {:>7.1} s", "total", self.elapsed().as_secs_f64()));
        say(&format!("{} passed, {} failed", all.passed, all.failed));
        all
    }
}
