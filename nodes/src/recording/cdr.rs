//! Common Data Representation (OMG DDS-XTypes 1.3, section 7.4.1: XCDR version 1, little endian), the encoding of
//! ROS 2 messages.
//!
//! Values are aligned to their size (at most 8 bytes) from the end of the 4-byte encapsulation header. A string is
//! its length with the closing zero, its bytes and the zero; a sequence is its length and its elements. Arrays of
//! bytes and floats are copied whole.

use steward_core::Time;

/// Encapsulation header of XCDR version 1, little endian, no options.
const ENCAPSULATION: [u8; 4] = [0, 1, 0, 0];

/// Why bytes are no message, or a message cannot be bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CdrError {
    /// The bytes end inside a value.
    #[error("message ends at byte {len}, inside a value that begins at byte {at}")]
    End {
        /// Begin of the value.
        at: usize,
        /// Length of the message.
        len: usize,
    },
    /// Bytes that mean nothing.
    #[error("byte {at}: {problem}")]
    Invalid {
        /// Where.
        at: usize,
        /// What is wrong.
        problem: String,
    },
    /// A value that the ROS message has no room for.
    #[error("cannot be written as a ROS message: {0}")]
    NotRepresentable(String),
}

/// A value with a CDR encoding.
pub trait Cdr: Sized {
    /// Appends the value.
    fn write(&self, w: &mut CdrWriter);

    /// Takes the value.
    ///
    /// # Errors
    /// Bytes that end inside the value or mean nothing.
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError>;
}

/// Appends values to a message.
#[derive(Debug)]
pub struct CdrWriter {
    bytes: Vec<u8>,
    problem: Option<String>,
}

impl CdrWriter {
    /// An empty message, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut w = CdrWriter {
            bytes: Vec::with_capacity(bytes + 64),
            problem: None,
        };
        w.bytes.extend_from_slice(&ENCAPSULATION);
        w
    }

    /// The message.
    ///
    /// # Errors
    /// The first thing that could not be written.
    pub fn finish(self) -> Result<Vec<u8>, CdrError> {
        match self.problem {
            None => Ok(self.bytes),
            Some(problem) => Err(CdrError::NotRepresentable(problem)),
        }
    }

    /// Remembers that something cannot be written.
    pub(crate) fn refuse(&mut self, problem: impl Into<String>) {
        self.problem.get_or_insert(problem.into());
    }

    fn align(&mut self, to: usize) {
        let from_origin = self.bytes.len() - ENCAPSULATION.len();
        self.bytes
            .resize(self.bytes.len() + from_origin.wrapping_neg() % to, 0);
    }

    fn aligned<const N: usize>(&mut self, value: [u8; N]) {
        self.align(N);
        self.bytes.extend_from_slice(&value);
    }

    /// Appends a value.
    pub fn put(&mut self, value: &impl Cdr) -> &mut Self {
        value.write(self);
        self
    }

    /// Appends a string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        if text.contains('\0') {
            self.refuse(format!("the text {text:?} contains a zero"));
        }
        self.length(text.len() + 1);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        self
    }

    /// Length of a sequence.
    pub fn length(&mut self, length: usize) -> &mut Self {
        match u32::try_from(length) {
            Ok(length) => length.write(self),
            Err(_) => self.refuse(format!("{length} elements in one sequence")),
        }
        self
    }

    /// A sequence of bytes.
    pub fn byte_sequence(&mut self, bytes: &[u8]) -> &mut Self {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// A sequence of bytes that holds little-endian numbers of `N` bytes.
    pub(crate) fn packed<T: Copy, const N: usize>(
        &mut self,
        values: &[T],
        bytes_of: fn(T) -> [u8; N],
    ) -> &mut Self {
        self.length(values.len() * N);
        let start = self.bytes.len();
        self.bytes.resize(start + values.len() * N, 0);
        for (slot, value) in self.bytes[start..].chunks_exact_mut(N).zip(values) {
            slot.copy_from_slice(&bytes_of(*value));
        }
        self
    }
}

/// Takes values from a message.
#[derive(Debug)]
pub struct CdrReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> CdrReader<'a> {
    /// Begins behind the encapsulation header.
    ///
    /// # Errors
    /// Another encoding than CDR, little endian.
    pub fn new(bytes: &'a [u8]) -> Result<Self, CdrError> {
        match bytes.get(..ENCAPSULATION.len()) {
            None => Err(CdrError::End {
                at: 0,
                len: bytes.len(),
            }),
            Some(header) if header[..2] == ENCAPSULATION[..2] => Ok(CdrReader {
                bytes,
                at: ENCAPSULATION.len(),
            }),
            Some(header) => Err(CdrError::Invalid {
                at: 0,
                problem: format!(
                    "encapsulation {:02x}{:02x}, expected 0001 (CDR, little endian)",
                    header[0], header[1]
                ),
            }),
        }
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// Something is.
    pub fn finish(self) -> Result<(), CdrError> {
        let left = self.bytes.len() - self.at;
        // Writers may pad a message to a multiple of four bytes.
        if left < 4 {
            return Ok(());
        }
        Err(self.invalid(format!("{left} bytes left after the last field")))
    }

    /// What is wrong with the value that was taken last.
    pub fn invalid(&self, problem: impl Into<String>) -> CdrError {
        CdrError::Invalid {
            at: self.at,
            problem: problem.into(),
        }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], CdrError> {
        let end = CdrError::End {
            at: self.at,
            len: self.bytes.len(),
        };
        let taken = self
            .at
            .checked_add(n)
            .and_then(|e| self.bytes.get(self.at..e))
            .ok_or(end)?;
        self.at += n;
        Ok(taken)
    }

    fn aligned<const N: usize>(&mut self) -> Result<[u8; N], CdrError> {
        let from_origin = self.at - ENCAPSULATION.len();
        self.take(from_origin.wrapping_neg() % N)?;
        let mut value = [0; N];
        value.copy_from_slice(self.take(N)?);
        Ok(value)
    }

    /// Takes a value.
    ///
    /// # Errors
    /// Bytes that end inside the value or mean nothing.
    pub fn get<T: Cdr>(&mut self) -> Result<T, CdrError> {
        T::read(self)
    }

    /// Length of a sequence whose elements take at least one byte each.
    ///
    /// # Errors
    /// More elements than there are bytes left.
    pub fn length(&mut self) -> Result<usize, CdrError> {
        let length: u32 = self.get()?;
        let left = self.bytes.len() - self.at;
        if length as usize > left {
            return Err(self.invalid(format!("a sequence of {length} elements in {left} bytes")));
        }
        Ok(length as usize)
    }

    /// Takes a string.
    ///
    /// # Errors
    /// Bytes that are no text.
    pub fn text(&mut self) -> Result<&'a str, CdrError> {
        let length = self.length()?;
        // Some writers send the empty string without its zero.
        if length == 0 {
            return Ok("");
        }
        let (text, end) = self.take(length)?.split_at(length - 1);
        if end != [0] {
            return Err(self.invalid("a string without closing zero"));
        }
        std::str::from_utf8(text).map_err(|e| self.invalid(format!("a string that is not UTF-8: {e}")))
    }

    /// Takes a sequence of bytes.
    ///
    /// # Errors
    /// More bytes than there are left.
    pub fn byte_sequence(&mut self) -> Result<&'a [u8], CdrError> {
        let length = self.length()?;
        self.take(length)
    }

    /// Reads a field whose value does not matter.
    ///
    /// # Errors
    /// As for [`CdrReader::get`].
    pub fn skip<T: Cdr>(&mut self) -> Result<(), CdrError> {
        self.get::<T>().map(drop)
    }
}

/// Little-endian numbers of `N` bytes.
pub(crate) fn unpacked<T, const N: usize>(bytes: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|chunk| from(*chunk)).collect()
}

macro_rules! cdr_numbers {
    ($($number:ty),*) => {
        $(impl Cdr for $number {
            fn write(&self, w: &mut CdrWriter) {
                w.aligned(self.to_le_bytes());
            }
            fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
                r.aligned().map(<$number>::from_le_bytes)
            }
        })*
    };
}
cdr_numbers!(u8, i8, u16, u32, i32, f32, f64);

impl Cdr for bool {
    fn write(&self, w: &mut CdrWriter) {
        u8::from(*self).write(w);
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        match r.get::<u8>()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(r.invalid(format!("a bool of {other}"))),
        }
    }
}

impl Cdr for String {
    fn write(&self, w: &mut CdrWriter) {
        w.text(self);
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        r.text().map(str::to_owned)
    }
}

impl<T: Cdr> Cdr for Vec<T> {
    fn write(&self, w: &mut CdrWriter) {
        w.length(self.len());
        self.iter().for_each(|x| x.write(w));
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let length = r.length()?;
        // Elements are larger in memory than in the message by some factor; growing keeps a lie about the
        // length from reserving memory for it.
        let mut elements = Vec::new();
        for _ in 0..length {
            elements.push(r.get()?);
        }
        Ok(elements)
    }
}

/// A sequence of at most one element.
impl<T: Cdr> Cdr for Option<T> {
    fn write(&self, w: &mut CdrWriter) {
        w.length(usize::from(self.is_some()));
        if let Some(value) = self {
            value.write(w);
        }
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        match r.length()? {
            0 => Ok(None),
            1 => r.get().map(Some),
            n => Err(r.invalid(format!("{n} elements where at most one is allowed"))),
        }
    }
}

impl<T: Cdr + Copy + Default, const N: usize> Cdr for [T; N] {
    fn write(&self, w: &mut CdrWriter) {
        self.iter().for_each(|x| x.write(w));
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let mut array = [T::default(); N];
        for slot in &mut array {
            *slot = r.get()?;
        }
        Ok(array)
    }
}

/// `builtin_interfaces/Time`: 32-bit seconds and nanoseconds within the second.
impl Cdr for Time {
    fn write(&self, w: &mut CdrWriter) {
        const BILLION: i64 = 1_000_000_000;
        match i32::try_from(self.nanos().div_euclid(BILLION)) {
            Ok(sec) => {
                w.put(&sec).put(&(self.nanos().rem_euclid(BILLION) as u32));
            }
            Err(_) => w.refuse(format!("time {self} is more than 68 years from zero")),
        }
    }
    fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
        let (sec, nanosec): (i32, u32) = (r.get()?, r.get()?);
        if nanosec >= 1_000_000_000 {
            return Err(r.invalid(format!("{nanosec} nanoseconds within a second")));
        }
        Ok(Time::from_nanos(
            i64::from(sec) * 1_000_000_000 + i64::from(nanosec),
        ))
    }
}

/// Implements [`Cdr`] for a struct whose message has the same fields in the same order.
macro_rules! cdr_struct {
    ($($name:ident { $($field:ident),* $(,)? })*) => {
        $(impl Cdr for $name {
            fn write(&self, w: &mut CdrWriter) {
                $(self.$field.write(w);)*
            }
            fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
                Ok($name { $($field: r.get()?),* })
            }
        })*
    };
}

/// Implements [`Cdr`] for an enum without fields as a `uint8`.
macro_rules! cdr_enum {
    ($($name:ident { $($variant:ident = $number:literal),* $(,)? })*) => {
        $(impl Cdr for $name {
            fn write(&self, w: &mut CdrWriter) {
                let number: u8 = match self { $($name::$variant => $number),* };
                number.write(w);
            }
            fn read(r: &mut CdrReader<'_>) -> Result<Self, CdrError> {
                match r.get::<u8>()? {
                    $($number => Ok($name::$variant),)*
                    other => Err(r.invalid(format!(concat!("{} is no ", stringify!($name)), other))),
                }
            }
        })*
    };
}
pub(crate) use {cdr_enum, cdr_struct};
