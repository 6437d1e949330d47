//! Relations on at most 32 events, as bit matrices.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation(pub [u32; 32]);

impl Relation {
    pub const EMPTY: Self = Self([0; 32]);

    pub fn of(count: usize, holds: impl Fn(usize, usize) -> bool) -> Self {
        let mut relation = Self::EMPTY;
        for a in 0..count {
            for b in 0..count {
                relation.0[a] |= u32::from(holds(a, b)) << b;
            }
        }
        relation
    }

    pub fn has(&self, a: usize, b: usize) -> bool {
        self.0[a] >> b & 1 != 0
    }

    pub fn or(mut self, other: &Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine |= theirs);
        self
    }

    pub fn then(&self, next: &Self) -> Self {
        let mut composed = Self::EMPTY;
        for a in 0..32 {
            let mut middle = self.0[a];
            while middle != 0 {
                composed.0[a] |= next.0[middle.trailing_zeros() as usize];
                middle &= middle - 1;
            }
        }
        composed
    }

    pub fn closure(mut self) -> Self {
        for middle in 0..32 {
            let next = self.0[middle];
            for row in &mut self.0 {
                if *row >> middle & 1 != 0 {
                    *row |= next;
                }
            }
        }
        self
    }

    pub fn maybe(mut self) -> Self {
        (0..32).for_each(|a| self.0[a] |= 1 << a);
        self
    }

    pub fn only(mut self, from: u32, to: u32) -> Self {
        for (a, row) in self.0.iter_mut().enumerate() {
            *row = if from >> a & 1 != 0 { *row & to } else { 0 };
        }
        self
    }

    pub fn is_irreflexive(&self) -> bool {
        (0..32).all(|a| !self.has(a, a))
    }

    pub fn is_acyclic(self) -> bool {
        self.closure().is_irreflexive()
    }
}
