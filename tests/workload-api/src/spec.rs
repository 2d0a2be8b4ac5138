//! What an identity is, as given on the command line: `PATH[,KEY=VALUE|FLAG]…`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// One identity and the socket that hands it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentitySpec {
    /// Path of the SPIFFE ID, without its first slash.
    pub path: String,
    /// Names the socket (`/` becomes `-`) and the export. Default: the path.
    pub name: String,
    /// Another trust domain than the server's, with a CA of its own. Its holder gets the main one's bundle as a
    /// federated one; the others do not get its bundle.
    pub trust_domain: Option<String>,
    /// Sign by a CA that is in nobody's bundle.
    pub rogue: bool,
    /// DNS names beside the SPIFFE ID.
    pub dns: Vec<String>,
    /// Instead of the server's.
    pub ttl: Option<Duration>,
    /// Issue certificates that ended an hour ago.
    pub expired: bool,
    /// Answer PERMISSION_DENIED, as where no identity is registered.
    pub denied: bool,
}

/// A text that describes no identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSpec(String);

impl fmt::Display for InvalidSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; expected PATH[,dns=NAME]…[,ttl=TIME][,td=TRUST_DOMAIN][,name=NAME][,expired][,rogue][,denied]",
            self.0
        )
    }
}

impl std::error::Error for InvalidSpec {}

impl IdentitySpec {
    /// A sound identity of the server's own trust domain.
    pub fn new(path: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            name: path.clone(),
            path,
            trust_domain: None,
            rogue: false,
            dns: Vec::new(),
            ttl: None,
            expired: false,
            denied: false,
        }
    }

    /// File name of its socket.
    pub fn socket_name(&self) -> String {
        format!("{}.sock", self.name.replace('/', "-"))
    }
}

impl FromStr for IdentitySpec {
    type Err = InvalidSpec;

    fn from_str(text: &str) -> Result<Self, InvalidSpec> {
        let mut parts = text.split(',');
        let path = parts.next().unwrap_or_default();
        if !path_is_valid(path) {
            return Err(InvalidSpec(format!("{path:?} is no path of a SPIFFE ID")));
        }
        let mut spec = Self::new(path);
        for part in parts {
            match part.split_once('=') {
                Some(("dns", name)) => spec.dns.push(name.to_owned()),
                Some(("ttl", time)) => spec.ttl = Some(parse_duration(time)?),
                Some(("td", domain)) => spec.trust_domain = Some(domain.to_owned()),
                Some(("name", name)) if path_is_valid(name) => spec.name = name.to_owned(),
                None if part == "expired" => spec.expired = true,
                None if part == "rogue" => spec.rogue = true,
                None if part == "denied" => spec.denied = true,
                _ => return Err(InvalidSpec(format!("{part:?} is not understood"))),
            }
        }
        Ok(spec)
    }
}

/// SPIFFE ID, section 2.2: segments of letters, digits, dots, dashes and underscores; none empty or relative.
fn path_is_valid(path: &str) -> bool {
    path.split('/').all(|segment| {
        !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    })
}

/// A whole number and its unit: `ms`, `s`, `m`, `h` or `d`. Not zero.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidSpec> {
    let invalid = || {
        InvalidSpec(format!(
            "{text:?} is no time; a number and ms, s, m, h or d, as in 90s or 1h"
        ))
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| invalid())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(invalid()),
    };
    match number.checked_mul(millis) {
        None | Some(0) => Err(invalid()),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}

#[cfg(test)]
mod tests;
