//! Runs a test program, shows what it says while it says it, and reads its counts.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use mesh_lab::interrupt;
use mesh_lab::wait::{now, pause};

use crate::report::Counts;

#[cfg(test)]
mod tests;

/// What a test program came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
}

/// Runs it; a program that fails without naming a failed test counts as one.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<Outcome> {
    let shown = command.get_program().to_string_lossy().into_owned();
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start {shown}"))?;
    // The command holds the pipe's other end; without this it would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let tee = std::thread::spawn(move || {
        let mut counts = Counts::default();
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            // Nobody can be told that stdout is gone.
            let _lost = writeln!(std::io::stdout(), "{line}");
            add(&mut counts, &line);
        }
        counts
    });
    let began = now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if interrupt::requested() || began.elapsed() > limit {
            child.kill().context("cannot end a test program")?;
            child.wait()?;
            ensure!(!interrupt::requested(), interrupt::Interrupted);
            bail!("{shown} did not end within {} s and was killed", limit.as_secs());
        }
        pause();
    };
    let mut counts = tee
        .join()
        .map_err(|_| anyhow::anyhow!("the reader of a test program's output fell"))?;
    if !status.success() && counts.failed == 0 {
        counts.failed = 1;
    }
    Ok(Outcome { counts })
}

/// Adds the counts of a line of libtest's or nextest's summary.
fn add(counts: &mut Counts, line: &str) {
    let line = line.trim();
    let text = match (line.strip_prefix("test result: "), line.strip_prefix("Summary ")) {
        (Some(rest), _) => rest.split_once(". ").map_or("", |(_, rest)| rest),
        (None, Some(rest)) => rest.split_once("run: ").map_or("", |(_, rest)| rest),
        (None, None) => return,
    };
    for part in text.split([',', ';']) {
        let mut words = part.split_whitespace();
        let (Some(Ok(n)), Some(word)) = (words.next().map(str::parse::<u64>), words.next()) else {
            continue;
        };
        match word {
            "passed" => counts.passed += n,
            "failed" | "timed" => counts.failed += n,
            _ => {}
        }
    }
}
