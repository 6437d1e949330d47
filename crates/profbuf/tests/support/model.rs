//! The obviously correct buffer: a queue, and a plain account of which words of the ring are in use.

use std::collections::VecDeque;

use sigproof_profbuf::{Config, Counts};

use super::Owned;

/// A stored record and the words that it takes.
struct Item {
    record: Owned,
    /// Index of the first word.
    start: usize,
    /// Words skipped before it, and its own.
    takes: usize,
    /// Index of its tag.
    tag_index: usize,
}

/// What a read must give.
#[derive(Debug, PartialEq, Eq)]
pub enum Expected {
    Records(Vec<Owned>),
    Nothing,
    EndOfFile,
}

pub struct Model {
    header: usize,
    length: usize,
    tags: usize,
    /// Index of the next word to be written.
    at: usize,
    /// Index of the next tag.
    tag_at: usize,
    used: usize,
    used_tags: usize,
    /// Words and tags that the last read returned.
    held: (usize, usize),
    queue: VecDeque<Item>,
    /// Count and time of first.
    lost: Option<(u64, i64)>,
    pub closed: bool,
    pub written: u64,
    pub delivered: u64,
    pub counted: u64,
}

impl Model {
    pub fn new(config: Config, counts: Counts) -> Self {
        let length = config.words.max(config.header + 3).next_power_of_two();
        let tags = config.tags.next_power_of_two();
        Self {
            header: config.header,
            length,
            tags,
            at: counts.data as usize % length,
            tag_at: counts.tags as usize % tags,
            used: 0,
            used_tags: 0,
            held: (0, 0),
            queue: VecDeque::new(),
            lost: None,
            closed: false,
            written: 0,
            delivered: 0,
            counted: 0,
        }
    }

    /// Whether at least half of the ring is unread.
    pub fn half_full(&self) -> bool {
        self.used * 2 >= self.length
    }

    fn size(&self, stack: usize) -> usize {
        2 + self.header + stack
    }

    /// Words that the records would take, one after the other from `at`; `None` if they do not fit.
    fn takes(&self, sizes: &[usize]) -> Option<Vec<(usize, usize)>> {
        let (mut at, mut used, mut places) = (self.at, self.used, Vec::new());
        for &size in sizes {
            let (start, takes) = if at + size > self.length { (0, self.length - at + size) } else { (at, size) };
            used += takes;
            at = (start + size) % self.length;
            places.push((start, takes));
        }
        (used <= self.length && self.used_tags + sizes.len() <= self.tags).then_some(places)
    }

    fn store(&mut self, record: Owned, (start, takes): (usize, usize)) {
        self.at = (start + self.size(record.stack.len())) % self.length;
        self.used += takes;
        self.used_tags += 1;
        let tag_index = self.tag_at;
        self.tag_at = (self.tag_at + 1) % self.tags;
        self.queue.push_back(Item { record, start, takes, tag_index });
    }

    fn overflow(&self, count: u64, time: i64) -> Owned {
        Owned { time, tag: 0, header: vec![0; self.header], stack: vec![count] }
    }

    /// True if it is stored, false if it is dropped.
    pub fn write(&mut self, mut record: Owned) -> bool {
        self.written += 1;
        record.header.resize(self.header, 0);
        let size = self.size(record.stack.len());
        match self.lost {
            None => {
                if let Some(places) = self.takes(&[size]) {
                    self.store(record, places[0]);
                    return true;
                }
                self.lost = Some((1, record.time));
            }
            Some((count, time)) => {
                if let Some(places) = self.takes(&[self.size(1), size]) {
                    self.store(self.overflow(count, time), places[0]);
                    self.store(record, places[1]);
                    self.lost = None;
                    return true;
                }
                self.lost = Some((count + 1, time));
            }
        }
        false
    }

    pub fn read(&mut self) -> Expected {
        let (words, tags) = std::mem::take(&mut self.held);
        self.used -= words;
        self.used_tags -= tags;
        let mut batch: Vec<Owned> = Vec::new();
        let mut end = None;
        while let Some(item) = self.queue.front()
            && end.is_none_or(|end| end == item.start && item.start != 0 && item.tag_index != 0)
        {
            let item = self.queue.pop_front().unwrap();
            end = Some(item.start + self.size(item.record.stack.len()));
            self.held = (self.held.0 + item.takes, self.held.1 + 1);
            batch.push(item.record);
        }
        if batch.is_empty()
            && let Some((count, time)) = self.lost.take()
        {
            batch.push(self.overflow(count, time));
        }
        for record in &batch {
            // The tests give every record of their own a tag.
            if record.tag == 0 { self.counted += record.stack[0] } else { self.delivered += 1 }
        }
        match (batch.is_empty(), self.closed) {
            (false, _) => Expected::Records(batch),
            (true, true) => Expected::EndOfFile,
            (true, false) => Expected::Nothing,
        }
    }
}
