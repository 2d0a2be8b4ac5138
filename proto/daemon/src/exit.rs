//! Exit codes, the same for every command of both daemons.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Done,
    /// 1
    Failed,
    /// 2, which clap uses too
    Usage,
    /// 3: a comparison found differences
    Differs,
    /// 78, `EX_CONFIG` of sysexits.h
    Config,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Differs => 3,
            Exit::Config => 78,
        })
    }
}
