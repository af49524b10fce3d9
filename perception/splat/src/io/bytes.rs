//! Reading bytes while knowing where in the file one is, and the value ranges that formats share.

use std::io::{ErrorKind, Read};

use crate::{Error, Result};

/// A reader that counts, so that errors can name the byte.
pub(crate) struct Source<R> {
    format: &'static str,
    reader: R,
    at: u64,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(format: &'static str, reader: R) -> Self {
        Source {
            format,
            reader,
            at: 0,
        }
    }

    /// Bytes read so far.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// An error at a byte.
    pub(crate) fn error_at(&self, byte: u64, reason: impl Into<String>) -> Error {
        Error::BadFile {
            format: self.format,
            byte,
            reason: reason.into(),
        }
    }

    /// An error at the byte that would be read next.
    pub(crate) fn error(&self, reason: impl Into<String>) -> Error {
        self.error_at(self.at, reason)
    }

    /// Fills as much of the buffer as there is; fewer bytes mean that the end was reached.
    pub(crate) fn fill_some(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.reader.read(&mut buffer[done..]) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // Decoders report damage in this way.
                Err(e)
                    if matches!(
                        e.kind(),
                        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof
                    ) =>
                {
                    return Err(self.error_at(
                        self.at + done as u64,
                        format!("its compressed data are damaged: {e}"),
                    ));
                }
                Err(e) => return Err(e.into()),
            }
        }
        self.at += done as u64;
        Ok(done)
    }

    /// Fills the whole buffer.
    pub(crate) fn fill(&mut self, buffer: &mut [u8], what: &str) -> Result<()> {
        let done = self.fill_some(buffer)?;
        if done < buffer.len() {
            let missing = buffer.len() - done;
            return Err(self.error(format!(
                "it ends here, within {what}; at least {missing} more bytes were expected"
            )));
        }
        Ok(())
    }

    /// Reads `count` bytes whose number comes from a header: memory grows with what is really there.
    pub(crate) fn take(&mut self, count: u64, what: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut block = [0; 1 << 14];
        let mut left = count;
        while left > 0 {
            let n = left.min(block.len() as u64) as usize;
            self.fill(&mut block[..n], what)?;
            bytes.extend_from_slice(&block[..n]);
            left -= n as u64;
        }
        Ok(bytes)
    }
}

/// An opacity between 0 and 1 from its logit.
pub(crate) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// The logit of an opacity; finite also for 0 and 1.
pub(crate) fn logit(opacity: f32) -> f32 {
    let p = opacity.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

/// The nearest of 0..=255; 0 for NaN.
pub(crate) fn to_byte(x: f32) -> u8 {
    // `as` saturates and turns NaN into 0.
    x.round() as u8
}

/// The rotation with norm 1, or none where it has no direction.
pub(crate) fn normalized(q: [f32; 4]) -> Option<[f32; 4]> {
    let norm = q.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    (norm > 0.0 && norm.is_finite()).then(|| q.map(|x| (f64::from(x) / norm) as f32))
}
