//! Payloads in little memory: of each, what it does not have in common with the one before.
//!
//! The chunks of an answer are alike but for a few bytes of text in their middle. So each is kept as the bytes between
//! what it begins with and what it ends with as the one before does. Every block begins with a whole payload, so that
//! reading can begin in the middle and the oldest can be forgotten.

use std::collections::VecDeque;

/// Payloads in a block.
const BLOCK_EVENTS: u32 = 64;

/// A block that holds more bytes is not added to.
const BLOCK_BYTES: usize = 8 * 1024;

/// A block with payloads of more bytes is not added to: whoever reads from its middle goes through all that comes before.
const BLOCK_READ: u32 = 256 * 1024;

/// Bytes by which a block grows: there are thousands of them, and doubling would leave a quarter unused.
const GROWTH: usize = 256;

/// Bytes that three numbers take at most.
const NUMBERS: usize = 30;

/// Bytes that are compared at once.
const WIDE: usize = 16;

/// What a block costs in memory beside its bytes.
const BLOCK_OVERHEAD: usize = size_of::<Block>();

/// Payloads with ids that have no gaps.
#[derive(Debug, Default)]
pub(super) struct Packed {
    blocks: VecDeque<Block>,
    /// The newest payload, which the next is compared with; empty where the next begins a block.
    newest: Vec<u8>,
    /// Bytes of the blocks.
    bytes: usize,
}

#[derive(Debug)]
struct Block {
    first: u64,
    count: u32,
    /// Bytes of its payloads.
    payload_bytes: u32,
    data: Vec<u8>,
}

impl Block {
    const fn end(&self) -> u64 {
        self.first + self.count as u64
    }

    fn size(&self) -> usize {
        self.data.len() + BLOCK_OVERHEAD
    }

    fn is_full(&self) -> bool {
        self.count >= BLOCK_EVENTS || self.data.len() >= BLOCK_BYTES || self.payload_bytes >= BLOCK_READ
    }
}

impl Packed {
    /// Adds the payload with this id, which follows the newest.
    pub(super) fn push(&mut self, id: u64, payload: &[u8]) {
        if self.blocks.back().is_none_or(Block::is_full) {
            if let Some(full) = self.blocks.back_mut() {
                full.data.shrink_to_fit();
            }
            self.newest.clear();
            self.bytes += BLOCK_OVERHEAD;
            self.blocks.push_back(Block {
                first: id,
                count: 0,
                payload_bytes: 0,
                data: Vec::new(),
            });
        }
        if let Some(block) = self.blocks.back_mut() {
            let length = block.data.len();
            write_difference(&mut block.data, &self.newest, payload);
            block.count += 1;
            let more = u32::try_from(payload.len()).unwrap_or(u32::MAX);
            block.payload_bytes = block.payload_bytes.saturating_add(more);
            self.bytes += block.data.len() - length;
        }
        self.newest.clear();
        self.newest.extend_from_slice(payload);
    }

    /// Frees what only further payloads would need.
    pub(super) fn finish(&mut self) {
        self.newest = Vec::new();
        if let Some(last) = self.blocks.back_mut() {
            last.data.shrink_to_fit();
        }
    }

    /// The id of the oldest payload, if there is one.
    pub(super) fn first(&self) -> Option<u64> {
        self.blocks.front().map(|block| block.first)
    }

    /// Bytes that it holds.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes + self.newest.len()
    }

    /// Hands out the payloads from this id on, in order, with their ids, for as long as `take` wants more.
    pub(super) fn read(&self, from: u64, mut take: impl FnMut(u64, &[u8]) -> bool) {
        let start = self.blocks.partition_point(|block| block.end() <= from);
        let mut payload = Vec::new();
        for block in self.blocks.iter().skip(start) {
            let mut data = block.data.as_slice();
            payload.clear();
            for id in block.first..block.end() {
                read_difference(&mut data, &mut payload);
                if id >= from && !take(id, &payload) {
                    return;
                }
            }
        }
    }

    /// Forgets the oldest block.
    pub(super) fn forget_block(&mut self) {
        if let Some(block) = self.blocks.pop_front() {
            self.bytes -= block.size();
        }
        if self.blocks.is_empty() {
            self.newest = Vec::new();
        }
    }

    /// The id that follows the oldest block, if something is in it that is not the newest payload.
    pub(super) fn end_of_spare(&self) -> Option<u64> {
        let is_spare = |block: &&Block| self.blocks.len() > 1 || block.count > 1;
        self.blocks.front().filter(is_spare).map(Block::end)
    }

    /// Forgets the oldest block, but for the newest payload if that is in it.
    pub(super) fn forget_block_but_newest(&mut self) {
        let Some(last) = self.end_of_spare().map(|end| end - 1) else {
            return;
        };
        let mut newest = None;
        if self.blocks.len() == 1 {
            self.read(last, |_, payload| {
                newest = Some(payload.to_vec());
                false
            });
        }
        self.forget_block();
        if let Some(newest) = newest {
            self.push(last, &newest);
        }
    }

    /// The id that follows the oldest block, if nothing is added to that any more.
    pub(super) fn end_of_oldest(&self) -> Option<u64> {
        let is_closed = |block: &&Block| self.blocks.len() > 1 || block.is_full();
        self.blocks.front().filter(is_closed).map(Block::end)
    }
}

/// Appends how `payload` differs from `before`: how many bytes they begin with alike, how many they end with, and how many
/// stand between, with these.
fn write_difference(out: &mut Vec<u8>, before: &[u8], payload: &[u8]) {
    let alike = |pair: &(&u8, &u8)| pair.0 == pair.1;
    // Most of it at once.
    let wide = |pair: &(&[u8; WIDE], &[u8; WIDE])| pair.0 == pair.1;
    let (wide_before, _) = before.as_chunks::<WIDE>();
    let (wide_payload, _) = payload.as_chunks::<WIDE>();
    let prefix = WIDE * wide_before.iter().zip(wide_payload).take_while(wide).count();
    let rest = before[prefix..].iter().zip(&payload[prefix..]);
    let prefix = prefix + rest.take_while(alike).count();
    let (rest_before, rest) = (&before[prefix..], &payload[prefix..]);
    let suffix = rest_before
        .iter()
        .rev()
        .zip(rest.iter().rev())
        .take_while(alike)
        .count();
    let middle = &rest[..rest.len() - suffix];
    let needed = NUMBERS + middle.len();
    if out.capacity() - out.len() < needed {
        out.reserve_exact(needed.max(GROWTH));
    }
    for number in [prefix, suffix, middle.len()] {
        write_number(out, number);
    }
    out.extend_from_slice(middle);
}

/// Makes of the payload before the one that differs from it so.
fn read_difference(data: &mut &[u8], payload: &mut Vec<u8>) {
    let (prefix, suffix, length) = (read_number(data), read_number(data), read_number(data));
    let (middle, rest) = data.split_at(length.min(data.len()));
    *data = rest;
    let end = payload.len() - suffix.min(payload.len());
    payload.splice(prefix.min(end)..end, middle.iter().copied());
}

/// Appends a number, seven bits in a byte, the lowest first.
fn write_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        // The highest bit says that there are more.
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn read_number(data: &mut &[u8]) -> usize {
    let (mut number, mut shift) = (0, 0);
    while let Some((byte, rest)) = data.split_first() {
        *data = rest;
        number |= usize::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            break;
        }
        shift += 7;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(packed: &Packed, from: u64) -> Vec<(u64, Vec<u8>)> {
        let mut payloads = Vec::new();
        packed.read(from, |id, payload| {
            payloads.push((id, payload.to_vec()));
            true
        });
        payloads
    }

    #[test]
    fn chunks_that_are_alike_take_little() {
        let mut packed = Packed::default();
        let chunk = |n: u64| {
            format!(
                r#"{{"id":"chatcmpl-5707f0a4-df54-4a4d-96e4-884e9dd24449","object":"chat.completion.chunk","created":1795404924,"model":"gpt-4o-mini","choices":[{{"index":0,"delta":{{"content":"tok{n} "}}}}]}}"#
            )
        };
        for n in 1..=2_000 {
            packed.push(n, chunk(n).as_bytes());
        }
        assert!(packed.bytes() < 2_000 * 16, "{}", packed.bytes());
        assert!(packed.newest.len() > 100, "the next is compared with it");
        assert_eq!(all(&packed, 1_234)[0].1, chunk(1_234).as_bytes());
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(
            payloads in prop::collection::vec(prop_oneof![
                prop::collection::vec(b'a'..b'd', 0..40),
                prop::collection::vec(any::<u8>(), 0..60),
                (any::<u8>(), 9_000_usize..9_100).prop_map(|(byte, length)| vec![byte; length]),
            ], 1..160),
            forget in 0_usize..6,
            from in 0_u64..160,
            but_newest: bool,
        ) {
            let mut packed = Packed::default();
            for (id, payload) in (1..).zip(&payloads) {
                packed.push(id, payload);
            }
            packed.finish();
            for _ in 0..forget {
                if but_newest {
                    packed.forget_block_but_newest();
                } else {
                    packed.forget_block();
                }
            }
            let of_blocks: usize = packed.blocks.iter().map(Block::size).sum();
            prop_assert_eq!(of_blocks + packed.newest.len(), packed.bytes());
            let first = packed.first().unwrap_or(u64::MAX);
            prop_assert!(!but_newest || first <= payloads.len() as u64);
            let expected: Vec<_> = (1..).zip(payloads).filter(|(id, _)| *id >= from.max(first)).collect();
            prop_assert_eq!(all(&packed, from), expected);
        }
    }
}
