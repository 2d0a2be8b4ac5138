//! Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write as _};

/// A metric's name, meaning and type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    Counter,
    Histogram,
}

/// The page as it grows.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

/// The samples of one family; its head is written with the first of them.
pub(super) struct Samples<'a> {
    page: &'a mut Page,
    family: Family,
    begun: bool,
}

// === impl Page ===

impl Page {
    pub(super) fn family(&mut self, family: Family) -> Samples<'_> {
        Samples {
            page: self,
            family,
            begun: false,
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    // Writing to a String cannot fail.
    fn put(&mut self, value: impl Display) {
        write!(self.text, "{value}").ok();
    }

    fn head(&mut self, family: Family) {
        let kind = match family.kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
        };
        let Family { name, help, .. } = family;
        self.put(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn escaped(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                other => self.text.push(other),
            }
        }
    }
}

// === impl Samples ===

impl Samples<'_> {
    pub(super) fn add(&mut self, labels: &[(&str, &str)], value: impl Display) {
        if !self.begun {
            self.begun = true;
            self.page.head(self.family);
        }
        self.page.text.push_str(self.family.name);
        self.page.text.push('{');
        for (index, (name, label)) in labels.iter().enumerate() {
            if index > 0 {
                self.page.text.push(',');
            }
            self.page.text.push_str(name);
            self.page.text.push_str("=\"");
            self.page.escaped(label);
            self.page.text.push('"');
        }
        self.page.put(format_args!("}} {value}\n"));
    }
}
