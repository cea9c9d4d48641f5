//! Cuts a guest's long operations over memory into pieces, so that its deadline can end them.
//!
//! The engine looks at the clock at the head of functions and loops. `memory.fill`, `memory.copy` and `memory.init` are
//! one instruction each, and over hundreds of megabytes they take tenths of a second. Before a component is compiled,
//! each of them becomes a call of a function at the end of its module that does the same piece by piece. Nothing else of
//! the module changes, and the file's digest stays that of the file.
//!
//! One thing differs: an operation that reaches beyond the memory has worked up to there when it traps, where the original
//! had not begun. Nobody sees it, because an instance that trapped is never entered again.
//!
//! Refuses to judge a component: what it cannot read stays as it is, and the engine refuses it.

use std::borrow::Cow;

use wasm_encoder::{BlockType, Function, InstructionSink};
use wasmparser::{BinaryReader, BinaryReaderError, CodeSectionReader, ImportSectionReader, Operator, TypeRef};

use super::component::LoadError;
use super::sections::{CUSTOM, HEADER_BYTES, append, append_number, custom, number, sections};

/// The component, or core module, with its long operations in pieces.
///
/// # Errors
/// It is nested too deep to be looked through.
pub(super) fn in_pieces(bytes: &[u8]) -> Result<Cow<'_, [u8]>, LoadError> {
    nested(bytes, DEPTH)
}

/// How deep components may stand in each other: what toolchains make has two or three levels.
const DEPTH: u32 = 16;
/// As much as one operation covers: it takes a fraction of a millisecond, with every page touched for the first time.
const PIECE_BYTES: i32 = 1 << 20;

/// Ids of the sections that change.
const TYPES: u8 = 1;
const IMPORTS: u8 = 2;
const FUNCTIONS: u8 = 3;
const CODE: u8 = 10;
/// Ids of a component's sections with something within.
const CORE_MODULE: u8 = 1;
const COMPONENT: u8 = 4;

fn nested(bytes: &[u8], depth: u32) -> Result<Cow<'_, [u8]>, LoadError> {
    match bytes.get(4..HEADER_BYTES) {
        Some(b"\x01\0\0\0") => Ok(module(bytes).map_or(Cow::Borrowed(bytes), Cow::Owned)),
        Some(b"\x0d\0\x01\0") if depth == 0 => Err(LoadError::Invalid("components nested too deep".to_owned())),
        Some(header @ b"\x0d\0\x01\0") => {
            let mut made = Vec::with_capacity(bytes.len() + bytes.len() / 16);
            made.extend_from_slice(&bytes[..HEADER_BYTES - header.len()]);
            made.extend_from_slice(header);
            for (id, body) in sections(bytes) {
                match id {
                    CORE_MODULE | COMPONENT => append(&mut made, id, &nested(body, depth - 1)?),
                    _ => append(&mut made, id, body),
                }
            }
            Ok(if is_whole(bytes) { Cow::Owned(made) } else { Cow::Borrowed(bytes) })
        }
        _ => Ok(Cow::Borrowed(bytes)),
    }
}

/// Whether every byte belongs to a section.
fn is_whole(bytes: &[u8]) -> bool {
    let end = sections(bytes).last().map_or(HEADER_BYTES, |(_, body)| {
        let start = body.as_ptr() as usize - bytes.as_ptr() as usize;
        start + body.len()
    });
    end == bytes.len()
}

/// An operation over memory 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bulk {
    Fill,
    Copy,
    /// From this segment of data.
    Init(u32),
}

impl Bulk {
    fn of(operator: &Operator<'_>) -> Option<Self> {
        match *operator {
            Operator::MemoryFill { mem: 0 } => Some(Self::Fill),
            Operator::MemoryCopy { dst_mem: 0, src_mem: 0 } => Some(Self::Copy),
            Operator::MemoryInit { data_index, mem: 0 } => Some(Self::Init(data_index)),
            _ => None,
        }
    }
}

/// The module anew; none when there is nothing to do, or it is not one.
fn module(bytes: &[u8]) -> Option<Vec<u8>> {
    if !is_whole(bytes) {
        return None;
    }
    let body_of = |wanted: u8| sections(bytes).find(|(id, _)| *id == wanted).map(|(_, body)| body);
    let code = body_of(CODE)?;
    let (type_count, types) = number(body_of(TYPES)?)?;
    let (function_count, functions) = number(body_of(FUNCTIONS)?)?;
    let imported = body_of(IMPORTS).map_or(Ok(0), imported_functions).ok()?;
    let mut calls = Calls { first: imported + function_count, known: Vec::new() };
    let bodies = bodies(code, &mut calls).ok()?;
    if calls.known.is_empty() {
        return None;
    }
    let mut made = Vec::with_capacity(bytes.len() + bytes.len() / 16);
    made.extend_from_slice(&bytes[..HEADER_BYTES]);
    for (id, body) in sections(bytes) {
        match id {
            TYPES => append(&mut made, id, &counted(type_count + 1, &[types, THREE_NUMBERS])),
            FUNCTIONS => {
                let mut added = Vec::new();
                calls.known.iter().for_each(|_| append_number(&mut added, type_count));
                append(&mut made, id, &counted(function_count + calls.known.len(), &[functions, &added]));
            }
            CODE => {
                let mut added = Vec::new();
                for &bulk in &calls.known {
                    let body = piecewise(bulk);
                    append_number(&mut added, body.len());
                    added.extend_from_slice(&body);
                }
                append(&mut made, id, &counted(function_count + calls.known.len(), &[&bodies, &added]));
            }
            // Hints by the place in a function's code, which is not what it was.
            CUSTOM if custom(body).is_some_and(|(name, _)| name.starts_with(b"metadata.code.")) => {}
            _ => append(&mut made, id, body),
        }
    }
    Some(made)
}

fn counted(count: usize, parts: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::with_capacity(5 + parts.iter().map(|part| part.len()).sum::<usize>());
    append_number(&mut body, count);
    parts.iter().for_each(|part| body.extend_from_slice(part));
    body
}

/// The type `(i32, i32, i32) -> ()`.
const THREE_NUMBERS: &[u8] = &[0x60, 3, 0x7f, 0x7f, 0x7f, 0];

fn imported_functions(body: &[u8]) -> Result<usize, BinaryReaderError> {
    let mut count = 0;
    for import in ImportSectionReader::new(BinaryReader::new(body, 0))?.into_imports() {
        count += usize::from(matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
    }
    Ok(count)
}

/// The functions that are called instead.
struct Calls {
    /// Index of the first.
    first: usize,
    known: Vec<Bulk>,
}

impl Calls {
    fn index(&mut self, bulk: Bulk) -> usize {
        let at = self.known.iter().position(|&known| known == bulk).unwrap_or_else(|| {
            self.known.push(bulk);
            self.known.len() - 1
        });
        self.first + at
    }
}

/// All functions' code, with calls in place of long operations.
fn bodies(code: &[u8], calls: &mut Calls) -> Result<Vec<u8>, BinaryReaderError> {
    let mut made = Vec::with_capacity(code.len() + code.len() / 16);
    for body in CodeSectionReader::new(BinaryReader::new(code, 0))? {
        let body = body?;
        let range = body.range();
        let mut changed = Vec::new();
        let mut copied = range.start;
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let (operator, at) = operators.read_with_offset()?;
            if let Some(bulk) = Bulk::of(&operator) {
                changed.extend_from_slice(&code[copied..at]);
                changed.push(CALL);
                append_number(&mut changed, calls.index(bulk));
                copied = operators.original_position();
            }
        }
        changed.extend_from_slice(&code[copied..range.end]);
        append_number(&mut made, changed.len());
        made.extend_from_slice(&changed);
    }
    Ok(made)
}

const CALL: u8 = 0x10;

/// Code of a function of target, source (or value) and length that does an operation in pieces.
fn piecewise(bulk: Bulk) -> Vec<u8> {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    if bulk == Bulk::Copy {
        // Of areas that overlap, what is still to be read must not be written: upwards or downwards.
        code.local_get(TARGET).local_get(SOURCE).i32_le_u().if_(BlockType::Empty);
        upwards(&mut code, bulk);
        code.else_();
        downwards(&mut code);
        code.end();
    } else {
        upwards(&mut code, bulk);
    }
    code.end();
    function.into_raw_body()
}

const TARGET: u32 = 0;
const SOURCE: u32 = 1;
const LENGTH: u32 = 2;

fn upwards(code: &mut InstructionSink<'_>, bulk: Bulk) {
    while_long(code, |code| {
        code.local_get(TARGET).local_get(SOURCE).i32_const(PIECE_BYTES);
        operation(code, bulk);
        code.local_get(TARGET).i32_const(PIECE_BYTES).i32_add().local_set(TARGET);
        if bulk != Bulk::Fill {
            code.local_get(SOURCE).i32_const(PIECE_BYTES).i32_add().local_set(SOURCE);
        }
        code.local_get(LENGTH).i32_const(PIECE_BYTES).i32_sub().local_set(LENGTH);
    });
    code.local_get(TARGET).local_get(SOURCE).local_get(LENGTH);
    operation(code, bulk);
}

fn downwards(code: &mut InstructionSink<'_>) {
    while_long(code, |code| {
        code.local_get(LENGTH).i32_const(PIECE_BYTES).i32_sub().local_set(LENGTH);
        code.local_get(TARGET).local_get(LENGTH).i32_add();
        code.local_get(SOURCE).local_get(LENGTH).i32_add();
        code.i32_const(PIECE_BYTES);
        operation(code, Bulk::Copy);
    });
    code.local_get(TARGET).local_get(SOURCE).local_get(LENGTH);
    operation(code, Bulk::Copy);
}

/// Repeats while more than a piece is left.
fn while_long(code: &mut InstructionSink<'_>, piece: impl FnOnce(&mut InstructionSink<'_>)) {
    code.loop_(BlockType::Empty);
    code.local_get(LENGTH).i32_const(PIECE_BYTES).i32_gt_u().if_(BlockType::Empty);
    piece(code);
    code.br(1).end().end();
}

fn operation(code: &mut InstructionSink<'_>, bulk: Bulk) {
    match bulk {
        Bulk::Fill => code.memory_fill(0),
        Bulk::Copy => code.memory_copy(0, 0),
        Bulk::Init(segment) => code.memory_init(0, segment),
    };
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use wasmtime::{Engine, Instance, Module, Store};

    use super::*;

    /// Runs `run` of a module of 4 MiB over a number, and gives its memory's bytes; or that it trapped.
    fn run(module: &[u8], number: i32) -> Option<Vec<u8>> {
        let engine = Engine::default();
        let module = Module::new(&engine, module).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<i32, ()>(&mut store, "run").unwrap();
        let answer = run.call(&mut store, number);
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        answer.ok().map(|()| memory.data(&store).to_vec())
    }

    fn source(body: &str) -> Vec<u8> {
        let mut text = String::from(
            "(module (memory (export \"memory\") 64)\n(func $other (param i32) (result i32) local.get 0)\n",
        );
        writeln!(text, "(data $d \"{}\")", "0123456789abcdef".repeat(150_000)).unwrap();
        // Something to be moved, and other instructions between which the operations stand.
        text.push_str("(func (export \"run\") (param $n i32) (local $i i32)\n(loop $l (i32.store (i32.mul (local.get $i) (i32.const 4)) (i32.mul (local.get $i) (i32.const 40503))) (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1048576))))\n");
        text.push_str(body);
        text.push_str("(drop (call $other (i32.const 624485)))))");
        wat::parse_str(text).unwrap()
    }

    /// The same bytes as the instructions themselves leave, whatever overlaps, at every side of a piece's length.
    #[test]
    fn pieces_do_what_the_whole_does() {
        let operations = [
            "(memory.fill (i32.const 77) (i32.const 5) (local.get $n))",
            "(memory.copy (i32.const 3) (i32.const 70000) (local.get $n))",
            "(memory.copy (i32.const 70000) (i32.const 3) (local.get $n))",
            "(memory.copy (i32.const 5) (i32.const 5) (local.get $n))",
            "(memory.init $d (i32.const 9) (i32.const 11) (local.get $n))",
            "(memory.fill (i32.const 7) (i32.const 1) (local.get $n)) (memory.init $d (i32.const 1) (i32.const 2) (i32.const 3)) (memory.fill (i32.const 1) (i32.const 2) (i32.const 4))",
        ];
        let piece = PIECE_BYTES;
        for body in operations {
            let whole = source(body);
            let cut = in_pieces(&whole).unwrap();
            assert!(matches!(cut, Cow::Owned(_)), "{body}");
            for number in [0, 1, piece - 1, piece, piece + 1, 2 * piece, 2 * piece + 4_711, 4 * piece, -1, -piece] {
                assert!(run(&cut, number) == run(&whole, number), "{body} of {number}");
            }
        }
    }

    #[test]
    fn nothing_else_changes() {
        let plain = source("(i32.store (i32.const 1) (local.get $n))");
        assert_eq!(in_pieces(&plain).unwrap(), Cow::Borrowed(&plain[..]));
        for broken in
            [&b"no module"[..], b"\0asm\x01\0\0\0\x0a", b"\0asm\x0d\0\x01\0\x01\x7f", b"\0asm\x01\0\0\0\x0a\x01\x01"]
        {
            assert_eq!(in_pieces(broken).unwrap(), Cow::Borrowed(broken));
        }
        let cut = source("(memory.fill (i32.const 77) (i32.const 5) (local.get $n))");
        assert!(in_pieces(&cut[..cut.len() - 1]).unwrap() == Cow::Borrowed(&cut[..cut.len() - 1]));
        // What was cut has nothing left but pieces.
        let once = in_pieces(&cut).unwrap().into_owned();
        wasmparser::validate(&once).unwrap();
        wasmparser::validate(&in_pieces(&once).unwrap()).unwrap();
    }

    /// Components within components, to a limit.
    #[test]
    fn modules_are_found_however_deep_they_are() {
        let module = source("(memory.fill (i32.const 77) (i32.const 5) (local.get $n))");
        let within = |inner: &[u8], id: u8| {
            let mut outer = b"\0asm\x0d\0\x01\0".to_vec();
            append(&mut outer, id, inner);
            outer
        };
        let mut component = within(&module, CORE_MODULE);
        for _ in 1..DEPTH {
            component = within(&component, COMPONENT);
        }
        let made = in_pieces(&component).unwrap();
        assert!(made.len() > component.len());
        let (_, mut inner) = sections(&made).next().unwrap();
        for _ in 1..DEPTH {
            inner = sections(inner).next().unwrap().1;
        }
        assert_eq!(inner, in_pieces(&module).unwrap().as_ref());
        assert!(in_pieces(&within(&component, COMPONENT)).unwrap_err().to_string().contains("nested too deep"));
    }
}
