//! What was done, line by line, so that two runs can be compared.

use std::{fmt::Display, io};

/// The calls so far, if they are recorded.
#[derive(Default)]
pub(crate) struct Trace {
    recording: bool,
    lines: Vec<String>,
}

impl Trace {
    pub(crate) fn record(&mut self, on: bool) {
        self.recording = on;
    }

    pub(crate) fn add(&mut self, line: impl FnOnce() -> String) {
        if self.recording {
            self.lines.push(line());
        }
    }

    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }
}

/// How a call ended, in the same words on every machine.
pub(crate) fn outcome<T: Display>(result: Result<T, &io::Error>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(error) => match error.raw_os_error() {
            Some(code) => format!("error {code}"),
            None => format!("error {:?}", error.kind()),
        },
    }
}

/// FNV-1a: enough to see that bytes differ.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_reference() {
        assert_eq!(checksum(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(checksum(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn nothing_is_formatted_while_nothing_is_recorded() {
        let mut trace = Trace::default();
        trace.add(|| panic!("formatted"));
        trace.record(true);
        trace.add(|| "line".to_owned());
        assert_eq!(trace.lines(), ["line"]);
    }
}
