//! Finds pseudo-headers among trailers. HTTP/2 does not allow them there (RFC 9113, section 8.1), and `h2` drops them unseen.
//!
//! Only the first field of a block of trailers is looked at: `h2` itself refuses a pseudo-header that follows another header.
//! Of that field only the representation is read (RFC 7541, section 6). An index into the dynamic table is taken for a regular
//! header, as the table is not kept here.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Types and flags of frames (RFC 9113, section 6).
pub(super) const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
pub(super) const END_STREAM: u8 = 0x1;
pub(super) const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// What the head of a frame says (RFC 9113, section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    /// Of the payload, in bytes.
    pub length: usize,
}

/// Streams of a connection that are remembered while their body comes. A stream that this side has given up is never ended by
/// the server, so the oldest are forgotten.
const MOST_REMEMBERED: usize = 16 * 1024;

/// The last index of the static table that names a pseudo-header (RFC 7541, appendix A).
const LAST_PSEUDO: u8 = 14;
/// The first of those that say a final status: `:status: 200`.
const FIRST_FINAL_STATUS: u8 = 8;
/// The Huffman code of `:`, which has seven bits (RFC 7541, appendix B).
const HUFFMAN_COLON: u8 = 0b101_1100;

/// Streams whose trailers hold a pseudo-header: what reads frames tells what reads responses.
#[derive(Debug, Clone, Default)]
pub(super) struct MalformedTrailers(Arc<Mutex<BTreeSet<u32>>>);

impl MalformedTrailers {
    fn add(&self, stream: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(stream);
    }

    /// Whether a stream is among them; it is forgotten.
    pub fn take(&self, stream: u32) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&stream)
    }
}

/// Follows the frames of a connection to where trailers begin.
#[derive(Debug, Default)]
pub(super) struct TrailerFilter {
    malformed: MalformedTrailers,
    /// Streams whose final head has come for certain, and whose end has not.
    in_body: BTreeSet<u32>,
    /// The header block whose first field is still to come.
    block: Option<Block>,
}

/// A header block, up to its first field.
#[derive(Debug)]
struct Block {
    stream: u32,
    /// The head of a response, if not.
    is_trailer: bool,
    /// The length of the padding comes next.
    padded: bool,
    /// Bytes of the priority that come before the field.
    priority: usize,
    /// Bytes of the block that this frame still has.
    left: usize,
    field: Field,
}

/// How far the first field has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Start,
    /// In the rest of a new size of the dynamic table.
    TableSize,
    /// The length of a new name comes next.
    NameLength,
    /// In the rest of that length; whether the name is in Huffman's code.
    LongNameLength(bool),
    /// The name comes next.
    Name(bool),
}

/// What the first field of a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// In the static table, name and value.
    Indexed(u8),
    /// A literal value of a pseudo-header.
    Pseudo,
    Regular,
}

impl TrailerFilter {
    /// What reads responses is to ask this.
    pub fn malformed(&self) -> MalformedTrailers {
        self.malformed.clone()
    }

    /// The head of a frame has come; its payload is next.
    pub fn frame(&mut self, head: FrameHead) {
        let FrameHead { kind, flags, stream, length } = head;
        let ends = flags & END_STREAM != 0;
        match kind {
            DATA if ends => self.forget(stream),
            DATA => self.remember(stream),
            HEADERS => {
                let is_trailer = self.in_body.contains(&stream);
                let (padded, priority) = (flags & PADDED != 0, if flags & PRIORITY != 0 { 5 } else { 0 });
                let left = length.saturating_sub(usize::from(padded) + priority);
                let block = Block { stream, is_trailer, padded, priority, left, field: Field::Start };
                self.block = (is_trailer || !ends).then_some(block);
                if ends {
                    self.forget(stream);
                }
            }
            CONTINUATION => {
                if let Some(block) = &mut self.block {
                    block.left = length;
                }
            }
            RST_STREAM => self.forget(stream),
            _ => self.block = None,
        }
    }

    /// Some of a frame's payload has come.
    #[inline]
    pub fn payload(&mut self, bytes: &[u8]) {
        if self.block.is_some() {
            self.block_bytes(bytes);
        }
    }

    fn block_bytes(&mut self, bytes: &[u8]) {
        let Some(block) = &mut self.block else { return };
        let Some(first) = bytes.iter().find_map(|byte| block.push(*byte)) else { return };
        let (stream, is_trailer) = (block.stream, block.is_trailer);
        self.block = None;
        match first {
            First::Pseudo | First::Indexed(_) if is_trailer => self.malformed.add(stream),
            First::Indexed(FIRST_FINAL_STATUS..) => self.remember(stream),
            First::Pseudo | First::Indexed(_) | First::Regular => {}
        }
    }

    fn remember(&mut self, stream: u32) {
        if self.in_body.insert(stream) && self.in_body.len() > MOST_REMEMBERED {
            self.in_body.pop_first();
        }
    }

    fn forget(&mut self, stream: u32) {
        self.in_body.remove(&stream);
    }
}

impl Block {
    fn push(&mut self, byte: u8) -> Option<First> {
        if self.padded {
            self.padded = false;
            self.left = self.left.saturating_sub(byte.into());
            return None;
        }
        if self.priority > 0 {
            self.priority -= 1;
            return None;
        }
        // What follows is padding.
        self.left = self.left.checked_sub(1)?;
        self.field.push(byte)
    }
}

impl Field {
    fn push(&mut self, byte: u8) -> Option<First> {
        match *self {
            Field::Start => return self.start(byte),
            // The last byte of a long integer has no high bit (RFC 7541, section 5.1).
            Field::TableSize if byte & 0x80 == 0 => *self = Field::Start,
            Field::NameLength if byte & 0x7f == 0 => return Some(First::Regular),
            Field::NameLength if byte & 0x7f == 0x7f => *self = Field::LongNameLength(byte & 0x80 != 0),
            Field::NameLength => *self = Field::Name(byte & 0x80 != 0),
            Field::LongNameLength(huffman) if byte & 0x80 == 0 => *self = Field::Name(huffman),
            Field::TableSize | Field::LongNameLength(_) => {}
            Field::Name(huffman) => {
                let is_colon = if huffman { byte >> 1 == HUFFMAN_COLON } else { byte == b':' };
                return Some(if is_colon { First::Pseudo } else { First::Regular });
            }
        }
        None
    }

    fn start(&mut self, byte: u8) -> Option<First> {
        let name = match byte {
            0x80.. => {
                let index = byte & 0x7f;
                let is_pseudo = (1..=LAST_PSEUDO).contains(&index);
                return Some(if is_pseudo { First::Indexed(index) } else { First::Regular });
            }
            0x40.. => byte & 0x3f,
            0x3f => {
                *self = Field::TableSize;
                return None;
            }
            0x20.. => return None,
            ..0x20 => byte & 0x0f,
        };
        match name {
            0 => {
                *self = Field::NameLength;
                None
            }
            1..=LAST_PSEUDO => Some(First::Pseudo),
            _ => Some(First::Regular),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(block: &[u8]) -> Option<First> {
        let mut field = Field::Start;
        block.iter().find_map(|byte| field.push(*byte))
    }

    #[test]
    fn the_first_field_is_told_by_its_representation() {
        for (block, known) in [
            (&[0x88][..], First::Indexed(8)),
            (&[0x81], First::Indexed(1)),
            (&[0x8e], First::Indexed(14)),
            (&[0x8f], First::Regular),
            (&[0xbe], First::Regular),
            (&[0x48, 3, b'2', b'0', b'1'], First::Pseudo),
            (&[0x08, 3], First::Pseudo),
            (&[0x14, 1], First::Pseudo),
            (&[0x4f], First::Regular),
            (&[0x0f, 0], First::Regular),
            (&[0x7f, 3], First::Regular),
            (&[0x40, 2, b':', b'x'], First::Pseudo),
            (&[0x00, 2, b'x', b'y'], First::Regular),
            (&[0x10, 2, b':', b'x'], First::Pseudo),
            (&[0x00, 0, 0], First::Regular),
            // In Huffman's code: `:path`, and `x-sum`.
            (&[0x40, 0x84, 0xb9, 0x58, 0xd3, 0x3f], First::Pseudo),
            (&[0x40, 0x84, 0xf2, 0xb4, 0x20], First::Regular),
            (&[0x00, 0x7f, 0x80, 0x01, b':'], First::Pseudo),
            // New sizes of the dynamic table come first.
            (&[0x20, 0x3e, 0x3f, 0xe1, 0x1f, 0x88], First::Indexed(8)),
        ] {
            assert_eq!(first(block), Some(known), "{block:02x?}");
            (0..block.len() - 1).for_each(|cut| {
                let sooner = first(&block[..cut]);
                assert!(sooner.is_none() || sooner == Some(known), "{block:02x?} {cut}");
            });
        }
        assert_eq!(first(b""), None);
    }

    #[test]
    fn no_more_streams_are_remembered_than_a_connection_should_take_memory_for() {
        let mut filter = TrailerFilter::default();
        let frame = |kind, stream| FrameHead { kind, flags: 0, stream, length: 1 };
        (0..2 * MOST_REMEMBERED as u32).for_each(|stream| filter.frame(frame(DATA, stream)));
        assert_eq!(filter.in_body.len(), MOST_REMEMBERED);
        assert!(filter.in_body.contains(&(2 * MOST_REMEMBERED as u32 - 1)));
        filter.frame(frame(RST_STREAM, 2 * MOST_REMEMBERED as u32 - 1));
        assert_eq!(filter.in_body.len(), MOST_REMEMBERED - 1);
    }
}
