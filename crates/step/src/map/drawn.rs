//! Code that no thread runs, drawn for tests: functions at made-up addresses.

use std::collections::HashMap;

use crate::Boundary;
use sigproof_inspect::diagnose::{Place, Places};

/// See the module.
#[derive(Default)]
pub(crate) struct Drawn {
    functions: Vec<Function>,
    code: HashMap<u64, Vec<u8>>,
}

struct Function {
    symbol: Option<&'static str>,
    object: &'static str,
    start: u64,
    length: u64,
    bias: u64,
    source: Option<(&'static str, u32)>,
}

impl Drawn {
    /// `symbol` has the addresses from `start` on, in an object file whose own addresses are less by `bias`.
    pub(crate) fn function(
        mut self,
        symbol: &'static str,
        object: &'static str,
        (start, length): (u64, u64),
        bias: u64,
    ) -> Self {
        let symbol = (!symbol.is_empty()).then_some(symbol);
        self.functions.push(Function { symbol, object, start, length, bias, source: None });
        self
    }

    /// The last function begins at this line, and has 16 bytes for each.
    pub(crate) fn source(mut self, file: &'static str, line: u32) -> Self {
        self.functions.last_mut().unwrap().source = Some((file, line));
        self
    }

    /// These bytes are at this address.
    pub(crate) fn code(mut self, pc: u64, bytes: &[u8]) -> Self {
        self.code.insert(pc, bytes.to_vec());
        self
    }
}

impl Places for Drawn {
    fn place(&self, pc: u64) -> Place {
        let at = self.functions.iter().find(|at| (at.start..at.start + at.length).contains(&pc));
        let Some(at) = at else { return Place { pc, object_offset: pc, ..Place::default() } };
        let distance = pc - at.start;
        Place {
            pc,
            symbol: at.symbol.map(str::to_owned),
            offset: if at.symbol.is_some() { distance } else { 0 },
            inlined: Vec::new(),
            object: Some(at.object.to_owned()),
            object_offset: pc - at.bias,
            file: at.source.map(|(file, _)| file.to_owned()),
            line: at.source.map(|(_, line)| line + (distance / 16) as u32),
        }
    }

    fn code(&self, pc: u64, length: usize) -> Vec<u8> {
        let mut code = self.code.get(&pc).cloned().unwrap_or_default();
        code.truncate(length);
        code
    }
}

/// A path over these addresses, awake.
pub(crate) fn path(addresses: &[u64]) -> Vec<Boundary> {
    addresses.iter().map(|pc| Boundary { pc: *pc, depth: 64, asleep: false }).collect()
}
