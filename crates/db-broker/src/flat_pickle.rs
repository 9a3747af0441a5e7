//! Which pickles are read at all: those of one tuple or list of plain values.
//!
//! A pickle is a program. One of a few KiB can nest values deeper than a stack is, or double what it holds with every
//! byte; what Swift writes does neither.

/// Values of an entry, at most. Stock writes nine.
const MOST_VALUES: usize = 64;
/// The longest number in digits, in bytes: longer ones take time by the square of their length.
const LONGEST_NUMBER: usize = 32;

/// What Python 3 calls, in protocol 2, to have bytes made of a text: the only name that an entry may have.
const TO_BYTES: &[u8] = b"_codecs\nencode\n";

/// What an instruction does, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Says something of the pickle, keeps a value for a later instruction, or puts values into the list.
    Aside,
    /// Makes a value, or takes one that was kept.
    Value,
    /// Begins the values of the row.
    Mark,
    /// Makes the tuple or list, or the arguments of a call.
    Row,
    /// Takes the arguments, which are then no row.
    Call,
}

/// What follows an instruction.
#[derive(Clone, Copy)]
enum Operand {
    /// So many bytes.
    Bytes(usize),
    /// A length in so many bytes, and as many bytes as it says.
    Counted(usize),
    /// All bytes up to the end of the line.
    Line,
    /// The same, of a number.
    Number,
    /// [`TO_BYTES`].
    Name,
}

/// The error says what is not plain about it. What comes after the end is not looked at.
pub(crate) fn check(pickle: &[u8]) -> Result<(), String> {
    let (mut rest, mut values, mut rows, mut marks) = (pickle, 0, 0, 0);
    while let Some((&code, after)) = rest.split_first() {
        if code == b'.' {
            return Ok(());
        }
        let (effect, operand) = instruction(code).ok_or_else(|| format!("instruction {code:#04x}"))?;
        rest = skip(after, operand).ok_or("it ends within a value, or calls what makes none")?;
        match effect {
            Effect::Aside => {}
            Effect::Value => values += 1,
            Effect::Mark => marks += 1,
            Effect::Row => rows += 1,
            Effect::Call => rows = 0,
        }
        if values > MOST_VALUES || rows > 1 || marks > 1 {
            return Err("more than one row of a few values".to_owned());
        }
    }
    Err("it has no end".to_owned())
}

/// The instructions of protocols 0 to 4 that make a row of plain values.
fn instruction(code: u8) -> Option<(Effect, Operand)> {
    Some(match code {
        // MEMOIZE, APPEND, APPENDS; PROTO and BINPUT; LONG_BINPUT; FRAME; PUT
        0x94 | b'a' | b'e' => (Effect::Aside, Operand::Bytes(0)),
        0x80 | b'q' => (Effect::Aside, Operand::Bytes(1)),
        b'r' => (Effect::Aside, Operand::Bytes(4)),
        0x95 => (Effect::Aside, Operand::Bytes(8)),
        b'p' => (Effect::Aside, Operand::Number),
        // NONE, NEWTRUE, NEWFALSE; BINGET and BININT1; BININT2; LONG_BINGET and BININT; BINFLOAT
        b'N' | 0x88 | 0x89 => (Effect::Value, Operand::Bytes(0)),
        b'h' | b'K' => (Effect::Value, Operand::Bytes(1)),
        b'M' => (Effect::Value, Operand::Bytes(2)),
        b'j' | b'J' => (Effect::Value, Operand::Bytes(4)),
        b'G' => (Effect::Value, Operand::Bytes(8)),
        // GET, INT, LONG, FLOAT; STRING, UNICODE
        b'g' | b'I' | b'L' | b'F' => (Effect::Value, Operand::Number),
        b'S' | b'V' => (Effect::Value, Operand::Line),
        // LONG1, SHORT_BINSTRING, SHORT_BINBYTES, SHORT_BINUNICODE; BINSTRING, BINBYTES, BINUNICODE; BINUNICODE8, BINBYTES8
        0x8a | b'U' | b'C' | 0x8c => (Effect::Value, Operand::Counted(1)),
        b'T' | b'B' | b'X' => (Effect::Value, Operand::Counted(4)),
        0x8d | 0x8e => (Effect::Value, Operand::Counted(8)),
        // MARK; TUPLE, TUPLE1, TUPLE2, TUPLE3, LIST, EMPTY_LIST
        b'(' => (Effect::Mark, Operand::Bytes(0)),
        b't' | 0x85..=0x87 | b'l' | b']' => (Effect::Row, Operand::Bytes(0)),
        // GLOBAL, REDUCE
        b'c' => (Effect::Aside, Operand::Name),
        b'R' => (Effect::Call, Operand::Bytes(0)),
        _ => return None,
    })
}

fn skip(after: &[u8], operand: Operand) -> Option<&[u8]> {
    match operand {
        Operand::Bytes(count) => after.get(count..),
        Operand::Counted(width) => {
            let mut length = [0; 8];
            length[..width].copy_from_slice(after.get(..width)?);
            after.get(width..)?.get(usize::try_from(u64::from_le_bytes(length)).ok()?..)
        }
        Operand::Name => after.strip_prefix(TO_BYTES),
        Operand::Line => after.get(line_length(after)?..),
        Operand::Number => after.get(line_length(after).filter(|length| *length <= LONGEST_NUMBER)?..),
    }
}

/// The end of the line included.
fn line_length(text: &[u8]) -> Option<usize> {
    Some(text.iter().position(|byte| *byte == b'\n')? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_writes_is_plain() {
        // pickle.dumps(('o', '1', 1 << 40, None, True, 1.5), protocol) of protocols 0, 2 and 4, and (b'o',) of protocol 2
        for plain in [
            b"(Vo\np0\nV1\np1\nL1099511627776L\nNI01\nF1.5\ntp2\n.".as_slice(),
            b"\x80\x02(X\x01\0\0\0oq\0X\x01\0\0\x001q\x01\x8a\x06\0\0\0\0\0\x01N\x88G?\xf8\0\0\0\0\0\0tq\x02.",
            b"\x80\x04\x95\x1f\0\0\0\0\0\0\0(\x8c\x01o\x94\x8c\x011\x94\x8a\x06\0\0\0\0\0\x01N\x88G?\xf8\0\0\0\0\0\0t\x94.",
            b"\x80\x02c_codecs\nencode\nq\0X\x01\0\0\0oq\x01X\x06\0\0\0latin1q\x02\x86q\x03Rq\x04\x85q\x05.",
        ] {
            assert_eq!(check(plain), Ok(()), "{}", plain.escape_ascii());
        }
    }

    #[test]
    fn what_grows_or_nests_is_not() {
        let deep = [b"]".repeat(100_000), b"a".repeat(99_999), b".".to_vec()].concat();
        let doubled = [b"K\x01".to_vec(), b"2\x86".repeat(40), b".".to_vec()].concat();
        let kept = [b"(Vx\nq\0".to_vec(), b"h\0".repeat(MOST_VALUES), b"t.".to_vec()].concat();
        let digits = [b"L".to_vec(), b"9".repeat(100_000), b"L\n.".to_vec()].concat();
        for wild in [
            deep,
            doubled,
            kept,
            digits,
            b"((tt.".to_vec(),
            b"cos\nsystem\n.".to_vec(),
            b"K".to_vec(),
            vec![],
        ] {
            assert!(check(&wild).is_err(), "{}", wild[..wild.len().min(40)].escape_ascii());
        }
        let claimed = b"B\xff\xff\xff\xffx.";
        assert_eq!(check(claimed), Err("it ends within a value, or calls what makes none".to_owned()));
    }
}
