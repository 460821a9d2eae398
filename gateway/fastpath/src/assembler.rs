//! The few instructions of BPF that the program needs, and labels to jump to.
//!
//! Source: Linux, `Documentation/bpf/standardization/instruction-set.rst`.

/// A register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reg(pub(crate) u8);

/// What a helper returns.
pub(crate) const R0: Reg = Reg(0);
/// Arguments of helpers; a call forgets them.
pub(crate) const R1: Reg = Reg(1);
pub(crate) const R2: Reg = Reg(2);
pub(crate) const R3: Reg = Reg(3);
pub(crate) const R4: Reg = Reg(4);
pub(crate) const R5: Reg = Reg(5);
/// What a call leaves alone.
pub(crate) const R6: Reg = Reg(6);
pub(crate) const R7: Reg = Reg(7);
pub(crate) const R8: Reg = Reg(8);
pub(crate) const R9: Reg = Reg(9);
/// The end of the stack.
pub(crate) const R10: Reg = Reg(10);

/// In place of a register: the value is the descriptor of a map.
const PSEUDO_MAP_FD: Reg = Reg(1);

/// Bytes of a load or store, as the instruction has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    One = 0x10,
    Two = 0x08,
    Four = 0x00,
    Eight = 0x18,
}

/// Arithmetic of 64 bits, as the instruction has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Add = 0x00,
    Sub = 0x10,
    Mul = 0x20,
    Div = 0x30,
    Or = 0x40,
    And = 0x50,
    ShiftLeft = 0x60,
    ShiftRight = 0x70,
    Xor = 0xa0,
    /// Keeps the sign.
    ArithmeticShiftRight = 0xc0,
}

/// Comparisons of 64 bits without sign, but where it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Is = 0x10,
    IsNot = 0x50,
    Above = 0x20,
    AtLeast = 0x30,
    Below = 0xa0,
    SignedAbove = 0x60,
    SignedBelow = 0xc0,
}

/// A place in the program, named before it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label(usize);

/// A program in the making.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    code: Vec<[u8; 8]>,
    /// Which instruction jumps to which label.
    jumps: Vec<(usize, Label)>,
    /// Where each label is.
    places: Vec<Option<usize>>,
}

impl Assembler {
    pub(crate) fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// The label is here.
    pub(crate) fn place(&mut self, label: Label) {
        let here = self.code.len();
        if let Some(place) = self.places.get_mut(label.0) {
            *place = Some(here);
        }
    }

    pub(crate) fn copy(&mut self, to: Reg, from: Reg) {
        self.emit(0xbf, to, from, 0, 0);
    }

    pub(crate) fn set(&mut self, to: Reg, value: i32) {
        self.emit(0xb7, to, R0, 0, value);
    }

    pub(crate) fn add(&mut self, to: Reg, other: Reg) {
        self.emit(0x0f, to, other, 0, 0);
    }

    pub(crate) fn add_value(&mut self, to: Reg, value: i32) {
        self.emit(0x07, to, R0, 0, value);
    }

    pub(crate) fn and_value(&mut self, to: Reg, value: i32) {
        self.emit(0x57, to, R0, 0, value);
    }

    pub(crate) fn load(&mut self, size: Size, to: Reg, from: Reg, offset: i16) {
        self.emit(0x61 | size as u8, to, from, offset, 0);
    }

    /// Stores four bytes.
    pub(crate) fn store(&mut self, to: Reg, offset: i16, from: Reg) {
        self.emit(0x63, to, from, offset, 0);
    }

    /// Adds to eight bytes in memory, atomically.
    pub(crate) fn add_to_memory(&mut self, to: Reg, offset: i16, from: Reg) {
        self.emit(0xdb, to, from, offset, 0);
    }

    pub(crate) fn store_sized(&mut self, size: Size, to: Reg, offset: i16, from: Reg) {
        self.emit(0x63 | size as u8, to, from, offset, 0);
    }

    /// `to = to op other`.
    pub(crate) fn calculate(&mut self, op: Op, to: Reg, other: Reg) {
        self.emit(0x0f | op as u8, to, other, 0, 0);
    }

    /// `to = to op value`.
    pub(crate) fn calculate_value(&mut self, op: Op, to: Reg, value: i32) {
        self.emit(0x07 | op as u8, to, R0, 0, value);
    }

    /// Network byte order of 16 bits to the host's, or back.
    pub(crate) fn swap_two(&mut self, register: Reg) {
        self.emit(0xdc, register, R0, 0, 16);
    }

    /// The same of 32 bits.
    pub(crate) fn swap_four(&mut self, register: Reg) {
        self.emit(0xdc, register, R0, 0, 32);
    }

    /// Adds to eight bytes in memory, before all that follows; what was there comes in `with`.
    pub(crate) fn fetch_add(&mut self, to: Reg, offset: i16, with: Reg) {
        self.emit(0xdb, to, with, offset, 1);
    }

    pub(crate) fn jump_when(&mut self, register: Reg, when: When, value: i32, to: Label) {
        self.emit_jump(0x05 | when as u8, register, R0, value, to);
    }

    /// The same with another register.
    pub(crate) fn jump_when_other(&mut self, register: Reg, when: When, other: Reg, to: Label) {
        self.emit_jump(0x0d | when as u8, register, other, 0, to);
    }

    /// Ends with what is in `R0`.
    pub(crate) fn exit_with_result(&mut self) {
        self.emit(0x95, R0, R0, 0, 0);
    }

    pub(crate) fn load_map(&mut self, to: Reg, descriptor: i32) {
        self.emit(0x18, to, PSEUDO_MAP_FD, 0, descriptor);
        self.emit(0, R0, R0, 0, 0);
    }

    pub(crate) fn jump(&mut self, to: Label) {
        self.emit_jump(0x05, R0, R0, 0, to);
    }

    /// Jumps where the low half of a register is `value`.
    pub(crate) fn jump_if_is(&mut self, register: Reg, value: i32, to: Label) {
        self.emit_jump(0x16, register, R0, value, to);
    }

    /// Jumps where the low half of a register is not `value`.
    pub(crate) fn jump_unless_is(&mut self, register: Reg, value: i32, to: Label) {
        self.emit_jump(0x56, register, R0, value, to);
    }

    /// Jumps where the low halves of two registers differ.
    pub(crate) fn jump_unless_same(&mut self, register: Reg, other: Reg, to: Label) {
        self.emit_jump(0x5e, register, other, 0, to);
    }

    /// Jumps where a bit of `value` is set in the low half of a register.
    pub(crate) fn jump_if_set(&mut self, register: Reg, value: i32, to: Label) {
        self.emit_jump(0x46, register, R0, value, to);
    }

    /// Jumps where a pointer is none.
    pub(crate) fn jump_if_null(&mut self, pointer: Reg, to: Label) {
        self.emit_jump(0x15, pointer, R0, 0, to);
    }

    pub(crate) fn call(&mut self, helper: i32) {
        self.emit(0x85, R0, R0, 0, helper);
    }

    pub(crate) fn exit(&mut self, value: i32) {
        self.set(R0, value);
        self.emit(0x95, R0, R0, 0, 0);
    }

    /// The program; `None`: a label is nowhere, or too far from its jump.
    pub(crate) fn finish(mut self) -> Option<Vec<[u8; 8]>> {
        for (from, Label(label)) in &self.jumps {
            let place = (*self.places.get(*label)?)?;
            let distance = i64::try_from(place).ok()? - i64::try_from(*from).ok()? - 1;
            let bytes = i16::try_from(distance).ok()?.to_ne_bytes();
            self.code.get_mut(*from)?.get_mut(2..4)?.copy_from_slice(&bytes);
        }
        Some(self.code)
    }

    fn emit_jump(&mut self, code: u8, to: Reg, from: Reg, value: i32, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.emit(code, to, from, 0, value);
    }

    fn emit(&mut self, code: u8, to: Reg, from: Reg, offset: i16, value: i32) {
        // The two registers share a byte: the first is in its low half, on a big-endian host in its high half.
        let registers = if cfg!(target_endian = "little") { to.0 | from.0 << 4 } else { to.0 << 4 | from.0 };
        let [a, b] = offset.to_ne_bytes();
        let [c, d, e, f] = value.to_ne_bytes();
        self.code.push([code, registers, a, b, c, d, e, f]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_counts_from_the_next_instruction() {
        let mut program = Assembler::default();
        let end = program.label();
        program.jump_if_is(R2, 17, end);
        program.load_map(R1, 9);
        program.place(end);
        program.exit(1);
        let code = program.finish().unwrap();
        let offsets: Vec<_> = code.iter().map(|code| i16::from_ne_bytes([code[2], code[3]])).collect();
        assert_eq!(offsets, [2, 0, 0, 0, 0]);
    }

    #[test]
    fn a_label_that_is_nowhere_is_no_program() {
        let mut program = Assembler::default();
        let nowhere = program.label();
        program.jump(nowhere);
        assert_eq!(program.finish(), None);
    }
}
