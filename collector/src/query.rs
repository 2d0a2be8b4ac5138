//! Answers to questions about the topology.

#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod page;
