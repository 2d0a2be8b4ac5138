//! Where the running kernel keeps a field: offsets of struct members from BTF, of the kernel and of a module on top.
//!
//! Reads what `/sys/kernel/btf/*` holds (`Documentation/bpf/btf.rst`), by any bytes: what is cut off, contradictory or
//! cyclic is an error, never a panic or an endless walk. It knows types and members only; functions, line
//! information and relocations are not its business. A module's BTF continues the type ids and the strings of the
//! kernel's (split BTF), so it is read on top of that.

use thiserror::Error;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
const HEADER_LEN: usize = 24;
const TYPE_LEN: usize = 12;
const MEMBER_LEN: usize = 12;
/// Members looked at in one search, nested anonymous ones included; the kernel's largest struct has some hundreds.
const MEMBER_BUDGET: usize = 100_000;
/// Typedefs and qualifiers in front of a struct, and anonymous structs within one another.
const DEPTH: usize = 16;

const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_TYPEDEF: u32 = 8;
const KIND_VOLATILE: u32 = 9;
const KIND_CONST: u32 = 10;
const KIND_RESTRICT: u32 = 11;
const KIND_TYPE_TAG: u32 = 18;

/// Why a field's place is not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BtfError {
    /// The bytes are no BTF of this machine's byte order, or end too early.
    #[error("this is no BTF that can be read here: {0}")]
    Malformed(&'static str),
    /// A kind of type newer than this reader.
    #[error("the BTF has types of kind {0}, which this release does not know: a newer node-agent may")]
    UnknownKind(u32),
    /// There is no such struct.
    #[error("the kernel has no struct {0}")]
    NoStruct(String),
    /// The struct has no such member, or only as a bit field.
    #[error("the kernel's struct {structure} has no field {member}")]
    NoMember {
        /// The struct's name.
        structure: String,
        /// The member, by its path from the struct.
        member: String,
    },
    /// Several structs of one name differ about the member.
    #[error("the kernel has several structs {structure} that differ about {member}")]
    Ambiguous {
        /// The struct's name.
        structure: String,
        /// The member, by its path from the struct.
        member: String,
    },
}

/// The types of a kernel, or of a module on top of a kernel's.
#[derive(Debug)]
pub struct Btf<'base> {
    base: Option<&'base Self>,
    bytes: Vec<u8>,
    strings: usize,
    strings_len: usize,
    /// Where each type's record starts in `bytes`, by id from `first_id` on.
    records: Vec<u32>,
    first_id: u32,
    /// Offset of this one's first string among those of it and its base.
    first_string: u32,
}

/// A type's record: `struct btf_type`.
#[derive(Debug, Clone, Copy)]
struct Record<'a> {
    name: u32,
    info: u32,
    /// `size` or `type`, as the kind has it.
    target: u32,
    /// What follows the record: members, in a struct.
    tail: &'a [u8],
}

impl Record<'_> {
    const fn kind(&self) -> u32 {
        (self.info >> 24) & 0x1f
    }

    const fn is_composite(&self) -> bool {
        matches!(self.kind(), KIND_STRUCT | KIND_UNION)
    }
}

/// Bytes that follow the record of a type.
const fn tail_len(kind: u32, count: usize) -> Option<usize> {
    Some(match kind {
        // void, pointer, forward, typedef, volatile, const, restrict, function, float, type tag
        0 | 2 | 7 | KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST | KIND_RESTRICT | 12 | 16 | KIND_TYPE_TAG => 0,
        // int, variable, declaration tag
        1 | 14 | 17 => 4,
        KIND_ARRAY => 12,
        KIND_STRUCT | KIND_UNION => MEMBER_LEN * count,
        // enum, function prototype
        6 | 13 => 8 * count,
        // data section, 64-bit enum
        15 | 19 => 12 * count,
        _ => return None,
    })
}

impl<'base> Btf<'base> {
    /// Reads a kernel's BTF, or with `base` a module's.
    ///
    /// # Errors
    /// [`BtfError::Malformed`] or [`BtfError::UnknownKind`].
    pub fn parse(bytes: Vec<u8>, base: Option<&'base Self>) -> Result<Self, BtfError> {
        let malformed = BtfError::Malformed;
        let header = bytes.get(..HEADER_LEN).ok_or(malformed("shorter than its header"))?;
        if header.first_chunk().map(|magic| u16::from_ne_bytes(*magic)) != Some(MAGIC) {
            return Err(malformed("wrong magic number or byte order"));
        }
        if header.get(2) != Some(&VERSION) {
            return Err(malformed("unknown version"));
        }
        let field = |at| u32_at(header, at).map(|value| value as usize).unwrap_or_default();
        let (header_len, types, types_len, strings, strings_len) =
            (field(4), field(8), field(12), field(16), field(20));
        let start = |offset: usize| {
            header_len
                .checked_add(offset)
                .ok_or(malformed("a section outside the file"))
        };
        let (types, strings) = (start(types)?, start(strings)?);
        let section = |start: usize, len: usize| start.checked_add(len).and_then(|end| bytes.get(start..end));
        let type_bytes = section(types, types_len).ok_or(malformed("the types are cut off"))?;
        section(strings, strings_len).ok_or(malformed("the strings are cut off"))?;

        let mut records = Vec::new();
        let mut at = 0;
        while at < type_bytes.len() {
            let info = u32_at(type_bytes, at + 4).ok_or(malformed("a type is cut off"))?;
            let (kind, count) = ((info >> 24) & 0x1f, (info & 0xffff) as usize);
            let tail = tail_len(kind, count).ok_or(BtfError::UnknownKind(kind))?;
            records.push(u32::try_from(types + at).map_err(|_| malformed("larger than 4 GiB"))?);
            at += TYPE_LEN + tail;
        }
        if at != type_bytes.len() {
            return Err(malformed("a type is cut off"));
        }
        let (first_id, first_string) = match base {
            // Id 0 is void, which has no record.
            None => (1, 0),
            Some(base) => (
                base.end_id().ok_or(malformed("too many types"))?,
                base.end_string().ok_or(malformed("too many strings"))?,
            ),
        };
        Ok(Self {
            base,
            bytes,
            strings,
            strings_len,
            records,
            first_id,
            first_string,
        })
    }

    /// How many types there are, the base's not counted.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no types at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Byte offset of a member from the start of a struct. `path` names it through nested structs, from the outside
    /// in; members of anonymous structs and unions are members of what holds them, as in C.
    ///
    /// # Errors
    /// Where the struct or the member does not exist or is not unique; see [`BtfError`].
    pub fn offset(&self, structure: &str, path: &[&str]) -> Result<u32, BtfError> {
        let member = || path.join(".");
        let mut found = None;
        let mut exists = false;
        let layers = std::iter::successors(Some(self), |layer| layer.base);
        for layer in layers {
            for id in (layer.first_id..).take(layer.records.len()) {
                let Some(record) = layer.record(id) else { continue };
                if record.kind() != KIND_STRUCT || layer.name(record.name) != Some(structure.as_bytes()) {
                    continue;
                }
                exists = true;
                let Some(offset) = self.walk(id, path) else { continue };
                if found.is_some_and(|known| known != offset) {
                    return Err(BtfError::Ambiguous {
                        structure: structure.to_owned(),
                        member: member(),
                    });
                }
                found = Some(offset);
            }
        }
        match found {
            Some(offset) => Ok(offset),
            None if exists => Err(BtfError::NoMember {
                structure: structure.to_owned(),
                member: member(),
            }),
            None => Err(BtfError::NoStruct(structure.to_owned())),
        }
    }

    /// Byte offset of the member at `path` in the struct with this id.
    fn walk(&self, id: u32, path: &[&str]) -> Option<u32> {
        let mut budget = MEMBER_BUDGET;
        let (mut id, mut bits) = (id, 0_u32);
        for name in path {
            let (offset, next) = self.member(id, name.as_bytes(), DEPTH, &mut budget)?;
            bits = bits.checked_add(offset)?;
            id = next;
        }
        (bits % 8 == 0).then_some(bits / 8)
    }

    /// Offset in bits and type id of a member, searched in anonymous structs and unions as well.
    fn member(&self, id: u32, name: &[u8], depth: usize, budget: &mut usize) -> Option<(u32, u32)> {
        let record = self.resolve(id)?;
        if !record.is_composite() {
            return None;
        }
        let bit_fields = record.info >> 31 == 1;
        for member in record.tail.chunks_exact(MEMBER_LEN) {
            *budget = budget.checked_sub(1)?;
            let (member_name, member_type, place) = (u32_at(member, 0)?, u32_at(member, 4)?, u32_at(member, 8)?);
            let (offset, width) = if bit_fields {
                (place & 0x00ff_ffff, place >> 24)
            } else {
                (place, 0)
            };
            if member_name == 0 && depth > 0 {
                if let Some((inner, found)) = self.member(member_type, name, depth - 1, budget) {
                    return Some((offset.checked_add(inner)?, found));
                }
            } else if self.name(member_name) == Some(name) {
                return (width == 0).then_some((offset, member_type));
            }
        }
        None
    }

    /// The type behind typedefs and qualifiers.
    fn resolve(&self, mut id: u32) -> Option<Record<'_>> {
        for _ in 0..DEPTH {
            let record = self.record(id)?;
            match record.kind() {
                KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST | KIND_RESTRICT | KIND_TYPE_TAG => id = record.target,
                _ => return Some(record),
            }
        }
        None
    }

    fn record(&self, id: u32) -> Option<Record<'_>> {
        let Some(index) = id.checked_sub(self.first_id) else {
            return self.base?.record(id);
        };
        let at = *self.records.get(index as usize)? as usize;
        let info = u32_at(&self.bytes, at + 4)?;
        let tail_len = tail_len((info >> 24) & 0x1f, (info & 0xffff) as usize)?;
        let tail = self.bytes.get(at + TYPE_LEN..)?.get(..tail_len)?;
        Some(Record {
            name: u32_at(&self.bytes, at)?,
            info,
            target: u32_at(&self.bytes, at + 8)?,
            tail,
        })
    }

    fn name(&self, offset: u32) -> Option<&[u8]> {
        let Some(offset) = offset.checked_sub(self.first_string) else {
            return self.base?.name(offset);
        };
        let strings = self.bytes.get(self.strings..)?.get(..self.strings_len)?;
        strings.get(offset as usize..)?.split(|&byte| byte == 0).next()
    }

    fn end_id(&self) -> Option<u32> {
        self.first_id.checked_add(u32::try_from(self.records.len()).ok()?)
    }

    fn end_string(&self) -> Option<u32> {
        self.first_string.checked_add(u32::try_from(self.strings_len).ok()?)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_ne_bytes(*four))
}

#[cfg(test)]
mod tests;
