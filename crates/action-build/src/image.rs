//! A memory as a Wasm module: no code, only data.

use wasm_encoder::{ConstExpr, DataSection, ExportKind, ExportSection, MemorySection, MemoryType, Module};

const WASM_PAGE: usize = 64 << 10;
/// Zeros are left out in units of this: what the operating system maps at a time.
const HOST_PAGE: usize = 4 << 10;
/// The engine's import declares the same maximum (`build.rs` of action-runtime).
const MAX_PAGES: u64 = (256 << 20) / WASM_PAGE as u64;

/// The module whose instance has this memory, exported as `memory`.
pub(crate) fn encode(memory: &[u8]) -> Vec<u8> {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: memory.len().div_ceil(WASM_PAGE) as u64,
        maximum: Some(MAX_PAGES),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    let mut data = DataSection::new();
    let mut segment: Option<std::ops::Range<usize>> = None;
    for (index, page) in memory.chunks(HOST_PAGE).enumerate() {
        let start = index * HOST_PAGE;
        if page.iter().any(|byte| *byte != 0) {
            segment.get_or_insert(start..start).end = start + page.len();
        } else if let Some(done) = segment.take() {
            push(&mut data, memory, done);
        }
    }
    if let Some(done) = segment {
        push(&mut data, memory, done);
    }
    let mut module = Module::new();
    module.section(&memories).section(&exports).section(&data);
    module.finish()
}

fn push(data: &mut DataSection, memory: &[u8], range: std::ops::Range<usize>) {
    // An address in a 32-bit memory: the cast keeps the bits.
    let at = ConstExpr::i32_const(range.start as u32 as i32);
    data.active(0, &at, memory.get(range).unwrap_or_default().iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_take_no_room() {
        let mut memory = vec![0; 10 * WASM_PAGE];
        memory[5 * HOST_PAGE + 7] = 1;
        memory[9 * WASM_PAGE] = 2;
        let module = encode(&memory);
        assert!(module.len() < 3 * HOST_PAGE, "{}", module.len());
        wasmparser::validate(&module).expect("a valid module");
    }
}
